/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Device maps: an array of ports for bpf_redirect_map. A value is an ifindex, 4 bytes, or 8 with
 * room for a program that runs on the way out (which weir's ports do not have: it must be 0).
 *
 * Concurrency: as arrays, one aligned word an element: a program reads the old port or the new
 * one. Whether a port of that index exists is asked when a packet goes there.
 */
#include <errno.h>
#include <stdlib.h>

#include "maps_internal.h"

struct devmap {
	struct weir_map map;
	struct weir_region region;
};

static uint64_t *element(struct weir_map *map, uint32_t i)
{
	return (uint64_t *)(void *)(map->values + (uint64_t)i * map->stride_bytes);
}

/* An element whose port is 0 is not there. */
static void *devmap_prog_lookup(struct weir_map *map, const void *key, struct weir_exec *exec)
{
	uint32_t i = weir_load_u32(key);

	if (i >= map->def.max_entries ||
	    !(uint32_t)__atomic_load_n(element(map, i), __ATOMIC_RELAXED))
		return NULL;
	return element(map, i);
}

static int devmap_prog_update(struct weir_map *map, const void *key, const void *value,
			      uint64_t flags, struct weir_exec *exec)
{
	return -EOPNOTSUPP;
}

static int devmap_prog_delete(struct weir_map *map, const void *key, struct weir_exec *exec)
{
	return -EOPNOTSUPP;
}

static int devmap_ctl_lookup(struct weir_map *map, const void *key, void *value, uint64_t flags,
			     int cpu)
{
	void *at = devmap_prog_lookup(map, key, NULL);

	if (flags)
		return -EINVAL;
	if (!at)
		return -ENOENT;
	memcpy(value, at, map->def.value_size);
	return 0;
}

static int devmap_ctl_update(struct weir_map *map, const void *key, const void *value,
			     uint64_t flags, int cpu)
{
	uint32_t i = weir_load_u32(key), ifindex = weir_load_u32(value);

	if (weir_map_frozen(map))
		return -EPERM;
	if (flags > BPF_EXIST)
		return -EINVAL;
	if (i >= map->def.max_entries)
		return -E2BIG;
	if (flags == BPF_NOEXIST)
		return -EEXIST;
	/* bpf_prog.fd: 0 and -1 mean none. */
	if (map->def.value_size == 8 && (int32_t)weir_load_u32((const uint8_t *)value + 4) > 0)
		return -EINVAL;
	__atomic_store_n(element(map, i), (uint64_t)ifindex, __ATOMIC_RELAXED);
	return 0;
}

static int devmap_ctl_delete(struct weir_map *map, const void *key)
{
	uint32_t i = weir_load_u32(key);

	if (weir_map_frozen(map))
		return -EPERM;
	if (i >= map->def.max_entries)
		return -EINVAL;
	if (!__atomic_exchange_n(element(map, i), 0, __ATOMIC_RELAXED))
		return -ENOENT;
	return 0;
}

static int devmap_ctl_next_key(struct weir_map *map, const void *key, void *next)
{
	return weir_array_next_key(map->def.max_entries, key, next);
}

static int devmap_ctl_freeze(struct weir_map *map)
{
	if (weir_map_frozen(map))
		return -EBUSY;
	__atomic_store_n(&map->frozen, true, __ATOMIC_RELEASE);
	return 0;
}

static uint64_t devmap_ctl_count(struct weir_map *map)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < map->def.max_entries; i++)
		n += devmap_prog_lookup(map, &i, NULL) != NULL;
	return n;
}

static void devmap_free(struct weir_map *map)
{
	struct devmap *d = weir_container_of(map, struct devmap, map);

	weir_region_free(&d->region);
	free(d);
}

static const struct weir_map_ops devmap_ops = {
	.type = BPF_MAP_TYPE_DEVMAP,
	.name = "devmap",
	.prog_lookup = devmap_prog_lookup,
	.prog_update = devmap_prog_update,
	.prog_delete = devmap_prog_delete,
	.ctl_lookup = devmap_ctl_lookup,
	.ctl_update = devmap_ctl_update,
	.ctl_delete = devmap_ctl_delete,
	.ctl_next_key = devmap_ctl_next_key,
	.ctl_freeze = devmap_ctl_freeze,
	.ctl_count = devmap_ctl_count,
	.free = devmap_free,
};

static int devmap_check(const struct weir_map_def *def, struct weir_diag *diag)
{
	if (def->key_size != 4)
		return weir_fail(diag, -EINVAL, "map %s: key_size %u, expected 4 for a devmap",
				 def->name, def->key_size);
	if (def->value_size != 4 && def->value_size != 8)
		return weir_fail(diag, -EINVAL,
				 "map %s: value_size %u, expected 4 or 8 for a devmap", def->name,
				 def->value_size);
	if (!def->max_entries)
		return weir_fail(diag, -EINVAL, "map %s: max_entries is 0", def->name);
	return 0;
}

static int devmap_create(const struct weir_maps_env *env, const struct weir_map_def *def,
			 struct weir_diag *diag, struct weir_map **out)
{
	struct devmap *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	weir_map_head_init(&d->map, &devmap_ops, def);
	/* Programs only read device maps. */
	d->map.def.flags |= BPF_F_RDONLY_PROG;
	err = weir_region_new(d->map.def.name, (size_t)d->map.stride_bytes * def->max_entries, diag,
			      &d->region);
	if (err) {
		free(d);
		return err;
	}
	d->map.values = d->region.base;
	d->map.memfd = d->region.memfd;
	d->map.region_bytes = d->region.bytes;
	*out = &d->map;
	return 0;
}

const struct weir_map_type weir_map_type_devmap = {
	.type = BPF_MAP_TYPE_DEVMAP,
	.name = "devmap",
	.flags_allowed = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.check = devmap_check,
	.create = devmap_create,
};
