/* SPDX-License-Identifier: BSD-3-Clause */
/* The log in Linux's form, and the explanation of a reject. */
#include <inttypes.h>
#include <stdlib.h>

#include "env.h"
#include "weir/vm/disasm.h"

#define PATH_SHOWN 8 /* branches of the way to the offence */

static void log_scalar(struct weir_diag *log, const struct weir_scalar *v)
{
	if (weir_scalar_is_const(v)) {
		weir_diag_printf(log, "%" PRId64, (int64_t)v->var.value);
		return;
	}
	if (weir_scalar_is_unknown(v))
		return;
	weir_diag_printf(log, "(");
	if (v->smin != INT64_MIN)
		weir_diag_printf(log, "smin=%" PRId64 ",", v->smin);
	if (v->smax != INT64_MAX)
		weir_diag_printf(log, "smax=%" PRId64 ",", v->smax);
	if (v->umin)
		weir_diag_printf(log, "umin=%" PRIu64 ",", v->umin);
	if (v->umax != UINT64_MAX)
		weir_diag_printf(log, "umax=%" PRIu64 ",", v->umax);
	weir_diag_printf(log, "var_off=(0x%" PRIx64 "; 0x%" PRIx64 "))", v->var.value, v->var.mask);
}

static void log_reg(const struct weir_env *env, struct weir_diag *log, const struct weir_vreg *reg)
{
	if (reg->type == WEIR_V_SCALAR) {
		if (!weir_scalar_is_const(&reg->v))
			weir_diag_printf(log, "scalar");
		log_scalar(log, &reg->v);
		return;
	}
	weir_diag_printf(log, "%s", reg_type_name(reg));
	if (reg->type == WEIR_V_STACK) {
		weir_diag_printf(log, "%d", reg->off);
	} else {
		weir_diag_printf(log, "(");
		if (reg->id)
			weir_diag_printf(log, "id=%u,", reg->id);
		if (reg->type == WEIR_V_MAP_VALUE || reg->type == WEIR_V_MAP_PTR)
			weir_diag_printf(log, "map=%s,ks=%u,vs=%u,",
					 env->raw->maps[reg->map_idx].def.name,
					 env->raw->maps[reg->map_idx].def.key_size,
					 env->raw->maps[reg->map_idx].def.value_size);
		if (reg->off)
			weir_diag_printf(log, "off=%d,", reg->off);
		if (weir_vreg_is_pkt(reg))
			weir_diag_printf(log, "r=%d,", reg->range);
		weir_diag_printf(log, ")");
	}
	if (!weir_scalar_is_const(&reg->v) || reg->v.var.value)
		log_scalar(log, &reg->v);
}

void vlog_state(struct weir_env *env, const struct weir_vstate *state)
{
	static const char kinds[] = "?rm0"; /* by enum weir_slot_kind; r: part of a register */
	const struct weir_frame *frame = weir_vstate_top(state);

	if (state->curframe)
		weir_diag_printf(env->log, " frame%u:", state->curframe);
	for (uint32_t r = 0; r < WEIR_MAX_REGS; r++) {
		if (frame->regs[r].type == WEIR_V_NONE)
			continue;
		weir_diag_printf(env->log, " R%u=", r);
		log_reg(env, env->log, &frame->regs[r]);
	}
	for (uint32_t s = 0; s < frame->slot_count; s++) {
		const struct weir_slot *slot = &frame->slots[s];

		if (weir_slot_is_spill(slot)) {
			weir_diag_printf(env->log, " fp-%u=", (s + 1) * 8);
			log_reg(env, env->log, &slot->reg);
			continue;
		}
		if (!memcmp(slot->kind, (uint8_t[8]){0}, 8))
			continue;
		weir_diag_printf(env->log, " fp-%u=", (s + 1) * 8);
		for (int k = WEIR_SLOT_BYTES - 1; k >= 0; k--)
			weir_diag_printf(env->log, "%c", kinds[slot->kind[k]]);
	}
}

static void log_text(struct weir_env *env, uint32_t idx)
{
	weir_diag_printf(env->log, "%u: (%02x) ", idx, env->insns[idx].code);
	weir_disasm_insn(env->insns, env->insn_count, idx, NULL, env->log);
}

void vlog_insn(struct weir_env *env)
{
	log_text(env, env->insn_idx);
	weir_diag_printf(env->log, " ;");
	vlog_state(env, env->cur);
	weir_diag_printf(env->log, "\n");
}

void vlog_stats(struct weir_env *env)
{
	if (!env->opts->log_level)
		return;
	weir_diag_printf(env->log,
			 "processed %u insns (limit %u) max_states_per_insn %u total_states %u "
			 "peak_states %u mark_read 0\n",
			 env->stats.processed_insns, WEIR_MAX_INSNS, env->stats.max_states_per_insn,
			 env->stats.total_states, env->stats.peak_states);
}

/* The source line an instruction comes from, or NULL. */
static const struct weir_line_info *line_of(const struct weir_env *env, uint32_t idx)
{
	const struct weir_line_info *found = NULL;

	for (uint32_t i = 0; i < env->raw->line_count && env->raw->lines[i].insn_idx <= idx; i++)
		found = &env->raw->lines[i];
	return found;
}

static void explain_place(struct weir_env *env, uint32_t idx, const char *what)
{
	const struct weir_line_info *line = line_of(env, idx);
	const char *file, *text;

	weir_diag_printf(env->log, "  %s ", what);
	if (line && env->raw->btf) {
		file = weir_btf_name(env->raw->btf, line->file_off);
		text = weir_btf_name(env->raw->btf, line->line_off);
		while (*text == ' ' || *text == '\t')
			text++;
		weir_diag_printf(env->log, "%s:%u: %s\n      ", file, line->line, text);
	}
	log_text(env, idx);
	weir_diag_printf(env->log, "\n");
}

/* The last writes to the registers of the offending instruction that lie before it in the text. */
static void explain_sources(struct weir_env *env, const struct bpf_insn *insn)
{
	uint32_t regs[2] = {insn->dst_reg, insn->src_reg};
	uint32_t start = env->subs[env->info[env->insn_idx].subprog].start;

	for (int k = 0; k < (regs[0] == regs[1] ? 1 : 2); k++) {
		const struct weir_vreg *reg = env_reg(env, regs[k]);

		if (regs[k] == BPF_REG_10 || reg->type == WEIR_V_NONE)
			continue;
		weir_diag_printf(env->log, "  R%u is ", regs[k]);
		log_reg(env, env->log, reg);
		weir_diag_printf(env->log, "\n");
		for (uint32_t i = env->insn_idx; i-- > start;) {
			uint8_t class = BPF_CLASS(env->insns[i].code);

			if (env->info[i].is_tail || !env->aux[i].seen ||
			    env->insns[i].dst_reg != regs[k] || class == BPF_ST ||
			    class == BPF_STX || class == BPF_JMP || class == BPF_JMP32)
				continue;
			explain_place(env, i, "set at");
			break;
		}
	}
}

static void explain_path(struct weir_env *env)
{
	uint32_t shown = 0;
	size_t first = env->path.len;

	/* A branch's fall-through leaves the step of its taken side behind it. */
	while (first > 0 && shown < PATH_SHOWN) {
		first--;
		shown++;
	}
	for (size_t i = first; i < env->path.len; i++) {
		const struct vstep *s = &env->path.v[i];

		if (i + 1 < env->path.len && s[1].insn_idx == s->insn_idx && s->taken &&
		    !s[1].taken)
			continue;
		explain_place(env, s->insn_idx, s->taken ? "taken:    " : "not taken:");
	}
}

void vlog_explain(struct weir_env *env)
{
	const struct weir_reason_info *info = weir_reason_info(env->reject.reason);
	bool placed = env->reject.insn_idx < env->insn_count && env->cur;

	if (!env->opts->log_level)
		return;
	weir_diag_printf(env->log, "%s\n", env->reject.message);
	weir_diag_printf(env->log, "reason: %s (%s)\n", info->id, info->title);
	if (placed) {
		explain_place(env, env->insn_idx, "at");
		if (env->reject.reason != WEIR_REASON_TOO_COMPLEX)
			explain_sources(env, &env->insns[env->insn_idx]);
		if (env->path.len)
			weir_diag_printf(env->log, "the way there:\n");
		explain_path(env);
	} else if (env->reject.insn_idx < env->insn_count) {
		explain_place(env, env->insn_idx, "at");
	}
	weir_diag_printf(env->log, "hint: %s\n", info->hint);
}
