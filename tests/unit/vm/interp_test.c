/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checking interpreter, and arithmetic against the kernel. What single instructions do is
 * tests/conformance's matter; frames, tail calls and budgets are compared in tests/unit/jit.
 */
#include "weir/vm/interp.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../bpf_insn.h"
#include "../weir_test.h"
#include "kernel_oracle.h"
#include "weir/base/bits.h"
#include "weir/vm/exec.h"
#include "weir/vm/interp_checked.h"
#include "weir/vm/unchecked.h"

static struct weir_exec exec;

static struct weir_prog_low *low_of(const struct bpf_insn *insns, uint32_t count)
{
	struct weir_prog_low *low = NULL;

	WEIR_DIAG_ON_STACK(d, 128);
	if (weir_low_from_raw_unchecked(insns, count, NULL, &d, &low))
		fail_msg("%s", d.buf);
	return low;
}

static enum weir_checked_fault run_checked(const struct bpf_insn *insns, uint32_t count, void *ctx,
					   struct weir_interp_checked *check)
{
	struct weir_prog_low *low = low_of(insns, count);

	weir_interp_run_checked(ctx, &exec, low, check);
	weir_prog_low_free(&low);
	return check->fault;
}

#define RUN_CHECKED(insns, ctx, check) run_checked(insns, WEIR_ARRAY_LEN(insns), ctx, check)

static void checked__ranges(void **state)
{
	uint8_t memory[16] = {0};
	struct weir_mem_range range = {(uintptr_t)memory, sizeof(memory), false};
	struct weir_interp_checked check = {.ranges = &range, .range_count = 1};
	struct bpf_insn read[] = {LDX(BPF_DW, 0, 1, 8), EXIT()};
	struct bpf_insn write[] = {MOV(0, 0), STX(BPF_W, 1, 0, 12), EXIT()};

	assert_int_equal(RUN_CHECKED(read, memory, &check), WEIR_CHECKED_OK);
	read[0].off = 9;
	assert_int_equal(RUN_CHECKED(read, memory, &check), WEIR_CHECKED_BAD_READ);
	assert_int_equal(check.fault_idx, 0);
	assert_int_equal(check.fault_addr, (uintptr_t)memory + 9);
	assert_int_equal(check.fault_bytes, 8);
	read[0].off = -1;
	assert_int_equal(RUN_CHECKED(read, memory, &check), WEIR_CHECKED_BAD_READ);
	assert_int_equal(RUN_CHECKED(write, memory, &check), WEIR_CHECKED_BAD_WRITE);
	assert_int_equal(check.fault_idx, 1);
	range.writable = true;
	assert_int_equal(RUN_CHECKED(write, memory, &check), WEIR_CHECKED_OK);
	write[1].off = 13;
	assert_int_equal(RUN_CHECKED(write, memory, &check), WEIR_CHECKED_BAD_WRITE);
}

static bool permit(void *arg, uint64_t addr, uint32_t size_bytes, bool write)
{
	return !write && addr == (uintptr_t)arg && size_bytes == 1;
}

static void checked__callback(void **state)
{
	uint8_t byte = 42;
	struct weir_interp_checked check = {.may_access = permit, .arg = &byte};
	const struct bpf_insn good[] = {LDX(BPF_B, 0, 1, 0), EXIT()};
	const struct bpf_insn bad[] = {MOV(0, 0), ST(BPF_B, 1, 0, 1), EXIT()};

	assert_int_equal(RUN_CHECKED(good, &byte, &check), WEIR_CHECKED_OK);
	assert_int_equal(RUN_CHECKED(bad, &byte, &check), WEIR_CHECKED_BAD_WRITE);
	assert_int_equal(byte, 42);
}

/* Each frame's stack is open while the frame lives, and no longer. */
static void checked__stacks(void **state)
{
	struct weir_interp_checked check = {0};
	const struct bpf_insn callers[] = {
		MOV_X(1, 10), CALL_LOCAL(1), EXIT(), ST(BPF_DW, 1, -8, 1), ST(BPF_DW, 10, -512, 1),
		MOV(0, 0),    EXIT(),
	};
	const struct bpf_insn callees[] = {
		CALL_LOCAL(2), ST(BPF_DW, 0, -8, 1), EXIT(), MOV_X(0, 10), EXIT(),
	};
	const struct bpf_insn below[] = {ST(BPF_DW, 10, -520, 1), EXIT()};
	const struct bpf_insn above[] = {ST(BPF_DW, 10, -4, 1), EXIT()};

	assert_int_equal(RUN_CHECKED(callers, NULL, &check), WEIR_CHECKED_OK);
	assert_int_equal(RUN_CHECKED(callees, NULL, &check), WEIR_CHECKED_BAD_WRITE);
	assert_int_equal(check.fault_idx, 1);
	assert_int_equal(RUN_CHECKED(below, NULL, &check), WEIR_CHECKED_BAD_WRITE);
	assert_int_equal(RUN_CHECKED(above, NULL, &check), WEIR_CHECKED_BAD_WRITE);
}

static void checked__limit(void **state)
{
	struct weir_interp_checked check = {.insn_limit = 1000};
	const struct bpf_insn endless[] = {MOV(0, 0), JA(-2), EXIT()};
	const struct bpf_insn ends[] = {MOV(0, 0), MOV(1, 498), ALU64_K(BPF_ADD, 1, -1),
					JMP_K(BPF_JNE, 1, 0, -2), EXIT()};

	assert_int_equal(RUN_CHECKED(endless, NULL, &check), WEIR_CHECKED_TOO_LONG);
	assert_int_equal(RUN_CHECKED(ends, NULL, &check), WEIR_CHECKED_OK);
	assert_int_equal(check.insns_run, 999);
}

static void checked__too_deep(void **state)
{
	struct weir_interp_checked check = {0};
	struct bpf_insn insns[40];
	uint32_t n = 0;

	for (int f = 0; f < 9; f++) {
		insns[n++] = f < 8 ? CALL_LOCAL(1) : MOV(0, 0);
		insns[n++] = EXIT();
	}
	assert_int_equal(run_checked(insns, n, NULL, &check), WEIR_CHECKED_BAD_CALL);
	assert_int_equal(exec.abort_cause, WEIR_ABORT_INTERNAL);
	exec.abort_cause = WEIR_ABORT_NONE;
	insns[14] = MOV(0, 0);
	assert_int_equal(run_checked(insns, n - 2, NULL, &check), WEIR_CHECKED_OK);
}

static void checked__clobbers_arguments(void **state)
{
	const struct bpf_insn insns[] = {MOV(1, 5), CALL(BPF_FUNC_ktime_get_ns), MOV_X(0, 1),
					 EXIT()};
	struct weir_prog_low *low = low_of(insns, WEIR_ARRAY_LEN(insns));
	struct weir_interp_checked check = {0};

	assert_int_not_equal(weir_interp_run_checked(NULL, &exec, low, &check), 5);
	assert_int_equal(check.fault, WEIR_CHECKED_OK);
	weir_prog_low_free(&low);
}

static void bind__runs(void **state)
{
	const struct bpf_insn insns[] = {LDX(BPF_DW, 0, 1, 0), EXIT()};
	struct weir_prog_low *low = low_of(insns, WEIR_ARRAY_LEN(insns));
	struct weir_code *code = NULL;
	uint64_t ctx = 4711;

	assert_int_equal(weir_interp_bind(low, &code), 0);
	assert_int_equal(weir_code_run(code, &ctx, &exec), 4711);
	assert_null(code->tail_entry);
	weir_code_free(&code);
	weir_prog_low_free(&low);
}

/* --- arithmetic against the kernel */

#define VALUES     8 /* R0, R2 to R8 */
#define MAX_BODY   64
#define MAX_KERNEL (MAX_BODY + 96)

static uint64_t rng = 20260101;

static uint32_t pick(uint32_t n)
{
	rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(rng >> 33) % n;
}

static int value_reg(void)
{
	static const int regs[VALUES] = {0, 2, 3, 4, 5, 6, 7, 8};

	return regs[pick(VALUES)];
}

static struct bpf_insn random_alu(void)
{
	static const uint8_t ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR,   BPF_AND, BPF_LSH,
				      BPF_RSH, BPF_XOR, BPF_MOV, BPF_ARSH, BPF_DIV, BPF_MOD};
	uint8_t op = ops[pick(WEIR_ARRAY_LEN(ops))], class = pick(2) ? BPF_ALU : BPF_ALU64;
	int off = (op == BPF_DIV || op == BPF_MOD) && pick(2);
	int32_t imm = pick(2) ? (int32_t)pick(100) - 50 : (int32_t)(rng >> 16);

	switch (pick(8)) {
	case 0: return INSN(class | BPF_NEG, value_reg(), 0, 0, 0);
	case 1:
		return INSN(BPF_ALU | BPF_END | (pick(2) ? BPF_TO_BE : BPF_TO_LE), value_reg(), 0,
			    0, 16 << pick(3));
	case 2: return BSWAP(value_reg(), 16 << pick(3));
	case 3:
	case 4:
		if (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH)
			imm = (int32_t)pick(class == BPF_ALU ? 32 : 64);
		if (op == BPF_DIV || op == BPF_MOD)
			imm = imm ? imm : 1;
		return INSN(class | op | BPF_K, value_reg(), 0, off, imm);
	default:
		if (op == BPF_MOV)
			off = (int[]){0, 8, 16, class == BPF_ALU64 ? 32 : 0}[pick(4)];
		return INSN(class | op | BPF_X, value_reg(), value_reg(), off, 0);
	}
}

static uint32_t make_body(struct bpf_insn *body)
{
	static const uint8_t jumps[] = {BPF_JEQ,  BPF_JGT, BPF_JGE, BPF_JSET, BPF_JNE, BPF_JSGT,
					BPF_JSGE, BPF_JLT, BPF_JLE, BPF_JSLT, BPF_JSLE};
	uint32_t n = 0;

	while (n < MAX_BODY - 24) {
		if (pick(4)) {
			body[n++] = random_alu();
			continue;
		}
		body[n++] = INSN((pick(2) ? BPF_JMP : BPF_JMP32) | jumps[pick(11)] | BPF_X,
				 value_reg(), value_reg(), 1, 0);
		body[n++] = random_alu();
	}
	/* All registers into R0, and its upper half into its lower one: programs return 32 bits. */
	for (int r = 2; r <= 8; r++) {
		body[n++] = ALU64_K(BPF_MUL, 0, 31);
		body[n++] = ALU64_X(BPF_XOR, 0, r);
	}
	body[n++] = MOV_X(1, 0);
	body[n++] = ALU64_K(BPF_RSH, 1, 32);
	body[n++] = ALU64_X(BPF_XOR, 0, 1);
	body[n++] = MOV32_X(0, 0);
	body[n++] = EXIT();
	return n;
}

/* The values come from the packet there, from R1's memory here. */
static uint32_t with_prologue(struct bpf_insn *out, bool kernel, const struct bpf_insn *body,
			      uint32_t body_count)
{
	uint32_t n = 0;

	if (kernel) {
		out[n++] = LDX(BPF_W, 9, 1, offsetof(struct xdp_md, data));
		out[n++] = LDX(BPF_W, 2, 1, offsetof(struct xdp_md, data_end));
		out[n++] = MOV_X(1, 9);
		out[n++] = MOV_X(3, 1);
		out[n++] = ALU64_K(BPF_ADD, 3, 8 * VALUES);
		out[n++] = JMP_X(BPF_JLE, 3, 2, 2);
		out[n++] = MOV(0, 0);
		out[n++] = EXIT();
	}
	for (int i = 0; i < VALUES; i++)
		out[n++] = LDX(BPF_DW, i ? i + 1 : 0, 1, 8 * i);
	memcpy(out + n, body, body_count * sizeof(*body));
	return n + body_count;
}

static void random_values(uint64_t *values)
{
	static const uint64_t edges[] = {0,          1,         UINT64_MAX, 1ULL << 63,
					 1ULL << 31, INT64_MAX, 0xffffffff, 0x100000000};

	for (int i = 0; i < VALUES; i++)
		values[i] = pick(2) ? edges[pick(8)] : rng ^ rng << 29;
}

static void arithmetic__as_the_kernel(void **state)
{
	uint32_t programs = 0, runs = 0;
	const char *reason;

	if (!kernel_oracle_usable(&reason)) {
		printf("# skipped: %s\n", reason);
		return;
	}
	for (int round = 0; round < 300; round++) {
		struct bpf_insn body[MAX_BODY], theirs[MAX_KERNEL], ours[MAX_KERNEL];
		uint32_t body_count = make_body(body);
		struct kernel_oracle_prog_def def = {
			.type = BPF_PROG_TYPE_XDP,
			.insns = theirs,
			.insn_count = with_prologue(theirs, true, body, body_count),
		};
		struct weir_prog_low *low =
			low_of(ours, with_prologue(ours, false, body, body_count));
		int fd = kernel_oracle_prog_load(&def);

		assert_true(fd >= 0);
		programs++;
		for (int i = 0; i < 8; i++) {
			uint64_t values[VALUES];
			struct kernel_oracle_run run = {.data_in = values,
							.data_in_bytes = sizeof(values)};

			random_values(values);
			assert_int_equal(kernel_oracle_prog_run(fd, &run), 0);
			assert_int_equal(weir_interp_run(values, &exec, low), run.retval);
			runs++;
		}
		close(fd);
		weir_prog_low_free(&low);
	}
	fprintf(stderr, "# %u programs, %u runs\n", programs, runs);
}

static int setup(void **state)
{
	weir_exec_init(&exec, 0, 1, NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checked__ranges),   cmocka_unit_test(checked__callback),
		cmocka_unit_test(checked__stacks),   cmocka_unit_test(checked__limit),
		cmocka_unit_test(checked__too_deep), cmocka_unit_test(checked__clobbers_arguments),
		cmocka_unit_test(bind__runs),        cmocka_unit_test(arithmetic__as_the_kernel),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
