/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Conditional jumps: which sides can be reached, and what each side knows more. A side that the
 * domain proves impossible is not walked.
 */
#include "env.h"

/* Copies of a number share its id; what a 64-bit comparison says of one holds for all. */
static void spread_number(struct weir_vstate *state, const struct weir_vreg *known)
{
	uint32_t id = known->id;
	struct weir_scalar v = known->v;

	if (!id)
		return;
	weir_vstate_each_reg(state, reg, {
		if (reg->type == WEIR_V_SCALAR && reg->id == id)
			reg->v = v;
	});
}

/* The pointers of this id are checked: on one side they are pointers, on the other the number 0. */
static void settle_null(struct weir_vstate *state, uint32_t id, bool is_null)
{
	weir_vstate_each_reg(state, reg, {
		if (reg->id == id && (reg->flags & WEIR_VF_OR_NULL)) {
			if (is_null) {
				weir_vreg_set_const(reg, 0);
			} else {
				reg->flags &= (uint8_t)~WEIR_VF_OR_NULL;
				reg->id = 0;
			}
		}
	});
}

/*
 * Packet pointers of the same base as `ptr` may now read `bytes` more: data_end was compared with
 * base + v + off. v could be so large that the address wraps: nothing is learnt then.
 */
static void widen_range(struct weir_vstate *state, const struct weir_vreg *ptr, bool strict)
{
	uint32_t id = ptr->id;
	uint8_t type = ptr->type;
	int32_t range = ptr->off + strict;

	if (ptr->off < 0 || ptr->v.umax > MAX_PKT_OFF ||
	    ptr->v.umax + (uint64_t)ptr->off > MAX_PKT_OFF)
		return;
	weir_vstate_each_reg(state, reg, {
		if (reg->type == type && reg->id == id && reg->range < range)
			reg->range = range;
	});
}

/* Is this the packet's very beginning (what metadata is compared with)? */
static bool is_pkt_start(const struct weir_vreg *reg)
{
	return reg->type == WEIR_V_PKT && !reg->off && !reg->id && weir_vreg_is_pkt(reg) &&
	       weir_scalar_is_const(&reg->v) && !reg->v.var.value;
}

static bool bounds(const struct weir_vreg *limit, const struct weir_vreg *ptr)
{
	return (ptr->type == WEIR_V_PKT && limit->type == WEIR_V_PKT_END) ||
	       (ptr->type == WEIR_V_PKT_META && is_pkt_start(limit));
}

/*
 * A comparison of a packet pointer with its limit, as `ptr op limit` (or mirrored). On the side
 * where ptr < limit the byte at ptr is there, too (strict).
 */
static bool learn_packet(const struct bpf_insn *insn, const struct weir_vreg *dst,
			 const struct weir_vreg *src, struct weir_vstate *taken,
			 struct weir_vstate *other)
{
	uint8_t op = BPF_OP(insn->code);
	const struct weir_vreg *ptr = dst;
	struct weir_vreg copy;

	if (bounds(dst, src)) {
		ptr = src;
		op = op == BPF_JGT   ? BPF_JLT
		     : op == BPF_JGE ? BPF_JLE
		     : op == BPF_JLT ? BPF_JGT
		     : op == BPF_JLE ? BPF_JGE
				     : op;
	} else if (!bounds(src, dst)) {
		return false;
	}
	copy = *ptr; /* ptr points into one of the states */
	switch (op) {
	case BPF_JGT: widen_range(other, &copy, false); break;
	case BPF_JGE: widen_range(other, &copy, true); break;
	case BPF_JLT: widen_range(taken, &copy, true); break;
	case BPF_JLE: widen_range(taken, &copy, false); break;
	case BPF_JEQ: widen_range(taken, &copy, false); break;
	case BPF_JNE: widen_range(other, &copy, false); break;
	default: return false;
	}
	return true;
}

/* Goes on in one direction only, and says so to rewrite. */
static int go(struct weir_env *env, const struct bpf_insn *insn, bool taken, uint32_t *next)
{
	*next = taken ? jump_target(insn, env->insn_idx) : env->insn_idx + 1;
	return weir_vec_push(&env->path, ((struct vstep){env->insn_idx, taken})) ? reject_nomem(env)
										 : 0;
}

static void note_side(struct weir_env *env, bool taken)
{
	struct weir_insn_aux *aux = &env->aux[env->insn_idx];
	uint8_t side = taken ? WEIR_BRANCH_ALWAYS : WEIR_BRANCH_NEVER;

	if (!env->info[env->insn_idx].visited)
		aux->branch = side;
	else if (aux->branch != side)
		aux->branch = WEIR_BRANCH_BOTH;
}

/* Both sides: the taken one waits, the current path falls through. */
static int split(struct weir_env *env, const struct bpf_insn *insn, struct weir_vstate **taken)
{
	env->aux[env->insn_idx].branch = WEIR_BRANCH_BOTH;
	if (weir_vec_push(&env->path, ((struct vstep){env->insn_idx, true})))
		return reject_nomem(env);
	*taken = env_push(env, jump_target(insn, env->insn_idx));
	if (!*taken)
		return env->error;
	env->path.v[env->path.len - 1].taken = true;
	return 0;
}

/*
 * The path log is a stack shared by waiting branches: the taken side, walked later, finds its own
 * step because env_push stored the length with it and the fall-through's step is written after.
 */
static int fall_through(struct weir_env *env, uint32_t *next)
{
	*next = env->insn_idx + 1;
	return weir_vec_push(&env->path, ((struct vstep){env->insn_idx, false})) ? reject_nomem(env)
										 : 0;
}

static int branch_numbers(struct weir_env *env, const struct bpf_insn *insn,
			  const struct weir_vreg *dst, const struct weir_vreg *src, uint32_t *next)
{
	bool is32 = BPF_CLASS(insn->code) == BPF_JMP32, same, alive[2];
	uint8_t op = BPF_OP(insn->code);
	struct weir_vreg d[2] = {*dst, *dst}, s[2] = {*src, *src};
	enum weir_decision decided = weir_scalar_branch(op, is32, &dst->v, &src->v);
	struct weir_vstate *taken;
	int err;

	same = BPF_SRC(insn->code) == BPF_X &&
	       (insn->dst_reg == insn->src_reg || (dst->id && dst->id == src->id));
	if (same && op != BPF_JSET)
		decided = op == BPF_JEQ || op == BPF_JGE || op == BPF_JLE || op == BPF_JSGE ||
					  op == BPF_JSLE
				  ? WEIR_DECISION_YES
				  : WEIR_DECISION_NO;
	for (int t = 0; t < 2; t++)
		alive[t] = same || weir_scalar_refine(op, is32, t, &d[t].v, &s[t].v);
	if (!alive[0] && decided == WEIR_DECISION_UNKNOWN)
		decided = WEIR_DECISION_YES;
	if (!alive[1] && decided == WEIR_DECISION_UNKNOWN)
		decided = WEIR_DECISION_NO;
	if (decided != WEIR_DECISION_UNKNOWN) {
		note_side(env, decided);
		return go(env, insn, decided, next);
	}
	err = split(env, insn, &taken);
	if (err)
		return err;
	for (int t = 0; t < 2 && !same; t++) {
		struct weir_vstate *state = t ? taken : env->cur;
		struct weir_frame *frame = weir_vstate_top(state);

		frame->regs[insn->dst_reg].v = d[t].v;
		spread_number(state, &frame->regs[insn->dst_reg]);
		if (BPF_SRC(insn->code) == BPF_X) {
			frame->regs[insn->src_reg].v = s[t].v;
			spread_number(state, &frame->regs[insn->src_reg]);
		}
	}
	return fall_through(env, next);
}

/* A pointer (dst) compared with the constant 0 by JEQ or JNE. */
static int branch_null(struct weir_env *env, const struct bpf_insn *insn,
		       const struct weir_vreg *dst, uint32_t *next)
{
	bool is_eq = BPF_OP(insn->code) == BPF_JEQ;
	struct weir_vstate *taken;
	uint32_t id = dst->id;
	int err;

	if (!(dst->flags & WEIR_VF_OR_NULL)) {
		note_side(env, !is_eq); /* a real pointer is never 0 */
		return go(env, insn, !is_eq, next);
	}
	err = split(env, insn, &taken);
	if (err)
		return err;
	settle_null(taken, id, is_eq);
	settle_null(env->cur, id, !is_eq);
	return fall_through(env, next);
}

int branch_check(struct weir_env *env, const struct bpf_insn *insn, uint32_t *next)
{
	const struct weir_vreg *dst = env_reg(env, insn->dst_reg), *src;
	bool is64 = BPF_CLASS(insn->code) == BPF_JMP, is_x = BPF_SRC(insn->code) == BPF_X;
	uint8_t op = BPF_OP(insn->code);
	struct weir_vstate *taken;
	struct weir_vreg imm;
	int err = reg_check_read(env, insn->dst_reg);

	if (!err && is_x)
		err = reg_check_read(env, insn->src_reg);
	if (err)
		return err;
	weir_vreg_set_const(&imm, (uint64_t)(int64_t)insn->imm);
	src = is_x ? env_reg(env, insn->src_reg) : &imm;
	if (!weir_vreg_is_ptr(dst) && !weir_vreg_is_ptr(src))
		return branch_numbers(env, insn, dst, src, next);
	if (is64 && weir_vreg_is_ptr(dst) && weir_vreg_is_null(src) &&
	    (op == BPF_JEQ || op == BPF_JNE))
		return branch_null(env, insn, dst, next);
	if (is64 && is_x && (bounds(src, dst) || bounds(dst, src))) {
		struct weir_vreg d = *dst, s = *src;

		err = split(env, insn, &taken);
		if (err)
			return err;
		learn_packet(insn, &d, &s, taken, env->cur);
		return fall_through(env, next);
	}
	if (reg_leaks(env, dst) || reg_leaks(env, src))
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_COMPARE,
				   "R%u pointer comparison prohibited",
				   weir_vreg_is_ptr(dst) ? insn->dst_reg : insn->src_reg);
	err = split(env, insn, &taken);
	return err ? err : fall_through(env, next);
}
