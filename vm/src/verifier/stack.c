/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stack: 64 slots of eight bytes a frame. A register stored whole at a slot's start is kept
 * with all that is known of it; anything else is kept byte by byte as number, zero, or nothing.
 * Byte b of a frame (1 is the highest) is in slot (b - 1) / 8, kind (b - 1) % 8.
 */
#include "env.h"

#define SLOT_START (WEIR_SLOT_BYTES - 1) /* kind of the slot's lowest address */

static struct weir_frame *frame_of(struct weir_env *env, const struct weir_vreg *ptr)
{
	return env->cur->frames[ptr->frameno];
}

/* The lowest and highest start an access may have, as offsets from the frame's top (negative). */
static int check_bounds(struct weir_env *env, uint32_t regno, const struct weir_vreg *ptr,
			int32_t off, int64_t bytes, int64_t *lo, int64_t *hi)
{
	if (ptr->v.smin <= -MAX_VAR_OFF || ptr->v.smax >= MAX_VAR_OFF)
		return weir_reject(env, -EACCES, WEIR_REASON_STACK_RANGE,
				   "invalid unbounded variable-offset access to stack R%u", regno);
	*lo = (int64_t)ptr->off + off + ptr->v.smin;
	*hi = (int64_t)ptr->off + off + ptr->v.smax;
	if (*lo >= -WEIR_STACK_BYTES && *hi + bytes <= 0 && *hi < 0)
		return 0;
	if (*lo == *hi)
		return weir_reject(env, -EACCES, WEIR_REASON_STACK_RANGE,
				   "invalid access to stack R%u off=%lld size=%lld", regno,
				   (long long)*lo, (long long)bytes);
	return weir_reject(env, -EACCES, WEIR_REASON_STACK_RANGE,
			   "invalid variable-offset access to stack R%u, off from %lld to %lld "
			   "size=%lld",
			   regno, (long long)*lo, (long long)*hi, (long long)bytes);
}

/* Makes the slots down to offset lo exist, and counts them as the function's need. */
static int reserve(struct weir_env *env, const struct weir_vreg *ptr, int64_t lo)
{
	struct weir_frame *frame = frame_of(env, ptr);
	uint32_t slots = (uint32_t)((-lo + 7) / 8);
	struct vsub *sub = &env->subs[frame->subprog];

	sub->stack_bytes = weir_max(sub->stack_bytes, slots * 8);
	return weir_frame_reserve(&env->pool, frame, slots) ? reject_nomem(env) : 0;
}

static uint8_t *kind_at(struct weir_frame *frame, int64_t off)
{
	return &frame->slots[(-off - 1) / 8].kind[(-off - 1) % 8];
}

static struct weir_slot *slot_at(struct weir_frame *frame, int64_t off)
{
	return &frame->slots[(-off - 1) / 8];
}

/*
 * The byte at off is about to become something else: a register saved in its slot is no longer
 * whole, so what is left of it are numbers.
 */
static void break_spill(struct weir_frame *frame, int64_t off)
{
	struct weir_slot *slot = slot_at(frame, off);

	if (!weir_slot_is_spill(slot))
		return;
	for (int k = 0; k < WEIR_SLOT_BYTES; k++)
		if (slot->kind[k] == WEIR_SLOT_SPILL)
			slot->kind[k] = WEIR_SLOT_MISC;
}

static void set_kind(struct weir_frame *frame, int64_t off, uint8_t kind)
{
	break_spill(frame, off);
	*kind_at(frame, off) = kind;
}

static bool slot_has_pointer(struct weir_frame *frame, int64_t off)
{
	struct weir_slot *slot = slot_at(frame, off);

	return weir_slot_is_spill(slot) && weir_vreg_is_ptr(&slot->reg);
}

/* Part of a saved pointer would become a number that can be read. */
static int check_corrupt(struct weir_env *env, struct weir_frame *frame, int64_t off,
			 uint32_t bytes)
{
	if (env->perfmon || !slot_has_pointer(frame, off) || bytes == 8)
		return 0;
	return weir_reject(env, -EACCES, WEIR_REASON_SPILL_CORRUPT,
			   "attempt to corrupt spilled pointer on stack");
}

static int store_fixed(struct weir_env *env, const struct weir_vreg *ptr, int64_t off,
		       uint32_t bytes, const struct weir_vreg *value)
{
	struct weir_frame *frame = frame_of(env, ptr);
	bool at_start = !(off & 7), keep;
	struct weir_slot *slot;
	int err;

	for (uint32_t b = 0; b < bytes; b++) {
		err = check_corrupt(env, frame, off + b, bytes);
		if (err)
			return err;
	}
	/* Pointers are only kept whole; numbers also by their low part. */
	if (weir_vreg_is_ptr(value) && (bytes != 8 || !at_start)) {
		if (!env->perfmon)
			return weir_reject(env, -EACCES, WEIR_REASON_SPILL_CORRUPT,
					   "invalid size of register spill");
	}
	keep = at_start && (bytes == 8 || !weir_vreg_is_ptr(value));
	for (uint32_t b = 0; b < bytes; b++)
		set_kind(frame, off + b,
			 weir_vreg_is_null(value) ? WEIR_SLOT_ZERO : WEIR_SLOT_MISC);
	if (!keep || (weir_vreg_is_null(value) && bytes != 8))
		return 0;
	slot = slot_at(frame, off);
	slot->reg = *value;
	if (bytes < 8) {
		struct weir_scalar before = slot->reg.v;

		weir_scalar_trunc(&slot->reg.v, bytes);
		if (!weir_scalar_equal(&before, &slot->reg.v))
			slot->reg.id = 0;
	}
	for (uint32_t b = 0; b < bytes; b++)
		slot->kind[SLOT_START - b] = WEIR_SLOT_SPILL;
	return 0;
}

/*
 * Somewhere in [lo, hi]: every byte there may now be the old or the new one. Zeros stay zeros if
 * zero is stored; everything else is a number; a saved register cannot be relied on any more.
 */
static int store_variable(struct weir_env *env, const struct weir_vreg *ptr, int64_t lo, int64_t hi,
			  uint32_t bytes, const struct weir_vreg *value)
{
	struct weir_frame *frame = frame_of(env, ptr);

	if (reg_leaks(env, value))
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
				   "leaking pointer through a variable stack offset");
	for (int64_t off = lo; off < hi + bytes; off++) {
		uint8_t *kind = kind_at(frame, off);
		int err = check_corrupt(env, frame, off, 1);

		if (err)
			return err;
		if (*kind == WEIR_SLOT_INVALID && !env->perfmon)
			return weir_reject(env, -EINVAL, WEIR_REASON_UNINIT_STACK,
					   "uninit stack in range of var-offset write prohibited "
					   "for !root; off: %lld",
					   (long long)off);
		if (*kind != WEIR_SLOT_ZERO || !weir_vreg_is_null(value))
			set_kind(frame, off, WEIR_SLOT_MISC);
	}
	return 0;
}

int stack_store(struct weir_env *env, uint32_t regno, int32_t off, uint32_t bytes,
		const struct weir_vreg *value)
{
	const struct weir_vreg ptr = *env_reg(env, regno);
	const struct weir_vreg what = *value;
	int64_t lo, hi;
	int err = check_bounds(env, regno, &ptr, off, bytes, &lo, &hi);

	if (!err)
		err = reserve(env, &ptr, lo);
	if (err)
		return err;
	if (weir_vreg_is_ptr(&what) && what.type == WEIR_V_STACK && what.frameno > ptr.frameno)
		return weir_reject(env, -EINVAL, WEIR_REASON_POINTER_LEAK,
				   "cannot spill pointers to stack into stack frame of the caller");
	return lo == hi ? store_fixed(env, &ptr, lo, bytes, &what)
			: store_variable(env, &ptr, lo, hi, bytes, &what);
}

/* Bytes of one or two slots that are no whole register. */
static int load_bytes(struct weir_env *env, struct weir_frame *frame, int64_t lo, int64_t hi,
		      uint32_t bytes, struct weir_vreg *value)
{
	bool zero = true;

	for (int64_t off = lo; off < hi + bytes; off++) {
		uint8_t kind = *kind_at(frame, off);

		if (kind == WEIR_SLOT_INVALID && !env->perfmon)
			return weir_reject(env, -EACCES, WEIR_REASON_UNINIT_STACK,
					   "invalid read from stack off %lld+%lld size %u",
					   (long long)lo, (long long)(off - lo), bytes);
		if (slot_has_pointer(frame, off) && !env->perfmon)
			return weir_reject(env, -EACCES, WEIR_REASON_SPILL_CORRUPT,
					   "corrupted spill memory");
		zero &= kind == WEIR_SLOT_ZERO;
	}
	if (zero) {
		weir_vreg_set_const(value, 0);
		return 0;
	}
	weir_vreg_set_unknown(value);
	weir_scalar_trunc(&value->v, bytes);
	return 0;
}

/* Is the access at a slot's start and within the bytes of the register saved there? */
static bool within_spill(struct weir_frame *frame, int64_t off, uint32_t bytes)
{
	struct weir_slot *slot = slot_at(frame, off);

	if ((off & 7) || !weir_slot_is_spill(slot))
		return false;
	for (uint32_t b = 0; b < bytes; b++)
		if (slot->kind[SLOT_START - b] != WEIR_SLOT_SPILL)
			return false;
	return true;
}

int stack_load(struct weir_env *env, uint32_t regno, int32_t off, uint32_t bytes,
	       struct weir_vreg *value)
{
	const struct weir_vreg ptr = *env_reg(env, regno);
	struct weir_frame *frame = frame_of(env, &ptr);
	const struct weir_vreg *saved;
	int64_t lo, hi;
	int err = check_bounds(env, regno, &ptr, off, bytes, &lo, &hi);

	if (!err)
		err = reserve(env, &ptr, lo);
	if (!err)
		err = live_slot_read(env, ptr.frameno, (uint32_t)((-(hi + bytes - 1) - 1) / 8),
				     (uint32_t)((-lo - 1) / 8));
	if (err)
		return err;
	if (lo != hi || !within_spill(frame, lo, bytes))
		return load_bytes(env, frame, lo, hi, bytes, value);
	saved = &slot_at(frame, lo)->reg;
	if (weir_vreg_is_ptr(saved) && bytes != 8)
		return weir_reject(env, -EACCES, WEIR_REASON_SPILL_CORRUPT,
				   "invalid size of register fill");
	*value = *saved;
	if (bytes < 8 && saved->v.umax > (1ULL << (bytes * 8)) - 1) {
		weir_scalar_trunc(&value->v, bytes);
		value->id = 0;
	}
	return 0;
}

/* A helper's argument: what is read must be there; what is written is a number after it. */
int stack_check_arg(struct weir_env *env, const struct mem_arg *arg)
{
	const struct weir_vreg ptr = *env_reg(env, arg->regno);
	struct weir_frame *frame = frame_of(env, &ptr);
	bool initialised = arg->access == V_READ || !arg->uninit;
	int64_t lo, hi;
	int err;

	if (!arg->bytes)
		return 0;
	err = check_bounds(env, arg->regno, &ptr, 0, arg->bytes, &lo, &hi);
	if (!err)
		err = reserve(env, &ptr, lo);
	if (!err && initialised)
		err = live_slot_read(env, ptr.frameno, (uint32_t)((-(hi + arg->bytes - 1) - 1) / 8),
				     (uint32_t)((-lo - 1) / 8));
	if (err)
		return err;
	for (int64_t off = lo; off < hi + arg->bytes; off++) {
		uint8_t kind = *kind_at(frame, off);
		/* unknown starts leave old bytes between the new ones */
		bool must_be_there = initialised || lo != hi;

		if (must_be_there && kind == WEIR_SLOT_INVALID && !env->perfmon)
			return weir_reject(env, -EACCES, WEIR_REASON_UNINIT_STACK,
					   "invalid read from stack R%u off %lld+%lld size %lld",
					   arg->regno, (long long)lo, (long long)(off - lo),
					   (long long)arg->bytes);
		if (slot_has_pointer(frame, off) && !env->perfmon)
			return weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
					   "R%u: a saved pointer would leak into the helper",
					   arg->regno);
	}
	for (int64_t off = lo; arg->access == V_WRITE && off < hi + arg->bytes; off++)
		set_kind(frame, off, WEIR_SLOT_MISC);
	return 0;
}

bool stack_const(struct weir_env *env, const struct weir_vreg *ptr, uint32_t bytes, uint64_t *value)
{
	struct weir_frame *frame = frame_of(env, ptr);
	int64_t off = (int64_t)ptr->off + (int64_t)ptr->v.var.value;
	struct weir_slot *slot;
	bool zero = true;

	if (!weir_scalar_is_const(&ptr->v) || off < -WEIR_STACK_BYTES || off + bytes > 0 ||
	    (uint32_t)((-off + 7) / 8) > frame->slot_count)
		return false;
	if (within_spill(frame, off, bytes)) {
		slot = slot_at(frame, off);
		*value =
			slot->reg.v.var.value & (bytes >= 8 ? UINT64_MAX : (1ULL << bytes * 8) - 1);
		return slot->reg.type == WEIR_V_SCALAR && weir_scalar_is_const(&slot->reg.v);
	}
	for (uint32_t b = 0; b < bytes; b++)
		zero &= *kind_at(frame, off + b) == WEIR_SLOT_ZERO;
	*value = 0;
	return zero;
}
