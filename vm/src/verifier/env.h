/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One verification's working set, and what the concerns offer each other. Every check returns 0,
 * or a -errno after weir_reject() has recorded why; nothing goes on after an error.
 */
#ifndef WEIR_VM_VERIFIER_ENV_H
#define WEIR_VM_VERIFIER_ENV_H

#include <errno.h>

#include "state.h"
#include "weir/base/bits.h"
#include "weir/base/vec.h"
#include "weir/vm/btf.h"
#include "weir/vm/helper.h"
#include "weir/vm/pkt.h"
#include "weir/vm/verifier.h"

#define MAX_PKT_OFF 0xffff
#define MAX_VAR_OFF (1 << 29) /* Linux's bound on any pointer's offset */
#define MAX_PENDING 8192      /* branches that wait, Linux's limit */

/* What is known of an instruction besides its aux. */
struct vinsn {
	bool is_tail;        /* second half of LD_IMM64 */
	bool is_prune_point; /* states are kept and compared here */
	bool visited;
	bool stores_to_stack; /* a store that went through a stack pointer on some path */
	uint8_t ptr_type;     /* memory access: the pointer's type on the first path */
	uint16_t live;        /* registers read on some way from here */
	uint16_t exact;       /* registers whose value, not only type, matters from here on */
	uint64_t slot_read;   /* slots of the own frame this instruction was seen to read */
	uint64_t slot_live;   /* slots read on some way from here */
	uint32_t subprog;
	uint32_t first_pred, pred_count; /* in env->preds */
	struct weir_vstate *states;      /* checkpoints taken here, newest first */
};

struct vsub {
	uint32_t start, end; /* [start, end) */
	uint32_t stack_bytes;
	bool is_callback, has_tail_call, has_ld_abs, is_called;
};

/* A taken conditional jump or a call on the current path, for the explanation. */
struct vstep {
	uint32_t insn_idx;
	bool taken;
};

struct vpending {
	struct weir_vstate *state;
	uint32_t insn_idx, prev_insn_idx;
	size_t path_len;
};

struct weir_env {
	struct weir_prog_raw *raw; /* the ok's own copy */
	const struct weir_verify_opts *opts;
	struct weir_diag *log;
	const struct bpf_insn *insns;
	uint32_t insn_count;
	struct weir_prog_ok *ok;
	struct weir_insn_aux *aux;
	struct vinsn *info;
	uint32_t *preds;
	struct weir_pool pool;
	struct vsub *subs;
	uint32_t sub_count;
	WEIR_VEC(uint32_t) work; /* live.c's worklist */

	struct weir_vstate *cur;
	uint32_t insn_idx, prev_insn_idx;
	WEIR_VEC(struct vpending) pending;
	WEIR_VEC(struct vstep) path;
	uint32_t id_gen;
	uint32_t jumps, jumps_at_state, insns_at_state;
	uint32_t states_now;
	struct weir_verify_stats stats;

	/* What the role may do, with Linux's names for it. */
	bool bpf_capable, perfmon;
	bool strict_alignment;

	struct weir_reject reject;
	int error;
	bool said; /* a reject was recorded */
};

/* Records the cause and returns err. The place is env->insn_idx. */
int weir_reject(struct weir_env *env, int err, enum weir_reason reason, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static inline int reject_nomem(struct weir_env *env)
{
	return weir_reject(env, -ENOMEM,
			   env->pool.is_full ? WEIR_REASON_STATES_MEMORY : WEIR_REASON_NO_MEMORY,
			   env->pool.is_full ? "explored states need more than the memory limit"
					     : "out of memory");
}

static inline struct weir_frame *env_frame(struct weir_env *env)
{
	return weir_vstate_top(env->cur);
}

static inline struct weir_vreg *env_reg(struct weir_env *env, uint32_t regno)
{
	return &env_frame(env)->regs[regno];
}

static inline bool insn_is_jump(const struct bpf_insn *insn)
{
	uint8_t class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

	return (class == BPF_JMP || class == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT;
}

static inline bool insn_is_goto(const struct bpf_insn *insn)
{
	return insn_is_jump(insn) && BPF_OP(insn->code) == BPF_JA;
}

/* Where a jump goes: gotol carries its distance in imm. */
static inline uint32_t jump_target(const struct bpf_insn *insn, uint32_t idx)
{
	return (uint32_t)((int64_t)idx + 1 +
			  (insn->code == (BPF_JMP32 | BPF_JA) ? insn->imm : insn->off));
}

static inline bool insn_is_subprog_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

static inline bool insn_is_helper_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg;
}

static inline bool insn_is_imm64(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_DW | BPF_IMM);
}

static inline uint32_t access_bytes(uint8_t code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B: return 1;
	case BPF_H: return 2;
	case BPF_W: return 4;
	default: return 8;
	}
}

/* cfg.c: shape, functions, edges, reachability; fills info, subs, preds. */
int cfg_check(struct weir_env *env);
int cfg_check_stack_depth(struct weir_env *env);
uint32_t cfg_find_sub(const struct weir_env *env, uint32_t start); /* UINT32_MAX: none */
/* Successors within the function: 0, 1 or 2 of them. A call's is the next instruction. */
uint32_t cfg_successors(const struct weir_env *env, uint32_t idx, uint32_t out[2]);

/* live.c: which registers and slots may still matter. */
int live_init(struct weir_env *env);
/* The running instruction reads slots of frame `frameno` (of the current state). */
int live_slot_read(struct weir_env *env, uint32_t frameno, uint32_t first, uint32_t last);
int live_stack_store(struct weir_env *env);
uint16_t live_regs(const struct weir_env *env, const struct weir_vstate *s, uint32_t frameno);
uint16_t live_exact(const struct weir_env *env, const struct weir_vstate *s, uint32_t frameno);
uint64_t live_slots(const struct weir_env *env, const struct weir_vstate *s, uint32_t frameno);

/* regs.c */
const char *reg_type_name(const struct weir_vreg *reg); /* Linux's: "fp", "map_value_or_null" */
int reg_check_read(struct weir_env *env, uint32_t regno);
int reg_check_write(struct weir_env *env, uint32_t regno);
bool reg_leaks(const struct weir_env *env, const struct weir_vreg *reg);
void reg_clobber_caller_saved(struct weir_env *env);
void reg_forget_packets(struct weir_env *env);

/* alu.c */
int alu_check(struct weir_env *env, const struct bpf_insn *insn);

/* branch.c: *next is the instruction to go on with. */
int branch_check(struct weir_env *env, const struct bpf_insn *insn, uint32_t *next);

/* memory.c */
enum vaccess { V_READ, V_WRITE };
int mem_check_load(struct weir_env *env, const struct bpf_insn *insn);
int mem_check_store(struct weir_env *env, const struct bpf_insn *insn);
int mem_check_atomic(struct weir_env *env, const struct bpf_insn *insn);
/* A helper's memory argument: `bytes` bytes at the register. */
struct mem_arg {
	uint32_t regno;
	int64_t bytes;
	enum vaccess access;
	bool uninit; /* written without being read */
	bool pkt_ok;
};
int mem_check_arg(struct weir_env *env, const struct mem_arg *arg);

/* stack.c */
int stack_store(struct weir_env *env, uint32_t ptr_regno, int32_t off, uint32_t bytes,
		const struct weir_vreg *value);
/* *value gets what is there; untouched on an error. */
int stack_load(struct weir_env *env, uint32_t ptr_regno, int32_t off, uint32_t bytes,
	       struct weir_vreg *value);
int stack_check_arg(struct weir_env *env, const struct mem_arg *arg);
/* The constant of `bytes` bytes at the pointer, if one is there. */
bool stack_const(struct weir_env *env, const struct weir_vreg *ptr, uint32_t bytes,
		 uint64_t *value);

/* call.c */
int call_check(struct weir_env *env, const struct bpf_insn *insn, uint32_t *next);
int call_exit(struct weir_env *env, uint32_t *next, bool *done);
int call_ld_abs(struct weir_env *env, const struct bpf_insn *insn);
int call_ld_imm64(struct weir_env *env, const struct bpf_insn *insn);
int call_push_frame(struct weir_env *env, uint32_t sub);

/* helper.c: the prototype's arguments and the result. */
int helper_check(struct weir_env *env, const struct bpf_insn *insn);

/* loop.c: bpf_loop and its callback. */
int loop_call(struct weir_env *env, uint32_t *next);
int loop_callback_return(struct weir_env *env, uint32_t *next);

/* prune.c */
int prune_check(struct weir_env *env, bool *covered);
void prune_path_done(struct weir_env *env, struct weir_vstate *state);
/* Is everything that `now` may do covered by what `old` was seen to do? */
enum prune_mode { PRUNE_COVERED, PRUNE_SAME, PRUNE_LOOP };
bool prune_state_within(struct weir_env *env, const struct weir_vstate *old,
			const struct weir_vstate *now, enum prune_mode mode);

/* driver.c */
struct weir_vstate *env_push(struct weir_env *env, uint32_t insn_idx);
int driver_run(struct weir_env *env);

/* log.c */
void vlog_state(struct weir_env *env, const struct weir_vstate *state);
void vlog_insn(struct weir_env *env);
void vlog_stats(struct weir_env *env);
void vlog_explain(struct weir_env *env);

#endif
