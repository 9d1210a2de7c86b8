/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside rewrite: the emitter that the lowering of each concern writes to.
 *
 * Instructions of the ok are lowered in order; jumps are recorded and resolved once every position
 * is known. An error (memory, a broken promise of the verifier) is sticky: emitting goes on doing
 * nothing, and the driver looks at the end.
 */
#ifndef WEIR_VM_SRC_LOWER_H
#define WEIR_VM_SRC_LOWER_H

#include "weir/base/vec.h"
#include "weir/vm/rewrite.h"

enum lower_target {
	LOWER_TO_OK,      /* an instruction of the ok */
	LOWER_TO_LABEL,   /* a label of the lowered code */
	LOWER_TO_SUBPROG, /* a subprog of the ok */
};

struct lower_fixup {
	uint32_t low_idx;
	uint32_t target;
	enum lower_target kind;
};

/* Code that stands behind its subprog, out of the common way. */
struct lower_stub {
	uint32_t ok_idx;
	uint32_t entry; /* labels */
	uint32_t back;
	const char *name; /* of the slow path's function */
	weir_helper_fn fn;
	bool off_in_r3; /* else off is a constant */
	int32_t off;
};

struct lower {
	const struct weir_prog_ok *ok;
	struct weir_map *const *maps;
	struct weir_diag *diag;
	bool no_inline;
	bool long_jumps; /* every jump may be far: conditional ones hop over a long one */
	bool too_far;    /* some jump did not reach: lower again with long_jumps */
	bool needs_run_state;
	int err;
	uint32_t ok_idx; /* what is being lowered */
	uint32_t subprog;
	uint32_t kept_slots;     /* 8-byte slots below the subprog's stack that keep their value */
	uint32_t scratch_slots;  /* 8-byte slots below the subprog's stack, most used at once */
	uint32_t *low_start;     /* per ok instruction; UINT32_MAX: dropped */
	uint32_t *subprog_start; /* per ok subprog; UINT32_MAX: dropped */
	uint32_t *subprog_stack;
	WEIR_VEC(struct bpf_insn) insns;
	WEIR_VEC(uint32_t) from;
	WEIR_VEC(struct lower_fixup) fixups;
	WEIR_VEC(uint32_t) labels;
	WEIR_VEC(struct lower_stub) stubs;
	WEIR_VEC(struct weir_low_call) calls;
};

#define LOWER_INSN(c, d, s, o, i)                \
	((struct bpf_insn){.code = (uint8_t)(c), \
			   .dst_reg = (d),       \
			   .src_reg = (s),       \
			   .off = (int16_t)(o),  \
			   .imm = (int32_t)(i)})
#define LOWER_MOV(d, s)          LOWER_INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define LOWER_MOV_K(d, k)        LOWER_INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, k)
#define LOWER_ALU(op, d, s)      LOWER_INSN(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
#define LOWER_ALU_K(op, d, k)    LOWER_INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 0, k)
#define LOWER_LDX(size, d, s, o) LOWER_INSN(BPF_LDX | BPF_MEM | (size), d, s, o, 0)
#define LOWER_STX(size, d, s, o) LOWER_INSN(BPF_STX | BPF_MEM | (size), d, s, o, 0)
#define LOWER_JMP_K(op, d, k, o) LOWER_INSN(BPF_JMP | (op) | BPF_K, d, 0, o, k)
#define LOWER_JA(o)              LOWER_INSN(BPF_JMP | BPF_JA, 0, 0, o, 0)
#define LOWER_EXIT               LOWER_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

void lower_emit(struct lower *l, struct bpf_insn insn);
void lower_imm64(struct lower *l, uint8_t dst, uint64_t value);
/* A jump (conditional or JA) whose offset is filled in when the target's place is known. */
void lower_jump(struct lower *l, struct bpf_insn insn, enum lower_target kind, uint32_t target);
void lower_call_subprog(struct lower *l, uint32_t subprog);
void lower_call_fn(struct lower *l, weir_helper_fn fn, const char *name);
void lower_budget(struct lower *l);
uint32_t lower_label_new(struct lower *l);
void lower_label_here(struct lower *l, uint32_t label);
/* The stack offset (from R10) of the counter that may_goto counts down (kept slot 0). */
int16_t lower_counter(struct lower *l);
/* The stack offset (from R10) of scratch slot n of this subprog. Slots hold nothing across
 * instructions of the ok. */
int16_t lower_scratch(struct lower *l, uint32_t n);
/* The verifier promised otherwise: sets the error. */
void lower_broken(struct lower *l, const char *what);
static inline uint8_t lower_size_code(uint32_t bytes)
{
	return bytes == 1 ? BPF_B : bytes == 2 ? BPF_H : bytes == 4 ? BPF_W : BPF_DW;
}

void lower_ctx_access(struct lower *l, const struct bpf_insn *insn);
void lower_ld_pkt(struct lower *l, const struct bpf_insn *insn);
void lower_ld_pkt_stub(struct lower *l, const struct lower_stub *stub);
void lower_helper_call(struct lower *l, const struct bpf_insn *insn);
void lower_loop(struct lower *l);
/* At the start of a subprog with may_goto: sets the counter. */
void lower_may_goto_start(struct lower *l);
void lower_may_goto(struct lower *l, uint32_t ok_target);
void lower_ld_imm64(struct lower *l, const struct bpf_insn *insn);

#endif
