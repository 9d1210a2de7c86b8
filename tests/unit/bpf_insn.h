/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing BPF programs as C initialisers. */
#ifndef WEIR_TESTS_BPF_INSN_H
#define WEIR_TESTS_BPF_INSN_H

#include "weir/vm/bpf.h"
#include "weir/vm/prog.h"

#define INSN(c, d, s, o, i)                   \
	((struct bpf_insn){.code = (__u8)(c), \
			   .dst_reg = (d),    \
			   .src_reg = (s),    \
			   .off = (__s16)(o), \
			   .imm = (__s32)(i)})

#define ALU64_K(op, d, i)         INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define ALU64_X(op, d, s)         INSN(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
#define ALU32_K(op, d, i)         INSN(BPF_ALU | (op) | BPF_K, d, 0, 0, i)
#define ALU32_X(op, d, s)         INSN(BPF_ALU | (op) | BPF_X, d, s, 0, 0)
/* Signed division and modulo; sign-extending moves from `bits`. */
#define SALU64_K(op, d, i)        INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 1, i)
#define SALU64_X(op, d, s)        INSN(BPF_ALU64 | (op) | BPF_X, d, s, 1, 0)
#define SALU32_K(op, d, i)        INSN(BPF_ALU | (op) | BPF_K, d, 0, 1, i)
#define SALU32_X(op, d, s)        INSN(BPF_ALU | (op) | BPF_X, d, s, 1, 0)
#define MOVSX64(d, s, bits)       INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, bits, 0)
#define MOVSX32(d, s, bits)       INSN(BPF_ALU | BPF_MOV | BPF_X, d, s, bits, 0)
#define MOV(d, i)                 ALU64_K(BPF_MOV, d, i)
#define MOV32(d, i)               ALU32_K(BPF_MOV, d, i)
#define MOV_X(d, s)               ALU64_X(BPF_MOV, d, s)
#define MOV32_X(d, s)             ALU32_X(BPF_MOV, d, s)
#define NEG64(d)                  INSN(BPF_ALU64 | BPF_NEG, d, 0, 0, 0)
#define NEG32(d)                  INSN(BPF_ALU | BPF_NEG, d, 0, 0, 0)
#define TO_LE(d, bits)            INSN(BPF_ALU | BPF_END | BPF_TO_LE, d, 0, 0, bits)
#define TO_BE(d, bits)            INSN(BPF_ALU | BPF_END | BPF_TO_BE, d, 0, 0, bits)
#define BSWAP(d, bits)            INSN(BPF_ALU64 | BPF_END | BPF_TO_LE, d, 0, 0, bits)
#define LDX(size, d, s, o)        INSN(BPF_LDX | BPF_MEM | (size), d, s, o, 0)
#define LDXSX(size, d, s, o)      INSN(BPF_LDX | BPF_MEMSX | (size), d, s, o, 0)
#define STX(size, d, s, o)        INSN(BPF_STX | BPF_MEM | (size), d, s, o, 0)
#define ST(size, d, o, i)         INSN(BPF_ST | BPF_MEM | (size), d, 0, o, i)
#define ATOMIC(size, op, d, s, o) INSN(BPF_STX | BPF_ATOMIC | (size), d, s, o, op)
#define JMP_K(op, d, i, o)        INSN(BPF_JMP | (op) | BPF_K, d, 0, o, i)
#define JMP_X(op, d, s, o)        INSN(BPF_JMP | (op) | BPF_X, d, s, o, 0)
#define JMP32_K(op, d, i, o)      INSN(BPF_JMP32 | (op) | BPF_K, d, 0, o, i)
#define JMP32_X(op, d, s, o)      INSN(BPF_JMP32 | (op) | BPF_X, d, s, o, 0)
#define JA(o)                     INSN(BPF_JMP | BPF_JA, 0, 0, o, 0)
#define GOTOL(o)                  INSN(BPF_JMP32 | BPF_JA, 0, 0, 0, o)
#define CALL(n)                   INSN(BPF_JMP | BPF_CALL, 0, 0, 0, n)
#define CALL_LOCAL(o)             INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, o)
#define EXIT()                    INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define TAIL_CALL()               INSN(WEIR_OP_TAIL_CALL, 0, 0, 0, 0)
#define BUDGET()                  INSN(WEIR_OP_BUDGET, 0, 0, 0, 0)
/* Two slots. */
#define LD64(d, v)                                                   \
	INSN(BPF_LD | BPF_IMM | BPF_DW, d, 0, 0, (__u32)(__u64)(v)), \
		INSN(0, 0, 0, 0, (__u32)((__u64)(v) >> 32))

#endif
