/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads and stores: may this many bytes be accessed here? An address is base + off + v; the least
 * is base + off + smin, the last byte base + off + umax + size - 1. Offsets are within +-2^29
 * (alu.c), so neither sum wraps.
 */
#include <inttypes.h>

#include "env.h"

#define SOCK_BYTES 80 /* struct bpf_sock */

static const struct weir_map_def *map_of(const struct weir_env *env, const struct weir_vreg *reg)
{
	return &env->raw->maps[reg->map_idx].def;
}

/* [off + smin, off + umax + bytes) within [0, region): says where it is not. */
static int check_region(struct weir_env *env, uint32_t regno, const struct weir_vreg *reg,
			int32_t off, int64_t bytes, uint32_t region, enum weir_reason reason,
			const char *what)
{
	int64_t lo = (int64_t)reg->off + off + reg->v.smin;

	if (reg->v.smin < 0 && (reg->v.smin == INT64_MIN || lo < 0))
		return weir_reject(env, -EACCES, WEIR_REASON_NEGATIVE_OFFSET,
				   "R%u min value is negative, either use unsigned index or do a "
				   "if (index >=0) check.",
				   regno);
	if (reg->v.umax >= MAX_VAR_OFF)
		return weir_reject(
			env, -EACCES, reason,
			"R%u unbounded memory access, make sure to bounds check any such "
			"access",
			regno);
	if (lo < 0 || lo + (int64_t)(reg->v.umax - (uint64_t)reg->v.smin) + bytes > (int64_t)region)
		return weir_reject(
			env, -EACCES, reason,
			"invalid access to %s, value_size=%u off=%" PRId64 " size=%" PRId64
			" R%u max value is outside of the allowed memory range",
			what, region, lo < 0 ? lo : (int64_t)reg->off + off + (int64_t)reg->v.umax,
			bytes, regno);
	return 0;
}

/*
 * Packet memory: `range` bytes behind base + v are known to be there. The variable part is inside
 * the base, so only constants count; what is below the base is not known at all.
 */
static int check_packet(struct weir_env *env, uint32_t regno, const struct weir_vreg *reg,
			int32_t off, int64_t bytes)
{
	int64_t at = (int64_t)reg->off + off;

	if (reg->v.smin < 0)
		return weir_reject(env, -EACCES, WEIR_REASON_NEGATIVE_OFFSET,
				   "R%u min value is negative, either use unsigned index or do a "
				   "if (index >=0) check.",
				   regno);
	if (at < 0 || at + bytes > reg->range)
		return weir_reject(env, -EACCES, WEIR_REASON_PACKET_RANGE,
				   "invalid access to packet, off=%" PRId64 " size=%" PRId64
				   ", R%u(id=%u,off=%d,r=%d) R%u offset is outside of the packet",
				   at, bytes, regno, reg->id, reg->off, reg->range, regno);
	return 0;
}

static int check_map_rights(struct weir_env *env, const struct weir_vreg *reg, enum vaccess access)
{
	uint32_t flags = map_of(env, reg)->flags;

	if (access == V_WRITE && (flags & BPF_F_RDONLY_PROG))
		return weir_reject(env, -EACCES, WEIR_REASON_WRITE_DENIED,
				   "write into map forbidden, value_size=%u",
				   map_of(env, reg)->value_size);
	if (access == V_READ && (flags & BPF_F_WRONLY_PROG))
		return weir_reject(env, -EACCES, WEIR_REASON_READ_DENIED,
				   "read from map forbidden, value_size=%u",
				   map_of(env, reg)->value_size);
	return 0;
}

static bool may_write_packet(const struct weir_env *env)
{
	return env->raw->type != BPF_PROG_TYPE_SOCKET_FILTER;
}

/* Everything but stack and context, whose accesses mean more than bounds. */
static int check_plain(struct weir_env *env, uint32_t regno, const struct weir_vreg *reg,
		       int32_t off, int64_t bytes, enum vaccess access)
{
	int err;

	if (reg->flags & WEIR_VF_OR_NULL)
		return weir_reject(env, -EACCES, WEIR_REASON_NULL_DEREF,
				   "R%u invalid mem access '%s'", regno, reg_type_name(reg));
	switch (reg->type) {
	case WEIR_V_MAP_VALUE:
		err = check_map_rights(env, reg, access);
		return err ? err
			   : check_region(env, regno, reg, off, bytes, map_of(env, reg)->value_size,
					  WEIR_REASON_MAP_VALUE_RANGE, "map value");
	case WEIR_V_PKT:
	case WEIR_V_PKT_META:
		if (access == V_WRITE && !may_write_packet(env))
			return weir_reject(env, -EACCES, WEIR_REASON_WRITE_DENIED,
					   "cannot write into packet");
		return check_packet(env, regno, reg, off, bytes);
	case WEIR_V_SOCK:
		if (access == V_WRITE)
			return weir_reject(env, -EACCES, WEIR_REASON_WRITE_DENIED,
					   "cannot write into sock_common");
		return check_region(env, regno, reg, off, bytes, SOCK_BYTES, WEIR_REASON_MEM_RANGE,
				    "sock_common");
	case WEIR_V_PKT_END:
		return weir_reject(env, -EACCES, WEIR_REASON_PACKET_END_ACCESS,
				   "R%u invalid mem access 'pkt_end'", regno);
	default:
		return weir_reject(env, -EACCES, WEIR_REASON_NOT_A_POINTER,
				   "R%u invalid mem access '%s'", regno, reg_type_name(reg));
	}
}

static const struct weir_ctx_field *check_ctx(struct weir_env *env, uint32_t regno,
					      const struct weir_vreg *reg, int32_t off,
					      uint32_t bytes, enum vaccess access)
{
	const struct weir_ctx_field *field;

	if (reg->off || !weir_scalar_is_const(&reg->v) || reg->v.var.value) {
		weir_reject(env, -EACCES, WEIR_REASON_CTX_OFFSET,
			    "dereference of modified ctx ptr R%u off=%d disallowed", regno,
			    reg->off);
		return NULL;
	}
	field = weir_ctx_may_access(env->raw->type, env->raw->expected_attach_type, off, bytes,
				    access == V_WRITE);
	if (!field)
		weir_reject(env, -EACCES, WEIR_REASON_CTX_ACCESS,
			    "invalid bpf_context access off=%d size=%u", off, bytes);
	return field;
}

/* Rewrite lowers context accesses at the instruction: it must be one on every path, or on none. */
static int note_kind(struct weir_env *env, uint8_t type)
{
	struct vinsn *v = &env->info[env->insn_idx];
	struct weir_insn_aux *aux = &env->aux[env->insn_idx];

	if (v->visited && v->ptr_type != type &&
	    (v->ptr_type == WEIR_V_CTX || type == WEIR_V_CTX || v->ptr_type == WEIR_V_SOCK ||
	     type == WEIR_V_SOCK))
		return weir_reject(env, -EINVAL, WEIR_REASON_ACCESS_MIXED,
				   "same insn cannot be used with different pointers");
	v->ptr_type = type;
	aux->mem = type == WEIR_V_STACK                            ? WEIR_MEM_STACK
		   : type == WEIR_V_CTX                            ? WEIR_MEM_CTX
		   : type == WEIR_V_MAP_VALUE                      ? WEIR_MEM_MAP_VALUE
		   : type == WEIR_V_PKT || type == WEIR_V_PKT_META ? WEIR_MEM_PKT
								   : WEIR_MEM_OTHER;
	return 0;
}

static int check_alignment(struct weir_env *env, const struct weir_vreg *reg, int32_t off,
			   uint32_t bytes)
{
	struct weir_tnum at =
		weir_tnum_add(reg->v.var, weir_tnum_const((uint64_t)((int64_t)reg->off + off)));

	/* Saved registers are tracked by whole slots: stack accesses are aligned in any case. */
	if (!env->strict_alignment && reg->type != WEIR_V_STACK)
		return 0;
	if (weir_tnum_is_aligned(at, bytes))
		return 0;
	return weir_reject(env, -EACCES, WEIR_REASON_MISALIGNED,
			   "misaligned %saccess off %d+%d size %u",
			   reg->type == WEIR_V_STACK ? "stack "
			   : weir_vreg_is_pkt(reg)   ? "packet "
						     : "",
			   reg->off, off, bytes);
}

/* What a load of a context field gives. */
static void set_from_ctx(struct weir_env *env, struct weir_vreg *out,
			 const struct weir_ctx_field *field, uint32_t bytes)
{
	switch (field->kind) {
	case WEIR_CTX_DATA: weir_vreg_set_ptr(out, WEIR_V_PKT); return;
	case WEIR_CTX_DATA_END: weir_vreg_set_ptr(out, WEIR_V_PKT_END); return;
	case WEIR_CTX_DATA_META: weir_vreg_set_ptr(out, WEIR_V_PKT_META); return;
	case WEIR_CTX_PTR:
		weir_vreg_set_ptr(out, WEIR_V_SOCK);
		out->flags = WEIR_VF_OR_NULL;
		out->id = ++env->id_gen;
		return;
	default: weir_vreg_set_unknown(out); weir_scalar_trunc(&out->v, bytes);
	}
}

/* A load at a constant offset from frozen contents is the constant itself. */
static bool load_constant(const struct weir_env *env, const struct weir_vreg *reg, int32_t off,
			  uint32_t bytes, uint64_t *value)
{
	const struct weir_map_ref *ref = &env->raw->maps[reg->map_idx];

	if (reg->type != WEIR_V_MAP_VALUE || !ref->const_values || ref->def.max_entries != 1 ||
	    !weir_scalar_is_const(&reg->v))
		return false;
	*value = 0;
	memcpy(value,
	       (const uint8_t *)ref->const_values + reg->off + off + (int64_t)reg->v.var.value,
	       bytes);
	return true;
}

/* The access itself; *out (may be NULL) gets what a load finds. */
static int check_access(struct weir_env *env, uint32_t regno, int32_t off, uint32_t bytes,
			enum vaccess access, struct weir_vreg *out)
{
	const struct weir_vreg *reg = env_reg(env, regno);
	const struct weir_ctx_field *field;
	struct weir_vreg loaded;
	uint64_t constant;
	int err = note_kind(env, reg->type);

	if (!err)
		err = check_alignment(env, reg, off, bytes);
	if (err)
		return err;
	if (reg->type == WEIR_V_CTX) {
		field = check_ctx(env, regno, reg, off, bytes, access);
		if (!field)
			return env->error;
		if (out)
			set_from_ctx(env, out, field, bytes);
		return 0;
	}
	err = check_plain(env, regno, reg, off, bytes, access);
	if (err || !out)
		return err;
	weir_vreg_set_unknown(&loaded);
	weir_scalar_trunc(&loaded.v, bytes);
	if (load_constant(env, reg, off, bytes, &constant))
		weir_vreg_set_const(&loaded, constant);
	*out = loaded;
	return 0;
}

static int load(struct weir_env *env, const struct bpf_insn *insn, uint32_t ptr, uint32_t dst,
		bool sign_extend)
{
	uint32_t bytes = access_bytes(insn->code);
	struct weir_vreg out = {0};
	int err;

	if (env_reg(env, ptr)->type == WEIR_V_STACK) {
		err = note_kind(env, WEIR_V_STACK);
		if (!err)
			err = check_alignment(env, env_reg(env, ptr), insn->off, bytes);
		if (!err)
			err = stack_load(env, ptr, insn->off, bytes, &out);
	} else {
		err = check_access(env, ptr, insn->off, bytes, V_READ, &out);
	}
	if (err)
		return err;
	if (sign_extend) {
		if (weir_vreg_is_ptr(&out))
			return weir_reject(env, -EACCES, WEIR_REASON_CTX_ACCESS,
					   "invalid bpf_context access off=%d size=%u", insn->off,
					   bytes);
		out.id = 0;
		weir_scalar_sext(&out.v, bytes, false);
	}
	*env_reg(env, dst) = out;
	return 0;
}

int mem_check_load(struct weir_env *env, const struct bpf_insn *insn)
{
	int err = reg_check_read(env, insn->src_reg);

	if (!err)
		err = reg_check_write(env, insn->dst_reg);
	return err ? err
		   : load(env, insn, insn->src_reg, insn->dst_reg,
			  BPF_MODE(insn->code) == BPF_MEMSX);
}

static int store(struct weir_env *env, const struct bpf_insn *insn, const struct weir_vreg *value,
		 int value_regno)
{
	const struct weir_vreg *ptr = env_reg(env, insn->dst_reg);
	uint32_t bytes = access_bytes(insn->code);
	int err;

	if (ptr->type == WEIR_V_STACK) {
		err = note_kind(env, WEIR_V_STACK);
		if (!err)
			err = check_alignment(env, ptr, insn->off, bytes);
		if (!err)
			err = live_stack_store(env);
		return err ? err : stack_store(env, insn->dst_reg, insn->off, bytes, value);
	}
	/* A pointer that leaves the verifier's sight is one that others may read. */
	if (value_regno >= 0 && weir_vreg_is_ptr(value) &&
	    (reg_leaks(env, value) || ptr->type == WEIR_V_CTX))
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK, "R%d leaks addr into %s",
				   value_regno,
				   ptr->type == WEIR_V_CTX         ? "ctx"
				   : ptr->type == WEIR_V_MAP_VALUE ? "map"
				   : weir_vreg_is_pkt(ptr)         ? "packet"
								   : "mem");
	return check_access(env, insn->dst_reg, insn->off, bytes, V_WRITE, NULL);
}

int mem_check_store(struct weir_env *env, const struct bpf_insn *insn)
{
	struct weir_vreg imm;
	int err = reg_check_read(env, insn->dst_reg);

	if (BPF_CLASS(insn->code) == BPF_ST) {
		weir_vreg_set_const(&imm, (uint64_t)(int64_t)insn->imm);
		return err ? err : store(env, insn, &imm, -1);
	}
	if (!err)
		err = reg_check_read(env, insn->src_reg);
	if (err)
		return err;
	/* A number saved on the stack stays linked with its register. */
	if (env_reg(env, insn->src_reg)->type == WEIR_V_SCALAR &&
	    !env_reg(env, insn->src_reg)->id &&
	    !weir_scalar_is_const(&env_reg(env, insn->src_reg)->v))
		env_reg(env, insn->src_reg)->id = ++env->id_gen;
	return store(env, insn, env_reg(env, insn->src_reg), insn->src_reg);
}

static int atomic_target(struct weir_env *env, uint32_t regno)
{
	const struct weir_vreg *reg = env_reg(env, regno);

	if (reg->type == WEIR_V_CTX || weir_vreg_is_pkt(reg) || reg->type == WEIR_V_SOCK)
		return weir_reject(env, -EACCES, WEIR_REASON_ATOMIC_TARGET,
				   "BPF_ATOMIC stores into R%u %s is not allowed", regno,
				   reg_type_name(reg));
	return 0;
}

/* Read-modify-write: the old value is read, a number nobody knows is written. */
static int check_rmw(struct weir_env *env, const struct bpf_insn *insn)
{
	struct weir_vreg old = {0}, unknown;
	bool cmpxchg = insn->imm == BPF_CMPXCHG;
	uint32_t to = cmpxchg ? BPF_REG_0 : insn->src_reg, bytes = access_bytes(insn->code);
	const struct weir_vreg *ptr = env_reg(env, insn->dst_reg);
	int err = reg_check_read(env, insn->src_reg);

	if (!err && cmpxchg)
		err = reg_check_read(env, BPF_REG_0);
	if (!err && cmpxchg && reg_leaks(env, env_reg(env, BPF_REG_0)))
		err = weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK, "R0 leaks addr into mem");
	if (!err && weir_vreg_is_ptr(env_reg(env, insn->src_reg)) && !env->perfmon)
		err = weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK, "R%u leaks addr into mem",
				  insn->src_reg);
	if (!err)
		err = atomic_target(env, insn->dst_reg);
	if (!err && ptr->type == WEIR_V_STACK)
		err = stack_load(env, insn->dst_reg, insn->off, bytes, &old);
	else if (!err)
		err = check_access(env, insn->dst_reg, insn->off, bytes, V_READ, &old);
	if (!err && (insn->imm & BPF_FETCH))
		err = reg_check_write(env, to);
	if (err)
		return err;
	weir_vreg_set_unknown(&unknown);
	err = store(env, insn, &unknown, -1);
	if (!err && (insn->imm & BPF_FETCH)) {
		/* what was saved there may have been an address; it is fetched as a number */
		if (weir_vreg_is_ptr(&old) && !env->perfmon)
			return weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
					   "R%u leaks addr into mem", to);
		weir_vreg_set_unknown(env_reg(env, to));
		weir_scalar_trunc(&env_reg(env, to)->v, bytes);
	}
	return err;
}

int mem_check_atomic(struct weir_env *env, const struct bpf_insn *insn)
{
	int err = reg_check_read(env, insn->imm == BPF_LOAD_ACQ ? insn->src_reg : insn->dst_reg);

	if (err)
		return err;
	if (insn->imm == BPF_LOAD_ACQ) {
		err = reg_check_write(env, insn->dst_reg);
		if (!err)
			err = atomic_target(env, insn->src_reg);
		return err ? err : load(env, insn, insn->src_reg, insn->dst_reg, false);
	}
	if (insn->imm == BPF_STORE_REL) {
		err = reg_check_read(env, insn->src_reg);
		if (!err)
			err = atomic_target(env, insn->dst_reg);
		return err ? err : store(env, insn, env_reg(env, insn->src_reg), insn->src_reg);
	}
	return check_rmw(env, insn);
}

int mem_check_arg(struct weir_env *env, const struct mem_arg *arg)
{
	const struct weir_vreg *reg = env_reg(env, arg->regno);

	if (reg->type == WEIR_V_STACK)
		return stack_check_arg(env, arg);
	if (weir_vreg_is_pkt(reg) && !arg->pkt_ok)
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_ARG,
				   "helper access to the packet is not allowed");
	if (reg->type == WEIR_V_SCALAR || reg->type == WEIR_V_CTX || reg->type == WEIR_V_SOCK ||
	    reg->type == WEIR_V_MAP_PTR || reg->type == WEIR_V_PKT_END || reg->type == WEIR_V_FUNC)
		return weir_reject(
			env, -EACCES, WEIR_REASON_HELPER_ARG,
			"R%u type=%s expected=fp, pkt, pkt_meta, map_key, map_value, mem",
			arg->regno, reg_type_name(reg));
	return check_plain(env, arg->regno, reg, 0, arg->bytes, arg->access);
}
