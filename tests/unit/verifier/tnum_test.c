/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tristate numbers against the concrete operation: every pair of 5-bit tnums with every pair of
 * members, at the bottom and at the top of the word (where carries leave it), and random 64-bit
 * ones.
 */
#include "tnum.h"

#include <stdbool.h>

#include "../weir_test.h"

#define SMALL_BITS 5

struct op {
	const char *name;
	struct weir_tnum (*abstract)(struct weir_tnum a, struct weir_tnum b);
	uint64_t (*concrete)(uint64_t a, uint64_t b);
};

static uint64_t c_add(uint64_t a, uint64_t b)
{
	return a + b;
}
static uint64_t c_sub(uint64_t a, uint64_t b)
{
	return a - b;
}
static uint64_t c_mul(uint64_t a, uint64_t b)
{
	return a * b;
}
static uint64_t c_and(uint64_t a, uint64_t b)
{
	return a & b;
}
static uint64_t c_or(uint64_t a, uint64_t b)
{
	return a | b;
}
static uint64_t c_xor(uint64_t a, uint64_t b)
{
	return a ^ b;
}

static const struct op ops[] = {
	{"add", weir_tnum_add, c_add}, {"sub", weir_tnum_sub, c_sub}, {"mul", weir_tnum_mul, c_mul},
	{"and", weir_tnum_and, c_and}, {"or", weir_tnum_or, c_or},    {"xor", weir_tnum_xor, c_xor},
};

/* The members of a small tnum one by one: subsets of its mask. */
static bool next_member(struct weir_tnum t, uint64_t *sub)
{
	*sub = (*sub - t.mask) & t.mask;
	return *sub != 0;
}

static void check_all_members(const struct op *op, struct weir_tnum a, struct weir_tnum b)
{
	struct weir_tnum r = op->abstract(a, b);
	uint64_t x = 0, y = 0;

	if (r.value & r.mask)
		fail_msg("%s: not canonical", op->name);
	do {
		y = 0;
		do {
			uint64_t c = op->concrete(a.value | x, b.value | y);

			if (!weir_tnum_contains(r, c))
				fail_msg("%s: %#lx op %#lx = %#lx not in (%#lx; %#lx)", op->name,
					 a.value | x, b.value | y, c, r.value, r.mask);
		} while (next_member(b, &y));
	} while (next_member(a, &x));
}

static void tnum_binary__holds_every_result_at_small_width(void **state)
{
	const uint64_t n = 1 << SMALL_BITS;

	for (size_t o = 0; o < sizeof(ops) / sizeof(ops[0]); o++)
		for (uint64_t am = 0; am < n; am++)
			for (uint64_t av = 0; av < n; av++)
				for (uint64_t bm = 0; bm < n && !(av & am); bm++)
					for (uint64_t bv = 0; bv < n; bv++) {
						if (bv & bm)
							continue;
						check_all_members(&ops[o],
								  (struct weir_tnum){av, am},
								  (struct weir_tnum){bv, bm});
						check_all_members(
							&ops[o],
							(struct weir_tnum){av << 59, am << 59},
							(struct weir_tnum){bv << 60, bm << 60});
					}
}

static uint64_t rng_state = 88172645463325252ULL;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static struct weir_tnum random_tnum(void)
{
	uint64_t mask = rng() & (rng() | (rng() & 1 ? 0 : rng()));

	return (struct weir_tnum){rng() & ~mask, mask};
}

static uint64_t member(struct weir_tnum t)
{
	return t.value | (rng() & t.mask);
}

static void tnum_binary__holds_random_64_bit_results(void **state)
{
	for (int i = 0; i < 200000; i++) {
		struct weir_tnum a = random_tnum(), b = random_tnum();
		const struct op *op = &ops[rng() % (sizeof(ops) / sizeof(ops[0]))];
		struct weir_tnum r = op->abstract(a, b);

		for (int k = 0; k < 8; k++)
			assert_true(weir_tnum_contains(r, op->concrete(member(a), member(b))));
	}
}

static void tnum_shift__exact_on_members(void **state)
{
	for (int i = 0; i < 200000; i++) {
		struct weir_tnum a = random_tnum(), low = weir_tnum_trunc(a, 4);
		unsigned int s = (unsigned int)(rng() & 63), s32 = s & 31;
		uint64_t v = member(a), v32 = (uint32_t)v;

		assert_true(weir_tnum_contains(weir_tnum_lsh(a, s, 64), v << s));
		assert_true(weir_tnum_contains(weir_tnum_rsh(a, s), v >> s));
		assert_true(
			weir_tnum_contains(weir_tnum_arsh(a, s, 64), (uint64_t)((int64_t)v >> s)));
		assert_true(
			weir_tnum_contains(weir_tnum_lsh(low, s32, 32), (uint32_t)(v32 << s32)));
		assert_true(weir_tnum_contains(weir_tnum_arsh(low, s32, 32),
					       (uint32_t)((int32_t)v32 >> s32)));
		assert_true(weir_tnum_contains(weir_tnum_sext(a, 1), (uint64_t)(int64_t)(int8_t)v));
		assert_true(
			weir_tnum_contains(weir_tnum_sext(a, 2), (uint64_t)(int64_t)(int16_t)v));
		assert_true(
			weir_tnum_contains(weir_tnum_sext(a, 4), (uint64_t)(int64_t)(int32_t)v));
		assert_true(weir_tnum_contains(weir_tnum_bswap(a, 8), __builtin_bswap64(v)));
		assert_true(
			weir_tnum_contains(weir_tnum_bswap(a, 4), __builtin_bswap32((uint32_t)v)));
		assert_true(
			weir_tnum_contains(weir_tnum_bswap(a, 2), __builtin_bswap16((uint16_t)v)));
	}
}

static void tnum_range__smallest_that_holds_all(void **state)
{
	for (uint64_t lo = 0; lo < 64; lo++)
		for (uint64_t hi = lo; hi < 64; hi++) {
			struct weir_tnum r = weir_tnum_range(lo, hi);

			for (uint64_t v = lo; v <= hi; v++)
				assert_true(weir_tnum_contains(r, v));
			/* a set of values has one smallest tnum: the bits on which they agree */
			for (uint64_t v = lo, all = 0; v <= hi; v++) {
				all |= v ^ lo;
				if (v == hi)
					assert_int_equal(r.mask & all, all);
			}
		}
	assert_int_equal(weir_tnum_range(0, UINT64_MAX).mask, UINT64_MAX);
	assert_int_equal(weir_tnum_range(7, 7).mask, 0);
}

static void tnum_intersect__exact_and_empty(void **state)
{
	struct weir_tnum r = {1, 2};

	for (int i = 0; i < 100000; i++) {
		uint64_t am = rng() & 0xff, bm = rng() & 0xff;
		struct weir_tnum a = {rng() & 0xff & ~am, am}, b = {rng() & 0xff & ~bm, bm};
		bool any = weir_tnum_intersect(a, b, &r);

		for (uint64_t v = 0; v < 256; v++) {
			bool in = weir_tnum_contains(a, v) && weir_tnum_contains(b, v);

			assert_int_equal(in, any && weir_tnum_contains(r, v));
			if (weir_tnum_contains(a, v) || weir_tnum_contains(b, v))
				assert_true(weir_tnum_contains(weir_tnum_union(a, b), v));
		}
	}
}

static void tnum_within__is_subset(void **state)
{
	for (uint64_t am = 0; am < 8; am++)
		for (uint64_t av = 0; av < 8; av++)
			for (uint64_t bm = 0; bm < 8 && !(av & am); bm++)
				for (uint64_t bv = 0; bv < 8; bv++) {
					struct weir_tnum a = {av, am}, b = {bv, bm};
					bool subset = true;

					if (bv & bm)
						continue;
					for (uint64_t v = 0; v < 8; v++)
						if (weir_tnum_contains(b, v) &&
						    !weir_tnum_contains(a, v))
							subset = false;
					assert_int_equal(subset, weir_tnum_within(a, b));
				}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tnum_binary__holds_every_result_at_small_width),
		cmocka_unit_test(tnum_binary__holds_random_64_bit_results),
		cmocka_unit_test(tnum_shift__exact_on_members),
		cmocka_unit_test(tnum_range__smallest_that_holds_all),
		cmocka_unit_test(tnum_intersect__exact_and_empty),
		cmocka_unit_test(tnum_within__is_subset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
