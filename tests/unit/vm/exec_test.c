/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/exec.h"

#include "../weir_test.h"

static void exec_init__defaults(void **state)
{
	struct weir_exec e;

	weir_exec_init(&e, 3, 5, NULL);
	assert_int_equal(e.slot, 3);
	assert_int_equal(e.slots, 5);
	assert_true(e.prandom_state != 0);
	assert_true(e.clock_ns(&e) > 0);
	assert_true(e.clock_ns(&e) <= e.clock_ns(&e));
	assert_null(e.host_ops);
	assert_int_equal(e.abort_cause, WEIR_ABORT_NONE);
}

static void exec_budget__unlimited(void **state)
{
	struct weir_exec e;

	weir_exec_init(&e, 0, 1, NULL);
	e.trips_left = -1;
	assert_false(weir_exec_budget_expired(&e));
	assert_int_equal(e.trips_left, WEIR_BUDGET_TRIPS);
	assert_int_equal(e.deadline_ns, 0);
}

static void exec_budget__first_look_starts_the_clock(void **state)
{
	struct weir_exec e;

	weir_exec_init(&e, 0, 1, NULL);
	e.budget_ns = 100;
	e.now_ns = weir_exec_clock_fixed;
	e.fixed_ns = 1000;
	assert_false(weir_exec_budget_expired(&e));
	assert_int_equal(e.deadline_ns, 1100);
	e.fixed_ns = 1099;
	assert_false(weir_exec_budget_expired(&e));
	assert_int_equal(e.abort_cause, WEIR_ABORT_NONE);
	e.fixed_ns = 1100;
	assert_true(weir_exec_budget_expired(&e));
	assert_int_equal(e.abort_cause, WEIR_ABORT_BUDGET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exec_init__defaults),
		cmocka_unit_test(exec_budget__unlimited),
		cmocka_unit_test(exec_budget__first_look_starts_the_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
