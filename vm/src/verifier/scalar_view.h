/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One width of a scalar, so that 32- and 64-bit transfer functions are the same code: the whole
 * register, or its low half with the bounds widened to 64-bit fields.
 */
#ifndef WEIR_VM_VERIFIER_SCALAR_VIEW_H
#define WEIR_VM_VERIFIER_SCALAR_VIEW_H

#include "scalar.h"

struct scalar_view {
	struct weir_tnum var;
	uint64_t umin, umax;
	int64_t smin, smax;
	unsigned int bits; /* 64 or 32 */
};

static inline uint64_t view_umax(unsigned int bits)
{
	return bits == 64 ? UINT64_MAX : UINT32_MAX;
}

static inline int64_t view_smax(unsigned int bits)
{
	return bits == 64 ? INT64_MAX : INT32_MAX;
}

static inline int64_t view_smin(unsigned int bits)
{
	return bits == 64 ? INT64_MIN : INT32_MIN;
}

static inline struct scalar_view view_unknown(unsigned int bits)
{
	return (struct scalar_view){
		.var = {0, view_umax(bits)},
		.umax = view_umax(bits),
		.smin = view_smin(bits),
		.smax = view_smax(bits),
		.bits = bits,
	};
}

static inline struct scalar_view view_of(const struct weir_scalar *a, bool is32)
{
	if (!is32)
		return (struct scalar_view){a->var, a->umin, a->umax, a->smin, a->smax, 64};
	return (struct scalar_view){
		weir_tnum_trunc(a->var, 4), a->u32_min, a->u32_max, a->s32_min, a->s32_max, 32};
}

static inline bool view_is_const(const struct scalar_view *v)
{
	return !v->var.mask;
}

/* The value of a constant as a signed number of its width. */
static inline int64_t view_svalue(const struct scalar_view *v)
{
	return v->bits == 64 ? (int64_t)v->var.value : (int32_t)v->var.value;
}

/* Puts a view of the low half into a, whose upper half stays. */
static inline void view_put_low(struct weir_scalar *a, const struct scalar_view *v)
{
	a->var = weir_tnum_with_low32(a->var, v->var);
	a->u32_min = (uint32_t)v->umin;
	a->u32_max = (uint32_t)v->umax;
	a->s32_min = (int32_t)v->smin;
	a->s32_max = (int32_t)v->smax;
}

static inline void view_put_whole(struct weir_scalar *a, const struct scalar_view *v)
{
	a->var = v->var;
	a->umin = v->umin;
	a->umax = v->umax;
	a->smin = v->smin;
	a->smax = v->smax;
}

#endif
