/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of a scalar and how they narrow each other. Every step below replaces a part by
 * another that holds all values of the whole, so the order of steps never matters for soundness;
 * they repeat until nothing changes (bounded) for precision.
 */
#include "scalar.h"

#include <string.h>

#define SYNC_ROUNDS 4

static const struct weir_scalar unknown = {
	.var = {0, UINT64_MAX},
	.smin = INT64_MIN,
	.smax = INT64_MAX,
	.umin = 0,
	.umax = UINT64_MAX,
	.s32_min = INT32_MIN,
	.s32_max = INT32_MAX,
	.u32_min = 0,
	.u32_max = UINT32_MAX,
};

struct weir_scalar weir_scalar_unknown(void)
{
	return unknown;
}

struct weir_scalar weir_scalar_const(uint64_t v)
{
	return (struct weir_scalar){
		.var = {v, 0},
		.smin = (int64_t)v,
		.smax = (int64_t)v,
		.umin = v,
		.umax = v,
		.s32_min = (int32_t)v,
		.s32_max = (int32_t)v,
		.u32_min = (uint32_t)v,
		.u32_max = (uint32_t)v,
	};
}

struct weir_scalar weir_scalar_urange(uint64_t min, uint64_t max)
{
	struct weir_scalar a = unknown;

	a.umin = min;
	a.umax = max;
	weir_scalar_sync(&a);
	return a;
}

struct weir_scalar weir_scalar_srange(int64_t min, int64_t max)
{
	struct weir_scalar a = unknown;

	a.smin = min;
	a.smax = max;
	weir_scalar_sync(&a);
	return a;
}

bool weir_scalar_equal(const struct weir_scalar *a, const struct weir_scalar *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool weir_scalar_is_unknown(const struct weir_scalar *a)
{
	return weir_scalar_equal(a, &unknown);
}

bool weir_scalar_contains(const struct weir_scalar *a, uint64_t v)
{
	int64_t s = (int64_t)v;
	uint32_t u32 = (uint32_t)v;
	int32_t s32 = (int32_t)u32;

	return weir_tnum_contains(a->var, v) && v >= a->umin && v <= a->umax && s >= a->smin &&
	       s <= a->smax && u32 >= a->u32_min && u32 <= a->u32_max && s32 >= a->s32_min &&
	       s32 <= a->s32_max;
}

bool weir_scalar_within(const struct weir_scalar *outer, const struct weir_scalar *inner)
{
	return weir_tnum_within(outer->var, inner->var) && outer->umin <= inner->umin &&
	       outer->umax >= inner->umax && outer->smin <= inner->smin &&
	       outer->smax >= inner->smax && outer->u32_min <= inner->u32_min &&
	       outer->u32_max >= inner->u32_max && outer->s32_min <= inner->s32_min &&
	       outer->s32_max >= inner->s32_max;
}

#define NARROW_MIN(field, v)           \
	do {                           \
		if ((field) < (v))     \
			(field) = (v); \
	} while (0)
#define NARROW_MAX(field, v)           \
	do {                           \
		if ((field) > (v))     \
			(field) = (v); \
	} while (0)

/*
 * Ranges from the tnum: unknown bits all 0 give the least, all 1 the largest unsigned value; for
 * signed values the sign bit counts the other way round.
 */
static void ranges_from_var(struct weir_scalar *a)
{
	const uint64_t sign = 1ULL << 63;
	const uint32_t sign32 = 1U << 31;
	uint64_t value = a->var.value, mask = a->var.mask;
	uint32_t value32 = (uint32_t)value, mask32 = (uint32_t)mask;

	NARROW_MIN(a->umin, value);
	NARROW_MAX(a->umax, value | mask);
	NARROW_MIN(a->smin, (int64_t)(value | (mask & sign)));
	NARROW_MAX(a->smax, (int64_t)(value | (mask & ~sign)));
	NARROW_MIN(a->u32_min, value32);
	NARROW_MAX(a->u32_max, value32 | mask32);
	NARROW_MIN(a->s32_min, (int32_t)(value32 | (mask32 & sign32)));
	NARROW_MAX(a->s32_max, (int32_t)(value32 | (mask32 & ~sign32)));
}

/*
 * Signed and unsigned ranges of the same bits. As a set of bit patterns a signed range is one
 * unsigned interval, or two where it crosses zero (its negative part lies above its other part);
 * likewise an unsigned range seen as signed where it crosses the sign boundary. Each range becomes
 * the hull of its intersection with the other's one or two intervals: the tightest there is.
 * Written for 64 and 32 bits.
 */
#define DEFINE_CROSS(bits)                                                                      \
	static bool cross##bits(int##bits##_t *smin, int##bits##_t *smax, uint##bits##_t *umin, \
				uint##bits##_t *umax)                                           \
	{                                                                                       \
		uint##bits##_t lo[2], hi[2];                                                    \
		uint##bits##_t new_min = UINT##bits##_MAX, new_max = 0;                         \
		int##bits##_t new_smin = INT##bits##_MAX, new_smax = INT##bits##_MIN;           \
		int n = 1;                                                                      \
                                                                                                \
		if (*smin > *smax || *umin > *umax)                                             \
			return false;                                                           \
		lo[0] = (uint##bits##_t) * smin;                                                \
		hi[0] = (uint##bits##_t) * smax;                                                \
		if (*smin < 0 && *smax >= 0) {                                                  \
			lo[0] = 0;                                                              \
			lo[1] = (uint##bits##_t) * smin;                                        \
			hi[1] = UINT##bits##_MAX;                                               \
			n = 2;                                                                  \
		}                                                                               \
		for (int i = 0; i < n; i++) {                                                   \
			NARROW_MIN(lo[i], *umin);                                               \
			NARROW_MAX(hi[i], *umax);                                               \
			if (lo[i] > hi[i])                                                      \
				continue;                                                       \
			NARROW_MAX(new_min, lo[i]);                                             \
			NARROW_MIN(new_max, hi[i]);                                             \
			/* an interval lies in one half, so its ends are its signed ends */     \
			NARROW_MAX(new_smin, (int##bits##_t)lo[i]);                             \
			NARROW_MIN(new_smax, (int##bits##_t)hi[i]);                             \
		}                                                                               \
		if (new_min > new_max)                                                          \
			return false;                                                           \
		*umin = new_min;                                                                \
		*umax = new_max;                                                                \
		*smin = new_smin;                                                               \
		*smax = new_smax;                                                               \
		return true;                                                                    \
	}
DEFINE_CROSS(64)
DEFINE_CROSS(32)

/*
 * The low half of a value that runs from `from` up to `to` (modulo 2^64): known only if that is
 * fewer than 2^32 steps.
 */
static void low_from_interval(struct weir_scalar *a, uint64_t from, uint64_t to)
{
	uint32_t lo = (uint32_t)from, hi = (uint32_t)to;

	if (to - from > UINT32_MAX)
		return;
	/* The low halves run from lo up to hi: one unsigned interval unless they wrap, one signed
	 * interval unless they step from INT32_MAX to INT32_MIN. */
	if (lo <= hi) {
		NARROW_MIN(a->u32_min, lo);
		NARROW_MAX(a->u32_max, hi);
	}
	if ((int32_t)lo <= (int32_t)hi) {
		NARROW_MIN(a->s32_min, (int32_t)lo);
		NARROW_MAX(a->s32_max, (int32_t)hi);
	}
}

/*
 * The 64-bit range from the low half's: the least value >= umin whose low half is in
 * [u32_min, u32_max], and the largest <= umax. If umin's own low half is below the range it moves
 * up to u32_min, if above it moves to the next upper half; the same downwards for umax. Signed
 * ranges likewise: adding 2^63 to both ends maps them to unsigned without touching the low half.
 */
static bool narrow_by_low(uint64_t *min, uint64_t *max, uint32_t low_min, uint32_t low_max)
{
	uint64_t lo = *min, hi = *max;
	uint32_t l = (uint32_t)lo, h = (uint32_t)hi;

	if (l < low_min) {
		lo += low_min - l;
	} else if (l > low_max) {
		if (lo >> 32 == UINT32_MAX)
			return false;
		lo = (((lo >> 32) + 1) << 32) | low_min;
	}
	if (h > low_max) {
		hi -= h - low_max;
	} else if (h < low_min) {
		if (!(hi >> 32))
			return false;
		hi = (((hi >> 32) - 1) << 32) | low_max;
	}
	if (lo > hi)
		return false;
	*min = lo;
	*max = hi;
	return true;
}

static bool cross_halves(struct weir_scalar *a)
{
	const uint64_t bias = 1ULL << 63;
	uint64_t lo, hi;

	low_from_interval(a, a->umin, a->umax);
	low_from_interval(a, (uint64_t)a->smin, (uint64_t)a->smax);
	if (a->u32_min > a->u32_max || a->s32_min > a->s32_max)
		return false;
	if (!narrow_by_low(&a->umin, &a->umax, a->u32_min, a->u32_max))
		return false;
	lo = (uint64_t)a->smin ^ bias;
	hi = (uint64_t)a->smax ^ bias;
	if (!narrow_by_low(&lo, &hi, a->u32_min, a->u32_max))
		return false;
	a->smin = (int64_t)(lo ^ bias);
	a->smax = (int64_t)(hi ^ bias);
	/* A value that fits in 32 bits signed is the sign extension of its low half. */
	if (a->smin >= INT32_MIN && a->smax <= INT32_MAX) {
		NARROW_MIN(a->smin, (int64_t)a->s32_min);
		NARROW_MAX(a->smax, (int64_t)a->s32_max);
	}
	return a->smin <= a->smax;
}

/* The tnum from the ranges: what the ends have in common, for the whole and for the low half. */
static bool var_from_ranges(struct weir_scalar *a)
{
	struct weir_tnum low, var = a->var;

	if (!weir_tnum_intersect(var, weir_tnum_range(a->umin, a->umax), &var))
		return false;
	low = weir_tnum_trunc(var, 4);
	if (!weir_tnum_intersect(low, weir_tnum_range(a->u32_min, a->u32_max), &low))
		return false;
	a->var = weir_tnum_with_low32(var, low);
	return true;
}

bool weir_scalar_sync(struct weir_scalar *a)
{
	for (int round = 0; round < SYNC_ROUNDS; round++) {
		struct weir_scalar before = *a;

		ranges_from_var(a);
		if (!cross64(&a->smin, &a->smax, &a->umin, &a->umax) ||
		    !cross32(&a->s32_min, &a->s32_max, &a->u32_min, &a->u32_max))
			return false;
		if (!cross_halves(a))
			return false;
		if (!cross64(&a->smin, &a->smax, &a->umin, &a->umax) ||
		    !cross32(&a->s32_min, &a->s32_max, &a->u32_min, &a->u32_max))
			return false;
		if (!var_from_ranges(a))
			return false;
		if (weir_scalar_equal(&before, a))
			break;
	}
	return true;
}
