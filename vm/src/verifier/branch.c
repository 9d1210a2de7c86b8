/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Conditional jumps. What is learned holds on one side only: the fall-through goes on in the
 * current state, the taken side in a copy that waits. Numbers are narrowed by the scalar domain,
 * and with them every copy of the same value (same id). Packet pointers gain their range here:
 * after "p <= data_end" the bytes in front of p are there, for every pointer with p's v (same id).
 */
#include <errno.h>
#include <inttypes.h>

#include "env.h"

#define LINKED_MAX  6
#define LINKED_BITS 10

static bool is_pkt_or_end(const struct weir_vreg *reg)
{
	return weir_vreg_is_pkt(reg) || reg->type == WEIR_V_PKT_END;
}

static uint8_t flip(uint8_t op)
{
	switch (op) {
	case BPF_JGT: return BPF_JLT;
	case BPF_JLT: return BPF_JGT;
	case BPF_JGE: return BPF_JLE;
	case BPF_JLE: return BPF_JGE;
	case BPF_JSGT: return BPF_JSLT;
	case BPF_JSLT: return BPF_JSGT;
	case BPF_JSGE: return BPF_JSLE;
	case BPF_JSLE: return BPF_JSGE;
	default: return op;
	}
}

/* A pointer that earlier was found to be at or behind data_end cannot be found before it. */
static enum weir_decision pkt_decision(const struct weir_vreg *a, const struct weir_vreg *b,
				       uint8_t op)
{
	const struct weir_vreg *pkt = a;

	if (a->type == WEIR_V_PKT_END && b->type != WEIR_V_PKT_END) {
		pkt = b;
		op = flip(op);
	} else if (b->type != WEIR_V_PKT_END || a->type == WEIR_V_PKT_END) {
		return WEIR_DECISION_UNKNOWN;
	}
	if (pkt->type != WEIR_V_PKT || pkt->range >= 0)
		return WEIR_DECISION_UNKNOWN;
	if ((op == BPF_JGT || op == BPF_JLE) && pkt->range == WEIR_RANGE_BEYOND_END)
		return op == BPF_JGT ? WEIR_DECISION_YES : WEIR_DECISION_NO;
	if (op == BPF_JGE || op == BPF_JLT)
		return op == BPF_JGE ? WEIR_DECISION_YES : WEIR_DECISION_NO;
	return WEIR_DECISION_UNKNOWN;
}

static bool is_never_null(const struct weir_vreg *reg)
{
	if (reg->flags & WEIR_VF_OR_NULL)
		return false;
	switch (reg->type) {
	case WEIR_V_MAP_VALUE:
	case WEIR_V_MAP_KEY:
	case WEIR_V_MAP_PTR:
	case WEIR_V_MEM:
	case WEIR_V_SOCK: return true;
	default: return false;
	}
}

static enum weir_decision decide(const struct weir_vreg *a, const struct weir_vreg *b, uint8_t op,
				 bool is32)
{
	if (!is32 && is_pkt_or_end(a) && is_pkt_or_end(b))
		return pkt_decision(a, b, op);
	if (weir_vreg_is_ptr(a) || weir_vreg_is_ptr(b)) {
		const struct weir_vreg *ptr = weir_vreg_is_ptr(a) ? a : b;
		const struct weir_vreg *other = ptr == a ? b : a;

		if (is32 || !weir_vreg_is_null(other) || !is_never_null(ptr))
			return WEIR_DECISION_UNKNOWN;
		if (op == BPF_JEQ)
			return WEIR_DECISION_NO;
		return op == BPF_JNE ? WEIR_DECISION_YES : WEIR_DECISION_UNKNOWN;
	}
	return weir_scalar_branch(op, is32, &a->v, &b->v);
}

/* The bytes in front of ptr are there: all pointers that share its v know it. */
static void learn_range(struct weir_vstate *state, const struct weir_vreg *ptr, bool one_more)
{
	struct weir_vreg known = *ptr;
	int32_t range;

	if (known.off < 0 || (!known.off && one_more))
		return;
	/* Offsets that could wrap, or that no packet reaches, prove nothing. */
	if (known.v.umax > WEIR_MAX_PKT_OFF ||
	    known.v.umax + (uint64_t)known.off > WEIR_MAX_PKT_OFF)
		return;
	range = known.off + (one_more ? 1 : 0);
	weir_vstate_each_reg(state, reg, {
		if (reg->type == known.type && reg->id == known.id && reg->range < range)
			reg->range = range;
	});
}

static void learn_end(struct weir_vstate *state, uint32_t regno, bool beyond)
{
	struct weir_vreg *reg = &weir_vstate_top(state)->regs[regno];

	if (reg->type == WEIR_V_PKT)
		reg->range = beyond ? WEIR_RANGE_BEYOND_END : WEIR_RANGE_AT_END;
}

/* Is b an upper limit for pointers like a: data_end for the packet, data for its metadata? */
static bool is_limit(const struct weir_vreg *a, const struct weir_vreg *b)
{
	if (a->type == WEIR_V_PKT)
		return b->type == WEIR_V_PKT_END;
	return a->type == WEIR_V_PKT_META && b->type == WEIR_V_PKT && !b->id && !b->off &&
	       weir_scalar_is_const(&b->v) && !b->v.var.value;
}

static bool learn_packet(struct weir_vstate *fall, struct weir_vstate *taken,
			 const struct bpf_insn *insn)
{
	uint32_t regno = insn->dst_reg;
	const struct weir_vreg *a = &weir_vstate_top(fall)->regs[insn->dst_reg];
	const struct weir_vreg *b = &weir_vstate_top(fall)->regs[insn->src_reg];
	uint8_t op = BPF_OP(insn->code);
	struct weir_vstate *inside, *outside;
	bool inside_open, outside_open;

	if (BPF_SRC(insn->code) != BPF_X || BPF_CLASS(insn->code) == BPF_JMP32)
		return false;
	if (is_limit(b, a)) {
		regno = insn->src_reg;
		a = b;
		op = flip(op);
	} else if (!is_limit(a, b)) {
		return false;
	}
	switch (op) {
	case BPF_JGT:
		inside = fall, inside_open = false, outside = taken, outside_open = true;
		break;
	case BPF_JLE:
		inside = taken, inside_open = false, outside = fall, outside_open = true;
		break;
	case BPF_JGE:
		inside = fall, inside_open = true, outside = taken, outside_open = false;
		break;
	case BPF_JLT:
		inside = taken, inside_open = true, outside = fall, outside_open = false;
		break;
	default: return false;
	}
	learn_range(inside, &weir_vstate_top(inside)->regs[regno], inside_open);
	learn_end(outside, regno, outside_open);
	return true;
}

static void learn_null(struct weir_vstate *state, uint32_t regno, bool is_null)
{
	uint32_t id = weir_vstate_top(state)->regs[regno].id;

	weir_vstate_each_reg(state, reg, {
		if (!(reg->flags & WEIR_VF_OR_NULL) || reg->id != id)
			continue;
		if (is_null) {
			weir_vreg_set_const(reg, 0);
		} else {
			reg->flags &= (uint8_t)~WEIR_VF_OR_NULL;
			reg->id = 0;
		}
	});
}

static uint32_t base_id(const struct weir_vreg *reg)
{
	return reg->id & ~WEIR_ID_ADD_CONST;
}

static void link_add(struct weir_vreg *reg, uint32_t frameno, uint32_t idx, bool is_reg,
		     uint64_t *linked, uint32_t *count)
{
	uint64_t item = frameno | (uint64_t)is_reg << 3 | (uint64_t)idx << 4;

	if (*count == LINKED_MAX) {
		/* One that is not noted could not be tracked back: it stands alone from here. */
		reg->id = 0;
		reg->off = 0;
		return;
	}
	*linked |= item << (LINKED_BITS * *count);
	++*count;
}

static void collect_linked(struct weir_vstate *state, uint32_t id, uint64_t *linked,
			   uint32_t *count)
{
	for (uint32_t f = 0; f <= state->curframe; f++) {
		struct weir_frame *frame = state->frames[f];

		for (uint32_t i = 0; i < BPF_REG_10; i++)
			if (frame->regs[i].type == WEIR_V_SCALAR && frame->regs[i].id &&
			    base_id(&frame->regs[i]) == id)
				link_add(&frame->regs[i], f, i, true, linked, count);
		for (uint32_t i = 0; i < frame->slot_count; i++) {
			struct weir_vreg *reg = &frame->slots[i].reg;

			if (weir_slot_is_spill(&frame->slots[i]) && reg->type == WEIR_V_SCALAR &&
			    reg->id && base_id(reg) == id)
				link_add(reg, f, i, false, linked, count);
		}
	}
}

/* Every member of the family is base + its constant, so what is known of one is of all. */
static void spread(struct weir_vstate *state, uint32_t regno)
{
	const struct weir_vreg known = weir_vstate_top(state)->regs[regno];
	const struct weir_vreg *self = &weir_vstate_top(state)->regs[regno];

	if (known.type != WEIR_V_SCALAR || !known.id)
		return;
	weir_vstate_each_reg(state, reg, {
		if (reg->type == WEIR_V_SCALAR && reg != self && reg->id &&
		    base_id(reg) == base_id(&known)) {
			int64_t delta = (int64_t)reg->off - known.off;

			reg->v = known.v;
			if (delta) {
				struct weir_scalar d = weir_scalar_const((uint64_t)delta);

				weir_scalar_alu(&reg->v, &d, BPF_ADD, false, false);
			}
		}
	});
}

/* Narrows both sides in one state. False: nothing can get there. */
static bool narrow(struct weir_vstate *state, const struct bpf_insn *insn, bool taken)
{
	struct weir_vreg *a = &weir_vstate_top(state)->regs[insn->dst_reg];
	bool by_reg = BPF_SRC(insn->code) == BPF_X;
	bool is32 = BPF_CLASS(insn->code) == BPF_JMP32;
	struct weir_scalar b = weir_scalar_const((uint64_t)(int64_t)insn->imm);
	struct weir_vreg *src = by_reg ? &weir_vstate_top(state)->regs[insn->src_reg] : NULL;

	if (a->type != WEIR_V_SCALAR || (src && src->type != WEIR_V_SCALAR) || src == a)
		return true;
	if (src)
		b = src->v;
	if (!weir_scalar_refine(BPF_OP(insn->code), is32, taken, &a->v, &b))
		return false;
	if (src) {
		src->v = b;
		spread(state, insn->src_reg);
	}
	spread(state, insn->dst_reg);
	return true;
}

static void note_direction(struct weir_env *env, enum weir_branch way)
{
	struct weir_insn_aux *aux = &env->aux[env->insn_idx];

	if (!aux->seen)
		aux->branch = (uint8_t)way;
	else if (aux->branch != (uint8_t)way)
		aux->branch = WEIR_BRANCH_BOTH;
}

static int check_operands(struct weir_env *env, const struct bpf_insn *insn)
{
	const struct weir_vreg *a, *b;
	int err;

	if (BPF_SRC(insn->code) == BPF_X) {
		err = weir_reg_check_src(env, insn->src_reg);
		if (err)
			return err;
		a = weir_env_reg(env, insn->dst_reg);
		b = weir_env_reg(env, insn->src_reg);
		if (!(is_pkt_or_end(a) && is_pkt_or_end(b)) && weir_reg_is_leak(env, b))
			return weir_reject(env, -EACCES, WEIR_REASON_POINTER_COMPARE,
					   "R%d pointer comparison prohibited", insn->src_reg);
	}
	return weir_reg_check_src(env, insn->dst_reg);
}

static int mark_operands(struct weir_env *env, const struct bpf_insn *insn)
{
	int err = 0;

	if (!weir_vreg_is_ptr(weir_env_reg(env, insn->dst_reg)))
		err = weir_precision_mark(env, insn->dst_reg);
	if (!err && BPF_SRC(insn->code) == BPF_X &&
	    !weir_vreg_is_ptr(weir_env_reg(env, insn->src_reg)))
		err = weir_precision_mark(env, insn->src_reg);
	return err;
}

static int take_decided(struct weir_env *env, const struct bpf_insn *insn, bool taken,
			uint32_t *next)
{
	int err = mark_operands(env, insn);

	if (err)
		return err;
	note_direction(env, taken ? WEIR_BRANCH_ALWAYS : WEIR_BRANCH_NEVER);
	*next = taken ? env->insn_idx + 1 + (uint32_t)(int32_t)insn->off : env->insn_idx + 1;
	return 0;
}

static bool is_null_check(const struct bpf_insn *insn, const struct weir_vreg *dst)
{
	return BPF_CLASS(insn->code) == BPF_JMP && BPF_SRC(insn->code) == BPF_K && !insn->imm &&
	       (BPF_OP(insn->code) == BPF_JEQ || BPF_OP(insn->code) == BPF_JNE) &&
	       (dst->flags & WEIR_VF_OR_NULL);
}

static void note_linked(struct weir_env *env, const struct bpf_insn *insn)
{
	uint64_t linked = 0;
	uint32_t count = 0;
	struct weir_vreg *src = weir_env_reg(env, insn->src_reg);
	struct weir_vreg *dst = weir_env_reg(env, insn->dst_reg);
	uint32_t src_id =
		BPF_SRC(insn->code) == BPF_X && src->type == WEIR_V_SCALAR ? base_id(src) : 0;
	uint32_t dst_id = dst->type == WEIR_V_SCALAR ? base_id(dst) : 0;

	/* The compared registers must be among the noted ones: an own overflow drops its link. */
	if (src_id)
		collect_linked(env->cur, src_id, &linked, &count);
	if (dst_id && dst_id != src_id)
		collect_linked(env->cur, dst_id, &linked, &count);
	if (count > 1)
		weir_env_step(env)->linked = linked | (uint64_t)count << 60;
}

int weir_branch_check(struct weir_env *env, const struct bpf_insn *insn, uint32_t *next)
{
	uint32_t target = env->insn_idx + 1 + (uint32_t)(int32_t)insn->off;
	bool is32 = BPF_CLASS(insn->code) == BPF_JMP32;
	struct weir_vreg konst, *dst;
	enum weir_decision way;
	struct weir_vstate *taken;
	int err = check_operands(env, insn);

	if (err)
		return err;
	dst = weir_env_reg(env, insn->dst_reg);
	weir_vreg_set_const(&konst, (uint64_t)(int64_t)insn->imm);
	way = decide(dst, BPF_SRC(insn->code) == BPF_X ? weir_env_reg(env, insn->src_reg) : &konst,
		     BPF_OP(insn->code), is32);
	if (way != WEIR_DECISION_UNKNOWN)
		return take_decided(env, insn, way == WEIR_DECISION_YES, next);
	note_direction(env, WEIR_BRANCH_BOTH);
	note_linked(env, insn);
	taken = weir_env_push(env, target, env->insn_idx);
	if (!taken)
		return env->error;
	*next = env->insn_idx + 1;
	/* A side found dead here is a decision like any other: the values it rests on count. */
	if (!narrow(taken, insn, true))
		taken->is_evicted = true;
	if (!narrow(env->cur, insn, false))
		*next = UINT32_MAX;
	if (taken->is_evicted || *next == UINT32_MAX) {
		err = mark_operands(env, insn);
		if (err)
			return err;
	}
	dst = weir_env_reg(env, insn->dst_reg);
	if (is_null_check(insn, dst)) {
		bool eq = BPF_OP(insn->code) == BPF_JEQ;

		learn_null(env->cur, insn->dst_reg, !eq);
		learn_null(taken, insn->dst_reg, eq);
	} else if (!learn_packet(env->cur, taken, insn) && weir_reg_is_leak(env, dst)) {
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_COMPARE,
				   "R%d pointer comparison prohibited", insn->dst_reg);
	}
	if (env->may_log && *next != UINT32_MAX)
		weir_log_state(env, env->cur, false);
	return 0;
}
