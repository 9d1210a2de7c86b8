/* SPDX-License-Identifier: BSD-3-Clause */
/* That the optimiser does what it is for; that it does no harm is random_test.c's matter. */
#include "ir.h"

#include "../bpf_insn.h"
#include "../weir_test.h"
#include "weir/base/bits.h"
#include "weir/vm/unchecked.h"

struct optimised {
	struct weir_prog_low *low;
	struct jit_prog prog;
};

static void optimise(struct optimised *o, const struct bpf_insn *insns, uint32_t count)
{
	assert_int_equal(weir_low_from_raw_unchecked(insns, count, NULL, NULL, &o->low), 0);
	assert_int_equal(jit_prog_decode(o->low, NULL, &o->prog), 0);
	assert_int_equal(jit_optimise(&o->prog), 0);
}

static void drop(struct optimised *o)
{
	jit_prog_clear(&o->prog);
	weir_prog_low_free(&o->low);
}

/* How many instructions are left, and how many of them are `op`. */
static uint32_t left(const struct optimised *o)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < o->prog.insn_count; i++)
		n += o->prog.insns[i].op != JIT_NOP;
	return n;
}

static const struct jit_insn *only(const struct optimised *o, unsigned int op)
{
	const struct jit_insn *found = NULL;

	for (uint32_t i = 0; i < o->prog.insn_count; i++) {
		if (o->prog.insns[i].op != op)
			continue;
		assert_null(found);
		found = &o->prog.insns[i];
	}
	assert_non_null(found);
	return found;
}

#define OPTIMISE(o, ...)                                        \
	do {                                                    \
		const struct bpf_insn insns_[] = {__VA_ARGS__}; \
		optimise(o, insns_, WEIR_ARRAY_LEN(insns_));    \
	} while (0)

static void constants__fold_through_branches(void **state)
{
	struct optimised o;

	OPTIMISE(&o, MOV(2, 5), MOV_X(3, 2), ALU64_K(BPF_MUL, 3, 4), JMP_X(BPF_JGT, 3, 2, 2),
		 MOV(0, 1), EXIT(), MOV_X(0, 3), EXIT());
	/* A jump, the constant, exit. What was at the jump's target has lost what was known. */
	assert_true(left(&o) <= 4);
	assert_int_equal(only(&o, WEIR_OPI_LD_IMM64)->imm, 20);
	drop(&o);
}

static void rotate__in_place_and_copied(void **state)
{
	struct optimised o;

	OPTIMISE(&o, LDX(BPF_DW, 2, 1, 0), MOV_X(0, 2), ALU64_K(BPF_LSH, 0, 13),
		 ALU64_K(BPF_RSH, 2, 51), ALU64_X(BPF_OR, 0, 2), EXIT());
	assert_int_equal(left(&o), 3);
	assert_int_equal(only(&o, JIT_ROL64)->imm, 13);
	drop(&o);
	OPTIMISE(&o, LDX(BPF_DW, 2, 1, 0), MOV_X(0, 2), ALU32_K(BPF_RSH, 0, 25), MOV_X(3, 2),
		 ALU32_K(BPF_LSH, 3, 7), ALU32_X(BPF_OR, 0, 3), ALU64_X(BPF_ADD, 0, 2), EXIT());
	assert_int_equal(left(&o), 4);
	assert_int_equal(only(&o, JIT_ROL32)->imm, 7);
	drop(&o);
}

static void rotate__not_if_the_other_half_is_needed(void **state)
{
	struct optimised o;

	OPTIMISE(&o, LDX(BPF_DW, 2, 1, 0), MOV_X(0, 2), ALU64_K(BPF_LSH, 0, 13),
		 ALU64_K(BPF_RSH, 2, 51), ALU64_X(BPF_OR, 0, 2), ALU64_X(BPF_ADD, 0, 2), EXIT());
	assert_int_equal(left(&o), 7);
	drop(&o);
}

static void loads__bytes_become_a_word(void **state)
{
	struct optimised o;

	OPTIMISE(&o, LDX(BPF_B, 2, 1, 4), LDX(BPF_B, 3, 1, 5), ALU64_K(BPF_LSH, 3, 8),
		 ALU64_X(BPF_OR, 3, 2), LDX(BPF_B, 2, 1, 6), LDX(BPF_B, 0, 1, 7),
		 ALU64_K(BPF_LSH, 0, 8), ALU64_X(BPF_OR, 0, 2), ALU64_K(BPF_LSH, 0, 16),
		 ALU64_X(BPF_OR, 0, 3), EXIT());
	assert_int_equal(left(&o), 2);
	assert_int_equal(only(&o, WEIR_OPI_LDX_W)->off, 4);
	drop(&o);
}

static void loads__big_endian(void **state)
{
	struct optimised o;

	OPTIMISE(&o, LDX(BPF_B, 0, 1, 4), ALU64_K(BPF_LSH, 0, 8), LDX(BPF_B, 1, 1, 5),
		 ALU64_X(BPF_OR, 0, 1), EXIT());
	assert_int_equal(left(&o), 2);
	assert_int_equal(only(&o, JIT_LDX_BE16)->off, 4);
	drop(&o);
	OPTIMISE(&o, LDX(BPF_W, 0, 1, 4), TO_BE(0, 32), EXIT());
	assert_int_equal(left(&o), 2);
	only(&o, JIT_LDX_BE32);
	drop(&o);
}

static void loads__not_over_a_store(void **state)
{
	struct optimised o;

	OPTIMISE(&o, LDX(BPF_B, 2, 1, 4), ST(BPF_B, 1, 5, 1), LDX(BPF_B, 0, 1, 5),
		 ALU64_K(BPF_LSH, 0, 8), ALU64_X(BPF_OR, 0, 2), EXIT());
	assert_int_equal(left(&o), 6);
	drop(&o);
}

static void addresses__fold_into_accesses(void **state)
{
	struct optimised o;

	OPTIMISE(&o, MOV_X(2, 10), ALU64_K(BPF_ADD, 2, -8), ST(BPF_DW, 2, 0, 7), MOV_X(3, 2),
		 ALU64_K(BPF_ADD, 3, 4), LDX(BPF_W, 0, 3, 0), EXIT());
	assert_int_equal(left(&o), 3);
	assert_int_equal(only(&o, WEIR_OPI_ST_DW)->off, -8);
	assert_int_equal(only(&o, WEIR_OPI_LDX_W)->dst, 0);
	assert_int_equal(only(&o, WEIR_OPI_LDX_W)->src, 10);
	assert_int_equal(only(&o, WEIR_OPI_LDX_W)->off, -4);
	drop(&o);
}

static void additions__become_lea(void **state)
{
	struct optimised o;

	OPTIMISE(&o, MOV_X(0, 1), ALU64_K(BPF_ADD, 0, 14), EXIT());
	assert_int_equal(left(&o), 2);
	assert_int_equal(only(&o, JIT_LEA64)->imm, 14);
	drop(&o);
}

static void zero_extension__once(void **state)
{
	struct optimised o;

	OPTIMISE(&o, LDX(BPF_W, 0, 1, 0), ALU32_K(BPF_ADD, 0, 1), MOV32_X(0, 0), EXIT());
	assert_int_equal(left(&o), 3);
	drop(&o);
	OPTIMISE(&o, LDX(BPF_DW, 0, 1, 0), ALU64_K(BPF_ADD, 0, 1), MOV32_X(0, 0), EXIT());
	assert_int_equal(left(&o), 4);
	drop(&o);
}

static void copies__bytes_become_a_word(void **state)
{
	struct optimised o;

	OPTIMISE(&o, LDX(BPF_B, 2, 1, 2), STX(BPF_B, 1, 2, 8), LDX(BPF_B, 2, 1, 3),
		 STX(BPF_B, 1, 2, 9), LDX(BPF_B, 2, 1, 0), STX(BPF_B, 1, 2, 6), LDX(BPF_B, 2, 1, 1),
		 STX(BPF_B, 1, 2, 7), MOV(0, 0), EXIT());
	assert_int_equal(left(&o), 4);
	assert_int_equal(only(&o, WEIR_OPI_LDX_W)->off, 0);
	assert_int_equal(only(&o, WEIR_OPI_STX_W)->off, 6);
	drop(&o);
}

#define COPY_TWO(o, to, ...)                                                                    \
	OPTIMISE(o, LDX(BPF_B, 2, 1, 0), STX(BPF_B, 1, 2, to), __VA_ARGS__ LDX(BPF_B, 2, 1, 1), \
		 STX(BPF_B, 1, 2, (to) + 1), MOV(0, 0), EXIT())

static void copies__only_what_is_certain(void **state)
{
	struct optimised o;

	COPY_TWO(&o, 2, ); /* the twin of all below */
	assert_int_equal(left(&o), 4);
	drop(&o);
	COPY_TWO(&o, 1, ); /* the first store is loaded again */
	assert_int_equal(left(&o), 6);
	drop(&o);
	COPY_TWO(&o, 8, ALU64_K(BPF_ADD, 1, 1), );
	assert_int_equal(left(&o), 7);
	drop(&o);
	COPY_TWO(&o, 8, ATOMIC(BPF_DW, BPF_ADD, 1, 3, 0), );
	assert_int_equal(left(&o), 7);
	drop(&o);
	/* Another base may be the same address. */
	OPTIMISE(&o, LDX(BPF_B, 2, 1, 0), STX(BPF_B, 3, 2, 8), LDX(BPF_B, 2, 1, 1),
		 STX(BPF_B, 3, 2, 9), MOV(0, 0), EXIT());
	assert_int_equal(left(&o), 6);
	drop(&o);
	/* The register is needed. */
	OPTIMISE(&o, LDX(BPF_B, 0, 1, 0), STX(BPF_B, 1, 0, 8), LDX(BPF_B, 0, 1, 1),
		 STX(BPF_B, 1, 0, 9), EXIT());
	assert_int_equal(left(&o), 5);
	drop(&o);
	/* A jump goes to the second copy. */
	OPTIMISE(&o, JMP_K(BPF_JEQ, 3, 0, 2), LDX(BPF_B, 2, 1, 0), STX(BPF_B, 1, 2, 8),
		 LDX(BPF_B, 2, 1, 1), STX(BPF_B, 1, 2, 9), MOV(0, 0), EXIT());
	assert_int_equal(left(&o), 7);
	drop(&o);
}

static void dead__values_but_not_effects(void **state)
{
	struct optimised o;

	OPTIMISE(&o, LDX(BPF_DW, 2, 1, 0), ALU64_K(BPF_ADD, 2, 1), ST(BPF_B, 1, 0, 1), MOV(3, 1),
		 ATOMIC(BPF_DW, BPF_ADD | BPF_FETCH, 1, 3, 0), MOV(0, 0), EXIT());
	assert_int_equal(left(&o), 5);
	drop(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(constants__fold_through_branches),
		cmocka_unit_test(rotate__in_place_and_copied),
		cmocka_unit_test(rotate__not_if_the_other_half_is_needed),
		cmocka_unit_test(loads__bytes_become_a_word),
		cmocka_unit_test(loads__big_endian),
		cmocka_unit_test(loads__not_over_a_store),
		cmocka_unit_test(addresses__fold_into_accesses),
		cmocka_unit_test(additions__become_lea),
		cmocka_unit_test(zero_extension__once),
		cmocka_unit_test(copies__bytes_become_a_word),
		cmocka_unit_test(copies__only_what_is_certain),
		cmocka_unit_test(dead__values_but_not_effects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
