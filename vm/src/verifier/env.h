/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One verification's working set, and what the concerns offer each other. Every check returns 0 or
 * a -errno after weir_reject() has recorded why; nothing goes on after an error.
 */
#ifndef WEIR_VM_VERIFIER_ENV_H
#define WEIR_VM_VERIFIER_ENV_H

#include <errno.h>
#include <string.h>

#include "state.h"
#include "weir/base/bits.h"
#include "weir/base/diag.h"
#include "weir/base/vec.h"
#include "weir/vm/btf.h"
#include "weir/vm/helper.h"
#include "weir/vm/pkt.h"
#include "weir/vm/prog.h"
#include "weir/vm/verifier.h"

#define WEIR_MAX_PKT_OFF 0xffff
#define WEIR_MAX_VAR_OFF (1 << 29) /* Linux's bound on any pointer's offset */
#define WEIR_MAX_PENDING 8192      /* branches that wait, Linux's limit */

/* Private knowledge of an instruction. */
struct weir_vinsn {
	bool is_prune_point;      /* states are kept and compared here */
	bool is_force_checkpoint; /* a state is always kept here */
	bool is_callback_call;    /* a helper that runs a callback */
	bool is_imm64_tail;       /* second half of LD_IMM64 */
	bool is_global_call;
	uint16_t live_regs; /* registers read on some way from here (static) */
	uint32_t subprog;
	struct weir_vstate *states; /* checkpoints taken here, newest first */
	uint64_t stack_write;       /* slots of the own frame every visit wrote entirely */
	bool visited;
	uint8_t ptr_type; /* memory access: type of the first pointer seen, for mixing */
};

/* One executed instruction of the current path: what precision tracking walks back over. */
struct weir_step {
	uint32_t insn_idx;
	uint8_t frameno; /* current frame before the instruction */
	uint8_t access;  /* WEIR_STEP_* */
	uint8_t stack_frame;
	uint8_t stack_slot;
	uint64_t linked; /* packed registers that were narrowed together; 0: none */
};
#define WEIR_STEP_STACK 1 /* a spill to, or a fill from, stack_frame's stack_slot */

struct weir_pending {
	struct weir_vstate *state;
	uint32_t insn_idx, prev_insn_idx;
	uint32_t path_pos;
	size_t log_mark;
};

struct weir_vsub {
	uint32_t start, end;  /* [start, end) */
	uint32_t stack_depth; /* bytes, as touched so far */
	bool is_callback, is_global, has_tail_call, has_ld_abs, is_called, is_verified;
	bool changes_pkt;     /* the function or one it calls may move the packet */
	uint32_t btf_func;    /* type id of the FUNC, 0 if unknown */
	uint32_t callee_head; /* edges of the call graph: calls.v index + 1 */
};

struct weir_call_edge {
	uint32_t insn_idx, callee, next; /* next + 1 of the same caller; 0 ends */
};

/* Predecessors of an instruction within its function: preds[first..first+count). */
struct weir_pred_range {
	uint32_t first, count;
};

/* Slots of the frame `distance` above the running one that are read on some way from here. */
struct weir_stack_live {
	uint64_t *before; /* per instruction */
	uint64_t *read;   /* per instruction: what it itself may read */
};

struct weir_env {
	struct weir_prog_raw *raw; /* the ok's own copy */
	const struct weir_verify_opts *opts;
	struct weir_diag *log;
	const struct bpf_insn *insns;
	uint32_t insn_count;
	struct weir_prog_ok *ok;
	struct weir_insn_aux *aux;
	struct weir_vinsn *info;
	struct weir_pool pool;

	struct weir_vsub *subs;
	uint32_t sub_count;
	WEIR_VEC(struct weir_call_edge) calls;
	struct weir_pred_range *preds;
	uint32_t *pred_list;
	struct weir_stack_live live[WEIR_MAX_FRAMES];
	WEIR_VEC(uint64_t) live_work;

	struct weir_vstate *cur;
	uint32_t insn_idx, prev_insn_idx;
	WEIR_VEC(struct weir_pending) pending;
	WEIR_VEC(struct weir_step) path;
	uint32_t id_gen;
	uint32_t jumps_processed, prev_jumps, prev_insns;
	uint32_t states_now;
	uint32_t last_logged_line; /* line_info index + 1 that was printed last */
	struct weir_verify_stats stats;
	uint32_t entry_sub; /* subprog whose body is being verified on its own */

	/* What the role may do, with Linux's names for it. */
	bool bpf_capable, perfmon;
	bool strict_alignment;
	bool may_log; /* level 2: states and instructions; level 1 explains rejects only */
	bool log_all; /* level 2 */

	struct weir_reject reject;
	uint64_t written; /* slots of the running frame the current instruction wrote */
	int error;
	uint32_t bad_reg;         /* explanation: the register in question; UINT32_MAX none */
	int64_t need_lo, need_hi; /* explanation: what had to hold, if has_need */
	int64_t have_lo, have_hi;
	bool has_need;
};

/* Records the first cause and returns err. insn_idx is env->insn_idx. */
int weir_reject(struct weir_env *env, int err, enum weir_reason reason, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The explanation's facts: register, required and actual range. Call before weir_reject. */
void weir_reject_note(struct weir_env *env, uint32_t regno, int64_t need_lo, int64_t need_hi,
		      int64_t have_lo, int64_t have_hi);
static inline int weir_reject_nomem(struct weir_env *env)
{
	return weir_reject(env, -ENOMEM,
			   env->pool.is_full ? WEIR_REASON_STATES_MEMORY : WEIR_REASON_NO_MEMORY,
			   env->pool.is_full ? "explored states need more than the memory limit"
					     : "out of memory");
}

static inline struct weir_frame *weir_env_frame(struct weir_env *env)
{
	return weir_vstate_top(env->cur);
}

static inline struct weir_vreg *weir_env_reg(struct weir_env *env, uint32_t regno)
{
	return &weir_env_frame(env)->regs[regno];
}

static inline struct weir_step *weir_env_step(struct weir_env *env)
{
	return &env->path.v[env->path.len - 1];
}

/* names.c */
const char *weir_vtype_name(const struct weir_vreg *reg); /* Linux's: "fp", "map_value_or_null" */

/* cfg.c: functions, edges, dead code. */
int weir_cfg_check(struct weir_env *env);
int weir_cfg_check_stack_depth(struct weir_env *env);
uint32_t weir_cfg_find_sub(const struct weir_env *env, uint32_t start); /* UINT32_MAX: none */
/* Where control goes from i within its function; the count. */
uint32_t weir_cfg_succ(const struct weir_env *env, uint32_t i, uint32_t out[2]);
/* Linux's convention: jump displacement in imm for the 32-bit "goto_long". */
static inline int64_t weir_insn_jump_off(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP32 | BPF_JA) ? insn->imm : insn->off;
}

/* live.c: which registers and stack slots may still be read. */
int weir_live_init(struct weir_env *env);
int weir_live_stack_read(struct weir_env *env, uint32_t frameno, uint32_t slot);
/* All whole slots of [first, last] were written on this visit. Call weir_live_visit_done after. */
void weir_live_stack_write(struct weir_env *env, uint32_t frameno, uint32_t slot);
int weir_live_visit_done(struct weir_env *env, uint64_t written);
uint16_t weir_live_regs(const struct weir_env *env, const struct weir_vstate *state,
			uint32_t frameno);
uint64_t weir_live_slots(const struct weir_env *env, const struct weir_vstate *state,
			 uint32_t frameno);
int weir_live_add_callback(struct weir_env *env, uint32_t insn_idx, uint32_t callee);

/* regs.c: reading and writing registers by instruction. */
int weir_reg_check_src(struct weir_env *env, uint32_t regno);
int weir_reg_check_dst(struct weir_env *env, uint32_t regno); /* writable; contents unchanged */
bool weir_reg_is_leak(const struct weir_env *env, const struct weir_vreg *reg);
void weir_reg_link(struct weir_env *env, struct weir_vreg *src); /* gives a number an id */
void weir_reg_clobber_caller_saved(struct weir_env *env);

/* alu.c */
int weir_alu_check(struct weir_env *env, const struct bpf_insn *insn);

/* branch.c: conditional jumps; *next is the instruction to go on with. */
int weir_branch_check(struct weir_env *env, const struct bpf_insn *insn, uint32_t *next);

/* memory.c */
int weir_mem_check_load(struct weir_env *env, const struct bpf_insn *insn);
int weir_mem_check_store(struct weir_env *env, const struct bpf_insn *insn);
int weir_mem_check_atomic(struct weir_env *env, const struct bpf_insn *insn);
enum weir_access { WEIR_READ, WEIR_WRITE };
/* A helper's memory argument: [reg, reg + bytes) all of it. uninit: it will be written, not read.
 */
struct weir_mem_arg {
	uint32_t regno;
	int64_t bytes;
	enum weir_access access;
	bool zero_ok;
	bool uninit;
	bool exact;  /* the length is known: all of it is written */
	bool pkt_ok; /* the helper takes packet memory */
};
int weir_mem_check_arg(struct weir_env *env, const struct weir_mem_arg *arg);
int weir_mem_check_region(struct weir_env *env, uint32_t regno, const struct weir_vreg *reg,
			  int64_t off, int64_t bytes, uint32_t region_bytes, bool zero_ok,
			  const char *what, enum weir_reason reason);

/* stack.c */
int weir_stack_store(struct weir_env *env, const struct weir_vreg *ptr, uint32_t ptr_regno,
		     int32_t off, uint32_t bytes, const struct weir_vreg *value, int value_regno);
/* value_regno < 0: the value is not wanted (atomics check only). */
int weir_stack_load(struct weir_env *env, const struct weir_vreg *ptr, uint32_t ptr_regno,
		    int32_t off, uint32_t bytes, int value_regno);
int weir_stack_check_arg(struct weir_env *env, const struct weir_mem_arg *arg);
/* Bounds of an access through a stack pointer. */
int weir_stack_check_bounds(struct weir_env *env, const struct weir_vreg *ptr, uint32_t ptr_regno,
			    int32_t off, int64_t bytes, enum weir_access access);
/* The constant of `bytes` bytes at the pointer, if spilled constants or zeros are there. */
bool weir_stack_const(struct weir_env *env, const struct weir_vreg *ptr, uint32_t bytes,
		      uint64_t *value, uint32_t *slot, bool *is_spill);

/* call.c */
int weir_call_check(struct weir_env *env, const struct bpf_insn *insn, uint32_t *next);
int weir_call_exit(struct weir_env *env, uint32_t *next, bool *done);
int weir_call_check_ld_abs(struct weir_env *env, const struct bpf_insn *insn);
int weir_call_check_return(struct weir_env *env);
int weir_call_ld_imm64(struct weir_env *env, const struct bpf_insn *insn);

/* callback.c */
int weir_callback_loop(struct weir_env *env, uint32_t *next);
int weir_callback_return(struct weir_env *env, uint32_t *next);

/* precision.c */
struct weir_backtrack {
	uint16_t regs[WEIR_MAX_FRAMES];
	uint64_t slots[WEIR_MAX_FRAMES];
};
/* The number in regno (of the current frame) decided something: keep it exact on the way here. */
int weir_precision_mark(struct weir_env *env, uint32_t regno);
/* The same for any set; `pos` path entries are behind us. */
int weir_precision_walk(struct weir_env *env, struct weir_backtrack *bt, size_t pos);

/* prune.c: is this point covered by an earlier state? Takes checkpoints too. */
int weir_prune_check(struct weir_env *env, bool *covered);
void weir_prune_path_done(struct weir_env *env, struct weir_vstate *state);

/* driver.c */
/* A copy of the current state that will go on at insn_idx later. NULL after weir_reject. */
struct weir_vstate *weir_env_push(struct weir_env *env, uint32_t insn_idx, uint32_t prev_insn_idx);
int weir_driver_run(struct weir_env *env);

/* log.c */
void weir_log_reg(struct weir_diag *d, const struct weir_env *env, const struct weir_vreg *reg);
void weir_log_state(struct weir_env *env, const struct weir_vstate *state, bool all);
void weir_log_insn(struct weir_env *env);
void weir_log_stats(struct weir_env *env);

/* explain.c */
void weir_explain(struct weir_env *env);

#endif
