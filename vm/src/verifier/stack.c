/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stack: slots of eight bytes, each a spilled register or bytes that are numbers, zeros or
 * never written. A store through a pointer whose offset varies may hit any slot in reach, so each
 * keeps only what is true of both the old and the new contents.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "env.h"

static int slot_of(int64_t off)
{
	return (int)((-off - 1) / WEIR_SLOT_BYTES);
}

static int byte_of(int64_t off)
{
	return (int)((-off - 1) % WEIR_SLOT_BYTES);
}

static bool slot_full_spill(const struct weir_slot *slot)
{
	return slot->kind[0] == WEIR_SLOT_SPILL && weir_slot_is_spill(slot);
}

/* Turns the bytes of a spill that is no longer whole into plain ones. */
static void drop_spill(struct weir_slot *slot)
{
	for (int i = 0; i < WEIR_SLOT_BYTES; i++)
		if (slot->kind[i] == WEIR_SLOT_SPILL)
			slot->kind[i] = WEIR_SLOT_MISC;
}

int weir_stack_check_bounds(struct weir_env *env, const struct weir_vreg *ptr, uint32_t ptr_regno,
			    int32_t off, int64_t bytes, enum weir_access access)
{
	struct weir_frame *frame = env->cur->frames[ptr->frameno];
	int64_t lo = ptr->v.smin + ptr->off + off, hi = ptr->v.smax + ptr->off + off + bytes;
	bool fixed = weir_scalar_is_const(&ptr->v);
	struct weir_vsub *sub = &env->subs[frame->subprog];
	const char *how = access == WEIR_WRITE ? " write to" : " read from";
	/* Linux's code for an access that starts inside and runs out at the top. */
	int err = lo >= -WEIR_STACK_BYTES && lo < 0 && bytes >= 0 ? -EINVAL : -EACCES;

	if (!fixed && (ptr->v.smax >= WEIR_MAX_VAR_OFF || ptr->v.smin <= -WEIR_MAX_VAR_OFF))
		return weir_reject(env, -EACCES, WEIR_REASON_STACK_POINTER_LOST,
				   "invalid unbounded variable-offset%s stack R%u", how, ptr_regno);
	if (bytes < 0 || lo < -WEIR_STACK_BYTES || hi > 0) {
		weir_reject_note(env, ptr_regno, -WEIR_STACK_BYTES, -1, lo, hi - 1);
		if (fixed)
			return weir_reject(env, err, WEIR_REASON_STACK_RANGE,
					   "invalid%s stack R%u off=%" PRId64 " size=%" PRId64, how,
					   ptr_regno, lo, bytes);
		return weir_reject(env, err, WEIR_REASON_STACK_RANGE,
				   "invalid variable-offset%s stack R%u off=%" PRId64
				   " size=%" PRId64,
				   how, ptr_regno, lo, bytes);
	}
	if ((uint32_t)-lo > sub->stack_depth)
		sub->stack_depth = (uint32_t)-lo;
	if (weir_frame_reserve(&env->pool, frame, (uint32_t)slot_of(lo) + 1))
		return weir_reject_nomem(env);
	return 0;
}

/* Pruning compares known slots by value; a number turned into a kind must stay what it was. */
static int note_access(struct weir_env *env, uint32_t frameno, int slot)
{
	struct weir_step *step = weir_env_step(env);

	step->access = WEIR_STEP_STACK;
	step->stack_frame = (uint8_t)frameno;
	step->stack_slot = (uint8_t)slot;
	return 0;
}

static int store_spill(struct weir_env *env, struct weir_slot *slot, uint32_t bytes,
		       const struct weir_vreg *value, int value_regno)
{
	if (value->type == WEIR_V_SCALAR && value_regno >= 0 && bytes == 8) {
		struct weir_vreg *src = weir_env_reg(env, (uint32_t)value_regno);

		weir_reg_link(env, src);
		value = src;
	}
	slot->reg = *value;
	slot->reg.precise = false;
	if (bytes < 8) {
		/* A narrow spill keeps the low bytes; the link holds only if nothing was cut. */
		if (value->v.umax >> (bytes * 8) || value_regno < 0) {
			slot->reg.id = 0;
			slot->reg.off = 0;
		} else {
			struct weir_vreg *src = weir_env_reg(env, (uint32_t)value_regno);

			weir_reg_link(env, src);
			slot->reg.id = src->id;
			slot->reg.off = src->off;
		}
		weir_scalar_trunc(&slot->reg.v, bytes);
	}
	for (uint32_t i = 0; i < WEIR_SLOT_BYTES; i++) {
		if (i < bytes)
			slot->kind[7 - i] = WEIR_SLOT_SPILL;
		else if (slot->kind[7 - i] == WEIR_SLOT_SPILL)
			slot->kind[7 - i] = WEIR_SLOT_MISC;
	}
	return 0;
}

static int store_fixed(struct weir_env *env, const struct weir_vreg *ptr, int64_t off,
		       uint32_t bytes, const struct weir_vreg *value, int value_regno)
{
	struct weir_frame *frame = env->cur->frames[ptr->frameno];
	int spi = slot_of(off);
	struct weir_slot *slot = &frame->slots[spi];
	bool spans = slot_of(off + bytes - 1) != spi;
	uint8_t kind = WEIR_SLOT_MISC;

	if (!env->perfmon && weir_slot_is_spill(slot) && slot->reg.type != WEIR_V_SCALAR &&
	    bytes != 8)
		return weir_reject(env, -EACCES, WEIR_REASON_SPILL_CORRUPT,
				   "attempt to corrupt spilled pointer on stack");
	note_access(env, ptr->frameno, spi);
	if (value && !(off % 8) && !spans && value->type == WEIR_V_SCALAR && env->bpf_capable)
		return store_spill(env, slot, bytes, value, value_regno);
	if (value && weir_vreg_is_ptr(value)) {
		if (bytes != 8 || off % 8)
			return weir_reject(env, -EACCES, WEIR_REASON_SPILL_CORRUPT,
					   "invalid size of register spill");
		if (value->type == WEIR_V_STACK && value->frameno > ptr->frameno)
			return weir_reject(
				env, -EINVAL, WEIR_REASON_SPILL_CORRUPT,
				"cannot spill pointers to stack into stack frame of the caller");
		return store_spill(env, slot, 8, value, value_regno);
	}
	drop_spill(slot);
	if (spans)
		drop_spill(&frame->slots[slot_of(off + bytes - 1)]);
	if (value && weir_vreg_is_null(value)) {
		/* The byte kind "zero" depends on this number being 0, and cannot be tracked back.
		 */
		int err = value_regno >= 0 ? weir_precision_mark(env, (uint32_t)value_regno) : 0;

		if (err)
			return err;
		kind = WEIR_SLOT_ZERO;
	}
	for (int64_t o = off; o < off + bytes; o++)
		frame->slots[slot_of(o)].kind[byte_of(o)] = kind;
	return 0;
}

static int store_variable(struct weir_env *env, const struct weir_vreg *ptr, int64_t lo, int64_t hi,
			  const struct weir_vreg *value, int value_regno)
{
	struct weir_frame *frame = env->cur->frames[ptr->frameno];
	bool zero = value && weir_vreg_is_null(value), used_zero = false;

	for (int64_t o = lo; o < hi; o++) {
		struct weir_slot *slot = &frame->slots[slot_of(o)];
		uint8_t *kind = &slot->kind[byte_of(o)];

		if (!env->perfmon && *kind != WEIR_SLOT_MISC && *kind != WEIR_SLOT_ZERO)
			return weir_reject(env, -EINVAL, WEIR_REASON_STACK_POINTER_LOST,
					   "spilled ptr in range of var-offset stack write; insn "
					   "%u, ptr off: %d",
					   env->insn_idx, ptr->off);
		/* A constant zero under a store of zero stays zero wherever the store lands. */
		if (zero && slot_full_spill(slot) && weir_vreg_is_null(&slot->reg) &&
		    slot->reg.type == WEIR_V_SCALAR) {
			slot->kind[byte_of(o)] = WEIR_SLOT_SPILL;
			used_zero = true;
			continue;
		}
		drop_spill(slot);
		if (*kind == WEIR_SLOT_ZERO && zero) {
			used_zero = true;
			continue;
		}
		if (*kind == WEIR_SLOT_INVALID && !env->perfmon)
			return weir_reject(env, -EINVAL, WEIR_REASON_UNINIT_STACK,
					   "uninit stack in range of var-offset write prohibited "
					   "for !root; insn %u, off: %" PRId64,
					   env->insn_idx, o);
		*kind = WEIR_SLOT_MISC;
	}
	if (used_zero && value_regno >= 0)
		return weir_precision_mark(env, (uint32_t)value_regno);
	return 0;
}

int weir_stack_store(struct weir_env *env, const struct weir_vreg *ptr, uint32_t ptr_regno,
		     int32_t off, uint32_t bytes, const struct weir_vreg *value, int value_regno)
{
	int err = weir_stack_check_bounds(env, ptr, ptr_regno, off, bytes, WEIR_WRITE);
	int64_t lo = ptr->v.smin + ptr->off + off;

	if (err)
		return err;
	if (!weir_scalar_is_const(&ptr->v))
		return store_variable(env, ptr, lo, ptr->v.smax + ptr->off + off + bytes, value,
				      value_regno);
	err = store_fixed(env, ptr, lo, bytes, value, value_regno);
	if (!err && bytes == 8 && !(lo % 8))
		weir_live_stack_write(env, ptr->frameno, (uint32_t)slot_of(lo));
	return err;
}

static int reject_uninit(struct weir_env *env, int64_t lo, int64_t at, int64_t bytes)
{
	return weir_reject(env, -EACCES, WEIR_REASON_UNINIT_STACK,
			   "invalid read from stack off %" PRId64 "+%" PRId64 " size %" PRId64, lo,
			   at - lo, bytes);
}

static int note_reads(struct weir_env *env, uint32_t frameno, int64_t lo, int64_t hi)
{
	for (int s = slot_of(hi - 1); s <= slot_of(lo); s++)
		if (weir_live_stack_read(env, frameno, (uint32_t)s))
			return weir_reject_nomem(env);
	return 0;
}

/* Bytes that are not one spill: all zero gives 0, anything else an unknown number. */
static int load_bytes(struct weir_env *env, const struct weir_vreg *ptr, int64_t off,
		      uint32_t bytes, struct weir_vreg *dst)
{
	struct weir_frame *frame = env->cur->frames[ptr->frameno];
	uint32_t zeros = 0;

	for (int64_t o = off; o < off + bytes; o++) {
		struct weir_slot *slot = &frame->slots[slot_of(o)];
		uint8_t kind = slot->kind[byte_of(o)];

		if (kind == WEIR_SLOT_ZERO)
			zeros++;
		else if (kind == WEIR_SLOT_INVALID && !env->perfmon)
			return reject_uninit(env, off, o, bytes);
		else if (kind == WEIR_SLOT_SPILL && slot->reg.type != WEIR_V_SCALAR &&
			 !env->perfmon)
			return weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
					   "leaking pointer from stack off %" PRId64, off);
	}
	if (!dst)
		return 0;
	if (zeros == bytes) {
		weir_vreg_set_const(dst, 0);
	} else {
		weir_vreg_set_unknown(dst);
		weir_scalar_trunc(&dst->v, bytes);
	}
	return 0;
}

static int load_fixed(struct weir_env *env, const struct weir_vreg *ptr, int64_t off,
		      uint32_t bytes, struct weir_vreg *dst)
{
	struct weir_frame *frame = env->cur->frames[ptr->frameno];
	int spi = slot_of(off);
	struct weir_slot *slot = &frame->slots[spi];
	uint32_t spill_bytes = 0;

	while (spill_bytes < 8 && slot->kind[7 - spill_bytes] == WEIR_SLOT_SPILL)
		spill_bytes++;
	if (spill_bytes && slot->reg.type != WEIR_V_SCALAR) {
		if (bytes != 8)
			return weir_reject(env, -EACCES, WEIR_REASON_SPILL_CORRUPT,
					   "invalid size of register fill");
		if (!dst && weir_reg_is_leak(env, &slot->reg))
			return weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
					   "leaking pointer from stack off %" PRId64, off);
	}
	if (off % 8 || !spill_bytes || bytes > spill_bytes)
		return load_bytes(env, ptr, off, bytes, dst);
	if (!dst)
		return 0;
	note_access(env, ptr->frameno, spi);
	if (slot->reg.type == WEIR_V_SCALAR && bytes <= spill_bytes)
		weir_reg_link(env, &slot->reg);
	*dst = slot->reg;
	dst->precise = false;
	if (dst->type == WEIR_V_SCALAR && bytes < 8) {
		if (dst->v.umax >> (bytes * 8)) {
			dst->id = 0;
			dst->off = 0;
		}
		weir_scalar_trunc(&dst->v, bytes);
	}
	return 0;
}

int weir_stack_load(struct weir_env *env, const struct weir_vreg *ptr, uint32_t ptr_regno,
		    int32_t off, uint32_t bytes, int value_regno)
{
	struct weir_vreg at = *ptr; /* the destination may be the pointer's register */
	struct weir_vreg *dst = value_regno < 0 ? NULL : weir_env_reg(env, (uint32_t)value_regno);
	int err = weir_stack_check_bounds(env, &at, ptr_regno, off, bytes, WEIR_READ);
	int64_t lo = at.v.smin + at.off + off, hi = at.v.smax + at.off + off + bytes;

	if (!err)
		err = note_reads(env, at.frameno, lo, hi);
	if (err)
		return err;
	if (weir_scalar_is_const(&at.v))
		return load_fixed(env, &at, lo, bytes, dst);
	err = load_bytes(env, &at, lo, (uint32_t)(hi - lo), NULL);
	if (err || !dst)
		return err;
	/* All zero bytes wherever the load lands give 0; pointers in reach became a number. */
	load_bytes(env, &at, lo, (uint32_t)(hi - lo), dst);
	if (!weir_vreg_is_null(dst)) {
		weir_vreg_set_unknown(dst);
		weir_scalar_trunc(&dst->v, bytes);
	}
	return 0;
}

int weir_stack_check_arg(struct weir_env *env, const struct weir_mem_arg *arg)
{
	struct weir_vreg ptr = *weir_env_reg(env, arg->regno);
	int err = weir_stack_check_bounds(env, &ptr, arg->regno, 0, arg->bytes, arg->access);
	int64_t lo = ptr.v.smin + ptr.off, hi = ptr.v.smax + ptr.off + arg->bytes;
	/* Where the write lands must be known for it to count as initialising. */
	bool uninit = arg->uninit && weir_scalar_is_const(&ptr.v);
	struct weir_frame *frame;

	if (err || !arg->bytes)
		return err;
	if (!env->bpf_capable && !weir_scalar_is_const(&ptr.v))
		return weir_reject(env, -EACCES, WEIR_REASON_STACK_POINTER_LOST,
				   "R%u variable offset stack access prohibited for !root",
				   arg->regno);
	frame = env->cur->frames[ptr.frameno];
	if (!uninit) {
		err = note_reads(env, ptr.frameno, lo, hi);
		if (err)
			return err;
	}
	for (int64_t o = lo; o < hi; o++) {
		struct weir_slot *slot = &frame->slots[slot_of(o)];
		uint8_t *kind = &slot->kind[byte_of(o)];

		if (uninit) {
			if (!env->perfmon && weir_slot_is_spill(slot) &&
			    slot->reg.type != WEIR_V_SCALAR)
				return weir_reject(env, -EACCES, WEIR_REASON_SPILL_CORRUPT,
						   "attempt to corrupt spilled pointer on stack");
			drop_spill(slot);
			*kind = WEIR_SLOT_MISC;
			continue;
		}
		if (*kind == WEIR_SLOT_SPILL && slot->reg.type != WEIR_V_SCALAR && !env->perfmon)
			return reject_uninit(env, lo, o, arg->bytes);
		if (*kind == WEIR_SLOT_INVALID && !env->perfmon)
			return weir_reject(env, -EACCES, WEIR_REASON_UNINIT_STACK,
					   "invalid read from stack R%u off %" PRId64 "+%" PRId64
					   " size %" PRId64,
					   arg->regno, lo, o - lo, arg->bytes);
		if (arg->access == WEIR_WRITE) {
			drop_spill(slot);
			*kind = WEIR_SLOT_MISC;
		}
	}
	/* A write at a variable place, or of a variable length, does not end older contents. */
	if (uninit && arg->exact)
		for (int64_t o = lo + ((8 - (lo & 7)) & 7); o + 8 <= hi; o += 8)
			weir_live_stack_write(env, ptr.frameno, (uint32_t)slot_of(o));
	return 0;
}

bool weir_stack_const(struct weir_env *env, const struct weir_vreg *ptr, uint32_t bytes,
		      uint64_t *value, uint32_t *slot_no, bool *is_spill)
{
	struct weir_frame *frame = env->cur->frames[ptr->frameno];
	int64_t off = (int64_t)ptr->off + ptr->v.smin;
	struct weir_slot *slot;
	bool zero = true;

	if (!weir_scalar_is_const(&ptr->v) || off >= 0 || off < -WEIR_STACK_BYTES ||
	    (uint32_t)slot_of(off) >= frame->slot_count || slot_of(off + bytes - 1) != slot_of(off))
		return false;
	slot = &frame->slots[slot_of(off)];
	*slot_no = (uint32_t)slot_of(off);
	for (uint32_t i = 0; i < bytes; i++)
		zero = zero && slot->kind[byte_of(off + i)] == WEIR_SLOT_ZERO;
	*is_spill = !zero;
	*value = 0;
	if (zero)
		return true;
	/* Only a spill of exactly this size at its start is the whole of a known number. */
	if (off % 8 || !weir_slot_is_spill(slot) || slot->reg.type != WEIR_V_SCALAR ||
	    slot->kind[8 - bytes] != WEIR_SLOT_SPILL || !weir_scalar_is_const(&slot->reg.v))
		return false;
	*value = slot->reg.v.var.value & (bytes == 8 ? UINT64_MAX : (1ULL << (bytes * 8)) - 1);
	return true;
}
