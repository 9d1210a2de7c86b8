/* SPDX-License-Identifier: BSD-3-Clause */
/* The public entry: checks of the whole, then the walk, then the ok. */
#include "weir/vm/verifier.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "env.h"

#define STATES_LIMIT_BYTES (256ULL << 20)
#define KNOWN_FLAGS                                                                \
	(BPF_F_STRICT_ALIGNMENT | BPF_F_ANY_ALIGNMENT | BPF_F_XDP_HAS_FRAGS |      \
	 BPF_F_TEST_RND_HI32 | BPF_F_TEST_STATE_FREQ | BPF_F_TEST_REG_INVARIANTS | \
	 BPF_F_SLEEPABLE)

int weir_reject(struct weir_env *env, int err, enum weir_reason reason, const char *fmt, ...)
{
	va_list ap;

	if (env->said)
		return env->error;
	env->said = true;
	env->error = err;
	env->reject.reason = reason;
	env->reject.reason_id = weir_reason_info(reason)->id;
	env->reject.insn_idx = env->insn_idx;
	va_start(ap, fmt);
	vsnprintf(env->reject.message, sizeof(env->reject.message), fmt, ap);
	va_end(ap);
	return err;
}

static int check_whole(struct weir_env *env)
{
	const struct weir_prog_raw *raw = env->raw;

	env->insn_idx = UINT32_MAX;
	switch (raw->type) {
	case BPF_PROG_TYPE_XDP:
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
	case BPF_PROG_TYPE_SOCKET_FILTER: break;
	default:
		return weir_reject(env, -EINVAL, WEIR_REASON_PROG_TYPE_UNSUPPORTED,
				   "program type %u is not supported", raw->type);
	}
	if (!env->bpf_capable && raw->type != BPF_PROG_TYPE_SOCKET_FILTER)
		return weir_reject(env, -EPERM, WEIR_REASON_PERMISSION,
				   "only socket filters may be loaded without the right to");
	if (raw->flags & ~KNOWN_FLAGS)
		return weir_reject(env, -EINVAL, WEIR_REASON_PROG_ATTR, "unknown flags %#x",
				   raw->flags & ~KNOWN_FLAGS);
	if (raw->flags & BPF_F_SLEEPABLE)
		return weir_reject(env, -EINVAL, WEIR_REASON_PROG_ATTR,
				   "this program type cannot be sleepable");
	if (!raw->insn_count ||
	    raw->insn_count > (env->bpf_capable ? WEIR_MAX_INSNS : WEIR_MAX_INSNS_UNPRIV))
		return weir_reject(env, -E2BIG, WEIR_REASON_PROG_TOO_LARGE,
				   "%u instructions, expected 1 to %u", raw->insn_count,
				   env->bpf_capable ? WEIR_MAX_INSNS : WEIR_MAX_INSNS_UNPRIV);
	return 0;
}

static void *copy_array(const void *src, size_t count, size_t bytes)
{
	void *p = calloc(count + 1, bytes);

	if (p && count)
		memcpy(p, src, count * bytes);
	return p;
}

static int copy_raw(const struct weir_prog_raw *src, struct weir_prog_raw *dst)
{
	*dst = *src;
	dst->insns = copy_array(src->insns, src->insn_count, sizeof(*src->insns));
	dst->maps = copy_array(src->maps, src->map_count, sizeof(*src->maps));
	dst->funcs = copy_array(src->funcs, src->func_count, sizeof(*src->funcs));
	dst->lines = copy_array(src->lines, src->line_count, sizeof(*src->lines));
	return dst->insns && dst->maps && dst->funcs && dst->lines ? 0 : -ENOMEM;
}

static int env_init(struct weir_env *env, const struct weir_prog_raw *raw)
{
	env->ok = calloc(1, sizeof(*env->ok));
	if (!env->ok || copy_raw(raw, &env->ok->raw))
		return reject_nomem(env);
	env->raw = &env->ok->raw;
	env->insns = env->raw->insns;
	env->insn_count = env->raw->insn_count;
	env->aux = env->ok->aux = calloc(env->insn_count + 1, sizeof(*env->aux));
	env->info = calloc(env->insn_count + 1, sizeof(*env->info));
	if (!env->aux || !env->info)
		return reject_nomem(env);
	for (uint32_t i = 0; i < env->insn_count; i++) {
		env->aux[i].map_idx = -1;
		env->aux[i].callback_subprog = -1;
	}
	env->strict_alignment = env->raw->flags & BPF_F_STRICT_ALIGNMENT;
	return 0;
}

static const char *sub_name(const struct weir_env *env, uint32_t start)
{
	const struct btf_type *type;

	for (uint32_t i = 0; env->raw->btf && i < env->raw->func_count; i++)
		if (env->raw->funcs[i].insn_idx == start) {
			type = weir_btf_type(env->raw->btf, env->raw->funcs[i].type_id);
			return type ? weir_btf_name(env->raw->btf, type->name_off) : "";
		}
	return "";
}

/* Everything was proved: what was learnt goes into the ok. */
static int finish(struct weir_env *env)
{
	struct weir_prog_ok *ok = env->ok;

	ok->subprogs = calloc(env->sub_count, sizeof(*ok->subprogs));
	if (!ok->subprogs)
		return reject_nomem(env);
	ok->subprog_count = env->sub_count;
	for (uint32_t s = 0; s < env->sub_count; s++) {
		const struct vsub *sub = &env->subs[s];

		ok->subprogs[s] = (struct weir_subprog){
			.start = sub->start,
			.stack_bytes = sub->stack_bytes,
			.has_tail_call = sub->has_tail_call,
			.has_ld_abs = sub->has_ld_abs,
			.is_callback = sub->is_callback,
			.reachable = sub->is_called,
			.name = strdup(sub_name(env, sub->start)),
		};
		if (!ok->subprogs[s].name)
			return reject_nomem(env);
	}
	for (uint32_t i = 0; i < env->insn_count; i++) {
		if (env->info[i].is_tail)
			env->aux[i].seen = env->aux[i - 1].seen;
		ok->has_loops |= env->aux[i].seen && env->aux[i].loop_back;
		ok->dst_needed |= env->aux[i].mem == WEIR_MEM_PKT;
	}
	return 0;
}

static void env_free(struct weir_env *env)
{
	weir_pool_clear(&env->pool);
	weir_vec_free(&env->pending);
	weir_vec_free(&env->path);
	weir_vec_free(&env->work);
	free(env->preds);
	free(env->subs);
	free(env->info);
	weir_prog_ok_free(&env->ok);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

int weir_verify(const struct weir_prog_raw *raw, const struct weir_verify_opts *opts,
		struct weir_diag *log, struct weir_verify_stats *stats, struct weir_reject *reject,
		struct weir_prog_ok **out)
{
	static const struct weir_verify_opts defaults;
	struct weir_env env = {
		.raw = (struct weir_prog_raw *)(uintptr_t)raw,
		.opts = opts ? opts : &defaults,
		.log = log,
		.insns = raw->insns,
		.insn_count = raw->insn_count,
	};
	uint64_t begin = now_ns(), limit = env.opts->states_limit_bytes;
	int err;

	env.bpf_capable = env.opts->role != WEIR_ROLE_LOAD_UNPRIVILEGED;
	env.perfmon = env.opts->role == WEIR_ROLE_ADMIN;
	weir_pool_init(&env.pool, limit ? limit : STATES_LIMIT_BYTES);
	err = check_whole(&env);
	if (!err)
		err = env_init(&env, raw);
	if (!err)
		err = cfg_check(&env);
	if (!err)
		err = live_init(&env);
	if (!err)
		err = driver_run(&env);
	if (!err)
		err = cfg_check_stack_depth(&env);
	if (!err)
		err = finish(&env);
	env.stats.peak_bytes = env.pool.peak_bytes;
	env.stats.time_ns = now_ns() - begin;
	if (err)
		vlog_explain(&env);
	vlog_stats(&env);
	if (stats)
		*stats = env.stats;
	if (err && reject)
		*reject = env.reject;
	if (!err) {
		env.ok->stats = env.stats;
		*out = env.ok;
		env.ok = NULL;
	}
	env_free(&env);
	return err;
}
