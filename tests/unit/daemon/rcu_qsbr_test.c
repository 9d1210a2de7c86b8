/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "rcu_qsbr.h"
#include "weir_test.h"

static int order[8], ran;

static void note(void *arg)
{
	order[ran++] = (int)(intptr_t)arg;
}

static int setup(void **state)
{
	ran = 0;
	return weir_rcu_qsbr_new(3, (struct weir_rcu **)state);
}

static int teardown(void **state)
{
	weir_rcu_qsbr_free((struct weir_rcu **)state);
	return 0;
}

/* No EAL runs in this process. */
static void rcu__waits_for_online_readers_only(void **state)
{
	struct weir_rcu *rcu = *state;

	rcu->ops->retire(rcu, note, (void *)1);
	assert_int_equal(weir_rcu_qsbr_drain(rcu), 0);
	assert_int_equal(ran, 1);
	rcu->ops->online(rcu, 0);
	rcu->ops->online(rcu, 2);
	rcu->ops->retire(rcu, note, (void *)2);
	rcu->ops->retire(rcu, note, (void *)3);
	rcu->ops->quiescent(rcu, 0);
	assert_int_equal(weir_rcu_qsbr_drain(rcu), 2);
	assert_int_equal(ran, 1);
	rcu->ops->offline(rcu, 2);
	assert_int_equal(weir_rcu_qsbr_drain(rcu), 0);
	assert_int_equal(order[1], 2);
	assert_int_equal(order[2], 3);
	rcu->ops->offline(rcu, 0);
	rcu->ops->synchronize(rcu);
}

static void retire_again(void *arg)
{
	struct weir_rcu *rcu = arg;

	rcu->ops->retire(rcu, note, (void *)7);
}

static void rcu__a_callback_may_retire(void **state)
{
	struct weir_rcu *rcu = *state;

	rcu->ops->retire(rcu, retire_again, rcu);
	assert_int_equal(weir_rcu_qsbr_drain(rcu), 0);
	assert_int_equal(ran, 1);
}

static void rcu__free_runs_what_waits(void **state)
{
	struct weir_rcu *rcu = NULL;

	assert_int_equal(weir_rcu_qsbr_new(0, &rcu), -EINVAL);
	assert_int_equal(weir_rcu_qsbr_new(1, &rcu), 0);
	rcu->ops->retire(rcu, note, (void *)4);
	weir_rcu_qsbr_free(&rcu);
	assert_int_equal(ran, 1);
	assert_null(rcu);
}

struct shared {
	struct weir_rcu *rcu;
	int *current; /* atomic */
	bool stop;
	bool bad;
};

/* A reader that sees a retired value would read what was overwritten. */
static void *reader(void *arg)
{
	struct shared *s = arg;

	s->rcu->ops->online(s->rcu, 1);
	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		int *p = __atomic_load_n(&s->current, __ATOMIC_ACQUIRE);

		for (int i = 0; i < 50; i++)
			if (__atomic_load_n(p, __ATOMIC_RELAXED) == -1)
				s->bad = true;
		s->rcu->ops->quiescent(s->rcu, 1);
	}
	s->rcu->ops->offline(s->rcu, 1);
	return NULL;
}

static void poison(void *arg)
{
	__atomic_store_n((int *)arg, -1, __ATOMIC_RELAXED);
}

static void rcu__no_reader_sees_the_retired(void **state)
{
	static int values[20000];
	struct shared s = {.rcu = *state, .current = &values[0]};
	pthread_t thread;

	pthread_create(&thread, NULL, reader, &s);
	for (int i = 1; i < 20000; i++) {
		__atomic_store_n(&s.current, &values[i], __ATOMIC_RELEASE);
		s.rcu->ops->retire(s.rcu, poison, &values[i - 1]);
		weir_rcu_qsbr_drain(s.rcu);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_false(s.bad);
	assert_int_equal(weir_rcu_qsbr_drain(s.rcu), 0);
	assert_int_equal(values[19998], -1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rcu__waits_for_online_readers_only),
		CASE(rcu__a_callback_may_retire),
		CASE(rcu__free_runs_what_waits),
		CASE(rcu__no_reader_sees_the_retired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
