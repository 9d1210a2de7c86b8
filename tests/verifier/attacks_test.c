/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attacks on the verifier: for each way verifiers have been fooled, the program that would gain
 * from it and its harmless twin. The row's verdict is weir's and the running kernel's.
 */
#include "trio.h"

#include <stdio.h>

#include "bpf_insn.h"
#include "weir/base/bits.h"
#include "weir_test.h"

enum { ARRAY, HASH, GLOBAL, PROGS };

static const struct weir_map_def defs[] = {
	[ARRAY] = {.type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 64, .max_entries = 4},
	[HASH] = {.type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 64, .max_entries = 4},
	[GLOBAL] = {.type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 64, .max_entries = 1},
	[PROGS] = {.type = BPF_MAP_TYPE_PROG_ARRAY,
		   .key_size = 4,
		   .value_size = 4,
		   .max_entries = 4},
};

static struct weir_codemem *mem;
static struct trio *t;

enum verdict { REJECT, ACCEPT };

#define MAP(reg, map)                                                     \
	INSN(BPF_LD | BPF_IMM | BPF_DW, reg, BPF_PSEUDO_MAP_IDX, 0, map), \
	{                                                                 \
	}
#define VALUE(reg, off)                                                            \
	INSN(BPF_LD | BPF_IMM | BPF_DW, reg, BPF_PSEUDO_MAP_IDX_VALUE, 0, GLOBAL), \
		INSN(0, 0, 0, 0, off)
/* R0 = the element of R1's map for the key at R10 - 4, or 0 */
#define LOOKUP(map) \
	MOV_X(2, 10), ALU64_K(BPF_ADD, 2, -4), MAP(1, map), CALL(BPF_FUNC_map_lookup_elem)
/* R2 = data, R3 = data_end of an XDP program's R6 */
#define DATA()       LDX(BPF_W, 2, 6, 0), LDX(BPF_W, 3, 6, 4)
/* R0 = a number that nobody knows */
#define UNKNOWN(reg) CALL(BPF_FUNC_get_prandom_u32), MOV_X(reg, 0)

static void judge(uint32_t type, enum verdict want, const struct bpf_insn *insns, uint32_t count)
{
	struct weir_prog_raw raw = {.type = type,
				    .license = "GPL",
				    .name = "attack",
				    .insns = (struct bpf_insn *)insns,
				    .insn_count = count};
	struct weir_reject reject = {};
	int weir_err, linux_err;

	trio_prog_add(t, &raw, &weir_err, &linux_err, &reject, NULL);
	trio_drop_progs(t);
	if ((want == ACCEPT) != !weir_err)
		fail_msg("weir %s: %s", weir_err ? "rejects" : "accepts", reject.message);
	if (t->linux_too && (want == ACCEPT) != !linux_err) {
		static char log[65536];

		trio_linux_verdict(t, &raw, log, sizeof(log));
		fail_msg("Linux says %d\n%s", linux_err, log);
	}
}

#define JUDGE(type, want, ...)                                                     \
	do {                                                                       \
		static const struct bpf_insn insns_[] = {__VA_ARGS__};             \
		judge(BPF_PROG_TYPE_##type, want, insns_, WEIR_ARRAY_LEN(insns_)); \
	} while (0)

/* By weir alone: Linux wants BTF for callbacks, and for tail calls in functions. */
#define ALONE(want, ...)                        \
	do {                                    \
		bool linux_too_ = t->linux_too; \
                                                \
		t->linux_too = false;           \
		JUDGE(XDP, want, __VA_ARGS__);  \
		t->linux_too = linux_too_;      \
	} while (0)

/* A tail call from a function returns what the target returns, not what the function would. */
static void tail_call__result_of_the_target_is_any_number(void **state)
{
#define WITH_TAIL_CALL(call_or_not, use)                                               \
	MOV_X(6, 1), CALL_LOCAL(5), MOV_X(2, 10), use, ST(BPF_B, 2, -8, 0), MOV(0, 0), \
		EXIT(), /* the function */                                             \
		MAP(2, PROGS), MOV(3, 0), call_or_not, MOV(0, 0), EXIT()
	ALONE(REJECT, WITH_TAIL_CALL(CALL(BPF_FUNC_tail_call), ALU64_X(BPF_ADD, 2, 0)));
	ALONE(ACCEPT, WITH_TAIL_CALL(MOV(0, 7), ALU64_X(BPF_ADD, 2, 0)));
	ALONE(ACCEPT, WITH_TAIL_CALL(CALL(BPF_FUNC_tail_call), ALU64_K(BPF_ADD, 2, 0)));
}

/* … nor is it the pointer that the function returns. */
static void tail_call__result_of_the_target_is_no_pointer(void **state)
{
#define POINTER_BACK(...) \
	CALL_LOCAL(3), ST(BPF_B, 0, 0, 1), MOV(0, 0), EXIT(), __VA_ARGS__, VALUE(0, 0), EXIT()
	ALONE(REJECT, POINTER_BACK(MAP(2, PROGS), MOV(3, 0), CALL(BPF_FUNC_tail_call)));
	ALONE(ACCEPT, POINTER_BACK(MAP(2, PROGS), MOV(3, 0)));
}

static void bounds__32_bit_compare_says_nothing_of_the_upper_half(void **state)
{
#define UPPER(jump, more)                                                               \
	ST(BPF_W, 10, -4, 1), LOOKUP(HASH), JMP_K(BPF_JNE, 0, 0, 2), MOV(0, 0), EXIT(), \
		MOV_X(7, 0), LDX(BPF_DW, 1, 7, 0), jump, more, ALU64_X(BPF_ADD, 7, 1),  \
		LDX(BPF_B, 0, 7, 0), MOV(0, 0), EXIT()
	JUDGE(XDP, REJECT, UPPER(JMP32_K(BPF_JGT, 1, 63, 3), MOV(0, 0)));
	JUDGE(XDP, ACCEPT, UPPER(JMP32_K(BPF_JGT, 1, 63, 3), MOV32_X(1, 1)));
	JUDGE(XDP, ACCEPT, UPPER(JMP_K(BPF_JGT, 1, 63, 3), MOV(0, 0)));
	JUDGE(XDP, REJECT, UPPER(JMP_K(BPF_JSGT, 1, 63, 3), MOV(0, 0)));
	JUDGE(XDP, REJECT, UPPER(JMP_K(BPF_JGT, 1, 64, 3), MOV(0, 0)));
}

static void spill__overwritten_in_part_is_no_pointer(void **state)
{
#define PARTLY(store)                                                                             \
	VALUE(7, 0), STX(BPF_DW, 10, 7, -16), store, LDX(BPF_DW, 8, 10, -16), ST(BPF_B, 8, 0, 0), \
		MOV(0, 0), EXIT()
	JUDGE(XDP, REJECT, PARTLY(ST(BPF_B, 10, -16, 1)));
	JUDGE(XDP, REJECT, PARTLY(ST(BPF_W, 10, -12, 1)));
	JUDGE(XDP, REJECT, PARTLY(ST(BPF_B, 10, -9, 1)));
	JUDGE(XDP, ACCEPT, PARTLY(ST(BPF_B, 10, -8, 1)));
	JUDGE(XDP, ACCEPT, PARTLY(ST(BPF_B, 10, -17, 1)));
}

static void spill__variable_offset_store_breaks_what_it_may_hit(void **state)
{
#define VAR_STORE(start)                                                                 \
	VALUE(7, 0), LDX(BPF_DW, 1, 7, 8), ALU64_K(BPF_AND, 1, 7), MOV_X(2, 10),         \
		ALU64_X(BPF_ADD, 2, 1), STX(BPF_DW, 10, 7, -16), ST(BPF_DW, 10, -24, 0), \
		ST(BPF_DW, 10, -8, 0), ST(BPF_B, 2, start, 1), LDX(BPF_DW, 8, 10, -16),  \
		ST(BPF_B, 8, 0, 0), MOV(0, 0), EXIT()
	JUDGE(XDP, REJECT, VAR_STORE(-16));
	JUDGE(XDP, REJECT, VAR_STORE(-20));
	JUDGE(XDP, ACCEPT, VAR_STORE(-24));
	JUDGE(XDP, ACCEPT, VAR_STORE(-8));
}

static void spill__atomic_makes_it_a_number(void **state)
{
#define ATOMIC_ON(off)                                                                            \
	VALUE(7, 0), STX(BPF_DW, 10, 7, -16), ST(BPF_DW, 10, -8, 0), MOV(1, 64),                  \
		ATOMIC(BPF_DW, BPF_ADD, 10, 1, off), LDX(BPF_DW, 8, 10, -16), ST(BPF_B, 8, 0, 0), \
		MOV(0, 0), EXIT()
	JUDGE(XDP, REJECT, ATOMIC_ON(-16));
	JUDGE(XDP, ACCEPT, ATOMIC_ON(-8));
}

static void packet__helper_that_moves_it_ends_ranges_also_in_callees(void **state)
{
#define MOVED(in_main, in_callee)                                                            \
	MOV_X(6, 1), DATA(), MOV_X(7, 2), ALU64_K(BPF_ADD, 2, 8), JMP_X(BPF_JGT, 2, 3, 4),   \
		MOV_X(1, 6), in_main, CALL_LOCAL(3), LDX(BPF_B, 0, 7, 0), MOV(0, 0), EXIT(), \
		MOV(2, 0), in_callee, MOV(0, 0), EXIT()
	JUDGE(XDP, REJECT, MOVED(MOV(2, 0), CALL(BPF_FUNC_xdp_adjust_head)));
	JUDGE(XDP, ACCEPT, MOVED(MOV(2, 0), MOV(0, 1)));
}

static void packet__off_by_one(void **state)
{
#define CHECKED(op, add, off)                                                           \
	MOV_X(6, 1), DATA(), MOV_X(4, 2), ALU64_K(BPF_ADD, 4, add), JMP_X(op, 4, 3, 1), \
		LDX(BPF_B, 0, 2, off), MOV(0, 0), EXIT()
	JUDGE(XDP, ACCEPT, CHECKED(BPF_JGT, 8, 7));
	JUDGE(XDP, REJECT, CHECKED(BPF_JGT, 8, 8));
	JUDGE(XDP, ACCEPT, CHECKED(BPF_JGE, 8, 8));
	JUDGE(XDP, REJECT, CHECKED(BPF_JGE, 8, 9));
	JUDGE(XDP, REJECT, CHECKED(BPF_JLT, 8, 0));
	JUDGE(XDP, REJECT, CHECKED(BPF_JGT, 8, -1));
	JUDGE(XDP, REJECT, CHECKED(BPF_JGT, 0x10000, 7));
}

static void packet__large_variable_offset_learns_nothing(void **state)
{
#define FAR(mask)                                                             \
	MOV_X(6, 1), LDX(BPF_W, 1, 6, 12), ALU64_K(BPF_AND, 1, mask), DATA(), \
		ALU64_X(BPF_ADD, 2, 1), MOV_X(4, 2), ALU64_K(BPF_ADD, 4, 8),  \
		JMP_X(BPF_JGT, 4, 3, 1), LDX(BPF_B, 0, 2, 0), MOV(0, 0), EXIT()
	JUDGE(XDP, ACCEPT, FAR(0x7fff));
	JUDGE(XDP, REJECT, FAR(0xffff));
	JUDGE(XDP, REJECT, FAR(0xfffffff));
}

static void packet__sign_extended_addresses_are_refused(void **state)
{
	JUDGE(XDP, REJECT, LDXSX(BPF_W, 2, 1, 0), MOV(0, 0), EXIT());
	JUDGE(XDP, REJECT, LDXSX(BPF_W, 2, 1, 4), MOV(0, 0), EXIT());
	JUDGE(XDP, ACCEPT, LDX(BPF_W, 2, 1, 4), MOV(0, 0), EXIT());
}

static void null_check__of_another_lookup_does_not_count(void **state)
{
#define TWO(checked, used)                                                          \
	ST(BPF_W, 10, -4, 1), LOOKUP(HASH), MOV_X(7, 0), LOOKUP(HASH), MOV_X(8, 0), \
		JMP_K(BPF_JEQ, checked, 0, 1), ST(BPF_B, used, 0, 0), MOV(0, 0), EXIT()
	JUDGE(XDP, ACCEPT, TWO(7, 7));
	JUDGE(XDP, REJECT, TWO(7, 8));
	JUDGE(XDP, REJECT, TWO(8, 7));
}

/* The helper says -E2BIG where there are too many trips. */
static void loop__result_may_be_an_error(void **state)
{
#define TRIPS(bound)                                                                          \
	VALUE(7, 0), LDX(BPF_DW, 1, 7, 0), bound,                                             \
		INSN(BPF_LD | BPF_IMM | BPF_DW, 2, BPF_PSEUDO_FUNC, 0, 8), {}, MOV(3, 0),     \
		MOV(4, 0), CALL(BPF_FUNC_loop), JMP_K(BPF_JSGE, 0, 0, 1), ST(BPF_B, 0, 0, 0), \
		MOV(0, 0), EXIT(), /* the callback */ MOV(0, 0), EXIT()
	ALONE(REJECT, TRIPS(MOV(0, 0)));
}

static void null_check__pruned_loop_does_not_reuse_the_id(void **state)
{
	/* Looks up twice in a loop; only the first one's result is checked. */
	JUDGE(XDP, REJECT, ST(BPF_W, 10, -4, 1), MOV(9, 0), MOV(7, 0), LOOKUP(HASH),
	      JMP_K(BPF_JNE, 9, 0, 2), MOV_X(7, 0), JMP_K(BPF_JEQ, 0, 0, 4), MOV_X(8, 0),
	      ALU64_K(BPF_ADD, 9, 1), JMP_K(BPF_JLT, 9, 2, -12), ST(BPF_B, 8, 0, 0), MOV(0, 0),
	      EXIT());
}

static void array_key__clobbered_constant_is_none(void **state)
{
#define KEY(store)                                                                            \
	MOV_X(9, 1), ST(BPF_W, 10, -8, 1), store, MOV_X(2, 10), ALU64_K(BPF_ADD, 2, -8),      \
		MAP(1, ARRAY), CALL(BPF_FUNC_map_lookup_elem), ST(BPF_B, 0, 0, 0), MOV(0, 0), \
		EXIT()
	JUDGE(XDP, ACCEPT, KEY(MOV(0, 0)));
	JUDGE(XDP, ACCEPT, KEY(ST(BPF_W, 10, -8, 3)));
	JUDGE(XDP, REJECT, KEY(ST(BPF_W, 10, -8, 4)));
	JUDGE(XDP, REJECT, KEY(ST(BPF_B, 10, -7, 4)));
	JUDGE(XDP, REJECT, KEY(ST(BPF_W, 10, -8, -1)));
	JUDGE(XDP, REJECT, KEY(STX(BPF_B, 10, 1, -8)));
}

static void stack__pointer_of_a_frame_does_not_outlive_it(void **state)
{
	/* returned */
	JUDGE(XDP, REJECT, CALL_LOCAL(2), MOV(0, 0), EXIT(), MOV_X(0, 10), EXIT());
	JUDGE(XDP, ACCEPT, CALL_LOCAL(2), MOV(0, 0), EXIT(), MOV(0, 10), EXIT());
	/* stored in the caller's frame */
	JUDGE(XDP, REJECT, MOV_X(1, 10), ALU64_K(BPF_ADD, 1, -8), CALL_LOCAL(2), MOV(0, 0), EXIT(),
	      STX(BPF_DW, 1, 10, 0), MOV(0, 0), EXIT());
	JUDGE(XDP, ACCEPT, MOV_X(1, 10), ALU64_K(BPF_ADD, 1, -8), CALL_LOCAL(2), MOV(0, 0), EXIT(),
	      ST(BPF_DW, 1, 0, 7), MOV(0, 0), EXIT());
}

static void stack__out_of_bounds(void **state)
{
	JUDGE(XDP, REJECT, ST(BPF_DW, 10, -520, 0), MOV(0, 0), EXIT());
	JUDGE(XDP, REJECT, ST(BPF_B, 10, 0, 0), MOV(0, 0), EXIT());
	JUDGE(XDP, REJECT, ST(BPF_DW, 10, -12, 0), MOV(0, 0), EXIT());
	JUDGE(XDP, ACCEPT, ST(BPF_DW, 10, -512, 0), MOV(0, 0), EXIT());
}

static void jump__into_the_second_half_of_a_wide_load(void **state)
{
	JUDGE(XDP, REJECT, MOV(0, 0), JMP_K(BPF_JEQ, 0, 0, 1), LD64(2, 0), EXIT());
	JUDGE(XDP, ACCEPT, MOV(0, 0), JMP_K(BPF_JEQ, 0, 0, 2), LD64(2, 0), EXIT());
}

static void ctx__modified_pointer(void **state)
{
	JUDGE(XDP, REJECT, ALU64_K(BPF_ADD, 1, 4), LDX(BPF_W, 0, 1, 8), MOV(0, 0), EXIT());
	JUDGE(XDP, REJECT, ALU64_K(BPF_ADD, 1, 8), MOV(2, 0), CALL(BPF_FUNC_xdp_adjust_head),
	      MOV(0, 0), EXIT());
	JUDGE(XDP, ACCEPT, MOV(2, 0), CALL(BPF_FUNC_xdp_adjust_head), MOV(0, 0), EXIT());
	/* the same instruction on two kinds of memory */
	JUDGE(XDP, REJECT, MOV_X(6, 1), ST(BPF_DW, 10, -16, 0), CALL(BPF_FUNC_get_prandom_u32),
	      MOV_X(2, 6), JMP_K(BPF_JEQ, 0, 0, 2), MOV_X(2, 10), ALU64_K(BPF_ADD, 2, -28),
	      LDX(BPF_W, 0, 2, 12), MOV(0, 0), EXIT());
}

static void map_value__variable_offset(void **state)
{
#define INDEX(bound, off)                                                                        \
	VALUE(7, 0), LDX(BPF_DW, 1, 7, 0), bound, ALU64_X(BPF_ADD, 7, 1), LDX(BPF_W, 0, 7, off), \
		MOV(0, 0), EXIT()
	JUDGE(XDP, ACCEPT, INDEX(ALU64_K(BPF_AND, 1, 31), 29));
	JUDGE(XDP, REJECT, INDEX(ALU64_K(BPF_AND, 1, 31), 30));
	JUDGE(XDP, REJECT, INDEX(ALU64_K(BPF_AND, 1, 31), -1));
	JUDGE(XDP, REJECT, INDEX(ALU64_K(BPF_ARSH, 1, 60), 8));
	JUDGE(XDP, ACCEPT, INDEX(ALU64_K(BPF_RSH, 1, 60), 8));
}

/* The path that falls through first must not make the second look walked. */
static void prune__number_that_matters_later(void **state)
{
#define LATER(second)                                                                              \
	VALUE(7, 0), UNKNOWN(9), MOV(1, 0), JMP_K(BPF_JEQ, 9, 7, 1), MOV(1, second), MOV(2, 0),    \
		MOV(3, 0), MOV(4, 0), JMP_K(BPF_JEQ, 9, 8, 0), JMP_K(BPF_JEQ, 9, 9, 0), MOV(5, 0), \
		ALU64_X(BPF_ADD, 7, 1), ST(BPF_B, 7, 0, 0), MOV(0, 0), EXIT()
	JUDGE(XDP, ACCEPT, LATER(63));
	JUDGE(XDP, REJECT, LATER(64));
}

static void prune__number_saved_on_the_stack_matters(void **state)
{
#define SAVED(second)                                                                          \
	VALUE(7, 0), UNKNOWN(9), ST(BPF_DW, 10, -8, 0), JMP_K(BPF_JEQ, 9, 7, 1),               \
		ST(BPF_DW, 10, -8, second), MOV(2, 0), MOV(3, 0), MOV(4, 0),                   \
		JMP_K(BPF_JEQ, 9, 8, 0), JMP_K(BPF_JEQ, 9, 9, 0), MOV(5, 0),                   \
		LDX(BPF_DW, 1, 10, -8), ALU64_X(BPF_ADD, 7, 1), ST(BPF_B, 7, 0, 0), MOV(0, 0), \
		EXIT()
	JUDGE(XDP, ACCEPT, SAVED(63));
	JUDGE(XDP, REJECT, SAVED(64));
}

/* Copies are linked by id; a pruned path must have had the same link. */
static void prune__stale_link_between_numbers(void **state)
{
#define LINKED(second)                                                                      \
	VALUE(7, 0), UNKNOWN(8), UNKNOWN(9), MOV_X(6, 9), JMP_K(BPF_JEQ, 9, 77, 1),         \
		MOV_X(second, 8), MOV(2, 0), MOV(3, 0), MOV(4, 0), JMP_K(BPF_JEQ, 8, 8, 0), \
		JMP_K(BPF_JEQ, 8, 9, 0), JMP_K(BPF_JGT, 6, 63, 2), ALU64_X(BPF_ADD, 7, 9),  \
		ST(BPF_B, 7, 0, 0), MOV(0, 0), EXIT()
	JUDGE(XDP, REJECT, LINKED(6));
	JUDGE(XDP, ACCEPT, LINKED(2));
}

static void helper__reads_only_what_is_there(void **state)
{
#define DIFF(off, size)                                                                      \
	ST(BPF_DW, 10, -8, 0), ST(BPF_DW, 10, -16, 0), MOV(1, 0), MOV(2, 0), MOV_X(3, 10),   \
		ALU64_K(BPF_ADD, 3, off), MOV(4, size), MOV(5, 0), CALL(BPF_FUNC_csum_diff), \
		MOV(0, 0), EXIT()
	JUDGE(XDP, ACCEPT, DIFF(-16, 16));
	JUDGE(XDP, REJECT, DIFF(-16, 20));
	JUDGE(XDP, REJECT, DIFF(-520, 8));
	JUDGE(XDP, REJECT, DIFF(-16, -4));
}

static int setup(void **state)
{
	const char *reason = NULL;
	bool linux_too;

	trio_setup_thread();
	linux_too = kernel_oracle_usable(&reason);
	if (weir_codemem_new(0, NULL, &mem) || trio_new(mem, linux_too, &t))
		return -1;
	for (size_t m = 0; m < WEIR_ARRAY_LEN(defs); m++)
		if (trio_map_add(t, &defs[m]) < 0) {
			print_error("%s\n", t->why);
			return -1;
		}
	return 0;
}

static int teardown(void **state)
{
	trio_free(&t);
	weir_codemem_free(&mem);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tail_call__result_of_the_target_is_any_number),
		cmocka_unit_test(tail_call__result_of_the_target_is_no_pointer),
		cmocka_unit_test(bounds__32_bit_compare_says_nothing_of_the_upper_half),
		cmocka_unit_test(spill__overwritten_in_part_is_no_pointer),
		cmocka_unit_test(spill__variable_offset_store_breaks_what_it_may_hit),
		cmocka_unit_test(spill__atomic_makes_it_a_number),
		cmocka_unit_test(packet__helper_that_moves_it_ends_ranges_also_in_callees),
		cmocka_unit_test(packet__off_by_one),
		cmocka_unit_test(packet__large_variable_offset_learns_nothing),
		cmocka_unit_test(packet__sign_extended_addresses_are_refused),
		cmocka_unit_test(null_check__of_another_lookup_does_not_count),
		cmocka_unit_test(loop__result_may_be_an_error),
		cmocka_unit_test(null_check__pruned_loop_does_not_reuse_the_id),
		cmocka_unit_test(array_key__clobbered_constant_is_none),
		cmocka_unit_test(stack__pointer_of_a_frame_does_not_outlive_it),
		cmocka_unit_test(stack__out_of_bounds),
		cmocka_unit_test(jump__into_the_second_half_of_a_wide_load),
		cmocka_unit_test(ctx__modified_pointer),
		cmocka_unit_test(map_value__variable_offset),
		cmocka_unit_test(prune__number_that_matters_later),
		cmocka_unit_test(prune__number_saved_on_the_stack_matters),
		cmocka_unit_test(prune__stale_link_between_numbers),
		cmocka_unit_test(helper__reads_only_what_is_there),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
