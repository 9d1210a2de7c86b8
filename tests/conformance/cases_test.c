/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the corpus in every engine; one test a case. */
#include "../unit/jit/engines.h"

#define MAX_CASE_INSNS 32

struct conformance_case {
	const char *name;
	uint64_t want;
	const char *memory;
	size_t memory_bytes;
	struct bpf_insn insns[MAX_CASE_INSNS];
};

/* BPF_DIV for DIV and SDIV, and so on; off 1 marks the signed ones. */
#define CODE_ADD  BPF_ADD
#define CODE_SUB  BPF_SUB
#define CODE_MUL  BPF_MUL
#define CODE_OR   BPF_OR
#define CODE_AND  BPF_AND
#define CODE_XOR  BPF_XOR
#define CODE_LSH  BPF_LSH
#define CODE_RSH  BPF_RSH
#define CODE_ARSH BPF_ARSH
#define CODE_DIV  BPF_DIV
#define CODE_SDIV BPF_DIV
#define CODE_MOD  BPF_MOD
#define CODE_SMOD BPF_MOD
#define OFF_ADD   0
#define OFF_SUB   0
#define OFF_MUL   0
#define OFF_OR    0
#define OFF_AND   0
#define OFF_XOR   0
#define OFF_LSH   0
#define OFF_RSH   0
#define OFF_ARSH  0
#define OFF_DIV   0
#define OFF_SDIV  1
#define OFF_MOD   0
#define OFF_SMOD  1
#define ALU_64    BPF_ALU64
#define ALU_32    BPF_ALU
#define JMP_64    BPF_JMP
#define JMP_32    BPF_JMP32

static const struct conformance_case cases[] = {
#define CASE(id, result, mem, ...)        \
	{.name = #id,                     \
	 .want = (result),                \
	 .memory = (mem),                 \
	 .memory_bytes = sizeof(mem) - 1, \
	 .insns = {__VA_ARGS__}},
/* The second form takes its operand from a register after all if it is no immediate. */
#define IS_IMM(i, b) ((__s64)(i) == (__s64)(b) && (__s64)(i) == (__s32)(i))
#define BINARY(op, width, n, a, i, b, result)                                               \
	CASE(op##width##_reg_##n, result, "", LD64(0, a), LD64(4, b),                       \
	     INSN(ALU_##width | CODE_##op | BPF_X, 0, 4, OFF_##op, 0), EXIT())              \
	CASE(op##width##_imm_##n, result, "", LD64(4, a), LD64(0, b),                       \
	     INSN(ALU_##width | CODE_##op | (IS_IMM(i, b) ? BPF_K : BPF_X), 4, 0, OFF_##op, \
		  IS_IMM(i, b) ? (__u64)(i) : 0),                                           \
	     MOV_X(0, 4), EXIT())
#define JUMP(op, width, n, a, b, result)                                          \
	CASE(op##width##_reg_##n, result, "", LD64(3, a), MOV(4, b), MOV(0, 1),   \
	     INSN(JMP_##width | BPF_##op | BPF_X, 3, 4, 1, 0), MOV(0, 2), EXIT()) \
	CASE(op##width##_imm_##n, result, "", LD64(3, a), MOV(0, 1),              \
	     INSN(JMP_##width | BPF_##op | BPF_K, 3, 0, 1, b), MOV(0, 2), EXIT())
#include "cases.def"
};

static uint32_t insn_count(const struct conformance_case *c)
{
	uint32_t count = MAX_CASE_INSNS;

	while (!c->insns[count - 1].code)
		count--;
	return count;
}

static struct weir_codemem *mem;
static struct weir_exec exec;

static uint64_t nothing(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
			struct weir_exec *e)
{
	return 0;
}

static weir_helper_fn find_nothing(uint32_t id)
{
	return nothing;
}

static uint64_t run_with_memory(const struct conformance_case *c, const struct weir_code *code)
{
	uint8_t memory[64] __attribute__((aligned(8)));

	memcpy(memory, c->memory, c->memory_bytes);
	return weir_code_run(code, c->memory_bytes ? memory : NULL, &exec);
}

static void run_case(void **state)
{
	const struct conformance_case *c = *state;
	struct bpf_insn insns[MAX_CASE_INSNS + 1];
	struct weir_code *bound;
	struct engines e;

	insns[0] = MOV(2, 0x1000 + c->memory_bytes);
	memcpy(insns + 1, c->insns, sizeof(c->insns));
	engines_make(&e, mem, insns, insn_count(c) + 1, find_nothing);
	assert_int_equal(weir_interp_bind(e.low, &bound), 0);
	assert_int_equal(run_with_memory(c, bound), c->want);
	assert_int_equal(run_with_memory(c, e.plain), c->want);
	assert_int_equal(run_with_memory(c, e.opt), c->want);
	weir_code_free(&bound);
	engines_free(&e);
}

int main(void)
{
	static struct CMUnitTest tests[WEIR_ARRAY_LEN(cases)];

	weir_exec_init(&exec, 0, 1, NULL);
	if (weir_codemem_new(0, NULL, &mem))
		return 1;
	for (size_t i = 0; i < WEIR_ARRAY_LEN(cases); i++) {
		tests[i].name = cases[i].name;
		tests[i].test_func = run_case;
		tests[i].initial_state = (void *)(uintptr_t)&cases[i];
	}
	return _cmocka_run_group_tests("conformance", tests, WEIR_ARRAY_LEN(tests), NULL, NULL);
}
