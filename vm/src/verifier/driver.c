/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk: depth first over all paths, one instruction at a time. It only drives; what an
 * instruction means is decided by the concern it belongs to.
 */
#include <errno.h>
#include <time.h>

#include "env.h"

#define PATH_END UINT32_MAX

struct weir_vstate *weir_env_push(struct weir_env *env, uint32_t insn_idx, uint32_t prev_insn_idx)
{
	struct weir_pending item = {.insn_idx = insn_idx,
				    .prev_insn_idx = prev_insn_idx,
				    .path_pos = (uint32_t)env->path.len,
				    .log_mark = env->log ? env->log->len_bytes : 0};

	if (env->pending.len >= WEIR_MAX_PENDING) {
		weir_reject(env, -E2BIG, WEIR_REASON_TOO_MANY_BRANCHES,
			    "The sequence of %u jumps is too complex.", WEIR_MAX_PENDING);
		return NULL;
	}
	item.state = weir_vstate_copy(&env->pool, env->cur);
	if (!item.state || weir_vec_push(&env->pending, item)) {
		weir_reject_nomem(env);
		return NULL;
	}
	if (env->cur->parent)
		env->cur->parent->branches++;
	return item.state;
}

static int path_step(struct weir_env *env)
{
	const struct weir_frame *frame = weir_env_frame(env);
	struct weir_step step = {.insn_idx = env->insn_idx, .frameno = (uint8_t)env->cur->curframe};

	if (env->insns[env->insn_idx].code == (BPF_JMP | BPF_EXIT) && frame->is_callback)
		step.access = 2;
	env->written = 0;
	return weir_vec_push(&env->path, step) ? weir_reject_nomem(env) : 0;
}

static int do_jump(struct weir_env *env, const struct bpf_insn *insn, uint32_t *next)
{
	bool done;
	int err;

	env->jumps_processed++;
	switch (BPF_OP(insn->code)) {
	case BPF_CALL: return weir_call_check(env, insn, next);
	case BPF_EXIT:
		err = weir_call_exit(env, next, &done);
		if (!err && done)
			*next = PATH_END;
		return err;
	case BPF_JA: *next = (uint32_t)(env->insn_idx + 1 + weir_insn_jump_off(insn)); return 0;
	case BPF_JCOND:
		return weir_reject(env, -EINVAL, WEIR_REASON_INSN_INVALID,
				   "may_goto is not supported");
	default: return weir_branch_check(env, insn, next);
	}
}

static int do_insn(struct weir_env *env, uint32_t *next)
{
	const struct bpf_insn *insn = &env->insns[env->insn_idx];

	*next = env->insn_idx + 1;
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64: return weir_alu_check(env, insn);
	case BPF_LDX: return weir_mem_check_load(env, insn);
	case BPF_ST: return weir_mem_check_store(env, insn);
	case BPF_STX:
		return BPF_MODE(insn->code) == BPF_ATOMIC ? weir_mem_check_atomic(env, insn)
							  : weir_mem_check_store(env, insn);
	case BPF_LD:
		if (insn->code != (BPF_LD | BPF_IMM | BPF_DW))
			return weir_call_check_ld_abs(env, insn);
		*next = env->insn_idx + 2;
		return weir_call_ld_imm64(env, insn);
	default: return do_jump(env, insn, next);
	}
}

/* Goes on with the branch that waits longest on top; false: none is left. */
static bool take_pending(struct weir_env *env)
{
	struct weir_pending item;

	weir_prune_path_done(env, env->cur);
	weir_vstate_free(&env->pool, env->cur);
	env->cur = NULL;
	if (!env->pending.len)
		return false;
	item = env->pending.v[--env->pending.len];
	env->cur = item.state;
	env->insn_idx = item.insn_idx;
	env->prev_insn_idx = item.prev_insn_idx;
	env->path.len = item.path_pos;
	if (env->log && !env->log_all)
		weir_diag_truncate(env->log, item.log_mark);
	return true;
}

static int check_limits(struct weir_env *env)
{
	if (++env->stats.processed_insns > WEIR_MAX_INSNS)
		return weir_reject(env, -E2BIG, WEIR_REASON_TOO_COMPLEX,
				   "BPF program is too large. Processed %u insn",
				   env->stats.processed_insns);
	if (!(env->stats.processed_insns & 0x3ff) && env->opts->cancel &&
	    __atomic_load_n(env->opts->cancel, __ATOMIC_RELAXED))
		return weir_reject(env, -ECANCELED, WEIR_REASON_CANCELED,
				   "verification was canceled");
	return 0;
}

/* One instruction; *next is PATH_END when the path is over. */
static int step(struct weir_env *env, uint32_t *next)
{
	bool covered;
	int err = check_limits(env);

	if (err)
		return err;
	if (env->info[env->insn_idx].is_prune_point) {
		err = weir_prune_check(env, &covered);
		if (err)
			return err;
		if (covered) {
			if (env->may_log)
				weir_diag_printf(env->log, "%u: safe\n", env->insn_idx);
			*next = PATH_END;
			return 0;
		}
	}
	err = path_step(env);
	if (err)
		return err;
	if (env->may_log)
		weir_log_insn(env);
	err = do_insn(env, next);
	if (err)
		return err;
	env->aux[env->insn_idx].seen = true;
	return weir_live_visit_done(env, env->written) ? weir_reject_nomem(env) : 0;
}

int weir_driver_run(struct weir_env *env)
{
	struct weir_vreg *r1;

	env->cur = weir_vstate_new(&env->pool);
	if (!env->cur || weir_vstate_push_frame(&env->pool, env->cur, 0, 0))
		return weir_reject_nomem(env);
	r1 = weir_env_reg(env, BPF_REG_1);
	weir_vreg_set_ptr(r1, WEIR_V_CTX);
	env->insn_idx = 0;
	env->subs[0].is_called = true;
	for (;;) {
		uint32_t next;
		int err;

		/* A side of a branch that turned out to be impossible. */
		if (env->cur->is_evicted) {
			if (!take_pending(env))
				return 0;
			continue;
		}
		err = step(env, &next);
		if (err)
			return err;
		env->prev_insn_idx = env->insn_idx;
		if (next == PATH_END) {
			if (!take_pending(env))
				return 0;
			continue;
		}
		env->insn_idx = next;
	}
}
