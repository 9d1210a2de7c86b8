/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls of helpers: the prototype's arguments one by one, then what the call leaves behind. */

#include "env.h"

/* What is learnt of a call while its arguments are checked. */
struct vcall {
	const struct weir_helper *helper;
	int32_t map_idx; /* -1: no map argument */
	uint32_t key_regno;
};

static const struct weir_map_def *map_def(const struct weir_env *env, const struct vcall *call)
{
	return &env->raw->maps[call->map_idx].def;
}

static bool gpl_compatible(const char *license)
{
	static const char *const names[] = {
		"GPL",          "GPL v2",       "GPL and additional rights",
		"Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"};

	for (size_t i = 0; i < WEIR_ARRAY_LEN(names); i++)
		if (!strcmp(names[i], license))
			return true;
	return false;
}

static int find_helper(struct weir_env *env, uint32_t id, const struct weir_helper **out)
{
	const struct weir_helper *helper = weir_helper_find(id);
	const char *name = weir_helper_name(id);

	if (!helper && !name)
		return weir_reject(env, -EINVAL, WEIR_REASON_HELPER_UNKNOWN,
				   "invalid func unknown#%u", id);
	if (!helper || !(helper->prog_types >> env->raw->type & 1) ||
	    ((helper->flags & WEIR_HELPER_CAP_BPF) && !env->bpf_capable) ||
	    ((helper->flags & WEIR_HELPER_CAP_PERFMON) && !env->perfmon))
		return weir_reject(env, -EINVAL, WEIR_REASON_HELPER_DENIED,
				   "program of this type cannot use helper %s#%u", name, id);
	if ((helper->flags & WEIR_HELPER_GPL) && !gpl_compatible(env->raw->license))
		return weir_reject(env, -EINVAL, WEIR_REASON_HELPER_GPL,
				   "cannot call GPL-restricted function from non-GPL compatible "
				   "program");
	*out = helper;
	return 0;
}

/* Which helpers work on which maps; the other way round for types that have helpers of their own.
 */
static int check_map_type(struct weir_env *env, const struct vcall *call)
{
	const struct weir_map_def *def = map_def(env, call);
	uint32_t id = call->helper->id;
	bool prog_array = def->type == BPF_MAP_TYPE_PROG_ARRAY;
	bool devmap = def->type == BPF_MAP_TYPE_DEVMAP;
	bool ok;

	switch (id) {
	case BPF_FUNC_tail_call: ok = prog_array; break;
	case BPF_FUNC_redirect_map: ok = devmap; break;
	case BPF_FUNC_map_lookup_elem: ok = !prog_array; break;
	case BPF_FUNC_map_update_elem:
	case BPF_FUNC_map_delete_elem: ok = !prog_array && !devmap; break;
	default: ok = true;
	}
	if (ok)
		return 0;
	return weir_reject(env, -EINVAL, WEIR_REASON_HELPER_MAP,
			   "cannot pass map_type %u into func %s#%u", def->type, call->helper->name,
			   id);
}

static int check_map_arg(struct weir_env *env, struct vcall *call, uint32_t regno)
{
	const struct weir_vreg *reg = env_reg(env, regno);

	if (reg->type != WEIR_V_MAP_PTR || reg->off)
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_ARG,
				   "R%u type=%s expected=map_ptr", regno, reg_type_name(reg));
	call->map_idx = (int32_t)reg->map_idx;
	return check_map_type(env, call);
}

static int check_map_memory(struct weir_env *env, const struct vcall *call, uint32_t regno,
			    bool key)
{
	struct mem_arg arg = {.regno = regno, .access = V_READ, .pkt_ok = true};

	if (call->map_idx < 0)
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_ARG,
				   "invalid map_ptr to access map->%s", key ? "key" : "value");
	arg.bytes = key ? map_def(env, call)->key_size : map_def(env, call)->value_size;
	arg.pkt_ok = call->helper->flags & WEIR_HELPER_PKT_ACCESS;
	return mem_check_arg(env, &arg);
}

/* A memory argument of as many bytes as the next argument says. */
static int check_sized(struct weir_env *env, const struct vcall *call, uint32_t i)
{
	enum weir_arg kind = call->helper->args[i];
	bool zero_ok = call->helper->args[i + 1] == WEIR_ARG_SIZE_OR_ZERO;
	const struct weir_vreg *mem = env_reg(env, i + 1), *size = env_reg(env, i + 2);
	struct mem_arg arg = {
		.regno = i + 1,
		.access = kind == WEIR_ARG_UNINIT_MEM ? V_WRITE : V_READ,
		.uninit = kind == WEIR_ARG_UNINIT_MEM && weir_scalar_is_const(&size->v),
		.pkt_ok = call->helper->flags & WEIR_HELPER_PKT_ACCESS,
	};

	if (size->type != WEIR_V_SCALAR)
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_ARG,
				   "R%u type=%s expected=scalar", i + 2, reg_type_name(size));
	if (size->v.smin < 0)
		return weir_reject(
			env, -EACCES, WEIR_REASON_HELPER_SIZE,
			"R%u min value is negative, either use unsigned or 'var &= const'", i + 2);
	if (!size->v.umin && !zero_ok)
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_SIZE,
				   "R%u invalid zero-sized read: u64=[%llu,%llu]", i + 2,
				   (unsigned long long)size->v.umin,
				   (unsigned long long)size->v.umax);
	if (size->v.umax >= MAX_VAR_OFF)
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_SIZE,
				   "R%u unbounded memory access, use 'var &= const' or 'if (var < "
				   "const)'",
				   i + 2);
	if (kind == WEIR_ARG_MEM_OR_NULL && weir_vreg_is_null(mem)) {
		if (!size->v.umax)
			return 0;
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_ARG,
				   "R%u type=scalar expected=fp, pkt, map_value, mem: NULL only "
				   "goes with size 0",
				   i + 1);
	}
	arg.bytes = (int64_t)size->v.umax;
	return mem_check_arg(env, &arg);
}

/* A NUL-terminated string in constant contents. */
static int check_string(struct weir_env *env, uint32_t regno)
{
	const struct weir_vreg *reg = env_reg(env, regno);
	const struct weir_map_ref *ref;
	int64_t at;

	if (reg->type != WEIR_V_MAP_VALUE || (reg->flags & WEIR_VF_OR_NULL))
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_ARG,
				   "R%u type=%s expected=map_value", regno, reg_type_name(reg));
	ref = &env->raw->maps[reg->map_idx];
	if (!ref->const_values || !weir_scalar_is_const(&reg->v))
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_CONST,
				   "R%u does not point to a readonly map'", regno);
	at = (int64_t)reg->off + (int64_t)reg->v.var.value;
	if (at < 0 || at >= ref->def.value_size ||
	    !memchr((const uint8_t *)ref->const_values + at, 0, ref->def.value_size - (size_t)at))
		return weir_reject(env, -EINVAL, WEIR_REASON_HELPER_ARG,
				   "string is not zero-terminated");
	return 0;
}

static int check_arg(struct weir_env *env, struct vcall *call, uint32_t i)
{
	uint32_t regno = i + 1;
	const struct weir_vreg *reg = env_reg(env, regno);
	enum weir_arg kind = call->helper->args[i];

	if (kind == WEIR_ARG_NONE)
		return 0;
	if (reg->type == WEIR_V_NONE)
		return reg_check_read(env, regno);
	switch (kind) {
	case WEIR_ARG_ANYTHING:
		if (!reg_leaks(env, reg))
			return 0;
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
				   "R%u leaks addr into helper function", regno);
	case WEIR_ARG_CTX:
		if (reg->type == WEIR_V_CTX && !reg->off && weir_scalar_is_const(&reg->v) &&
		    !reg->v.var.value)
			return 0;
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_ARG, "R%u type=%s expected=ctx",
				   regno, reg_type_name(reg));
	case WEIR_ARG_CONST_MAP_PTR: return check_map_arg(env, call, regno);
	case WEIR_ARG_MAP_KEY:
		call->key_regno = regno;
		return check_map_memory(env, call, regno, true);
	case WEIR_ARG_MAP_VALUE: return check_map_memory(env, call, regno, false);
	case WEIR_ARG_MEM:
	case WEIR_ARG_MEM_OR_NULL:
	case WEIR_ARG_UNINIT_MEM:
		if (i + 1 < 5 && env_reg(env, regno + 1)->type == WEIR_V_NONE)
			return reg_check_read(env, regno + 1);
		return check_sized(env, call, i);
	case WEIR_ARG_SIZE:
	case WEIR_ARG_SIZE_OR_ZERO: return 0; /* with the memory before it */
	case WEIR_ARG_CONST_STR: return check_string(env, regno);
	default:
		return weir_reject(env, -EINVAL, WEIR_REASON_INTERNAL,
				   "helper %s: argument %u is of a kind unknown here",
				   call->helper->name, regno);
	}
}

/* The same map and key on every path? Rewrite may then bind them. */
static void note_call(struct weir_env *env, const struct vcall *call, bool key_known, uint32_t key)
{
	struct weir_insn_aux *aux = &env->aux[env->insn_idx];

	if (!env->info[env->insn_idx].visited) {
		aux->map_idx = call->map_idx;
		aux->key_is_const = key_known;
		aux->key_u32 = key;
		return;
	}
	if (aux->map_idx != call->map_idx)
		aux->map_idx = -1;
	if (aux->key_u32 != key || !key_known)
		aux->key_is_const = false;
}

/* A look-up of an array by a constant in range always finds its element. */
static bool key_in_range(struct weir_env *env, const struct vcall *call, uint32_t *key)
{
	const struct weir_map_def *def;
	const struct weir_vreg *reg;
	uint64_t value;

	if (call->helper->id != BPF_FUNC_map_lookup_elem || !call->key_regno)
		return false;
	def = map_def(env, call);
	reg = env_reg(env, call->key_regno);
	if ((def->type != BPF_MAP_TYPE_ARRAY && def->type != BPF_MAP_TYPE_PERCPU_ARRAY) ||
	    reg->type != WEIR_V_STACK || !stack_const(env, reg, 4, &value) ||
	    (uint32_t)value >= def->max_entries)
		return false;
	*key = (uint32_t)value;
	return true;
}

static void set_result(struct weir_env *env, const struct vcall *call, bool found)
{
	struct weir_vreg *r0 = env_reg(env, BPF_REG_0);

	switch (call->helper->ret) {
	case WEIR_RET_INTEGER: weir_vreg_set_unknown(r0); break;
	case WEIR_RET_VOID: break; /* nothing: R0 may not be read */
	case WEIR_RET_MAP_VALUE_OR_NULL:
		weir_vreg_set_ptr(r0, WEIR_V_MAP_VALUE);
		r0->map_idx = (uint32_t)call->map_idx;
		if (!found) {
			r0->flags = WEIR_VF_OR_NULL;
			r0->id = ++env->id_gen;
		}
		break;
	}
	/* A slot's number fits in an index; Linux says the same of CPUs. */
	if (call->helper->id == BPF_FUNC_get_prandom_u32 && env->bpf_capable)
		weir_scalar_trunc(&r0->v, 4);
}

/* map_update writes into the map; a map that programs may not write refuses. */
static int check_map_rights(struct weir_env *env, const struct vcall *call)
{
	uint32_t id = call->helper->id, flags;

	if (call->map_idx < 0)
		return 0;
	flags = map_def(env, call)->flags;
	if ((flags & BPF_F_RDONLY_PROG) &&
	    (id == BPF_FUNC_map_update_elem || id == BPF_FUNC_map_delete_elem))
		return weir_reject(env, -EACCES, WEIR_REASON_WRITE_DENIED,
				   "write into map forbidden");
	if ((flags & BPF_F_WRONLY_PROG) && id == BPF_FUNC_map_lookup_elem)
		return weir_reject(env, -EACCES, WEIR_REASON_READ_DENIED,
				   "read from map forbidden");
	return 0;
}

int helper_check(struct weir_env *env, const struct bpf_insn *insn)
{
	struct vcall call = {.map_idx = -1};
	uint32_t key = 0;
	bool found;
	int err = find_helper(env, (uint32_t)insn->imm, &call.helper);

	for (uint32_t i = 0; !err && i < 5; i++)
		err = check_arg(env, &call, i);
	if (!err)
		err = check_map_rights(env, &call);
	if (err)
		return err;
	found = key_in_range(env, &call, &key);
	note_call(env, &call, found, key);
	if (call.helper->flags & WEIR_HELPER_CHANGES_PKT) {
		env->ok->changes_pkt_data = true;
		reg_forget_packets(env);
	}
	if (call.helper->id == BPF_FUNC_tail_call) {
		env->subs[env_frame(env)->subprog].has_tail_call = true;
		env->ok->uses_tail_call = true;
	}
	reg_clobber_caller_saved(env);
	set_result(env, &call, found);
	return 0;
}
