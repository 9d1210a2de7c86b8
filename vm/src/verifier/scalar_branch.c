/* SPDX-License-Identifier: BSD-3-Clause */
/* What comparisons say of their operands. */
#include "scalar_view.h"
#include "weir/vm/bpf.h"

/*
 * Comparisons come down to six questions; the others are these with the operands exchanged.
 * The negation of each is in the set too, so "not taken" needs no code of its own.
 */
enum relation {
	REL_EQ,
	REL_NE,
	REL_ULT,
	REL_ULE,
	REL_SLT,
	REL_SLE,
	REL_SET,   /* a & b != 0 */
	REL_CLEAR, /* a & b == 0 */
};

struct relation_of {
	enum relation rel;
	bool swapped; /* the question is of (b, a) */
};

static struct relation_of relation_of(uint8_t op)
{
	switch (op) {
	case BPF_JEQ: return (struct relation_of){REL_EQ, false};
	case BPF_JNE: return (struct relation_of){REL_NE, false};
	case BPF_JLT: return (struct relation_of){REL_ULT, false};
	case BPF_JLE: return (struct relation_of){REL_ULE, false};
	case BPF_JGT: return (struct relation_of){REL_ULT, true};
	case BPF_JGE: return (struct relation_of){REL_ULE, true};
	case BPF_JSLT: return (struct relation_of){REL_SLT, false};
	case BPF_JSLE: return (struct relation_of){REL_SLE, false};
	case BPF_JSGT: return (struct relation_of){REL_SLT, true};
	case BPF_JSGE: return (struct relation_of){REL_SLE, true};
	default: return (struct relation_of){REL_SET, false};
	}
}

/* not (a < b) is b <= a. */
static struct relation_of negate(struct relation_of r)
{
	switch (r.rel) {
	case REL_EQ: return (struct relation_of){REL_NE, r.swapped};
	case REL_NE: return (struct relation_of){REL_EQ, r.swapped};
	case REL_ULT: return (struct relation_of){REL_ULE, !r.swapped};
	case REL_ULE: return (struct relation_of){REL_ULT, !r.swapped};
	case REL_SLT: return (struct relation_of){REL_SLE, !r.swapped};
	case REL_SLE: return (struct relation_of){REL_SLT, !r.swapped};
	case REL_SET: return (struct relation_of){REL_CLEAR, r.swapped};
	default: return (struct relation_of){REL_SET, r.swapped};
	}
}

/* Can the relation not hold for any pair? */
static bool impossible(enum relation rel, const struct scalar_view *a, const struct scalar_view *b)
{
	struct weir_tnum both;

	switch (rel) {
	case REL_EQ:
		return a->umin > b->umax || a->umax < b->umin || a->smin > b->smax ||
		       a->smax < b->smin || !weir_tnum_intersect(a->var, b->var, &both);
	case REL_NE: return view_is_const(a) && view_is_const(b) && a->var.value == b->var.value;
	case REL_ULT: return a->umin >= b->umax;
	case REL_ULE: return a->umin > b->umax;
	case REL_SLT: return a->smin >= b->smax;
	case REL_SLE: return a->smin > b->smax;
	case REL_SET: return !((a->var.value | a->var.mask) & (b->var.value | b->var.mask));
	default: return a->var.value & b->var.value; /* REL_CLEAR */
	}
}

enum weir_decision weir_scalar_branch(uint8_t op, bool is32, const struct weir_scalar *a,
				      const struct weir_scalar *b)
{
	struct scalar_view va = view_of(a, is32), vb = view_of(b, is32);
	struct relation_of yes = relation_of(op), no = negate(yes);

	if (impossible(yes.rel, yes.swapped ? &vb : &va, yes.swapped ? &va : &vb))
		return WEIR_DECISION_NO;
	if (impossible(no.rel, no.swapped ? &vb : &va, no.swapped ? &va : &vb))
		return WEIR_DECISION_YES;
	return WEIR_DECISION_UNKNOWN;
}

/* Values in both: every part of one holds for the other. */
static bool narrow_eq(struct scalar_view *a, struct scalar_view *b)
{
	if (!weir_tnum_intersect(a->var, b->var, &a->var))
		return false;
	a->umin = a->umin > b->umin ? a->umin : b->umin;
	a->umax = a->umax < b->umax ? a->umax : b->umax;
	a->smin = a->smin > b->smin ? a->smin : b->smin;
	a->smax = a->smax < b->smax ? a->smax : b->smax;
	*b = *a;
	return a->umin <= a->umax && a->smin <= a->smax;
}

/* A constant that is not the value shrinks a range only if it is one of its ends. */
static bool narrow_ne(struct scalar_view *a, const struct scalar_view *b)
{
	int64_t s = view_svalue(b);

	if (!view_is_const(b))
		return true;
	if (a->umin == b->var.value) {
		if (a->umin == a->umax)
			return false;
		a->umin++;
	}
	if (a->umax == b->var.value)
		a->umax--;
	if (a->smin == s) {
		if (a->smin == a->smax)
			return false;
		a->smin++;
	}
	if (a->smax == s)
		a->smax--;
	return true;
}

/* a < b (strict 1) or a <= b (strict 0): a is below b's largest, b above a's least. */
static bool narrow_unsigned(struct scalar_view *a, struct scalar_view *b, unsigned int strict)
{
	if (b->umax < strict || a->umin > view_umax(a->bits) - strict)
		return false;
	if (a->umax > b->umax - strict)
		a->umax = b->umax - strict;
	if (b->umin < a->umin + strict)
		b->umin = a->umin + strict;
	return a->umin <= a->umax && b->umin <= b->umax;
}

static bool narrow_signed(struct scalar_view *a, struct scalar_view *b, int strict)
{
	if (b->smax < view_smin(a->bits) + strict || a->smin > view_smax(a->bits) - strict)
		return false;
	if (a->smax > b->smax - strict)
		a->smax = b->smax - strict;
	if (b->smin < a->smin + strict)
		b->smin = a->smin + strict;
	return a->smin <= a->smax && b->smin <= b->smax;
}

/* a & b != 0 tells a bit only if b has one bit that can be set; then a has it set. */
static bool narrow_set(struct scalar_view *a, const struct scalar_view *b)
{
	uint64_t can = b->var.value | b->var.mask;

	if (can && !(can & (can - 1)))
		return weir_tnum_intersect(
			a->var, (struct weir_tnum){can, view_umax(a->bits) & ~can}, &a->var);
	return true;
}

/* a & b == 0: where b's bit is known to be 1, a's is 0. */
static bool narrow_clear(struct scalar_view *a, const struct scalar_view *b)
{
	return weir_tnum_intersect(
		a->var, (struct weir_tnum){0, view_umax(a->bits) & ~b->var.value}, &a->var);
}

static bool narrow(enum relation rel, struct scalar_view *a, struct scalar_view *b)
{
	switch (rel) {
	case REL_EQ: return narrow_eq(a, b);
	case REL_NE: return narrow_ne(a, b) && narrow_ne(b, a);
	case REL_ULT: return narrow_unsigned(a, b, 1);
	case REL_ULE: return narrow_unsigned(a, b, 0);
	case REL_SLT: return narrow_signed(a, b, 1);
	case REL_SLE: return narrow_signed(a, b, 0);
	case REL_SET: return narrow_set(a, b) && narrow_set(b, a);
	default: return narrow_clear(a, b) && narrow_clear(b, a);
	}
}

static bool put(struct weir_scalar *a, const struct scalar_view *v, bool is32)
{
	if (is32)
		view_put_low(a, v);
	else
		view_put_whole(a, v);
	return weir_scalar_sync(a);
}

bool weir_scalar_refine(uint8_t op, bool is32, bool taken, struct weir_scalar *a,
			struct weir_scalar *b)
{
	struct scalar_view va = view_of(a, is32), vb = view_of(b, is32);
	struct relation_of r = relation_of(op);

	if (!taken)
		r = negate(r);
	if (!narrow(r.rel, r.swapped ? &vb : &va, r.swapped ? &va : &vb))
		return false;
	return put(a, &va, is32) && put(b, &vb, is32);
}
