/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/disasm.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "../bpf_insn.h"
#include "../weir_test.h"
#include "kernel_oracle.h"
#include "weir/base/bits.h"

struct text {
	const char *want;
	struct bpf_insn insns[2];
};

static const struct text texts[] = {
	{"r1 += 5", {ALU64_K(BPF_ADD, 1, 5)}},
	{"w1 -= -5", {ALU32_K(BPF_SUB, 1, -5)}},
	{"r1 *= r2", {ALU64_X(BPF_MUL, 1, 2)}},
	{"w1 /= w2", {ALU32_X(BPF_DIV, 1, 2)}},
	{"r1 s/= r2", {SALU64_X(BPF_DIV, 1, 2)}},
	{"w1 s%= 7", {SALU32_K(BPF_MOD, 1, 7)}},
	{"r1 |= r2", {ALU64_X(BPF_OR, 1, 2)}},
	{"r1 &= 255", {ALU64_K(BPF_AND, 1, 255)}},
	{"r1 <<= 3", {ALU64_K(BPF_LSH, 1, 3)}},
	{"w1 >>= w2", {ALU32_X(BPF_RSH, 1, 2)}},
	{"r1 s>>= 3", {ALU64_K(BPF_ARSH, 1, 3)}},
	{"r1 ^= r2", {ALU64_X(BPF_XOR, 1, 2)}},
	{"r1 = -r1", {NEG64(1)}},
	{"w1 = -w1", {NEG32(1)}},
	{"r1 = 7", {MOV(1, 7)}},
	{"w1 = -7", {MOV32(1, -7)}},
	{"r1 = (s8)r2", {MOVSX64(1, 2, 8)}},
	{"w1 = (s16)w2", {MOVSX32(1, 2, 16)}},
	{"r1 = (s32)r2", {MOVSX64(1, 2, 32)}},
	{"r1 = be16 r1", {TO_BE(1, 16)}},
	{"r1 = le64 r1", {TO_LE(1, 64)}},
	{"r1 = bswap32 r1", {BSWAP(1, 32)}},
	{"r1 = *(u8 *)(r2 +5)", {LDX(BPF_B, 1, 2, 5)}},
	{"r1 = *(u64 *)(r10 -8)", {LDX(BPF_DW, 1, 10, -8)}},
	{"r1 = *(s16 *)(r2 +0)", {LDXSX(BPF_H, 1, 2, 0)}},
	{"*(u16 *)(r1 +6) = -3", {ST(BPF_H, 1, 6, -3)}},
	{"*(u32 *)(r10 -4) = r3", {STX(BPF_W, 10, 3, -4)}},
	{"lock *(u64 *)(r1 +0) += r2", {ATOMIC(BPF_DW, BPF_ADD, 1, 2, 0)}},
	{"lock *(u32 *)(r1 +4) |= r2", {ATOMIC(BPF_W, BPF_OR, 1, 2, 4)}},
	{"r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)",
	 {ATOMIC(BPF_DW, BPF_ADD | BPF_FETCH, 1, 2, 0)}},
	{"r2 = atomic_fetch_xor((u32 *)(r1 +0), r2)",
	 {ATOMIC(BPF_W, BPF_XOR | BPF_FETCH, 1, 2, 0)}},
	{"r2 = atomic_xchg((u32 *)(r1 +0), r2)", {ATOMIC(BPF_W, BPF_XCHG, 1, 2, 0)}},
	{"r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)", {ATOMIC(BPF_DW, BPF_CMPXCHG, 1, 2, 0)}},
	{"r1 = load_acquire((u8 *)(r2 +1))", {ATOMIC(BPF_B, BPF_LOAD_ACQ, 1, 2, 1)}},
	{"store_release((u64 *)(r1 -8), r2)", {ATOMIC(BPF_DW, BPF_STORE_REL, 1, 2, -8)}},
	{"r1 = 0x123456789abcdef0", {LD64(1, 0x123456789abcdef0)}},
	{"r0 = *(u16 *)skb[12]", {INSN(BPF_LD | BPF_ABS | BPF_H, 0, 0, 0, 12)}},
	{"r0 = *(u8 *)skb[r3 + 2]", {INSN(BPF_LD | BPF_IND | BPF_B, 0, 3, 0, 2)}},
	{"if r1 == 0x5 goto pc+3", {JMP_K(BPF_JEQ, 1, 5, 3)}},
	{"if w1 s> 0xffffffff goto pc-2", {JMP32_K(BPF_JSGT, 1, -1, -2)}},
	{"if r1 & r2 goto pc+0", {JMP_X(BPF_JSET, 1, 2, 0)}},
	{"if w1 s<= w2 goto pc+1", {JMP32_X(BPF_JSLE, 1, 2, 1)}},
	{"goto pc+4", {JA(4)}},
	{"gotol pc-70000", {GOTOL(-70000)}},
	{"may_goto pc+2", {INSN(BPF_JMP | BPF_JCOND, 0, 0, 2, 0)}},
	{"call bpf_ktime_get_ns#5", {CALL(5)}},
	{"call unknown#99999", {CALL(99999)}},
	{"call pc+3", {CALL_LOCAL(3)}},
	{"call kernel-function#7", {INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, 7)}},
	{"exit", {EXIT()}},
	{"tail_call", {TAIL_CALL()}},
	{"budget", {BUDGET()}},
	{"BUG_e6", {INSN(0xe6, 0, 0, 0, 0)}},
};

static void insn__text(void **state)
{
	for (size_t i = 0; i < WEIR_ARRAY_LEN(texts); i++) {
		uint32_t slots = texts[i].insns[0].code == 0x18 ? 2 : 1;

		WEIR_DIAG_ON_STACK(d, 128);
		assert_int_equal(weir_disasm_insn(texts[i].insns, slots, 0, NULL, &d), slots);
		assert_string_equal(d.buf, texts[i].want);
	}
}

static const char *name_it(void *arg, const struct bpf_insn *insn, uint32_t insn_idx)
{
	return arg;
}

static void insn__names(void **state)
{
	const struct bpf_insn insns[] = {CALL(1), LD64(2, 5), CALL_LOCAL(-2)};
	static char thing[] = "thing";
	struct weir_disasm_opts opts = {name_it, name_it, thing};

	WEIR_DIAG_ON_STACK(d, 128);
	for (uint32_t i = 0; i < 4;) {
		i += weir_disasm_insn(insns, 4, i, &opts, &d);
		weir_diag_printf(&d, "; ");
	}
	assert_string_equal(d.buf, "call thing#1; r2 = thing; call pc-2#thing; ");
}

static void insn__half_a_constant(void **state)
{
	const struct bpf_insn insns[] = {LD64(2, 5)};

	WEIR_DIAG_ON_STACK(d, 128);
	assert_int_equal(weir_disasm_insn(insns, 1, 0, NULL, &d), 1);
	assert_string_equal(d.buf, "BUG_18");
}

/* Any bytes give some text. */
static void insn__random_bytes(void **state)
{
	uint64_t rng = 7;

	for (int round = 0; round < 100000; round++) {
		struct bpf_insn insns[2];

		for (size_t i = 0; i < sizeof(insns); i++) {
			rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
			((uint8_t *)insns)[i] = (uint8_t)(rng >> 56);
		}
		WEIR_DIAG_ON_STACK(d, 128);
		weir_disasm_insn(insns, 2, 0, NULL, &d);
		assert_true(d.len_bytes > 0);
	}
}

/* A program with every kind of instruction that the kernel's verifier walks through. */
static const struct bpf_insn walk[] = {
	MOV_X(6, 1),
	CALL(5),
	MOV_X(7, 0),
	MOV32(2, 5),
	MOV(3, -7),
	LD64(4, 0x123456789a),
	ALU64_K(BPF_ADD, 2, 5),
	ALU32_K(BPF_SUB, 2, -5),
	ALU64_X(BPF_MUL, 2, 7),
	ALU32_X(BPF_DIV, 2, 7),
	SALU64_X(BPF_DIV, 2, 7),
	SALU32_K(BPF_MOD, 2, 7),
	ALU64_K(BPF_MOD, 2, 100),
	ALU64_X(BPF_OR, 2, 7),
	ALU64_K(BPF_AND, 2, 255),
	ALU64_K(BPF_LSH, 2, 3),
	ALU32_X(BPF_RSH, 2, 7),
	ALU64_K(BPF_ARSH, 2, 3),
	ALU64_X(BPF_XOR, 2, 7),
	NEG64(2),
	NEG32(2),
	MOV32_X(3, 2),
	MOVSX64(3, 2, 8),
	MOVSX32(3, 2, 16),
	MOVSX64(3, 2, 32),
	TO_BE(2, 16),
	TO_LE(2, 64),
	BSWAP(2, 32),
	ST(BPF_DW, 10, -8, -3),
	ST(BPF_H, 10, -10, 5),
	ST(BPF_B, 10, -11, 5),
	STX(BPF_W, 10, 2, -16),
	STX(BPF_DW, 10, 7, -24),
	LDX(BPF_DW, 3, 10, -8),
	LDX(BPF_B, 3, 10, -8),
	LDX(BPF_H, 3, 10, -8),
	LDX(BPF_W, 3, 10, -8),
	LDXSX(BPF_B, 3, 10, -8),
	LDXSX(BPF_H, 3, 10, -8),
	LDXSX(BPF_W, 3, 10, -8),
	ATOMIC(BPF_DW, BPF_ADD, 10, 7, -8),
	ATOMIC(BPF_W, BPF_OR, 10, 2, -16),
	ATOMIC(BPF_DW, BPF_AND, 10, 7, -8),
	ATOMIC(BPF_DW, BPF_XOR, 10, 7, -8),
	ATOMIC(BPF_DW, BPF_ADD | BPF_FETCH, 10, 3, -8),
	ATOMIC(BPF_W, BPF_OR | BPF_FETCH, 10, 3, -16),
	ATOMIC(BPF_DW, BPF_AND | BPF_FETCH, 10, 3, -8),
	ATOMIC(BPF_W, BPF_XOR | BPF_FETCH, 10, 3, -16),
	ATOMIC(BPF_W, BPF_XCHG, 10, 3, -16),
	MOV(0, 1),
	ATOMIC(BPF_DW, BPF_CMPXCHG, 10, 3, -8),
	ATOMIC(BPF_W, BPF_CMPXCHG, 10, 3, -16),
	ATOMIC(BPF_DW, BPF_LOAD_ACQ, 3, 10, -8),
	ATOMIC(BPF_B, BPF_LOAD_ACQ, 3, 10, -8),
	ATOMIC(BPF_DW, BPF_STORE_REL, 10, 3, -8),
	ATOMIC(BPF_H, BPF_STORE_REL, 10, 3, -8),
	JMP_K(BPF_JEQ, 7, 5, 0),
	JMP_K(BPF_JNE, 7, -5, 0),
	JMP32_K(BPF_JSGT, 7, -1, 0),
	JMP_X(BPF_JSET, 7, 2, 0),
	JMP32_X(BPF_JSLE, 7, 2, 0),
	JMP_K(BPF_JGT, 7, 5, 0),
	JMP_K(BPF_JGE, 7, 5, 0),
	JMP_K(BPF_JLT, 7, 5, 0),
	JMP32_K(BPF_JLE, 7, 5, 0),
	JMP_K(BPF_JSGE, 7, 5, 0),
	JMP_K(BPF_JSLT, 7, 5, 0),
	JA(0),
	GOTOL(0),
	INSN(BPF_LD | BPF_ABS | BPF_H, 0, 0, 0, 12),
	INSN(BPF_LD | BPF_IND | BPF_B, 0, 7, 0, 2),
	CALL_LOCAL(2),
	MOV(0, 0),
	EXIT(),
	MOV(0, 0),
	EXIT(),
};

/* "12: (b7) r0 = 5     ; R0_w=5" against ours. Returns whether the line was one. */
static bool compare_line(const char *line, bool *seen)
{
	char *end;
	unsigned long idx = strtoul(line, &end, 10);
	char want[160];

	if (end == line || strncmp(end, ": (", 3) || !isxdigit(end[3]) ||
	    idx >= WEIR_ARRAY_LEN(walk))
		return false;
	snprintf(want, sizeof(want), "%.*s", (int)strcspn(end + 7, "\n;"), end + 7);
	for (size_t n = strlen(want); n && want[n - 1] == ' '; n--)
		want[n - 1] = 0;
	WEIR_DIAG_ON_STACK(d, 128);
	weir_disasm_insn(walk, WEIR_ARRAY_LEN(walk), (uint32_t)idx, NULL, &d);
	assert_string_equal(d.buf, want);
	seen[idx] = true;
	return true;
}

static void log__same_as_the_kernels(void **state)
{
	static char log[1 << 20];
	bool seen[WEIR_ARRAY_LEN(walk)] = {false};
	struct kernel_oracle_prog_def def = {
		.type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = walk,
		.insn_count = WEIR_ARRAY_LEN(walk),
		.log = log,
		.log_bytes = sizeof(log),
		.log_level = 2,
	};
	const char *reason;
	uint32_t lines = 0;

	if (!kernel_oracle_usable(&reason)) {
		printf("# skipped: %s\n", reason);
		return;
	}
	kernel_oracle_prog_load(&def);
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		lines += compare_line(line, seen);
	for (uint32_t i = 0; i < WEIR_ARRAY_LEN(walk); i++) {
		if (!seen[i] && walk[i].code)
			fprintf(stderr, "# the kernel's log does not show insn %u\n", i);
	}
	assert_true(lines >= WEIR_ARRAY_LEN(walk) - 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(insn__text),
		cmocka_unit_test(insn__names),
		cmocka_unit_test(insn__half_a_constant),
		cmocka_unit_test(insn__random_bytes),
		cmocka_unit_test(log__same_as_the_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
