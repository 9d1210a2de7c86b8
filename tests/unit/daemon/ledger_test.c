/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>

#include "ledger.h"
#include "weir_test.h"

static void ledger_check__names_the_equation(void **state)
{
	struct weir_ledger l = {.rx = 10,
				.drop = 3,
				.drop_prog = 3,
				.pass = 4,
				.to_port = 4,
				.tx = 2,
				.in_flight = 1};

	assert_null(weir_ledger_check(&l));
	l.in_flight = 0;
	assert_string_equal(weir_ledger_check(&l), "in");
	l.rx = 9;
	assert_null(weir_ledger_check(&l));
	l.to_port = 3;
	assert_string_equal(weir_ledger_check(&l), "pass");
	l.to_port = 4;
	l.drop_guard = 1;
	assert_string_equal(weir_ledger_check(&l), "drop");
	l.drop_guard = 0;
	l.own_tx = 2;
	assert_string_equal(weir_ledger_check(&l), "out");
	l.sent = 1;
	l.tx_full = 1;
	assert_null(weir_ledger_check(&l));
	l.aborted_code = 1;
	assert_string_equal(weir_ledger_check(&l), "aborted");
}

static void ledger_sum__adds_rows_a_stride_apart(void **state)
{
	static struct weir_ledger_row rows[4];
	struct weir_ledger l;

	memset(rows, 0, sizeof(rows));
	rows[0].v.rx = 5;
	rows[0].v.pass = rows[0].v.pass_dropped = 5;
	rows[1].v.rx = 1000; /* another port's */
	rows[2].v.rx = 7;
	rows[2].v.drop = rows[2].v.drop_prog = 7;
	weir_ledger_sum(rows, 2, 2, &l);
	assert_int_equal(l.rx, 12);
	assert_int_equal(l.drop, 7);
	assert_null(weir_ledger_check(&l));
}

/* Worker 0 hands packets over, worker 1 sends them: the difference is on its way. */
static void ledger_sum__handed_over_is_in_flight(void **state)
{
	static struct weir_ledger_row rows[2];
	struct weir_ledger l;

	memset(rows, 0, sizeof(rows));
	rows[0].v.redirected_in = 9;
	rows[1].v.sent = 4;
	weir_ledger_sum(rows, 2, 1, &l);
	assert_int_equal(l.out_in_flight, 5);
	assert_null(weir_ledger_check(&l));
}

struct race {
	struct weir_ledger_row rows[2];
	uint64_t handed; /* release/acquire between the writers, as a ring does */
	int stop;
};

static void *hand_over(void *arg)
{
	struct race *r = arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		weir_ledger_begin(&r->rows[0]);
		r->rows[0].v.rx += 3;
		r->rows[0].v.in_flight = 3;
		weir_ledger_end(&r->rows[0]);
		weir_ledger_begin(&r->rows[0]);
		r->rows[0].v.in_flight = 0;
		r->rows[0].v.drop += 1;
		r->rows[0].v.drop_prog += 1;
		r->rows[0].v.tx += 2;
		r->rows[0].v.own_tx += 2;
		weir_ledger_end(&r->rows[0]);
		__atomic_store_n(&r->handed, r->handed + 2, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void *send_on(void *arg)
{
	struct race *r = arg;
	uint64_t sent = 0;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		uint64_t handed = __atomic_load_n(&r->handed, __ATOMIC_ACQUIRE);

		weir_ledger_begin(&r->rows[1]);
		r->rows[1].v.sent += handed - sent;
		weir_ledger_end(&r->rows[1]);
		sent = handed;
	}
	return NULL;
}

static void ledger_sum__balances_at_any_time(void **state)
{
	static struct race r;
	pthread_t a, b;

	pthread_create(&a, NULL, hand_over, &r);
	pthread_create(&b, NULL, send_on, &r);
	for (int i = 0; i < 100000; i++) {
		struct weir_ledger l;

		weir_ledger_sum(r.rows, 2, 1, &l);
		assert_null(weir_ledger_check(&l));
		assert_true(l.out_in_flight < UINT64_MAX / 2);
		assert_true(l.in_flight == 0 || l.in_flight == 3);
	}
	__atomic_store_n(&r.stop, 1, __ATOMIC_RELAXED);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ledger_check__names_the_equation),
		cmocka_unit_test(ledger_sum__adds_rows_a_stride_apart),
		cmocka_unit_test(ledger_sum__handed_over_is_in_flight),
		cmocka_unit_test(ledger_sum__balances_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
