/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "env.h"

#define DEFAULT_STATES_BYTES (256ULL << 20)
#define KNOWN_FLAGS                                                                \
	(BPF_F_STRICT_ALIGNMENT | BPF_F_ANY_ALIGNMENT | BPF_F_XDP_HAS_FRAGS |      \
	 BPF_F_TEST_RND_HI32 | BPF_F_TEST_STATE_FREQ | BPF_F_TEST_REG_INVARIANTS | \
	 BPF_F_SLEEPABLE)

int weir_reject(struct weir_env *env, int err, enum weir_reason reason, const char *fmt, ...)
{
	va_list ap;

	if (env->error)
		return env->error;
	env->error = err;
	env->reject.reason = reason;
	env->reject.reason_id = weir_reason_info(reason)->id;
	env->reject.insn_idx = env->insn_idx;
	va_start(ap, fmt);
	vsnprintf(env->reject.message, sizeof(env->reject.message), fmt, ap);
	va_end(ap);
	return err;
}

void weir_reject_note(struct weir_env *env, uint32_t regno, int64_t need_lo, int64_t need_hi,
		      int64_t have_lo, int64_t have_hi)
{
	if (env->error)
		return;
	env->bad_reg = regno;
	env->need_lo = need_lo;
	env->need_hi = need_hi;
	env->have_lo = have_lo;
	env->have_hi = have_hi;
	env->has_need = true;
}

static int check_attr(struct weir_env *env)
{
	const struct weir_prog_raw *raw = env->raw;

	env->insn_idx = UINT32_MAX;
	if (raw->type != BPF_PROG_TYPE_XDP && raw->type != BPF_PROG_TYPE_SOCKET_FILTER &&
	    raw->type != BPF_PROG_TYPE_SCHED_CLS && raw->type != BPF_PROG_TYPE_SCHED_ACT)
		return weir_reject(env, -EINVAL, WEIR_REASON_PROG_TYPE_UNSUPPORTED,
				   "program type %u is not supported", raw->type);
	if (!env->bpf_capable && raw->type != BPF_PROG_TYPE_SOCKET_FILTER)
		return weir_reject(env, -EPERM, WEIR_REASON_PERMISSION,
				   "this role may load socket filters only");
	if (raw->flags & ~KNOWN_FLAGS)
		return weir_reject(env, -EINVAL, WEIR_REASON_PROG_ATTR, "unknown flags %#x",
				   raw->flags & ~KNOWN_FLAGS);
	if (raw->flags & BPF_F_SLEEPABLE)
		return weir_reject(env, -EINVAL, WEIR_REASON_PROG_ATTR,
				   "this program type cannot be sleepable");
	if (!raw->insn_count || !raw->insns)
		return weir_reject(env, -E2BIG, WEIR_REASON_PROG_ATTR,
				   "the program has no instructions");
	if (raw->insn_count > (env->bpf_capable ? WEIR_MAX_INSNS : WEIR_MAX_INSNS_UNPRIV))
		return weir_reject(env, -E2BIG, WEIR_REASON_PROG_TOO_LARGE,
				   "the program has %u instructions, the limit is %d",
				   raw->insn_count,
				   env->bpf_capable ? WEIR_MAX_INSNS : WEIR_MAX_INSNS_UNPRIV);
	for (uint32_t i = 0; i < raw->func_count; i++)
		if (raw->funcs[i].insn_idx >= raw->insn_count)
			return weir_reject(env, -EINVAL, WEIR_REASON_BTF_INVALID,
					   "func_info %u names instruction %u of %u", i,
					   raw->funcs[i].insn_idx, raw->insn_count);
	return 0;
}

static void *copy_array(const void *src, size_t count, size_t size, bool *failed)
{
	void *p;

	if (!count || !src)
		return NULL;
	p = malloc(count * size);
	if (!p)
		*failed = true;
	else
		memcpy(p, src, count * size);
	return p;
}

/* The ok's own copy of the program; borrows stay borrows. */
static int copy_raw(const struct weir_prog_raw *src, struct weir_prog_ok *ok)
{
	struct weir_prog_raw *dst = &ok->raw;
	bool failed = false;

	*dst = *src;
	dst->insns = copy_array(src->insns, src->insn_count, sizeof(*src->insns), &failed);
	dst->maps = copy_array(src->maps, src->map_count, sizeof(*src->maps), &failed);
	dst->funcs = copy_array(src->funcs, src->func_count, sizeof(*src->funcs), &failed);
	dst->lines = copy_array(src->lines, src->line_count, sizeof(*src->lines), &failed);
	ok->aux = calloc((size_t)src->insn_count + 1, sizeof(*ok->aux));
	if (failed || !ok->aux)
		return -ENOMEM;
	for (uint32_t i = 0; i < src->insn_count; i++) {
		ok->aux[i].map_idx = -1;
		ok->aux[i].callback_subprog = -1;
	}
	return 0;
}

static char *sub_name(const struct weir_prog_raw *raw, uint32_t start)
{
	const struct btf_type *t;

	for (uint32_t i = 0; raw->btf && i < raw->func_count; i++) {
		if (raw->funcs[i].insn_idx != start)
			continue;
		t = weir_btf_type(raw->btf, raw->funcs[i].type_id);
		if (t)
			return strdup(weir_btf_name(raw->btf, t->name_off));
	}
	return strdup("");
}

static int fill_ok(struct weir_env *env)
{
	struct weir_prog_ok *ok = env->ok;

	ok->subprogs = calloc(env->sub_count, sizeof(*ok->subprogs));
	if (!ok->subprogs)
		return weir_reject_nomem(env);
	ok->subprog_count = env->sub_count;
	for (uint32_t i = 0; i < env->sub_count; i++) {
		struct weir_subprog *sub = &ok->subprogs[i];

		sub->start = env->subs[i].start;
		sub->stack_bytes = (uint32_t)weir_align_up(env->subs[i].stack_depth, 8);
		sub->has_tail_call = env->subs[i].has_tail_call;
		sub->has_ld_abs = env->subs[i].has_ld_abs;
		sub->is_callback = env->subs[i].is_callback;
		sub->reachable = env->aux[sub->start].seen;
		sub->name = sub_name(env->raw, sub->start);
		if (!sub->name)
			return weir_reject_nomem(env);
	}
	for (uint32_t i = 0; i < env->insn_count; i++) {
		if (env->info[i].is_imm64_tail)
			env->aux[i].seen = env->aux[i - 1].seen;
		if (env->aux[i].loop_back && env->aux[i].seen)
			ok->has_loops = true;
	}
	ok->stats = env->stats;
	return 0;
}

static int run(struct weir_env *env)
{
	int err;

	env->info = calloc((size_t)env->insn_count + 1, sizeof(*env->info));
	if (!env->info)
		return weir_reject_nomem(env);
	err = weir_cfg_check(env);
	if (!err)
		err = weir_live_init(env);
	if (!err)
		err = weir_driver_run(env);
	if (!err)
		err = weir_cfg_check_stack_depth(env);
	return err ? err : fill_ok(env);
}

static void env_clear(struct weir_env *env)
{
	env->stats.peak_bytes = env->pool.peak_bytes;
	weir_pool_clear(&env->pool);
	free(env->info);
	free(env->subs);
	free(env->preds);
	free(env->pred_list);
	weir_vec_free(&env->calls);
	for (int i = 0; i < WEIR_MAX_FRAMES; i++)
		free(env->live[i].before);
	weir_vec_free(&env->live_work);
	weir_vec_free(&env->pending);
	weir_vec_free(&env->path);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static void env_init(struct weir_env *env, const struct weir_verify_opts *opts,
		     struct weir_diag *log, struct weir_prog_ok *ok)
{
	*env = (struct weir_env){
		.raw = &ok->raw,
		.opts = opts,
		.log = log,
		.insns = ok->raw.insns,
		.insn_count = ok->raw.insn_count,
		.ok = ok,
		.aux = ok->aux,
		.bpf_capable = opts->role != WEIR_ROLE_LOAD_UNPRIVILEGED,
		.perfmon = opts->role == WEIR_ROLE_ADMIN,
		.strict_alignment = ok->raw.flags & BPF_F_STRICT_ALIGNMENT,
		.may_log = log && (opts->log_level & 2),
		.log_all = log && (opts->log_level & 2),
		.bad_reg = UINT32_MAX,
	};
	weir_pool_init(&env->pool,
		       opts->states_limit_bytes ? opts->states_limit_bytes : DEFAULT_STATES_BYTES);
}

int weir_verify(const struct weir_prog_raw *raw, const struct weir_verify_opts *opts,
		struct weir_diag *log, struct weir_verify_stats *stats, struct weir_reject *reject,
		struct weir_prog_ok **out)
{
	static const struct weir_verify_opts defaults;
	struct weir_prog_ok *ok = calloc(1, sizeof(*ok));
	size_t log_mark = log ? log->len_bytes : 0;
	uint64_t start = now_ns();
	struct weir_env env;
	int err;

	if (!ok)
		return -ENOMEM;
	opts = opts ? opts : &defaults;
	err = raw->insn_count > WEIR_MAX_INSNS ? 0 : copy_raw(raw, ok);
	if (raw->insn_count > WEIR_MAX_INSNS) {
		ok->raw.type = raw->type;
		ok->raw.insn_count = raw->insn_count;
		ok->raw.insns = NULL;
	}
	env_init(&env, opts, log, ok);
	env.raw = ok->raw.insns ? &ok->raw : (struct weir_prog_raw *)(uintptr_t)raw;
	err = err ? weir_reject_nomem(&env) : check_attr(&env);
	if (!err)
		err = run(&env);
	env.stats.time_ns = now_ns() - start;
	if (!err && log && !env.log_all)
		weir_diag_truncate(log, log_mark);
	if (err)
		weir_explain(&env);
	if (opts->log_level)
		weir_log_stats(&env);
	env_clear(&env);
	ok->stats = env.stats;
	if (stats)
		*stats = env.stats;
	if (reject)
		*reject = env.reject;
	if (err) {
		weir_prog_ok_free(&ok);
		return err;
	}
	*out = ok;
	return 0;
}
