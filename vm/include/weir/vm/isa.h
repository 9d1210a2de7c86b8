/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ISA table: one row an operation of RFC 9669 (v1 to v4, the legacy packet group) and of
 * weir's internal extras. Decoder, disassembler, verifier's shape check, interpreter dispatch and
 * the backends' completeness checks are drawn from it.
 */
#ifndef WEIR_VM_ISA_H
#define WEIR_VM_ISA_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/base/diag.h"
#include "weir/vm/bpf.h"

/* Where an operation may stand. */
enum weir_isa_level {
	WEIR_ISA_BPF = 1 << 0, /* in programs as loaded */
	WEIR_ISA_LOW = 1 << 1, /* in the internal ISA */
};

enum weir_op {
#define WEIR_OP(id, code, sub, level, name) WEIR_OPI_##id,
#include "weir/vm/isa.def"
#undef WEIR_OP
	WEIR_OPI_COUNT,
	WEIR_OPI_INVALID = WEIR_OPI_COUNT,
};

struct weir_op_info {
	const char *name;
	uint8_t code;  /* opcode byte */
	int32_t sub;   /* what else selects it: see isa.def; -1: nothing */
	uint8_t level; /* enum weir_isa_level bits */
};

extern const struct weir_op_info weir_op_table[WEIR_OPI_COUNT];

/*
 * Which operation insn is: opcode plus the fields that select (offset of divisions and
 * sign-extending moves, imm of atomics and byte swaps, src_reg of calls and LD_IMM64).
 * WEIR_OPI_INVALID if no row fits. Reserved fields are checked by weir_isa_check.
 */
enum weir_op weir_isa_decode(const struct bpf_insn *insn);

/* Does insn jump within its function (JA, gotol, may_goto and conditional jumps)? */
bool weir_isa_is_jump(const struct bpf_insn *insn);
/* Where a jump at insn_idx goes when taken; not checked to be inside the program. */
int64_t weir_isa_jump_target(const struct bpf_insn *insn, uint32_t insn_idx);
/* Does insn write the register in its dst field? (Atomics with fetch write src or R0 instead.) */
bool weir_isa_writes_dst(const struct bpf_insn *insn);

/*
 * Shape check of a whole program at a level: known operations, reserved fields zero, register
 * numbers, LD_IMM64's second half, jump and local call targets inside, R10 never written. At
 * WEIR_ISA_BPF also what Linux refuses although RFC 9669 defines it: constant division by zero and
 * constant shifts beyond the width. 0, or -EINVAL (-EACCES for R10) with Linux's wording and
 * *bad_idx set. Function boundaries are the caller's to check.
 */
int weir_isa_check(const struct bpf_insn *insns, uint32_t insn_count, enum weir_isa_level level,
		   struct weir_diag *diag, uint32_t *bad_idx);

#endif
