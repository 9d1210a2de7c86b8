/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bpf_loop(nr, callback, ctx, flags): the callback runs 0 to nr times, r1 an index, r2 the ctx.
 *
 * The call is walked two ways: over (the loop ends) and into the callback. A callback that returns
 * comes back to the call with the stacks as it left them, and the call is walked again, until its
 * state lies within one that was walked from there before. That earlier walk need not be finished:
 * what may happen from the later state is part of what the earlier one will be, or was, checked
 * for, and the loop's number of trips is bounded by the helper, so it ends. To get there for any
 * number of trips, numbers that differ from the trip before are forgotten (which only widens what
 * is checked).
 */
#include "env.h"

static int check_args(struct weir_env *env, uint32_t *sub)
{
	const struct weir_helper *helper = weir_helper_find(BPF_FUNC_loop);
	const struct weir_vreg *nr = env_reg(env, BPF_REG_1), *fn = env_reg(env, BPF_REG_2);
	const struct weir_vreg *ctx = env_reg(env, BPF_REG_3), *flags = env_reg(env, BPF_REG_4);
	struct weir_insn_aux *aux = &env->aux[env->insn_idx];

	if (!(helper->prog_types >> env->raw->type & 1) || !env->bpf_capable)
		return weir_reject(env, -EINVAL, WEIR_REASON_HELPER_DENIED,
				   "program of this type cannot use helper bpf_loop#%u",
				   BPF_FUNC_loop);
	for (uint32_t r = BPF_REG_1; r <= BPF_REG_4; r++)
		if (reg_check_read(env, r))
			return env->error;
	if (reg_leaks(env, nr) || reg_leaks(env, flags))
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
				   "R%u leaks addr into helper function",
				   reg_leaks(env, nr) ? 1 : 4);
	if (fn->type != WEIR_V_FUNC)
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_ARG, "R2 type=%s expected=func",
				   reg_type_name(fn));
	if (ctx->type != WEIR_V_STACK && !weir_vreg_is_null(ctx))
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_ARG,
				   "R3 type=%s expected=fp, or NULL", reg_type_name(ctx));
	if (flags->type == WEIR_V_SCALAR &&
	    (!weir_scalar_is_const(&flags->v) || flags->v.var.value))
		return weir_reject(env, -EINVAL, WEIR_REASON_HELPER_CONST,
				   "bpf_loop: R4 must be the constant 0: there are no flags");
	*sub = fn->subprog;
	if (!env->info[env->insn_idx].visited)
		aux->callback_subprog = (int32_t)*sub;
	else if (aux->callback_subprog != (int32_t)*sub)
		return weir_reject(env, -EINVAL, WEIR_REASON_CALLBACK,
				   "bpf_loop: the callback is not the same on all paths");
	return 0;
}

/* Goes into the callback with what it is given; the caller's registers wait as they are. */
static int enter(struct weir_env *env, uint32_t sub, uint32_t *next)
{
	struct weir_vreg ctx = *env_reg(env, BPF_REG_3);
	struct weir_frame *frame;
	int err = call_push_frame(env, sub);

	if (err)
		return err;
	frame = env_frame(env);
	frame->is_callback = true;
	for (uint32_t r = BPF_REG_0; r <= BPF_REG_9; r++)
		weir_vreg_set_none(&frame->regs[r]);
	weir_vreg_set_unknown(&frame->regs[BPF_REG_1]);
	frame->regs[BPF_REG_1].v = weir_scalar_urange(0, WEIR_MAX_LOOPS - 1);
	frame->regs[BPF_REG_2] = ctx;
	env->subs[sub].is_callback = true;
	*next = env->subs[sub].start;
	return 0;
}

int loop_call(struct weir_env *env, uint32_t *next)
{
	const struct weir_scalar *nr;
	struct weir_vstate *again;
	uint32_t sub = 0, call = env->insn_idx;
	int err = check_args(env, &sub);

	if (err)
		return err;
	env->ok->has_loops = true;
	nr = &env_reg(env, BPF_REG_1)->v;
	if (env_reg(env, BPF_REG_1)->type != WEIR_V_SCALAR || nr->umax) {
		/* the callback's way waits; it starts at the call, in its own frame */
		again = env_push(env, call);
		if (!again)
			return env->error;
		{
			struct weir_vstate *over = env->cur;

			env->cur = again;
			err = enter(env, sub, next);
			again->insn_idx = *next;
			env->pending.v[env->pending.len - 1].insn_idx = *next;
			env->cur = over;
		}
		if (err)
			return err;
	}
	reg_clobber_caller_saved(env);
	weir_vreg_set_unknown(env_reg(env, BPF_REG_0));
	env_reg(env, BPF_REG_0)->v = weir_scalar_urange(0, WEIR_MAX_LOOPS);
	*next = call + 1;
	return 0;
}

static void widen_reg(struct weir_vreg *now, const struct weir_vreg *old)
{
	if (now->type == WEIR_V_SCALAR && old->type == WEIR_V_SCALAR &&
	    !weir_scalar_equal(&now->v, &old->v))
		weir_vreg_set_unknown(now);
}

/* Numbers that differ from the trip before become unknown. */
static void widen(struct weir_vstate *now, const struct weir_vstate *old)
{
	for (uint32_t f = 0; f <= now->curframe; f++) {
		struct weir_frame *a = now->frames[f];
		const struct weir_frame *b = old->frames[f];

		for (uint32_t r = 0; r < WEIR_MAX_REGS; r++)
			widen_reg(&a->regs[r], &b->regs[r]);
		for (uint32_t s = 0; s < a->slot_count && s < b->slot_count; s++)
			if (weir_slot_is_spill(&a->slots[s]) && weir_slot_is_spill(&b->slots[s]))
				widen_reg(&a->slots[s].reg, &b->slots[s].reg);
			else if (weir_slot_is_spill(&a->slots[s]) &&
				 a->slots[s].reg.type == WEIR_V_SCALAR &&
				 b->slots[s].kind[0] == WEIR_SLOT_MISC)
				weir_vreg_set_unknown(&a->slots[s].reg);
	}
}

int loop_callback_return(struct weir_env *env, uint32_t *next)
{
	const struct weir_vreg *r0 = env_reg(env, BPF_REG_0);
	uint32_t call = env_frame(env)->callsite;
	const struct weir_vstate *old;

	if (r0->type != WEIR_V_SCALAR || r0->v.smin < 0 || r0->v.smax > 1)
		return weir_reject(env, -EINVAL, WEIR_REASON_RETURN_VALUE,
				   "At callback return the register R0 has %s smin=%lld smax=%lld "
				   "should have been in [0, 1]",
				   r0->type == WEIR_V_SCALAR ? "" : "pointer",
				   r0->type == WEIR_V_SCALAR ? (long long)r0->v.smin : 0,
				   r0->type == WEIR_V_SCALAR ? (long long)r0->v.smax : 0);
	weir_vstate_pop_frame(&env->pool, env->cur);
	/* the last state of this path that was kept at the call */
	for (old = env->cur->parent; old; old = old->parent)
		if (old->insn_idx == call && old->curframe == env->cur->curframe)
			break;
	if (old)
		widen(env->cur, old);
	*next = call;
	return 0;
}
