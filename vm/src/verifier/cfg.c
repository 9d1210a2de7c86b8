/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions and edges: shape, function bounds, dead code, prune points, combined stack depth. */
#include <errno.h>
#include <stdlib.h>

#include "env.h"
#include "weir/vm/isa.h"

static bool is_imm64(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

static bool is_local_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

static bool is_func_ref(const struct bpf_insn *insn)
{
	return is_imm64(insn) && insn->src_reg == BPF_PSEUDO_FUNC;
}

static int reject_at(struct weir_env *env, uint32_t idx, int err, enum weir_reason reason,
		     const char *fmt, uint32_t a, int64_t b)
{
	env->insn_idx = idx;
	if (reason == WEIR_REASON_UNREACHABLE)
		return weir_reject(env, err, reason, "unreachable insn %u", a);
	if (reason == WEIR_REASON_NO_EXIT)
		return weir_reject(env, err, reason, "last insn is not an exit or jmp");
	if (reason == WEIR_REASON_BACK_EDGE)
		return weir_reject(env, err, reason, "back-edge from insn %u to %lld", a,
				   (long long)b);
	return weir_reject(env, err, reason, "%s from insn %u to %lld", fmt, a, (long long)b);
}

uint32_t weir_cfg_find_sub(const struct weir_env *env, uint32_t start)
{
	uint32_t lo = 0, hi = env->sub_count;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (env->subs[mid].start < start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < env->sub_count && env->subs[lo].start == start ? lo : UINT32_MAX;
}

static int find_subs(struct weir_env *env)
{
	uint8_t *starts = calloc(env->insn_count, 1);
	uint32_t count = 1, n = 0;

	if (!starts)
		return weir_reject_nomem(env);
	starts[0] = 1;
	for (uint32_t i = 0; i < env->insn_count; i++) {
		const struct bpf_insn *insn = &env->insns[i];
		int64_t to = (int64_t)i + 1 + insn->imm;

		if (is_local_call(insn) || is_func_ref(insn)) {
			if (to < 0 || to >= env->insn_count) {
				free(starts);
				return reject_at(env, i, -EINVAL, WEIR_REASON_JUMP_INVALID,
						 "call to invalid destination", i, to);
			}
			count += !starts[to];
			starts[to] = 1;
		}
		if (is_imm64(insn))
			env->info[++i].is_imm64_tail = true;
	}
	env->subs = calloc(count, sizeof(*env->subs));
	if (!env->subs) {
		free(starts);
		return weir_reject_nomem(env);
	}
	env->sub_count = count;
	for (uint32_t i = 0; i < env->insn_count; i++) {
		if (starts[i]) {
			env->subs[n].start = i;
			if (n)
				env->subs[n - 1].end = i;
			n++;
		}
		env->info[i].subprog = n - 1;
	}
	env->subs[n - 1].end = env->insn_count;
	free(starts);
	return 0;
}

static int check_sub_bounds(struct weir_env *env)
{
	for (uint32_t s = 0; s < env->sub_count; s++) {
		const struct weir_vsub *sub = &env->subs[s];
		uint8_t code = env->insns[sub->end - 1].code;

		for (uint32_t i = sub->start; i < sub->end; i++) {
			int64_t to;

			if (env->info[i].is_imm64_tail || !weir_isa_is_jump(&env->insns[i]))
				continue;
			to = weir_isa_jump_target(&env->insns[i], i);
			if (to < sub->start || to >= sub->end)
				return reject_at(env, i, -EINVAL, WEIR_REASON_JUMP_INVALID,
						 "jump out of range", i, to);
			if (to <= i && !env->bpf_capable)
				return reject_at(env, i, -EINVAL, WEIR_REASON_BACK_EDGE, "", i, to);
			env->aux[i].loop_back = to <= i;
		}
		if (code != (BPF_JMP | BPF_EXIT) && code != (BPF_JMP | BPF_JA) &&
		    code != (BPF_JMP32 | BPF_JA))
			return reject_at(env, sub->end - 1, -EINVAL, WEIR_REASON_NO_EXIT, "", 0, 0);
	}
	return 0;
}

uint32_t weir_cfg_succ(const struct weir_env *env, uint32_t i, uint32_t out[2])
{
	const struct bpf_insn *insn = &env->insns[i];
	uint32_t n = 0;

	if (is_imm64(insn)) {
		out[n++] = i + 2;
	} else if (insn->code == (BPF_JMP | BPF_EXIT)) {
		return 0;
	} else if (insn->code == (BPF_JMP | BPF_JA) || insn->code == (BPF_JMP32 | BPF_JA)) {
		out[n++] = (uint32_t)weir_isa_jump_target(insn, i);
	} else {
		out[n++] = i + 1;
		if (weir_isa_is_jump(insn)) {
			out[n++] = (uint32_t)weir_isa_jump_target(insn, i);
		}
	}
	return n;
}

static void mark_points(struct weir_env *env, uint32_t i)
{
	const struct bpf_insn *insn = &env->insns[i];

	if (is_local_call(insn)) {
		env->info[i].is_prune_point = true;
		env->info[i + 1].is_prune_point = true;
	} else if (insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg &&
		   insn->imm == BPF_FUNC_loop) {
		env->info[i].is_prune_point = true;
		env->info[i].is_force_checkpoint = true;
		env->info[i].is_callback_call = true;
	} else if (weir_isa_is_jump(insn)) {
		env->info[(uint32_t)weir_isa_jump_target(insn, i)].is_prune_point = true;
		if (BPF_OP(insn->code) != BPF_JA)
			env->info[i].is_prune_point = true;
	}
}

/* Everything must be reachable over edges, calls and references to callbacks. */
static int check_reachable(struct weir_env *env)
{
	uint8_t *seen = calloc(env->insn_count, 1);
	uint32_t *work = malloc(sizeof(*work) * ((size_t)env->insn_count + 1));
	uint32_t n = 0, out[3];
	int err = 0;

	if (!seen || !work) {
		free(seen);
		free(work);
		return weir_reject_nomem(env);
	}
	work[n++] = 0;
	seen[0] = 1;
	while (n) {
		uint32_t i = work[--n], count = weir_cfg_succ(env, i, out);

		mark_points(env, i);
		if (is_local_call(&env->insns[i]) || is_func_ref(&env->insns[i]))
			out[count++] = i + 1 + (uint32_t)env->insns[i].imm;
		for (uint32_t k = 0; k < count; k++)
			if (!seen[out[k]]) {
				seen[out[k]] = 1;
				work[n++] = out[k];
			}
	}
	for (uint32_t i = 0; !err && i < env->insn_count; i++)
		if (!seen[i] && !env->info[i].is_imm64_tail)
			err = reject_at(env, i, -EINVAL, WEIR_REASON_UNREACHABLE, "", i, 0);
	free(seen);
	free(work);
	return err;
}

int weir_cfg_check(struct weir_env *env)
{
	WEIR_DIAG_ON_STACK(text, 200);
	uint32_t bad = 0;
	int err = weir_isa_check(env->insns, env->insn_count, WEIR_ISA_BPF, &text, &bad);

	if (err) {
		enum weir_reason reason = WEIR_REASON_INSN_INVALID;

		env->insn_idx = bad;
		if (strstr(text_buf, "jump"))
			reason = WEIR_REASON_JUMP_INVALID;
		else if (strstr(text_buf, "div by zero"))
			reason = WEIR_REASON_DIV_ZERO;
		else if (strstr(text_buf, "invalid shift"))
			reason = WEIR_REASON_SHIFT_INVALID;
		else if (strstr(text_buf, "frame pointer"))
			reason = WEIR_REASON_FRAME_POINTER;
		else if (strstr(text_buf, "last insn"))
			reason = WEIR_REASON_NO_EXIT;
		return weir_reject(env, err, reason, "%s", text_buf);
	}
	err = find_subs(env);
	if (!err)
		err = check_sub_bounds(env);
	return err ? err : check_reachable(env);
}

static uint32_t frame_bytes(const struct weir_vsub *sub)
{
	return (uint32_t)weir_align_up(sub->stack_depth, 16);
}

struct depth_walk {
	struct weir_env *env;
	uint32_t deepest;
	/* For each function and depth of calls the most stack above it that was looked at, plus 1:
	 * less cannot be worse, so no chain is followed twice however many calls lead to it. */
	uint16_t (*walked)[WEIR_MAX_FRAMES + 1];
};

/* Calls nest at most 8 deep (the walk of the program made sure), so recursion is bounded too. */
static int walk_depth(struct depth_walk *w, uint32_t s, uint32_t above, uint32_t frames)
{
	struct weir_env *env = w->env;
	const struct weir_vsub *sub = &env->subs[s];
	uint32_t depth = above + frame_bytes(sub);

	if (w->walked[s][frames] > above)
		return 0;
	w->walked[s][frames] = (uint16_t)(above + 1);
	if (depth > WEIR_STACK_BYTES) {
		env->insn_idx = sub->start;
		return weir_reject(env, -EACCES, WEIR_REASON_STACK_DEPTH,
				   "combined stack size of %u calls is %u. Too large", frames,
				   depth);
	}
	if (sub->has_tail_call && above >= 256) {
		env->insn_idx = sub->start;
		return weir_reject(env, -EACCES, WEIR_REASON_STACK_DEPTH,
				   "tail_calls are not allowed when call stack of previous frames "
				   "is %u bytes. Too large",
				   above);
	}
	w->deepest = weir_max(w->deepest, depth);
	for (uint32_t i = sub->start; i < sub->end; i++) {
		const struct bpf_insn *insn = &env->insns[i];
		uint32_t callee = UINT32_MAX;
		int err;

		if (env->info[i].is_imm64_tail || !env->aux[i].seen)
			continue;
		if (is_local_call(insn) || is_func_ref(insn))
			callee = weir_cfg_find_sub(env, i + 1 + (uint32_t)insn->imm);
		if (callee == UINT32_MAX || frames >= WEIR_MAX_FRAMES)
			continue;
		err = walk_depth(w, callee, depth, frames + 1);
		if (err)
			return err;
	}
	return 0;
}

int weir_cfg_check_stack_depth(struct weir_env *env)
{
	struct depth_walk w = {.env = env};
	int err;

	w.walked = calloc(env->sub_count, sizeof(*w.walked));
	if (!w.walked)
		return weir_reject_nomem(env);
	err = walk_depth(&w, 0, 0, 1);
	free(w.walked);
	env->stats.stack_bytes = w.deepest;
	return err;
}
