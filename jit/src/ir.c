/* SPDX-License-Identifier: BSD-3-Clause */
#include "ir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REG(r)    ((uint16_t)(1U << (r)))
#define CALL_ARGS (REG(1) | REG(2) | REG(3) | REG(4) | REG(5))

void jit_prog_clear(struct jit_prog *prog)
{
	free(prog->insns);
	free(prog->funcs);
	memset(prog, 0, sizeof(*prog));
}

bool jit_insn_is_cond(const struct jit_insn *insn)
{
	return insn->op >= WEIR_OPI_JEQ32_K && insn->op <= WEIR_OPI_JSET64_X;
}

bool jit_insn_ends_block(const struct jit_insn *insn)
{
	return jit_insn_is_cond(insn) || insn->op == WEIR_OPI_JA || insn->op == WEIR_OPI_JA_LONG ||
	       insn->op == WEIR_OPI_EXIT;
}

/* Opcode classes of what is still an operation of the ISA. */
static uint8_t code_of(const struct jit_insn *insn)
{
	return weir_op_table[insn->op].code;
}

static uint16_t alu_reads(const struct jit_insn *insn)
{
	uint8_t code = code_of(insn);
	uint16_t reads = 0;

	if (BPF_OP(code) != BPF_MOV)
		reads |= REG(insn->dst);
	if (BPF_SRC(code) == BPF_X && BPF_OP(code) != BPF_END && BPF_OP(code) != BPF_NEG)
		reads |= REG(insn->src);
	return reads;
}

static bool is_cmpxchg(const struct jit_insn *insn)
{
	return insn->op == WEIR_OPI_ATOMIC_CMPXCHG32 || insn->op == WEIR_OPI_ATOMIC_CMPXCHG64;
}

static bool is_load_acquire(const struct jit_insn *insn)
{
	return BPF_MODE(code_of(insn)) == BPF_ATOMIC && weir_op_table[insn->op].sub == BPF_LOAD_ACQ;
}

static uint16_t jump_reads(const struct jit_insn *insn)
{
	switch (insn->op) {
	case WEIR_OPI_CALL_HELPER:
	case WEIR_OPI_CALL_LOCAL: return CALL_ARGS;
	case WEIR_OPI_TAIL_CALL: return REG(1) | REG(2) | REG(3);
	case WEIR_OPI_EXIT: return REG(0);
	case WEIR_OPI_JA:
	case WEIR_OPI_JA_LONG:
	case WEIR_OPI_BUDGET: return 0;
	default:
		return REG(insn->dst) |
		       (BPF_SRC(code_of(insn)) == BPF_X ? REG(insn->src) : (uint16_t)0);
	}
}

uint16_t jit_insn_reads(const struct jit_insn *insn)
{
	switch (insn->op) {
	case JIT_NOP: return 0;
	case JIT_LEA64_X: return REG(insn->src) | REG(insn->imm);
	case JIT_LEA64:
	case JIT_ROL32:
	case JIT_ROL64:
	case JIT_LDX_BE16:
	case JIT_LDX_BE32:
	case JIT_LDX_BE64: return REG(insn->src);
	default: break;
	}
	switch (BPF_CLASS(code_of(insn))) {
	case BPF_ALU:
	case BPF_ALU64: return alu_reads(insn);
	case BPF_JMP:
	case BPF_JMP32: return jump_reads(insn);
	case BPF_LDX: return REG(insn->src);
	case BPF_ST: return REG(insn->dst);
	case BPF_STX:
		if (is_load_acquire(insn))
			return REG(insn->src);
		return REG(insn->dst) | REG(insn->src) | (is_cmpxchg(insn) ? REG(0) : (uint16_t)0);
	default: return 0;
	}
}

uint16_t jit_insn_writes(const struct jit_insn *insn)
{
	if (insn->op == JIT_NOP)
		return 0;
	if (insn->op > WEIR_OPI_COUNT)
		return REG(insn->dst);
	switch (BPF_CLASS(code_of(insn))) {
	case BPF_ALU:
	case BPF_ALU64:
	case BPF_LD:
	case BPF_LDX: return REG(insn->dst);
	case BPF_STX:
		if (is_cmpxchg(insn))
			return REG(0);
		if (is_load_acquire(insn))
			return REG(insn->dst);
		if (BPF_MODE(code_of(insn)) == BPF_ATOMIC &&
		    (weir_op_table[insn->op].sub & BPF_FETCH) &&
		    weir_op_table[insn->op].sub != BPF_STORE_REL)
			return REG(insn->src);
		return 0;
	default: break;
	}
	switch (insn->op) {
	case WEIR_OPI_CALL_HELPER:
	case WEIR_OPI_CALL_LOCAL: return REG(0) | CALL_ARGS;
	case WEIR_OPI_TAIL_CALL: return REG(0);
	default: return 0;
	}
}

/* The function that starts at an instruction, or -1. */
static int32_t func_at(const struct weir_prog_low *low, int64_t insn_idx)
{
	uint32_t from = 0, to = low->subprog_count;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (low->subprogs[mid].start == insn_idx)
			return (int32_t)mid;
		if (low->subprogs[mid].start < insn_idx)
			from = mid + 1;
		else
			to = mid;
	}
	return -1;
}

static int decode_insn(const struct weir_prog_low *low, uint32_t idx, struct jit_insn *out,
		       struct weir_diag *diag)
{
	const struct bpf_insn *insn = &low->insns[idx];
	enum weir_op op = weir_isa_decode(insn);

	if (op == WEIR_OPI_INVALID || !(weir_op_table[op].level & WEIR_ISA_LOW))
		return weir_fail(diag, -EINVAL,
				 "insn %u: opcode %02x is not of the internal instruction set", idx,
				 insn->code);
	out->op = (uint8_t)op;
	out->dst = insn->dst_reg;
	out->src = insn->src_reg;
	out->off = insn->off;
	out->imm = insn->imm;
	if (op == WEIR_OPI_LD_IMM64)
		out->imm = (int64_t)((uint64_t)(uint32_t)insn->imm | (uint64_t)(uint32_t)insn[1].imm
									     << 32);
	if (weir_isa_is_jump(insn) && op != WEIR_OPI_TAIL_CALL)
		out->target = (uint32_t)weir_isa_jump_target(insn, idx);
	else if (op == WEIR_OPI_CALL_LOCAL)
		out->imm = func_at(low, (int64_t)idx + 1 + insn->imm);
	/* A call of main would be a recursion. */
	if (op == WEIR_OPI_CALL_LOCAL && out->imm <= 0)
		return weir_fail(diag, -EINVAL, "insn %u: calls what is no function", idx);
	if (op == WEIR_OPI_CALL_HELPER && (uint32_t)insn->imm >= low->call_count)
		return weir_fail(diag, -EINVAL, "insn %u: helper call %d of %u", idx, insn->imm,
				 low->call_count);
	return 0;
}

static void mark_targets(struct jit_prog *prog)
{
	for (uint32_t i = 0; i < prog->insn_count; i++)
		prog->insns[i].is_target = false;
	for (uint32_t i = 0; i < prog->func_count; i++)
		prog->insns[prog->funcs[i].start].is_target = true;
	for (uint32_t i = 0; i < prog->insn_count; i++) {
		const struct jit_insn *insn = &prog->insns[i];

		if (jit_insn_ends_block(insn) && insn->op != WEIR_OPI_EXIT)
			prog->insns[insn->target].is_target = true;
	}
}

static void survey_insn(struct jit_prog *prog, struct jit_func *func, const struct jit_insn *insn)
{
	func->regs |= jit_insn_reads(insn) | jit_insn_writes(insn);
	switch (insn->op) {
	case WEIR_OPI_CALL_HELPER:
		func->calls = true;
		func->uses_exec = true;
		break;
	case WEIR_OPI_CALL_LOCAL: func->calls = true; break;
	case WEIR_OPI_BUDGET:
		prog->has_budget = true;
		func->calls = true;
		func->uses_exec = true;
		break;
	case WEIR_OPI_TAIL_CALL:
		prog->has_tail_call = true;
		func->has_tail_call = true;
		func->uses_exec = true;
		break;
	default: break;
	}
}

void jit_prog_survey(struct jit_prog *prog)
{
	prog->has_tail_call = false;
	prog->has_budget = false;
	prog->uses_exec = false;
	for (uint32_t f = 0; f < prog->func_count; f++) {
		struct jit_func *func = &prog->funcs[f];

		func->regs = 0;
		func->calls = false;
		func->uses_exec = false;
		func->has_tail_call = false;
		for (uint32_t i = func->start; i < func->end; i++)
			survey_insn(prog, func, &prog->insns[i]);
		prog->uses_exec |= func->uses_exec;
	}
	mark_targets(prog);
}

int jit_prog_decode(const struct weir_prog_low *low, struct weir_diag *diag, struct jit_prog *out)
{
	memset(out, 0, sizeof(*out));
	out->low = low;
	out->insn_count = low->insn_count;
	out->func_count = low->subprog_count;
	out->insns = calloc(low->insn_count, sizeof(*out->insns));
	out->funcs = calloc(low->subprog_count, sizeof(*out->funcs));
	if (!out->insns || !out->funcs)
		return -ENOMEM;
	for (uint32_t i = 0; i < low->insn_count; i++) {
		int err = decode_insn(low, i, &out->insns[i], diag);

		if (err)
			return err;
		if (out->insns[i].op == WEIR_OPI_LD_IMM64)
			out->insns[++i].op = JIT_NOP;
	}
	for (uint32_t f = 0; f < low->subprog_count; f++) {
		out->funcs[f].start = low->subprogs[f].start;
		out->funcs[f].end =
			f + 1 < low->subprog_count ? low->subprogs[f + 1].start : low->insn_count;
		out->funcs[f].stack_bytes = low->subprogs[f].stack_bytes;
	}
	jit_prog_survey(out);
	return 0;
}
