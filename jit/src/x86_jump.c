/* SPDX-License-Identifier: BSD-3-Clause */
/* Conditional jumps: compare or test, then jump. */
#include "x86.h"

static enum x86_cond cond_of(uint8_t bpf_op)
{
	switch (bpf_op) {
	case BPF_JEQ: return CC_E;
	case BPF_JGT: return CC_A;
	case BPF_JGE: return CC_AE;
	case BPF_JLT: return CC_B;
	case BPF_JLE: return CC_BE;
	case BPF_JSGT: return CC_G;
	case BPF_JSGE: return CC_GE;
	case BPF_JSLT: return CC_L;
	case BPF_JSLE: return CC_LE;
	default: return CC_NE; /* JNE, JSET */
	}
}

static void emit_test_imm(struct x86_ctx *x, unsigned int w, unsigned int reg, int32_t imm)
{
	/* A mask without upper bits tests the lower half only. */
	if (imm >= 0)
		w = 0;
	if (imm >= 0 && imm <= 0x7f) {
		if (reg == RAX) {
			x86_byte(&x->b, 0xa8);
		} else {
			x86_rr(&x->b, X86_B, 0xf6, 0, reg);
		}
		x86_byte(&x->b, (uint8_t)imm);
		return;
	}
	x86_r(&x->b, w, 0xf7, 0, reg);
	x86_u32(&x->b, (uint32_t)imm);
}

static void emit_compare(struct x86_ctx *x, const struct jit_insn *insn, uint8_t code)
{
	unsigned int dst = x86_reg_of[insn->dst], src = x86_reg_of[insn->src];
	unsigned int w = BPF_CLASS(code) == BPF_JMP ? X86_W : 0;

	if (BPF_SRC(code) == BPF_X)
		x86_rr(&x->b, w, BPF_OP(code) == BPF_JSET ? 0x85 : 0x39, src, dst);
	else if (BPF_OP(code) == BPF_JSET)
		emit_test_imm(x, w, dst, (int32_t)insn->imm);
	else if (!insn->imm && (BPF_OP(code) == BPF_JEQ || BPF_OP(code) == BPF_JNE) &&
		 x->zf_reg == insn->dst && (x->zf_width == w || !x->zf_width))
		return; /* the instruction before has told */
	else if (!insn->imm)
		/* cmp with 0: same flags (carry and overflow clear), shorter */
		x86_rr(&x->b, w, 0x85, dst, dst);
	else
		x86_alu_imm(&x->b, w, X86_CMP, dst, (int32_t)insn->imm);
}

/* Nothing but removed instructions between a jump and its target? */
static bool falls_into(const struct x86_ctx *x, uint32_t idx, uint32_t target)
{
	if (target <= idx)
		return false;
	for (uint32_t i = idx + 1; i < target; i++) {
		if (x->prog->insns[i].op != JIT_NOP)
			return false;
	}
	return true;
}

static void emit_cond(struct x86_ctx *x, uint32_t idx, const struct jit_insn *insn)
{
	uint8_t code = weir_op_table[insn->op].code;

	if (falls_into(x, idx, insn->target))
		return;
	emit_compare(x, insn, code);
	x86_jcc(&x->b, cond_of(BPF_OP(code)), insn->target);
}

bool x86_emit_jump(struct x86_ctx *x, uint32_t idx)
{
	const struct jit_insn *insn = &x->prog->insns[idx];

	switch (insn->op) {
	case WEIR_OPI_JA:
	case WEIR_OPI_JA_LONG:
		if (!falls_into(x, idx, insn->target))
			x86_jmp(&x->b, insn->target);
		break;
	case WEIR_OPI_CALL_HELPER:
	case WEIR_OPI_CALL_LOCAL: x86_emit_call(x, insn); break;
	case WEIR_OPI_EXIT: x86_emit_exit(x); break;
	case WEIR_OPI_TAIL_CALL: x86_emit_tail_call(x, idx); break;
	case WEIR_OPI_BUDGET: x86_emit_budget(x); break;
	default:
		if (!jit_insn_is_cond(insn))
			return false;
		emit_cond(x, idx, insn);
		break;
	}
	x->zf_reg = -1;
	return true;
}
