/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/base/rcu.h"

#include "../weir_test.h"

static void count(void *arg)
{
	++*(int *)arg;
}

static void retire__freed_at_quiescent(void **state)
{
	struct weir_rcu *rcu;
	int n = 0;

	assert_int_equal(weir_rcu_single_new(&rcu), 0);
	rcu->ops->online(rcu, 0);
	assert_int_equal(rcu->ops->retire(rcu, count, &n), 0);
	assert_int_equal(n, 0);
	rcu->ops->quiescent(rcu, 0);
	assert_int_equal(n, 1);
	rcu->ops->quiescent(rcu, 0);
	assert_int_equal(n, 1);
	weir_rcu_single_free(&rcu);
}

static void retire__freed_with_rcu(void **state)
{
	struct weir_rcu *rcu;
	int n = 0;

	assert_int_equal(weir_rcu_single_new(&rcu), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(rcu->ops->retire(rcu, count, &n), 0);
	weir_rcu_single_free(&rcu);
	assert_int_equal(n, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retire__freed_at_quiescent),
		cmocka_unit_test(retire__freed_with_rcu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
