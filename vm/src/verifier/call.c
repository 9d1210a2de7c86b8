/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls of functions, returns, LD_IMM64 and the legacy packet loads. */
#include "env.h"

/* A frame for function `sub`, called at the running instruction with r1..r5. */
int call_push_frame(struct weir_env *env, uint32_t sub)
{
	struct weir_vstate *state = env->cur;
	const struct weir_frame *caller = weir_vstate_top(state);

	if (state->curframe + 1 >= WEIR_MAX_FRAMES)
		return weir_reject(env, -E2BIG, WEIR_REASON_CALL_DEPTH,
				   "the call stack of %u frames is too deep", WEIR_MAX_FRAMES);
	for (uint32_t f = 0; f <= state->curframe; f++)
		if (state->frames[f]->subprog == sub)
			return weir_reject(env, -EINVAL, WEIR_REASON_RECURSION,
					   "recursive call from insn %u to function at insn %u",
					   env->insn_idx, env->subs[sub].start);
	if (weir_vstate_push_frame(&env->pool, state, sub, env->insn_idx))
		return reject_nomem(env);
	for (uint32_t r = BPF_REG_1; r <= BPF_REG_5; r++)
		weir_vstate_top(state)->regs[r] = caller->regs[r];
	env->subs[sub].is_called = true;
	return 0;
}

static int call_subprog(struct weir_env *env, const struct bpf_insn *insn, uint32_t *next)
{
	uint32_t start = env->insn_idx + 1 + (uint32_t)insn->imm;
	uint32_t sub = cfg_find_sub(env, start);
	int err = call_push_frame(env, sub);

	if (err)
		return err;
	/* The caller's scratch registers are the callee's to lose. */
	for (uint32_t r = BPF_REG_0; r <= BPF_REG_5; r++)
		weir_vreg_set_none(&env->cur->frames[env->cur->curframe - 1]->regs[r]);
	*next = start;
	return 0;
}

int call_check(struct weir_env *env, const struct bpf_insn *insn, uint32_t *next)
{
	if (insn_is_subprog_call(insn))
		return call_subprog(env, insn, next);
	if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
		return weir_reject(env, -EINVAL, WEIR_REASON_KFUNC_UNKNOWN,
				   "kernel function btf_id %d is not available", insn->imm);
	if (insn->imm == BPF_FUNC_loop && weir_helper_find(BPF_FUNC_loop))
		return loop_call(env, next);
	*next = env->insn_idx + 1;
	return helper_check(env, insn);
}

/* The main program's end. */
static int check_main_exit(struct weir_env *env)
{
	if (reg_leaks(env, env_reg(env, BPF_REG_0)))
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
				   "R0 leaks addr as return value");
	return 0;
}

int call_exit(struct weir_env *env, uint32_t *next, bool *done)
{
	struct weir_vstate *state = env->cur;
	struct weir_vreg result;
	uint32_t callsite;
	int err = reg_check_read(env, BPF_REG_0);

	*done = false;
	if (err)
		return err;
	if (!state->curframe) {
		*done = true;
		return check_main_exit(env);
	}
	if (env_frame(env)->is_callback)
		return loop_callback_return(env, next);
	result = *env_reg(env, BPF_REG_0);
	if (result.type == WEIR_V_STACK && result.frameno == state->curframe)
		return weir_reject(env, -EINVAL, WEIR_REASON_POINTER_LEAK,
				   "cannot return stack pointer to the caller");
	callsite = env_frame(env)->callsite;
	weir_vstate_pop_frame(&env->pool, state);
	*env_reg(env, BPF_REG_0) = result;
	*next = callsite + 1;
	return 0;
}

int call_ld_abs(struct weir_env *env, const struct bpf_insn *insn)
{
	const struct weir_vreg *ctx = env_reg(env, BPF_REG_6);
	int err = 0;

	if (env->raw->type == BPF_PROG_TYPE_XDP)
		return weir_reject(
			env, -EINVAL, WEIR_REASON_LD_ABS,
			"BPF_LD_[ABS|IND] instructions not allowed for this program type");
	if (env->cur->curframe)
		return weir_reject(env, -EINVAL, WEIR_REASON_LD_ABS,
				   "BPF_LD_[ABS|IND] is only allowed in the main program");
	if (ctx->type != WEIR_V_CTX || ctx->off || !weir_scalar_is_const(&ctx->v) ||
	    ctx->v.var.value)
		return weir_reject(env, -EINVAL, WEIR_REASON_LD_ABS,
				   "at the time of BPF_LD_ABS|IND R6 != pointer to skb");
	if (BPF_MODE(insn->code) == BPF_IND) {
		err = reg_check_read(env, insn->src_reg);
		if (!err && reg_leaks(env, env_reg(env, insn->src_reg)))
			err = weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK, "R%u leaks addr",
					  insn->src_reg);
	}
	if (err)
		return err;
	env->subs[0].has_ld_abs = true;
	reg_clobber_caller_saved(env);
	weir_vreg_set_unknown(env_reg(env, BPF_REG_0));
	weir_scalar_trunc(&env_reg(env, BPF_REG_0)->v, access_bytes(insn->code));
	return 0;
}

static int ld_map(struct weir_env *env, const struct bpf_insn *insn)
{
	struct weir_vreg *dst = env_reg(env, insn->dst_reg);
	uint32_t idx = (uint32_t)insn->imm, off = (uint32_t)insn[1].imm;
	const struct weir_map_def *def;

	if (idx >= env->raw->map_count)
		return weir_reject(env, -EINVAL, WEIR_REASON_INSN_INVALID,
				   "LD_IMM64 refers to map %u of %u", idx, env->raw->map_count);
	def = &env->raw->maps[idx].def;
	env->aux[env->insn_idx].map_idx = (int32_t)idx;
	if (insn->src_reg == BPF_PSEUDO_MAP_IDX) {
		if (off)
			return weir_reject(env, -EINVAL, WEIR_REASON_INSN_INVALID,
					   "unrecognized bpf_ld_imm64 insn");
		weir_vreg_set_ptr(dst, WEIR_V_MAP_PTR);
		dst->map_idx = idx;
		return 0;
	}
	if (def->type != BPF_MAP_TYPE_ARRAY || def->max_entries != 1)
		return weir_reject(env, -EINVAL, WEIR_REASON_MAP_ACCESS,
				   "direct value access is for arrays of one element only; map %s "
				   "has %u",
				   def->name, def->max_entries);
	if (off >= def->value_size)
		return weir_reject(env, -EINVAL, WEIR_REASON_MAP_VALUE_RANGE,
				   "direct value offset of %u is not allowed", off);
	weir_vreg_set_ptr(dst, WEIR_V_MAP_VALUE);
	dst->map_idx = idx;
	dst->off = (int32_t)off;
	return 0;
}

int call_ld_imm64(struct weir_env *env, const struct bpf_insn *insn)
{
	struct weir_vreg *dst = env_reg(env, insn->dst_reg);
	uint32_t sub;
	int err = reg_check_write(env, insn->dst_reg);

	if (err)
		return err;
	switch (insn->src_reg) {
	case 0:
		weir_vreg_set_const(dst,
				    (uint32_t)insn->imm | (uint64_t)(uint32_t)insn[1].imm << 32);
		return 0;
	case BPF_PSEUDO_MAP_IDX:
	case BPF_PSEUDO_MAP_IDX_VALUE: return ld_map(env, insn);
	case BPF_PSEUDO_FUNC:
		sub = cfg_find_sub(env, env->insn_idx + 1 + (uint32_t)insn->imm);
		env->aux[env->insn_idx].func_subprog = sub;
		weir_vreg_set_ptr(dst, WEIR_V_FUNC);
		dst->subprog = sub;
		return 0;
	default:
		return weir_reject(env, -EINVAL, WEIR_REASON_INSN_INVALID,
				   "unrecognized bpf_ld_imm64 insn, src_reg %u", insn->src_reg);
	}
}
