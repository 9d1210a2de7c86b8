/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bpf_loop. The call instruction is a point where the callback may run once more or the loop is
 * over; both are followed. A returning callback comes back to the call itself, with numbers that
 * changed since the last trip made unknown, so that the states soon repeat and the loop is done
 * however many trips it makes. Making a number unknown only adds behaviours, so nothing is missed.
 */
#include <errno.h>

#include "env.h"

static int enter(struct weir_env *env, uint32_t sub, struct weir_vstate *state)
{
	struct weir_frame *caller = weir_vstate_top(state), *callee;

	caller->callback_depth++;
	state->callback_unroll++;
	if (weir_vstate_push_frame(&env->pool, state, sub, env->insn_idx))
		return weir_reject_nomem(env);
	callee = weir_vstate_top(state);
	weir_vreg_set_unknown(&callee->regs[BPF_REG_1]);
	callee->regs[BPF_REG_2] = caller->regs[BPF_REG_3];
	callee->regs[BPF_REG_2].precise = false;
	callee->is_callback = true;
	callee->ret_min = 0;
	callee->ret_max = 1;
	return 0;
}

static void note_callback(struct weir_env *env, uint32_t sub)
{
	struct weir_insn_aux *aux = &env->aux[env->insn_idx];

	if (!aux->seen)
		aux->callback_subprog = (int32_t)sub;
	else if (aux->callback_subprog != (int32_t)sub)
		aux->callback_subprog = -1;
	env->subs[sub].is_callback = true;
	env->subs[sub].is_called = true;
	env->ok->has_loops = true;
}

int weir_callback_loop(struct weir_env *env, uint32_t *next)
{
	const struct weir_vreg *nr = weir_env_reg(env, BPF_REG_1);
	uint32_t sub = weir_env_reg(env, BPF_REG_2)->subprog;
	struct weir_vstate *trip;
	int err = nr->type == WEIR_V_SCALAR ? weir_precision_mark(env, BPF_REG_1) : 0;

	if (err)
		return err;
	note_callback(env, sub);
	if (env->cur->curframe + 1 >= WEIR_MAX_FRAMES)
		return weir_reject(env, -E2BIG, WEIR_REASON_CALL_DEPTH,
				   "the call stack of %u frames is too deep",
				   env->cur->curframe + 2);
	if (weir_live_add_callback(env, env->insn_idx, sub))
		return weir_reject_nomem(env);
	if (nr->type != WEIR_V_SCALAR || weir_env_frame(env)->callback_depth < nr->v.umax) {
		trip = weir_env_push(env, env->subs[sub].start, env->insn_idx);
		if (!trip)
			return env->error;
		err = enter(env, sub, trip);
		if (err)
			return err;
	}
	weir_env_frame(env)->callback_depth = 0;
	*next = env->insn_idx + 1;
	return 0;
}

static void widen_reg(const struct weir_vreg *old, struct weir_vreg *now)
{
	if (old->type != WEIR_V_SCALAR || now->type != WEIR_V_SCALAR || old->precise ||
	    weir_scalar_equal(&old->v, &now->v))
		return;
	weir_vreg_set_unknown(now);
}

static void widen(struct weir_env *env, uint32_t callsite)
{
	struct weir_vstate *old = env->cur->parent;

	while (old && (old->insn_idx != callsite || old->curframe != env->cur->curframe))
		old = old->parent;
	if (!old)
		return;
	for (uint32_t f = 0; f <= env->cur->curframe; f++) {
		struct weir_frame *a = old->frames[f], *b = env->cur->frames[f];

		for (uint32_t i = 0; i < BPF_REG_10; i++)
			widen_reg(&a->regs[i], &b->regs[i]);
		for (uint32_t i = 0; i < weir_min(a->slot_count, b->slot_count); i++)
			if (weir_slot_is_spill(&a->slots[i]) && weir_slot_is_spill(&b->slots[i]) &&
			    b->slots[i].kind[0] == WEIR_SLOT_SPILL)
				widen_reg(&a->slots[i].reg, &b->slots[i].reg);
	}
}

int weir_callback_return(struct weir_env *env, uint32_t *next)
{
	struct weir_frame *callee = weir_env_frame(env);
	const struct weir_vreg *r0 = &callee->regs[BPF_REG_0];
	uint32_t callsite = callee->callsite;
	int err = weir_reg_check_src(env, BPF_REG_0);

	if (err)
		return err;
	if (r0->type != WEIR_V_SCALAR)
		return weir_reject(env, -EACCES, WEIR_REASON_RETURN_VALUE, "R0 not a scalar value");
	err = weir_precision_mark(env, BPF_REG_0);
	if (err)
		return err;
	if (r0->v.smin < callee->ret_min || r0->v.smax > callee->ret_max) {
		weir_reject_note(env, BPF_REG_0, callee->ret_min, callee->ret_max, r0->v.smin,
				 r0->v.smax);
		return weir_reject(env, -EINVAL, WEIR_REASON_RETURN_VALUE,
				   "At callback return the register R0 has unknown scalar value "
				   "should have been in [%d, %d]",
				   callee->ret_min, callee->ret_max);
	}
	weir_vstate_pop_frame(&env->pool, env->cur);
	widen(env, callsite);
	*next = callsite;
	return 0;
}
