/* SPDX-License-Identifier: BSD-3-Clause */
#include "opt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weir/base/cleanup.h"

#define MAX_ROUNDS 20 /* of liveness; programs that need more stay as they are */

static bool is_ja(const struct jit_insn *insn)
{
	return insn->op == WEIR_OPI_JA || insn->op == WEIR_OPI_JA_LONG;
}

static bool falls_through(const struct jit_insn *insn)
{
	return !is_ja(insn) && insn->op != WEIR_OPI_EXIT;
}

/* May insn be left out if its result is not needed? Loads may: they have no effect but the value.
 */
static bool is_pure(const struct jit_insn *insn)
{
	if (insn->op == JIT_NOP)
		return false;
	if (insn->op > WEIR_OPI_COUNT)
		return true;
	switch (BPF_CLASS(weir_op_table[insn->op].code)) {
	case BPF_ALU:
	case BPF_ALU64:
	case BPF_LD:
	case BPF_LDX: return true;
	default: return false;
	}
}

static bool is_dead(const struct jit_insn *insn, uint16_t live_after)
{
	return is_pure(insn) && !(jit_insn_writes(insn) & live_after);
}

/* What is read only to compute what is not needed is not needed. */
static uint16_t live_before(const struct jit_insn *insn, uint16_t live_after)
{
	if (is_dead(insn, live_after))
		return live_after;
	return (uint16_t)((live_after & ~jit_insn_writes(insn)) | jit_insn_reads(insn));
}

static uint16_t live_behind(const struct jit_prog *prog, const uint16_t *live_after, uint32_t i)
{
	const struct jit_insn *insn = &prog->insns[i];
	uint16_t live = 1U << 10; /* set once, in the prologue */

	if (falls_through(insn) && i + 1 < prog->insn_count)
		live |= live_before(insn + 1, live_after[i + 1]);
	if (is_ja(insn) || jit_insn_is_cond(insn))
		live |= live_before(&prog->insns[insn->target], live_after[insn->target]);
	return live;
}

bool opt_liveness(const struct jit_prog *prog, uint16_t *live_after)
{
	memset(live_after, 0, prog->insn_count * sizeof(*live_after));
	/* One round, and one more for each level of loops; hostile code could ask for any number.
	 */
	for (int round = 0; round < MAX_ROUNDS; round++) {
		bool changed = false;

		for (uint32_t i = prog->insn_count; i-- > 0;) {
			uint16_t live = live_behind(prog, live_after, i);

			changed |= live != live_after[i];
			live_after[i] = live;
		}
		if (!changed)
			return true;
	}
	return false;
}

void opt_remove_dead(struct jit_prog *prog, const uint16_t *live_after)
{
	for (uint32_t i = 0; i < prog->insn_count; i++) {
		if (is_dead(&prog->insns[i], live_after[i]))
			prog->insns[i].op = JIT_NOP;
	}
}

int opt_remove_unreachable(struct jit_prog *prog)
{
	weir_autofree uint32_t *work = calloc(prog->insn_count + prog->func_count, sizeof(*work));
	weir_autofree bool *reached = calloc(prog->insn_count, sizeof(*reached));
	uint32_t count = 0;

	if (!work || !reached)
		return -ENOMEM;
	for (uint32_t f = 0; f < prog->func_count; f++)
		work[count++] = prog->funcs[f].start;
	while (count) {
		uint32_t i = work[--count];

		while (i < prog->insn_count && !reached[i]) {
			const struct jit_insn *insn = &prog->insns[i];

			reached[i] = true;
			if (jit_insn_is_cond(insn) && !reached[insn->target])
				work[count++] = insn->target;
			if (insn->op == WEIR_OPI_EXIT)
				break;
			i = is_ja(insn) ? insn->target : i + 1;
		}
	}
	for (uint32_t i = 0; i < prog->insn_count; i++) {
		if (!reached[i])
			prog->insns[i].op = JIT_NOP;
	}
	return 0;
}

int jit_optimise(struct jit_prog *prog)
{
	weir_autofree uint16_t *live_after = calloc(prog->insn_count, sizeof(*live_after));

	if (!live_after)
		return -ENOMEM;
	opt_propagate(prog);
	if (opt_remove_unreachable(prog))
		return -ENOMEM;
	jit_prog_survey(prog);
	if (opt_liveness(prog, live_after)) {
		opt_fuse(prog, live_after);
		if (opt_liveness(prog, live_after))
			opt_remove_dead(prog, live_after);
	}
	jit_prog_survey(prog);
	return 0;
}
