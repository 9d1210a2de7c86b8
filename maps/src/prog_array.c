/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prog arrays: program ids in the region (for dumps), resolved code in private memory.
 *
 * Concurrency: tail calls load tail_slots[i] with acquire order on any worker, inside its RCU read
 * section. ctl_set_code publishes with one release store; the caller keeps replaced code alive for
 * a grace period. Control threads are serialised by the registry, which also holds the references.
 */
#include <errno.h>
#include <stdlib.h>

#include "maps_internal.h"

struct prog_array {
	struct weir_map map;
	struct weir_region region;
	uint32_t *ids; /* in the region */
};

static struct prog_array *of(struct weir_map *map)
{
	return weir_container_of(map, struct prog_array, map);
}

static void *prog_array_prog_lookup(struct weir_map *map, const void *key, struct weir_exec *exec)
{
	return NULL; /* the verifier refuses look-ups: values are of no use to a program */
}

static int prog_array_prog_update(struct weir_map *map, const void *key, const void *value,
				  uint64_t flags, struct weir_exec *exec)
{
	return -EOPNOTSUPP;
}

static int prog_array_prog_delete(struct weir_map *map, const void *key, struct weir_exec *exec)
{
	return -EOPNOTSUPP;
}

static int prog_array_ctl_lookup(struct weir_map *map, const void *key, void *value, uint64_t flags,
				 int cpu)
{
	uint32_t i = weir_load_u32(key), id;

	if (flags)
		return -EINVAL;
	if (i >= map->def.max_entries)
		return -ENOENT;
	id = __atomic_load_n(&of(map)->ids[i], __ATOMIC_RELAXED);
	if (!id)
		return -ENOENT;
	weir_store_u32(value, id);
	return 0;
}

/* Values are programs: the registry resolves them and calls ctl_set_code. */
static int prog_array_ctl_update(struct weir_map *map, const void *key, const void *value,
				 uint64_t flags, int cpu)
{
	return -EOPNOTSUPP;
}

static int prog_array_set_code(struct weir_map *map, uint32_t index, uint32_t prog_id,
			       const struct weir_code *code)
{
	struct prog_array *a = of(map);

	if (index >= map->def.max_entries)
		return -E2BIG;
	if (!code && !a->ids[index])
		return -ENOENT;
	__atomic_store_n(&map->tail_slots[index], code, __ATOMIC_RELEASE);
	__atomic_store_n(&a->ids[index], prog_id, __ATOMIC_RELAXED);
	return 0;
}

static int prog_array_ctl_delete(struct weir_map *map, const void *key)
{
	if (weir_map_frozen(map))
		return -EPERM;
	return prog_array_set_code(map, weir_load_u32(key), 0, NULL);
}

static int prog_array_ctl_next_key(struct weir_map *map, const void *key, void *next)
{
	return weir_array_next_key(map->def.max_entries, key, next);
}

static int prog_array_ctl_freeze(struct weir_map *map)
{
	if (weir_map_frozen(map))
		return -EBUSY;
	__atomic_store_n(&map->frozen, true, __ATOMIC_RELEASE);
	return 0;
}

static uint64_t prog_array_ctl_count(struct weir_map *map)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < map->def.max_entries; i++)
		n += __atomic_load_n(&of(map)->ids[i], __ATOMIC_RELAXED) != 0;
	return n;
}

static void prog_array_free(struct weir_map *map)
{
	weir_region_free(&of(map)->region);
	free(map->tail_slots);
	free(of(map));
}

static const struct weir_map_ops prog_array_ops = {
	.type = BPF_MAP_TYPE_PROG_ARRAY,
	.name = "prog_array",
	.prog_lookup = prog_array_prog_lookup,
	.prog_update = prog_array_prog_update,
	.prog_delete = prog_array_prog_delete,
	.ctl_lookup = prog_array_ctl_lookup,
	.ctl_update = prog_array_ctl_update,
	.ctl_delete = prog_array_ctl_delete,
	.ctl_next_key = prog_array_ctl_next_key,
	.ctl_freeze = prog_array_ctl_freeze,
	.ctl_set_code = prog_array_set_code,
	.ctl_count = prog_array_ctl_count,
	.free = prog_array_free,
};

static int prog_array_check(const struct weir_map_def *def, struct weir_diag *diag)
{
	if (def->key_size != 4 || def->value_size != 4)
		return weir_fail(
			diag, -EINVAL,
			"map %s: key_size %u, value_size %u, expected 4 and 4 for a prog array",
			def->name, def->key_size, def->value_size);
	if (!def->max_entries)
		return weir_fail(diag, -EINVAL, "map %s: max_entries is 0", def->name);
	/* A program could else change which programs run; Linux refuses the same flags. */
	if (def->flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG))
		return weir_fail(diag, -EINVAL,
				 "map %s: a prog array takes no BPF_F_RDONLY_PROG or _WRONLY_PROG",
				 def->name);
	return 0;
}

static int prog_array_create(const struct weir_maps_env *env, const struct weir_map_def *def,
			     struct weir_diag *diag, struct weir_map **out)
{
	struct prog_array *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	weir_map_head_init(&a->map, &prog_array_ops, def);
	a->map.tail_slots = calloc(def->max_entries, sizeof(*a->map.tail_slots));
	err = a->map.tail_slots
		      ? weir_region_new(a->map.def.name,
					WEIR_REGION_HEADER_BYTES + (size_t)def->max_entries * 4,
					diag, &a->region)
		      : -ENOMEM;
	if (err) {
		free(a->map.tail_slots);
		free(a);
		return err;
	}
	weir_region_header_set(&a->region, def, 1);
	a->ids = (void *)(a->region.base + WEIR_REGION_HEADER_BYTES);
	a->map.memfd = a->region.memfd;
	a->map.region_bytes =
		a->region.bytes + (uint64_t)def->max_entries * sizeof(*a->map.tail_slots);
	*out = &a->map;
	return 0;
}

const struct weir_map_type weir_map_type_prog_array = {
	.type = BPF_MAP_TYPE_PROG_ARRAY,
	.name = "prog_array",
	.flags_allowed = BPF_F_NUMA_NODE | WEIR_MAP_ACCESS_FLAGS,
	.check = prog_array_check,
	.create = prog_array_create,
};
