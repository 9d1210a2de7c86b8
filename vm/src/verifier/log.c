/* SPDX-License-Identifier: BSD-3-Clause */
/* The state log in Linux's format, and the statistics line. */
#include <inttypes.h>

#include "env.h"
#include "weir/vm/disasm.h"

static void print_ranges(struct weir_diag *d, const struct weir_vreg *reg, const char **sep)
{
	const struct weir_scalar *v = &reg->v;
#define ITEM(...)                                 \
	do {                                      \
		weir_diag_printf(d, "%s", *sep);  \
		weir_diag_printf(d, __VA_ARGS__); \
		*sep = ",";                       \
	} while (0)
	if (v->smin != INT64_MIN)
		ITEM("smin=%" PRId64, v->smin);
	if (v->smax != INT64_MAX)
		ITEM("smax=%" PRId64, v->smax);
	if (v->umin)
		ITEM("umin=%" PRIu64, v->umin);
	if (v->umax != UINT64_MAX)
		ITEM("umax=%" PRIu64, v->umax);
	if (v->s32_min != INT32_MIN && v->s32_min != v->smin)
		ITEM("smin32=%d", v->s32_min);
	if (v->s32_max != INT32_MAX && v->s32_max != v->smax)
		ITEM("smax32=%d", v->s32_max);
	if (v->u32_min && v->u32_min != v->umin)
		ITEM("umin32=%u", v->u32_min);
	if (v->u32_max != UINT32_MAX && v->u32_max != v->umax)
		ITEM("umax32=%u", v->u32_max);
	if (v->var.mask != UINT64_MAX)
		ITEM("var_off=(0x%" PRIx64 "; 0x%" PRIx64 ")", v->var.value, v->var.mask);
}

void weir_log_reg(struct weir_diag *d, const struct weir_env *env, const struct weir_vreg *reg)
{
	const char *first = "", **sep = &first;

	if (reg->type == WEIR_V_SCALAR && weir_scalar_is_const(&reg->v)) {
		weir_diag_printf(d, "%s%" PRId64, reg->precise ? "P" : "",
				 (int64_t)reg->v.var.value);
		return;
	}
	weir_diag_printf(d, "%s%s", reg->precise ? "P" : "", weir_vtype_name(reg));
	if (reg->type == WEIR_V_STACK && weir_scalar_is_const(&reg->v)) {
		if (reg->off || reg->v.smin)
			weir_diag_printf(d, "%" PRId64, reg->off + reg->v.smin);
		return;
	}
	weir_diag_printf(d, "(");
	if (reg->id)
		ITEM("id=%u", reg->id & ~WEIR_ID_ADD_CONST);
	if (weir_vreg_is_ptr(reg) && reg->off)
		ITEM("off=%d", reg->off);
	else if (reg->id & WEIR_ID_ADD_CONST)
		weir_diag_printf(d, "%+d", reg->off);
	if (weir_vreg_is_pkt(reg))
		ITEM("r=%d", reg->range);
	if (reg->type == WEIR_V_MAP_PTR || reg->type == WEIR_V_MAP_VALUE) {
		const struct weir_map_def *def = &env->raw->maps[reg->map_idx].def;

		if (def->name[0])
			ITEM("map=%.16s", def->name);
		ITEM("ks=%u,vs=%u", def->key_size, def->value_size);
	}
	if (!(weir_vreg_is_ptr(reg) && weir_scalar_is_const(&reg->v)))
		print_ranges(d, reg, sep);
	weir_diag_printf(d, ")");
}

void weir_log_state(struct weir_env *env, const struct weir_vstate *state, bool all)
{
	const struct weir_frame *frame = weir_vstate_top(state);
	struct weir_diag *d = env->log;

	if (!d)
		return;
	if (state->curframe)
		weir_diag_printf(d, " frame%u:", state->curframe);
	for (int i = 0; i < WEIR_MAX_REGS; i++) {
		if (frame->regs[i].type == WEIR_V_NONE)
			continue;
		weir_diag_printf(d, " R%d=", i);
		weir_log_reg(d, env, &frame->regs[i]);
	}
	for (uint32_t s = 0; s < frame->slot_count; s++) {
		static const char kinds[] = "?rm0";
		const struct weir_slot *slot = &frame->slots[s];
		bool used = false;

		for (int k = 0; k < WEIR_SLOT_BYTES; k++)
			used |= slot->kind[k] != WEIR_SLOT_INVALID;
		if (!used)
			continue;
		weir_diag_printf(d, " fp-%u=", (s + 1) * 8);
		if (weir_slot_is_spill(slot)) {
			weir_log_reg(d, env, &slot->reg);
			continue;
		}
		for (int k = WEIR_SLOT_BYTES; k-- > 0;)
			weir_diag_printf(d, "%c", kinds[slot->kind[k]]);
	}
	weir_diag_printf(d, "\n");
}

static void log_line(struct weir_env *env)
{
	const struct weir_prog_raw *raw = env->raw;
	uint32_t lo = 0, hi = raw->line_count;
	const struct weir_line_info *line;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (raw->lines[mid].insn_idx <= env->insn_idx)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || !raw->btf || env->last_logged_line == lo)
		return;
	env->last_logged_line = lo;
	line = &raw->lines[lo - 1];
	for (const char *s = weir_btf_name(raw->btf, line->line_off); *s; s++)
		if (*s != ' ' && *s != '\t') {
			const char *file = weir_btf_name(raw->btf, line->file_off);
			const char *base = strrchr(file, '/');

			weir_diag_printf(env->log, "; %s @ %s:%u\n", s, base ? base + 1 : file,
					 line->line);
			return;
		}
}

void weir_log_insn(struct weir_env *env)
{
	if (!env->log)
		return;
	if (env->info[env->insn_idx].is_prune_point || env->log_all ||
	    env->insn_idx != env->prev_insn_idx + 1) {
		weir_diag_printf(env->log, "%u:", env->insn_idx);
		weir_log_state(env, env->cur, true);
	}
	log_line(env);
	weir_diag_printf(env->log, "%u: (%02x) ", env->insn_idx, env->insns[env->insn_idx].code);
	weir_disasm_insn(env->insns, env->insn_count, env->insn_idx, NULL, env->log);
	weir_diag_printf(env->log, "\n");
}

void weir_log_stats(struct weir_env *env)
{
	const struct weir_verify_stats *s = &env->stats;

	if (env->opts->log_level & 4)
		weir_diag_printf(env->log, "verification time %" PRIu64 " usec\nstack depth %u\n",
				 s->time_ns / 1000, s->stack_bytes);
	weir_diag_printf(env->log,
			 "processed %u insns (limit %u) max_states_per_insn %u total_states %u "
			 "peak_states %u mark_read 0\n",
			 s->processed_insns, WEIR_MAX_INSNS, s->max_states_per_insn,
			 s->total_states, s->peak_states);
}
