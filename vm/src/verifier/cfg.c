/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions and edges: what can be said of the program before any value is known. */
#include <stdlib.h>

#include "env.h"
#include "weir/vm/isa.h"

uint32_t cfg_find_sub(const struct weir_env *env, uint32_t start)
{
	for (uint32_t i = 0; i < env->sub_count; i++)
		if (env->subs[i].start == start)
			return i;
	return UINT32_MAX;
}

static int add_sub(struct weir_env *env, uint32_t start)
{
	uint32_t i = env->sub_count;

	if (cfg_find_sub(env, start) != UINT32_MAX)
		return 0;
	if (i == 256)
		return weir_reject(env, -E2BIG, WEIR_REASON_PROG_TOO_LARGE, "too many subprograms");
	for (; i > 0 && env->subs[i - 1].start > start; i--)
		env->subs[i] = env->subs[i - 1];
	env->subs[i] = (struct vsub){.start = start};
	env->sub_count++;
	return 0;
}

/* Functions start at 0, at the targets of calls and of function addresses. */
static int find_subs(struct weir_env *env)
{
	int err;

	env->subs = calloc(257, sizeof(*env->subs));
	if (!env->subs)
		return reject_nomem(env);
	err = add_sub(env, 0);
	for (uint32_t i = 0; !err && i < env->insn_count; i++) {
		const struct bpf_insn *insn = &env->insns[i];
		bool func = insn_is_imm64(insn) && insn->src_reg == BPF_PSEUDO_FUNC;
		int64_t target = (int64_t)i + 1 + insn->imm;

		env->insn_idx = i;
		if (insn_is_subprog_call(insn) || func) {
			if (!env->bpf_capable)
				return weir_reject(env, -EPERM, WEIR_REASON_PERMISSION,
						   "loading/calling other bpf or kernel functions "
						   "are allowed for CAP_BPF and CAP_SYS_ADMIN");
			if (target < 0 || target >= env->insn_count || env->info[target].is_tail)
				return weir_reject(env, -EINVAL, WEIR_REASON_JUMP_INVALID,
						   "call to invalid destination %lld",
						   (long long)target);
			err = add_sub(env, (uint32_t)target);
		}
		if (insn_is_imm64(insn))
			i++;
	}
	for (uint32_t s = 0; s < env->sub_count; s++)
		env->subs[s].end =
			s + 1 < env->sub_count ? env->subs[s + 1].start : env->insn_count;
	return err;
}

uint32_t cfg_successors(const struct weir_env *env, uint32_t idx, uint32_t out[2])
{
	const struct bpf_insn *insn = &env->insns[idx];

	if (insn->code == (BPF_JMP | BPF_EXIT))
		return 0;
	if (insn_is_goto(insn)) {
		out[0] = jump_target(insn, idx);
		return 1;
	}
	out[0] = idx + (insn_is_imm64(insn) ? 2 : 1);
	if (!insn_is_jump(insn))
		return 1;
	out[1] = jump_target(insn, idx);
	return 2;
}

/* Every function stays in itself: jumps do not leave it, and it does not fall into the next. */
static int check_function(struct weir_env *env, uint32_t s)
{
	const struct vsub *sub = &env->subs[s];
	uint32_t succ[2], last = sub->end - 1;

	for (uint32_t i = sub->start; i < sub->end; i++) {
		const struct bpf_insn *insn = &env->insns[i];

		env->insn_idx = i;
		env->info[i].subprog = s;
		if (env->info[i].is_tail)
			continue;
		if (!insn_is_jump(insn))
			continue;
		for (uint32_t k = cfg_successors(env, i, succ); k-- > 0;)
			if (succ[k] < sub->start || succ[k] >= sub->end ||
			    env->info[succ[k]].is_tail)
				return weir_reject(env, -EINVAL, WEIR_REASON_JUMP_INVALID,
						   "jump out of range from insn %u to %d", i,
						   (int)succ[k]);
	}
	env->insn_idx = last;
	if (env->insns[last].code != (BPF_JMP | BPF_EXIT) && !insn_is_goto(&env->insns[last]))
		return weir_reject(env, -EINVAL, WEIR_REASON_NO_EXIT,
				   "last insn is not an exit or jmp");
	return 0;
}

/* Marks what can be reached from a function's start, whatever the values. */
static int mark_reachable(struct weir_env *env, uint32_t start)
{
	uint32_t succ[2];

	env->work.len = 0;
	if (weir_vec_push(&env->work, start))
		return reject_nomem(env);
	env->info[start].visited = true;
	while (env->work.len) {
		uint32_t i = env->work.v[--env->work.len];

		for (uint32_t k = cfg_successors(env, i, succ); k-- > 0;) {
			if (env->info[succ[k]].visited)
				continue;
			env->info[succ[k]].visited = true;
			if (weir_vec_push(&env->work, succ[k]))
				return reject_nomem(env);
		}
	}
	return 0;
}

static int check_reachable(struct weir_env *env)
{
	int err = 0;

	for (uint32_t s = 0; !err && s < env->sub_count; s++)
		err = mark_reachable(env, env->subs[s].start);
	for (uint32_t i = 0; !err && i < env->insn_count; i++) {
		if (!env->info[i].visited && !env->info[i].is_tail) {
			env->insn_idx = i;
			return weir_reject(env, -EINVAL, WEIR_REASON_UNREACHABLE,
					   "unreachable insn %u", i);
		}
		env->info[i].visited = false;
	}
	return err;
}

static int make_preds(struct weir_env *env)
{
	uint32_t succ[2], total = 0;

	for (int fill = 0; fill < 2; fill++) {
		for (uint32_t i = 0; i < env->insn_count; i++) {
			if (env->info[i].is_tail)
				continue;
			for (uint32_t k = cfg_successors(env, i, succ); k-- > 0;) {
				struct vinsn *to = &env->info[succ[k]];

				if (fill)
					env->preds[to->first_pred + to->pred_count] = i;
				to->pred_count++;
			}
		}
		if (fill)
			break;
		for (uint32_t i = 0; i < env->insn_count; i++) {
			env->info[i].first_pred = total;
			total += env->info[i].pred_count;
			env->info[i].pred_count = 0;
		}
		env->preds = malloc((total + 1) * sizeof(*env->preds));
		if (!env->preds)
			return reject_nomem(env);
	}
	return 0;
}

/* States are compared where ways meet, and where loops turn. */
static int mark_prune_points(struct weir_env *env)
{
	for (uint32_t i = 0; i < env->insn_count; i++) {
		const struct bpf_insn *insn = &env->insns[i];
		uint32_t target;

		if (env->info[i].is_tail)
			continue;
		if (insn_is_helper_call(insn) && insn->imm == BPF_FUNC_loop)
			env->info[i].is_prune_point = true;
		if (!insn_is_jump(insn))
			continue;
		target = jump_target(insn, i);
		env->info[target].is_prune_point = true;
		if (!insn_is_goto(insn))
			env->info[i + 1].is_prune_point = true;
		env->aux[i].loop_back = target <= i;
		if (target <= i && !env->bpf_capable) {
			env->insn_idx = i;
			return weir_reject(env, -EINVAL, WEIR_REASON_BACK_EDGE,
					   "back-edge from insn %u to %u", i, target);
		}
	}
	return 0;
}

int cfg_check(struct weir_env *env)
{
	WEIR_DIAG_ON_STACK(text, 200);
	int err;

	err = weir_isa_check(env->insns, env->insn_count, WEIR_ISA_BPF, &text, &env->insn_idx);
	if (err)
		return weir_reject(env, err, WEIR_REASON_INSN_INVALID, "%s", text.buf);
	for (uint32_t i = 0; i + 1 < env->insn_count; i++)
		if (insn_is_imm64(&env->insns[i]))
			env->info[++i].is_tail = true;
	err = find_subs(env);
	for (uint32_t s = 0; !err && s < env->sub_count; s++)
		err = check_function(env, s);
	if (!err)
		err = check_reachable(env);
	if (!err)
		err = make_preds(env);
	if (!err)
		err = mark_prune_points(env);
	return err;
}

/* The deepest chain of calls from sub s, `above` bytes being taken already. */
static int deepest(struct weir_env *env, uint32_t s, uint32_t above, uint32_t depth)
{
	const struct vsub *sub = &env->subs[s];
	uint32_t bytes = above + (uint32_t)weir_align_up(weir_max(sub->stack_bytes, 1U), 16);
	int err = 0;

	env->insn_idx = sub->start;
	if (depth > WEIR_MAX_FRAMES)
		return weir_reject(env, -E2BIG, WEIR_REASON_CALL_DEPTH,
				   "the call stack of %u frames is too deep !", depth);
	if (above >= 256 && sub->has_tail_call)
		return weir_reject(env, -EACCES, WEIR_REASON_STACK_DEPTH,
				   "tail_calls are not allowed when call stack of previous frames "
				   "is %u bytes. Too large",
				   above);
	if (bytes > WEIR_STACK_BYTES)
		return weir_reject(env, -EACCES, WEIR_REASON_STACK_DEPTH,
				   "combined stack size of %u calls is %u. Too large", depth,
				   bytes);
	env->stats.stack_bytes = weir_max(env->stats.stack_bytes, bytes);
	for (uint32_t i = sub->start; !err && i < sub->end; i++) {
		const struct bpf_insn *insn = &env->insns[i];

		if (!env->aux[i].seen)
			continue;
		if (insn_is_subprog_call(insn) ||
		    (insn_is_imm64(insn) && insn->src_reg == BPF_PSEUDO_FUNC))
			err = deepest(env, cfg_find_sub(env, i + 1 + (uint32_t)insn->imm), bytes,
				      depth + 1);
	}
	return err;
}

int cfg_check_stack_depth(struct weir_env *env)
{
	return deepest(env, 0, 0, 1);
}
