/* SPDX-License-Identifier: BSD-3-Clause */
/* Walks every path of the program: one instruction after the other, branches waiting on a stack. */
#include "env.h"

struct weir_vstate *env_push(struct weir_env *env, uint32_t insn_idx)
{
	struct weir_vstate *state;
	struct vpending p = {
		.insn_idx = insn_idx, .prev_insn_idx = env->insn_idx, .path_len = env->path.len};

	if (env->pending.len >= MAX_PENDING) {
		weir_reject(env, -E2BIG, WEIR_REASON_TOO_MANY_BRANCHES,
			    "The sequence of %u jumps is too complex.", MAX_PENDING);
		return NULL;
	}
	state = weir_vstate_copy(&env->pool, env->cur);
	p.state = state;
	if (!state || weir_vec_push(&env->pending, p)) {
		weir_vstate_free(&env->pool, state);
		reject_nomem(env);
		return NULL;
	}
	if (state->parent)
		state->parent->branches++;
	return state;
}

/* The current path is done; the latest waiting one becomes current. False: none is left. */
static bool next_path(struct weir_env *env)
{
	struct vpending p;

	prune_path_done(env, env->cur->parent);
	weir_vstate_free(&env->pool, env->cur);
	env->cur = NULL;
	if (!env->pending.len)
		return false;
	p = env->pending.v[--env->pending.len];
	env->cur = p.state;
	env->insn_idx = p.insn_idx;
	env->prev_insn_idx = p.prev_insn_idx;
	env->path.len = p.path_len;
	return true;
}

static int check_insn(struct weir_env *env, const struct bpf_insn *insn, uint32_t *next,
		      bool *path_done)
{
	uint8_t class = BPF_CLASS(insn->code);

	*next = env->insn_idx + (insn_is_imm64(insn) ? 2 : 1);
	switch (class) {
	case BPF_ALU:
	case BPF_ALU64: return alu_check(env, insn);
	case BPF_LDX: return mem_check_load(env, insn);
	case BPF_ST: return mem_check_store(env, insn);
	case BPF_STX:
		return BPF_MODE(insn->code) == BPF_ATOMIC ? mem_check_atomic(env, insn)
							  : mem_check_store(env, insn);
	case BPF_LD: return insn_is_imm64(insn) ? call_ld_imm64(env, insn) : call_ld_abs(env, insn);
	default: break;
	}
	env->jumps++;
	switch (BPF_OP(insn->code)) {
	case BPF_CALL: return call_check(env, insn, next);
	case BPF_EXIT: return call_exit(env, next, path_done);
	case BPF_JA: *next = jump_target(insn, env->insn_idx); return 0;
	case BPF_JCOND:
		return weir_reject(env, -EINVAL, WEIR_REASON_INSN_INVALID,
				   "may_goto is not available");
	default: return branch_check(env, insn, next);
	}
}

static int check_limits(struct weir_env *env)
{
	if (++env->stats.processed_insns > WEIR_MAX_INSNS)
		return weir_reject(env, -E2BIG, WEIR_REASON_TOO_COMPLEX,
				   "BPF program is too large. Processed %u insn",
				   env->stats.processed_insns);
	if (!(env->stats.processed_insns & 0xff) && env->opts->cancel &&
	    __atomic_load_n(env->opts->cancel, __ATOMIC_RELAXED))
		return weir_reject(env, -ECANCELED, WEIR_REASON_CANCELED,
				   "verification was canceled");
	return 0;
}

static int start(struct weir_env *env)
{
	struct weir_frame *frame;

	env->cur = weir_vstate_new(&env->pool);
	if (!env->cur || weir_vstate_push_frame(&env->pool, env->cur, 0, 0))
		return reject_nomem(env);
	frame = env_frame(env);
	weir_vreg_set_ptr(&frame->regs[BPF_REG_1], WEIR_V_CTX);
	env->subs[0].is_called = true;
	return 0;
}

/* One instruction; *more is false when no path is left. */
static int step(struct weir_env *env, bool *more)
{
	bool covered = false, path_done = false;
	uint32_t next = 0;
	int err = check_limits(env);

	if (!err && env->info[env->insn_idx].is_prune_point)
		err = prune_check(env, &covered);
	if (err)
		return err;
	if (covered) {
		*more = next_path(env);
		return 0;
	}
	if (env->opts->log_level & 2)
		vlog_insn(env);
	err = check_insn(env, &env->insns[env->insn_idx], &next, &path_done);
	if (err)
		return err;
	env->aux[env->insn_idx].seen = true;
	env->info[env->insn_idx].visited = true;
	if (path_done) {
		*more = next_path(env);
		return 0;
	}
	env->prev_insn_idx = env->insn_idx;
	env->insn_idx = next;
	return 0;
}

int driver_run(struct weir_env *env)
{
	bool more = true;
	int err;

	env->insn_idx = 0;
	err = start(env);
	while (!err && more)
		err = step(env, &more);
	return err;
}
