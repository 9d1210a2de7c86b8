/* SPDX-License-Identifier: BSD-3-Clause */
#include <cpuid.h>
#include <errno.h>
#include <string.h>

#include "x86.h"

/* The features beyond the baseline that selection looks at. */
static void look_at_cpu(struct x86_ctx *x)
{
	unsigned int a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d))
		x->has_movbe = c & bit_MOVBE;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
		x->has_bmi2 = b & bit_BMI2;
}

static void emit_func(struct x86_ctx *x, uint32_t func_idx)
{
	const struct jit_func *func = &x->prog->funcs[func_idx];

	/* Calls go before the prologue, jumps to the first instruction behind it. */
	x86_label_place(&x->b, x->func_labels + func_idx);
	x86_enter_func(x, func_idx);
	for (uint32_t i = func->start; i < func->end && !x->b.err; i++) {
		const struct jit_insn *insn = &x->prog->insns[i];

		x86_label_place(&x->b, i);
		if (insn->is_target)
			x->zf_reg = -1;
		if (insn->op == JIT_NOP || x86_emit_jump(x, i))
			continue;
		x->zf_reg = -1;
		if (x86_emit_alu(x, insn) || x86_emit_mem(x, insn))
			continue;
		x->b.err = -EINVAL;
	}
}

int x86_compile(struct x86_ctx *x, const struct jit_prog *prog, uint64_t near_lo, uint64_t near_hi,
		bool baseline)
{
	memset(x, 0, sizeof(*x));
	x->prog = prog;
	x->zf_reg = -1;
	x->near_lo = near_lo;
	x->near_hi = near_hi;
	if (!baseline)
		look_at_cpu(x);
	x86_choose_trips_reg(x);
	x86_label_new(&x->b, prog->insn_count);
	x->func_labels = x86_label_new(&x->b, prog->func_count);
	x->entry_label = x86_label_new(&x->b, 5);
	x->body_label = x->entry_label + 1;
	x->tail_label = x->entry_label + 2;
	x->thunk_label = x->entry_label + 3;
	x->abort_label = x->entry_label + 4;
	for (int i = 0; i < X86_LEAD_BYTES; i++)
		x86_byte(&x->b, 0xcc);
	x86_emit_entry(x);
	for (uint32_t i = 0; i < prog->func_count; i++)
		emit_func(x, i);
	x86_emit_cold(x);
	return x86_finish(&x->b);
}

void x86_ctx_clear(struct x86_ctx *x)
{
	x86_buf_clear(&x->b);
	weir_vec_free(&x->cold);
}
