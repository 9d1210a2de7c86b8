/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arithmetic. Numbers go through the scalar domain; pointers may move by bounded numbers, and what
 * is no movement makes them a number without meaning (or is refused).
 */
#include <inttypes.h>

#include "env.h"

static const char *op_text(uint8_t op)
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
	case BPF_MOD: return "%=";
	case BPF_XOR: return "^=";
	case BPF_ARSH: return "s>>=";
	default: return "?";
	}
}

/*
 * A pointer's offset keeps within +-2^29, so that no sum below, nor off + size in a bounds check,
 * can wrap in 64 bits; the address itself then cannot either.
 */
static int check_offset_sane(struct weir_env *env, const struct weir_vreg *reg, const char *name)
{
	const struct weir_scalar *v = &reg->v;

	if (reg->type != WEIR_V_SCALAR && (reg->off >= MAX_VAR_OFF || reg->off <= -MAX_VAR_OFF))
		return weir_reject(env, -EINVAL, WEIR_REASON_POINTER_OFFSET,
				   "%s pointer offset %d is not allowed", name, reg->off);
	if (weir_scalar_is_const(v) && (v->smin >= MAX_VAR_OFF || v->smin <= -MAX_VAR_OFF))
		return weir_reject(env, -EINVAL, WEIR_REASON_POINTER_OFFSET,
				   "math between %s pointer and %" PRId64 " is not allowed", name,
				   v->smin);
	if (v->smin == INT64_MIN)
		return weir_reject(env, -EINVAL, WEIR_REASON_POINTER_OFFSET,
				   "math between %s pointer and register with unbounded min value "
				   "is not allowed",
				   name);
	if (v->smin >= MAX_VAR_OFF || v->smin <= -MAX_VAR_OFF)
		return weir_reject(env, -EINVAL, WEIR_REASON_POINTER_OFFSET,
				   "value %" PRId64 " makes %s pointer be out of bounds", v->smin,
				   name);
	return 0;
}

static int check_movable(struct weir_env *env, uint32_t regno, const struct weir_vreg *ptr)
{
	const char *name = reg_type_name(ptr);

	if (ptr->flags & WEIR_VF_OR_NULL)
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_OR_NULL_ARITH,
				   "R%u pointer arithmetic on %s prohibited, null-check it first",
				   regno, name);
	switch (ptr->type) {
	case WEIR_V_CTX:
	case WEIR_V_STACK:
	case WEIR_V_MAP_VALUE:
	case WEIR_V_MAP_KEY:
	case WEIR_V_PKT:
	case WEIR_V_PKT_META:
	case WEIR_V_MEM: return 0;
	default:
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
				   "R%u pointer arithmetic on %s prohibited", regno, name);
	}
}

/*
 * dst = ptr + num or ptr - num. A constant moves `off` and keeps what is known of the base; a
 * variable part is added to v, which makes another base: packet ranges were of the old one.
 */
static int move_pointer(struct weir_env *env, uint32_t regno, const struct weir_vreg *ptr,
			const struct weir_vreg *num, uint8_t op)
{
	const char *name = reg_type_name(ptr);
	struct weir_vreg out = *ptr;
	int64_t by = num->v.smin;
	int err = check_movable(env, regno, ptr);

	if (!err)
		err = check_offset_sane(env, num, name);
	if (!err)
		err = check_offset_sane(env, ptr, name);
	if (err)
		return err;
	if (op == BPF_SUB && ptr->type == WEIR_V_STACK && !env->bpf_capable)
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
				   "R%u subtraction from stack pointer prohibited", regno);
	if (weir_scalar_is_const(&num->v)) {
		out.off += (int32_t)(op == BPF_ADD ? by : -by);
	} else {
		weir_scalar_alu(&out.v, &num->v, op, false, false);
		if (weir_vreg_is_pkt(ptr)) {
			out.id = ++env->id_gen;
			out.range = 0;
		}
	}
	if (out.type == WEIR_V_CTX && !weir_scalar_is_const(&out.v))
		return weir_reject(env, -EACCES, WEIR_REASON_CTX_OFFSET,
				   "variable ctx access var_off is not allowed");
	err = check_offset_sane(env, &out, name);
	if (err)
		return err;
	*env_reg(env, regno) = out;
	return 0;
}

/* An operation with a pointer on at least one side. */
static int check_pointer_alu(struct weir_env *env, const struct bpf_insn *insn,
			     const struct weir_vreg *dst, const struct weir_vreg *src)
{
	bool is64 = BPF_CLASS(insn->code) == BPF_ALU64;
	uint32_t regno = insn->dst_reg;
	uint8_t op = BPF_OP(insn->code);

	if (weir_vreg_is_ptr(dst) && weir_vreg_is_ptr(src)) {
		/* the distance of two addresses is a number */
		if (op == BPF_SUB && env->perfmon) {
			weir_vreg_set_unknown(env_reg(env, regno));
			return 0;
		}
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
				   "R%u pointer %s pointer prohibited", regno, op_text(op));
	}
	if (!is64) {
		if (op == BPF_SUB && env->perfmon) {
			weir_vreg_set_unknown(env_reg(env, regno));
			return 0;
		}
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
				   "R%u 32-bit pointer arithmetic prohibited", regno);
	}
	if (op == BPF_ADD)
		return weir_vreg_is_ptr(dst) ? move_pointer(env, regno, dst, src, op)
					     : move_pointer(env, regno, src, dst, op);
	if (op == BPF_SUB && weir_vreg_is_ptr(dst))
		return move_pointer(env, regno, dst, src, op);
	if (op == BPF_SUB)
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
				   "R%u tried to subtract pointer from scalar", regno);
	return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
			   op == BPF_AND || op == BPF_OR || op == BPF_XOR
				   ? "R%u bitwise operator %s on pointer prohibited"
				   : "R%u pointer arithmetic with %s operator prohibited",
			   regno, op_text(op));
}

static int check_binary(struct weir_env *env, const struct bpf_insn *insn)
{
	struct weir_vreg src, dst = *env_reg(env, insn->dst_reg), *out;
	bool is32 = BPF_CLASS(insn->code) == BPF_ALU;
	uint8_t op = BPF_OP(insn->code);

	if (BPF_SRC(insn->code) == BPF_X)
		src = *env_reg(env, insn->src_reg);
	else
		weir_vreg_set_const(&src, (uint64_t)(int64_t)insn->imm);
	if (BPF_SRC(insn->code) == BPF_K && !insn->imm && (op == BPF_DIV || op == BPF_MOD))
		return weir_reject(env, -EINVAL, WEIR_REASON_DIV_ZERO, "div by zero");
	if (BPF_SRC(insn->code) == BPF_K && (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH) &&
	    (insn->imm < 0 || insn->imm >= (is32 ? 32 : 64)))
		return weir_reject(env, -EINVAL, WEIR_REASON_SHIFT_INVALID, "invalid shift %d",
				   insn->imm);
	if (weir_vreg_is_ptr(&dst) || weir_vreg_is_ptr(&src))
		return check_pointer_alu(env, insn, &dst, &src);
	out = env_reg(env, insn->dst_reg);
	/* r ^= r and r -= r are 0, whatever r was. */
	if (BPF_SRC(insn->code) == BPF_X && insn->src_reg == insn->dst_reg &&
	    (op == BPF_XOR || op == BPF_SUB)) {
		weir_vreg_set_const(out, 0);
		return 0;
	}
	weir_vreg_set_unknown(out);
	out->v = dst.v;
	weir_scalar_alu(&out->v, &src.v, op, insn->off == 1, is32);
	return 0;
}

static int check_mov_reg(struct weir_env *env, const struct bpf_insn *insn)
{
	struct weir_vreg *src = env_reg(env, insn->src_reg), *dst = env_reg(env, insn->dst_reg);
	bool is32 = BPF_CLASS(insn->code) == BPF_ALU;
	struct weir_vreg out = *src;

	if (weir_vreg_is_ptr(src)) {
		if (!is32 && !insn->off) {
			*dst = out;
			return 0;
		}
		if (!env->perfmon)
			return weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
					   insn->off ? "R%u sign-extension part of pointer"
						     : "R%u partial copy of pointer",
					   insn->src_reg);
		weir_vreg_set_unknown(dst);
		if (is32)
			weir_scalar_trunc(&dst->v, 4);
		return 0;
	}
	/* Copies of an unknown number are linked: what is learnt of one holds for the others. */
	if (!src->id && !weir_scalar_is_const(&src->v))
		src->id = ++env->id_gen;
	out.id = src->id;
	if (insn->off)
		weir_scalar_sext(&out.v, (unsigned int)insn->off / 8, is32);
	else if (is32)
		weir_scalar_trunc(&out.v, 4);
	if (!weir_scalar_equal(&out.v, &src->v) ||
	    (insn->off && src->v.smax > (1LL << (insn->off - 1)) - 1) ||
	    (insn->off && src->v.smin < -(1LL << (insn->off - 1))))
		out.id = 0; /* not a copy */
	if (weir_scalar_is_const(&out.v))
		out.id = 0;
	if (is32 && src->v.umax > UINT32_MAX)
		out.id = 0;
	out.precise = false;
	*dst = out;
	return 0;
}

static int check_unary(struct weir_env *env, const struct bpf_insn *insn)
{
	struct weir_vreg *reg = env_reg(env, insn->dst_reg);
	uint8_t class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);
	struct weir_scalar v = reg->v;

	if (reg_leaks(env, reg))
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_ARITH,
				   "R%u pointer arithmetic prohibited", insn->dst_reg);
	if (weir_vreg_is_ptr(reg)) {
		weir_vreg_set_unknown(reg);
		return 0;
	}
	weir_vreg_set_unknown(reg);
	reg->v = v;
	if (op == BPF_NEG)
		weir_scalar_alu(&reg->v, &v, op, false, class == BPF_ALU);
	else if (class == BPF_ALU64 || BPF_SRC(insn->code) == BPF_TO_BE)
		weir_scalar_bswap(&reg->v, (unsigned int)insn->imm / 8);
	else /* to little endian, which the host is: the high part goes */
		weir_scalar_trunc(&reg->v, (unsigned int)insn->imm / 8);
	return 0;
}

int alu_check(struct weir_env *env, const struct bpf_insn *insn)
{
	uint8_t op = BPF_OP(insn->code);
	bool unary = op == BPF_NEG || op == BPF_END;
	int err = 0;

	if (!unary && BPF_SRC(insn->code) == BPF_X)
		err = reg_check_read(env, insn->src_reg);
	if (!err && op != BPF_MOV)
		err = reg_check_read(env, insn->dst_reg);
	if (!err)
		err = reg_check_write(env, insn->dst_reg);
	if (err)
		return err;
	if (unary)
		return check_unary(env, insn);
	if (op != BPF_MOV)
		return check_binary(env, insn);
	if (BPF_SRC(insn->code) == BPF_X)
		return check_mov_reg(env, insn);
	weir_vreg_set_const(env_reg(env, insn->dst_reg), BPF_CLASS(insn->code) == BPF_ALU
								 ? (uint32_t)insn->imm
								 : (uint64_t)(int64_t)insn->imm);
	return 0;
}
