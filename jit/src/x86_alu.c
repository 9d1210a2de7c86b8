/* SPDX-License-Identifier: BSD-3-Clause */
/* Arithmetic. 32-bit forms clear the upper half of their register by themselves. */
#include "x86.h"

#include "weir/base/bits.h"

/* The width of an operation, as an encoder flag. */
static unsigned int width_of(const struct jit_insn *insn)
{
	return BPF_CLASS(weir_op_table[insn->op].code) == BPF_ALU64 ? X86_W : 0;
}

static void emit_add_imm(struct x86_ctx *x, unsigned int w, unsigned int dst, int32_t imm, bool sub)
{
	/* 128 fits a byte only as -128. */
	if (imm == 128) {
		imm = -128;
		sub = !sub;
	}
	if (!imm && !w)
		x86_mov32(&x->b, dst, dst);
	else if (imm)
		x86_alu_imm(&x->b, w, sub ? X86_SUB : X86_ADD, dst, imm);
}

static void emit_logic_imm(struct x86_ctx *x, unsigned int w, unsigned int n, unsigned int dst,
			   int32_t imm)
{
	/* Bits that a 64-bit `and` clears in the upper half, the 32-bit one clears as well. */
	if (n == X86_AND && imm >= 0)
		w = 0;
	if (n == X86_AND && imm == 0xff) {
		x86_rr(&x->b, X86_B, 0x0fb6, dst, dst);
		return;
	}
	if (n == X86_AND && imm == 0xffff) {
		x86_rr(&x->b, 0, 0x0fb7, dst, dst);
		return;
	}
	x86_alu_imm(&x->b, w, n, dst, imm);
}

static void emit_mul_imm(struct x86_ctx *x, unsigned int w, unsigned int dst, int32_t imm)
{
	bool small = imm >= INT8_MIN && imm <= INT8_MAX;

	x86_rr(&x->b, w, small ? 0x6b : 0x69, dst, dst);
	if (small)
		x86_byte(&x->b, (uint8_t)imm);
	else
		x86_u32(&x->b, (uint32_t)imm);
}

/* n: position in the shift group: 4 shl, 5 shr, 7 sar. */
static void emit_shift_imm(struct x86_ctx *x, unsigned int w, unsigned int n, unsigned int dst,
			   int64_t imm)
{
	uint8_t count = (uint8_t)(imm & (w ? 63 : 31));

	if (!count) {
		if (!w)
			x86_mov32(&x->b, dst, dst);
	} else if (count == 1) {
		x86_r(&x->b, w, 0xd1, n, dst);
	} else {
		x86_r(&x->b, w, 0xc1, n, dst);
		x86_byte(&x->b, count);
	}
}

static void emit_shift_reg(struct x86_ctx *x, unsigned int w, unsigned int n, unsigned int dst,
			   unsigned int count)
{
	struct x86_buf *b = &x->b;

	if (x->has_bmi2) {
		unsigned int pp = n == 4 ? 1 : n == 7 ? 2 : 3;

		x86_shiftx(b, w, pp, dst, dst, count);
		return;
	}
	if (count == RCX) {
		x86_r(b, w, 0xd3, n, dst);
		return;
	}
	/* The count must be in cl, which is R4: kept aside, or shifted aside if it is the operand.
	 */
	x86_mov(b, R11, RCX);
	x86_mov(b, RCX, count);
	x86_r(b, w, 0xd3, n, dst == RCX ? (unsigned int)R11 : dst);
	x86_mov(b, RCX, R11);
}

struct division {
	unsigned int w;
	bool is_signed;
	bool modulo;
	unsigned int dst;
};

/* dst / -1: the machine traps on the smallest number, so it is done without dividing. */
static void emit_by_minus_one(struct x86_ctx *x, const struct division *d)
{
	if (d->modulo)
		x86_rr(&x->b, 0, 0x31, d->dst, d->dst);
	else
		x86_r(&x->b, d->w, 0xf7, 3, d->dst);
}

/* dst / 0 is 0, dst % 0 is dst. */
static void emit_by_zero(struct x86_ctx *x, const struct division *d)
{
	if (!d->modulo)
		x86_rr(&x->b, 0, 0x31, d->dst, d->dst);
	else if (!d->w)
		x86_mov32(&x->b, d->dst, d->dst);
}

/* The division proper, by r11; rax and rdx (R0, R3) survive unless they are dst. */
static void emit_divide(struct x86_ctx *x, const struct division *d)
{
	struct x86_buf *b = &x->b;

	if (d->dst != RAX) {
		x86_mov(b, R10, RAX);
		x86_mov(b, RAX, d->dst);
	}
	if (d->dst != RDX)
		x86_mov(b, R9, RDX);
	if (d->is_signed) {
		if (d->w)
			x86_byte(b, 0x48);
		x86_byte(b, 0x99); /* cdq or cqo */
		x86_r(b, d->w, 0xf7, 7, R11);
	} else {
		x86_rr(b, 0, 0x31, RDX, RDX);
		x86_r(b, d->w, 0xf7, 6, R11);
	}
	if (d->dst != (d->modulo ? (unsigned int)RDX : (unsigned int)RAX))
		x86_mov(b, d->dst, d->modulo ? RDX : RAX);
	if (d->dst != RAX)
		x86_mov(b, RAX, R10);
	if (d->dst != RDX)
		x86_mov(b, RDX, R9);
}

static void emit_div_reg(struct x86_ctx *x, const struct division *d, unsigned int src)
{
	struct x86_buf *b = &x->b;
	size_t nonzero, end_zero, not_minus_one = 0, end_minus_one = 0;

	x86_mov(b, R11, src);
	x86_rr(b, d->w, 0x85, R11, R11);
	nonzero = x86_skip_start(b, CC_NE);
	emit_by_zero(x, d);
	end_zero = x86_skip_start(b, -1);
	x86_skip_end(b, nonzero);
	if (d->is_signed) {
		x86_alu_imm(b, d->w, X86_CMP, R11, -1);
		not_minus_one = x86_skip_start(b, CC_NE);
		emit_by_minus_one(x, d);
		end_minus_one = x86_skip_start(b, -1);
		x86_skip_end(b, not_minus_one);
	}
	emit_divide(x, d);
	if (d->is_signed)
		x86_skip_end(b, end_minus_one);
	x86_skip_end(b, end_zero);
}

static void emit_div_imm(struct x86_ctx *x, const struct division *d, int64_t imm)
{
	uint64_t value = d->w ? (uint64_t)imm : (uint32_t)imm;

	if (!value) {
		emit_by_zero(x, d);
	} else if (d->is_signed && imm == -1) {
		emit_by_minus_one(x, d);
	} else if (!d->is_signed && weir_is_pow2(value)) {
		if (!d->modulo)
			emit_shift_imm(x, d->w, 5, d->dst, __builtin_ctzll(value));
		else if (value - 1 <= INT32_MAX)
			emit_logic_imm(x, d->w, X86_AND, d->dst, (int32_t)(value - 1));
		else
			/* 2^31 (32 bits) or the constants of 64 bits that sign extension makes. */
			goto divide;
	} else {
	divide:
		x86_mov_imm(&x->b, R11, value);
		emit_divide(x, d);
	}
}

static void emit_byteswap(struct x86_ctx *x, unsigned int dst, unsigned int bits)
{
	unsigned int w = bits == 64 ? X86_W : 0;

	if (bits == 16) {
		x86_r(&x->b, X86_H, 0xc1, 0, dst);
		x86_byte(&x->b, 8);
		x86_rr(&x->b, 0, 0x0fb7, dst, dst);
		return;
	}
	x86_bswap(&x->b, w, dst);
}

static bool emit_convert(struct x86_ctx *x, const struct jit_insn *insn, unsigned int dst,
			 unsigned int src)
{
	struct x86_buf *b = &x->b;

	switch (insn->op) {
	case WEIR_OPI_NEG32: x86_r(b, 0, 0xf7, 3, dst); return true;
	case WEIR_OPI_NEG64: x86_r(b, X86_W, 0xf7, 3, dst); return true;
	case WEIR_OPI_MOV32_K: x86_mov_imm(b, dst, (uint32_t)insn->imm); return true;
	case WEIR_OPI_MOV64_K:
	case WEIR_OPI_LD_IMM64: x86_mov_imm(b, dst, (uint64_t)insn->imm); return true;
	case WEIR_OPI_MOV32_X: x86_mov32(b, dst, src); return true;
	case WEIR_OPI_MOV64_X: x86_mov(b, dst, src); return true;
	case WEIR_OPI_MOVSX32_8: x86_rr(b, X86_B, 0x0fbe, dst, src); return true;
	case WEIR_OPI_MOVSX32_16: x86_rr(b, 0, 0x0fbf, dst, src); return true;
	case WEIR_OPI_MOVSX64_8: x86_rr(b, X86_W, 0x0fbe, dst, src); return true;
	case WEIR_OPI_MOVSX64_16: x86_rr(b, X86_W, 0x0fbf, dst, src); return true;
	case WEIR_OPI_MOVSX64_32: x86_rr(b, X86_W, 0x63, dst, src); return true;
	case WEIR_OPI_LE16: x86_rr(b, 0, 0x0fb7, dst, dst); return true;
	case WEIR_OPI_LE32: x86_mov32(b, dst, dst); return true;
	case WEIR_OPI_LE64: return true;
	case WEIR_OPI_BE16:
	case WEIR_OPI_BSWAP16: emit_byteswap(x, dst, 16); return true;
	case WEIR_OPI_BE32:
	case WEIR_OPI_BSWAP32: emit_byteswap(x, dst, 32); return true;
	case WEIR_OPI_BE64:
	case WEIR_OPI_BSWAP64: emit_byteswap(x, dst, 64); return true;
	case JIT_LEA64: x86_rm(b, X86_W, 0x8d, dst, src, (int32_t)insn->imm); return true;
	case JIT_LEA64_X:
		x86_rmx(b, X86_W, 0x8d, dst, src, x86_reg_of[insn->imm], 1, 0);
		return true;
	case JIT_ROL32:
	case JIT_ROL64:
		if (dst != src)
			x86_mov(b, dst, src);
		x86_r(b, insn->op == JIT_ROL64 ? X86_W : 0, 0xc1, 0, dst);
		x86_byte(b, (uint8_t)insn->imm);
		return true;
	default: return false;
	}
}

/* add, sub, or, and, xor were just emitted for insn. */
static void zero_flag_tells(struct x86_ctx *x, const struct jit_insn *insn)
{
	x->zf_reg = insn->dst;
	x->zf_width = width_of(insn);
}

static bool emit_by_imm(struct x86_ctx *x, const struct jit_insn *insn, unsigned int dst)
{
	unsigned int w = width_of(insn);
	int32_t imm = (int32_t)insn->imm;

	switch (insn->op) {
	case WEIR_OPI_ADD32_K:
	case WEIR_OPI_ADD64_K: emit_add_imm(x, w, dst, imm, false); break;
	case WEIR_OPI_SUB32_K:
	case WEIR_OPI_SUB64_K: emit_add_imm(x, w, dst, imm, true); break;
	case WEIR_OPI_MUL32_K:
	case WEIR_OPI_MUL64_K: emit_mul_imm(x, w, dst, imm); return true;
	case WEIR_OPI_OR32_K:
	case WEIR_OPI_OR64_K: emit_logic_imm(x, w, X86_OR, dst, imm); break;
	case WEIR_OPI_AND32_K:
	case WEIR_OPI_AND64_K: emit_logic_imm(x, w, X86_AND, dst, imm); break;
	case WEIR_OPI_XOR32_K:
	case WEIR_OPI_XOR64_K: emit_logic_imm(x, w, X86_XOR, dst, imm); break;
	case WEIR_OPI_LSH32_K:
	case WEIR_OPI_LSH64_K: emit_shift_imm(x, w, 4, dst, imm); return true;
	case WEIR_OPI_RSH32_K:
	case WEIR_OPI_RSH64_K: emit_shift_imm(x, w, 5, dst, imm); return true;
	case WEIR_OPI_ARSH32_K:
	case WEIR_OPI_ARSH64_K: emit_shift_imm(x, w, 7, dst, imm); return true;
	default: return false;
	}
	/* Those that emit no arithmetic leave the flags alone. */
	if (imm && !(imm == 0xff || imm == 0xffff))
		zero_flag_tells(x, insn);
	return true;
}

static bool emit_by_reg(struct x86_ctx *x, const struct jit_insn *insn, unsigned int dst,
			unsigned int src)
{
	struct x86_buf *b = &x->b;
	unsigned int w = width_of(insn);

	switch (insn->op) {
	case WEIR_OPI_ADD32_X:
	case WEIR_OPI_ADD64_X: x86_rr(b, w, 0x01, src, dst); break;
	case WEIR_OPI_SUB32_X:
	case WEIR_OPI_SUB64_X: x86_rr(b, w, 0x29, src, dst); break;
	case WEIR_OPI_OR32_X:
	case WEIR_OPI_OR64_X: x86_rr(b, w, 0x09, src, dst); break;
	case WEIR_OPI_AND32_X:
	case WEIR_OPI_AND64_X: x86_rr(b, w, 0x21, src, dst); break;
	case WEIR_OPI_XOR32_X:
	case WEIR_OPI_XOR64_X: x86_rr(b, w, 0x31, src, dst); break;
	case WEIR_OPI_MUL32_X:
	case WEIR_OPI_MUL64_X: x86_rr(b, w, 0x0faf, dst, src); return true;
	case WEIR_OPI_LSH32_X:
	case WEIR_OPI_LSH64_X: emit_shift_reg(x, w, 4, dst, src); return true;
	case WEIR_OPI_RSH32_X:
	case WEIR_OPI_RSH64_X: emit_shift_reg(x, w, 5, dst, src); return true;
	case WEIR_OPI_ARSH32_X:
	case WEIR_OPI_ARSH64_X: emit_shift_reg(x, w, 7, dst, src); return true;
	default: return false;
	}
	zero_flag_tells(x, insn);
	return true;
}

static bool emit_division(struct x86_ctx *x, const struct jit_insn *insn, unsigned int dst,
			  unsigned int src)
{
	struct division d = {.w = 0, .dst = dst};
	uint8_t code;

	if (insn->op < WEIR_OPI_DIV32_K || insn->op > WEIR_OPI_SMOD64_X)
		return false;
	code = weir_op_table[insn->op].code;
	d.w = width_of(insn);
	d.modulo = BPF_OP(code) == BPF_MOD;
	d.is_signed = weir_op_table[insn->op].sub == 1;
	if (BPF_SRC(code) == BPF_X)
		emit_div_reg(x, &d, src);
	else
		emit_div_imm(x, &d, insn->imm);
	return true;
}

bool x86_emit_alu(struct x86_ctx *x, const struct jit_insn *insn)
{
	unsigned int dst = x86_reg_of[insn->dst];
	unsigned int src = x86_reg_of[insn->src];

	if (emit_convert(x, insn, dst, src))
		return true;
	/* Behind this are operations of the ISA table only. */
	if (insn->op >= WEIR_OPI_COUNT)
		return false;
	return emit_by_imm(x, insn, dst) || emit_by_reg(x, insn, dst, src) ||
	       emit_division(x, insn, dst, src);
}
