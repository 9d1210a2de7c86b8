/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads, stores and atomics. The machine orders loads and stores as acquire and release want it. */
#include "x86.h"

static void emit_swapped_load(struct x86_ctx *x, unsigned int w, unsigned int dst, unsigned int src,
			      int32_t off)
{
	if (x->has_movbe) {
		x86_rm(&x->b, w, 0x0f38f0, dst, src, off);
		return;
	}
	x86_rm(&x->b, w, 0x8b, dst, src, off);
	x86_bswap(&x->b, w, dst);
}

static bool emit_load(struct x86_ctx *x, const struct jit_insn *insn)
{
	struct x86_buf *b = &x->b;
	unsigned int dst = x86_reg_of[insn->dst], src = x86_reg_of[insn->src];

	switch (insn->op) {
	case WEIR_OPI_LDX_B:
	case WEIR_OPI_LOAD_ACQ8: x86_rm(b, 0, 0x0fb6, dst, src, insn->off); return true;
	case WEIR_OPI_LDX_H:
	case WEIR_OPI_LOAD_ACQ16: x86_rm(b, 0, 0x0fb7, dst, src, insn->off); return true;
	case WEIR_OPI_LDX_W:
	case WEIR_OPI_LOAD_ACQ32: x86_rm(b, 0, 0x8b, dst, src, insn->off); return true;
	case WEIR_OPI_LDX_DW:
	case WEIR_OPI_LOAD_ACQ64: x86_rm(b, X86_W, 0x8b, dst, src, insn->off); return true;
	case WEIR_OPI_LDXSX_B: x86_rm(b, X86_W, 0x0fbe, dst, src, insn->off); return true;
	case WEIR_OPI_LDXSX_H: x86_rm(b, X86_W, 0x0fbf, dst, src, insn->off); return true;
	case WEIR_OPI_LDXSX_W: x86_rm(b, X86_W, 0x63, dst, src, insn->off); return true;
	case JIT_LDX_BE16:
		x86_rm(b, 0, 0x0fb7, dst, src, insn->off);
		x86_r(b, X86_H, 0xc1, 0, dst);
		x86_byte(b, 8);
		return true;
	case JIT_LDX_BE32: emit_swapped_load(x, 0, dst, src, insn->off); return true;
	case JIT_LDX_BE64: emit_swapped_load(x, X86_W, dst, src, insn->off); return true;
	default: return false;
	}
}

static bool emit_store(struct x86_ctx *x, const struct jit_insn *insn)
{
	struct x86_buf *b = &x->b;
	unsigned int dst = x86_reg_of[insn->dst], src = x86_reg_of[insn->src];

	switch (insn->op) {
	case WEIR_OPI_STX_B:
	case WEIR_OPI_STORE_REL8: x86_rm(b, X86_B, 0x88, src, dst, insn->off); return true;
	case WEIR_OPI_STX_H:
	case WEIR_OPI_STORE_REL16: x86_rm(b, X86_H, 0x89, src, dst, insn->off); return true;
	case WEIR_OPI_STX_W:
	case WEIR_OPI_STORE_REL32: x86_rm(b, 0, 0x89, src, dst, insn->off); return true;
	case WEIR_OPI_STX_DW:
	case WEIR_OPI_STORE_REL64: x86_rm(b, X86_W, 0x89, src, dst, insn->off); return true;
	case WEIR_OPI_ST_B:
		x86_rm(b, 0, 0xc6, 0, dst, insn->off);
		x86_byte(b, (uint8_t)insn->imm);
		return true;
	case WEIR_OPI_ST_H:
		x86_rm(b, X86_H, 0xc7, 0, dst, insn->off);
		x86_byte(b, (uint8_t)insn->imm);
		x86_byte(b, (uint8_t)(insn->imm >> 8));
		return true;
	case WEIR_OPI_ST_W:
	case WEIR_OPI_ST_DW:
		x86_rm(b, insn->op == WEIR_OPI_ST_DW ? X86_W : 0, 0xc7, 0, dst, insn->off);
		x86_u32(b, (uint32_t)insn->imm);
		return true;
	default: return false;
	}
}

/*
 * fetch_or, fetch_and and fetch_xor: a loop around cmpxchg, whose accumulator is R0's register. r9
 * keeps R0, and stands in for it where it is the address or the operand.
 */
static void emit_fetch_loop(struct x86_ctx *x, const struct jit_insn *insn, unsigned int w,
			    uint32_t opcode)
{
	struct x86_buf *b = &x->b;
	unsigned int base = x86_reg_of[insn->dst], src = x86_reg_of[insn->src];
	unsigned int operand = src == RAX ? (unsigned int)R9 : src;
	size_t again;

	x86_mov(b, R9, RAX);
	if (base == RAX)
		base = R9;
	x86_rm(b, w, 0x8b, RAX, base, insn->off);
	again = b->code.len;
	x86_rr(b, w, 0x89, RAX, R11);
	x86_rr(b, w, opcode, operand, R11);
	x86_rm(b, w | X86_LOCK, 0x0fb1, R11, base, insn->off);
	x86_byte(b, 0x70 | CC_NE);
	x86_byte(b, (uint8_t)(again - (b->code.len + 1)));
	if (src == RAX) /* the old value is where it belongs */
		return;
	x86_rr(b, w, 0x89, RAX, src);
	x86_mov(b, RAX, R9);
}

static bool emit_atomic(struct x86_ctx *x, const struct jit_insn *insn)
{
	struct x86_buf *b = &x->b;
	unsigned int dst = x86_reg_of[insn->dst], src = x86_reg_of[insn->src];
	unsigned int w = BPF_SIZE(weir_op_table[insn->op].code) == BPF_DW ? X86_W : 0;

	switch (weir_op_table[insn->op].sub) {
	case BPF_ADD: x86_rm(b, w | X86_LOCK, 0x01, src, dst, insn->off); return true;
	case BPF_OR: x86_rm(b, w | X86_LOCK, 0x09, src, dst, insn->off); return true;
	case BPF_AND: x86_rm(b, w | X86_LOCK, 0x21, src, dst, insn->off); return true;
	case BPF_XOR: x86_rm(b, w | X86_LOCK, 0x31, src, dst, insn->off); return true;
	case BPF_ADD | BPF_FETCH: x86_rm(b, w | X86_LOCK, 0x0fc1, src, dst, insn->off); return true;
	case BPF_OR | BPF_FETCH: emit_fetch_loop(x, insn, w, 0x09); return true;
	case BPF_AND | BPF_FETCH: emit_fetch_loop(x, insn, w, 0x21); return true;
	case BPF_XOR | BPF_FETCH: emit_fetch_loop(x, insn, w, 0x31); return true;
	case BPF_XCHG: x86_rm(b, w, 0x87, src, dst, insn->off); return true;
	case BPF_CMPXCHG:
		x86_rm(b, w | X86_LOCK, 0x0fb1, src, dst, insn->off);
		if (!w) /* eax is written on failure only */
			x86_mov32(b, RAX, RAX);
		return true;
	default: return false;
	}
}

bool x86_emit_mem(struct x86_ctx *x, const struct jit_insn *insn)
{
	if (emit_load(x, insn) || emit_store(x, insn))
		return true;
	if (insn->op >= WEIR_OPI_COUNT)
		return false;

	uint8_t code = weir_op_table[insn->op].code;

	return BPF_CLASS(code) == BPF_STX && BPF_MODE(code) == BPF_ATOMIC && emit_atomic(x, insn);
}
