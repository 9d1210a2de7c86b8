/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls of helpers, by their table row, and of functions of the program. A helper clobbers R0 to
 * R5; one that may move the packet ends every packet pointer of every frame, because their targets
 * may have been freed.
 */
#include <errno.h>
#include <inttypes.h>

#include "env.h"

#define LINUX_ENOTSUPP 524 /* not in errno.h; Linux returns it for arrays of several elements */

struct call {
	const struct weir_helper *helper;
	int32_t map_idx; /* of the CONST_MAP_PTR argument; -1 */
	bool key_known;
	uint64_t key;
};

static int bad_type(struct weir_env *env, uint32_t regno, const char *expected)
{
	const struct weir_vreg *reg = weir_env_reg(env, regno);

	env->bad_reg = regno;
	return weir_reject(env, -EACCES,
			   reg->flags & WEIR_VF_OR_NULL ? WEIR_REASON_NULL_DEREF
							: WEIR_REASON_HELPER_ARG,
			   "R%u type=%s expected=%s", regno, weir_vtype_name(reg), expected);
}

#define MEM_TYPES "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_"
#define KEY_TYPES "fp, pkt, pkt_meta, map_key, map_value"

static bool is_mem(const struct weir_vreg *reg)
{
	return !(reg->flags & WEIR_VF_OR_NULL) &&
	       (reg->type == WEIR_V_STACK || weir_vreg_is_pkt(reg) ||
		reg->type == WEIR_V_MAP_VALUE || reg->type == WEIR_V_MEM);
}

static int check_ctx_arg(struct weir_env *env, uint32_t regno)
{
	const struct weir_vreg *reg = weir_env_reg(env, regno);

	if (reg->type != WEIR_V_CTX)
		return bad_type(env, regno, "ctx");
	if (reg->off < 0)
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_MODIFIED,
				   "negative offset ctx ptr R%u off=%d disallowed", regno,
				   reg->off);
	if (reg->off)
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_MODIFIED,
				   "dereference of modified ctx ptr R%u off=%d disallowed", regno,
				   reg->off);
	if (!weir_vreg_is_null(&(struct weir_vreg){.type = WEIR_V_SCALAR, .v = reg->v}))
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_MODIFIED,
				   "variable ctx access var_off=(0x%" PRIx64 "; 0x%" PRIx64
				   ") disallowed",
				   reg->v.var.value, reg->v.var.mask);
	return 0;
}

static int check_map_arg(struct weir_env *env, uint32_t regno, struct call *call)
{
	const struct weir_vreg *reg = weir_env_reg(env, regno);

	if (reg->type != WEIR_V_MAP_PTR)
		return bad_type(env, regno, "map_ptr");
	call->map_idx = (int32_t)reg->map_idx;
	return 0;
}

/* A key that is one number on the stack lets array look-ups go without a check. */
static int find_const_key(struct weir_env *env, uint32_t regno, struct call *call)
{
	const struct weir_vreg *reg = weir_env_reg(env, regno);
	const struct weir_map_def *def = &env->raw->maps[call->map_idx].def;
	struct weir_backtrack bt = {0};
	uint32_t slot;
	bool is_spill;

	if (call->helper->id != BPF_FUNC_map_lookup_elem || reg->type != WEIR_V_STACK ||
	    (def->type != BPF_MAP_TYPE_ARRAY && def->type != BPF_MAP_TYPE_PERCPU_ARRAY) ||
	    def->key_size != 4 || !weir_stack_const(env, reg, 4, &call->key, &slot, &is_spill))
		return 0;
	call->key_known = call->key < def->max_entries;
	if (!call->key_known || !is_spill)
		return 0;
	bt.slots[reg->frameno] = 1ULL << slot;
	return weir_precision_walk(env, &bt, env->path.len - 1);
}

static int check_map_mem(struct weir_env *env, uint32_t regno, struct call *call, bool is_key)
{
	struct weir_mem_arg arg = {.regno = regno,
				   .access = WEIR_READ,
				   .pkt_ok = call->helper->flags & WEIR_HELPER_PKT_ACCESS};
	const struct weir_map_def *def;
	int err;

	if (call->map_idx < 0)
		return weir_reject(env, -EACCES, WEIR_REASON_INTERNAL,
				   "invalid map_ptr to access map->key");
	def = &env->raw->maps[call->map_idx].def;
	if (!is_mem(weir_env_reg(env, regno)))
		return bad_type(env, regno, KEY_TYPES);
	arg.bytes = is_key ? def->key_size : def->value_size;
	err = weir_mem_check_arg(env, &arg);
	return err || !is_key ? err : find_const_key(env, regno, call);
}

/* The memory argument before a size is checked here, for the largest size there can be. */
static int check_sized_mem(struct weir_env *env, uint32_t size_regno, const struct call *call,
			   enum weir_arg mem_kind, bool zero_ok)
{
	const struct weir_vreg *size = weir_env_reg(env, size_regno);
	struct weir_mem_arg arg = {
		.regno = size_regno - 1,
		.access = mem_kind == WEIR_ARG_UNINIT_MEM ? WEIR_WRITE : WEIR_READ,
		.zero_ok = zero_ok,
		.uninit = mem_kind == WEIR_ARG_UNINIT_MEM,
		.pkt_ok = call->helper->flags & WEIR_HELPER_PKT_ACCESS,
	};
	int err;

	if (size->type != WEIR_V_SCALAR)
		return bad_type(env, size_regno, "scalar");
	arg.exact = weir_scalar_is_const(&size->v);
	weir_reject_note(env, size_regno, zero_ok ? 0 : 1, WEIR_MAX_VAR_OFF - 1, size->v.smin,
			 size->v.umax > INT64_MAX ? INT64_MAX : (int64_t)size->v.umax);
	/* A buffer that is filled to an unknown length must be initialised before. */
	if (!arg.exact)
		arg.uninit = false;
	if (size->v.smin < 0)
		return weir_reject(
			env, -EACCES, WEIR_REASON_HELPER_SIZE,
			"R%u min value is negative, either use unsigned or 'var &= const'",
			size_regno);
	if (!size->v.umin && !zero_ok)
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_SIZE,
				   "R%u invalid zero-sized read: u64=[%" PRIu64 ",%" PRIu64 "]",
				   size_regno, size->v.umin, size->v.umax);
	if (size->v.umax >= WEIR_MAX_VAR_OFF)
		return weir_reject(
			env, -EACCES, WEIR_REASON_HELPER_SIZE,
			"R%u unbounded memory access, use 'var &= const' or 'if (var < const)'",
			size_regno);
	env->has_need = false;
	arg.bytes = (int64_t)size->v.umax;
	err = weir_mem_check_arg(env, &arg);
	return err ? err : weir_precision_mark(env, size_regno);
}

static int check_const_str(struct weir_env *env, uint32_t regno)
{
	const struct weir_vreg *reg = weir_env_reg(env, regno);
	const struct weir_map_ref *map;
	const char *s;
	int64_t off;

	if (reg->type != WEIR_V_MAP_VALUE || (reg->flags & WEIR_VF_OR_NULL))
		return bad_type(env, regno, "map_value");
	map = &env->raw->maps[reg->map_idx];
	if (!map->const_values || !(map->def.flags & BPF_F_RDONLY_PROG))
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_ARG,
				   "R%u does not point to a readonly map", regno);
	if (!weir_scalar_is_const(&reg->v))
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_CONST,
				   "R%u is not a constant address", regno);
	off = reg->off + reg->v.smin;
	if (map->def.max_entries != 1 || off < 0 || off >= map->def.value_size)
		return weir_reject(env, -EACCES, WEIR_REASON_MAP_VALUE_RANGE,
				   "invalid access to map value, value_size=%u off=%" PRId64
				   " size=1",
				   map->def.value_size, off);
	s = (const char *)map->const_values + off;
	if (!memchr(s, 0, map->def.value_size - (size_t)off))
		return weir_reject(env, -EINVAL, WEIR_REASON_HELPER_ARG,
				   "string is not zero-terminated");
	return 0;
}

static int check_arg(struct weir_env *env, struct call *call, uint32_t n)
{
	enum weir_arg kind = call->helper->args[n];
	uint32_t regno = BPF_REG_1 + n;
	const struct weir_vreg *reg = weir_env_reg(env, regno);
	int err = weir_reg_check_src(env, regno);

	if (err)
		return err;
	switch (kind) {
	case WEIR_ARG_ANYTHING:
		if (weir_reg_is_leak(env, reg))
			return weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
					   "R%u leaks addr into helper function", regno);
		return 0;
	case WEIR_ARG_CTX: return check_ctx_arg(env, regno);
	case WEIR_ARG_CONST_MAP_PTR: return check_map_arg(env, regno, call);
	case WEIR_ARG_MAP_KEY: return check_map_mem(env, regno, call, true);
	case WEIR_ARG_MAP_VALUE: return check_map_mem(env, regno, call, false);
	case WEIR_ARG_MEM_OR_NULL:
		if (weir_vreg_is_null(reg))
			return weir_precision_mark(env, regno);
		return is_mem(reg) ? 0 : bad_type(env, regno, MEM_TYPES);
	case WEIR_ARG_MEM:
	case WEIR_ARG_UNINIT_MEM: return is_mem(reg) ? 0 : bad_type(env, regno, MEM_TYPES);
	case WEIR_ARG_SIZE:
	case WEIR_ARG_SIZE_OR_ZERO:
		return check_sized_mem(env, regno, call, call->helper->args[n - 1],
				       kind == WEIR_ARG_SIZE_OR_ZERO);
	case WEIR_ARG_FUNC: return reg->type == WEIR_V_FUNC ? 0 : bad_type(env, regno, "func");
	case WEIR_ARG_STACK_OR_NULL:
		if (weir_vreg_is_null(reg))
			return weir_precision_mark(env, regno);
		return reg->type == WEIR_V_STACK ? 0 : bad_type(env, regno, "fp");
	case WEIR_ARG_CONST_STR: return check_const_str(env, regno);
	default:
		return weir_reject(env, -EACCES, WEIR_REASON_HELPER_ARG,
				   "R%u: this kind of argument is not supported", regno);
	}
}

static bool map_fits(uint32_t map_type, uint32_t func)
{
	switch (map_type) {
	case BPF_MAP_TYPE_PROG_ARRAY: return func == BPF_FUNC_tail_call;
	case BPF_MAP_TYPE_DEVMAP:
	case BPF_MAP_TYPE_DEVMAP_HASH:
	case BPF_MAP_TYPE_XSKMAP:
		return func == BPF_FUNC_redirect_map || func == BPF_FUNC_map_lookup_elem;
	case BPF_MAP_TYPE_CPUMAP: return func == BPF_FUNC_redirect_map;
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_LPM_TRIE:
		return func == BPF_FUNC_map_lookup_elem || func == BPF_FUNC_map_update_elem ||
		       func == BPF_FUNC_map_delete_elem;
	default: return false;
	}
}

static int check_map_compat(struct weir_env *env, const struct call *call)
{
	const struct weir_map_def *def;

	if (call->map_idx < 0)
		return 0;
	def = &env->raw->maps[call->map_idx].def;
	if (!map_fits(def->type, call->helper->id))
		return weir_reject(env, -EINVAL, WEIR_REASON_HELPER_MAP,
				   "cannot pass map_type %u into func %s#%u", def->type,
				   call->helper->name + 4, call->helper->id);
	if ((call->helper->id == BPF_FUNC_map_update_elem ||
	     call->helper->id == BPF_FUNC_map_delete_elem) &&
	    (def->flags & BPF_F_RDONLY_PROG))
		return weir_reject(env, -EACCES, WEIR_REASON_WRITE_DENIED,
				   "write into map forbidden");
	return 0;
}

static bool license_is_gpl(const char *license)
{
	static const char *const names[] = {
		"GPL",          "GPL v2",       "GPL and additional rights",
		"Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"};

	for (size_t i = 0; i < WEIR_ARRAY_LEN(names); i++)
		if (!strcmp(license, names[i]))
			return true;
	return false;
}

static int find_helper(struct weir_env *env, uint32_t id, const struct weir_helper **out)
{
	const struct weir_helper *h = weir_helper_find(id);
	const char *name = weir_helper_name(id);

	if (!h && !name)
		return weir_reject(env, -EINVAL, WEIR_REASON_HELPER_UNKNOWN,
				   "invalid func unknown#%u", id);
	if (!h || !(h->prog_types & (1U << env->raw->type)) ||
	    ((h->flags & WEIR_HELPER_CAP_BPF) && !env->bpf_capable) ||
	    ((h->flags & WEIR_HELPER_CAP_PERFMON) && !env->perfmon)) {
		name = h ? h->name : name;
		if (!strncmp(name, "bpf_", 4))
			name += 4;
		return weir_reject(env, -EINVAL, WEIR_REASON_HELPER_DENIED,
				   "program of this type cannot use helper bpf_%s#%u", name, id);
	}
	if ((h->flags & WEIR_HELPER_GPL) && !license_is_gpl(env->raw->license))
		return weir_reject(
			env, -EINVAL, WEIR_REASON_HELPER_GPL,
			"cannot call GPL-restricted function from non-GPL compatible program");
	*out = h;
	return 0;
}

static void note_call(struct weir_env *env, const struct call *call)
{
	struct weir_insn_aux *aux = &env->aux[env->insn_idx];

	if (!aux->seen) {
		aux->map_idx = call->map_idx;
		aux->key_is_const = call->key_known;
		aux->key_u32 = (uint32_t)call->key;
		return;
	}
	if (aux->map_idx != call->map_idx)
		aux->map_idx = -1;
	if (!call->key_known || aux->key_u32 != (uint32_t)call->key)
		aux->key_is_const = false;
}

static void set_result(struct weir_env *env, const struct call *call)
{
	struct weir_vreg *r0 = weir_env_reg(env, BPF_REG_0);
	struct weir_scalar v;

	switch (call->helper->ret) {
	case WEIR_RET_VOID: break;
	case WEIR_RET_MAP_VALUE_OR_NULL:
		weir_vreg_set_ptr(r0, WEIR_V_MAP_VALUE);
		r0->map_idx = (uint32_t)call->map_idx;
		if (!call->key_known) {
			r0->flags = WEIR_VF_OR_NULL;
			r0->id = ++env->id_gen;
		}
		break;
	default:
		weir_vreg_set_unknown(r0);
		if (call->helper->id == BPF_FUNC_get_smp_processor_id) {
			/* Slots are below this on any host. */
			v = weir_scalar_urange(0, 8191);
			r0->v = v;
		}
		break;
	}
}

static void drop_packet_pointers(struct weir_env *env, struct weir_vstate *state)
{
	env->ok->changes_pkt_data = true;
	env->subs[weir_env_frame(env)->subprog].changes_pkt = true;
	weir_vstate_each_reg(state, reg, {
		if (weir_vreg_is_pkt(reg) || reg->type == WEIR_V_PKT_END) {
			weir_vreg_set_unknown(reg);
			if (!env->perfmon)
				weir_vreg_set_none(reg);
		}
	});
}

/*
 * A tail call from a function that succeeds: the target's result returns to the function's caller.
 * It is any number, whatever the function itself would return, and the packet may have moved. The
 * target has a stack of its own and gets nothing but the context, so all else stays. A callback's
 * result goes to the helper, which may then call it again or be done.
 */
static int push_tail_called(struct weir_env *env)
{
	const struct weir_frame *frame = weir_env_frame(env);
	uint32_t back = frame->is_callback ? frame->callsite : frame->callsite + 1;
	bool is_callback = frame->is_callback;
	struct weir_vstate *state = weir_env_push(env, back, env->insn_idx);

	if (!state)
		return env->error;
	weir_vstate_pop_frame(&env->pool, state);
	if (!is_callback)
		weir_vreg_set_unknown(&weir_vstate_top(state)->regs[BPF_REG_0]);
	drop_packet_pointers(env, state);
	return 0;
}

static int call_helper(struct weir_env *env, const struct bpf_insn *insn, uint32_t *next)
{
	struct call call = {.map_idx = -1};
	int err = find_helper(env, (uint32_t)insn->imm, &call.helper);

	for (uint32_t i = 0; !err && i < 5 && call.helper->args[i] != WEIR_ARG_NONE; i++)
		err = check_arg(env, &call, i);
	if (!err)
		err = check_map_compat(env, &call);
	if (err)
		return err;
	note_call(env, &call);
	if (call.helper->id == BPF_FUNC_tail_call) {
		env->ok->uses_tail_call = true;
		env->subs[weir_env_frame(env)->subprog].has_tail_call = true;
		err = env->cur->curframe ? push_tail_called(env) : 0;
		if (err)
			return err;
	}
	*next = env->insn_idx + 1;
	if (call.helper->id == BPF_FUNC_loop) {
		err = weir_callback_loop(env, next);
		if (err)
			return err;
	}
	weir_reg_clobber_caller_saved(env);
	set_result(env, &call);
	if (call.helper->flags & WEIR_HELPER_CHANGES_PKT)
		drop_packet_pointers(env, env->cur);
	return 0;
}

static int call_local(struct weir_env *env, const struct bpf_insn *insn, uint32_t *next)
{
	uint32_t start = env->insn_idx + 1 + (uint32_t)insn->imm;
	uint32_t sub = weir_cfg_find_sub(env, start);
	struct weir_frame *caller = weir_env_frame(env), *callee;

	if (sub == UINT32_MAX)
		return weir_reject(env, -EFAULT, WEIR_REASON_INTERNAL,
				   "verifier bug: no program starts at insn %u", start);
	if (env->cur->curframe + 1 >= WEIR_MAX_FRAMES)
		return weir_reject(env, -E2BIG, WEIR_REASON_CALL_DEPTH,
				   "the call stack of %u frames is too deep",
				   env->cur->curframe + 2);
	if (weir_vstate_push_frame(&env->pool, env->cur, sub, env->insn_idx))
		return weir_reject_nomem(env);
	callee = weir_env_frame(env);
	for (uint32_t i = BPF_REG_1; i <= BPF_REG_5; i++)
		callee->regs[i] = caller->regs[i];
	for (uint32_t i = BPF_REG_0; i <= BPF_REG_5; i++)
		weir_vreg_set_none(&caller->regs[i]);
	env->subs[sub].is_called = true;
	*next = start;
	return 0;
}

int weir_call_check(struct weir_env *env, const struct bpf_insn *insn, uint32_t *next)
{
	if (insn->src_reg == BPF_PSEUDO_CALL)
		return call_local(env, insn, next);
	if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
		return weir_reject(env, -EINVAL, WEIR_REASON_KFUNC_UNKNOWN,
				   "calling kernel function is not allowed");
	return call_helper(env, insn, next);
}

static int return_from_call(struct weir_env *env, uint32_t *next)
{
	struct weir_frame *callee = weir_env_frame(env);
	struct weir_frame *caller = env->cur->frames[env->cur->curframe - 1];

	if (callee->regs[BPF_REG_0].type == WEIR_V_STACK)
		return weir_reject(env, -EINVAL, WEIR_REASON_POINTER_LEAK,
				   "cannot return stack pointer to the caller");
	if (callee->is_callback)
		return weir_callback_return(env, next);
	caller->regs[BPF_REG_0] = callee->regs[BPF_REG_0];
	*next = callee->callsite + 1;
	weir_vstate_pop_frame(&env->pool, env->cur);
	return 0;
}

int weir_call_exit(struct weir_env *env, uint32_t *next, bool *done)
{
	int err;

	*done = !env->cur->curframe;
	if (!*done)
		return return_from_call(env, next);
	err = weir_reg_check_src(env, BPF_REG_0);
	if (err)
		return err;
	if (weir_reg_is_leak(env, weir_env_reg(env, BPF_REG_0)))
		return weir_reject(env, -EACCES, WEIR_REASON_POINTER_LEAK,
				   "R0 leaks addr as return value");
	return 0;
}

int weir_call_check_ld_abs(struct weir_env *env, const struct bpf_insn *insn)
{
	struct weir_frame *frame = weir_env_frame(env);
	int err;

	if (env->raw->type != BPF_PROG_TYPE_SOCKET_FILTER &&
	    env->raw->type != BPF_PROG_TYPE_SCHED_CLS && env->raw->type != BPF_PROG_TYPE_SCHED_ACT)
		return weir_reject(
			env, -EINVAL, WEIR_REASON_LD_ABS,
			"BPF_LD_[ABS|IND] instructions not allowed for this program type");
	err = weir_reg_check_src(env, BPF_REG_6);
	if (err)
		return err;
	if (frame->is_callback)
		return weir_reject(env, -EINVAL, WEIR_REASON_LD_ABS,
				   "BPF_LD_[ABS|IND] instructions not allowed in callbacks");
	if (frame->regs[BPF_REG_6].type != WEIR_V_CTX)
		return weir_reject(env, -EINVAL, WEIR_REASON_LD_ABS,
				   "at the time of BPF_LD_ABS|IND R6 != pointer to skb");
	err = check_ctx_arg(env, BPF_REG_6);
	if (!err && BPF_MODE(insn->code) == BPF_IND)
		err = weir_reg_check_src(env, insn->src_reg);
	if (err)
		return err;
	env->subs[frame->subprog].has_ld_abs = true;
	weir_reg_clobber_caller_saved(env);
	weir_vreg_set_unknown(weir_env_reg(env, BPF_REG_0));
	return 0;
}

static int ld_map(struct weir_env *env, const struct bpf_insn *insn, struct weir_vreg *dst)
{
	uint32_t idx = (uint32_t)insn->imm, off = (uint32_t)insn[1].imm;
	const struct weir_map_def *def;

	if (idx >= env->raw->map_count)
		return weir_reject(env, -EINVAL, WEIR_REASON_MAP_ACCESS,
				   "map index %u is not one of the program's %u maps", idx,
				   env->raw->map_count);
	def = &env->raw->maps[idx].def;
	if (insn->src_reg == BPF_PSEUDO_MAP_IDX) {
		if (off)
			return weir_reject(env, -EINVAL, WEIR_REASON_INSN_INVALID,
					   "unrecognized bpf_ld_imm64 insn");
		weir_vreg_set_ptr(dst, WEIR_V_MAP_PTR);
		dst->map_idx = idx;
		return 0;
	}
	if (def->type != BPF_MAP_TYPE_ARRAY || def->max_entries != 1)
		return weir_reject(env, def->type == BPF_MAP_TYPE_ARRAY ? -LINUX_ENOTSUPP : -EINVAL,
				   WEIR_REASON_MAP_ACCESS,
				   "no direct value access support for this map type");
	if (off >= def->value_size)
		return weir_reject(env, -EINVAL, WEIR_REASON_MAP_VALUE_RANGE,
				   "invalid access to map value pointer, value_size=%u off=%u",
				   def->value_size, off);
	weir_vreg_set_ptr(dst, WEIR_V_MAP_VALUE);
	dst->map_idx = idx;
	dst->off = (int32_t)off;
	return 0;
}

int weir_call_ld_imm64(struct weir_env *env, const struct bpf_insn *insn)
{
	struct weir_vreg *dst = weir_env_reg(env, insn->dst_reg);
	int err = weir_reg_check_dst(env, insn->dst_reg);
	uint32_t sub;

	if (err)
		return err;
	switch (insn->src_reg) {
	case 0:
		weir_vreg_set_const(dst,
				    (uint32_t)insn->imm | (uint64_t)(uint32_t)insn[1].imm << 32);
		return 0;
	case BPF_PSEUDO_MAP_IDX:
	case BPF_PSEUDO_MAP_IDX_VALUE: return ld_map(env, insn, dst);
	case BPF_PSEUDO_FUNC:
		sub = weir_cfg_find_sub(env, env->insn_idx + (uint32_t)insn->imm + 1);
		if (sub == UINT32_MAX || !sub)
			return weir_reject(env, -EINVAL, WEIR_REASON_CALLBACK,
					   "callback function not static");
		env->aux[env->insn_idx].func_subprog = sub;
		weir_vreg_set_ptr(dst, WEIR_V_FUNC);
		dst->subprog = sub;
		return 0;
	default:
		return weir_reject(env, -EINVAL, WEIR_REASON_INSN_INVALID,
				   "unrecognized bpf_ld_imm64 insn");
	}
}
