/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the verifier knows at one point of one path: registers, stack slots, frames, and the pool
 * that bounds what all the states together may take. One verification owns everything here.
 */
#ifndef WEIR_VM_VERIFIER_STATE_H
#define WEIR_VM_VERIFIER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scalar.h"
#include "weir/vm/bpf.h"

enum weir_vtype {
	WEIR_V_NONE = 0, /* not initialised: may not be read */
	WEIR_V_SCALAR,
	WEIR_V_CTX,
	WEIR_V_STACK,
	WEIR_V_MAP_PTR,
	WEIR_V_MAP_VALUE,
	WEIR_V_MAP_KEY,
	WEIR_V_PKT,
	WEIR_V_PKT_META,
	WEIR_V_PKT_END,
	WEIR_V_MEM,
	WEIR_V_SOCK, /* struct bpf_sock: read only */
	WEIR_V_FUNC,
};

enum weir_vflag {
	WEIR_VF_OR_NULL = 1 << 0, /* the pointer, or 0: nothing but a check may be done */
	WEIR_VF_RDONLY = 1 << 1,  /* memory behind it may not be written */
};

/* Ranges of packet pointers that are known to be at or behind data_end. */
#define WEIR_RANGE_AT_END     (-1)
#define WEIR_RANGE_BEYOND_END (-2)

/* A linked number's id has this bit if the register is the id's base plus `off`. */
#define WEIR_ID_ADD_CONST (1U << 31)

/*
 * A register or a spilled register.
 * Pointers: the address is base + off + v, where base is given by type and id/obj, off is what
 * constants added up to and v is the sum of the variable additions.
 * Numbers: the value is in v. id links copies of one value (0: none); off is the constant distance
 * to the other members if id has WEIR_ID_ADD_CONST.
 */
struct weir_vreg {
	uint8_t type;    /* enum weir_vtype */
	uint8_t flags;   /* enum weir_vflag */
	bool precise;    /* pruning must compare the value, not only that it is a number */
	uint8_t frameno; /* STACK: whose */
	int32_t off;
	uint32_t id; /* packet: identity of v; nullable pointers: identity of the check */
	union {
		int32_t range;     /* packet: bytes known to be there behind off-less base + v */
		uint32_t map_idx;  /* maps */
		uint32_t mem_size; /* MEM */
		uint32_t subprog;  /* FUNC */
	};
	struct weir_scalar v;
};

/* What a byte of a stack slot holds. */
enum weir_slot_kind {
	WEIR_SLOT_INVALID = 0, /* never written */
	WEIR_SLOT_SPILL,       /* part of the spilled register */
	WEIR_SLOT_MISC,        /* some number */
	WEIR_SLOT_ZERO,        /* the byte 0 */
};

#define WEIR_SLOT_BYTES 8
#define WEIR_MAX_SLOTS  (WEIR_STACK_BYTES / WEIR_SLOT_BYTES)

/* Slot i is the eight bytes at R10 - 8 * (i + 1); kind[k] is of the byte at R10 - 8 * i - 1 - k. */
struct weir_slot {
	uint8_t kind[WEIR_SLOT_BYTES];
	struct weir_vreg reg; /* valid if kind[7] is SPILL */
};

struct weir_frame {
	struct weir_vreg regs[WEIR_MAX_REGS];
	uint32_t callsite; /* the caller's call instruction */
	uint32_t subprog;
	uint32_t callback_depth; /* callbacks simulated by the running bpf_loop of this frame */
	bool is_callback;
	int32_t ret_min, ret_max; /* what a callback may return */
	uint32_t slot_count;      /* slots in use: the deepest touched, plus one */
	uint32_t slot_cap;
	struct weir_slot *slots;
};

struct weir_vstate {
	struct weir_frame *frames[WEIR_MAX_FRAMES];
	uint32_t curframe;
	uint32_t insn_idx;          /* checkpoints: about to be executed */
	struct weir_vstate *parent; /* the checkpoint this path came through last */
	uint32_t branches;          /* paths from here that are not yet done */
	uint32_t path_pos;          /* entries of the path log before this point */
	uint32_t depth;             /* checkpoints above this one */
	uint32_t callback_unroll;   /* trips of callback loops on this path */
	/* Loops that converged on this state: compare everything, and what is open below them. */
	bool force_exact;
	struct weir_vstate *open_loop; /* an unfinished loop that a path from here ended in */
	/* As member of an instruction's list of checkpoints. */
	struct weir_vstate *next;
	uint32_t hit_cnt, miss_cnt;
	bool is_evicted;
};

/* Recycles states, frames and slot arrays; nothing goes back to the system before the end. */
struct weir_pool {
	void *free_state;
	void *free_frame;
	void *free_slots[8]; /* by log2 of the capacity */
	void *chunks;
	uint8_t *bump;
	size_t bump_left;
	uint64_t used_bytes, peak_bytes, limit_bytes;
	bool is_full; /* an allocation failed because of the limit */
};

void weir_pool_init(struct weir_pool *pool, uint64_t limit_bytes);
void weir_pool_clear(struct weir_pool *pool);

/* NULL when memory or the limit is exhausted. Zeroed, no frames. */
struct weir_vstate *weir_vstate_new(struct weir_pool *pool);
/* Takes the state back, with its frames. NULL is fine. */
void weir_vstate_free(struct weir_pool *pool, struct weir_vstate *state);
/* A state with copies of src's frames; the rest is as new. NULL as for weir_vstate_new. */
struct weir_vstate *weir_vstate_copy(struct weir_pool *pool, const struct weir_vstate *src);
/* Adds a frame on top: 0 or -ENOMEM. Registers are not initialised but R10. */
int weir_vstate_push_frame(struct weir_pool *pool, struct weir_vstate *state, uint32_t subprog,
			   uint32_t callsite);
void weir_vstate_pop_frame(struct weir_pool *pool, struct weir_vstate *state);
/* Makes slots 0..count-1 exist: 0 or -ENOMEM. New ones are INVALID. */
int weir_frame_reserve(struct weir_pool *pool, struct weir_frame *frame, uint32_t count);

static inline struct weir_frame *weir_vstate_top(const struct weir_vstate *state)
{
	return state->frames[state->curframe];
}

static inline bool weir_slot_is_spill(const struct weir_slot *slot)
{
	return slot->kind[WEIR_SLOT_BYTES - 1] == WEIR_SLOT_SPILL;
}

/* Setting registers: everything else of the register is reset. */
void weir_vreg_set_unknown(struct weir_vreg *reg);
void weir_vreg_set_const(struct weir_vreg *reg, uint64_t value);
void weir_vreg_set_ptr(struct weir_vreg *reg, enum weir_vtype type);
static inline void weir_vreg_set_none(struct weir_vreg *reg)
{
	reg->type = WEIR_V_NONE;
	reg->flags = 0;
	reg->id = 0;
	reg->precise = false;
}

static inline bool weir_vreg_is_pkt(const struct weir_vreg *reg)
{
	return reg->type == WEIR_V_PKT || reg->type == WEIR_V_PKT_META;
}

static inline bool weir_vreg_is_ptr(const struct weir_vreg *reg)
{
	return reg->type > WEIR_V_SCALAR;
}

static inline bool weir_vreg_is_null(const struct weir_vreg *reg)
{
	return reg->type == WEIR_V_SCALAR && weir_scalar_is_const(&reg->v) && !reg->v.var.value;
}

/* Calls `body` with `reg` for every register and spilled register of every frame of a state. */
#define weir_vstate_each_reg(state, reg, body)                                  \
	do {                                                                    \
		for (uint32_t f_ = 0; f_ <= (state)->curframe; f_++) {          \
			struct weir_frame *frame_ = (state)->frames[f_];        \
			for (uint32_t r_ = 0; r_ < WEIR_MAX_REGS; r_++) {       \
				struct weir_vreg *reg = &frame_->regs[r_];      \
				body;                                           \
			}                                                       \
			for (uint32_t s_ = 0; s_ < frame_->slot_count; s_++) {  \
				if (!weir_slot_is_spill(&frame_->slots[s_]))    \
					continue;                               \
				struct weir_vreg *reg = &frame_->slots[s_].reg; \
				body;                                           \
			}                                                       \
		}                                                               \
	} while (0)

#endif
