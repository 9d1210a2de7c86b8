/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interpreter as a judge: the same loop as weir_interp_run(), asking before every access
 * whether the program may. A verified program never fails here; tests use it as an oracle for the
 * verifier that shares nothing with it.
 */
#ifndef WEIR_VM_INTERP_CHECKED_H
#define WEIR_VM_INTERP_CHECKED_H

#include "weir/vm/prog.h"

enum weir_checked_fault {
	WEIR_CHECKED_OK = 0,
	WEIR_CHECKED_BAD_READ,
	WEIR_CHECKED_BAD_WRITE,
	WEIR_CHECKED_TOO_LONG, /* insn_limit was reached */
	WEIR_CHECKED_BAD_INSN, /* left the program, or not of the internal ISA */
	WEIR_CHECKED_BAD_CALL, /* helper index out of range, or more than WEIR_MAX_FRAMES frames */
};

/* Memory a program may use. */
struct weir_mem_range {
	uint64_t start;
	uint64_t size_bytes;
	bool writable;
};

#define WEIR_CHECKED_MAX_STACKS ((WEIR_MAX_TAIL_CALLS + 1U) * WEIR_MAX_FRAMES)

struct weir_interp_checked {
	/* In. The frames' own stacks need not be listed. */
	const struct weir_mem_range *ranges; /* borrowed; NULL if range_count is 0 */
	uint32_t range_count;
	/* Asked when no range fits: true permits. Packets that helpers move, map values. NULL: no.
	 */
	bool (*may_access)(void *arg, uint64_t addr, uint32_t size_bytes, bool write);
	void *arg;
	uint64_t insn_limit; /* 0: none */

	/* Out. */
	enum weir_checked_fault fault;
	const struct weir_prog_low *fault_low; /* the program that ran (tail calls) */
	uint32_t fault_idx;                    /* its instruction */
	uint64_t fault_addr;
	uint32_t fault_bytes;
	uint64_t insns_run;

	/* The interpreter's own. */
	struct weir_mem_range stacks[WEIR_CHECKED_MAX_STACKS];
	uint32_t stack_count;
};

/*
 * As weir_interp_run(), on the same thread and under the same conditions. After a helper call R1 to
 * R5 hold a fixed pattern. Returns 0 on a fault, with check->fault set.
 */
uint64_t weir_interp_run_checked(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low,
				 struct weir_interp_checked *check);

#endif
