/* SPDX-License-Identifier: BSD-3-Clause */
/* Disassembly in Linux's syntax ("r0 = *(u32 *)(r1 +4)", "if w1 s> 0x7 goto pc+3"). */
#ifndef WEIR_VM_DISASM_H
#define WEIR_VM_DISASM_H

#include <stdint.h>

#include "weir/base/diag.h"
#include "weir/vm/bpf.h"

struct weir_disasm_opts {
	/*
	 * Names a call's target or an LD_IMM64's object. NULL or returning NULL: helpers by
	 * Linux's name of their number, everything else as a number.
	 */
	const char *(*call_name)(void *arg, const struct bpf_insn *insn, uint32_t insn_idx);
	const char *(*imm64_name)(void *arg, const struct bpf_insn *insn, uint32_t insn_idx);
	void *arg;
};

/* Appends the text of insns[insn_idx] (no index, no newline). Returns how many slots it takes. */
uint32_t weir_disasm_insn(const struct bpf_insn *insns, uint32_t insn_count, uint32_t insn_idx,
			  const struct weir_disasm_opts *opts, struct weir_diag *out);

#endif
