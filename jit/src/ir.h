/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the optimiser works on and the backends select from: the internal ISA decoded, one entry an
 * instruction slot, at the same index. Removed instructions become JIT_NOP, so jumps stay valid.
 */
#ifndef WEIR_JIT_SRC_IR_H
#define WEIR_JIT_SRC_IR_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/vm/isa.h"
#include "weir/vm/prog.h"

/* Operations beside enum weir_op's that only the optimiser makes. */
enum jit_op {
	JIT_NOP = WEIR_OPI_COUNT + 1,
	JIT_LEA64,   /* dst = src + imm (imm fits 32 bits) */
	JIT_LEA64_X, /* dst = src + register number `imm` */
	JIT_ROL32,   /* dst = (u32)src rotated left by imm */
	JIT_ROL64,
	JIT_LDX_BE16, /* big-endian loads */
	JIT_LDX_BE32,
	JIT_LDX_BE64,
	JIT_OP_COUNT,
};

_Static_assert(JIT_OP_COUNT <= UINT8_MAX, "operations are kept in bytes");

struct jit_insn {
	uint8_t op; /* enum weir_op or enum jit_op */
	uint8_t dst;
	uint8_t src;
	bool is_target;  /* something jumps here */
	int32_t off;     /* may outgrow 16 bits when addresses are folded */
	int64_t imm;     /* sign-extended; LD_IMM64: all 64 bits; local calls: funcs[] index */
	uint32_t target; /* jumps: instruction index */
};

struct jit_func {
	uint32_t start;
	uint32_t end; /* one past */
	uint32_t stack_bytes;
	uint16_t regs; /* bit i: Ri is read or written */
	bool calls; /* helpers, functions or the budget's slow path: the stack below is not ours */
	bool uses_exec; /* itself, not by way of what it calls */
	bool has_tail_call;
};

struct jit_prog {
	const struct weir_prog_low *low; /* borrowed */
	struct jit_insn *insns;
	uint32_t insn_count;
	struct jit_func *funcs;
	uint32_t func_count;
	bool has_tail_call;
	bool has_budget;
	bool uses_exec;
};

/* 0; -ENOMEM; -EINVAL if low holds what is not of the internal ISA. clear() frees, also after
 * errors. */
int jit_prog_decode(const struct weir_prog_low *low, struct weir_diag *diag, struct jit_prog *out);
void jit_prog_clear(struct jit_prog *prog);
/* Fills what funcs[] and the flags say about the instructions as they now are. */
void jit_prog_survey(struct jit_prog *prog);

/* Registers that an instruction reads and writes, as bit masks. */
uint16_t jit_insn_reads(const struct jit_insn *insn);
uint16_t jit_insn_writes(const struct jit_insn *insn);
bool jit_insn_is_cond(const struct jit_insn *insn);
/* Ends a basic block: jumps, exit. */
bool jit_insn_ends_block(const struct jit_insn *insn);

/* Rewrites prog in place. 0 or -ENOMEM (then prog is as good as before). */
int jit_optimise(struct jit_prog *prog);

#endif
