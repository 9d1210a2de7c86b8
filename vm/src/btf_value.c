/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes → events → text. Recursion is bounded by the parser's nesting limit; the number of events
 * has a limit of its own, as unions of unions can mean 2^32 members in 8 bytes.
 */
#include "weir/vm/btf_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "btf_int.h"
#include "weir/base/bits.h"

#define MAX_EVENTS (4U << 20)

struct walk {
	const struct weir_btf *btf;
	weir_btf_event_fn fn;
	void *arg;
	uint32_t events;
};

static int value_walk(struct walk *w, uint32_t id, const char *name, const uint8_t *bytes);

static int emit(struct walk *w, const struct weir_btf_event *event)
{
	if (++w->events > MAX_EVENTS)
		return -E2BIG;
	return w->fn(w->arg, event);
}

static uint64_t bits_load(const uint8_t *bytes, uint64_t bit_off, uint32_t bits)
{
	uint64_t v = 0;

	for (uint32_t i = 0; i < bits; i++) {
		uint64_t bit = bit_off + i;

		v |= (uint64_t)(bytes[bit / 8] >> bit % 8 & 1) << i;
	}
	return v;
}

static int64_t sign_extend(uint64_t v, uint32_t bits)
{
	return (int64_t)(v << (64 - bits)) >> (64 - bits);
}

static const char *enum_name(const struct weir_btf *btf, const struct btf_type *t, uint64_t v)
{
	bool wide = weir_btf_kind(t) == BTF_KIND_ENUM64;

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const char *row = (const char *)(t + 1) +
				  i * (wide ? sizeof(struct btf_enum64) : sizeof(struct btf_enum));
		uint64_t have = wide ? weir_load_u64(row + 4) : weir_load_u32(row + 4);
		uint64_t mask = t->size >= 8 ? UINT64_MAX : (1ULL << t->size * 8) - 1;

		if ((have & mask) == (v & mask))
			return weir_btf_name(btf, weir_load_u32(row));
	}
	return NULL;
}

/* An integer or enum of `bits` bits at bit_off of bytes. */
static int scalar_emit(struct walk *w, uint32_t id, const char *name, const uint8_t *bytes,
		       uint64_t bit_off, uint32_t bits)
{
	const struct btf_type *t = weir_btf_skip_mods(w->btf, id, NULL);
	struct weir_btf_event e = {.name = name, .type_id = id};
	uint32_t encoding = 0;

	e.v.u64 = bits_load(bytes, bit_off, bits);
	if (weir_btf_kind(t) == BTF_KIND_ENUM || weir_btf_kind(t) == BTF_KIND_ENUM64) {
		e.kind = WEIR_BTF_ENUM;
		if (BTF_INFO_KFLAG(t->info))
			e.v.i64 = sign_extend(e.v.u64, bits);
		e.text = enum_name(w->btf, t, e.v.u64);
		return emit(w, &e);
	}
	if (weir_btf_kind(t) == BTF_KIND_INT)
		encoding = BTF_INT_ENCODING(weir_load_u32(t + 1));
	e.kind = WEIR_BTF_UNSIGNED;
	if (weir_btf_kind(t) == BTF_KIND_PTR) {
		e.kind = WEIR_BTF_POINTER;
	} else if (encoding & BTF_INT_BOOL && e.v.u64 <= 1) {
		e.kind = WEIR_BTF_BOOL;
	} else if (encoding & BTF_INT_SIGNED) {
		e.kind = WEIR_BTF_SIGNED;
		e.v.i64 = sign_extend(e.v.u64, bits);
	}
	return emit(w, &e);
}

static int address_emit(struct walk *w, uint32_t id, const char *name, const uint8_t *bytes,
			int family)
{
	char text[INET6_ADDRSTRLEN];
	struct weir_btf_event e = {.kind = WEIR_BTF_ADDRESS, .name = name, .type_id = id};

	e.text = inet_ntop(family, bytes, text, sizeof(text));
	return emit(w, &e);
}

static bool is_be32(const struct weir_btf *btf, uint32_t id)
{
	const struct btf_type *t = weir_btf_type(btf, id);

	while (t && weir_btf_kind(t) != BTF_KIND_INT) {
		if (weir_btf_kind(t) == BTF_KIND_TYPEDEF &&
		    !strcmp(weir_btf_name(btf, t->name_off), "__be32"))
			return true;
		t = weir_btf_type(btf, t->type);
	}
	return false;
}

static int int_walk(struct walk *w, uint32_t id, const struct btf_type *t, const char *name,
		    const uint8_t *bytes)
{
	uint32_t info = weir_load_u32(t + 1);
	char text[40];
	struct weir_btf_event e = {.kind = WEIR_BTF_HEX, .name = name, .type_id = id};

	if (t->size == 4 && is_be32(w->btf, id))
		return address_emit(w, id, name, bytes, AF_INET);
	if (BTF_INT_BITS(info) <= 64)
		return scalar_emit(w, id, name, bytes, BTF_INT_OFFSET(info), BTF_INT_BITS(info));
	snprintf(text, sizeof(text), "0x%016" PRIx64 "%016" PRIx64, weir_load_u64(bytes + 8),
		 weir_load_u64(bytes));
	e.text = text;
	return emit(w, &e);
}

/* Strings are what C prints as such: text, then only zeros. */
static bool is_text(const uint8_t *bytes, uint32_t count)
{
	size_t len = strnlen((const char *)bytes, count);

	for (size_t i = 0; i < len; i++)
		if (bytes[i] < 0x20 || bytes[i] > 0x7e)
			return false;
	for (size_t i = len; i < count; i++)
		if (bytes[i])
			return false;
	return len > 0;
}

static bool is_char(const struct weir_btf *btf, uint32_t id)
{
	const struct btf_type *t = weir_btf_skip_mods(btf, id, NULL);

	return t && weir_btf_kind(t) == BTF_KIND_INT && t->size == 1 &&
	       (BTF_INT_ENCODING(weir_load_u32(t + 1)) & BTF_INT_CHAR ||
		!strcmp(weir_btf_name(btf, t->name_off), "char"));
}

static int array_walk(struct walk *w, uint32_t id, const struct btf_type *t, const char *name,
		      const uint8_t *bytes)
{
	const struct btf_array *a = btf_array_of(t);
	int64_t elem_bytes = weir_btf_size(w->btf, a->type);
	struct weir_btf_event e = {.name = name, .type_id = id};
	char text[256];
	int err;

	if (is_char(w->btf, a->type) && a->nelems < sizeof(text) && is_text(bytes, a->nelems)) {
		snprintf(text, sizeof(text), "%.*s", (int)a->nelems, (const char *)bytes);
		e.kind = WEIR_BTF_STRING;
		e.text = text;
		return emit(w, &e);
	}
	e.kind = WEIR_BTF_ARRAY_BEGIN;
	err = emit(w, &e);
	for (uint32_t i = 0; elem_bytes > 0 && i < a->nelems && !err; i++)
		err = value_walk(w, a->type, NULL, bytes + (size_t)i * (size_t)elem_bytes);
	e.kind = WEIR_BTF_ARRAY_END;
	return err ? err : emit(w, &e);
}

static int member_walk(struct walk *w, const struct btf_type *t, const struct btf_member *m,
		       const uint8_t *bytes)
{
	const char *name = weir_btf_name(w->btf, m->name_off);
	uint32_t bits = btf_member_bits(t, m);
	uint32_t off = btf_member_bit_off(t, m);
	const struct btf_type *mt = weir_btf_skip_mods(w->btf, m->type, NULL);
	uint32_t info;

	/* An old-style bit-field says its width in an integer of its own. */
	if (!bits && weir_btf_kind(mt) == BTF_KIND_INT) {
		info = weir_load_u32(mt + 1);
		if (off % 8 || BTF_INT_OFFSET(info) || BTF_INT_BITS(info) != mt->size * 8) {
			off += BTF_INT_OFFSET(info);
			bits = weir_min(BTF_INT_BITS(info), 64U);
		}
	}
	if (bits)
		return scalar_emit(w, m->type, name, bytes, off, bits);
	return value_walk(w, m->type, name, bytes + off / 8);
}

static int struct_walk(struct walk *w, uint32_t id, const struct btf_type *t, const char *name,
		       const uint8_t *bytes)
{
	const char *tag = weir_btf_name(w->btf, t->name_off);
	struct weir_btf_event e = {.kind = WEIR_BTF_STRUCT_BEGIN, .name = name, .type_id = id};
	int err;

	if (t->size == 16 && !strcmp(tag, "in6_addr"))
		return address_emit(w, id, name, bytes, AF_INET6);
	if (t->size == 4 && !strcmp(tag, "in_addr"))
		return address_emit(w, id, name, bytes, AF_INET);
	err = emit(w, &e);
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info) && !err; i++)
		err = member_walk(w, t, btf_members(t) + i, bytes);
	e.kind = WEIR_BTF_STRUCT_END;
	return err ? err : emit(w, &e);
}

/* Sections of variables: what lies outside (a section not fixed up) is left out. */
static int datasec_walk(struct walk *w, uint32_t id, const struct btf_type *t, const char *name,
			const uint8_t *bytes)
{
	struct weir_btf_event e = {.kind = WEIR_BTF_STRUCT_BEGIN, .name = name, .type_id = id};
	int err = emit(w, &e);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info) && !err; i++) {
		const struct btf_var_secinfo *s = btf_secinfos(t) + i;
		const struct btf_type *var = weir_btf_type(w->btf, s->type);
		int64_t size = weir_btf_size(w->btf, s->type);

		if (weir_btf_kind(var) != BTF_KIND_VAR || size < 0 || s->offset > t->size ||
		    size > t->size - s->offset)
			continue;
		err = value_walk(w, var->type, weir_btf_name(w->btf, var->name_off),
				 bytes + s->offset);
	}
	e.kind = WEIR_BTF_STRUCT_END;
	return err ? err : emit(w, &e);
}

static int float_walk(struct walk *w, uint32_t id, const struct btf_type *t, const char *name,
		      const uint8_t *bytes)
{
	struct weir_btf_event e = {.kind = WEIR_BTF_FLOAT, .name = name, .type_id = id};
	long double wide = 0;
	float narrow;

	if (t->size == 4) {
		memcpy(&narrow, bytes, sizeof(narrow));
		e.v.f64 = (double)narrow;
	} else if (t->size == 8) {
		memcpy(&e.v.f64, bytes, sizeof(e.v.f64));
	} else {
		memcpy(&wide, bytes, weir_min((size_t)t->size, sizeof(wide)));
		e.v.f64 = (double)wide;
	}
	return emit(w, &e);
}

static int value_walk(struct walk *w, uint32_t id, const char *name, const uint8_t *bytes)
{
	const struct btf_type *t = weir_btf_skip_mods(w->btf, id, NULL);

	switch (t ? weir_btf_kind(t) : BTF_KIND_UNKN) {
	case BTF_KIND_INT: return int_walk(w, id, t, name, bytes);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: return scalar_emit(w, id, name, bytes, 0, t->size * 8);
	case BTF_KIND_PTR: return scalar_emit(w, id, name, bytes, 0, 64);
	case BTF_KIND_FLOAT: return float_walk(w, id, t, name, bytes);
	case BTF_KIND_ARRAY: return array_walk(w, id, t, name, bytes);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return struct_walk(w, id, t, name, bytes);
	case BTF_KIND_DATASEC: return datasec_walk(w, id, t, name, bytes);
	case BTF_KIND_VAR: return value_walk(w, t->type, name, bytes);
	default: return -EINVAL;
	}
}

int weir_btf_value_walk(const struct weir_btf *btf, uint32_t id, const void *bytes,
			size_t size_bytes, weir_btf_event_fn fn, void *arg)
{
	struct walk w = {.btf = btf, .fn = fn, .arg = arg};
	int64_t size = weir_btf_size(btf, id);

	if (size < 0)
		return -EINVAL;
	if ((uint64_t)size > size_bytes)
		return -EMSGSIZE;
	return value_walk(&w, id, NULL, bytes);
}

struct text {
	struct weir_diag *out;
	bool need_comma;
};

static void string_print(struct weir_diag *out, const char *s)
{
	weir_diag_printf(out, "\"");
	for (; *s; s++)
		weir_diag_printf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	weir_diag_printf(out, "\"");
}

static void scalar_print(struct weir_diag *out, const struct weir_btf_event *e)
{
	switch (e->kind) {
	case WEIR_BTF_SIGNED: weir_diag_printf(out, "%" PRId64, e->v.i64); break;
	case WEIR_BTF_UNSIGNED: weir_diag_printf(out, "%" PRIu64, e->v.u64); break;
	case WEIR_BTF_POINTER: weir_diag_printf(out, "0x%" PRIx64, e->v.u64); break;
	case WEIR_BTF_BOOL: weir_diag_printf(out, e->v.u64 ? "true" : "false"); break;
	case WEIR_BTF_FLOAT: weir_diag_printf(out, "%.17g", e->v.f64); break;
	case WEIR_BTF_ENUM:
		if (e->text && *e->text)
			weir_diag_printf(out, "%s", e->text);
		else
			weir_diag_printf(out, "%" PRId64, e->v.i64);
		break;
	case WEIR_BTF_STRING: string_print(out, e->text); break;
	default: weir_diag_printf(out, "%s", e->text); break;
	}
}

static int text_event(void *arg, const struct weir_btf_event *e)
{
	struct text *t = arg;
	bool ends = e->kind == WEIR_BTF_STRUCT_END || e->kind == WEIR_BTF_ARRAY_END;
	bool begins = e->kind == WEIR_BTF_STRUCT_BEGIN || e->kind == WEIR_BTF_ARRAY_BEGIN;

	if (ends) {
		weir_diag_printf(t->out, "}");
		t->need_comma = true;
		return 0;
	}
	if (t->need_comma)
		weir_diag_printf(t->out, ", ");
	if (e->name && *e->name)
		weir_diag_printf(t->out, ".%s = ", e->name);
	if (begins)
		weir_diag_printf(t->out, "{");
	else
		scalar_print(t->out, e);
	t->need_comma = !begins;
	return 0;
}

int weir_btf_value_print(const struct weir_btf *btf, uint32_t id, const void *bytes,
			 size_t size_bytes, struct weir_diag *out)
{
	struct text t = {.out = out};

	return weir_btf_value_walk(btf, id, bytes, size_bytes, text_event, &t);
}
