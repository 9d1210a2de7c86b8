/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hand-made weir_prog_ok for tests of what comes behind the verifier: every instruction is seen,
 * accesses through the given registers are context accesses, backward jumps are loop_back.
 */
#ifndef WEIR_TEST_HAND_OK_H
#define WEIR_TEST_HAND_OK_H

#include <stdlib.h>
#include <string.h>

#include "weir/vm/prog.h"

#define I(c, d, s, o, i)                         \
	((struct bpf_insn){.code = (uint8_t)(c), \
			   .dst_reg = (d),       \
			   .src_reg = (s),       \
			   .off = (int16_t)(o),  \
			   .imm = (int32_t)(i)})
#define MOV(d, s)        I(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOVK(d, k)       I(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, k)
#define MOV32K(d, k)     I(BPF_ALU | BPF_MOV | BPF_K, d, 0, 0, k)
#define ALU(op, d, s)    I(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
#define ALUK(op, d, k)   I(BPF_ALU64 | (op) | BPF_K, d, 0, 0, k)
#define LDX(sz, d, s, o) I(BPF_LDX | BPF_MEM | (sz), d, s, o, 0)
#define STX(sz, d, s, o) I(BPF_STX | BPF_MEM | (sz), d, s, o, 0)
#define STK(sz, d, o, k) I(BPF_ST | BPF_MEM | (sz), d, 0, o, k)
#define JK(op, d, k, o)  I(BPF_JMP | (op) | BPF_K, d, 0, o, k)
#define JX(op, d, s, o)  I(BPF_JMP | (op) | BPF_X, d, s, o, 0)
#define JA(o)            I(BPF_JMP | BPF_JA, 0, 0, o, 0)
#define CALL(id)         I(BPF_JMP | BPF_CALL, 0, 0, 0, id)
#define CALLSUB(rel)     I(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, rel)
#define LDMAP(d, idx)    I(BPF_LD | BPF_IMM | BPF_DW, d, BPF_PSEUDO_MAP_IDX, 0, idx), I(0, 0, 0, 0, 0)
#define LD64(d, lo, hi)  I(BPF_LD | BPF_IMM | BPF_DW, d, 0, 0, lo), I(0, 0, 0, 0, hi)
#define EXIT             I(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* Takes copies. starts: of subprogs behind the main one, subprogs of them. Never fails: abort()s.
 */
static inline struct weir_prog_ok *hand_ok(uint32_t type, const struct bpf_insn *insns,
					   uint32_t count, uint32_t ctx_regs,
					   const uint32_t *starts, uint32_t subprogs)
{
	struct weir_prog_ok *ok = calloc(1, sizeof(*ok));

	if (!ok)
		abort();
	ok->raw.type = type;
	ok->raw.insns = malloc(count * sizeof(*insns));
	ok->aux = calloc(count, sizeof(*ok->aux));
	ok->subprogs = calloc(subprogs + 1, sizeof(*ok->subprogs));
	if (!ok->raw.insns || !ok->aux || !ok->subprogs)
		abort();
	memcpy(ok->raw.insns, insns, count * sizeof(*insns));
	ok->raw.insn_count = count;
	ok->subprog_count = subprogs + 1;
	for (uint32_t i = 0; i <= subprogs; i++) {
		ok->subprogs[i].start = i ? starts[i - 1] : 0;
		ok->subprogs[i].stack_bytes = 64;
		ok->subprogs[i].reachable = true;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint8_t class = BPF_CLASS(insns[i].code);
		uint8_t base = class == BPF_LDX ? insns[i].src_reg : insns[i].dst_reg;
		bool is_mem = class == BPF_LDX || class == BPF_ST || class == BPF_STX;
		bool is_jump = class == BPF_JMP || class == BPF_JMP32;

		ok->aux[i].seen = true;
		ok->aux[i].map_idx = ok->aux[i].callback_subprog = -1;
		if (is_mem)
			ok->aux[i].mem = ctx_regs & 1U << base ? WEIR_MEM_CTX : WEIR_MEM_OTHER;
		ok->aux[i].loop_back = is_jump && BPF_OP(insns[i].code) != BPF_CALL &&
				       BPF_OP(insns[i].code) != BPF_EXIT && insns[i].off < 0;
		i += insns[i].code == (BPF_LD | BPF_IMM | BPF_DW);
	}
	return ok;
}

#endif
