/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What BTF types say of one another: ids in range and of a fitting kind, sizes, members inside
 * their struct, no type that contains itself. The walk keeps its own stack, because the bytes
 * decide how deep it goes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "btf_int.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"

/* Every size fits 32 bits, as Linux demands; products are formed in 64. */
#define BTF_MAX_TYPE_BYTES UINT32_MAX

enum mark {
	MARK_NEW = 0,
	MARK_OPEN, /* on the stack */
	MARK_DONE,
};

struct walk {
	struct weir_btf *btf;
	struct weir_diag *diag;
	uint8_t *marks;   /* enum mark by id */
	uint8_t *heights; /* by-value nesting below a type, itself included */
};

static int fail_type(const struct weir_btf *btf, struct weir_diag *diag, uint32_t id,
		     const char *what, uint64_t found)
{
	const struct btf_type *t = weir_btf_type(btf, id);

	return weir_fail(diag, -EINVAL, "BTF: type %u '%s': %s: found %" PRIu64, id,
			 weir_btf_name(btf, t->name_off), what, found);
}

static bool name_ok(const struct weir_btf *btf, uint32_t off)
{
	return off < btf->strs_bytes;
}

static bool id_ok(const struct weir_btf *btf, uint32_t id)
{
	return id <= btf->type_count;
}

static int members_check(const struct weir_btf *btf, struct weir_diag *diag, uint32_t id)
{
	const struct btf_type *t = weir_btf_type(btf, id);
	uint32_t vlen = BTF_INFO_VLEN(t->info);

	for (uint32_t i = 0; i < vlen; i++) {
		const struct btf_member *m = btf_members(t) + i;

		if (!name_ok(btf, m->name_off))
			return fail_type(btf, diag, id, "member's name is outside the strings",
					 m->name_off);
		if (!m->type || !id_ok(btf, m->type))
			return fail_type(btf, diag, id, "member's type: expected a type's id",
					 m->type);
	}
	return 0;
}

static int enums_check(const struct weir_btf *btf, struct weir_diag *diag, uint32_t id)
{
	const struct btf_type *t = weir_btf_type(btf, id);
	bool wide = weir_btf_kind(t) == BTF_KIND_ENUM64;
	size_t stride = wide ? sizeof(struct btf_enum64) : sizeof(struct btf_enum);

	if (t->size > 8 || !weir_is_pow2(t->size))
		return fail_type(btf, diag, id, "enum's size: expected 1, 2, 4 or 8", t->size);
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		uint32_t name_off = weir_load_u32((const char *)(t + 1) + i * stride);

		if (!name_ok(btf, name_off))
			return fail_type(btf, diag, id, "value's name is outside the strings",
					 name_off);
	}
	return 0;
}

static int params_check(const struct weir_btf *btf, struct weir_diag *diag, uint32_t id)
{
	const struct btf_type *t = weir_btf_type(btf, id);
	const struct btf_param *p = (const struct btf_param *)(t + 1);

	if (!id_ok(btf, t->type))
		return fail_type(btf, diag, id, "return type: expected a type's id", t->type);
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++, p++) {
		if (!name_ok(btf, p->name_off))
			return fail_type(btf, diag, id, "parameter's name is outside the strings",
					 p->name_off);
		if (!id_ok(btf, p->type))
			return fail_type(btf, diag, id, "parameter's type: expected a type's id",
					 p->type);
	}
	return 0;
}

static int secinfos_check(const struct weir_btf *btf, struct weir_diag *diag, uint32_t id)
{
	const struct btf_type *t = weir_btf_type(btf, id);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const struct btf_var_secinfo *s = btf_secinfos(t) + i;
		const struct btf_type *var = weir_btf_type(btf, s->type);

		if (!var ||
		    (weir_btf_kind(var) != BTF_KIND_VAR && weir_btf_kind(var) != BTF_KIND_FUNC))
			return fail_type(btf, diag, id, "section's entry: expected a variable's id",
					 s->type);
		/* A compiler leaves the section's size 0 for the loader to fill in. */
		if (t->size && (uint64_t)s->offset + s->size > t->size)
			return fail_type(btf, diag, id, "variable ends outside the section",
					 (uint64_t)s->offset + s->size);
	}
	return 0;
}

static int int_check(const struct weir_btf *btf, struct weir_diag *diag, uint32_t id)
{
	const struct btf_type *t = weir_btf_type(btf, id);
	uint32_t info = weir_load_u32(t + 1);

	if (t->size > 16 || !weir_is_pow2(t->size))
		return fail_type(btf, diag, id, "integer's size: expected 1, 2, 4, 8 or 16",
				 t->size);
	if (!BTF_INT_BITS(info) || BTF_INT_OFFSET(info) + BTF_INT_BITS(info) > t->size * 8)
		return fail_type(btf, diag, id, "integer's bits do not fit its size",
				 BTF_INT_BITS(info));
	return 0;
}

/* One type by itself: its strings and the range and kind of the ids it names. */
static int type_check(const struct weir_btf *btf, struct weir_diag *diag, uint32_t id)
{
	const struct btf_type *t = weir_btf_type(btf, id);
	const struct btf_type *to;

	if (!name_ok(btf, t->name_off))
		return fail_type(btf, diag, id, "name is outside the strings", t->name_off);
	switch (weir_btf_kind(t)) {
	case BTF_KIND_INT: return int_check(btf, diag, id);
	case BTF_KIND_FLOAT:
		if (t->size != 2 && t->size != 4 && t->size != 8 && t->size != 12 && t->size != 16)
			return fail_type(btf, diag, id, "float's size: expected 2, 4, 8, 12 or 16",
					 t->size);
		return 0;
	case BTF_KIND_ARRAY:
		if (!btf_array_of(t)->type || !id_ok(btf, btf_array_of(t)->type))
			return fail_type(btf, diag, id, "element type: expected a type's id",
					 btf_array_of(t)->type);
		if (!id_ok(btf, btf_array_of(t)->index_type))
			return fail_type(btf, diag, id, "index type: expected a type's id",
					 btf_array_of(t)->index_type);
		return 0;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return members_check(btf, diag, id);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: return enums_check(btf, diag, id);
	case BTF_KIND_FUNC_PROTO: return params_check(btf, diag, id);
	case BTF_KIND_DATASEC: return secinfos_check(btf, diag, id);
	case BTF_KIND_FUNC:
		to = weir_btf_type(btf, t->type);
		if (!to || weir_btf_kind(to) != BTF_KIND_FUNC_PROTO)
			return fail_type(btf, diag, id,
					 "function's type: expected a prototype's id", t->type);
		return 0;
	case BTF_KIND_FWD: return 0;
	default: /* pointers, modifiers, variables, tags */
		if (!id_ok(btf, t->type))
			return fail_type(btf, diag, id, "refers to: expected a type's id", t->type);
		return 0;
	}
}

/* The i-th type that t holds by value; 0 if there is none. */
static uint32_t child(const struct btf_type *t, uint32_t i)
{
	switch (weir_btf_kind(t)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return i < BTF_INFO_VLEN(t->info) ? btf_members(t)[i].type : 0;
	case BTF_KIND_ARRAY: return i ? 0 : btf_array_of(t)->type;
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
	case BTF_KIND_VAR: return i ? 0 : t->type;
	default: return 0;
	}
}

static int members_size(struct walk *w, uint32_t id)
{
	const struct btf_type *t = weir_btf_type(w->btf, id);
	uint64_t have_bits = (uint64_t)t->size * 8;

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const struct btf_member *m = btf_members(t) + i;
		uint64_t bits = btf_member_bits(t, m);
		uint64_t off = btf_member_bit_off(t, m);
		int64_t bytes = w->btf->sizes[m->type];

		if (bytes < 0)
			return fail_type(w->btf, w->diag, id, "member's type has no size", m->type);
		if (bits > 64 || bits > (uint64_t)bytes * 8)
			return fail_type(w->btf, w->diag, id, "bit-field is wider than its type",
					 bits);
		if (!bits) {
			const struct btf_type *mt = weir_btf_skip_mods(w->btf, m->type, NULL);

			/* Old compilers put a bit-field's width into an INT of its own. */
			bits = weir_btf_kind(mt) == BTF_KIND_INT
				       ? BTF_INT_OFFSET(weir_load_u32(mt + 1)) +
						 BTF_INT_BITS(weir_load_u32(mt + 1))
				       : (uint64_t)bytes * 8;
			if (off % 8 && weir_btf_kind(mt) != BTF_KIND_INT)
				return fail_type(w->btf, w->diag, id, "member is not at a byte",
						 off);
		}
		if (off + bits > have_bits)
			return fail_type(w->btf, w->diag, id, "member ends outside the struct",
					 off + bits);
	}
	w->btf->sizes[id] = t->size;
	return 0;
}

/* All children are done: the type's own size. */
static int type_size(struct walk *w, uint32_t id)
{
	const struct btf_type *t = weir_btf_type(w->btf, id);
	int64_t *size = &w->btf->sizes[id];
	int64_t elem;

	*size = -EINVAL;
	switch (weir_btf_kind(t)) {
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_DATASEC: *size = t->size; return 0;
	case BTF_KIND_PTR: *size = 8; return 0;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return members_size(w, id);
	case BTF_KIND_ARRAY:
		elem = w->btf->sizes[btf_array_of(t)->type];
		if (elem < 0)
			return fail_type(w->btf, w->diag, id, "element's type has no size",
					 btf_array_of(t)->type);
		if ((uint64_t)elem * btf_array_of(t)->nelems > BTF_MAX_TYPE_BYTES)
			return fail_type(w->btf, w->diag, id, "array is larger than 4 GiB",
					 btf_array_of(t)->nelems);
		*size = elem * btf_array_of(t)->nelems;
		return 0;
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
	case BTF_KIND_VAR:
		if (t->type)
			*size = w->btf->sizes[t->type];
		return 0;
	default: return 0;
	}
}

static int type_done(struct walk *w, uint32_t id)
{
	const struct btf_type *t = weir_btf_type(w->btf, id);
	uint32_t height = 0;
	uint32_t to;

	for (uint32_t i = 0; (to = child(t, i)) != 0; i++)
		height = weir_max(height, (uint32_t)w->heights[to]);
	if (height + 1 > BTF_MAX_NESTING)
		return fail_type(w->btf, w->diag, id, "types are nested deeper than 32",
				 height + 1);
	w->heights[id] = (uint8_t)(height + 1);
	w->marks[id] = MARK_DONE;
	return type_size(w, id);
}

struct frame {
	uint32_t id;
	uint32_t next_child;
};

static int type_walk(struct walk *w, uint32_t root)
{
	struct frame stack[BTF_MAX_NESTING];
	uint32_t depth = 0;
	int err;

	stack[depth++] = (struct frame){.id = root};
	w->marks[root] = MARK_OPEN;
	while (depth) {
		struct frame *f = &stack[depth - 1];
		uint32_t to = child(weir_btf_type(w->btf, f->id), f->next_child++);

		if (!to) {
			err = type_done(w, f->id);
			if (err)
				return err;
			depth--;
			continue;
		}
		if (w->marks[to] == MARK_DONE)
			continue;
		if (w->marks[to] == MARK_OPEN)
			return fail_type(
				w->btf, w->diag, to,
				"contains itself without a pointer in between, through type",
				f->id);
		if (depth == BTF_MAX_NESTING)
			return fail_type(w->btf, w->diag, root, "types are nested deeper than 32",
					 depth + 1);
		w->marks[to] = MARK_OPEN;
		stack[depth++] = (struct frame){.id = to};
	}
	return 0;
}

int btf_resolve(struct weir_btf *btf, struct weir_diag *diag)
{
	weir_autofree uint8_t *marks = calloc(btf->type_count + 1ULL, 1);
	weir_autofree uint8_t *heights = calloc(btf->type_count + 1ULL, 1);
	struct walk w = {.btf = btf, .diag = diag, .marks = marks, .heights = heights};
	int err;

	if (!marks || !heights)
		return -ENOMEM;
	btf->sizes[0] = -EINVAL;
	for (uint32_t id = 1; id <= btf->type_count; id++) {
		err = type_check(btf, diag, id);
		if (err)
			return err;
	}
	for (uint32_t id = 1; id <= btf->type_count; id++) {
		err = marks[id] == MARK_DONE ? 0 : type_walk(&w, id);
		if (err)
			return err;
	}
	return 0;
}
