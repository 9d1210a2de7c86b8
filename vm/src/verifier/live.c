/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Liveness, for pruning: what no path from here reads need not agree.
 *
 * Registers: the classic backward analysis over the function's edges, before the walk.
 * Stack slots: which slot an instruction reads is only known from the walk, so the same analysis
 * runs along with it. A read adds its slot before the instruction and on backwards until
 * instructions that wrote the slot entirely on every visit; such a set only shrinks, and each loss
 * lets through what was held back. An instruction not visited yet holds back everything, which is
 * right for any state whose paths are all done: those visited all there is on their way. Slots of
 * callers are kept by distance (1: the caller's), without writes.
 */
#include <errno.h>
#include <stdlib.h>

#include "env.h"

#define CALLER_SAVED 0x3f

static void use_def(struct weir_env *env, uint32_t i, uint16_t *use, uint16_t *def)
{
	const struct bpf_insn *insn = &env->insns[i];
	uint16_t dst = (uint16_t)(1U << insn->dst_reg), src = (uint16_t)(1U << insn->src_reg);
	const struct weir_helper *h;

	*use = *def = 0;
	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
			*def = dst;
			return;
		}
		*use = (uint16_t)(1U << BPF_REG_6 | (BPF_MODE(insn->code) == BPF_IND ? src : 0));
		*def = CALLER_SAVED;
		return;
	case BPF_LDX:
		*def = dst;
		*use = src;
		return;
	case BPF_ST: *use = dst; return;
	case BPF_STX:
		*use = (uint16_t)(dst | src);
		if (BPF_MODE(insn->code) != BPF_ATOMIC)
			return;
		if (insn->imm == BPF_LOAD_ACQ) {
			*use = src;
			*def = dst;
		} else if (insn->imm == BPF_CMPXCHG) {
			*use |= 1U << BPF_REG_0;
		}
		return;
	case BPF_ALU:
	case BPF_ALU64:
		if (BPF_OP(insn->code) == BPF_MOV) {
			*def = dst;
			*use = BPF_SRC(insn->code) == BPF_X ? src : 0;
			return;
		}
		*use = dst;
		if (BPF_SRC(insn->code) == BPF_X && BPF_OP(insn->code) != BPF_END)
			*use |= src;
		return;
	default: break;
	}
	switch (BPF_OP(insn->code)) {
	case BPF_JA:
	case BPF_JCOND: return;
	case BPF_EXIT: *use = 1; return;
	case BPF_CALL:
		*def = CALLER_SAVED;
		*use = 0x3e;
		h = insn->src_reg ? NULL : weir_helper_find((uint32_t)insn->imm);
		for (uint32_t n = 0; h && n < 5; n++)
			if (h->args[n] == WEIR_ARG_NONE)
				*use &= (uint16_t) ~(2U << n);
		return;
	default:
		*use = dst;
		if (BPF_SRC(insn->code) == BPF_X)
			*use |= src;
		return;
	}
}

static int build_preds(struct weir_env *env)
{
	uint32_t out[2], total = 0;

	env->preds = calloc(env->insn_count, sizeof(*env->preds));
	if (!env->preds)
		return -ENOMEM;
	for (uint32_t i = 0; i < env->insn_count; i++) {
		uint32_t n = env->info[i].is_imm64_tail ? 0 : weir_cfg_succ(env, i, out);

		for (uint32_t k = 0; k < n; k++)
			env->preds[out[k]].count++;
	}
	for (uint32_t i = 0; i < env->insn_count; i++) {
		env->preds[i].first = total;
		total += env->preds[i].count;
		env->preds[i].count = 0;
	}
	env->pred_list = malloc(sizeof(*env->pred_list) * ((size_t)total + 1));
	if (!env->pred_list)
		return -ENOMEM;
	for (uint32_t i = 0; i < env->insn_count; i++) {
		uint32_t n = env->info[i].is_imm64_tail ? 0 : weir_cfg_succ(env, i, out);

		for (uint32_t k = 0; k < n; k++) {
			struct weir_pred_range *p = &env->preds[out[k]];

			env->pred_list[p->first + p->count++] = i;
		}
	}
	return 0;
}

static void live_regs_fixpoint(struct weir_env *env)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (uint32_t i = env->insn_count; i-- > 0;) {
			uint16_t use, def, after = 0;
			uint32_t out[2], n;

			if (env->info[i].is_imm64_tail)
				continue;
			n = weir_cfg_succ(env, i, out);
			for (uint32_t k = 0; k < n; k++)
				after |= env->info[out[k]].live_regs;
			use_def(env, i, &use, &def);
			after = (uint16_t)((after & ~def) | use);
			changed |= after != env->info[i].live_regs;
			env->info[i].live_regs = after;
		}
	}
}

int weir_live_init(struct weir_env *env)
{
	if (build_preds(env))
		return weir_reject_nomem(env);
	live_regs_fixpoint(env);
	for (uint32_t i = 0; i < env->insn_count; i++) {
		const struct bpf_insn *insn = &env->insns[i];
		struct weir_call_edge edge = {.insn_idx = i};

		if (insn->code != (BPF_JMP | BPF_CALL) || insn->src_reg != BPF_PSEUDO_CALL ||
		    env->info[i].is_imm64_tail)
			continue;
		edge.callee = weir_cfg_find_sub(env, i + 1 + (uint32_t)insn->imm);
		edge.next = env->subs[edge.callee].callee_head;
		if (weir_vec_push(&env->calls, edge))
			return weir_reject_nomem(env);
		env->subs[edge.callee].callee_head = (uint32_t)env->calls.len;
	}
	return 0;
}

/* Work items: instruction, distance, and the slots that became live before it. */
static int live_add(struct weir_env *env, uint32_t i, uint32_t dist, uint64_t slots)
{
	struct weir_stack_live *live = &env->live[dist];

	if (!slots)
		return 0;
	if (!live->before) {
		live->before = calloc(env->insn_count, sizeof(*live->before));
		if (!live->before)
			return -ENOMEM;
	}
	slots &= ~live->before[i];
	if (!slots)
		return 0;
	live->before[i] |= slots;
	if (weir_vec_push(&env->live_work, (uint64_t)i << 8 | dist))
		return -ENOMEM;
	return weir_vec_push(&env->live_work, slots);
}

static int live_pass(struct weir_env *env, uint32_t i, uint32_t dist, uint64_t slots)
{
	const struct weir_vsub *sub = &env->subs[env->info[i].subprog];

	for (uint32_t k = 0; k < env->preds[i].count; k++) {
		uint32_t p = env->pred_list[env->preds[i].first + k];
		uint64_t pass = dist ? slots : slots & ~env->info[p].stack_write;

		if (env->info[p].visited && live_add(env, p, dist, pass))
			return -ENOMEM;
	}
	if (i != sub->start || !dist)
		return 0;
	for (uint32_t e = sub->callee_head; e; e = env->calls.v[e - 1].next)
		if (live_add(env, env->calls.v[e - 1].insn_idx, dist - 1, slots))
			return -ENOMEM;
	return 0;
}

static int live_run(struct weir_env *env)
{
	while (env->live_work.len) {
		uint64_t slots = env->live_work.v[--env->live_work.len];
		uint64_t item = env->live_work.v[--env->live_work.len];

		if (live_pass(env, (uint32_t)(item >> 8), item & 0xff, slots))
			return -ENOMEM;
	}
	return 0;
}

int weir_live_stack_read(struct weir_env *env, uint32_t frameno, uint32_t slot)
{
	if (live_add(env, env->insn_idx, env->cur->curframe - frameno, 1ULL << slot))
		return -ENOMEM;
	return live_run(env);
}

void weir_live_stack_write(struct weir_env *env, uint32_t frameno, uint32_t slot)
{
	if (frameno == env->cur->curframe)
		env->written |= 1ULL << slot;
}

static uint64_t live_after(const struct weir_env *env, uint32_t i, uint32_t dist)
{
	uint32_t out[2], n = weir_cfg_succ(env, i, out);
	uint64_t live = 0;

	for (uint32_t k = 0; k < n && env->live[dist].before; k++)
		live |= env->live[dist].before[out[k]];
	return live;
}

int weir_live_visit_done(struct weir_env *env, uint64_t written)
{
	struct weir_vinsn *info = &env->info[env->insn_idx];
	uint64_t lost = info->visited ? info->stack_write & ~written : ~written;

	if (info->visited && !lost)
		return 0;
	info->stack_write = info->visited ? info->stack_write & written : written;
	if (live_add(env, env->insn_idx, 0, live_after(env, env->insn_idx, 0) & lost))
		return -ENOMEM;
	for (uint32_t d = 1; d < WEIR_MAX_FRAMES && !info->visited; d++)
		if (live_add(env, env->insn_idx, d, live_after(env, env->insn_idx, d)))
			return -ENOMEM;
	info->visited = true;
	return live_run(env);
}

int weir_live_add_callback(struct weir_env *env, uint32_t insn_idx, uint32_t callee)
{
	struct weir_call_edge edge = {.insn_idx = insn_idx, .callee = callee};
	uint32_t start = env->subs[callee].start;

	for (uint32_t e = env->subs[callee].callee_head; e; e = env->calls.v[e - 1].next)
		if (env->calls.v[e - 1].insn_idx == insn_idx)
			return 0;
	edge.next = env->subs[callee].callee_head;
	if (weir_vec_push(&env->calls, edge))
		return -ENOMEM;
	env->subs[callee].callee_head = (uint32_t)env->calls.len;
	for (uint32_t d = 1; d < WEIR_MAX_FRAMES; d++)
		if (env->live[d].before &&
		    live_add(env, insn_idx, d - 1, env->live[d].before[start]))
			return -ENOMEM;
	return live_run(env);
}

static uint32_t return_to(const struct weir_frame *callee)
{
	return callee->is_callback ? callee->callsite : callee->callsite + 1;
}

uint16_t weir_live_regs(const struct weir_env *env, const struct weir_vstate *state,
			uint32_t frameno)
{
	const struct weir_frame *callee;

	if (frameno == state->curframe)
		return env->info[state->insn_idx].live_regs;
	callee = state->frames[frameno + 1];
	return env->info[return_to(callee)].live_regs;
}

uint64_t weir_live_slots(const struct weir_env *env, const struct weir_vstate *state,
			 uint32_t frameno)
{
	uint32_t top = state->curframe;
	uint64_t live = 0;

	for (uint32_t k = top + 1; k-- > frameno;) {
		uint32_t i = k == top ? state->insn_idx : return_to(state->frames[k + 1]);
		const uint64_t *before = env->live[k - frameno].before;

		live |= before ? before[i] : 0;
	}
	return live;
}
