/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bpf_loop in line, as engines cannot call back from C: R1 trips, R2 callback, R3 its context,
 * R4 flags. R6 to R8 hold bound, counter and context meanwhile (R9 the callback, where several are
 * possible); the program's own are kept in scratch slots, which the callback's frame lies below.
 */
#include <errno.h>

#include "lower.h"

#define BOUND    BPF_REG_6
#define COUNTER  BPF_REG_7
#define CALL_CTX BPF_REG_8
#define CALLBACK BPF_REG_9
#define SAVED    4

static void call_known(struct lower *l, uint32_t subprog)
{
	lower_emit(l, LOWER_MOV(BPF_REG_1, COUNTER));
	lower_emit(l, LOWER_MOV(BPF_REG_2, CALL_CTX));
	lower_call_subprog(l, subprog);
}

/* One of several: compares the callback's number with each subprog that is one. */
static void call_one_of(struct lower *l)
{
	uint32_t done = lower_label_new(l), next;

	for (uint32_t i = 1; i < l->ok->subprog_count; i++) {
		if (!l->ok->subprogs[i].is_callback || !l->ok->subprogs[i].reachable)
			continue;
		next = lower_label_new(l);
		lower_jump(l, LOWER_JMP_K(BPF_JNE, CALLBACK, i + 1, 0), LOWER_TO_LABEL, next);
		call_known(l, i);
		lower_jump(l, LOWER_JA(0), LOWER_TO_LABEL, done);
		lower_label_here(l, next);
	}
	lower_emit(l, LOWER_MOV_K(BPF_REG_0, 1));
	lower_label_here(l, done);
}

void lower_loop(struct lower *l)
{
	int32_t callback = l->ok->aux[l->ok_idx].callback_subprog;
	uint32_t saved = callback >= 0 ? SAVED - 1 : SAVED;
	uint32_t flags_ok = lower_label_new(l), bound_ok = lower_label_new(l);
	uint32_t head = lower_label_new(l), end = lower_label_new(l), out = lower_label_new(l);

	lower_jump(l, LOWER_JMP_K(BPF_JEQ, BPF_REG_4, 0, 0), LOWER_TO_LABEL, flags_ok);
	lower_emit(l, LOWER_MOV_K(BPF_REG_0, -EINVAL));
	lower_jump(l, LOWER_JA(0), LOWER_TO_LABEL, out);
	lower_label_here(l, flags_ok);
	lower_jump(l, LOWER_JMP_K(BPF_JLE, BPF_REG_1, WEIR_MAX_LOOPS, 0), LOWER_TO_LABEL, bound_ok);
	lower_emit(l, LOWER_MOV_K(BPF_REG_0, -E2BIG));
	lower_jump(l, LOWER_JA(0), LOWER_TO_LABEL, out);
	lower_label_here(l, bound_ok);
	for (uint32_t i = 0; i < saved; i++)
		lower_emit(l, LOWER_STX(BPF_DW, BPF_REG_10, BPF_REG_6 + i, lower_scratch(l, i)));
	lower_emit(l, LOWER_MOV(BOUND, BPF_REG_1));
	lower_emit(l, LOWER_MOV_K(COUNTER, 0));
	lower_emit(l, LOWER_MOV(CALL_CTX, BPF_REG_3));
	if (callback < 0)
		lower_emit(l, LOWER_MOV(CALLBACK, BPF_REG_2));
	lower_label_here(l, head);
	lower_jump(l, LOWER_INSN(BPF_JMP | BPF_JGE | BPF_X, COUNTER, BOUND, 0, 0), LOWER_TO_LABEL,
		   end);
	if (callback >= 0)
		call_known(l, (uint32_t)callback);
	else
		call_one_of(l);
	lower_emit(l, LOWER_ALU_K(BPF_ADD, COUNTER, 1));
	lower_budget(l);
	lower_jump(l, LOWER_JMP_K(BPF_JEQ, BPF_REG_0, 0, 0), LOWER_TO_LABEL, head);
	lower_label_here(l, end);
	lower_emit(l, LOWER_MOV(BPF_REG_0, COUNTER));
	for (uint32_t i = 0; i < saved; i++)
		lower_emit(l, LOWER_LDX(BPF_DW, BPF_REG_6 + i, BPF_REG_10, lower_scratch(l, i)));
	lower_label_here(l, out);
}

/*
 * may_goto jumps once a count of passes is used up, as Linux's does without its clock: the run
 * budget bounds the time. There is no register to count in, so R0 lends itself.
 */
void lower_may_goto_start(struct lower *l)
{
	l->kept_slots = 1;
	lower_emit(l, LOWER_INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, lower_counter(l),
				 WEIR_MAX_LOOPS));
}

void lower_may_goto(struct lower *l, uint32_t ok_target)
{
	int16_t counter = lower_counter(l), saved = lower_scratch(l, 0);
	uint32_t go_on = lower_label_new(l);

	lower_emit(l, LOWER_STX(BPF_DW, BPF_REG_10, BPF_REG_0, saved));
	lower_emit(l, LOWER_LDX(BPF_DW, BPF_REG_0, BPF_REG_10, counter));
	lower_jump(l, LOWER_JMP_K(BPF_JNE, BPF_REG_0, 0, 0), LOWER_TO_LABEL, go_on);
	lower_emit(l, LOWER_LDX(BPF_DW, BPF_REG_0, BPF_REG_10, saved));
	lower_jump(l, LOWER_JA(0), LOWER_TO_OK, ok_target);
	lower_label_here(l, go_on);
	lower_emit(l, LOWER_ALU_K(BPF_SUB, BPF_REG_0, 1));
	lower_emit(l, LOWER_STX(BPF_DW, BPF_REG_10, BPF_REG_0, counter));
	lower_emit(l, LOWER_LDX(BPF_DW, BPF_REG_0, BPF_REG_10, saved));
}
