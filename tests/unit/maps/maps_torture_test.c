/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two slots and a control thread on one small hash map: nothing is lost, nothing is torn where a
 * whole value is replaced, and the map ends consistent.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "../weir_test.h"
#include "weir/maps/maps.h"
#include "weir/vm/exec.h"

#define KEYS    200
#define ENTRIES 128
#define STEPS   150000

struct value {
	uint64_t a, b, c, d; /* b = ~a, c = a * 3, d = a ^ key */
};

struct shared {
	struct weir_map *map;
	bool stop;
	uint64_t torn, full, busy;
};

struct thread {
	struct shared *s;
	uint32_t slot;
	uint64_t seed;
};

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static struct value make_value(uint64_t a, uint64_t key)
{
	return (struct value){a, ~a, a * 3, a ^ key};
}

static bool whole(const struct value *v, uint64_t key)
{
	return v->b == ~v->a && v->c == v->a * 3 && v->d == (v->a ^ key);
}

static void *slot_thread(void *arg)
{
	struct thread *t = arg;
	struct weir_map *map = t->s->map;
	struct weir_exec exec;

	weir_exec_init(&exec, t->slot, 2, NULL);
	for (int i = 0; i < STEPS; i++) {
		uint64_t r = next_random(&t->seed), key = r % KEYS;
		struct value v = make_value(r, key);
		int err = 0;

		switch (r >> 60) {
		case 0 ... 6: err = map->ops->prog_update(map, &key, &v, BPF_ANY, &exec); break;
		case 7 ... 9: err = map->ops->prog_delete(map, &key, &exec); break;
		default: map->ops->prog_lookup(map, &key, &exec); break;
		}
		if (err == -E2BIG)
			__atomic_fetch_add(&t->s->full, 1, __ATOMIC_RELAXED);
		if (err == -EBUSY)
			__atomic_fetch_add(&t->s->busy, 1, __ATOMIC_RELAXED);
		if (err && err != -E2BIG && err != -EBUSY && err != -ENOENT)
			__atomic_fetch_add(&t->s->torn, 1000000, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *control_thread(void *arg)
{
	struct thread *t = arg;
	struct weir_map *map = t->s->map;

	while (!__atomic_load_n(&t->s->stop, __ATOMIC_RELAXED)) {
		uint64_t r = next_random(&t->seed), key = r % KEYS, next;
		struct value v = make_value(r, key);

		switch (r >> 61) {
		case 0: map->ops->ctl_update(map, &key, &v, BPF_ANY, -1); break;
		case 1: map->ops->ctl_delete(map, &key); break;
		case 2: map->ops->ctl_next_key(map, &key, &next); break;
		default:
			if (!map->ops->ctl_lookup(map, &key, &v, 0, -1) && !whole(&v, key))
				__atomic_fetch_add(&t->s->torn, 1, __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

static void hash__two_slots_and_control(void **state)
{
	struct weir_maps_env env = {.slots = 2};
	struct weir_map_def def = {.type = BPF_MAP_TYPE_HASH,
				   .key_size = 8,
				   .value_size = sizeof(struct value),
				   .max_entries = ENTRIES,
				   .name = "torture"};
	struct shared s = {0};
	struct thread t[3] = {{&s, 0, 11}, {&s, 1, 22}, {&s, 0, 33}};
	pthread_t id[3];
	uint64_t key, seen = 0, at = 0, v_count = 0;
	struct value v;

	assert_int_equal(weir_map_new(&env, &def, NULL, &s.map), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			pthread_create(&id[i], NULL, i < 2 ? slot_thread : control_thread, &t[i]),
			0);
	pthread_join(id[0], NULL);
	pthread_join(id[1], NULL);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(id[2], NULL);
	assert_int_equal(s.torn, 0);
	for (key = 0; key < KEYS; key++)
		if (!s.map->ops->ctl_lookup(s.map, &key, &v, 0, -1)) {
			assert_true(whole(&v, key));
			v_count++;
		}
	assert_int_equal(v_count, s.map->ops->ctl_count(s.map));
	for (uint64_t *p = NULL; !s.map->ops->ctl_next_key(s.map, p, &key); p = &at) {
		at = key;
		seen++;
	}
	assert_int_equal(seen, v_count);
	/* no element was lost: the map can be filled to the brim, and no further */
	for (key = 1000; key < 1000 + ENTRIES - v_count; key++)
		assert_int_equal(s.map->ops->ctl_update(s.map, &key, &v, BPF_ANY, -1), 0);
	assert_int_equal(s.map->ops->ctl_update(s.map, &key, &v, BPF_ANY, -1), -E2BIG);
	weir_map_free(&s.map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash__two_slots_and_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
