/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every map type against the running kernel's map of the same definition: the same operations must
 * give the same errno, values and keys. Where bpf(2) is refused those cases are skipped; the others
 * test against written expectations.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../weir_test.h"

#include "../vm/kernel_bpf.h"
#include "weir/base/bits.h"
#include "weir/maps/maps.h"
#include "weir/vm/exec.h"
#include "weir/vm/prog.h"

#define MAX_SLOTS 64

static uint32_t kernel_cpus; /* possible CPUs: what per-CPU values of the kernel's maps have */

static uint64_t rng_state = 88172645463325252ULL;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static uint32_t possible_cpus(void)
{
	unsigned int lo = 0, hi = 0;
	FILE *f = fopen("/sys/devices/system/cpu/possible", "r");
	int n = f ? fscanf(f, "%u-%u", &lo, &hi) : 0;

	if (f)
		fclose(f);
	return n == 2 ? hi + 1 : 1;
}

static struct weir_maps_env env(void)
{
	return (struct weir_maps_env){.slots = kernel_cpus, .fixed_seed = true};
}

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

static int kernel_create(const struct weir_map_def *def)
{
	union bpf_attr attr = {
		.map_type = def->type,
		.key_size = def->key_size,
		.value_size = def->value_size,
		.max_entries = def->max_entries,
		.map_flags = def->flags,
		.numa_node = def->numa_node,
	};

	return sys_bpf(BPF_MAP_CREATE, &attr);
}

static int kernel_elem(int cmd, int fd, const void *key, const void *value, uint64_t flags)
{
	union bpf_attr attr = {
		.map_fd = (uint32_t)fd,
		.key = (uintptr_t)key,
		.value = (uintptr_t)value,
		.flags = flags,
	};

	return sys_bpf(cmd, &attr);
}

/* Large arrays would be allocated, which takes seconds each; a hash refuses them first. */
static bool may_be_tried(const struct weir_map_def *d)
{
	bool array = d->type != BPF_MAP_TYPE_HASH && d->type != BPF_MAP_TYPE_PERCPU_HASH;

	return !(array && d->max_entries > 1U << 30) && d->value_size != 1U << 22 &&
	       d->key_size != 1U << 22;
}

static void def_check__same_errno_as_linux(void **state)
{
	static const uint32_t type[] = {BPF_MAP_TYPE_ARRAY,      BPF_MAP_TYPE_PERCPU_ARRAY,
					BPF_MAP_TYPE_HASH,       BPF_MAP_TYPE_PERCPU_HASH,
					BPF_MAP_TYPE_PROG_ARRAY, BPF_MAP_TYPE_DEVMAP};
	static const uint32_t sizes[] = {0, 1, 4, 5, 8, 64, 32768, 32769, 1 << 22, UINT32_MAX};
	static const uint32_t entries[] = {0, 1, 7, (1U << 31) + 1};
	static const uint32_t flags[] = {0,
					 BPF_F_NO_PREALLOC,
					 BPF_F_NO_COMMON_LRU,
					 BPF_F_RDONLY,
					 BPF_F_WRONLY,
					 BPF_F_RDONLY_PROG,
					 BPF_F_WRONLY_PROG,
					 BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG,
					 BPF_F_MMAPABLE,
					 BPF_F_ZERO_SEED,
					 BPF_F_INNER_MAP,
					 BPF_F_PRESERVE_ELEMS,
					 BPF_F_NUMA_NODE,
					 1U << 30};
	struct weir_map_def d = {.name = "t"};
	int compared = 0;

	SKIP_WITHOUT_KERNEL_BPF();
	for (size_t t = 0; t < WEIR_ARRAY_LEN(type); t++)
		for (size_t k = 0; k < WEIR_ARRAY_LEN(sizes); k++)
			for (size_t v = 0; v < WEIR_ARRAY_LEN(sizes); v++)
				for (size_t n = 0; n < WEIR_ARRAY_LEN(entries); n++)
					for (size_t f = 0; f < WEIR_ARRAY_LEN(flags); f++) {
						int fd, err;

						d.type = type[t];
						d.key_size = sizes[k];
						d.value_size = sizes[v];
						d.max_entries = entries[n];
						d.flags = flags[f];
						/* Linux would really allocate these */
						if (!may_be_tried(&d))
							continue;
						fd = kernel_create(&d);
						if (fd >= 0)
							close(fd);
						err = weir_map_def_check(&d, NULL);
						/* sizes that pass the checks may still not fit */
						if (fd == -ENOMEM ||
						    (fd == -E2BIG && !err && n == 3))
							continue;
						compared++;
						if (err != (fd < 0 ? fd : 0))
							fail_msg("type %u key %u value %u entries "
								 "%u "
								 "flags %#x: %d, Linux %d",
								 d.type, d.key_size, d.value_size,
								 d.max_entries, d.flags, err, fd);
					}
	assert_true(compared > 10000);
}

/* One random operation on both; compares result and value. */
struct pair {
	struct weir_map *map;
	int fd;
	uint32_t keys; /* keys are 0..keys - 1, in the key's first bytes */
};

static size_t transfer_bytes(const struct weir_map *map)
{
	return weir_map_value_bytes(map);
}

static void random_op(struct pair *p, int step)
{
	uint8_t key[64] = {0}, a[64 * MAX_SLOTS], b[64 * MAX_SLOTS];
	static const uint64_t flags[] = {BPF_ANY,   BPF_ANY, BPF_ANY,   BPF_NOEXIST,
					 BPF_EXIST, 3,       BPF_F_LOCK};
	size_t bytes = transfer_bytes(p->map);
	uint32_t k = (uint32_t)(rng() % p->keys);
	uint64_t flag = flags[rng() % WEIR_ARRAY_LEN(flags)];
	int ours, linux_err, op = (int)(rng() % 8);

	memcpy(key, &k, p->map->def.key_size < 4 ? p->map->def.key_size : 4);
	memset(a, 0xa5, sizeof(a));
	memcpy(b, a, sizeof(b));
	if (op < 4) {
		for (size_t i = 0; i < bytes; i++)
			a[i] = (uint8_t)rng();
		ours = p->map->ops->ctl_update(p->map, key, a, flag, -1);
		linux_err = kernel_elem(BPF_MAP_UPDATE_ELEM, p->fd, key, a, flag);
	} else if (op < 6) {
		ours = p->map->ops->ctl_lookup(p->map, key, a, 0, -1);
		linux_err = kernel_elem(BPF_MAP_LOOKUP_ELEM, p->fd, key, b, 0);
		for (size_t i = 0; i < bytes && !ours && p->map->is_per_cpu; i++)
			if (i % p->map->stride_bytes >= p->map->def.value_size)
				a[i] = b[i]; /* padding between slots is nobody's */
		if (!ours && memcmp(a, b, bytes))
			fail_msg("step %d: look-up of key %u differs", step, k);
	} else {
		ours = p->map->ops->ctl_delete(p->map, key);
		linux_err = kernel_elem(BPF_MAP_DELETE_ELEM, p->fd, key, NULL, 0);
	}
	if (ours != linux_err)
		fail_msg("step %d: op %d key %u flags %#lx: %d, Linux %d", step, op, k,
			 (unsigned long)flag, ours, linux_err);
}

/* Both maps hold the same key → value set. */
static void compare_all(struct pair *p)
{
	uint8_t key[64], next[64], a[64 * MAX_SLOTS], b[64 * MAX_SLOTS];
	uint64_t n = 0, linux_n = 0;
	uint8_t *at = NULL;

	while (!p->map->ops->ctl_next_key(p->map, at, next)) {
		int ours = p->map->ops->ctl_lookup(p->map, next, a, 0, -1);
		int linux_err = kernel_elem(BPF_MAP_LOOKUP_ELEM, p->fd, next, b, 0);

		assert_int_equal(ours, linux_err);
		memcpy(key, next, sizeof(key));
		at = key;
		assert_true(++n <= p->map->def.max_entries);
	}
	at = NULL;
	while (!kernel_elem(BPF_MAP_GET_NEXT_KEY, p->fd, at, next, 0)) {
		memcpy(key, next, sizeof(key));
		at = key;
		linux_n++;
	}
	assert_int_equal(n, linux_n);
	assert_int_equal(n, p->map->ops->ctl_count(p->map));
}

static void run_pair(struct weir_map_def def, uint32_t keys, int steps)
{
	struct weir_maps_env e = env();
	struct pair p = {.keys = keys};

	strcpy(def.name, "pair");
	p.fd = kernel_create(&def);
	assert_true(p.fd >= 0);
	assert_int_equal(weir_map_new(&e, &def, NULL, &p.map), 0);
	for (int i = 0; i < steps; i++)
		random_op(&p, i);
	compare_all(&p);
	weir_map_free(&p.map);
	close(p.fd);
}

static void map_ops__array_like_linux(void **state)
{
	SKIP_WITHOUT_KERNEL_BPF();
	run_pair((struct weir_map_def){BPF_MAP_TYPE_ARRAY, 4, 8, 16}, 20, 20000);
	run_pair((struct weir_map_def){BPF_MAP_TYPE_ARRAY, 4, 13, 5}, 8, 20000);
	run_pair((struct weir_map_def){BPF_MAP_TYPE_PERCPU_ARRAY, 4, 24, 7}, 9, 20000);
	run_pair((struct weir_map_def){BPF_MAP_TYPE_PERCPU_ARRAY, 4, 3, 7}, 9, 20000);
}

static void map_ops__hash_like_linux(void **state)
{
	SKIP_WITHOUT_KERNEL_BPF();
	run_pair((struct weir_map_def){BPF_MAP_TYPE_HASH, 4, 8, 16}, 24, 50000);
	run_pair((struct weir_map_def){BPF_MAP_TYPE_HASH, 1, 1, 3}, 5, 20000);
	run_pair((struct weir_map_def){BPF_MAP_TYPE_HASH, 16, 40, 100}, 130, 50000);
	run_pair((struct weir_map_def){BPF_MAP_TYPE_HASH, 37, 5, 64, BPF_F_NO_PREALLOC}, 80, 50000);
	run_pair((struct weir_map_def){BPF_MAP_TYPE_HASH, 8, 8, 1}, 3, 20000);
	run_pair((struct weir_map_def){BPF_MAP_TYPE_HASH, 13, 8, 1000}, 1200, 100000);
}

static void map_ops__percpu_hash_like_linux(void **state)
{
	SKIP_WITHOUT_KERNEL_BPF();
	run_pair((struct weir_map_def){BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 16}, 24, 50000);
	run_pair((struct weir_map_def){BPF_MAP_TYPE_PERCPU_HASH, 6, 20, 50}, 60, 50000);
}

static struct weir_map *make(uint32_t type, uint32_t key, uint32_t value, uint32_t entries,
			     uint32_t flags)
{
	struct weir_maps_env e = {.slots = 3};
	struct weir_map_def def = {.type = type,
				   .key_size = key,
				   .value_size = value,
				   .max_entries = entries,
				   .flags = flags,
				   .name = "m"};
	struct weir_map *map;

	assert_int_equal(weir_map_new(&e, &def, NULL, &map), 0);
	return map;
}

static struct weir_exec exec_on(uint32_t slot)
{
	struct weir_exec exec;

	weir_exec_init(&exec, slot, 3, NULL);
	return exec;
}

static void hash__holds_exactly_max_entries_from_any_side(void **state)
{
	struct weir_map *map = make(BPF_MAP_TYPE_HASH, 8, 8, 1000, 0);
	struct weir_exec e0 = exec_on(0), e1 = exec_on(1);
	uint64_t k, v = 1;

	for (k = 0; k < 1000; k++)
		assert_int_equal(map->ops->prog_update(map, &k, &v, BPF_ANY, k & 1 ? &e0 : &e1), 0);
	assert_int_equal(map->ops->prog_update(map, &k, &v, BPF_ANY, &e0), -E2BIG);
	assert_int_equal(map->ops->ctl_update(map, &k, &v, BPF_ANY, -1), -E2BIG);
	/* full: keys that are there can still be replaced, from every side */
	for (k = 0; k < 1000; k++) {
		v = k + 5;
		assert_int_equal(map->ops->prog_update(map, &k, &v, BPF_ANY, &e0), 0);
		assert_int_equal(map->ops->ctl_update(map, &k, &v, BPF_EXIST, -1), 0);
	}
	/* a deleted element is reusable at once */
	for (k = 0; k < 1000; k++) {
		uint64_t n = k + 5000;

		assert_int_equal(map->ops->prog_delete(map, &k, &e1), 0);
		assert_int_equal(map->ops->prog_update(map, &n, &v, BPF_NOEXIST, &e0), 0);
	}
	assert_int_equal(map->ops->ctl_count(map), 1000);
	for (k = 5000; k < 6000; k++)
		assert_non_null(map->ops->prog_lookup(map, &k, &e0));
	weir_map_free(&map);
}

static void hash__pointer_survives_update_and_delete(void **state)
{
	struct weir_map *map = make(BPF_MAP_TYPE_HASH, 4, 8, 2, 0);
	struct weir_exec e = exec_on(0);
	uint32_t k = 1;
	uint64_t v = 10, *held;

	map->ops->prog_update(map, &k, &v, BPF_ANY, &e);
	held = map->ops->prog_lookup(map, &k, &e);
	v = 20;
	map->ops->prog_update(map, &k, &v, BPF_ANY, &e);
	assert_int_equal(*held, 10); /* the old element */
	held = map->ops->prog_lookup(map, &k, &e);
	assert_int_equal(*held, 20);
	map->ops->prog_delete(map, &k, &e);
	k = 2;
	v = 30;
	map->ops->prog_update(map, &k, &v, BPF_ANY, &e);
	assert_int_equal(*held, 30); /* aliases the new element, as in Linux */
	weir_map_free(&map);
}

static void hash__iteration_misses_nothing_that_stays(void **state)
{
	struct weir_map *map = make(BPF_MAP_TYPE_HASH, 4, 4, 512, 0);
	bool seen[512] = {false};
	uint32_t key, next, *at = NULL;

	for (uint32_t k = 0; k < 512; k++)
		assert_int_equal(map->ops->ctl_update(map, &k, &k, BPF_ANY, -1), 0);
	/* odd keys are deleted while the walk goes on; even ones must all be seen */
	for (uint32_t del = 1; !map->ops->ctl_next_key(map, at, &next);) {
		seen[next] = true;
		if (del < 512 && del != next) {
			map->ops->ctl_delete(map, &del);
			del += 2;
		}
		key = next;
		at = &key;
	}
	for (uint32_t k = 0; k < 512; k += 2)
		assert_true(seen[k]);
	weir_map_free(&map);
}

static void percpu_hash__new_element_is_zero_elsewhere(void **state)
{
	struct weir_map *map = make(BPF_MAP_TYPE_PERCPU_HASH, 4, 4, 1, 0);
	struct weir_exec e0 = exec_on(0), e1 = exec_on(1);
	uint32_t k = 1, v = 7, all[6];

	map->ops->prog_update(map, &k, &v, BPF_ANY, &e0);
	map->ops->prog_update(map, &k, &v, BPF_ANY, &e1);
	map->ops->prog_delete(map, &k, &e0);
	k = 2;
	v = 9;
	map->ops->prog_update(map, &k, &v, BPF_ANY, &e1);
	assert_int_equal(map->ops->ctl_lookup(map, &k, all, 0, -1), 0);
	assert_int_equal(all[0], 0);
	assert_int_equal(all[2], 9);
	assert_int_equal(all[4], 0);
	assert_int_equal(*(uint32_t *)map->ops->prog_lookup(map, &k, &e1), 9);
	assert_int_equal(map->ops->ctl_lookup(map, &k, &v, 0, 0), 0);
	assert_int_equal(v, 0);
	weir_map_free(&map);
}

static void percpu_array__each_slot_its_own(void **state)
{
	struct weir_map *map = make(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 2, 0);
	struct weir_exec e0 = exec_on(0), e2 = exec_on(2);
	uint64_t key = 1, mine = 7, other = 9, all[3];
	uintptr_t k = (uintptr_t)&key, m = (uintptr_t)map;

	assert_int_equal(map->ops->direct_update(m, k, (uintptr_t)&mine, BPF_ANY, 0, &e0), 0);
	assert_int_equal(map->ops->direct_update(m, k, (uintptr_t)&other, BPF_ANY, 0, &e2), 0);
	assert_int_equal(*(uint64_t *)map->ops->direct_lookup(m, k, 0, 0, 0, &e0), 7);
	assert_int_equal(*(uint64_t *)map->ops->direct_lookup(m, k, 0, 0, 0, &e2), 9);
	assert_int_equal(map->ops->ctl_lookup(map, &key, all, 0, -1), 0);
	assert_int_equal(all[0], 7);
	assert_int_equal(all[1], 0);
	assert_int_equal(all[2], 9);
	key = 2;
	assert_int_equal(map->ops->direct_lookup(m, k, 0, 0, 0, &e0), 0);
	assert_int_equal(map->ops->direct_delete(m, k, 0, 0, 0, &e0), (uint64_t)-EINVAL);
	weir_map_free(&map);
}

static void freeze__constants_cannot_change(void **state)
{
	struct weir_map *map = make(BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_RDONLY_PROG);
	uint32_t k = 1;
	uint64_t v = 7, got;

	assert_int_equal(map->ops->ctl_update(map, &k, &v, BPF_ANY, -1), 0);
	assert_int_equal(map->ops->ctl_freeze(map), 0);
	assert_int_equal(map->ops->ctl_freeze(map), -EBUSY);
	assert_int_equal(map->ops->ctl_update(map, &k, &v, BPF_ANY, -1), -EPERM);
	assert_int_equal(map->ops->ctl_lookup(map, &k, &got, 0, -1), 0);
	assert_int_equal(got, 7);
	assert_int_equal(pwrite(map->memfd, &v, 8, 0), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map->memfd, 0),
			 MAP_FAILED);
	weir_map_free(&map);
}

static void freeze__busy_while_mapped_writable(void **state)
{
	struct weir_map *map =
		make(BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_RDONLY_PROG | BPF_F_MMAPABLE);
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map->memfd, 0);
	uint64_t v = 9, got;
	uint32_t k = 0;

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(map->ops->ctl_freeze(map), -EBUSY);
	assert_int_equal(map->ops->ctl_update(map, &k, &v, BPF_ANY, -1), 0);
	munmap(p, 4096);
	assert_int_equal(map->ops->ctl_freeze(map), 0);
	assert_int_equal(map->ops->ctl_lookup(map, &k, &got, 0, -1), 0);
	assert_int_equal(got, 9);
	weir_map_free(&map);
}

static void region__nobody_else_may_reopen_it(void **state)
{
	struct weir_map *map = make(BPF_MAP_TYPE_HASH, 4, 8, 4, 0);
	struct stat st;

	assert_int_equal(fstat(map->memfd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(ftruncate(map->memfd, 0), -1);
	assert_int_equal(st.st_size, map->memfd < 0 ? 0 : st.st_size);
	assert_true((uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size); /* all allocated */
	weir_map_free(&map);
}

static void map_new__too_large_is_an_error(void **state)
{
	struct weir_maps_env e = {.slots = 3};
	struct weir_map_def def = {BPF_MAP_TYPE_ARRAY, 4, 1U << 30, UINT32_MAX, .name = "huge"};
	struct weir_map *map = NULL;
	char text[256];
	struct weir_diag diag;

	weir_diag_init(&diag, text, sizeof(text));
	assert_int_equal(weir_map_new(&e, &def, &diag, &map), -ENOMEM);
	assert_null(map);
	assert_non_null(strstr(text, "map"));
	def = (struct weir_map_def){BPF_MAP_TYPE_PERCPU_HASH, 4, 32768, 1U << 31, .name = "huge"};
	assert_int_equal(weir_map_new(&e, &def, NULL, &map), -ENOMEM);
	def = (struct weir_map_def){BPF_MAP_TYPE_HASH, 4, 1U << 20, 1U << 31, .name = "huge"};
	assert_int_equal(weir_map_new(&e, &def, NULL, &map), -ENOMEM);
	assert_null(map);
}

static void prog_array__slots(void **state)
{
	struct weir_map *map = make(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 3, 0);
	struct weir_code code = {0};
	uint32_t k = 1, id = 0;

	assert_int_equal(map->ops->ctl_lookup(map, &k, &id, 0, -1), -ENOENT);
	assert_int_equal(map->ops->ctl_set_code(map, 3, 5, &code), -E2BIG);
	assert_int_equal(map->ops->ctl_set_code(map, 1, 5, &code), 0);
	assert_ptr_equal(map->tail_slots[1], &code);
	assert_int_equal(map->ops->ctl_lookup(map, &k, &id, 0, -1), 0);
	assert_int_equal(id, 5);
	assert_int_equal(map->ops->ctl_count(map), 1);
	assert_int_equal(map->ops->ctl_delete(map, &k), 0);
	assert_null(map->tail_slots[1]);
	assert_int_equal(map->ops->ctl_delete(map, &k), -ENOENT);
	weir_map_free(&map);
}

static void devmap__ports(void **state)
{
	struct weir_map *map = make(BPF_MAP_TYPE_DEVMAP, 4, 8, 3, 0);
	uint32_t k = 1, v[2] = {17, 0}, got[2];

	assert_null(map->ops->prog_lookup(map, &k, NULL));
	assert_int_equal(map->ops->ctl_update(map, &k, v, BPF_ANY, -1), 0);
	assert_int_equal(*(uint32_t *)map->ops->prog_lookup(map, &k, NULL), 17);
	assert_int_equal(map->ops->ctl_lookup(map, &k, got, 0, -1), 0);
	assert_memory_equal(got, v, 8);
	v[1] = 4; /* a program on the way out is not there */
	assert_int_equal(map->ops->ctl_update(map, &k, v, BPF_ANY, -1), -EINVAL);
	assert_int_equal(map->ops->ctl_delete(map, &k), 0);
	assert_int_equal(map->ops->ctl_delete(map, &k), -ENOENT);
	weir_map_free(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(def_check__same_errno_as_linux),
		cmocka_unit_test(map_ops__array_like_linux),
		cmocka_unit_test(map_ops__hash_like_linux),
		cmocka_unit_test(map_ops__percpu_hash_like_linux),
		cmocka_unit_test(hash__holds_exactly_max_entries_from_any_side),
		cmocka_unit_test(hash__pointer_survives_update_and_delete),
		cmocka_unit_test(hash__iteration_misses_nothing_that_stays),
		cmocka_unit_test(percpu_hash__new_element_is_zero_elsewhere),
		cmocka_unit_test(percpu_array__each_slot_its_own),
		cmocka_unit_test(freeze__constants_cannot_change),
		cmocka_unit_test(freeze__busy_while_mapped_writable),
		cmocka_unit_test(region__nobody_else_may_reopen_it),
		cmocka_unit_test(map_new__too_large_is_an_error),
		cmocka_unit_test(prog_array__slots),
		cmocka_unit_test(devmap__ports),
	};

	kernel_cpus = possible_cpus();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
