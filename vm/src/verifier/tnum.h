/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tristate numbers: what is known of each bit of a 64-bit value. A bit set in mask is unknown;
 * otherwise it equals value's. value & mask is always 0. A tnum stands for the set of values that
 * agree with it; every operation returns a tnum that holds at least all results of the concrete
 * operation over all pairs of members (soundness). Any thread; no state.
 *
 * Source of the domain: Vishwanathan et al., "Sound, precise, and fast abstract interpretation
 * with tristate numbers" (CGO 2022).
 */
#ifndef WEIR_VM_VERIFIER_TNUM_H
#define WEIR_VM_VERIFIER_TNUM_H

#include <stdbool.h>
#include <stdint.h>

struct weir_tnum {
	uint64_t value;
	uint64_t mask;
};

#define WEIR_TNUM_UNKNOWN ((struct weir_tnum){0, UINT64_MAX})

static inline struct weir_tnum weir_tnum_const(uint64_t v)
{
	return (struct weir_tnum){v, 0};
}

static inline bool weir_tnum_is_const(struct weir_tnum a)
{
	return !a.mask;
}

static inline bool weir_tnum_equal(struct weir_tnum a, struct weir_tnum b)
{
	return a.value == b.value && a.mask == b.mask;
}

static inline bool weir_tnum_contains(struct weir_tnum a, uint64_t v)
{
	return (v & ~a.mask) == a.value;
}

/* The smallest tnum that holds all of [min, max] (min <= max). */
struct weir_tnum weir_tnum_range(uint64_t min, uint64_t max);
struct weir_tnum weir_tnum_add(struct weir_tnum a, struct weir_tnum b);
struct weir_tnum weir_tnum_sub(struct weir_tnum a, struct weir_tnum b);
struct weir_tnum weir_tnum_mul(struct weir_tnum a, struct weir_tnum b);
struct weir_tnum weir_tnum_and(struct weir_tnum a, struct weir_tnum b);
struct weir_tnum weir_tnum_or(struct weir_tnum a, struct weir_tnum b);
struct weir_tnum weir_tnum_xor(struct weir_tnum a, struct weir_tnum b);
/* Shifts by a known amount < bits; bits is 64 or 32 (then a's upper half is 0 and stays 0). */
struct weir_tnum weir_tnum_lsh(struct weir_tnum a, unsigned int shift, unsigned int bits);
struct weir_tnum weir_tnum_rsh(struct weir_tnum a, unsigned int shift);
struct weir_tnum weir_tnum_arsh(struct weir_tnum a, unsigned int shift, unsigned int bits);
/* The low `bytes` bytes (1..8), zero-extended. */
struct weir_tnum weir_tnum_trunc(struct weir_tnum a, unsigned int bytes);
/* The low `bytes` bytes, sign-extended to 64 bits. */
struct weir_tnum weir_tnum_sext(struct weir_tnum a, unsigned int bytes);
/* a with its low half replaced by sub's. */
struct weir_tnum weir_tnum_with_low32(struct weir_tnum a, struct weir_tnum sub);
/* The low `bytes` bytes in reverse order, zero-extended. */
struct weir_tnum weir_tnum_bswap(struct weir_tnum a, unsigned int bytes);
/* Values in both; false (out untouched) if there is none. */
bool weir_tnum_intersect(struct weir_tnum a, struct weir_tnum b, struct weir_tnum *out);
/* The smallest tnum that holds both. */
struct weir_tnum weir_tnum_union(struct weir_tnum a, struct weir_tnum b);
/* Is every member of inner a member of outer? */
bool weir_tnum_within(struct weir_tnum outer, struct weir_tnum inner);
/* Are all members multiples of the power of two `align`? */
bool weir_tnum_is_aligned(struct weir_tnum a, uint64_t align);

#endif
