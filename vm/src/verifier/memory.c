/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads, stores and atomics. An access is allowed only if its smallest and its largest possible
 * address lie inside of the memory the pointer stands for: base + off + [v.smin, v.umax] + size.
 * For packets the bound is what a comparison with data_end proved about this very v.
 */
#include <errno.h>
#include <inttypes.h>

#include "env.h"

struct access {
	uint32_t regno;
	int32_t off; /* of the instruction */
	uint32_t bytes;
	enum weir_access dir;
	int value_regno;               /* loaded into or stored from; -1: none */
	bool is_atomic;                /* must be aligned everywhere */
	const struct weir_vreg *value; /* stores: what is stored; NULL: unknown number */
};

static int outside(struct weir_env *env, uint32_t regno, int64_t off, int64_t bytes,
		   uint32_t region_bytes, const char *what, enum weir_reason reason)
{
	if (!strcmp(what, "map value"))
		return weir_reject(env, -EACCES, reason,
				   "invalid access to map value, value_size=%u off=%" PRId64
				   " size=%" PRId64,
				   region_bytes, off, bytes);
	return weir_reject(env, -EACCES, reason,
			   "invalid access to memory, mem_size=%u off=%" PRId64 " size=%" PRId64,
			   region_bytes, off, bytes);
}

static bool is_inside(int64_t off, int64_t bytes, uint32_t region_bytes, bool zero_ok)
{
	return off >= 0 && (bytes > 0 || (!bytes && zero_ok)) && off + bytes <= region_bytes;
}

int weir_mem_check_region(struct weir_env *env, uint32_t regno, const struct weir_vreg *reg,
			  int64_t off, int64_t bytes, uint32_t region_bytes, bool zero_ok,
			  const char *what, enum weir_reason reason)
{
	int64_t lo;

	weir_reject_note(env, regno, 0, (int64_t)region_bytes - bytes, off + reg->v.smin,
			 reg->v.umax > INT32_MAX ? INT64_MAX : off + (int64_t)reg->v.umax);
	if (reg->v.smin < 0 && (reg->v.smin < -WEIR_MAX_VAR_OFF || reg->v.smin + off < 0))
		return weir_reject(env, -EACCES, WEIR_REASON_NEGATIVE_OFFSET,
				   "R%u min value is negative, either use unsigned index or do a "
				   "if (index >=0) check.",
				   regno);
	lo = reg->v.smin + off;
	if (reg->v.smin >= WEIR_MAX_VAR_OFF || !is_inside(lo, bytes, region_bytes, zero_ok))
		return outside(env, regno, lo, bytes, region_bytes, what, reason);
	if (reg->v.umax >= WEIR_MAX_VAR_OFF)
		return weir_reject(
			env, -EACCES, reason,
			"R%u unbounded memory access, make sure to bounds check any such access",
			regno);
	if (!is_inside((int64_t)reg->v.umax + off, bytes, region_bytes, zero_ok))
		return outside(env, regno, (int64_t)reg->v.umax + off, bytes, region_bytes, what,
			       reason);
	env->has_need = false;
	env->bad_reg = UINT32_MAX;
	return 0;
}

static int check_packet(struct weir_env *env, uint32_t regno, const struct weir_vreg *reg,
			int64_t off, int64_t bytes, bool zero_ok)
{
	int32_t range = reg->range < 0 ? 0 : reg->range;

	if (reg->v.smin < 0)
		return weir_reject(env, -EACCES, WEIR_REASON_NEGATIVE_OFFSET,
				   "R%u min value is negative, either use unsigned index or do a "
				   "if (index >=0) check.",
				   regno);
	if (reg->range >= 0 && is_inside(off, bytes, (uint32_t)range, zero_ok))
		return 0;
	weir_reject_note(env, regno, 0, range, off, off + bytes);
	return weir_reject(env, -EACCES, WEIR_REASON_PACKET_RANGE,
			   "invalid access to packet, off=%" PRId64 " size=%" PRId64
			   ", R%u(id=%u,off=%d,r=%d)",
			   off, bytes, regno, reg->id, reg->off, reg->range);
}

static int check_map_rights(struct weir_env *env, const struct weir_vreg *reg, int64_t off,
			    int64_t bytes, enum weir_access dir)
{
	const struct weir_map_def *def = &env->raw->maps[reg->map_idx].def;

	if (dir == WEIR_WRITE && (def->flags & BPF_F_RDONLY_PROG))
		return weir_reject(env, -EACCES, WEIR_REASON_WRITE_DENIED,
				   "write into map forbidden, value_size=%u off=%" PRId64
				   " size=%" PRId64,
				   def->value_size, reg->v.smin + off, bytes);
	if (dir == WEIR_READ && (def->flags & BPF_F_WRONLY_PROG))
		return weir_reject(env, -EACCES, WEIR_REASON_READ_DENIED,
				   "read from map forbidden, value_size=%u off=%" PRId64
				   " size=%" PRId64,
				   def->value_size, reg->v.smin + off, bytes);
	return 0;
}

static int check_map_value(struct weir_env *env, uint32_t regno, const struct weir_vreg *reg,
			   int64_t off, int64_t bytes, enum weir_access dir, bool zero_ok)
{
	int err = check_map_rights(env, reg, off, bytes, dir);

	return err ? err
		   : weir_mem_check_region(env, regno, reg, off, bytes,
					   env->raw->maps[reg->map_idx].def.value_size, zero_ok,
					   "map value", WEIR_REASON_MAP_VALUE_RANGE);
}

static int check_alignment(struct weir_env *env, const struct weir_vreg *reg,
			   const struct access *a)
{
	struct weir_scalar sum = reg->v;
	struct weir_scalar off = weir_scalar_const((uint64_t)((int64_t)reg->off + a->off));
	const char *kind = reg->type == WEIR_V_STACK ? "stack " : "value ";

	if (reg->type != WEIR_V_STACK && !env->strict_alignment && !a->is_atomic)
		return 0;
	if (weir_vreg_is_pkt(reg) && a->bytes > 1) {
		weir_scalar_alu(&sum, &off, BPF_ADD, false, false);
		if (weir_tnum_is_aligned(sum.var, a->bytes))
			return 0;
		kind = "packet ";
	} else {
		weir_scalar_alu(&sum, &off, BPF_ADD, false, false);
		if (weir_tnum_is_aligned(sum.var, a->bytes))
			return 0;
	}
	return weir_reject(env, -EACCES, WEIR_REASON_MISALIGNED,
			   "misaligned %saccess off %" PRId64 "+%d+%d size %u", kind, reg->v.smin,
			   reg->off, a->off, a->bytes);
}

static int check_leak(struct weir_env *env, const struct access *a, const char *where)
{
	if (a->dir == WEIR_WRITE && a->value_regno >= 0 && a->value &&
	    weir_reg_is_leak(env, a->value))
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK, "R%d leaks addr into %s",
				   a->value_regno, where);
	return 0;
}

static void note_kind(struct weir_env *env, enum weir_mem_kind kind)
{
	struct weir_insn_aux *aux = &env->aux[env->insn_idx];

	if (aux->mem == WEIR_MEM_NONE)
		aux->mem = (uint8_t)kind;
	else if (aux->mem != (uint8_t)kind)
		aux->mem = WEIR_MEM_OTHER;
}

static int check_mixing(struct weir_env *env, const struct weir_vreg *reg)
{
	struct weir_vinsn *info = &env->info[env->insn_idx];
	uint8_t prev = info->ptr_type;

	if (!prev)
		info->ptr_type = reg->type;
	else if (prev != reg->type && (prev == WEIR_V_CTX || reg->type == WEIR_V_CTX ||
				       prev == WEIR_V_SOCK || reg->type == WEIR_V_SOCK))
		return weir_reject(env, -EINVAL, WEIR_REASON_ACCESS_MIXED,
				   "same insn cannot be used with different pointers");
	return 0;
}

static void set_loaded(struct weir_env *env, const struct access *a)
{
	struct weir_vreg *dst;

	if (a->dir != WEIR_READ || a->value_regno < 0)
		return;
	dst = weir_env_reg(env, (uint32_t)a->value_regno);
	weir_vreg_set_unknown(dst);
	weir_scalar_trunc(&dst->v, a->bytes);
}

static int access_ctx(struct weir_env *env, const struct weir_vreg *reg, const struct access *a)
{
	const struct weir_ctx_field *field;
	struct weir_vreg *dst;
	int err = check_leak(env, a, "ctx");

	if (err)
		return err;
	if (!weir_scalar_is_const(&reg->v) || reg->v.var.value)
		return weir_reject(env, -EACCES, WEIR_REASON_CTX_OFFSET,
				   "variable ctx access var_off=(0x%" PRIx64 "; 0x%" PRIx64
				   ") disallowed",
				   reg->v.var.value, reg->v.var.mask);
	if (reg->off < 0)
		return weir_reject(env, -EACCES, WEIR_REASON_CTX_OFFSET,
				   "negative offset ctx ptr R%u off=%d disallowed", a->regno,
				   reg->off);
	if (reg->off)
		return weir_reject(env, -EACCES, WEIR_REASON_CTX_OFFSET,
				   "dereference of modified ctx ptr R%u off=%d disallowed",
				   a->regno, reg->off);
	field = weir_ctx_may_access(env->raw->type, env->raw->expected_attach_type, a->off,
				    a->bytes, a->dir == WEIR_WRITE);
	if (!field)
		return weir_reject(env, -EACCES, WEIR_REASON_CTX_ACCESS,
				   "invalid bpf_context access off=%d size=%u", a->off, a->bytes);
	note_kind(env, WEIR_MEM_CTX);
	set_loaded(env, a);
	if (a->dir == WEIR_WRITE || a->value_regno < 0)
		return 0;
	dst = weir_env_reg(env, (uint32_t)a->value_regno);
	switch (field->kind) {
	case WEIR_CTX_DATA: weir_vreg_set_ptr(dst, WEIR_V_PKT); break;
	case WEIR_CTX_DATA_META: weir_vreg_set_ptr(dst, WEIR_V_PKT_META); break;
	case WEIR_CTX_DATA_END: weir_vreg_set_ptr(dst, WEIR_V_PKT_END); return 0;
	case WEIR_CTX_PTR:
		weir_vreg_set_ptr(dst, WEIR_V_SOCK);
		dst->flags = WEIR_VF_OR_NULL | WEIR_VF_RDONLY;
		dst->id = ++env->id_gen;
		return 0;
	default: return 0;
	}
	env->ok->dst_needed = true;
	return 0;
}

static int access_packet(struct weir_env *env, const struct weir_vreg *reg, const struct access *a)
{
	int err;

	if (a->dir == WEIR_WRITE && env->raw->type == BPF_PROG_TYPE_SOCKET_FILTER)
		return weir_reject(env, -EACCES, WEIR_REASON_WRITE_DENIED,
				   "cannot write into packet");
	err = check_leak(env, a, "packet");
	if (!err)
		err = check_packet(env, a->regno, reg, (int64_t)reg->off + a->off, a->bytes, false);
	if (err)
		return err;
	note_kind(env, WEIR_MEM_PKT);
	set_loaded(env, a);
	return 0;
}

/* Contents of a frozen read-only array of one element are known now and stay so. */
static bool load_constant(struct weir_env *env, const struct weir_vreg *reg, const struct access *a)
{
	const struct weir_map_ref *map = &env->raw->maps[reg->map_idx];
	const uint8_t *at = map->const_values;
	uint64_t value = 0;

	if (!at || map->def.max_entries != 1 || !weir_scalar_is_const(&reg->v) ||
	    !(map->def.flags & BPF_F_RDONLY_PROG) || a->value_regno < 0)
		return false;
	memcpy(&value, at + reg->off + a->off + reg->v.smin, a->bytes);
	weir_vreg_set_const(weir_env_reg(env, (uint32_t)a->value_regno), value);
	return true;
}

static int access_map_value(struct weir_env *env, const struct weir_vreg *reg,
			    const struct access *a)
{
	int err = check_leak(env, a, "map");

	if (!err)
		err = check_map_value(env, a->regno, reg, (int64_t)reg->off + a->off, a->bytes,
				      a->dir, false);
	if (err)
		return err;
	note_kind(env, WEIR_MEM_MAP_VALUE);
	if (a->dir != WEIR_READ || !load_constant(env, reg, a))
		set_loaded(env, a);
	return 0;
}

static int access_mem(struct weir_env *env, const struct weir_vreg *reg, const struct access *a)
{
	int err;

	if (a->dir == WEIR_WRITE && (reg->flags & WEIR_VF_RDONLY))
		return weir_reject(env, -EACCES, WEIR_REASON_WRITE_DENIED,
				   "R%u cannot write into %s", a->regno, weir_vtype_name(reg));
	err = check_leak(env, a, "mem");
	if (!err)
		err = weir_mem_check_region(env, a->regno, reg, (int64_t)reg->off + a->off,
					    a->bytes, reg->mem_size, false, "memory",
					    WEIR_REASON_MEM_RANGE);
	if (err)
		return err;
	note_kind(env, WEIR_MEM_OTHER);
	set_loaded(env, a);
	return 0;
}

static int access_sock(struct weir_env *env, const struct weir_vreg *reg, const struct access *a)
{
	int64_t off = (int64_t)reg->off + a->off;

	if (a->dir == WEIR_WRITE)
		return weir_reject(env, -EACCES, WEIR_REASON_WRITE_DENIED,
				   "R%u cannot write into %s", a->regno, weir_vtype_name(reg));
	if (!weir_scalar_is_const(&reg->v) || off < 0 ||
	    off + a->bytes > (int64_t)sizeof(struct bpf_sock) || off % a->bytes || a->bytes > 4)
		return weir_reject(env, -EACCES, WEIR_REASON_CTX_ACCESS,
				   "R%u invalid sock_common access off=%" PRId64 " size=%u",
				   a->regno, off, a->bytes);
	note_kind(env, WEIR_MEM_OTHER);
	set_loaded(env, a);
	return 0;
}

static int access_stack(struct weir_env *env, const struct weir_vreg *reg, const struct access *a)
{
	note_kind(env, WEIR_MEM_STACK);
	if (a->dir == WEIR_READ)
		return weir_stack_load(env, reg, a->regno, a->off, a->bytes, a->value_regno);
	return weir_stack_store(env, reg, a->regno, a->off, a->bytes, a->value, a->value_regno);
}

static int invalid_pointer(struct weir_env *env, const struct weir_vreg *reg,
			   const struct access *a)
{
	enum weir_reason reason = WEIR_REASON_NOT_A_POINTER;

	env->bad_reg = a->regno;
	if (reg->flags & WEIR_VF_OR_NULL)
		reason = WEIR_REASON_NULL_DEREF;
	else if (reg->type == WEIR_V_PKT_END)
		reason = WEIR_REASON_PACKET_END_ACCESS;
	else if (reg->type == WEIR_V_MAP_PTR)
		reason = WEIR_REASON_MAP_ACCESS;
	return weir_reject(env, -EACCES, reason, "R%u invalid mem access '%s'", a->regno,
			   weir_vtype_name(reg));
}

static int do_access(struct weir_env *env, const struct access *a)
{
	const struct weir_vreg reg = *weir_env_reg(env, a->regno);
	int err;

	if ((reg.flags & WEIR_VF_OR_NULL) || !weir_vreg_is_ptr(&reg))
		return invalid_pointer(env, &reg, a);
	err = check_alignment(env, &reg, a);
	if (!err)
		err = check_mixing(env, &reg);
	if (err)
		return err;
	switch (reg.type) {
	case WEIR_V_CTX: return access_ctx(env, &reg, a);
	case WEIR_V_STACK: return access_stack(env, &reg, a);
	case WEIR_V_PKT:
	case WEIR_V_PKT_META: return access_packet(env, &reg, a);
	case WEIR_V_MAP_VALUE: return access_map_value(env, &reg, a);
	case WEIR_V_MEM: return access_mem(env, &reg, a);
	case WEIR_V_SOCK: return access_sock(env, &reg, a);
	default: return invalid_pointer(env, &reg, a);
	}
}

static uint32_t insn_bytes(const struct bpf_insn *insn)
{
	switch (BPF_SIZE(insn->code)) {
	case BPF_B: return 1;
	case BPF_H: return 2;
	case BPF_W: return 4;
	default: return 8;
	}
}

int weir_mem_check_load(struct weir_env *env, const struct bpf_insn *insn)
{
	struct access a = {.regno = insn->src_reg,
			   .off = insn->off,
			   .bytes = insn_bytes(insn),
			   .dir = WEIR_READ,
			   .value_regno = insn->dst_reg,
			   .is_atomic = BPF_CLASS(insn->code) == BPF_STX};
	bool sext = BPF_CLASS(insn->code) == BPF_LDX && BPF_MODE(insn->code) == BPF_MEMSX;
	struct weir_vreg *dst;
	int err = weir_reg_check_src(env, insn->src_reg);

	if (!err)
		err = weir_reg_check_dst(env, insn->dst_reg);
	if (!err && sext && weir_env_reg(env, insn->src_reg)->type == WEIR_V_CTX && a.bytes == 4 &&
	    (insn->off == 0 || env->raw->type != BPF_PROG_TYPE_XDP)) {
		/* A packet pointer cannot be loaded with sign extension; other fields can. */
		const struct weir_ctx_field *f = weir_ctx_may_access(
			env->raw->type, env->raw->expected_attach_type, insn->off, 4, false);

		if (f && f->kind != WEIR_CTX_SCALAR && f->kind != WEIR_CTX_LEN)
			return weir_reject(env, -EACCES, WEIR_REASON_CTX_ACCESS,
					   "invalid bpf_context access off=%d size=4", insn->off);
	}
	if (!err)
		err = do_access(env, &a);
	if (err)
		return err;
	dst = weir_env_reg(env, insn->dst_reg);
	if (sext && dst->type == WEIR_V_SCALAR) {
		dst->id = 0;
		dst->off = 0;
		weir_scalar_sext(&dst->v, a.bytes, false);
	} else if (sext) {
		return weir_reject(env, -EACCES, WEIR_REASON_CTX_ACCESS,
				   "invalid bpf_context access off=%d size=%u", insn->off, a.bytes);
	}
	return 0;
}

int weir_mem_check_store(struct weir_env *env, const struct bpf_insn *insn)
{
	struct access a = {.regno = insn->dst_reg,
			   .off = insn->off,
			   .bytes = insn_bytes(insn),
			   .dir = WEIR_WRITE,
			   .value_regno = -1,
			   .is_atomic = BPF_CLASS(insn->code) == BPF_STX &&
					BPF_MODE(insn->code) == BPF_ATOMIC};
	struct weir_vreg value;
	int err = 0;

	if (BPF_CLASS(insn->code) == BPF_STX) {
		err = weir_reg_check_src(env, insn->src_reg);
		a.value_regno = insn->src_reg;
		value = *weir_env_reg(env, insn->src_reg);
	} else {
		weir_vreg_set_const(&value, (uint64_t)(int64_t)insn->imm);
	}
	if (!err)
		err = weir_reg_check_src(env, insn->dst_reg);
	a.value = &value;
	return err ? err : do_access(env, &a);
}

static int check_atomic_target(struct weir_env *env, uint32_t regno, const char *what)
{
	const struct weir_vreg *reg = weir_env_reg(env, regno);

	if (reg->type == WEIR_V_CTX || weir_vreg_is_pkt(reg) || reg->type == WEIR_V_SOCK)
		return weir_reject(env, -EACCES, WEIR_REASON_ATOMIC_TARGET,
				   "BPF_ATOMIC %s R%u %s is not allowed", what, regno,
				   weir_vtype_name(reg));
	return 0;
}

static int check_rmw_operands(struct weir_env *env, const struct bpf_insn *insn)
{
	int err = weir_reg_check_src(env, insn->src_reg);

	if (!err)
		err = weir_reg_check_src(env, insn->dst_reg);
	if (!err && insn->imm == BPF_CMPXCHG) {
		err = weir_reg_check_src(env, BPF_REG_0);
		if (!err && weir_reg_is_leak(env, weir_env_reg(env, BPF_REG_0)))
			err = weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
					  "R0 leaks addr into mem");
	}
	if (!err && weir_reg_is_leak(env, weir_env_reg(env, insn->src_reg)))
		err = weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK, "R%d leaks addr into mem",
				  insn->src_reg);
	return err ? err : check_atomic_target(env, insn->dst_reg, "stores into");
}

int weir_mem_check_atomic(struct weir_env *env, const struct bpf_insn *insn)
{
	struct access a = {.regno = insn->dst_reg,
			   .off = insn->off,
			   .bytes = insn_bytes(insn),
			   .dir = WEIR_READ,
			   .value_regno = -1,
			   .is_atomic = true};
	struct weir_vreg *dst;
	uint32_t fetched;
	int err;

	if (insn->imm == BPF_LOAD_ACQ) {
		err = weir_reg_check_src(env, insn->src_reg);
		if (!err)
			err = check_atomic_target(env, insn->src_reg, "loads from");
		return err ? err : weir_mem_check_load(env, insn);
	}
	if (insn->imm == BPF_STORE_REL) {
		err = weir_reg_check_src(env, insn->dst_reg);
		if (!err)
			err = check_atomic_target(env, insn->dst_reg, "stores into");
		return err ? err : weir_mem_check_store(env, insn);
	}
	err = check_rmw_operands(env, insn);
	fetched = insn->imm == BPF_CMPXCHG ? BPF_REG_0 : insn->src_reg;
	if (!err && (insn->imm & BPF_FETCH))
		err = weir_reg_check_dst(env, fetched);
	if (!err)
		err = do_access(env, &a);
	if (err)
		return err;
	a.dir = WEIR_WRITE;
	err = do_access(env, &a);
	if (err || !(insn->imm & BPF_FETCH))
		return err;
	/* What was there before is not followed: any number of this size. */
	dst = weir_env_reg(env, fetched);
	weir_vreg_set_unknown(dst);
	weir_scalar_trunc(&dst->v, a.bytes);
	return 0;
}

int weir_mem_check_arg(struct weir_env *env, const struct weir_mem_arg *arg)
{
	const struct weir_vreg *reg = weir_env_reg(env, arg->regno);

	if (reg->flags & WEIR_VF_OR_NULL)
		goto bad_type;
	switch (reg->type) {
	case WEIR_V_PKT:
	case WEIR_V_PKT_META:
		if (!arg->pkt_ok ||
		    (arg->access == WEIR_WRITE && env->raw->type == BPF_PROG_TYPE_SOCKET_FILTER))
			return weir_reject(env, -EACCES, WEIR_REASON_HELPER_ARG,
					   "helper access to the packet is not allowed");
		return check_packet(env, arg->regno, reg, reg->off, arg->bytes, arg->zero_ok);
	case WEIR_V_MAP_VALUE:
		return check_map_value(env, arg->regno, reg, reg->off, arg->bytes, arg->access,
				       arg->zero_ok);
	case WEIR_V_MEM:
		if (arg->access == WEIR_WRITE && (reg->flags & WEIR_VF_RDONLY))
			return weir_reject(env, -EACCES, WEIR_REASON_WRITE_DENIED,
					   "R%u cannot write into %s", arg->regno,
					   weir_vtype_name(reg));
		return weir_mem_check_region(env, arg->regno, reg, reg->off, arg->bytes,
					     reg->mem_size, arg->zero_ok, "memory",
					     WEIR_REASON_MEM_RANGE);
	case WEIR_V_STACK: return weir_stack_check_arg(env, arg);
	default: break;
	}
	if (arg->zero_ok && !arg->bytes && weir_vreg_is_null(reg))
		return 0;
bad_type:
	env->bad_reg = arg->regno;
	return weir_reject(env, -EACCES, WEIR_REASON_HELPER_ARG, "R%u type=%s expected=fp",
			   arg->regno, weir_vtype_name(reg));
}
