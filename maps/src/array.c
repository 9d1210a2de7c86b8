/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arrays and per-CPU arrays.
 *
 * Concurrency: elements exist from creation to the end, so nothing is ever installed or removed.
 * Values are written in place by any slot and by the control side at the same time, without a
 * lock, as in Linux: an aligned word is never torn, a value of several words may be read half
 * updated, and counters shared between slots need atomic instructions. A per-CPU array's value of
 * slot s is written by slot s, and by the control side where it is told to.
 * A frozen RDONLY_PROG array's memory is read-only for weird itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "maps_internal.h"

struct array_map {
	struct weir_map map;
	struct weir_region region;
};

static void *array_prog_lookup(struct weir_map *map, const void *key, struct weir_exec *exec)
{
	uint32_t i = weir_load_u32(key);

	if (weir_unlikely(i >= map->def.max_entries))
		return NULL;
	return map->values + (uint64_t)i * map->stride_bytes;
}

static void *percpu_prog_lookup(struct weir_map *map, const void *key, struct weir_exec *exec)
{
	uint32_t i = weir_load_u32(key);

	if (weir_unlikely(i >= map->def.max_entries))
		return NULL;
	return map->values + weir_map_slot(exec) * map->slot_bytes +
	       (uint64_t)i * map->stride_bytes;
}

/* The element of a key for an update; the errors of Linux in Linux's order. */
static int array_place(struct weir_map *map, const void *key, uint64_t flags, uint8_t **out)
{
	uint32_t i = weir_load_u32(key);
	int err = weir_update_flags_check(flags);

	if (err)
		return err;
	if (i >= map->def.max_entries)
		return -E2BIG;
	if (flags == BPF_NOEXIST)
		return -EEXIST;
	*out = map->values + (uint64_t)i * map->stride_bytes;
	return 0;
}

static int array_prog_update(struct weir_map *map, const void *key, const void *value,
			     uint64_t flags, struct weir_exec *exec)
{
	uint8_t *at;
	int err = array_place(map, key, flags, &at);

	if (err)
		return err;
	if (map->is_per_cpu)
		at += weir_map_slot(exec) * map->slot_bytes;
	weir_value_copy(at, value, map->def.value_size);
	return 0;
}

static int array_prog_delete(struct weir_map *map, const void *key, struct weir_exec *exec)
{
	return -EINVAL;
}

static int array_ctl_lookup(struct weir_map *map, const void *key, void *value, uint64_t flags,
			    int cpu)
{
	uint32_t i = weir_load_u32(key);
	const uint8_t *at;

	if (flags)
		return -EINVAL;
	if (i >= map->def.max_entries)
		return -ENOENT;
	at = map->values + (uint64_t)i * map->stride_bytes;
	if (map->is_per_cpu)
		weir_percpu_read(map, at, value, cpu);
	else
		memcpy(value, at, map->def.value_size);
	return 0;
}

static int array_ctl_update(struct weir_map *map, const void *key, const void *value,
			    uint64_t flags, int cpu)
{
	uint8_t *at;
	int err;

	if (weir_map_frozen(map))
		return -EPERM;
	err = array_place(map, key, flags, &at);
	if (err)
		return err;
	if (map->is_per_cpu)
		weir_percpu_write(map, at, value, cpu);
	else
		weir_value_copy(at, value, map->def.value_size);
	return 0;
}

static int array_ctl_delete(struct weir_map *map, const void *key)
{
	return weir_map_frozen(map) ? -EPERM : -EINVAL;
}

static int array_ctl_next_key(struct weir_map *map, const void *key, void *next)
{
	return weir_array_next_key(map->def.max_entries, key, next);
}

static int array_ctl_freeze(struct weir_map *map)
{
	struct array_map *a = weir_container_of(map, struct array_map, map);
	int err;

	if (weir_map_frozen(map))
		return -EBUSY;
	/* Programs may go on writing unless the map forbids it; then the values are constants. */
	if (map->def.flags & BPF_F_RDONLY_PROG) {
		err = weir_region_freeze(&a->region);
		if (err)
			return err;
	}
	__atomic_store_n(&map->frozen, true, __ATOMIC_RELEASE);
	return 0;
}

static uint64_t array_ctl_count(struct weir_map *map)
{
	return map->def.max_entries;
}

static void array_free(struct weir_map *map)
{
	struct array_map *a = weir_container_of(map, struct array_map, map);

	weir_region_free(&a->region);
	free(a);
}

WEIR_MAP_DIRECT(array, array_prog_lookup, array_prog_update, array_prog_delete)
WEIR_MAP_DIRECT(percpu, percpu_prog_lookup, array_prog_update, array_prog_delete)

static const struct weir_map_ops array_ops = {
	.type = BPF_MAP_TYPE_ARRAY,
	.name = "array",
	.prog_lookup = array_prog_lookup,
	.prog_update = array_prog_update,
	.prog_delete = array_prog_delete,
	.ctl_lookup = array_ctl_lookup,
	.ctl_update = array_ctl_update,
	.ctl_delete = array_ctl_delete,
	.ctl_next_key = array_ctl_next_key,
	.ctl_freeze = array_ctl_freeze,
	.ctl_count = array_ctl_count,
	.free = array_free,
	.direct_lookup = array_direct_lookup,
	.direct_update = array_direct_update,
	.direct_delete = array_direct_delete,
};

static const struct weir_map_ops percpu_array_ops = {
	.type = BPF_MAP_TYPE_PERCPU_ARRAY,
	.name = "percpu_array",
	.prog_lookup = percpu_prog_lookup,
	.prog_update = array_prog_update,
	.prog_delete = array_prog_delete,
	.ctl_lookup = array_ctl_lookup,
	.ctl_update = array_ctl_update,
	.ctl_delete = array_ctl_delete,
	.ctl_next_key = array_ctl_next_key,
	.ctl_freeze = array_ctl_freeze,
	.ctl_count = array_ctl_count,
	.free = array_free,
	.direct_lookup = percpu_direct_lookup,
	.direct_update = percpu_direct_update,
	.direct_delete = percpu_direct_delete,
};

static int array_check(const struct weir_map_def *def, struct weir_diag *diag)
{
	bool per_cpu = def->type == BPF_MAP_TYPE_PERCPU_ARRAY;

	if (def->key_size != 4)
		return weir_fail(diag, -EINVAL, "map %s: key_size %u, expected 4 for an array",
				 def->name, def->key_size);
	if (!def->value_size)
		return weir_fail(diag, -EINVAL, "map %s: value_size is 0", def->name);
	if (!def->max_entries)
		return weir_fail(diag, -EINVAL, "map %s: max_entries is 0", def->name);
	if (per_cpu && (def->flags & BPF_F_NUMA_NODE))
		return weir_fail(diag, -EINVAL, "map %s: per-CPU values have no NUMA node",
				 def->name);
	if (def->value_size > INT32_MAX)
		return weir_fail(diag, -E2BIG, "map %s: value_size %u, expected at most %d",
				 def->name, def->value_size, INT32_MAX);
	if (per_cpu && weir_align_up(def->value_size, 8) > WEIR_MAP_PERCPU_VALUE_MAX)
		return weir_fail(diag, -E2BIG,
				 "map %s: value_size %u, expected at most %u in a per-CPU map",
				 def->name, def->value_size, WEIR_MAP_PERCPU_VALUE_MAX);
	return 0;
}

static int array_create(const struct weir_maps_env *env, const struct weir_map_def *def,
			struct weir_diag *diag, struct weir_map **out)
{
	bool per_cpu = def->type == BPF_MAP_TYPE_PERCPU_ARRAY;
	uint64_t stride = weir_align_up(def->value_size, 8);
	uint64_t one = weir_align_up(stride * def->max_entries, WEIR_CACHE_LINE);
	uint32_t slots = per_cpu ? env->slots : 1;
	struct array_map *a;
	uint64_t bytes;
	int err;

	/* stride < 2^32 and max_entries < 2^32: only the last product can leave 64 bits. */
	if (__builtin_mul_overflow(one, (uint64_t)slots, &bytes) || bytes > SIZE_MAX / 2)
		return weir_fail(diag, -ENOMEM, "map %s: %u values of %u bytes: too large",
				 def->name, def->max_entries, def->value_size);
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	weir_map_head_init(&a->map, per_cpu ? &percpu_array_ops : &array_ops, def);
	err = weir_region_new(a->map.def.name, bytes, diag, &a->region);
	if (err) {
		free(a);
		return err;
	}
	a->map.values = a->region.base;
	a->map.slots = slots;
	a->map.is_per_cpu = per_cpu;
	a->map.slot_bytes = per_cpu ? one : 0;
	a->map.memfd = a->region.memfd;
	a->map.region_bytes = a->region.bytes;
	*out = &a->map;
	return 0;
}

const struct weir_map_type weir_map_type_array = {
	.type = BPF_MAP_TYPE_ARRAY,
	.name = "array",
	.flags_allowed = BPF_F_NUMA_NODE | WEIR_MAP_ACCESS_FLAGS | BPF_F_MMAPABLE | BPF_F_INNER_MAP,
	.check = array_check,
	.create = array_create,
};

const struct weir_map_type weir_map_type_percpu_array = {
	.type = BPF_MAP_TYPE_PERCPU_ARRAY,
	.name = "percpu_array",
	.flags_allowed = BPF_F_NUMA_NODE | WEIR_MAP_ACCESS_FLAGS,
	.check = array_check,
	.create = array_create,
};
