/* SPDX-License-Identifier: BSD-3-Clause */
/* Maps defined by their BTF (SEC(".maps")): fields that are types, and static values. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "btf_int.h"
#include "object_int.h"
#include "weir/base/bits.h"

#define PIN_BY_NAME 1 /* LIBBPF_PIN_BY_NAME */

struct map_parse {
	struct obj *o;
	const char *map_name;
	struct weir_plan_map map;
	uint64_t values_off; /* UINT64_MAX: none */
	uint32_t inner_type; /* maps of maps: the template's struct; 0: none */
	bool is_inner;
};

static int field_fail(const struct map_parse *mp, const char *field, const char *expected,
		      uint32_t type_id)
{
	struct obj *o = mp->o;
	WEIR_DIAG_ON_STACK(found, 128);

	weir_btf_type_print(o->plan->btf, type_id, &found);
	return obj_fail(o, -EINVAL,
			"section '.maps': map '%s': field '%s': expected %s, found '%s'",
			mp->map_name, field, expected, found.buf);
}

/* __uint(name, N) is a pointer to an array of N; __ulong an enum of one value. */
static int field_uint(const struct map_parse *mp, const char *field, uint32_t type_id,
		      uint64_t *out)
{
	const struct weir_btf *btf = mp->o->plan->btf;
	const struct btf_type *t = weir_btf_skip_mods(btf, type_id, NULL);

	if (t && weir_btf_kind(t) == BTF_KIND_ENUM && BTF_INFO_VLEN(t->info) == 1) {
		*out = weir_load_u32((const char *)(t + 1) + 4);
		return 0;
	}
	if (t && weir_btf_kind(t) == BTF_KIND_ENUM64 && BTF_INFO_VLEN(t->info) == 1) {
		*out = weir_load_u64((const char *)(t + 1) + 4);
		return 0;
	}
	if (!t || weir_btf_kind(t) != BTF_KIND_PTR)
		return field_fail(mp, field, "__uint(…)", type_id);
	t = weir_btf_skip_mods(btf, t->type, NULL);
	if (!t || weir_btf_kind(t) != BTF_KIND_ARRAY)
		return field_fail(mp, field, "__uint(…)", type_id);
	*out = btf_array_of(t)->nelems;
	return 0;
}

/* __type(key, T): a pointer to T. */
static int field_type(const struct map_parse *mp, const char *field, uint32_t type_id,
		      uint32_t *out_id, uint32_t *out_size)
{
	const struct weir_btf *btf = mp->o->plan->btf;
	const struct btf_type *t = weir_btf_skip_mods(btf, type_id, NULL);
	int64_t size;

	if (!t || weir_btf_kind(t) != BTF_KIND_PTR)
		return field_fail(mp, field, "__type(…)", type_id);
	size = weir_btf_size(btf, t->type);
	if (size < 0 || size > INT32_MAX)
		return field_fail(mp, field, "a type with a size", t->type);
	if (*out_size && *out_size != (uint64_t)size)
		return obj_fail(
			mp->o, -EINVAL,
			"section '.maps': map '%s': %s_size is %u, but its type has %lld bytes",
			mp->map_name, field, *out_size, (long long)size);
	*out_id = t->type;
	*out_size = (uint32_t)size;
	return 0;
}

/* __array(values, T): what is put in at load time. */
static int field_values(struct map_parse *mp, uint32_t type_id, uint64_t off)
{
	const struct weir_btf *btf = mp->o->plan->btf;
	const struct btf_type *t = weir_btf_skip_mods(btf, type_id, NULL);
	uint32_t type = mp->map.def.type, id = 0;
	bool of_maps = type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type == BPF_MAP_TYPE_HASH_OF_MAPS;

	if (mp->is_inner || (!of_maps && type != BPF_MAP_TYPE_PROG_ARRAY))
		return obj_fail(
			mp->o, -EINVAL,
			"section '.maps': map '%s': field 'values': only prog arrays and maps of "
			"maps have it (after 'type'), found type %u",
			mp->map_name, type);
	if (!t || weir_btf_kind(t) != BTF_KIND_ARRAY)
		return field_fail(mp, "values", "__array(…)", type_id);
	t = weir_btf_skip_mods(btf, btf_array_of(t)->type, NULL);
	if (!t || weir_btf_kind(t) != BTF_KIND_PTR)
		return field_fail(mp, "values", "an array of pointers", type_id);
	t = weir_btf_skip_mods(btf, t->type, &id);
	if (!t || weir_btf_kind(t) != (of_maps ? BTF_KIND_STRUCT : BTF_KIND_FUNC_PROTO))
		return field_fail(mp, "values", of_maps ? "an inner map's struct" : "functions",
				  type_id);
	if (of_maps)
		mp->inner_type = id;
	mp->values_off = off;
	return 0;
}

static int field_pinning(struct map_parse *mp, uint32_t type_id)
{
	uint64_t v;
	int err = field_uint(mp, "pinning", type_id, &v);

	if (err)
		return err;
	if (v > PIN_BY_NAME || (mp->is_inner && v))
		return obj_fail(
			mp->o, -EINVAL,
			"section '.maps': map '%s': field 'pinning': expected 0%s, found %" PRIu64,
			mp->map_name, mp->is_inner ? "" : " or LIBBPF_PIN_BY_NAME (1)", v);
	mp->map.pin = v ? WEIR_PIN_BY_NAME : WEIR_PIN_NONE;
	return 0;
}

static int field_read(struct map_parse *mp, const char *name, const struct btf_member *m,
		      uint64_t off)
{
	struct weir_map_def *def = &mp->map.def;
	const struct {
		const char *name;
		uint32_t *to;
	} uints[] = {
		{"type", &def->type},         {"max_entries", &def->max_entries},
		{"map_flags", &def->flags},   {"numa_node", &def->numa_node},
		{"key_size", &def->key_size}, {"value_size", &def->value_size},
	};
	uint64_t v;
	int err;

	for (size_t i = 0; i < WEIR_ARRAY_LEN(uints); i++) {
		if (strcmp(name, uints[i].name))
			continue;
		err = field_uint(mp, name, m->type, &v);
		if (err)
			return err;
		if ((i >= 4 && *uints[i].to && *uints[i].to != v) || v > UINT32_MAX)
			return obj_fail(mp->o, -EINVAL,
					"section '.maps': map '%s': %s is %" PRIu64
					", but its type has %u bytes",
					mp->map_name, name, v, *uints[i].to);
		*uints[i].to = (uint32_t)v;
		return 0;
	}
	if (!strcmp(name, "map_extra"))
		return field_uint(mp, name, m->type, &def->map_extra);
	if (!strcmp(name, "key"))
		return field_type(mp, name, m->type, &def->btf_key_type_id, &def->key_size);
	if (!strcmp(name, "value"))
		return field_type(mp, name, m->type, &def->btf_value_type_id, &def->value_size);
	if (!strcmp(name, "values"))
		return field_values(mp, m->type, off);
	if (!strcmp(name, "pinning"))
		return field_pinning(mp, m->type);
	return obj_fail(mp->o, -ENOTSUP, "section '.maps': map '%s': unknown field '%s'",
			mp->map_name, name);
}

/* Linux takes no BTF for these types' keys and values. */
static bool type_has_no_btf(uint32_t type)
{
	switch (type) {
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
	case BPF_MAP_TYPE_CGROUP_ARRAY:
	case BPF_MAP_TYPE_STACK_TRACE:
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
	case BPF_MAP_TYPE_DEVMAP:
	case BPF_MAP_TYPE_DEVMAP_HASH:
	case BPF_MAP_TYPE_CPUMAP:
	case BPF_MAP_TYPE_XSKMAP:
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_SOCKHASH:
	case BPF_MAP_TYPE_QUEUE:
	case BPF_MAP_TYPE_STACK:
	case BPF_MAP_TYPE_PROG_ARRAY: return true;
	default: return false;
	}
}

static int def_read(struct map_parse *mp, uint32_t struct_id)
{
	const struct weir_btf *btf = mp->o->plan->btf;
	const struct btf_type *t = weir_btf_type(btf, struct_id);
	struct weir_map_def *def = &mp->map.def;
	int err;

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const struct btf_member *m = btf_members(t) + i;

		err = field_read(mp, weir_btf_name(btf, m->name_off), m,
				 btf_member_bit_off(t, m) / 8);
		if (err)
			return err;
	}
	if (!def->type)
		return obj_fail(mp->o, -EINVAL, "section '.maps': map '%s': no field 'type'",
				mp->map_name);
	if (def->type == BPF_MAP_TYPE_ARRAY_OF_MAPS || def->type == BPF_MAP_TYPE_HASH_OF_MAPS ||
	    mp->values_off != UINT64_MAX) {
		if (def->value_size && def->value_size != 4)
			return obj_fail(mp->o, -EINVAL,
					"section '.maps': map '%s': value_size of a map of maps or "
					"programs: expected 4, found %u",
					mp->map_name, def->value_size);
		def->value_size = 4;
	}
	if (type_has_no_btf(def->type))
		def->btf_key_type_id = def->btf_value_type_id = 0;
	snprintf(def->name, sizeof(def->name), "%.*s", (int)sizeof(def->name) - 1, mp->map_name);
	mp->map.name = weir_arena_strdup(mp->o->plan->arena, mp->map_name);
	return mp->map.name ? 0 : -ENOMEM;
}

/* The template of a map of maps is a map of its own, before the outer one. */
static int inner_read(struct map_parse *outer)
{
	struct obj *o = outer->o;
	struct map_parse mp = {.o = o, .values_off = UINT64_MAX, .is_inner = true};
	struct obj_map_place nowhere = {.values_off = UINT64_MAX};
	char *name;
	size_t bytes = strlen(outer->map_name) + sizeof(".inner");
	int err;

	name = weir_arena_alloc(o->scratch, bytes);
	if (!name)
		return -ENOMEM;
	snprintf(name, bytes, "%s.inner", outer->map_name);
	mp.map_name = name;
	mp.map.inner_map = -1;
	err = def_read(&mp, outer->inner_type);
	if (err)
		return err;
	outer->map.inner_map = (int32_t)o->maps.len;
	return obj_map_add(o, &mp.map, &nowhere);
}

static int map_read(struct obj *o, uint32_t sec, const struct btf_var_secinfo *info)
{
	const struct weir_btf *btf = o->plan->btf;
	const struct btf_type *var = weir_btf_type(btf, info->type);
	struct map_parse mp = {.o = o, .values_off = UINT64_MAX};
	struct obj_map_place place = {sec, info->offset, info->size, UINT64_MAX};
	const struct btf_type *t;
	uint32_t struct_id;
	int err;

	mp.map_name = weir_btf_name(btf, var->name_off);
	mp.map.inner_map = -1;
	if (weir_btf_kind(var) != BTF_KIND_VAR || !*mp.map_name)
		return obj_fail(o, -EINVAL,
				"section '.maps': entry of type %u: expected a variable",
				info->type);
	if (weir_load_u32(var + 1) == BTF_VAR_GLOBAL_EXTERN)
		return obj_fail(o, -ENOTSUP,
				"section '.maps': map '%s' is extern; link the objects",
				mp.map_name);
	t = weir_btf_skip_mods(btf, var->type, &struct_id);
	if (!t || weir_btf_kind(t) != BTF_KIND_STRUCT)
		return field_fail(&mp, "(definition)", "a struct", var->type);
	err = def_read(&mp, struct_id);
	if (err)
		return err;
	err = mp.inner_type ? inner_read(&mp) : 0;
	if (err)
		return err;
	place.values_off = mp.values_off;
	return obj_map_add(o, &mp.map, &place);
}

int obj_maps_btf_read(struct obj *o, uint32_t sec)
{
	const struct weir_btf *btf = o->plan->btf;
	uint32_t id = btf ? weir_btf_find(btf, ".maps", BTF_KIND_DATASEC) : 0;
	const struct btf_type *t;
	int err;

	if (!id)
		return obj_fail(
			o, -EINVAL,
			"section '.maps': its definitions are BTF, and the object has none for "
			"it; compile with -g and do not strip .BTF");
	t = weir_btf_type(btf, id);
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		err = map_read(o, sec, btf_secinfos(t) + i);
		if (err)
			return err;
	}
	return 0;
}

/* What a static value names: a program or a map, by index in the plan. */
static int slot_target(struct obj *o, const struct weir_plan_map *map, const struct obj_sym *sym,
		       uint32_t sec, uint32_t *out)
{
	const struct obj_func *f;
	int32_t idx;

	if (map->def.type == BPF_MAP_TYPE_PROG_ARRAY) {
		f = sym->sec < o->sec_count ? obj_func_at(o, sym->sec, sym->value / 8) : NULL;
		if (sym->type != STT_FUNC || !f || f->prog_idx < 0 || sym->value % 8 ||
		    f->start_insn != sym->value / 8)
			return obj_fail(
				o, -EINVAL,
				"section '.maps': map '%s': value '%s': expected a program of this "
				"object",
				map->name, sym->name);
		*out = (uint32_t)f->prog_idx;
		return 0;
	}
	idx = sym->sec == sec ? obj_map_at(o, sec, sym->value) : -1;
	if (idx < 0 || o->places.v[idx].off != sym->value)
		return obj_fail(
			o, -EINVAL,
			"section '.maps': map '%s': value '%s': expected a map of this object",
			map->name, sym->name);
	*out = (uint32_t)idx;
	return 0;
}

static int slot_read(struct obj *o, uint32_t sec, const struct obj_rel *rel)
{
	int32_t idx = obj_map_at(o, sec, rel->off);
	const struct obj_map_place *place = idx >= 0 ? &o->places.v[idx] : NULL;
	struct weir_plan_map *map = idx >= 0 ? &o->maps.v[idx] : NULL;
	const struct obj_sym *sym = &o->syms[rel->sym_idx];
	struct weir_plan_slot *slot;
	uint64_t values;
	int err;

	if (!map || place->values_off == UINT64_MAX || rel->off - place->off < place->values_off)
		return obj_fail(o, -EINVAL,
				"section '.maps': relocation of '%s' at offset %" PRIu64
				": expected a place in a map's 'values'",
				sym->name, rel->off);
	values = rel->off - place->off - place->values_off;
	if (values % 8)
		return obj_fail(
			o, -EINVAL,
			"section '.maps': map '%s': value '%s' is not at a multiple of 8 (%" PRIu64
			")",
			map->name, sym->name, values);
	/* The relocations are sorted, so one map's slots follow one another. */
	slot = (struct weir_plan_slot *)(uintptr_t)&map->slots[map->slot_count];
	err = slot_target(o, map, sym, sec, &slot->index);
	if (err)
		return err;
	slot->key = (uint32_t)(values / 8);
	map->slot_count++;
	return 0;
}

int obj_maps_slots(struct obj *o)
{
	int err;

	for (uint32_t sec = 1; sec < o->sec_count; sec++) {
		const struct obj_sec *s = &o->secs[sec];
		struct weir_plan_slot *all;
		int32_t last = -1;

		if (s->kind != OBJ_SEC_BTF_MAPS || !s->rel_count)
			continue;
		all = weir_arena_calloc(o->plan->arena, s->rel_count, sizeof(*all));
		if (!all)
			return -ENOMEM;
		for (uint32_t i = 0; i < s->rel_count; i++) {
			int32_t idx = obj_map_at(o, sec, s->rels[i].off);

			if (idx >= 0 && idx != last) {
				if (o->maps.v[idx].slots)
					return obj_fail(
						o, -EINVAL,
						"section '.maps': map '%s' overlaps another map",
						o->maps.v[idx].name);
				o->maps.v[idx].slots = all + i;
			}
			last = idx;
			err = slot_read(o, sec, &s->rels[i]);
			if (err)
				return err;
		}
	}
	return 0;
}
