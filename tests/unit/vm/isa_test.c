/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/isa.h"

#include <errno.h>
#include <stdio.h>

#include "../bpf_insn.h"
#include "../weir_test.h"
#include "kernel_oracle.h"
#include "weir/base/bits.h"

static void decode__every_row_finds_itself(void **state)
{
	for (unsigned int op = 0; op < WEIR_OPI_COUNT; op++) {
		const struct weir_op_info *row = &weir_op_table[op];
		struct bpf_insn insn = {.code = row->code};

		if (row->sub >= 0) {
			insn.imm = row->sub;
			insn.off = (__s16)row->sub;
			insn.src_reg = row->sub & 15;
		}
		assert_int_equal(weir_isa_decode(&insn), op);
		for (unsigned int other = 0; other < op; other++)
			assert_false(weir_op_table[other].code == row->code &&
				     weir_op_table[other].sub == row->sub);
	}
}

/* RFC 9669's appendix names the opcodes; these are the bytes that mean nothing. */
static void decode__unknown_bytes(void **state)
{
	static const uint8_t unknown[] = {0x01, 0x02, 0x03, 0x08, 0x10, 0x38, 0x58, 0x8c,
					  0x8d, 0x8f, 0x86, 0x8e, 0x96, 0x99, 0x9d, 0xdf,
					  0xe4, 0xe7, 0xed, 0xf4, 0xf7, 0xfd, 0xfe, 0xff};

	for (size_t i = 0; i < WEIR_ARRAY_LEN(unknown); i++) {
		struct bpf_insn insn = {.code = unknown[i]};

		assert_int_equal(weir_isa_decode(&insn), WEIR_OPI_INVALID);
	}
}

static void decode__selecting_fields(void **state)
{
	struct bpf_insn insn = ALU64_X(BPF_DIV, 1, 2);

	assert_int_equal(weir_isa_decode(&insn), WEIR_OPI_DIV64_X);
	insn.off = 1;
	assert_int_equal(weir_isa_decode(&insn), WEIR_OPI_SDIV64_X);
	insn.off = 2;
	assert_int_equal(weir_isa_decode(&insn), WEIR_OPI_INVALID);
	insn = MOVSX32(1, 2, 16);
	assert_int_equal(weir_isa_decode(&insn), WEIR_OPI_MOVSX32_16);
	insn = MOVSX32(1, 2, 32); /* would be a plain move */
	assert_int_equal(weir_isa_decode(&insn), WEIR_OPI_INVALID);
	insn = ATOMIC(BPF_DW, BPF_CMPXCHG, 1, 2, 0);
	assert_int_equal(weir_isa_decode(&insn), WEIR_OPI_ATOMIC_CMPXCHG64);
	insn = ATOMIC(BPF_B, BPF_ADD, 1, 2, 0);
	assert_int_equal(weir_isa_decode(&insn), WEIR_OPI_INVALID);
	insn = ATOMIC(BPF_B, BPF_LOAD_ACQ, 1, 2, 0);
	assert_int_equal(weir_isa_decode(&insn), WEIR_OPI_LOAD_ACQ8);
}

struct bad {
	const char *message;
	uint32_t idx;
	struct bpf_insn insns[6];
	uint32_t count;
	bool ours; /* Linux says it otherwise, or says nothing: see docs/differences.md */
};

/* Each with what Linux 6.18 says; the kernel itself is asked below. */
static const struct bad bads[] = {
	{"unknown opcode 8d", 0, {INSN(0x8d, 0, 0, 0, 0), EXIT()}, 2},
	{"unknown opcode ff", 1, {MOV(0, 0), INSN(0xff, 0, 0, 0, 0), EXIT()}, 3},
	{"unknown opcode 99", 0, {INSN(0x99, 0, 1, 0, 0), EXIT()}, 2},
	{"unknown opcode f5", 0, {TAIL_CALL(), EXIT()}, 2},
	{"unknown opcode 00", 0, {INSN(0, 0, 0, 0, 0), EXIT()}, 2},
	{"BPF_LDX uses reserved fields",
	 0,
	 {INSN(BPF_LDX | BPF_MEM | BPF_W, 0, 1, 0, 1), EXIT()},
	 2},
	{"BPF_LDX uses reserved fields",
	 0,
	 {INSN(BPF_LDX | BPF_ABS | BPF_W, 0, 1, 0, 0), EXIT()},
	 2},
	{"invalid bpf_ld_imm64 insn", 1, {JA(1), INSN(0x18, 0, 0, 0, 0), EXIT()}, 3},
	{"invalid bpf_ld_imm64 insn",
	 0,
	 {INSN(0x18, 0, 0, 0, 0), INSN(0, 0, 0, 1, 0), MOV(0, 0), EXIT()},
	 4},
	{"unrecognized bpf_ld_imm64 insn",
	 0,
	 {INSN(0x18, 0, 9, 0, 0), INSN(0, 0, 0, 0, 0), MOV(0, 0), EXIT()},
	 4},
	{"BPF_LD_IMM64 uses reserved fields",
	 0,
	 {INSN(0x18, 0, 0, 1, 0), INSN(0, 0, 0, 0, 0), MOV(0, 0), EXIT()},
	 4},
	{"jump out of range from insn 0 to 7", 0, {JA(6), EXIT()}, 2},
	{"jump out of range from insn 1 to -1",
	 1,
	 {MOV(0, 0), JMP_K(BPF_JEQ, 0, 0, -3), EXIT()},
	 3},
	{"jump out of range from insn 1 to 100002", 1, {MOV(0, 0), GOTOL(100000), EXIT()}, 3},
	{"last insn is not an exit or jmp", 1, {EXIT(), MOV(0, 0)}, 2},
	{"BPF_END uses reserved fields", 1, {MOV(0, 0), INSN(0xd4, 0, 0, 0, 8), EXIT()}, 3},
	{"BPF_END uses reserved fields", 1, {MOV(0, 0), INSN(0xd7, 0, 0, 1, 16), EXIT()}, 3},
	{"BPF_NEG uses reserved fields", 1, {MOV(0, 0), INSN(0x87, 0, 0, 0, 1), EXIT()}, 3},
	{"BPF_MOV uses reserved fields", 0, {INSN(0xb7, 0, 1, 0, 0), EXIT()}, 2},
	{"BPF_MOV uses reserved fields", 1, {MOV(0, 0), INSN(0xbf, 1, 0, 7, 0), EXIT()}, 3},
	{"BPF_MOV uses reserved fields", 1, {MOV(0, 0), INSN(0xbc, 1, 0, 32, 0), EXIT()}, 3},
	{"BPF_ALU uses reserved fields", 1, {MOV(0, 0), INSN(0x07, 0, 1, 0, 0), EXIT()}, 3},
	{"BPF_ALU uses reserved fields", 1, {MOV(0, 0), INSN(0x0f, 0, 0, 1, 0), EXIT()}, 3},
	{"BPF_ALU uses reserved fields", 1, {MOV(0, 1), INSN(0x3f, 0, 0, 2, 0), EXIT()}, 3},
	{"div by zero", 1, {MOV(0, 0), ALU64_K(BPF_DIV, 0, 0), EXIT()}, 3},
	{"div by zero", 1, {MOV(0, 0), ALU32_K(BPF_MOD, 0, 0), EXIT()}, 3},
	{"invalid shift 64", 1, {MOV(0, 0), ALU64_K(BPF_LSH, 0, 64), EXIT()}, 3},
	{"invalid shift 32", 1, {MOV(0, 0), ALU32_K(BPF_RSH, 0, 32), EXIT()}, 3},
	{"invalid shift -1", 1, {MOV(0, 0), ALU64_K(BPF_ARSH, 0, -1), EXIT()}, 3},
	{"BPF_ST uses reserved fields",
	 1,
	 {MOV(0, 0), INSN(BPF_ST | BPF_MEM | BPF_W, 10, 1, -8, 0), EXIT()},
	 3},
	{"BPF_STX uses reserved fields",
	 1,
	 {MOV(0, 0), INSN(BPF_STX | BPF_MEM | BPF_W, 10, 1, -8, 1), EXIT()},
	 3},
	{"BPF_ATOMIC uses invalid atomic opcode 10",
	 1,
	 {MOV(0, 0), ATOMIC(BPF_W, 0x10, 10, 0, -8), EXIT()},
	 3},
	{"invalid atomic operand size",
	 1,
	 {MOV(0, 0), ATOMIC(BPF_B, BPF_ADD, 10, 0, -8), EXIT()},
	 3},
	{"BPF_CALL uses reserved fields", 0, {INSN(0x85, 1, 0, 0, 5), EXIT()}, 2},
	{"BPF_CALL uses reserved fields", 0, {INSN(0x85, 0, 0, 1, 5), EXIT()}, 2},
	{"BPF_JA uses reserved fields", 0, {INSN(0x05, 1, 0, 0, 0), MOV(0, 0), EXIT()}, 3},
	{"BPF_JA uses reserved fields", 0, {INSN(0x05, 0, 0, 0, 1), MOV(0, 0), EXIT()}, 3},
	{"BPF_EXIT uses reserved fields", 1, {MOV(0, 0), INSN(0x95, 0, 0, 0, 1)}, 2},
	{"BPF_JMP/JMP32 uses reserved fields",
	 1,
	 {MOV(0, 0), INSN(0x15, 0, 1, 1, 0), MOV(0, 0), EXIT()},
	 4},
	{"BPF_JMP/JMP32 uses reserved fields",
	 1,
	 {MOV(0, 0), INSN(0x1d, 0, 0, 1, 1), MOV(0, 0), EXIT()},
	 4},
	{"invalid may_goto imm 3", 1, {MOV(0, 0), INSN(0xe5, 0, 0, 0, 3), EXIT()}, 3},
	{"R12 is invalid", 0, {INSN(0xb7, 12, 0, 0, 0), EXIT()}, 2},
	{"R15 is invalid", 0, {INSN(0xbf, 0, 15, 0, 0), EXIT()}, 2},
	{"frame pointer is read only", 0, {MOV(10, 0), EXIT()}, 2},
	{"frame pointer is read only", 0, {LDX(BPF_W, 10, 1, 0), EXIT()}, 2},
};

static void check__linux_wording(void **state)
{
	for (size_t i = 0; i < WEIR_ARRAY_LEN(bads); i++) {
		uint32_t idx = UINT32_MAX;
		int err;

		WEIR_DIAG_ON_STACK(d, 128);
		err = weir_isa_check(bads[i].insns, bads[i].count, WEIR_ISA_BPF, &d, &idx);
		assert_string_equal(d.buf, bads[i].message);
		assert_true(err == -EINVAL || err == -EACCES);
		assert_int_equal(idx, bads[i].idx);
	}
}

static void check__the_kernel_says_the_same(void **state)
{
	const char *reason;
	static char log[65536];

	if (!kernel_oracle_usable(&reason)) {
		printf("# skipped: %s\n", reason);
		return;
	}
	for (size_t i = 0; i < WEIR_ARRAY_LEN(bads); i++) {
		struct kernel_oracle_prog_def def = {
			.type = BPF_PROG_TYPE_SOCKET_FILTER,
			.insns = bads[i].insns,
			.insn_count = bads[i].count,
			.log = log,
			.log_bytes = sizeof(log),
			.log_level = 1,
		};
		int fd;

		memset(log, 0, sizeof(log));
		fd = kernel_oracle_prog_load(&def);
		if (fd < 0 && strstr(log, bads[i].message))
			continue;
		fprintf(stderr, "# row %zu: %s\n# the kernel (%d): %s\n", i, bads[i].message, fd,
			log);
		if (!bads[i].ours)
			fail();
	}
}

static void check__accepts_their_twins(void **state)
{
	const struct bpf_insn good[] = {
		MOV(0, 1),
		INSN(0xd4, 0, 0, 0, 16),
		INSN(0xd7, 0, 0, 0, 16),
		NEG64(0),
		MOVSX64(1, 0, 32),
		MOVSX32(1, 0, 16),
		SALU64_X(BPF_DIV, 0, 1),
		ALU64_K(BPF_DIV, 0, 1),
		ALU64_K(BPF_LSH, 0, 63),
		ALU32_K(BPF_RSH, 0, 31),
		ST(BPF_W, 10, -8, 0),
		ATOMIC(BPF_W, BPF_ADD, 10, 0, -8),
		ATOMIC(BPF_B, BPF_LOAD_ACQ, 0, 10, -8),
		LD64(2, 0x123456789),
		JMP_K(BPF_JEQ, 0, 0, 1),
		INSN(0xe5, 0, 0, 0, 0),
		GOTOL(-3),
		EXIT(),
	};
	uint32_t idx = 77;

	assert_int_equal(weir_isa_check(good, WEIR_ARRAY_LEN(good), WEIR_ISA_BPF, NULL, &idx), 0);
	assert_int_equal(idx, 77);
}

static void check__levels(void **state)
{
	struct bpf_insn insns[] = {MOV(0, 0), BUDGET(), TAIL_CALL(), ALU64_K(BPF_DIV, 0, 0),
				   EXIT()};
	uint32_t idx;

	assert_int_equal(weir_isa_check(insns, 5, WEIR_ISA_LOW, NULL, &idx), 0);
	assert_int_equal(weir_isa_check(insns, 5, WEIR_ISA_BPF, NULL, &idx), -EINVAL);
	insns[1] = INSN(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, 0);
	assert_int_equal(weir_isa_check(insns, 5, WEIR_ISA_LOW, NULL, &idx), -EINVAL);
	assert_int_equal(idx, 1);
}

static void check__jump_into_a_constant(void **state)
{
	const struct bpf_insn bad[] = {JA(1), LD64(0, 0), EXIT()};
	const struct bpf_insn good[] = {JA(0), LD64(0, 0), EXIT()};
	uint32_t idx = 9;

	assert_int_equal(weir_isa_check(bad, 4, WEIR_ISA_BPF, NULL, &idx), -EINVAL);
	assert_int_equal(idx, 0);
	assert_int_equal(weir_isa_check(good, 4, WEIR_ISA_BPF, NULL, &idx), 0);
}

static void check__local_call_target(void **state)
{
	const struct bpf_insn bad[] = {CALL_LOCAL(5), EXIT()};
	const struct bpf_insn good[] = {CALL_LOCAL(1), EXIT(), MOV(0, 0), EXIT()};
	uint32_t idx;

	assert_int_equal(weir_isa_check(bad, 2, WEIR_ISA_BPF, NULL, &idx), -EINVAL);
	assert_int_equal(weir_isa_check(good, 4, WEIR_ISA_BPF, NULL, &idx), 0);
}

static void check__empty(void **state)
{
	uint32_t idx;

	assert_int_equal(weir_isa_check(NULL, 0, WEIR_ISA_BPF, NULL, &idx), -EINVAL);
}

/* Any bytes at all: an answer, and what is accepted stays inside the program. */
static void check__random_bytes(void **state)
{
	uint64_t rng = 42;
	uint32_t accepted = 0;

	for (int round = 0; round < 200000; round++) {
		struct bpf_insn insns[4];
		uint32_t idx = 0;

		for (size_t i = 0; i < sizeof(insns); i++) {
			rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
			((uint8_t *)insns)[i] = (uint8_t)(rng >> 56) & (uint8_t)(rng >> 33);
			/* Most fields zero, or nothing would ever be accepted. */
			if (i % 8 && rng >> 60)
				((uint8_t *)insns)[i] = 0;
		}
		insns[3] = EXIT();
		if (weir_isa_check(insns, 4, WEIR_ISA_BPF, NULL, &idx))
			continue;
		accepted++;
		for (uint32_t i = 0; i < 4; i++) {
			assert_true(insns[i].dst_reg < 11);
			if (insns[i].code == 0x18)
				i++;
			else if (weir_isa_is_jump(&insns[i]))
				assert_true(weir_isa_jump_target(&insns[i], i) >= 0 &&
					    weir_isa_jump_target(&insns[i], i) < 4);
		}
	}
	assert_true(accepted > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decode__every_row_finds_itself),
		cmocka_unit_test(decode__unknown_bytes),
		cmocka_unit_test(decode__selecting_fields),
		cmocka_unit_test(check__linux_wording),
		cmocka_unit_test(check__the_kernel_says_the_same),
		cmocka_unit_test(check__accepts_their_twins),
		cmocka_unit_test(check__levels),
		cmocka_unit_test(check__jump_into_a_constant),
		cmocka_unit_test(check__local_call_target),
		cmocka_unit_test(check__empty),
		cmocka_unit_test(check__random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
