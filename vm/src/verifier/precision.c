/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Precision. Pruning ignores the values of numbers unless a decision was based on them: an offset,
 * a branch that was decided, a size. When that happens, the numbers the decision came from are
 * found by walking the path's log backwards, and marked in every checkpoint on the way. A value
 * made by a load from anything but a spill, or by a helper, has no origin to follow: it is unknown
 * however one got there.
 */
#include <errno.h>

#include "env.h"

static bool is_empty(const struct weir_backtrack *bt)
{
	for (int i = 0; i < WEIR_MAX_FRAMES; i++)
		if (bt->regs[i] || bt->slots[i])
			return false;
	return true;
}

/* If any member of a family that was narrowed together counts, all do. */
static void spread_linked(struct weir_backtrack *bt, uint64_t linked)
{
	uint32_t count = (uint32_t)(linked >> 60);
	bool any = false;

	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < count; i++) {
			uint32_t item = linked >> (10 * i) & 0x3ff, f = item & 7, idx = item >> 4;

			if (pass && (item & 8))
				bt->regs[f] |= (uint16_t)(1U << idx);
			else if (pass)
				bt->slots[f] |= 1ULL << idx;
			else
				any |= item & 8 ? bt->regs[f] >> idx & 1 : bt->slots[f] >> idx & 1;
		}
		if (!any)
			return;
	}
}

static void back_memory(struct weir_backtrack *bt, const struct weir_step *step,
			const struct bpf_insn *insn)
{
	uint16_t *regs = &bt->regs[step->frameno];
	uint64_t slot = 1ULL << step->stack_slot;
	bool on_stack = step->access == WEIR_STEP_STACK;
	bool atomic = BPF_CLASS(insn->code) == BPF_STX && BPF_MODE(insn->code) == BPF_ATOMIC;
	uint32_t loaded = insn->dst_reg;

	if (BPF_CLASS(insn->code) == BPF_LDX || (atomic && insn->imm == BPF_LOAD_ACQ)) {
		if (!(*regs >> loaded & 1))
			return;
		*regs &= (uint16_t) ~(1U << loaded);
		if (on_stack)
			bt->slots[step->stack_frame] |= slot;
		return;
	}
	if (atomic && insn->imm != BPF_STORE_REL) {
		if (insn->imm & BPF_FETCH)
			*regs &= (uint16_t) ~(1U << (insn->imm == BPF_CMPXCHG ? 0 : insn->src_reg));
		if (on_stack)
			bt->slots[step->stack_frame] &= ~slot;
		return;
	}
	if (!on_stack || !(bt->slots[step->stack_frame] & slot))
		return;
	bt->slots[step->stack_frame] &= ~slot;
	if (BPF_CLASS(insn->code) == BPF_STX)
		*regs |= (uint16_t)(1U << insn->src_reg);
}

static void back_alu(uint16_t *regs, const struct bpf_insn *insn)
{
	uint16_t dst = (uint16_t)(1U << insn->dst_reg), src = (uint16_t)(1U << insn->src_reg);
	bool by_reg = BPF_SRC(insn->code) == BPF_X;

	if (!(*regs & dst) || BPF_OP(insn->code) == BPF_END || BPF_OP(insn->code) == BPF_NEG)
		return;
	if (BPF_OP(insn->code) == BPF_MOV)
		*regs &= (uint16_t)~dst;
	if (by_reg)
		*regs |= src;
}

/* `below` is the frame number after the step: calls and returns move between frames. */
static void back_jump(struct weir_backtrack *bt, const struct weir_step *step, uint32_t after,
		      const struct bpf_insn *insn)
{
	uint16_t *regs = &bt->regs[step->frameno];
	uint16_t both = (uint16_t)(1U << insn->dst_reg | 1U << insn->src_reg);

	switch (BPF_OP(insn->code)) {
	case BPF_CALL:
		if (after > step->frameno) {
			/* Into a function: its arguments are the caller's, or new (callbacks). */
			if (insn->src_reg == BPF_PSEUDO_CALL)
				*regs |= bt->regs[after] & 0x3e;
			bt->regs[after] = 0;
			bt->slots[after] = 0;
		} else if (after < step->frameno) {
			/* A tail call in a function: what returned is the target's. */
			bt->regs[after] &= (uint16_t)~0x3f;
			bt->regs[step->frameno] = 0;
			bt->slots[step->frameno] = 0;
		} else {
			*regs &= (uint16_t)~0x3f;
		}
		return;
	case BPF_EXIT:
		if (after >= step->frameno)
			return;
		bt->regs[step->frameno] = 0;
		bt->slots[step->frameno] = 0;
		if (step->access)
			return; /* a callback's: what it returned went to the helper */
		*regs = bt->regs[after] & 1;
		bt->regs[after] &= (uint16_t)~0x3f;
		return;
	case BPF_JA:
	case BPF_JCOND: return;
	default:
		if (BPF_SRC(insn->code) == BPF_X && (*regs & both))
			*regs |= both;
		return;
	}
}

static void back_step(struct weir_env *env, struct weir_backtrack *bt, const struct weir_step *step,
		      uint32_t after)
{
	const struct bpf_insn *insn = &env->insns[step->insn_idx];

	if (step->linked)
		spread_linked(bt, step->linked);
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64: back_alu(&bt->regs[step->frameno], insn); break;
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX: back_memory(bt, step, insn); break;
	case BPF_LD:
		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW))
			bt->regs[step->frameno] &= (uint16_t) ~(1U << insn->dst_reg);
		else
			bt->regs[step->frameno] &= (uint16_t)~0x3f;
		break;
	default: back_jump(bt, step, after, insn); break;
	}
	if (step->linked)
		spread_linked(bt, step->linked);
}

/* Marks in a checkpoint; what was marked before needs no further way back. */
static void mark_state(struct weir_vstate *state, struct weir_backtrack *bt)
{
	for (uint32_t f = 0; f < WEIR_MAX_FRAMES; f++) {
		struct weir_frame *frame = f <= state->curframe ? state->frames[f] : NULL;

		for (uint32_t i = 0; bt->regs[f] >> i; i++) {
			struct weir_vreg *reg = frame ? &frame->regs[i] : NULL;

			if (!(bt->regs[f] >> i & 1))
				continue;
			if (!reg || reg->type != WEIR_V_SCALAR || reg->precise)
				bt->regs[f] &= (uint16_t) ~(1U << i);
			else
				reg->precise = true;
		}
		for (uint32_t i = 0; i < WEIR_MAX_SLOTS && bt->slots[f] >> i; i++) {
			struct weir_slot *slot =
				frame && i < frame->slot_count ? &frame->slots[i] : NULL;

			if (!(bt->slots[f] >> i & 1))
				continue;
			if (!slot || !weir_slot_is_spill(slot) || slot->reg.type != WEIR_V_SCALAR ||
			    slot->reg.precise)
				bt->slots[f] &= ~(1ULL << i);
			else
				slot->reg.precise = true;
		}
	}
}

int weir_precision_walk(struct weir_env *env, struct weir_backtrack *bt, size_t pos)
{
	struct weir_vstate *state = env->cur->parent;
	uint32_t after = pos < env->path.len ? env->path.v[pos].frameno : env->cur->curframe;

	if (!env->bpf_capable)
		return 0;
	while (!is_empty(bt)) {
		while (state && state->path_pos == pos) {
			mark_state(state, bt);
			state = state->parent;
		}
		if (!pos)
			return 0;
		pos--;
		back_step(env, bt, &env->path.v[pos], after);
		after = env->path.v[pos].frameno;
	}
	return 0;
}

int weir_precision_mark(struct weir_env *env, uint32_t regno)
{
	struct weir_backtrack bt = {0};

	if (weir_env_reg(env, regno)->type != WEIR_V_SCALAR)
		return 0;
	bt.regs[env->cur->curframe] = (uint16_t)(1U << regno);
	return weir_precision_walk(env, &bt, env->path.len - 1);
}
