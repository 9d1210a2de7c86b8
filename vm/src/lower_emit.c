/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "lower.h"
#include "weir/base/bits.h"

void lower_broken(struct lower *l, const char *what)
{
	if (l->err)
		return;
	l->err = weir_fail(l->diag, -EINVAL, "rewrite: insn %u: %s: the verifier let it pass",
			   l->ok_idx, what);
}

void lower_emit(struct lower *l, struct bpf_insn insn)
{
	if (l->err)
		return;
	if (weir_vec_push(&l->insns, insn) || weir_vec_push(&l->from, l->ok_idx))
		l->err = -ENOMEM;
}

void lower_imm64(struct lower *l, uint8_t dst, uint64_t value)
{
	lower_emit(l, LOWER_INSN(BPF_LD | BPF_IMM | BPF_DW, dst, 0, 0, (uint32_t)value));
	lower_emit(l, LOWER_INSN(0, 0, 0, 0, value >> 32));
}

static void fixup_here(struct lower *l, enum lower_target kind, uint32_t target)
{
	const struct lower_fixup fixup = {
		.low_idx = (uint32_t)l->insns.len,
		.kind = kind,
		.target = target,
	};

	if (!l->err && weir_vec_push(&l->fixups, fixup))
		l->err = -ENOMEM;
}

void lower_jump(struct lower *l, struct bpf_insn insn, enum lower_target kind, uint32_t target)
{
	bool always = BPF_OP(insn.code) == BPF_JA;

	if (!l->long_jumps) {
		fixup_here(l, kind, target);
		return lower_emit(l, insn);
	}
	if (!always) {
		insn.off = 1;
		lower_emit(l, insn);
		lower_emit(l, LOWER_JA(1));
	}
	fixup_here(l, kind, target);
	lower_emit(l, LOWER_INSN(BPF_JMP32 | BPF_JA, 0, 0, 0, 0));
}

void lower_call_subprog(struct lower *l, uint32_t subprog)
{
	if (subprog >= l->ok->subprog_count || !l->ok->subprogs[subprog].reachable)
		return lower_broken(l, "call of a subprog that is not there");
	fixup_here(l, LOWER_TO_SUBPROG, subprog);
	lower_emit(l, LOWER_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 0));
}

void lower_call_fn(struct lower *l, weir_helper_fn fn, const char *name)
{
	const struct weir_low_call call = {.fn = fn, .name = name};
	size_t i = 0;

	if (!fn)
		return lower_broken(l, "helper without a function");
	while (i < l->calls.len && l->calls.v[i].fn != fn)
		i++;
	if (i == l->calls.len && !l->err && weir_vec_push(&l->calls, call))
		l->err = -ENOMEM;
	lower_emit(l, LOWER_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, i));
}

void lower_budget(struct lower *l)
{
	l->needs_run_state = true;
	lower_emit(l, LOWER_INSN(WEIR_OP_BUDGET, 0, 0, 0, 0));
}

uint32_t lower_label_new(struct lower *l)
{
	if (!l->err && weir_vec_push(&l->labels, UINT32_MAX))
		l->err = -ENOMEM;
	return (uint32_t)l->labels.len - 1;
}

void lower_label_here(struct lower *l, uint32_t label)
{
	if (!l->err)
		l->labels.v[label] = (uint32_t)l->insns.len;
}

static int16_t slot_below_stack(const struct lower *l, uint32_t n)
{
	uint32_t stack = (uint32_t)weir_align_up(l->ok->subprogs[l->subprog].stack_bytes, 8);

	return (int16_t)(-(int32_t)stack - 8 * ((int32_t)n + 1));
}

int16_t lower_counter(struct lower *l)
{
	return slot_below_stack(l, 0);
}

int16_t lower_scratch(struct lower *l, uint32_t n)
{
	l->scratch_slots = weir_max(l->scratch_slots, n + 1);
	return slot_below_stack(l, l->kept_slots + n);
}
