/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The x86-64 target: where BPF's registers live and what its parts share.
 *
 *   R0 rax   R1 rdi  R2 rsi  R3 rdx  R4 rcx  R5 r8     the C calling convention's result and
 *                                                      arguments, so calls need no moves
 *   R6 rbx   R7 r13  R8 r14  R9 r15  R10 rbp           saved by callees, as BPF wants them
 *   r12                                                struct weir_exec *
 *   r9 r10 r11                                         scratch within one instruction
 */
#ifndef WEIR_JIT_SRC_X86_H
#define WEIR_JIT_SRC_X86_H

#include "ir.h"
#include "x86_emit.h"

#define X86_EXEC       R12
#define X86_MAX_SAVE   6
/* Traps before the entry: checkers of function types (clang's, kCFI) look there. */
#define X86_LEAD_BYTES 16

extern const uint8_t x86_reg_of[16]; /* index: BPF register */

/* One function's frame: return address, saved registers, the abort slot, stack. */
struct x86_frame {
	uint8_t saved[X86_MAX_SAVE];
	uint32_t saved_count;
	bool abort_slot;     /* the run may be left from here on: see x86_frame.c */
	uint32_t room_bytes; /* subtracted from rsp for the stack */
};

/* A jump out of the way of the hot code: the slow half of a budget check. */
struct x86_cold {
	uint32_t label;
	uint32_t back;
};

struct x86_ctx {
	struct x86_buf b;
	const struct jit_prog *prog;
	const struct jit_func *func; /* being compiled */
	struct x86_frame frame;      /* of func */
	struct x86_frame main_frame;
	WEIR_VEC(struct x86_cold) cold;
	uint32_t func_labels; /* the first of one a function */
	uint32_t entry_label; /* the machine code's first byte */
	uint32_t body_label;  /* behind the main entry's set-up of the run */
	uint32_t tail_label;
	uint32_t thunk_label; /* the budget's slow half; UINT32_MAX: not used */
	uint32_t abort_label; /* where a run that is given up lands in its entry's frame */
	uint64_t near_lo;     /* the code will be somewhere in [near_lo, near_hi) */
	uint64_t near_hi;
	/*
	 * Keeps exec->trips_left while the program runs, if it leaves one of the saved registers
	 * free: counting in memory costs a loop several cycles a trip. 0 (rax): none is free.
	 */
	unsigned int trips_reg;
	/*
	 * The zero flag tells whether this BPF register, at this width (as an encoder flag), is
	 * zero; -1: it tells nothing. Set by what emits an instruction, for the one behind it.
	 */
	int zf_reg;
	unsigned int zf_width;
	bool has_bmi2;
	bool has_movbe;
};

/* Labels 0 … insn_count - 1 are the instructions. */

/* x86_frame.c */
void x86_choose_trips_reg(struct x86_ctx *x);
void x86_enter_func(struct x86_ctx *x, uint32_t func_idx);
void x86_leave_func(struct x86_ctx *x); /* all of the epilogue but the return */
void x86_emit_exit(struct x86_ctx *x);
void x86_emit_call(struct x86_ctx *x, const struct jit_insn *insn);
void x86_emit_tail_call(struct x86_ctx *x, uint32_t idx);
void x86_emit_budget(struct x86_ctx *x);
void x86_emit_entry(struct x86_ctx *x); /* before the first function */
void x86_emit_cold(struct x86_ctx *x);  /* behind the last one */

/* x86_alu.c, x86_mem.c, x86_jump.c: false if insn is none of theirs */
bool x86_emit_alu(struct x86_ctx *x, const struct jit_insn *insn);
bool x86_emit_mem(struct x86_ctx *x, const struct jit_insn *insn);
bool x86_emit_jump(struct x86_ctx *x, uint32_t idx);

/* Compiles prog into x->b, finished but for x86_relocate(). x86_ctx_clear() afterwards, always. */
int x86_compile(struct x86_ctx *x, const struct jit_prog *prog, uint64_t near_lo, uint64_t near_hi,
		bool baseline);
void x86_ctx_clear(struct x86_ctx *x);

#endif
