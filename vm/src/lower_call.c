/* SPDX-License-Identifier: BSD-3-Clause */
/* Helper calls, map look-ups in line, and 64-bit constants that name objects. */
#include <errno.h>

#include "helpers.h"
#include "lower.h"
#include "weir/base/bits.h"

/* An array's element: R0 = its address, or NULL behind the end. R1 to R5 are the call's to spoil.
 */
static void inline_array_lookup(struct lower *l, const struct weir_map *map)
{
	const struct weir_insn_aux *aux = &l->ok->aux[l->ok_idx];
	uint32_t stride = map->stride_bytes;

	if (aux->key_is_const && aux->key_u32 < map->def.max_entries) {
		lower_imm64(l, BPF_REG_0,
			    (uintptr_t)(map->values + (uint64_t)aux->key_u32 * stride));
		return;
	}
	lower_imm64(l, BPF_REG_1, (uintptr_t)map->values);
	lower_emit(l, LOWER_LDX(BPF_W, BPF_REG_0, BPF_REG_2, 0));
	lower_emit(l, LOWER_INSN(BPF_JMP32 | BPF_JGE | BPF_K, BPF_REG_0, 0, 3,
				 (int32_t)map->def.max_entries));
	if (weir_is_pow2(stride))
		lower_emit(l, LOWER_ALU_K(BPF_LSH, BPF_REG_0, __builtin_ctz(stride)));
	else
		lower_emit(l, LOWER_ALU_K(BPF_MUL, BPF_REG_0, stride));
	lower_emit(l, LOWER_ALU(BPF_ADD, BPF_REG_0, BPF_REG_1));
	lower_emit(l, LOWER_JA(1));
	lower_emit(l, LOWER_MOV_K(BPF_REG_0, 0));
}

static bool can_inline_lookup(const struct lower *l, const struct weir_map *map)
{
	return !l->no_inline && map->def.type == BPF_MAP_TYPE_ARRAY && map->values &&
	       !map->is_per_cpu && map->stride_bytes && map->stride_bytes <= INT32_MAX;
}

/* Calls on one known map go to the type's own function where it offers one. */
static void call_map_helper(struct lower *l, const struct weir_helper *helper,
			    const struct weir_map *map)
{
	weir_helper_fn direct = NULL;

	if (helper->id == BPF_FUNC_map_lookup_elem && can_inline_lookup(l, map))
		return inline_array_lookup(l, map);
	switch (helper->id) {
	case BPF_FUNC_map_lookup_elem: direct = map->ops->direct_lookup; break;
	case BPF_FUNC_map_update_elem: direct = map->ops->direct_update; break;
	case BPF_FUNC_map_delete_elem: direct = map->ops->direct_delete; break;
	default: break;
	}
	lower_call_fn(l, direct ? direct : helper->fn, helper->name);
}

void lower_helper_call(struct lower *l, const struct bpf_insn *insn)
{
	const struct weir_helper *helper = weir_helper_find((uint32_t)insn->imm);
	int32_t map_idx = l->ok->aux[l->ok_idx].map_idx;

	if (!helper || !(helper->prog_types & 1U << l->ok->raw.type))
		return lower_broken(l, "helper that this type of program does not have");
	switch (helper->id) {
	case BPF_FUNC_tail_call:
		l->needs_run_state = true;
		return lower_emit(l, LOWER_INSN(WEIR_OP_TAIL_CALL, 0, 0, 0, 0));
	case BPF_FUNC_loop: return lower_loop(l);
	case BPF_FUNC_redirect:
		return lower_call_fn(l,
				     l->ok->raw.type == BPF_PROG_TYPE_XDP ? weir_hf_redirect_xdp
									  : weir_hf_redirect_skb,
				     helper->name);
	default: break;
	}
	if (map_idx >= 0 && (uint32_t)map_idx < l->ok->raw.map_count)
		return call_map_helper(l, helper, l->maps[map_idx]);
	lower_call_fn(l, helper->fn, helper->name);
}

void lower_ld_imm64(struct lower *l, const struct bpf_insn *insn)
{
	uint64_t value = (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32;
	uint32_t idx = (uint32_t)insn[0].imm;

	switch (insn->src_reg) {
	case 0: break;
	case BPF_PSEUDO_MAP_IDX:
	case BPF_PSEUDO_MAP_IDX_VALUE:
		if (idx >= l->ok->raw.map_count)
			return lower_broken(l, "map index out of range");
		value = (uintptr_t)l->maps[idx];
		if (insn->src_reg == BPF_PSEUDO_MAP_IDX)
			break;
		if (!l->maps[idx]->values)
			return lower_broken(l, "value address of a map without values");
		value = (uintptr_t)l->maps[idx]->values + (uint32_t)insn[1].imm;
		break;
	case BPF_PSEUDO_FUNC:
		/* Never called through: bpf_loop compares it where several callbacks are possible.
		 */
		value = (uint64_t)l->ok->aux[l->ok_idx].func_subprog + 1;
		break;
	default: return lower_broken(l, "64-bit constant of an unknown kind");
	}
	lower_imm64(l, insn->dst_reg, value);
}
