/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arithmetic. Numbers go through the scalar domain, whose functions carry their own argument.
 * Pointer arithmetic keeps the base and moves the offset: constants go to `off`, anything else into
 * v by the scalar domain's addition, so base + off + v still holds the concrete address. The bound
 * on offsets (2^29) keeps off + v far from wrapping.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "env.h"

static const char *op_sign(uint8_t op)
{
	switch (op) {
	case BPF_ADD: return "+=";
	case BPF_SUB: return "-=";
	case BPF_MUL: return "*=";
	case BPF_DIV: return "/=";
	case BPF_OR: return "|=";
	case BPF_AND: return "&=";
	case BPF_LSH: return "<<=";
	case BPF_RSH: return ">>=";
	case BPF_NEG: return "neg";
	case BPF_MOD: return "%=";
	case BPF_XOR: return "^=";
	case BPF_ARSH: return "s>>=";
	default: return "?=";
	}
}

static int check_offset_sane(struct weir_env *env, const struct weir_vreg *reg,
			     const struct weir_vreg *ptr)
{
	const char *name = weir_vtype_name(ptr);
	int64_t value = (int64_t)reg->v.var.value;

	if (weir_scalar_is_const(&reg->v) &&
	    (value >= WEIR_MAX_VAR_OFF || value <= -WEIR_MAX_VAR_OFF))
		return weir_reject(env, -EINVAL, WEIR_REASON_POINTER_OFFSET,
				   "math between %s pointer and %" PRId64 " is not allowed", name,
				   value);
	if (weir_vreg_is_ptr(reg) &&
	    (reg->off >= WEIR_MAX_VAR_OFF || reg->off <= -WEIR_MAX_VAR_OFF))
		return weir_reject(env, -EINVAL, WEIR_REASON_POINTER_OFFSET,
				   "%s pointer offset %d is not allowed", name, reg->off);
	if (reg->v.smin == INT64_MIN)
		return weir_reject(env, -EINVAL, WEIR_REASON_POINTER_OFFSET,
				   "math between %s pointer and register with unbounded min value "
				   "is not allowed",
				   name);
	if (reg->v.smin >= WEIR_MAX_VAR_OFF || reg->v.smin <= -WEIR_MAX_VAR_OFF)
		return weir_reject(env, -EINVAL, WEIR_REASON_POINTER_OFFSET,
				   "value %" PRId64 " makes %s pointer be out of bounds",
				   reg->v.smin, name);
	return 0;
}

static int check_arith_allowed(struct weir_env *env, uint32_t dst, const struct weir_vreg *ptr,
			       const struct weir_vreg *num, uint8_t op)
{
	if (ptr->flags & WEIR_VF_OR_NULL)
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_OR_NULL_ARITH,
				   "R%u pointer arithmetic on %s prohibited, null-check it first",
				   dst, weir_vtype_name(ptr));
	switch (ptr->type) {
	case WEIR_V_CTX:
	case WEIR_V_STACK:
	case WEIR_V_MAP_VALUE:
	case WEIR_V_MAP_KEY:
	case WEIR_V_PKT:
	case WEIR_V_PKT_META:
	case WEIR_V_MEM:
	case WEIR_V_FUNC: return 0;
	case WEIR_V_MAP_PTR:
		if (op == BPF_ADD && weir_vreg_is_null(num))
			return 0;
		break;
	default: break;
	}
	return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
			   "R%u pointer arithmetic on %s prohibited", dst, weir_vtype_name(ptr));
}

/* dst = ptr +- num where num is one known value: only off moves, all that was proven stays. */
static bool add_constant(struct weir_vreg *dst, const struct weir_vreg *ptr,
			 const struct weir_vreg *num, bool negative)
{
	int64_t value = (int64_t)num->v.var.value;
	int64_t off = negative ? ptr->off - value : ptr->off + value;

	if (!weir_scalar_is_const(&num->v) || off != (int32_t)off)
		return false;
	*dst = *ptr;
	dst->off = (int32_t)off;
	/* "At or behind data_end" survives steps forward only. */
	if (weir_vreg_is_pkt(dst) && dst->range < 0 && off < ptr->off)
		dst->range = 0;
	return true;
}

/*
 * dst = ptr + num, num not known. A packet pointer gets a new identity: what comparisons proved
 * was about the old v. Subtracting keeps what is proven only if it cannot move forward past it,
 * which a non-negative subtrahend guarantees.
 */
static void add_variable(struct weir_env *env, struct weir_vreg *dst, const struct weir_vreg *ptr,
			 const struct weir_vreg *num, bool negative)
{
	struct weir_vreg out = *ptr;
	bool keeps_range = negative && num->v.smin >= 0 && ptr->range > 0;

	weir_scalar_alu(&out.v, &num->v, negative ? BPF_SUB : BPF_ADD, false, false);
	if (weir_vreg_is_pkt(&out)) {
		out.id = ++env->id_gen;
		if (!keeps_range)
			out.range = 0;
	}
	*dst = out;
}

static int pointer_arith(struct weir_env *env, const struct bpf_insn *insn,
			 const struct weir_vreg *ptr, const struct weir_vreg *num, bool ptr_is_dst)
{
	struct weir_vreg *dst = weir_env_reg(env, insn->dst_reg);
	uint8_t op = BPF_OP(insn->code);
	struct weir_vreg out = {0};
	int err;

	if (BPF_CLASS(insn->code) != BPF_ALU64) {
		/* Half of an address is a number; only who may see addresses gets it. */
		if (op == BPF_SUB && env->perfmon) {
			weir_vreg_set_unknown(dst);
			return 0;
		}
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
				   "R%u 32-bit pointer arithmetic prohibited", insn->dst_reg);
	}
	err = check_arith_allowed(env, insn->dst_reg, ptr, num, op);
	if (!err)
		err = check_offset_sane(env, num, ptr);
	if (!err)
		err = check_offset_sane(env, ptr, ptr);
	if (err)
		return err;
	switch (op) {
	case BPF_ADD:
		if (!add_constant(&out, ptr, num, false))
			add_variable(env, &out, ptr, num, false);
		break;
	case BPF_SUB:
		if (!ptr_is_dst)
			return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
					   "R%u tried to subtract pointer from scalar",
					   insn->dst_reg);
		if (ptr->type == WEIR_V_STACK)
			return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
					   "R%u subtraction from stack pointer prohibited",
					   insn->dst_reg);
		if (!add_constant(&out, ptr, num, true))
			add_variable(env, &out, ptr, num, true);
		break;
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
				   "R%u bitwise operator %s on pointer prohibited", insn->dst_reg,
				   op_sign(op));
	default:
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
				   "R%u pointer arithmetic with %s operator prohibited",
				   insn->dst_reg, op_sign(op));
	}
	err = check_offset_sane(env, &out, ptr);
	if (err)
		return err;
	*dst = out;
	return 0;
}

/*
 * A number that stays "base + constant" keeps its link, so that comparing one member narrows the
 * others. Only 64-bit additions of small constants: narrower ones wrap.
 */
static void keep_link(struct weir_vreg *dst, const struct bpf_insn *insn, int64_t addend)
{
	int64_t sum = (int64_t)dst->off + addend;

	if (BPF_CLASS(insn->code) != BPF_ALU64 || !dst->id || addend != (int32_t)addend ||
	    (dst->id & WEIR_ID_ADD_CONST) || sum != (int32_t)sum) {
		dst->id = 0;
		dst->off = 0;
		return;
	}
	dst->id |= WEIR_ID_ADD_CONST;
	dst->off = (int32_t)addend;
}

static void scalar_arith(struct weir_env *env, const struct bpf_insn *insn, struct weir_vreg *dst,
			 const struct weir_vreg *src)
{
	uint8_t op = BPF_OP(insn->code);
	bool is32 = BPF_CLASS(insn->code) == BPF_ALU;
	int64_t addend = 0;
	bool linked = false;

	if (env->bpf_capable && dst->id && op == BPF_ADD && weir_scalar_is_const(&src->v)) {
		addend = (int64_t)src->v.var.value;
		linked = !weir_scalar_is_const(&dst->v);
	}
	weir_scalar_alu(&dst->v, &src->v, op, insn->off == 1, is32);
	if (linked) {
		keep_link(dst, insn, addend);
	} else {
		dst->id = 0;
		dst->off = 0;
	}
}

static int binary(struct weir_env *env, const struct bpf_insn *insn)
{
	struct weir_vreg *dst = weir_env_reg(env, insn->dst_reg);
	uint8_t op = BPF_OP(insn->code);
	struct weir_vreg num;
	int err;

	if (BPF_SRC(insn->code) == BPF_K) {
		weir_vreg_set_const(&num, (uint64_t)(int64_t)insn->imm);
		if (weir_vreg_is_ptr(dst)) {
			struct weir_vreg ptr = *dst;

			return pointer_arith(env, insn, &ptr, &num, true);
		}
		scalar_arith(env, insn, dst, &num);
		return 0;
	}

	struct weir_vreg src = *weir_env_reg(env, insn->src_reg);
	struct weir_vreg old = *dst;

	if (weir_vreg_is_ptr(&src) && weir_vreg_is_ptr(dst)) {
		if (op == BPF_SUB && env->perfmon) {
			weir_vreg_set_unknown(dst);
			return 0;
		}
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
				   "R%u pointer %s pointer prohibited", insn->dst_reg, op_sign(op));
	}
	if (weir_vreg_is_ptr(&src)) {
		err = weir_precision_mark(env, insn->dst_reg);
		return err ? err : pointer_arith(env, insn, &src, &old, false);
	}
	if (weir_vreg_is_ptr(dst)) {
		err = weir_precision_mark(env, insn->src_reg);
		return err ? err : pointer_arith(env, insn, &old, &src, true);
	}
	scalar_arith(env, insn, dst, &src);
	return 0;
}

static int unary(struct weir_env *env, const struct bpf_insn *insn)
{
	struct weir_vreg *dst = weir_env_reg(env, insn->dst_reg);
	bool is32 = BPF_CLASS(insn->code) == BPF_ALU;
	unsigned int bytes = (unsigned int)insn->imm / 8;
	int err = weir_reg_check_src(env, insn->dst_reg);

	if (!err)
		err = weir_reg_check_dst(env, insn->dst_reg);
	if (err)
		return err;
	if (weir_vreg_is_ptr(dst)) {
		if (!env->perfmon)
			return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
					   "R%u pointer arithmetic prohibited", insn->dst_reg);
		weir_vreg_set_unknown(dst);
		return 0;
	}
	dst->id = 0;
	dst->off = 0;
	if (BPF_OP(insn->code) == BPF_NEG) {
		weir_scalar_alu(&dst->v, &dst->v, BPF_NEG, false, is32);
	} else if (!is32 || BPF_SRC(insn->code) == BPF_TO_BE) {
		/* ALU64 END always swaps; TO_BE does so on a little-endian host, which weir's are.
		 */
		weir_scalar_bswap(&dst->v, bytes);
	} else {
		weir_scalar_trunc(&dst->v, bytes);
	}
	return 0;
}

/* A move that changes the value ends the link; one that provably keeps it copies the id. */
static void move_scalar(struct weir_env *env, const struct bpf_insn *insn, struct weir_vreg *src,
			struct weir_vreg *dst, bool is32)
{
	unsigned int bits = insn->off ? (unsigned int)insn->off : is32 ? 32 : 64;
	bool keeps = true;

	if (insn->off)
		keeps = src->v.umax < 1ULL << (bits - 1);
	else if (is32)
		keeps = src->v.umax <= UINT32_MAX;
	if (keeps)
		weir_reg_link(env, src);
	*dst = *src;
	dst->precise = false;
	if (keeps)
		return;
	dst->id = 0;
	dst->off = 0;
	if (insn->off)
		weir_scalar_sext(&dst->v, bits / 8, is32);
	else
		weir_scalar_trunc(&dst->v, 4);
}

static int move_reg(struct weir_env *env, const struct bpf_insn *insn)
{
	struct weir_vreg *src = weir_env_reg(env, insn->src_reg);
	struct weir_vreg *dst = weir_env_reg(env, insn->dst_reg);
	bool is32 = BPF_CLASS(insn->code) == BPF_ALU;

	if (src->type == WEIR_V_SCALAR) {
		move_scalar(env, insn, src, dst, is32);
		return 0;
	}
	if (!is32 && !insn->off) {
		*dst = *src;
		return 0;
	}
	if (weir_reg_is_leak(env, src))
		return is32 ? weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
					  "R%d partial copy of pointer", insn->src_reg)
			    : weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
					  "R%d sign-extension part of pointer", insn->src_reg);
	weir_vreg_set_unknown(dst);
	if (is32)
		weir_scalar_trunc(&dst->v, 4);
	return 0;
}

static int move(struct weir_env *env, const struct bpf_insn *insn)
{
	int err = 0;

	if (BPF_SRC(insn->code) == BPF_X)
		err = weir_reg_check_src(env, insn->src_reg);
	if (!err)
		err = weir_reg_check_dst(env, insn->dst_reg);
	if (err)
		return err;
	if (BPF_SRC(insn->code) == BPF_X)
		return move_reg(env, insn);
	weir_vreg_set_const(weir_env_reg(env, insn->dst_reg), BPF_CLASS(insn->code) == BPF_ALU64
								      ? (uint64_t)(int64_t)insn->imm
								      : (uint32_t)insn->imm);
	return 0;
}

int weir_alu_check(struct weir_env *env, const struct bpf_insn *insn)
{
	int err = 0;

	switch (BPF_OP(insn->code)) {
	case BPF_NEG:
	case BPF_END: return unary(env, insn);
	case BPF_MOV: return move(env, insn);
	default: break;
	}
	if (BPF_SRC(insn->code) == BPF_X)
		err = weir_reg_check_src(env, insn->src_reg);
	if (!err)
		err = weir_reg_check_src(env, insn->dst_reg);
	if (!err)
		err = weir_reg_check_dst(env, insn->dst_reg);
	return err ? err : binary(env, insn);
}
