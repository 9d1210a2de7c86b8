/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a reject tells the author: Linux's sentence, the reason id, the C line, what was needed and
 * what was known, the branches and writes that led there, and a hint. At most 25 lines.
 */
#include <inttypes.h>

#include "env.h"
#include "weir/vm/disasm.h"

#define CHAIN_MAX 8

static const struct weir_line_info *line_of(const struct weir_prog_raw *raw, uint32_t insn_idx)
{
	const struct weir_line_info *best = NULL;

	for (uint32_t i = 0; i < raw->line_count; i++) {
		if (raw->lines[i].insn_idx > insn_idx)
			break;
		best = &raw->lines[i];
	}
	return best;
}

static void print_place(struct weir_env *env, uint32_t insn_idx, const char *label)
{
	const struct weir_line_info *line = line_of(env->raw, insn_idx);

	if (!env->insns || insn_idx >= env->insn_count)
		return;
	weir_diag_printf(env->log, "  %s insn %u: ", label, insn_idx);
	weir_disasm_insn(env->insns, env->insn_count, insn_idx, NULL, env->log);
	if (line && env->raw->btf) {
		const char *text = weir_btf_name(env->raw->btf, line->line_off);
		const char *file = weir_btf_name(env->raw->btf, line->file_off);
		const char *base = strrchr(file, '/');

		while (*text == ' ' || *text == '\t')
			text++;
		weir_diag_printf(env->log, "\n      %s:%u:%u: %.80s", base ? base + 1 : file,
				 line->line, line->col, text);
	}
	weir_diag_printf(env->log, "\n");
}

static bool writes_reg(const struct bpf_insn *insn, uint32_t regno)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
	case BPF_LDX: return insn->dst_reg == regno;
	case BPF_LD:
		return insn->code == (BPF_LD | BPF_IMM | BPF_DW) ? insn->dst_reg == regno
								 : regno <= BPF_REG_5;
	case BPF_JMP: return BPF_OP(insn->code) == BPF_CALL && regno <= BPF_REG_5;
	default: return false;
	}
}

static bool is_cond(const struct bpf_insn *insn)
{
	uint8_t class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

	return (class == BPF_JMP || class == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT &&
	       op != BPF_JA;
}

/*
 * Follows the register in question back through what it was computed from, and notes the branches
 * that asked about it: the slice that made it what it is.
 */
static uint32_t find_chain(struct weir_env *env, size_t *chain)
{
	uint32_t count = 0, regs;
	uint8_t frame;

	if (env->bad_reg >= BPF_REG_10 || !env->path.len)
		return 0;
	regs = 1U << env->bad_reg;
	frame = env->path.v[env->path.len - 1].frameno;
	for (size_t pos = env->path.len - 1; pos-- > 0 && regs && count < CHAIN_MAX;) {
		const struct weir_step *step = &env->path.v[pos];
		const struct bpf_insn *insn = &env->insns[step->insn_idx];

		if (step->frameno != frame)
			continue;
		if (is_cond(insn)) {
			bool asks = (regs >> insn->dst_reg & 1) ||
				    (BPF_SRC(insn->code) == BPF_X && (regs >> insn->src_reg & 1));

			if (asks)
				chain[count++] = pos;
			continue;
		}
		for (uint32_t r = 0; r < BPF_REG_10; r++) {
			if (!(regs >> r & 1) || !writes_reg(insn, r))
				continue;
			chain[count++] = pos;
			if (BPF_CLASS(insn->code) != BPF_ALU && BPF_CLASS(insn->code) != BPF_ALU64)
				regs &= ~(1U << r);
			else if (BPF_OP(insn->code) == BPF_MOV)
				regs &= ~(1U << r);
			if ((BPF_CLASS(insn->code) == BPF_ALU ||
			     BPF_CLASS(insn->code) == BPF_ALU64) &&
			    BPF_SRC(insn->code) == BPF_X && BPF_OP(insn->code) != BPF_END)
				regs |= 1U << insn->src_reg;
			break;
		}
	}
	return count;
}

static void print_chain(struct weir_env *env)
{
	size_t chain[CHAIN_MAX];
	uint32_t count = find_chain(env, chain);

	if (count)
		weir_diag_printf(env->log, "how R%u got there:\n", env->bad_reg);
	while (count--) {
		size_t pos = chain[count];
		const struct bpf_insn *insn = &env->insns[env->path.v[pos].insn_idx];
		const char *label = "set at";

		if (is_cond(insn))
			label = pos + 1 < env->path.len && env->path.v[pos + 1].insn_idx !=
								   env->path.v[pos].insn_idx + 1
					? "branch taken,"
					: "branch not taken,";
		print_place(env, env->path.v[pos].insn_idx, label);
	}
}

static void print_bound(struct weir_diag *d, int64_t v)
{
	if (v == INT64_MIN || v == INT64_MAX)
		weir_diag_printf(d, "unbounded");
	else
		weir_diag_printf(d, "%" PRId64, v);
}

/* Of the packet it is the access that is fixed, and what the program has checked that varies. */
static void print_packet(struct weir_env *env)
{
	struct weir_diag *d = env->log;

	if (env->have_hi > env->have_lo)
		weir_diag_printf(d, "accessed: bytes %" PRId64 " to %" PRId64, env->have_lo,
				 env->have_hi - 1);
	else
		weir_diag_printf(d, "accessed: no byte at offset %" PRId64, env->have_lo);
	if (env->need_hi)
		weir_diag_printf(d, "; known to be there: bytes 0 to %" PRId64 "\n",
				 env->need_hi - 1);
	else
		weir_diag_printf(d, "; known to be there: none\n");
}

static void print_need(struct weir_env *env)
{
	struct weir_diag *d = env->log;

	if (!env->has_need)
		return;
	if (env->reject.reason == WEIR_REASON_PACKET_RANGE) {
		print_packet(env);
		return;
	}
	weir_diag_printf(d, "needed: %" PRId64 " to %" PRId64 "; known: ", env->need_lo,
			 env->need_hi);
	print_bound(d, env->have_lo);
	weir_diag_printf(d, " to ");
	print_bound(d, env->have_hi);
	weir_diag_printf(d, "\n");
}

void weir_explain(struct weir_env *env)
{
	const struct weir_reason_info *info = weir_reason_info(env->reject.reason);

	if (!env->log)
		return;
	weir_diag_printf(env->log, "%s\n", env->reject.message);
	weir_diag_printf(env->log, "reason: %s: %s\n", info->id, info->title);
	print_place(env, env->reject.insn_idx, "at");
	print_need(env);
	print_chain(env);
	weir_diag_printf(env->log, "hint: %s\n", info->hint);
}
