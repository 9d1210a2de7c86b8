/* SPDX-License-Identifier: BSD-3-Clause */
/* Jumps of all lengths, calls, frames, tail calls and giving up, in every engine. */
#include "engines.h"

static struct weir_codemem *mem;
static struct weir_exec exec;

/*
 * Calls code with known values in the registers that C expects back unchanged; *bad is nonzero if
 * one was not.
 */
uint64_t guarded_call(weir_entry_fn fn, void *ctx, struct weir_exec *exec,
		      const struct weir_prog_low *low, uint64_t *bad);
__asm__(".text\n"
	".globl guarded_call\n"
	".type guarded_call, @function\n"
	"guarded_call:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n"
	"	push %r14\n	push %r15\n	push %r8\n"
	"	mov %rdi, %rax\n	mov %rsi, %rdi\n"
	"	mov %rdx, %rsi\n	mov %rcx, %rdx\n"
	"	mov $0x11111111, %rbx\n	mov $0x22222222, %rbp\n"
	"	mov $0x33333333, %r12\n	mov $0x44444444, %r13\n"
	"	mov $0x55555555, %r14\n	mov $0x66666666, %r15\n"
	"	call *%rax\n"
	"	pop %r8\n"
	"	sub $0x11111111, %rbx\n	sub $0x22222222, %rbp\n"
	"	sub $0x33333333, %r12\n	sub $0x44444444, %r13\n"
	"	sub $0x55555555, %r14\n	sub $0x66666666, %r15\n"
	"	or %rbp, %rbx\n	or %r12, %rbx\n	or %r13, %rbx\n"
	"	or %r14, %rbx\n	or %r15, %rbx\n"
	"	mov %rbx, (%r8)\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n"
	"	pop %rbp\n	pop %rbx\n"
	"	ret\n"
	".size guarded_call, . - guarded_call\n"
	".section .note.GNU-stack,\"\",@progbits\n"
	".text\n");

static uint64_t run_code(const struct weir_code *code, void *ctx)
{
	uint64_t bad = 0;
	uint64_t ret = guarded_call(code->entry, ctx, &exec, code->low, &bad);

	assert_int_equal(bad, 0);
	return ret;
}

static void expect(const struct bpf_insn *insns, uint32_t count,
		   weir_helper_fn (*find)(uint32_t id), uint64_t ctx, uint64_t want)
{
	struct engines e;

	engines_make(&e, mem, insns, count, find);
	assert_int_equal(weir_interp_run((void *)(uintptr_t)ctx, &exec, e.low), want);
	assert_int_equal(run_code(e.plain, (void *)(uintptr_t)ctx), want);
	assert_int_equal(run_code(e.opt, (void *)(uintptr_t)ctx), want);
	engines_free(&e);
}

#define EXPECT(insns, find, ctx, want) expect(insns, WEIR_ARRAY_LEN(insns), find, ctx, want)

static uint64_t weigh(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
		      struct weir_exec *e)
{
	uint64_t on_stack[2] __attribute__((aligned(16)));
	volatile uintptr_t where = (uintptr_t)on_stack;

	/* A frame that is not aligned as the ABI says shows here. */
	if (where % 16 || e != &exec)
		return 0;
	return r1 + 10 * r2 + 100 * r3 + 1000 * r4 + 10000 * r5;
}

static weir_helper_fn find_weigh(uint32_t id)
{
	return id == 5 ? weigh : NULL;
}

static void helper__arguments_and_exec(void **state)
{
	const struct bpf_insn insns[] = {MOV(1, 1), MOV(2, 2), MOV(3, 3), MOV(4, 4),
					 MOV(5, 5), CALL(5),   EXIT()};

	EXPECT(insns, find_weigh, 0, 54321);
}

/* Every number of saved registers, so every alignment. */
static void helper__any_frame(void **state)
{
	for (int saved = 0; saved <= 4; saved++) {
		for (int stack = 0; stack < 2; stack++) {
			struct bpf_insn insns[24];
			uint32_t n = 0;

			for (int i = 0; i < saved; i++)
				insns[n++] = MOV(6 + i, 100 << i);
			if (stack)
				insns[n++] = ST(BPF_DW, 10, -8, 7);
			for (int i = 1; i <= 5; i++)
				insns[n++] = MOV(i, 1);
			insns[n++] = CALL(5);
			for (int i = 0; i < saved; i++)
				insns[n++] = ALU64_X(BPF_ADD, 0, 6 + i);
			if (stack) {
				insns[n++] = LDX(BPF_DW, 1, 10, -8);
				insns[n++] = ALU64_X(BPF_ADD, 0, 1);
			}
			insns[n++] = EXIT();
			expect(insns, n, find_weigh, 0,
			       11111 + (100 << saved) - 100 + (stack ? 7 : 0));
		}
	}
}

static void call__saves_registers_and_stack(void **state)
{
	const struct bpf_insn insns[] = {
		MOV(6, 1),
		MOV(7, 2),
		MOV(8, 3),
		MOV(9, 4),
		ST(BPF_DW, 10, -8, 5),
		MOV(1, 1000),
		CALL_LOCAL(8),
		ALU64_X(BPF_ADD, 0, 6),
		ALU64_X(BPF_ADD, 0, 7),
		ALU64_X(BPF_ADD, 0, 8),
		ALU64_X(BPF_ADD, 0, 9),
		LDX(BPF_DW, 1, 10, -8),
		ALU64_X(BPF_ADD, 0, 1),
		EXIT(),
		MOV(0, 77), /* never reached */
		/* f(r1): ruins everything it may */
		MOV(6, 50),
		MOV(7, 60),
		MOV(8, 70),
		MOV(9, 80),
		ST(BPF_DW, 10, -8, 90),
		ST(BPF_DW, 10, -512, 90),
		MOV_X(0, 1),
		EXIT(),
	};

	EXPECT(insns, NULL, 0, 1015);
}

/* Eight frames, the deepest that Linux allows. */
static void call__eight_frames(void **state)
{
	struct bpf_insn insns[64];
	uint32_t n = 0;

	for (int f = 0; f < 8; f++) {
		insns[n++] = MOV(6 + f % 4, 1 << f);
		insns[n++] = STX(BPF_DW, 10, 6 + f % 4, -8 * (f + 1));
		if (f < 7)
			insns[n++] = CALL_LOCAL(3);
		else
			insns[n++] = MOV(0, 0);
		insns[n++] = LDX(BPF_DW, 1, 10, -8 * (f + 1));
		insns[n++] = ALU64_X(BPF_ADD, 0, 1);
		insns[n++] = EXIT();
	}
	expect(insns, n, NULL, 0, 255);
}

/* A jump to the function's first instruction is not a call of it. */
static void jump__to_the_start(void **state)
{
	const struct bpf_insn insns[] = {
		ALU64_K(BPF_ADD, 1, -1),
		JMP_K(BPF_JNE, 1, 0, -2),
		MOV(6, 9),
		ST(BPF_DW, 10, -256, 0),
		MOV_X(0, 6),
		EXIT(),
	};

	EXPECT(insns, NULL, 10, 9);
}

/* Distances around the reach of the short forms, forwards and backwards. */
static void jump__every_length(void **state)
{
	enum { MAX = 34000 };
	static const uint32_t fillers[] = {0,  1,  2,  10, 15, 16,   17,    18,   19,
					   20, 21, 22, 23, 24, 30,   31,    32,   33,
					   40, 41, 42, 43, 44, 1000, 32000, 32764};
	struct bpf_insn *insns = calloc(MAX, sizeof(*insns));

	assert_non_null(insns);
	for (size_t i = 0; i < WEIR_ARRAY_LEN(fillers); i++) {
		for (int size = 0; size < 3; size++) {
			/* add imm8: 4 bytes, imm32 of r1: 7, movabs: 10 */
			uint32_t n = 0, len = fillers[i];

			/* if r1 goes down to 0 leave over the filler, else run it and go round */
			insns[n++] = MOV(0, 0);
			insns[n++] = MOV(2, 0);
			insns[n++] = ALU64_K(BPF_ADD, 1, -1);
			insns[n++] = JMP_K(BPF_JSLT, 1, 0, len + 1);
			for (uint32_t k = 0; k < len; k++)
				insns[n++] = ALU64_K(BPF_ADD, 2, size ? 1000000 : 1);
			insns[n++] = INSN(BPF_JMP | BPF_JA, 0, 0, -(int)(len + 3), 0);
			insns[n++] = MOV_X(0, 2);
			insns[n++] = EXIT();
			if (size == 2 && len) /* the far form of the jump */
				insns[4 + len] = GOTOL(-(int)(len + 3));
			expect(insns, n, NULL, 3, 3ULL * len * (size ? 1000000 : 1));
		}
	}
	free(insns);
}

/* --- tail calls */

struct tails {
	struct weir_map map;
	const struct weir_code *slots[40];
};

static void make_tails(struct tails *t)
{
	*t = (struct tails){0};
	t->map.def.max_entries = 40;
	t->map.tail_slots = t->slots;
}

static uint64_t counting(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
			 struct weir_exec *e)
{
	return ++*(uint64_t *)(uintptr_t)r1;
}

static weir_helper_fn find_counting(uint32_t id)
{
	return id == 6 ? counting : find_weigh(id);
}

/* Runs the first program with slots bound to each engine's code of the programs. */
static void expect_tails(struct tails *t, struct engines *e, uint32_t progs, void *ctx,
			 uint64_t want, uint64_t want_count)
{
	for (int engine = 0; engine < 3; engine++) {
		struct weir_code *bound[8] = {NULL};
		uint64_t ret;

		*(uint64_t *)ctx = 0;
		for (uint32_t i = 0; i < progs; i++) {
			if (!engine)
				assert_int_equal(weir_interp_bind(e[i].low, &bound[i]), 0);
			t->slots[i] = engine == 0 ? bound[i] : engine == 1 ? e[i].plain : e[i].opt;
		}
		exec.abort_cause = 0;
		ret = run_code(t->slots[0], ctx);
		assert_int_equal(ret, want);
		assert_int_equal(*(uint64_t *)ctx, want_count);
		for (uint32_t i = 0; i < progs; i++)
			weir_code_free(&bound[i]);
	}
	for (uint32_t i = 0; i < progs; i++)
		engines_free(&e[i]);
}

static void tail_call__thirty_three(void **state)
{
	struct tails t;
	struct engines e;
	uint64_t count;

	make_tails(&t);
	const struct bpf_insn insns[] = {
		MOV_X(6, 1), CALL(6),     MOV_X(1, 6),  LD64(2, (uintptr_t)&t.map),
		MOV(3, 0),   TAIL_CALL(), MOV(0, 4242), EXIT(),
	};
	engines_make(&e, mem, insns, WEIR_ARRAY_LEN(insns), find_counting);
	expect_tails(&t, &e, 1, &count, 4242, 34);
}

static void tail_call__not_taken(void **state)
{
	static const int64_t indices[] = {1, 39, 40, 41, -1};

	for (size_t i = 0; i < WEIR_ARRAY_LEN(indices); i++) {
		struct tails t;
		struct engines e;
		uint64_t count;

		make_tails(&t);
		const struct bpf_insn insns[] = {
			MOV(6, 5),          LD64(2, (uintptr_t)&t.map),
			MOV(3, indices[i]), TAIL_CALL(),
			MOV_X(0, 6),        EXIT(),
		};
		engines_make(&e, mem, insns, WEIR_ARRAY_LEN(insns), NULL);
		expect_tails(&t, &e, 1, &count, 5, 0);
	}
}

/* Only the lower half of the index counts. */
static void tail_call__index_is_32_bits(void **state)
{
	struct tails t;
	struct engines e[2];
	uint64_t count;

	make_tails(&t);
	const struct bpf_insn first[] = {
		LD64(2, (uintptr_t)&t.map), LD64(3, 0x700000001), TAIL_CALL(), MOV(0, 1), EXIT(),
	};
	const struct bpf_insn second[] = {MOV(0, 2), EXIT()};
	engines_make(&e[0], mem, first, WEIR_ARRAY_LEN(first), NULL);
	engines_make(&e[1], mem, second, WEIR_ARRAY_LEN(second), NULL);
	expect_tails(&t, e, 2, &count, 2, 0);
}

/*
 * main → subprogram → tail call: the target's result returns to main, whose registers and stack are
 * as they were. The target has another frame, loops (with budget), calls a function of its own.
 */
static void tail_call__from_a_subprogram(void **state)
{
	struct tails t;
	struct engines e[3];
	uint64_t count;

	make_tails(&t);
	const struct bpf_insn first[] = {
		MOV_X(9, 1),
		MOV(6, 1000),
		ST(BPF_DW, 10, -8, 10000),
		CALL_LOCAL(5),
		ALU64_X(BPF_ADD, 0, 6),
		LDX(BPF_DW, 1, 10, -8),
		ALU64_X(BPF_ADD, 0, 1),
		ST(BPF_DW, 9, 0, 3),
		EXIT(),
		/* the subprogram */
		MOV(7, 77),
		ST(BPF_DW, 10, -16, 0),
		LD64(2, (uintptr_t)&t.map),
		MOV(3, 1),
		TAIL_CALL(),
		MOV(0, 1),
		EXIT(),
	};
	const struct bpf_insn second[] = {
		MOV(6, 3),
		MOV(7, 3),
		MOV(8, 3),
		BUDGET(),
		ALU64_K(BPF_ADD, 6, -1),
		JMP_K(BPF_JNE, 6, 0, -3),
		ST(BPF_DW, 10, -128, 1),
		LD64(2, (uintptr_t)&t.map),
		MOV(3, 2),
		TAIL_CALL(),
		MOV(0, 2),
		EXIT(),
	};
	const struct bpf_insn third[] = {
		MOV(9, 40),  CALL_LOCAL(2), ALU64_X(BPF_ADD, 0, 9), EXIT(), MOV(9, 2),
		MOV_X(0, 9), EXIT(),
	};
	engines_make(&e[0], mem, first, WEIR_ARRAY_LEN(first), NULL);
	engines_make(&e[1], mem, second, WEIR_ARRAY_LEN(second), NULL);
	engines_make(&e[2], mem, third, WEIR_ARRAY_LEN(third), NULL);
	expect_tails(&t, e, 3, &count, 11042, 3);
}

/* --- giving up */

static uint64_t manual_now;

static uint64_t now(struct weir_exec *e)
{
	return manual_now += 1000;
}

static void expect_abort(const struct weir_code *code, void *ctx)
{
	manual_now = 0;
	exec.abort_cause = WEIR_ABORT_NONE;
	assert_int_equal(run_code(code, ctx), 0);
	assert_int_equal(exec.abort_cause, WEIR_ABORT_BUDGET);
}

static void expect_abort_all(const struct bpf_insn *insns, uint32_t count)
{
	struct engines e;
	struct weir_code *bound;

	exec.budget_ns = 5000;
	exec.now_ns = now;
	engines_make(&e, mem, insns, count, find_weigh);
	assert_int_equal(weir_interp_bind(e.low, &bound), 0);
	expect_abort(bound, NULL);
	expect_abort(e.plain, NULL);
	expect_abort(e.opt, NULL);
	weir_code_free(&bound);
	engines_free(&e);
	exec.budget_ns = 0;
	exec.now_ns = NULL;
}

static void budget__endless_loop(void **state)
{
	const struct bpf_insn insns[] = {MOV(6, 1), MOV(0, 1), BUDGET(), JA(-2), EXIT()};

	expect_abort_all(insns, WEIR_ARRAY_LEN(insns));
}

/* The registers that only the subprogram uses must be as they were, too. */
static void budget__endless_loop_in_a_subprogram(void **state)
{
	const struct bpf_insn insns[] = {
		MOV(6, 1),
		CALL_LOCAL(1),
		EXIT(),
		/* f */
		MOV(7, 7),
		MOV(8, 8),
		CALL_LOCAL(1),
		EXIT(),
		/* g */
		MOV(9, 9),
		ST(BPF_DW, 10, -512, 1),
		MOV(0, 1),
		BUDGET(),
		JA(-2),
	};

	expect_abort_all(insns, WEIR_ARRAY_LEN(insns));
}

/* A loop that ends in time keeps every register over the slow half. */
static void budget__keeps_registers(void **state)
{
	const struct bpf_insn insns[] = {
		MOV(0, 1),
		MOV(1, 20000),
		MOV(2, 2),
		MOV(3, 3),
		MOV(4, 4),
		MOV(5, 5),
		MOV(6, 6),
		MOV(7, 7),
		MOV(8, 8),
		MOV(9, 9),
		ST(BPF_DW, 10, -8, 1000),
		BUDGET(),
		ALU64_K(BPF_ADD, 1, -1),
		JMP_K(BPF_JNE, 1, 0, -3),
		ALU64_X(BPF_ADD, 0, 2),
		ALU64_X(BPF_ADD, 0, 3),
		ALU64_X(BPF_ADD, 0, 4),
		ALU64_X(BPF_ADD, 0, 5),
		ALU64_X(BPF_ADD, 0, 6),
		ALU64_X(BPF_ADD, 0, 7),
		ALU64_X(BPF_ADD, 0, 8),
		ALU64_X(BPF_ADD, 0, 9),
		LDX(BPF_DW, 1, 10, -8),
		ALU64_X(BPF_ADD, 0, 1),
		EXIT(),
	};

	EXPECT(insns, NULL, 0, 1045);
}

/* Entered by a tail call from a subprogram of a program that uses other registers. */
static void budget__endless_loop_behind_a_tail_call(void **state)
{
	struct tails t;
	struct engines e[2];
	uint64_t ctx = 0;

	make_tails(&t);
	const struct bpf_insn first[] = {
		CALL_LOCAL(1),
		EXIT(),
		/* f */
		MOV(6, 1),
		ST(BPF_DW, 10, -8, 1),
		LD64(2, (uintptr_t)&t.map),
		MOV(3, 1),
		TAIL_CALL(),
		MOV(0, 1),
		EXIT(),
	};
	const struct bpf_insn second[] = {
		MOV(7, 1), MOV(8, 1), MOV(9, 1), CALL_LOCAL(1), EXIT(), ST(BPF_DW, 10, -8, 1),
		MOV(6, 6), BUDGET(),  JA(-2),
	};
	engines_make(&e[0], mem, first, WEIR_ARRAY_LEN(first), NULL);
	engines_make(&e[1], mem, second, WEIR_ARRAY_LEN(second), NULL);
	exec.budget_ns = 5000;
	exec.now_ns = now;
	for (int optimised = 0; optimised < 2; optimised++) {
		t.slots[1] = optimised ? e[1].opt : e[1].plain;
		expect_abort(optimised ? e[0].opt : e[0].plain, &ctx);
	}
	exec.budget_ns = 0;
	exec.now_ns = NULL;
	engines_free(&e[0]);
	engines_free(&e[1]);
}

/* The count of trips goes along with a tail call, in a register or not. */
static void budget__counts_over_tail_calls(void **state)
{
	for (int busy = 0; busy < 2; busy++) {
		struct tails t;
		struct engines e;
		uint64_t ctx = 0;

		make_tails(&t);
		/* 34 times 200 trips: the slow half is asked once, after 4,096 and no earlier. */
		const struct bpf_insn insns[] = {
			MOV(6, 200),
			MOV(7, 1),
			busy ? MOV(8, 1) : MOV(7, 1),
			busy ? MOV(9, 1) : MOV(7, 1),
			BUDGET(),
			ALU64_K(BPF_ADD, 6, -1),
			JMP_K(BPF_JNE, 6, 0, -3),
			ALU64_X(BPF_ADD, 7, busy ? 8 : 7),
			ALU64_X(BPF_ADD, 7, busy ? 9 : 7),
			STX(BPF_DW, 10, 7, -8),
			LD64(2, (uintptr_t)&t.map),
			MOV(3, 0),
			TAIL_CALL(),
			MOV(0, 1),
			EXIT(),
		};
		engines_make(&e, mem, insns, WEIR_ARRAY_LEN(insns), NULL);
		for (int engine = 0; engine < 3; engine++) {
			struct weir_code *bound = NULL;

			assert_int_equal(weir_interp_bind(e.low, &bound), 0);
			t.slots[0] = engine == 0 ? bound : engine == 1 ? e.plain : e.opt;
			exec.budget_ns = 1000000;
			exec.now_ns = now;
			manual_now = 0;
			assert_int_equal(run_code(t.slots[0], &ctx), 1);
			assert_int_equal(manual_now, 1000);
			weir_code_free(&bound);
		}
		exec.budget_ns = 0;
		exec.now_ns = NULL;
		engines_free(&e);
	}
}

static void compile__refuses_what_is_not_internal(void **state)
{
	struct bpf_insn insns[] = {MOV(0, 0), EXIT()};
	struct weir_low_subprog subprog = {0};
	struct weir_prog_low low = {
		.insns = insns, .insn_count = 2, .subprogs = &subprog, .subprog_count = 1};
	struct weir_code *code = NULL;

	WEIR_DIAG_ON_STACK(d, 128);
	assert_int_equal(weir_jit_compile(&low, mem, NULL, &d, &code), 0);
	weir_code_free(&code);
	insns[0] = INSN(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, 0);
	assert_int_equal(weir_jit_compile(&low, mem, NULL, &d, &code), -EINVAL);
	assert_non_null(strstr(d.buf, "insn 0"));
	assert_null(code);
	insns[0] = CALL(0);
	assert_int_equal(weir_jit_compile(&low, mem, NULL, &d, &code), -EINVAL);
}

static int setup(void **state)
{
	weir_exec_init(&exec, 0, 1, NULL);
	return weir_codemem_new(0, NULL, &mem);
}

static int teardown(void **state)
{
	assert_int_equal(weir_codemem_used_bytes(mem), 0);
	weir_codemem_free(&mem);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(helper__arguments_and_exec),
		cmocka_unit_test(helper__any_frame),
		cmocka_unit_test(call__saves_registers_and_stack),
		cmocka_unit_test(call__eight_frames),
		cmocka_unit_test(jump__to_the_start),
		cmocka_unit_test(jump__every_length),
		cmocka_unit_test(tail_call__thirty_three),
		cmocka_unit_test(tail_call__not_taken),
		cmocka_unit_test(tail_call__index_is_32_bits),
		cmocka_unit_test(tail_call__from_a_subprogram),
		cmocka_unit_test(budget__endless_loop),
		cmocka_unit_test(budget__endless_loop_in_a_subprogram),
		cmocka_unit_test(budget__keeps_registers),
		cmocka_unit_test(budget__endless_loop_behind_a_tail_call),
		cmocka_unit_test(budget__counts_over_tail_calls),
		cmocka_unit_test(compile__refuses_what_is_not_internal),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
