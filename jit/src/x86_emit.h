/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The x86-64 encoder: bytes into a growing buffer, and jumps by label. Every jump is first laid out
 * in its long form and recorded; x86_finish() shortens what fits and resolves them.
 * Errors (memory) stick in `err`, so that callers need to look once.
 */
#ifndef WEIR_JIT_SRC_X86_EMIT_H
#define WEIR_JIT_SRC_X86_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/base/vec.h"

enum x86_reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

enum x86_cond {
	CC_B = 2,
	CC_AE = 3,
	CC_E = 4,
	CC_NE = 5,
	CC_BE = 6,
	CC_A = 7,
	CC_S = 8,
	CC_L = 12,
	CC_GE = 13,
	CC_LE = 14,
	CC_G = 15,
};

/* Flags of the operand forms. */
#define X86_W    (1U << 0) /* 64-bit operands */
#define X86_H    (1U << 1) /* 16-bit operands */
#define X86_B    (1U << 2) /* the register operand is a byte register */
#define X86_LOCK (1U << 3)

/* Opcodes above 0xff are of the 0f map (0x0fb6), above 0xffff of the 0f 38 map (0x0f38f0). */

enum x86_fix_kind {
	X86_FIX_JMP,
	X86_FIX_JCC,
	X86_FIX_CALL,     /* to a label */
	X86_FIX_LEA,      /* lea reg, [rip + label] */
	X86_FIX_CALL_ABS, /* to an address outside */
};

struct x86_fix {
	uint32_t pos; /* of the instruction */
	uint32_t label;
	uint64_t address; /* X86_FIX_CALL_ABS */
	uint8_t kind;
	uint8_t cond;
	uint8_t long_bytes; /* length of the long form; its last 4 bytes are the distance */
	bool is_short;
};

struct x86_buf {
	WEIR_VEC(uint8_t) code;
	WEIR_VEC(struct x86_fix) fixes;
	WEIR_VEC(uint32_t) labels; /* positions; UINT32_MAX: not placed */
	int err;
};

void x86_buf_clear(struct x86_buf *b);

/* Labels. */
uint32_t x86_label_new(struct x86_buf *b, uint32_t count); /* the first of `count` */
void x86_label_place(struct x86_buf *b, uint32_t label);

/* Raw bytes. */
void x86_byte(struct x86_buf *b, uint8_t byte);
void x86_u32(struct x86_buf *b, uint32_t v);

/* reg and rm registers. */
void x86_rr(struct x86_buf *b, unsigned int flags, uint32_t opcode, unsigned int reg,
	    unsigned int rm);
/* Same, `op` an opcode extension in the reg field. */
static inline void x86_r(struct x86_buf *b, unsigned int flags, uint32_t opcode, unsigned int op,
			 unsigned int rm)
{
	x86_rr(b, flags, opcode, op, rm);
}
/* reg and memory [base + disp]. */
void x86_rm(struct x86_buf *b, unsigned int flags, uint32_t opcode, unsigned int reg,
	    unsigned int base, int32_t disp);
/* reg and memory [base + index * scale + disp], scale 1, 2, 4 or 8. */
void x86_rmx(struct x86_buf *b, unsigned int flags, uint32_t opcode, unsigned int reg,
	     unsigned int base, unsigned int index, unsigned int scale, int32_t disp);
/* BMI2 shifts: dst = src shifted by count. pp: 1 shlx, 2 sarx, 3 shrx. */
void x86_shiftx(struct x86_buf *b, bool wide, unsigned int pp, unsigned int dst, unsigned int src,
		unsigned int count);

/* The group of add, or, adc, sbb, and, sub, xor, cmp by immediate; n is the position in it. */
enum { X86_ADD = 0, X86_OR = 1, X86_AND = 4, X86_SUB = 5, X86_XOR = 6, X86_CMP = 7 };
void x86_alu_imm(struct x86_buf *b, unsigned int flags, unsigned int n, unsigned int reg,
		 int32_t imm);
void x86_mov(struct x86_buf *b, unsigned int dst, unsigned int src); /* 64 bits; nothing if same */
void x86_mov32(struct x86_buf *b, unsigned int dst, unsigned int src); /* always emitted */
void x86_mov_imm(struct x86_buf *b, unsigned int dst, uint64_t imm);   /* may change the flags */
void x86_bswap(struct x86_buf *b, unsigned int flags, unsigned int reg);
void x86_push(struct x86_buf *b, unsigned int reg);
void x86_pop(struct x86_buf *b, unsigned int reg);

/* Jumps and calls. */
void x86_jmp(struct x86_buf *b, uint32_t label);
void x86_jcc(struct x86_buf *b, enum x86_cond cond, uint32_t label);
void x86_call(struct x86_buf *b, uint32_t label);
void x86_call_abs(struct x86_buf *b, uint64_t address);
void x86_lea_label(struct x86_buf *b, unsigned int reg, uint32_t label);
/* Short forward jumps inside one instruction's code, nothing recorded in between. */
size_t x86_skip_start(struct x86_buf *b, int cond); /* cond < 0: always */
void x86_skip_end(struct x86_buf *b, size_t at);

/*
 * Shortens jumps and resolves all but X86_FIX_CALL_ABS, whose records stay with their final pos.
 * Labels then hold final positions.
 */
int x86_finish(struct x86_buf *b);
/* Resolves the calls to the outside for code at `base`. -ERANGE if one is out of reach. */
int x86_relocate(struct x86_buf *b, uint64_t base);

#endif
