/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arithmetic on scalars. Each function takes two views of one width and returns a view that holds
 * every concrete result; what a function does not set is the width's full range, which holds
 * anything. Soundness arguments stand at each.
 */
#include <string.h>

#include "scalar_view.h"
#include "weir/vm/bpf.h"

typedef __int128 wide;

/*
 * The exact results lie in [lo, hi]; the register keeps them modulo 2^bits. If both ends are taken
 * back into range by the same multiple of 2^bits, so is everything between, and the order stays.
 */
static void set_signed(struct scalar_view *r, wide lo, wide hi)
{
	wide half = (wide)1 << (r->bits - 1);
	wide k = (lo + half) >> r->bits;

	if (k != (hi + half) >> r->bits)
		return;
	r->smin = (int64_t)(lo - (k << r->bits));
	r->smax = (int64_t)(hi - (k << r->bits));
}

static void set_unsigned(struct scalar_view *r, wide lo, wide hi)
{
	wide k = lo >> r->bits;

	if (k != hi >> r->bits)
		return;
	r->umin = (uint64_t)(lo - (k << r->bits));
	r->umax = (uint64_t)(hi - (k << r->bits));
}

static struct weir_tnum cut(struct weir_tnum t, unsigned int bits)
{
	return bits == 64 ? t : weir_tnum_trunc(t, 4);
}

/* Sums are least for the least operands and largest for the largest. */
static struct scalar_view view_add(const struct scalar_view *a, const struct scalar_view *b)
{
	struct scalar_view r = view_unknown(a->bits);

	r.var = cut(weir_tnum_add(a->var, b->var), a->bits);
	set_unsigned(&r, (wide)a->umin + b->umin, (wide)a->umax + b->umax);
	set_signed(&r, (wide)a->smin + b->smin, (wide)a->smax + b->smax);
	return r;
}

/* Differences grow with a and shrink with b. */
static struct scalar_view view_sub(const struct scalar_view *a, const struct scalar_view *b)
{
	struct scalar_view r = view_unknown(a->bits);

	r.var = cut(weir_tnum_sub(a->var, b->var), a->bits);
	set_unsigned(&r, (wide)a->umin - b->umax, (wide)a->umax - b->umin);
	set_signed(&r, (wide)a->smin - b->smax, (wide)a->smax - b->smin);
	return r;
}

/*
 * Products of non-negative numbers grow with both. Of signed ones, the extremes are among the
 * products of the ends. Where an exact product may leave the width nothing is said.
 */
static struct scalar_view view_mul(const struct scalar_view *a, const struct scalar_view *b)
{
	struct scalar_view r = view_unknown(a->bits);
	wide p[4] = {(wide)a->smin * b->smin, (wide)a->smin * b->smax, (wide)a->smax * b->smin,
		     (wide)a->smax * b->smax};
	wide lo = p[0], hi = p[0];

	r.var = cut(weir_tnum_mul(a->var, b->var), a->bits);
	if ((unsigned __int128)a->umax * b->umax <= view_umax(a->bits)) {
		r.umin = a->umin * b->umin;
		r.umax = a->umax * b->umax;
	}
	for (int i = 1; i < 4; i++) {
		lo = p[i] < lo ? p[i] : lo;
		hi = p[i] > hi ? p[i] : hi;
	}
	if (lo >= view_smin(a->bits) && hi <= view_smax(a->bits)) {
		r.smin = (int64_t)lo;
		r.smax = (int64_t)hi;
	}
	return r;
}

/* x & y is at most either; its known bits bound it as well (sync adds that). */
static struct scalar_view view_and(const struct scalar_view *a, const struct scalar_view *b)
{
	struct scalar_view r = view_unknown(a->bits);

	r.var = weir_tnum_and(a->var, b->var);
	r.umax = a->umax < b->umax ? a->umax : b->umax;
	return r;
}

/* x | y is at least either. */
static struct scalar_view view_or(const struct scalar_view *a, const struct scalar_view *b)
{
	struct scalar_view r = view_unknown(a->bits);

	r.var = weir_tnum_or(a->var, b->var);
	r.umin = a->umin > b->umin ? a->umin : b->umin;
	return r;
}

static struct scalar_view view_xor(const struct scalar_view *a, const struct scalar_view *b)
{
	struct scalar_view r = view_unknown(a->bits);

	r.var = weir_tnum_xor(a->var, b->var);
	return r;
}

/* x / 0 is 0, below any other quotient; quotients grow with a and shrink with b. */
static struct scalar_view view_udiv(const struct scalar_view *a, const struct scalar_view *b)
{
	struct scalar_view r = view_unknown(a->bits);

	r.umin = b->umin ? a->umin / b->umax : 0;
	r.umax = b->umax ? a->umax / (b->umin ? b->umin : 1) : 0;
	return r;
}

/*
 * x % 0 is x; x % y is at most x, and below y for y > 0. If x is below every y it stays itself.
 * By a power of two the low bits remain.
 */
static struct scalar_view view_umod(const struct scalar_view *a, const struct scalar_view *b)
{
	struct scalar_view r = view_unknown(a->bits);

	if (!b->umax || (b->umin && a->umax < b->umin))
		return *a;
	if (view_is_const(a) && view_is_const(b)) {
		r.umin = r.umax = a->var.value % b->var.value;
		return r;
	}
	r.umax = a->umax;
	if (b->umin && b->umax - 1 < r.umax)
		r.umax = b->umax - 1;
	if (view_is_const(b) && !(b->var.value & (b->var.value - 1)))
		r.var = weir_tnum_and(a->var, weir_tnum_const(b->var.value - 1));
	return r;
}

/*
 * Division towards zero by a constant is monotonic: it grows with a for a positive divisor and
 * falls for a negative one. The one overflow, MIN / -1, gives MIN back: then nothing is said.
 */
static struct scalar_view view_sdiv(const struct scalar_view *a, const struct scalar_view *b)
{
	struct scalar_view r = view_unknown(a->bits);
	int64_t d;

	if (!view_is_const(b))
		return r;
	d = view_svalue(b);
	if (!d) {
		r.umax = 0;
	} else if (d > 0) {
		r.smin = a->smin / d;
		r.smax = a->smax / d;
	} else if (d != -1 || a->smin > view_smin(a->bits)) {
		r.smin = a->smax / d;
		r.smax = a->smin / d;
	} else if (a->smax == view_smin(a->bits)) {
		return *a; /* the constant MIN, divided by -1 */
	}
	return r;
}

/*
 * The remainder has a's sign (or is 0) and is no larger in size than a; x % 0 is x, MIN % -1 is 0:
 * both within. By a constant d it is smaller in size than d.
 */
static struct scalar_view view_smod(const struct scalar_view *a, const struct scalar_view *b)
{
	struct scalar_view r = view_unknown(a->bits);

	r.smin = a->smin < 0 ? a->smin : 0;
	r.smax = a->smax > 0 ? a->smax : 0;
	if (view_is_const(b) && view_svalue(b) && view_svalue(b) > view_smin(a->bits)) {
		int64_t d = view_svalue(b) < 0 ? -view_svalue(b) : view_svalue(b);

		if (r.smin < -(d - 1))
			r.smin = -(d - 1);
		if (r.smax > d - 1)
			r.smax = d - 1;
	}
	/* A constant by a constant, |a| < |d|: itself; else computed. */
	if (view_is_const(a) && view_is_const(b)) {
		int64_t x = view_svalue(a), d = view_svalue(b);

		r.smin = r.smax = !d ? x : d == -1 ? 0 : x % d;
	}
	return r;
}

/* The amounts a masked shift may have; false: any of 0..bits-1. */
static bool shift_range(const struct scalar_view *b, unsigned int bits, unsigned int *min,
			unsigned int *max)
{
	if (view_is_const(b)) {
		*min = *max = (unsigned int)(b->var.value & (bits - 1));
		return true;
	}
	if (b->umax < bits) {
		*min = (unsigned int)b->umin;
		*max = (unsigned int)b->umax;
		return true;
	}
	*min = 0;
	*max = bits - 1;
	return false;
}

/* Left shifts multiply: exact unless bits may leave at the top, then only the tnum knows. */
static struct scalar_view view_lsh(const struct scalar_view *a, const struct scalar_view *b)
{
	struct scalar_view r = view_unknown(a->bits);
	unsigned int min, max;

	shift_range(b, a->bits, &min, &max);
	if (min == max)
		r.var = weir_tnum_lsh(a->var, min, a->bits);
	if (a->umax <= view_umax(a->bits) >> max) {
		r.umin = a->umin << min;
		r.umax = a->umax << max;
	}
	if (min == max) {
		wide lo = (wide)a->smin << min, hi = (wide)a->smax << min;

		if (lo >= view_smin(a->bits) && hi <= view_smax(a->bits)) {
			r.smin = (int64_t)lo;
			r.smax = (int64_t)hi;
		}
	}
	return r;
}

/* Logical right shifts fall with the amount and grow with a. */
static struct scalar_view view_rsh(const struct scalar_view *a, const struct scalar_view *b)
{
	struct scalar_view r = view_unknown(a->bits);
	unsigned int min, max;

	shift_range(b, a->bits, &min, &max);
	if (min == max)
		r.var = weir_tnum_rsh(a->var, min);
	r.umin = a->umin >> max;
	r.umax = a->umax >> min;
	return r;
}

/* Arithmetic right shifts grow with a; with the amount they move towards 0 from above, towards -1
 * from below: the extremes are at the ends of both. */
static struct scalar_view view_arsh(const struct scalar_view *a, const struct scalar_view *b)
{
	struct scalar_view r = view_unknown(a->bits);
	unsigned int min, max;

	shift_range(b, a->bits, &min, &max);
	if (min == max)
		r.var = weir_tnum_arsh(a->var, min, a->bits);
	r.smin = a->smin >> (a->smin < 0 ? min : max);
	r.smax = a->smax >> (a->smax < 0 ? max : min);
	return r;
}

static struct scalar_view view_alu(uint8_t op, bool is_signed, const struct scalar_view *a,
				   const struct scalar_view *b)
{
	struct scalar_view zero = {.bits = a->bits};

	switch (op) {
	case BPF_ADD: return view_add(a, b);
	case BPF_SUB: return view_sub(a, b);
	case BPF_NEG: return view_sub(&zero, a);
	case BPF_MUL: return view_mul(a, b);
	case BPF_AND: return view_and(a, b);
	case BPF_OR: return view_or(a, b);
	case BPF_XOR: return view_xor(a, b);
	case BPF_DIV: return is_signed ? view_sdiv(a, b) : view_udiv(a, b);
	case BPF_MOD: return is_signed ? view_smod(a, b) : view_umod(a, b);
	case BPF_LSH: return view_lsh(a, b);
	case BPF_RSH: return view_rsh(a, b);
	case BPF_ARSH: return view_arsh(a, b);
	default: return view_unknown(a->bits);
	}
}

/* Operations whose result's low half depends on the operands' low halves alone. */
static bool low_half_is_own(uint8_t op)
{
	return op == BPF_ADD || op == BPF_SUB || op == BPF_NEG || op == BPF_MUL || op == BPF_AND ||
	       op == BPF_OR || op == BPF_XOR;
}

/* A contradiction after a sound transfer from non-empty operands would be a bug of the domain:
 * unknown is then the answer that is always right. */
static void settle(struct weir_scalar *r)
{
	if (!weir_scalar_sync(r))
		*r = weir_scalar_unknown();
}

static void zero_extend(struct weir_scalar *r, const struct scalar_view *low)
{
	*r = weir_scalar_unknown();
	r->var = weir_tnum_const(0);
	view_put_low(r, low);
	r->umax = UINT32_MAX;
	settle(r);
}

void weir_scalar_alu(struct weir_scalar *dst, const struct weir_scalar *src, uint8_t op,
		     bool is_signed, bool is32)
{
	struct scalar_view a = view_of(dst, is32), b = view_of(src, is32), v, low;
	struct weir_scalar r = weir_scalar_unknown();

	if (op == BPF_MOV) {
		r = *src;
		if (is32)
			weir_scalar_trunc(&r, 4);
		*dst = r;
		return;
	}
	v = view_alu(op, is_signed, &a, &b);
	if (is32) {
		zero_extend(dst, &v);
		return;
	}
	if (low_half_is_own(op)) {
		a = view_of(dst, true);
		b = view_of(src, true);
		low = view_alu(op, is_signed, &a, &b);
		view_put_low(&r, &low);
		/* view_put_whole's tnum knows the low half at least as well as low's does */
	}
	view_put_whole(&r, &v);
	settle(&r);
	*dst = r;
}

void weir_scalar_trunc(struct weir_scalar *a, unsigned int bytes)
{
	struct scalar_view low;
	uint64_t max;

	if (bytes >= 8)
		return;
	max = bytes == 4 ? UINT32_MAX : (1ULL << (bytes * 8)) - 1;
	if (a->umax <= max)
		return;
	if (bytes == 4) {
		low = view_of(a, true);
	} else {
		/* Values that agree above the cut keep their order below it. */
		low = view_unknown(32);
		low.var = weir_tnum_trunc(a->var, bytes);
		low.umin = 0;
		low.umax = max;
		if ((a->umin & ~max) == (a->umax & ~max)) {
			low.umin = a->umin & max;
			low.umax = a->umax & max;
		}
	}
	zero_extend(a, &low);
}

void weir_scalar_sext(struct weir_scalar *a, unsigned int bytes, bool is32)
{
	int64_t max = (int64_t)((1ULL << (bytes * 8 - 1)) - 1), min = -max - 1;
	struct weir_scalar r = weir_scalar_unknown();

	if (bytes >= 8)
		return;
	if (a->smin >= min && a->smax <= max) {
		r = *a; /* sign extension of what fits is the value itself */
	} else {
		r.var = weir_tnum_sext(a->var, bytes);
		r.smin = min;
		r.smax = max;
		if (bytes == 4 || (a->s32_min >= min && a->s32_max <= max)) {
			r.smin = a->s32_min;
			r.smax = a->s32_max;
		}
		settle(&r);
	}
	if (is32)
		weir_scalar_trunc(&r, 4);
	*a = r;
}

void weir_scalar_bswap(struct weir_scalar *a, unsigned int bytes)
{
	struct weir_scalar r = weir_scalar_unknown();

	r.var = weir_tnum_bswap(a->var, bytes);
	settle(&r);
	*a = r;
}
