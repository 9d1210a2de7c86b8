/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is known of a register that holds a number: a tnum, and signed and unsigned ranges of the
 * whole register and of its low half, kept in step. A scalar stands for the set of values that lie
 * in all of them; transfer functions return a superset of the concrete results (soundness), with
 * the concrete semantics of RFC 9669 (division by zero gives 0, modulo by zero leaves the dividend,
 * shift amounts are masked, 32-bit operations zero-extend). Any thread; no state.
 */
#ifndef WEIR_VM_VERIFIER_SCALAR_H
#define WEIR_VM_VERIFIER_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "tnum.h"

struct weir_scalar {
	struct weir_tnum var;
	int64_t smin, smax;
	uint64_t umin, umax;
	int32_t s32_min, s32_max;
	uint32_t u32_min, u32_max;
};

struct weir_scalar weir_scalar_unknown(void);
struct weir_scalar weir_scalar_const(uint64_t v);
/* All values of [min, max], min <= max. */
struct weir_scalar weir_scalar_urange(uint64_t min, uint64_t max);
struct weir_scalar weir_scalar_srange(int64_t min, int64_t max);

static inline bool weir_scalar_is_const(const struct weir_scalar *a)
{
	return !a->var.mask;
}

/* Is the low half one known value? */
static inline bool weir_scalar_is_const32(const struct weir_scalar *a)
{
	return !(uint32_t)a->var.mask;
}

bool weir_scalar_is_unknown(const struct weir_scalar *a);
bool weir_scalar_equal(const struct weir_scalar *a, const struct weir_scalar *b);
bool weir_scalar_contains(const struct weir_scalar *a, uint64_t v);
/* Is inner's set within outer's? (A yes is certain; what pruning asks.) */
bool weir_scalar_within(const struct weir_scalar *outer, const struct weir_scalar *inner);

/*
 * Brings the parts in step: each is narrowed by the others. False if no value is left, which
 * means the path that led here is impossible (a then holds no meaning).
 */
bool weir_scalar_sync(struct weir_scalar *a);

/*
 * *dst = *dst op *src with BPF_OP(code) and its offset: ADD SUB MUL DIV MOD (off 1: signed) AND OR
 * XOR LSH RSH ARSH MOV. is32: the 32-bit class. For NEG src is ignored.
 */
void weir_scalar_alu(struct weir_scalar *dst, const struct weir_scalar *src, uint8_t op,
		     bool is_signed, bool is32);
/* Sign-extending move of the low 1, 2 or 4 bytes; is32: to 32 bits, then zero-extended. */
void weir_scalar_sext(struct weir_scalar *a, unsigned int bytes, bool is32);
/* Zero-extending truncation to the low 1, 2, 4 (8: no change) bytes. */
void weir_scalar_trunc(struct weir_scalar *a, unsigned int bytes);
/* Byte swap of the low 2, 4, 8 bytes, zero-extended (BPF_END to the other order and bswap). */
void weir_scalar_bswap(struct weir_scalar *a, unsigned int bytes);

enum weir_decision {
	WEIR_DECISION_UNKNOWN = -1,
	WEIR_DECISION_NO = 0,  /* never taken */
	WEIR_DECISION_YES = 1, /* always taken */
};

/* Is `a op b` (BPF_JEQ … BPF_JSET) decided? */
enum weir_decision weir_scalar_branch(uint8_t op, bool is32, const struct weir_scalar *a,
				      const struct weir_scalar *b);
/*
 * Narrows both by the fact that `a op b` is `taken`. False if that cannot be (the path is dead;
 * a and b then hold no meaning). a and b may not be the same object.
 */
bool weir_scalar_refine(uint8_t op, bool is32, bool taken, struct weir_scalar *a,
			struct weir_scalar *b);

#endif
