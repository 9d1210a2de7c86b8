/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames, calls, tail calls and giving up a run.
 *
 * Functions save what they use of rbx, rbp, r13, r14, r15; r12 holds exec from the main entry on.
 * A function that calls nothing keeps up to 128 bytes of stack below rsp (the red zone).
 *
 * tail_entry is entered like a function of the program, with r12 = exec and the jumping function's
 * frame gone, so programs with different frames can follow each other.
 *
 * Giving up a run from any depth means rsp = exec->unwind_sp; pop and jump. What is popped is the
 * landing in the program that was entered first, which finds its saved registers behind it:
 *
 *   no BUDGET, no TAIL_CALL   nothing of this
 *   BUDGET only               the main frame stays to the end: the landing's address lies between
 *                             its saved registers and its stack (the abort slot)
 *   TAIL_CALL                 the main frame may be replaced: a stub below it saves all registers,
 *                             pushes the landing and calls the main function
 */
#include "x86.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "weir/base/bits.h"
#include "weir/vm/exec.h"
#include "weir/vm/map.h"

#define RED_ZONE_BYTES  128
#define EXEC_OFF(field) ((int32_t)offsetof(struct weir_exec, field))

const uint8_t x86_reg_of[16] = {RAX, RDI, RSI, RDX, RCX, R8, RBX, R13, R14, R15, RBP};

static bool is_main(const struct x86_ctx *x)
{
	return x->func == &x->prog->funcs[0];
}

static bool light_run_state(const struct jit_prog *prog)
{
	return prog->has_budget && !prog->has_tail_call;
}

void x86_choose_trips_reg(struct x86_ctx *x)
{
	uint16_t regs = 0;

	for (uint32_t i = 0; i < x->prog->func_count; i++)
		regs |= x->prog->funcs[i].regs;
	for (unsigned int r = 6; r <= 9 && x->prog->has_budget; r++) {
		if (!(regs & 1U << r))
			x->trips_reg = x86_reg_of[r];
	}
}

static void load_trips(struct x86_ctx *x)
{
	if (x->trips_reg)
		x86_rm(&x->b, X86_W, 0x8b, x->trips_reg, X86_EXEC, EXEC_OFF(trips_left));
}

/* The BPF registers whose machine registers the current function must save. */
static uint16_t regs_to_save(const struct x86_ctx *x)
{
	uint16_t regs = x->func->regs;

	/* On giving up, the callees' own saves are skipped: the main frame answers for them. */
	if (is_main(x) && light_run_state(x->prog)) {
		for (uint32_t i = 1; i < x->prog->func_count; i++)
			regs |= x->prog->funcs[i].regs;
	}
	return regs;
}

static struct x86_frame plan_frame(const struct x86_ctx *x)
{
	static const uint8_t callee_saved[] = {10, 6, 7, 8, 9};
	uint32_t stack_bytes = x->func->regs & 1U << 10 ? x->func->stack_bytes : 0;
	uint16_t regs = regs_to_save(x);
	struct x86_frame f = {.saved_count = 0};
	uint32_t pushed_bytes;

	for (size_t i = 0; i < WEIR_ARRAY_LEN(callee_saved); i++) {
		if (regs & 1U << callee_saved[i])
			f.saved[f.saved_count++] = x86_reg_of[callee_saved[i]];
	}
	if (is_main(x) && x->trips_reg)
		f.saved[f.saved_count++] = (uint8_t)x->trips_reg;
	if (is_main(x) && !x->prog->has_tail_call && x->prog->uses_exec)
		f.saved[f.saved_count++] = X86_EXEC;
	f.abort_slot = is_main(x) && light_run_state(x->prog);
	if (!x->func->calls) {
		f.room_bytes = stack_bytes > RED_ZONE_BYTES ? stack_bytes - RED_ZONE_BYTES : 0;
		return f;
	}
	/* Calls want rsp on a multiple of 16. */
	pushed_bytes = 8 * (1 + f.saved_count + f.abort_slot);
	f.room_bytes = (uint32_t)weir_align_up(pushed_bytes + stack_bytes, 16) - pushed_bytes;
	return f;
}

static void push_saved(struct x86_ctx *x, const struct x86_frame *f)
{
	for (uint32_t i = 0; i < f->saved_count; i++)
		x86_push(&x->b, f->saved[i]);
}

static void pop_saved(struct x86_ctx *x, const struct x86_frame *f)
{
	for (uint32_t i = f->saved_count; i-- > 0;)
		x86_pop(&x->b, f->saved[i]);
}

static void set_field(struct x86_ctx *x, int32_t off, uint32_t value)
{
	x86_rm(&x->b, X86_W, 0xc7, 0, X86_EXEC, off);
	x86_u32(&x->b, value);
}

/* What prog.h promises for the start of a run, and the place to land on giving up. */
static void start_run(struct x86_ctx *x)
{
	set_field(x, EXEC_OFF(trips_left), WEIR_BUDGET_TRIPS);
	set_field(x, EXEC_OFF(deadline_ns), 0);
	x86_rm(&x->b, 0, 0xc7, 0, X86_EXEC, EXEC_OFF(tail_calls));
	x86_u32(&x->b, 0);
	x86_lea_label(&x->b, R11, x->abort_label);
	x86_push(&x->b, R11);
	x86_rm(&x->b, X86_W, 0x89, RSP, X86_EXEC, EXEC_OFF(unwind_sp));
}

void x86_emit_entry(struct x86_ctx *x)
{
	static const struct x86_frame all = {.saved = {RBP, RBX, R12, R13, R14, R15},
					     .saved_count = 6};

	x86_label_place(&x->b, x->entry_label);
	if (!x->prog->has_tail_call)
		return;
	x->main_frame = all;
	push_saved(x, &all);
	x86_mov(&x->b, X86_EXEC, RSI);
	start_run(x);
	x86_call(&x->b, x->tail_label);
	x86_alu_imm(&x->b, X86_W, X86_ADD, RSP, 8);
	x86_label_place(&x->b, x->abort_label);
	pop_saved(x, &all);
	x86_byte(&x->b, 0xc3);
}

void x86_enter_func(struct x86_ctx *x, uint32_t func_idx)
{
	x->func = &x->prog->funcs[func_idx];
	x->frame = plan_frame(x);
	if (is_main(x) && x->prog->has_tail_call)
		x86_label_place(&x->b, x->tail_label);
	push_saved(x, &x->frame);
	if (is_main(x) && !x->prog->has_tail_call) {
		x->main_frame = x->frame;
		if (x->prog->uses_exec)
			x86_mov(&x->b, X86_EXEC, RSI);
		if (x->frame.abort_slot)
			start_run(x);
		x86_label_place(&x->b, x->body_label);
	}
	if (is_main(x))
		load_trips(x);
	if (x->func->regs & 1U << 10)
		x86_mov(&x->b, RBP, RSP);
	if (x->frame.room_bytes)
		x86_alu_imm(&x->b, X86_W, X86_SUB, RSP, (int32_t)x->frame.room_bytes);
}

void x86_leave_func(struct x86_ctx *x)
{
	uint32_t room = x->frame.room_bytes + (x->frame.abort_slot ? 8 : 0);

	if (room)
		x86_alu_imm(&x->b, X86_W, X86_ADD, RSP, (int32_t)room);
	pop_saved(x, &x->frame);
}

void x86_emit_exit(struct x86_ctx *x)
{
	x86_leave_func(x);
	x86_byte(&x->b, 0xc3);
}

static bool is_near(const struct x86_ctx *x, uint64_t address)
{
	const uint64_t reach = (1ULL << 31) - 4096;

	return address + reach >= x->near_hi && address <= x->near_lo + reach;
}

static void call_outside(struct x86_ctx *x, uint64_t address)
{
	if (is_near(x, address)) {
		x86_call_abs(&x->b, address);
		return;
	}
	x86_mov_imm(&x->b, R11, address);
	x86_r(&x->b, 0, 0xff, 2, R11);
}

void x86_emit_call(struct x86_ctx *x, const struct jit_insn *insn)
{
	if (insn->op == WEIR_OPI_CALL_LOCAL) {
		x86_call(&x->b, x->func_labels + (uint32_t)insn->imm);
		return;
	}
	x86_mov(&x->b, R9, X86_EXEC); /* the sixth argument */
	call_outside(x, (uint64_t)(uintptr_t)x->prog->low->calls[insn->imm].fn);
}

/* rdi ctx, rsi map, edx index: they stay as they are if the call is not taken. */
void x86_emit_tail_call(struct x86_ctx *x, uint32_t idx)
{
	uint32_t out = idx + 1;
	struct x86_buf *b = &x->b;

	x86_rm(b, 0, 0x3b, RDX, RSI, (int32_t)offsetof(struct weir_map, def.max_entries));
	x86_jcc(b, CC_AE, out);
	x86_rm(b, 0, 0x83, X86_CMP, X86_EXEC, EXEC_OFF(tail_calls));
	x86_byte(b, WEIR_MAX_TAIL_CALLS);
	x86_jcc(b, CC_AE, out);
	x86_mov32(b, R10, RDX);
	x86_rm(b, X86_W, 0x8b, R11, RSI, (int32_t)offsetof(struct weir_map, tail_slots));
	x86_rmx(b, X86_W, 0x8b, R11, R11, R10, 8, 0);
	x86_rr(b, X86_W, 0x85, R11, R11);
	x86_jcc(b, CC_E, out);
	/* Code of the other engine has no tail entry; prog arrays do not mix engines. */
	x86_rm(b, X86_W, 0x8b, R11, R11, (int32_t)offsetof(struct weir_code, tail_entry));
	x86_rr(b, X86_W, 0x85, R11, R11);
	x86_jcc(b, CC_E, out);
	x86_rm(b, 0, 0xff, 0, X86_EXEC, EXEC_OFF(tail_calls));
	if (x->trips_reg)
		x86_rm(b, X86_W, 0x89, x->trips_reg, X86_EXEC, EXEC_OFF(trips_left));
	x86_leave_func(x);
	x86_r(b, 0, 0xff, 4, R11);
}

void x86_emit_budget(struct x86_ctx *x)
{
	struct x86_cold cold;

	cold.label = x86_label_new(&x->b, 2);
	cold.back = cold.label + 1;
	if (!x->b.err && weir_vec_push(&x->cold, cold))
		x->b.err = -ENOMEM;
	if (x->trips_reg)
		x86_r(&x->b, X86_W, 0xff, 1, x->trips_reg);
	else
		x86_rm(&x->b, X86_W, 0xff, 1, X86_EXEC, EXEC_OFF(trips_left));
	x86_jcc(&x->b, CC_S, cold.label);
	x86_label_place(&x->b, cold.back);
}

/* Asks whether the run must end, with all of BPF's registers kept. */
static void emit_thunk(struct x86_ctx *x)
{
	static const uint8_t kept[] = {RAX, RDI, RSI, RDX, RCX, R8, RBP};
	struct x86_buf *b = &x->b;
	size_t go_on;

	x86_label_place(b, x->thunk_label);
	for (size_t i = 0; i < WEIR_ARRAY_LEN(kept); i++)
		x86_push(b, kept[i]);
	x86_mov(b, RBP, RSP);
	x86_alu_imm(b, X86_W, X86_AND, RSP, -16);
	x86_mov(b, RDI, X86_EXEC);
	call_outside(x, (uint64_t)(uintptr_t)weir_exec_budget_expired);
	x86_rr(b, 0, 0x84, RAX, RAX);
	x86_mov(b, RSP, RBP);
	for (size_t i = WEIR_ARRAY_LEN(kept); i-- > 0;)
		x86_pop(b, kept[i]);
	go_on = x86_skip_start(b, CC_E);
	x86_rm(b, X86_W, 0x8b, RSP, X86_EXEC, EXEC_OFF(unwind_sp));
	x86_rr(b, 0, 0x31, RAX, RAX);
	x86_pop(b, R11);
	x86_r(b, 0, 0xff, 4, R11);
	x86_skip_end(b, go_on);
	load_trips(x);
	x86_byte(b, 0xc3);
}

static void emit_tail_entry(struct x86_ctx *x)
{
	if (!x->prog->uses_exec) {
		x->tail_label = x->entry_label;
		return;
	}
	x86_label_place(&x->b, x->tail_label);
	if (!x->main_frame.abort_slot) {
		x86_mov(&x->b, RSI, X86_EXEC);
		x86_jmp(&x->b, x->entry_label);
		return;
	}
	/* The run was set up by the program entered first; this frame only needs its shape. */
	push_saved(x, &x->main_frame);
	x86_push(&x->b, R11);
	x86_jmp(&x->b, x->body_label);
}

void x86_emit_cold(struct x86_ctx *x)
{
	for (size_t i = 0; i < x->cold.len; i++) {
		x86_label_place(&x->b, x->cold.v[i].label);
		x86_call(&x->b, x->thunk_label);
		x86_jmp(&x->b, x->cold.v[i].back);
	}
	if (x->cold.len)
		emit_thunk(x);
	if (light_run_state(x->prog)) {
		x86_label_place(&x->b, x->abort_label);
		pop_saved(x, &x->main_frame);
		x86_byte(&x->b, 0xc3);
	}
	if (!x->prog->has_tail_call)
		emit_tail_entry(x);
}
