/* SPDX-License-Identifier: BSD-3-Clause */
#include "tnum.h"

static struct weir_tnum make(uint64_t value, uint64_t mask)
{
	return (struct weir_tnum){value & ~mask, mask};
}

static uint64_t low_bits(unsigned int bits)
{
	return bits >= 64 ? UINT64_MAX : (1ULL << bits) - 1;
}

/* Bits above the highest one in which min and max differ are common to all values between. */
struct weir_tnum weir_tnum_range(uint64_t min, uint64_t max)
{
	uint64_t differ = min ^ max;
	unsigned int bits = differ ? 64 - (unsigned int)__builtin_clzll(differ) : 0;

	return make(min, low_bits(bits));
}

/*
 * The sum of the minima and the sum of the maxima differ in every bit that some carry can reach:
 * with all unknown bits 0 and with all 1 the carry into each position takes its least and its
 * largest value. A bit where both agree, and whose operands are known, is the same for all pairs.
 */
struct weir_tnum weir_tnum_add(struct weir_tnum a, struct weir_tnum b)
{
	uint64_t least = a.value + b.value;
	uint64_t most = least + a.mask + b.mask;

	return make(least, (least ^ most) | a.mask | b.mask);
}

/* The same with borrows: the extremes are (least a - most b) and (most a - least b). */
struct weir_tnum weir_tnum_sub(struct weir_tnum a, struct weir_tnum b)
{
	uint64_t base = a.value - b.value;

	return make(base, ((base + a.mask) ^ (base - b.mask)) | a.mask | b.mask);
}

/*
 * Long multiplication. The known part is exact; for each bit of a, the unknown part of its partial
 * product (all of b's possible bits if a's bit is unknown, b's unknown bits if it is 1) is summed
 * as tnums, so their carries are accounted for by weir_tnum_add.
 */
struct weir_tnum weir_tnum_mul(struct weir_tnum a, struct weir_tnum b)
{
	struct weir_tnum unknown = {0, 0};
	uint64_t known = a.value * b.value;

	while (a.value | a.mask) {
		if (a.value & 1)
			unknown = weir_tnum_add(unknown, (struct weir_tnum){0, b.mask});
		else if (a.mask & 1)
			unknown = weir_tnum_add(unknown, (struct weir_tnum){0, b.value | b.mask});
		a = weir_tnum_rsh(a, 1);
		b = weir_tnum_lsh(b, 1, 64);
	}
	return weir_tnum_add(weir_tnum_const(known), unknown);
}

struct weir_tnum weir_tnum_and(struct weir_tnum a, struct weir_tnum b)
{
	uint64_t can_be_1 = (a.value | a.mask) & (b.value | b.mask);
	uint64_t is_1 = a.value & b.value;

	return make(is_1, can_be_1 & ~is_1);
}

struct weir_tnum weir_tnum_or(struct weir_tnum a, struct weir_tnum b)
{
	uint64_t is_1 = a.value | b.value;

	return make(is_1, (a.mask | b.mask) & ~is_1);
}

struct weir_tnum weir_tnum_xor(struct weir_tnum a, struct weir_tnum b)
{
	return make(a.value ^ b.value, a.mask | b.mask);
}

struct weir_tnum weir_tnum_lsh(struct weir_tnum a, unsigned int shift, unsigned int bits)
{
	return make((a.value << shift) & low_bits(bits), (a.mask << shift) & low_bits(bits));
}

struct weir_tnum weir_tnum_rsh(struct weir_tnum a, unsigned int shift)
{
	return make(a.value >> shift, a.mask >> shift);
}

/* An unknown sign bit is copied as unknown, a known one as itself: both by an arithmetic shift. */
struct weir_tnum weir_tnum_arsh(struct weir_tnum a, unsigned int shift, unsigned int bits)
{
	if (bits == 32)
		return make((uint32_t)((int32_t)a.value >> shift),
			    (uint32_t)((int32_t)a.mask >> shift));
	return make((uint64_t)((int64_t)a.value >> shift), (uint64_t)((int64_t)a.mask >> shift));
}

struct weir_tnum weir_tnum_trunc(struct weir_tnum a, unsigned int bytes)
{
	return make(a.value & low_bits(bytes * 8), a.mask & low_bits(bytes * 8));
}

struct weir_tnum weir_tnum_sext(struct weir_tnum a, unsigned int bytes)
{
	unsigned int shift = 64 - bytes * 8;

	return weir_tnum_arsh(weir_tnum_lsh(a, shift, 64), shift, 64);
}

struct weir_tnum weir_tnum_with_low32(struct weir_tnum a, struct weir_tnum sub)
{
	return make((a.value & ~low_bits(32)) | (uint32_t)sub.value,
		    (a.mask & ~low_bits(32)) | (uint32_t)sub.mask);
}

static uint64_t swap(uint64_t v, unsigned int bytes)
{
	return __builtin_bswap64(v) >> (64 - bytes * 8);
}

struct weir_tnum weir_tnum_bswap(struct weir_tnum a, unsigned int bytes)
{
	return make(swap(a.value, bytes), swap(a.mask, bytes));
}

bool weir_tnum_intersect(struct weir_tnum a, struct weir_tnum b, struct weir_tnum *out)
{
	if ((a.value ^ b.value) & ~a.mask & ~b.mask)
		return false;
	*out = make(a.value | b.value, a.mask & b.mask);
	return true;
}

struct weir_tnum weir_tnum_union(struct weir_tnum a, struct weir_tnum b)
{
	return make(a.value, a.mask | b.mask | (a.value ^ b.value));
}

bool weir_tnum_within(struct weir_tnum outer, struct weir_tnum inner)
{
	return !(inner.mask & ~outer.mask) && (inner.value & ~outer.mask) == outer.value;
}

bool weir_tnum_is_aligned(struct weir_tnum a, uint64_t align)
{
	return !((a.value | a.mask) & (align - 1));
}
