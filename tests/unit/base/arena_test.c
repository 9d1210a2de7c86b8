/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/base/arena.h"

#include "../weir_test.h"

static void arena_alloc__zeroed_aligned_and_apart(void **state)
{
	struct weir_arena *a;
	char *p[100];

	assert_int_equal(weir_arena_new(0, &a), 0);
	for (size_t i = 0; i < 100; i++) {
		p[i] = weir_arena_alloc(a, i * 37);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % 16, 0);
		for (size_t k = 0; k < i * 37; k++)
			assert_int_equal(p[i][k], 0);
		memset(p[i], (int)i + 1, i * 37);
	}
	for (size_t i = 0; i < 100; i++)
		for (size_t k = 0; k < i * 37; k++)
			assert_int_equal(p[i][k], (char)(i + 1));
	weir_arena_free(&a);
	assert_null(a);
}

static void arena_alloc__limit_holds(void **state)
{
	struct weir_arena *a;

	assert_int_equal(weir_arena_new(1 << 20, &a), 0);
	assert_null(weir_arena_alloc(a, (1 << 20) + 1));
	assert_non_null(weir_arena_alloc(a, 1 << 20));
	assert_null(weir_arena_alloc(a, 1));
	assert_int_equal(weir_arena_used_bytes(a), 1 << 20);
	weir_arena_free(&a);
}

static void arena_calloc__overflow(void **state)
{
	struct weir_arena *a;

	assert_int_equal(weir_arena_new(0, &a), 0);
	assert_null(weir_arena_calloc(a, SIZE_MAX / 2, 3));
	assert_null(weir_arena_alloc(a, SIZE_MAX));
	weir_arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_alloc__zeroed_aligned_and_apart),
		cmocka_unit_test(arena_alloc__limit_holds),
		cmocka_unit_test(arena_calloc__overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
