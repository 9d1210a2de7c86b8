/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "maps_internal.h"

/* The one list of map types. */
static const struct weir_map_type *const types[] = {
	&weir_map_type_array,       &weir_map_type_percpu_array, &weir_map_type_hash,
	&weir_map_type_percpu_hash, &weir_map_type_prog_array,   &weir_map_type_devmap,
};

static const struct weir_map_type *find_type(uint32_t type)
{
	for (size_t i = 0; i < WEIR_ARRAY_LEN(types); i++)
		if (types[i]->type == type)
			return types[i];
	return NULL;
}

const char *weir_map_type_name(uint32_t type)
{
	const struct weir_map_type *t = find_type(type);

	return t ? t->name : NULL;
}

uint32_t weir_map_type_parse(const char *name)
{
	for (size_t i = 0; i < WEIR_ARRAY_LEN(types); i++)
		if (!strcmp(types[i]->name, name))
			return types[i]->type;
	return 0;
}

static int check_node(const struct weir_map_def *def, struct weir_diag *diag)
{
	char path[64];

	if (!(def->flags & BPF_F_NUMA_NODE))
		return 0;
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", def->numa_node);
	if (def->numa_node && access(path, F_OK))
		return weir_fail(diag, -EINVAL, "map %s: numa_node %u: no such node", def->name,
				 def->numa_node);
	return 0;
}

int weir_map_def_check(const struct weir_map_def *def, struct weir_diag *diag)
{
	const struct weir_map_type *t = find_type(def->type);
	uint32_t both = BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;

	if (!t)
		return weir_fail(diag, -EINVAL, "map %s: type %u is not supported", def->name,
				 def->type);
	if (def->flags & ~t->flags_allowed)
		return weir_fail(diag, -EINVAL, "map %s: a %s does not take flags %#x", def->name,
				 t->name, def->flags & ~t->flags_allowed);
	if ((def->flags & both) == both)
		return weir_fail(
			diag, -EINVAL,
			"map %s: BPF_F_RDONLY_PROG and BPF_F_WRONLY_PROG exclude each other",
			def->name);
	if (def->map_extra)
		return weir_fail(diag, -EINVAL, "map %s: a %s does not take map_extra", def->name,
				 t->name);
	if (check_node(def, diag))
		return -EINVAL;
	return t->check(def, diag);
}

int weir_map_new(const struct weir_maps_env *env, const struct weir_map_def *def,
		 struct weir_diag *diag, struct weir_map **out)
{
	int err = weir_map_def_check(def, diag);

	if (err)
		return err;
	return find_type(def->type)->create(env, def, diag, out);
}

void weir_map_free(struct weir_map **map)
{
	if (!*map)
		return;
	(*map)->ops->free(*map);
	*map = NULL;
}

void weir_map_head_init(struct weir_map *map, const struct weir_map_ops *ops,
			const struct weir_map_def *def)
{
	map->ops = ops;
	map->def = *def;
	map->def.name[sizeof(map->def.name) - 1] = '\0';
	map->stride_bytes = (uint32_t)weir_align_up(def->value_size, 8);
	map->slots = 1;
	map->memfd = -1;
}

void weir_value_copy(void *to, const void *from, size_t bytes)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	if (!((uintptr_t)to & 7))
		for (; bytes >= 8; bytes -= 8, t += 8, f += 8)
			__atomic_store_n((uint64_t *)(void *)t, weir_load_u64(f), __ATOMIC_RELAXED);
	memcpy(t, f, bytes);
}

int weir_array_next_key(uint32_t max_entries, const void *key, void *next)
{
	uint32_t i = key ? weir_load_u32(key) : UINT32_MAX;

	if (i >= max_entries)
		i = 0;
	else if (i == max_entries - 1)
		return -ENOENT;
	else
		i++;
	weir_store_u32(next, i);
	return 0;
}

void weir_percpu_read(const struct weir_map *map, const uint8_t *slot0, void *value, int cpu)
{
	uint8_t *to = value;

	if (cpu >= 0) {
		memcpy(to, slot0 + (uint64_t)cpu * map->slot_bytes, map->def.value_size);
		return;
	}
	for (uint32_t s = 0; s < map->slots; s++)
		memcpy(to + (size_t)s * map->stride_bytes, slot0 + s * map->slot_bytes,
		       map->stride_bytes);
}

void weir_percpu_write(const struct weir_map *map, uint8_t *slot0, const void *value, int cpu)
{
	const uint8_t *from = value;

	if (cpu >= 0) {
		weir_value_copy(slot0 + (uint64_t)cpu * map->slot_bytes, from, map->def.value_size);
		return;
	}
	for (uint32_t s = 0; s < map->slots; s++)
		weir_value_copy(slot0 + s * map->slot_bytes, from + (size_t)s * map->stride_bytes,
				map->def.value_size);
}
