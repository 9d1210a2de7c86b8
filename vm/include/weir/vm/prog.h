/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program's phases, each a type of its own:
 *
 *   weir_prog_raw   parsed: bytecode as loaded, maps by index into maps[]
 *   weir_prog_ok    made only by the verifier; immutable; what xlated dumps are made from
 *   weir_prog_low   made only by rewrite, from ok and map instances: the internal ISA
 *   weir_code       runnable: compiled by the jit, or the interpreter's binding of low
 *
 * Objects of a phase are immutable once made and may be read by any thread. Nothing here counts
 * references: the owner (registry, tool) keeps what a phase borrows alive.
 */
#ifndef WEIR_VM_PROG_H
#define WEIR_VM_PROG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/vm/bpf.h"
#include "weir/vm/map.h"

struct weir_btf;
struct weir_exec;
struct weir_diag;

/* A map as the verifier needs it: the definition and, if contents are constant, the contents. */
struct weir_map_ref {
	struct weir_map_def def;
	/* Values of an array that is RDONLY_PROG and frozen: max_entries strides of value_size
	 * rounded up to 8. Borrowed; NULL if the contents are no constants. */
	const void *const_values;
};

/* Lines of .BTF.ext: insn_off counts instructions of the program. */
struct weir_line_info {
	uint32_t insn_idx;
	uint32_t file_off; /* string offsets in the program's BTF */
	uint32_t line_off;
	uint32_t line;
	uint32_t col;
};

struct weir_func_info {
	uint32_t insn_idx;
	uint32_t type_id; /* BTF_KIND_FUNC */
};

/*
 * Bytecode as loaded. LD_IMM64 refers to maps only by BPF_PSEUDO_MAP_IDX / _MAP_IDX_VALUE with
 * imm = index into maps[]; a loader translates descriptors and symbols to that form.
 */
struct weir_prog_raw {
	uint32_t type;                 /* enum bpf_prog_type */
	uint32_t expected_attach_type; /* enum bpf_attach_type */
	uint32_t flags;                /* BPF_F_* of PROG_LOAD */
	char name[BPF_OBJ_NAME_LEN];
	char license[64];
	struct bpf_insn *insns; /* owns */
	uint32_t insn_count;
	struct weir_map_ref *maps; /* owns the array */
	uint32_t map_count;
	const struct weir_btf *btf;   /* borrows; NULL if none */
	struct weir_func_info *funcs; /* owns; sorted by insn_idx */
	uint32_t func_count;
	struct weir_line_info *lines; /* owns; sorted by insn_idx */
	uint32_t line_count;
};

void weir_prog_raw_clear(struct weir_prog_raw *raw); /* frees what it owns, zeroes it */

/* What the verifier knows of an instruction, for rewrite and dumps. */
enum weir_mem_kind {
	WEIR_MEM_NONE = 0, /* not a memory access */
	WEIR_MEM_STACK,
	WEIR_MEM_CTX, /* fixed offset: insn->off; lowered by the context table */
	WEIR_MEM_PKT,
	WEIR_MEM_MAP_VALUE,
	WEIR_MEM_OTHER, /* plain memory that needs no rewrite */
};

enum weir_branch {
	WEIR_BRANCH_BOTH = 0,
	WEIR_BRANCH_ALWAYS, /* only the taken side was ever reached */
	WEIR_BRANCH_NEVER,  /* only the fall-through was ever reached */
};

struct weir_insn_aux {
	bool seen;         /* reached on some path; unreached ones are dead code */
	bool loop_back;    /* jump to an instruction at or before it: budget is checked here */
	uint8_t mem;       /* enum weir_mem_kind */
	uint8_t branch;    /* enum weir_branch, conditional jumps */
	int32_t map_idx;   /* helper calls: the one map of all paths (maps[] index), else -1 */
	bool key_is_const; /* map look-ups: the key is key_u32 on all paths, and in range */
	uint32_t key_u32;
	int32_t callback_subprog; /* bpf_loop: the one callback of all paths, else -1 */
	uint32_t func_subprog;    /* LD_IMM64 of a function: its subprog */
};

struct weir_subprog {
	uint32_t start;       /* insn index; ends where the next starts */
	uint32_t stack_bytes; /* deepest stack use, rounded up to 8 */
	bool has_tail_call;
	bool has_ld_abs;
	bool is_callback;
	bool reachable;
	const char *name; /* strdup'd, owned by the ok; "" or NULL without BTF */
};

struct weir_verify_stats {
	uint32_t processed_insns;
	uint32_t total_states;
	uint32_t peak_states;
	uint32_t max_states_per_insn;
	uint64_t peak_bytes; /* of states */
	uint64_t time_ns;
	uint32_t stack_bytes; /* of the deepest chain of calls */
};

struct weir_prog_ok {
	struct weir_prog_raw raw;  /* the ok's own copy (same borrows) */
	struct weir_insn_aux *aux; /* raw.insn_count of them */
	struct weir_subprog *subprogs;
	uint32_t subprog_count;
	struct weir_verify_stats stats;
	bool changes_pkt_data; /* some helper moves packet pointers */
	bool uses_tail_call;
	bool has_loops;  /* some seen instruction has loop_back, or bpf_loop is called */
	bool dst_needed; /* reads packet data or meta */
};

void weir_prog_ok_free(struct weir_prog_ok **ok);

/*
 * The internal ISA: RFC 9669 minus what needs knowledge of Linux's contexts, plus listed extra
 * operations. struct bpf_insn as carrier.
 *
 *   LD_IMM64      src_reg 0 only: a 64-bit constant (map addresses and values resolved)
 *   CALL src 0    imm indexes calls[]: fn(r1..r5, exec); clobbers r1..r5
 *   CALL src 1    imm = relative offset to a subprog, as in RFC 9669
 *   WEIR_OP_TAIL_CALL  r1 ctx, r2 struct weir_map * of a prog array, r3 index: see below
 *   WEIR_OP_BUDGET     if (--exec->trips_left < 0 && weir_exec_budget_expired(exec)) abort the run
 *
 * No LD_ABS/LD_IND, no MAP_IDX, no may_goto: rewrite replaced them. R1 at entry is the run-time
 * context (struct weir_xdp_ctx / weir_skb_ctx).
 *
 * Tail call: if (u32)r3 >= map->def.max_entries, or map->tail_slots[r3] is NULL (acquire), or
 * exec->tail_calls >= WEIR_MAX_TAIL_CALLS: falls through with r0 undefined. Else tail_calls++ and
 * the target runs in place of the *main* frame's rest, with r1 = ctx and an empty stack. From a
 * subprog it replaces that subprog's frame, and its return value returns to the subprog's caller
 * (as Linux's JIT does).
 *
 * Abort: every frame of the run is left, the entry returns 0 and exec->abort_cause tells why.
 */
#define WEIR_OP_TAIL_CALL (BPF_JMP | 0xf0)
#define WEIR_OP_BUDGET    (BPF_JMP32 | 0xf0)

typedef uint64_t (*weir_helper_fn)(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
				   struct weir_exec *exec);

struct weir_low_call {
	weir_helper_fn fn;
	const char *name; /* static */
};

struct weir_low_subprog {
	uint32_t start;
	uint32_t stack_bytes; /* multiple of 8 */
};

struct weir_prog_low {
	uint32_t type;
	char name[BPF_OBJ_NAME_LEN];
	struct bpf_insn *insns;
	uint32_t insn_count;
	uint32_t *ok_idx; /* for each low insn the ok's insn it came from (UINT32_MAX: none) */
	struct weir_low_subprog *subprogs; /* [0] is the main program, start 0 */
	uint32_t subprog_count;
	struct weir_low_call *calls;
	uint32_t call_count;
	struct weir_map **maps; /* borrowed instances; owner keeps them while low lives */
	uint32_t map_count;
	bool needs_run_state; /* has BUDGET or TAIL_CALL: the main entry sets up exec's run fields
			       */
};

void weir_prog_low_free(struct weir_prog_low **low);

/* The function type of runnable code; low is what the interpreter runs, ignored by compiled code.
 */
typedef uint64_t (*weir_entry_fn)(void *ctx, struct weir_exec *exec,
				  const struct weir_prog_low *low);

struct weir_code {
	weir_entry_fn entry;
	const void *tail_entry; /* compiled code: where tail calls land; NULL: interpreter */
	const struct weir_prog_low *low; /* borrowed */
	const void *image;               /* compiled: machine code, readable */
	size_t image_bytes;
	void (*release)(struct weir_code *code); /* frees it; called by weir_code_free */
};

void weir_code_free(struct weir_code **code);

static inline uint64_t weir_code_run(const struct weir_code *code, void *ctx,
				     struct weir_exec *exec)
{
	return code->entry(ctx, exec, code->low);
}

#endif
