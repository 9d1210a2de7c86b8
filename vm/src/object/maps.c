/* SPDX-License-Identifier: BSD-3-Clause */
/* Maps of an object: global data, legacy definitions, and finding a map from a place. */
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "btf_int.h"
#include "object_int.h"
#include "weir/base/bits.h"

/* Places are searched one by one for every reference; real objects have below a hundred. */
#define MAX_MAPS 4096

int obj_map_add(struct obj *o, const struct weir_plan_map *map, const struct obj_map_place *place)
{
	if (o->maps.len >= MAX_MAPS)
		return obj_fail(o, -E2BIG, "more than %u maps", MAX_MAPS);
	if (weir_vec_push(&o->maps, *map) || weir_vec_push(&o->places, *place))
		return -ENOMEM;
	return 0;
}

int32_t obj_map_at(const struct obj *o, uint32_t sec, uint64_t off)
{
	for (size_t i = 0; i < o->places.len; i++) {
		const struct obj_map_place *p = &o->places.v[i];

		if (p->sec == sec && off >= p->off && off - p->off < p->size_bytes)
			return (int32_t)i;
	}
	return -1;
}

/* libbpf's name: at most 8 characters of the object's, then the section's; a section with a second
 * dot stands for itself. */
static void data_map_name(const struct obj *o, const char *section, char *out)
{
	const char *base = strrchr(o->name, '/');
	size_t prefix, suffix = strlen(section);

	base = base ? base + 1 : o->name;
	prefix = strcspn(base, ".");
	suffix = weir_min(weir_max(suffix, (size_t)7), (size_t)BPF_OBJ_NAME_LEN - 1);
	prefix = weir_min(prefix, BPF_OBJ_NAME_LEN - 1 - suffix);
	if (strchr(section + 1, '.'))
		prefix = 0;
	snprintf(out, BPF_OBJ_NAME_LEN, "%.*s%.*s", (int)prefix, base, (int)suffix, section);
	for (char *p = out; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '_' && *p != '.')
			*p = '_';
}

/* Only sections with a variable that others may name are worth mapping. */
static bool has_shared_var(const struct weir_btf *btf, uint32_t datasec_id)
{
	const struct btf_type *t = weir_btf_type(btf, datasec_id);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const struct btf_type *var = weir_btf_type(btf, btf_secinfos(t)[i].type);

		if (weir_btf_kind(var) == BTF_KIND_VAR && weir_load_u32(var + 1) != BTF_VAR_STATIC)
			return true;
	}
	return false;
}

static int data_map_read(struct obj *o, uint32_t sec)
{
	const struct obj_sec *s = &o->secs[sec];
	struct obj_map_place place = {sec, 0, s->size_bytes, UINT64_MAX};
	struct weir_plan_map map = {.is_global_data = true, .inner_map = -1};

	if (s->size_bytes > INT32_MAX)
		return obj_fail(o, -E2BIG, "section '%s': %" PRIu64 " bytes of data", s->name,
				s->size_bytes);
	map.name = weir_arena_strdup(o->plan->arena, s->name);
	map.freeze = !strncmp(s->name, ".rodata", 7);
	map.def.type = BPF_MAP_TYPE_ARRAY;
	map.def.key_size = 4;
	map.def.value_size = (uint32_t)s->size_bytes;
	map.def.max_entries = 1;
	map.def.flags = map.freeze ? BPF_F_RDONLY_PROG : 0;
	data_map_name(o, s->name, map.def.name);
	if (o->plan->btf)
		map.def.btf_value_type_id = weir_btf_find(o->plan->btf, s->name, BTF_KIND_DATASEC);
	if (map.def.btf_value_type_id && has_shared_var(o->plan->btf, map.def.btf_value_type_id))
		map.def.flags |= BPF_F_MMAPABLE;
	if (s->data) {
		/* Padded to the stride, so that a frozen array's contents can be shown in place. */
		void *copy = weir_arena_alloc(o->plan->arena, weir_align_up(s->size_bytes, 8));

		if (!copy)
			return -ENOMEM;
		memcpy(copy, s->data, s->size_bytes);
		map.data = copy;
	}
	return map.name ? obj_map_add(o, &map, &place) : -ENOMEM;
}

/* type, key size, value size, max entries, flags: what SEC("maps") definitions begin with. */
#define LEGACY_DEF_BYTES 20

static int legacy_map_read(struct obj *o, const struct obj_sym *sym, uint64_t def_bytes)
{
	const struct obj_sec *s = &o->secs[sym->sec];
	struct obj_map_place place = {sym->sec, sym->value, def_bytes, UINT64_MAX};
	struct weir_plan_map map = {.inner_map = -1};
	const uint8_t *p;

	if (sym->value > s->size_bytes || def_bytes > s->size_bytes - sym->value)
		return obj_fail(o, -EINVAL,
				"section 'maps': map '%s' at offset %" PRIu64
				" ends outside the section's %" PRIu64 " bytes",
				sym->name, sym->value, s->size_bytes);
	p = s->data + sym->value;
	for (uint64_t i = LEGACY_DEF_BYTES; i < def_bytes; i++)
		if (p[i])
			return obj_fail(o, -ENOTSUP,
					"section 'maps': map '%s': unknown field at byte %" PRIu64
					" is not zero; define it in .maps",
					sym->name, i);
	map.name = weir_arena_strdup(o->plan->arena, sym->name);
	map.def.type = weir_load_u32(p);
	map.def.key_size = weir_load_u32(p + 4);
	map.def.value_size = weir_load_u32(p + 8);
	map.def.max_entries = weir_load_u32(p + 12);
	map.def.flags = weir_load_u32(p + 16);
	snprintf(map.def.name, sizeof(map.def.name), "%.*s", (int)sizeof(map.def.name) - 1,
		 sym->name);
	return map.name ? obj_map_add(o, &map, &place) : -ENOMEM;
}

static bool is_legacy_def(const struct obj_sym *sym, uint32_t sec)
{
	return sym->sec == sec && (sym->type == STT_OBJECT || sym->type == STT_NOTYPE);
}

static int legacy_maps_read(struct obj *o, uint32_t sec)
{
	const struct obj_sec *s = &o->secs[sec];
	uint64_t count = 0;
	int err;

	for (uint32_t i = 0; i < o->sym_count; i++)
		count += is_legacy_def(&o->syms[i], sec);
	if (!count || s->size_bytes % count || s->size_bytes / count < LEGACY_DEF_BYTES)
		return obj_fail(o, -EINVAL,
				"section 'maps': %" PRIu64 " definitions in %" PRIu64
				" bytes: expected %d bytes or more each, all alike",
				count, s->size_bytes, LEGACY_DEF_BYTES);
	for (uint32_t i = 0; i < o->sym_count; i++) {
		if (!is_legacy_def(&o->syms[i], sec))
			continue;
		err = legacy_map_read(o, &o->syms[i], s->size_bytes / count);
		if (err)
			return err;
	}
	return 0;
}

int obj_maps_read(struct obj *o)
{
	int err = 0;

	/* Definitions first, then data, each in the sections' order: the order libbpf makes them
	 * in. */
	for (uint32_t i = 1; i < o->sec_count && !err; i++) {
		if (o->secs[i].kind == OBJ_SEC_LEGACY_MAPS)
			err = legacy_maps_read(o, i);
		else if (o->secs[i].kind == OBJ_SEC_BTF_MAPS)
			err = obj_maps_btf_read(o, i);
	}
	for (uint32_t i = 1; i < o->sec_count && !err; i++)
		if (o->secs[i].kind == OBJ_SEC_DATA)
			err = data_map_read(o, i);
	return err;
}
