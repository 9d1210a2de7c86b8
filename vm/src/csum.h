/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ones' complement sums (RFC 1071, RFC 1624) in the representation programs see: a sum is zero only
 * if all of its terms are zero; everything else congruent to zero is all ones.
 */
#ifndef WEIR_VM_SRC_CSUM_H
#define WEIR_VM_SRC_CSUM_H

#include <stdint.h>
#include <string.h>

static inline uint32_t csum_add(uint32_t a, uint32_t b)
{
	uint32_t sum = a + b;

	return sum + (sum < b);
}

static inline uint32_t csum_sub(uint32_t a, uint32_t b)
{
	return csum_add(a, ~b);
}

/* Sum of len bytes in memory order; what is missing of the last word counts as zeroes. */
static inline uint32_t csum_bytes(const void *p, uint32_t len, uint32_t sum)
{
	const uint8_t *bytes = p;
	uint64_t acc = sum;
	uint32_t word;

	for (; len >= 4; len -= 4, bytes += 4) {
		memcpy(&word, bytes, 4);
		acc += word;
	}
	if (len) {
		word = 0;
		memcpy(&word, bytes, len);
		acc += word;
	}
	acc = (acc & UINT32_MAX) + (acc >> 32);
	acc = (acc & UINT32_MAX) + (acc >> 32);
	return (uint32_t)acc;
}

static inline uint16_t csum_to_16(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static inline uint16_t csum_finish(uint32_t sum)
{
	return (uint16_t)~csum_to_16(sum);
}

/* A checksum field after a difference of the sum below it. */
static inline uint16_t csum_field_diff(uint16_t field, uint32_t diff)
{
	return csum_finish(csum_add(diff, ~(uint32_t)field));
}

/* A checksum field after a word below it changed. */
static inline uint16_t csum_field_replace(uint16_t field, uint32_t from, uint32_t to)
{
	return csum_finish(csum_add(csum_sub(~(uint32_t)field, from), to));
}

static inline uint16_t csum16_add(uint16_t a, uint16_t b)
{
	uint16_t sum = (uint16_t)(a + b);

	return (uint16_t)(sum + (sum < b));
}

static inline uint16_t csum_field_replace16(uint16_t field, uint16_t from, uint16_t to)
{
	return (uint16_t)~csum16_add(csum16_add((uint16_t)~field, (uint16_t)~from), to);
}

#endif
