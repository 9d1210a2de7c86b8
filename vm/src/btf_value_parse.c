/* SPDX-License-Identifier: BSD-3-Clause */
/* Text → bytes: recursive descent over the type; depth is bounded by the types' nesting. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "btf_int.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/vm/btf_value.h"

/* Anonymous members are searched through; hostile types could make that exponential. */
#define MAX_LOOKUP_STEPS 65536

struct parser {
	const struct weir_btf *btf;
	struct weir_diag *diag;
	const char *text;
	const char *p;
	const char *field; /* the member being parsed, for messages; "" outside structs */
};

static int value_parse(struct parser *ps, uint32_t id, uint8_t *out, bool braces_optional);

static void blanks_skip(struct parser *ps)
{
	while (isspace((unsigned char)*ps->p))
		ps->p++;
}

static bool take(struct parser *ps, char c)
{
	blanks_skip(ps);
	if (*ps->p != c)
		return false;
	ps->p++;
	return true;
}

static int fail_at(struct parser *ps, int err, const char *expected, uint32_t id)
{
	WEIR_DIAG_ON_STACK(type, 128);

	blanks_skip(ps);
	weir_btf_type_print(ps->btf, id, &type);
	return weir_fail(ps->diag, err, "column %td%s%s: expected %s (%s), found %s%.24s%s",
			 ps->p - ps->text + 1, *ps->field ? ": member " : "", ps->field, expected,
			 type.buf, *ps->p ? "'" : "", *ps->p ? ps->p : "the end",
			 *ps->p ? "'" : "");
}

/* A word or number: up to a comma, bracket, '=' or blank. */
static size_t token_len(const char *p)
{
	return strcspn(p, ",{}[]= \t\n");
}

static bool token_copy(struct parser *ps, char *buf, size_t bytes)
{
	size_t len;

	blanks_skip(ps);
	len = token_len(ps->p);
	if (!len || len >= bytes)
		return false;
	memcpy(buf, ps->p, len);
	buf[len] = '\0';
	return true;
}

static bool mac_parse(const char *tok, uint8_t *out)
{
	uint8_t mac[6];

	for (int i = 0; i < 6; i++) {
		char *end;
		unsigned long v;

		if (!isxdigit((unsigned char)tok[0]))
			return false;
		v = strtoul(tok, &end, 16);
		if (v > 255 || end - tok > 2 || *end != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)v;
		tok = end + 1;
	}
	memcpy(out, mac, sizeof(mac));
	return true;
}

/* An address, if the next token is one and has the value's size. */
static bool address_take(struct parser *ps, int64_t size, uint8_t *out)
{
	char tok[INET6_ADDRSTRLEN + 1];
	uint8_t addr[16];
	bool ok = false;

	if (!token_copy(ps, tok, sizeof(tok)))
		return false;
	if (size == 4 && strchr(tok, '.'))
		ok = inet_pton(AF_INET, tok, addr) == 1;
	else if (size == 6 && strchr(tok, ':'))
		ok = mac_parse(tok, addr);
	else if (size == 16 && strchr(tok, ':'))
		ok = inet_pton(AF_INET6, tok, addr) == 1;
	if (!ok)
		return false;
	memcpy(out, addr, (size_t)size);
	ps->p += strlen(tok);
	return true;
}

static void bits_store(uint8_t *out, uint64_t bit_off, uint32_t bits, uint64_t v)
{
	for (uint32_t i = 0; i < bits; i++) {
		uint64_t bit = bit_off + i;
		uint8_t mask = (uint8_t)(1U << bit % 8);

		out[bit / 8] = (uint8_t)((out[bit / 8] & ~mask) | (v >> i & 1 ? mask : 0));
	}
}

/* A number of the given width: its two's complement. */
static int number_parse(struct parser *ps, uint32_t id, bool is_signed, uint32_t bits,
			uint64_t *out)
{
	char tok[32], expected[96];
	uint64_t v, max, top = bits > 1 ? UINT64_MAX >> (65 - bits) : 0; /* signed */
	bool negative;
	char *end;

	if (is_signed)
		snprintf(expected, sizeof(expected), "a number from %" PRId64 " to %" PRId64,
			 -(int64_t)top - 1, (int64_t)top);
	else
		snprintf(expected, sizeof(expected), "a number from 0 to %" PRIu64,
			 UINT64_MAX >> (64 - bits));
	if (!token_copy(ps, tok, sizeof(tok)))
		return fail_at(ps, -EINVAL, expected, id);
	negative = tok[0] == '-';
	if (!isdigit((unsigned char)tok[negative]))
		return fail_at(ps, -EINVAL, expected, id);
	errno = 0;
	v = strtoull(tok + negative, &end, strchr(tok, 'x') ? 16 : 10);
	if (*end)
		return fail_at(ps, -EINVAL, expected, id);
	/* Hexadecimal is taken as the bits, also of a signed type. */
	max = is_signed && (negative || !strchr(tok, 'x')) ? top : UINT64_MAX >> (64 - bits);
	if (errno == ERANGE || (negative && !is_signed && v) || v > max + (negative && is_signed))
		return fail_at(ps, -ERANGE, expected, id);
	ps->p += strlen(tok);
	*out = negative ? -v : v;
	return 0;
}

static bool bool_take(struct parser *ps, uint64_t *out)
{
	char tok[8];

	if (!token_copy(ps, tok, sizeof(tok)) || (strcmp(tok, "true") && strcmp(tok, "false")))
		return false;
	*out = !strcmp(tok, "true");
	ps->p += strlen(tok);
	return true;
}

static bool enum_take(struct parser *ps, const struct btf_type *t, uint64_t *out)
{
	bool wide = weir_btf_kind(t) == BTF_KIND_ENUM64;
	char tok[256];

	if (!token_copy(ps, tok, sizeof(tok)))
		return false;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const char *row = (const char *)(t + 1) +
				  i * (wide ? sizeof(struct btf_enum64) : sizeof(struct btf_enum));

		if (strcmp(tok, weir_btf_name(ps->btf, weir_load_u32(row))))
			continue;
		*out = wide ? weir_load_u64(row + 4) : weir_load_u32(row + 4);
		ps->p += strlen(tok);
		return true;
	}
	return false;
}

/* 'a' for a one-byte integer. */
static bool char_take(struct parser *ps, uint64_t *out)
{
	blanks_skip(ps);
	if (ps->p[0] != '\'' || !ps->p[1] || ps->p[1] == '\\' || ps->p[2] != '\'')
		return false;
	*out = (uint8_t)ps->p[1];
	ps->p += 3;
	return true;
}

static int scalar_parse(struct parser *ps, uint32_t id, uint8_t *out, uint64_t bit_off,
			uint32_t bits)
{
	const struct btf_type *t = weir_btf_skip_mods(ps->btf, id, NULL);
	uint32_t kind = weir_btf_kind(t);
	uint32_t encoding = 0;
	bool is_signed = false;
	uint64_t v;
	int err;

	if (kind == BTF_KIND_INT) {
		encoding = BTF_INT_ENCODING(weir_load_u32(t + 1));
		is_signed = encoding & BTF_INT_SIGNED;
	} else if (kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64) {
		is_signed = BTF_INFO_KFLAG(t->info);
		if (enum_take(ps, t, &v))
			goto store;
	}
	blanks_skip(ps);
	if (encoding & BTF_INT_BOOL && bool_take(ps, &v))
		goto store;
	if (kind == BTF_KIND_INT && t->size == 1 && char_take(ps, &v))
		goto store;
	if (kind != BTF_KIND_INT && kind != BTF_KIND_PTR && isalpha((unsigned char)*ps->p))
		return fail_at(ps, -EINVAL, "one of the enum's names or a number", id);
	err = number_parse(ps, id, is_signed, bits, &v);
	if (err)
		return err;
store:
	bits_store(out, bit_off, bits, v);
	return 0;
}

static int hex128_parse(struct parser *ps, uint32_t id, uint8_t *out)
{
	char tok[40];
	size_t len;

	if (!token_copy(ps, tok, sizeof(tok)) || strncmp(tok, "0x", 2))
		return fail_at(ps, -EINVAL, "0x and up to 32 hexadecimal digits", id);
	len = strlen(tok + 2);
	if (!len || len > 32 || strspn(tok + 2, "0123456789abcdefABCDEF") != len)
		return fail_at(ps, -EINVAL, "0x and up to 32 hexadecimal digits", id);
	for (size_t i = 0; i < len; i++) {
		char digit[2] = {tok[2 + len - 1 - i]};

		out[i / 2] |= (uint8_t)(strtoul(digit, NULL, 16) << (i % 2 * 4));
	}
	ps->p += len + 2;
	return 0;
}

static int int_parse(struct parser *ps, uint32_t id, const struct btf_type *t, uint8_t *out)
{
	uint32_t info = weir_load_u32(t + 1);

	if (address_take(ps, t->size, out))
		return 0;
	if (BTF_INT_BITS(info) > 64)
		return hex128_parse(ps, id, out);
	return scalar_parse(ps, id, out, BTF_INT_OFFSET(info), BTF_INT_BITS(info));
}

static int float_parse(struct parser *ps, uint32_t id, const struct btf_type *t, uint8_t *out)
{
	char tok[64], *end;
	double v;
	float narrow;

	if (!token_copy(ps, tok, sizeof(tok)) || (t->size != 4 && t->size != 8))
		return fail_at(ps, -EINVAL, "a floating-point number", id);
	v = strtod(tok, &end);
	if (*end)
		return fail_at(ps, -EINVAL, "a floating-point number", id);
	narrow = (float)v;
	memcpy(out, t->size == 4 ? (void *)&narrow : (void *)&v, t->size);
	ps->p += strlen(tok);
	return 0;
}

/* One character of a string behind a backslash; -1: unknown. */
static int escape_parse(struct parser *ps)
{
	char hex[3] = "";

	switch (*ps->p++) {
	case 'n': return '\n';
	case 't': return '\t';
	case '0': return '\0';
	case '\\': return '\\';
	case '"': return '"';
	case 'x':
		if (!isxdigit((unsigned char)ps->p[0]) || !isxdigit((unsigned char)ps->p[1]))
			return -1;
		memcpy(hex, ps->p, 2);
		ps->p += 2;
		return (int)strtoul(hex, NULL, 16);
	default: return -1;
	}
}

static int string_parse(struct parser *ps, uint32_t id, uint8_t *out, uint32_t room)
{
	const char *start = ps->p++;
	uint32_t len = 0;

	while (*ps->p != '"') {
		int c = *ps->p ? (unsigned char)*ps->p++ : -1;

		if (c == '\\')
			c = *ps->p ? escape_parse(ps) : -1;
		if (c < 0 || len == room) {
			ps->p = start;
			return fail_at(ps, c < 0 ? -EINVAL : -ERANGE,
				       c < 0 ? "a string that ends and has known escapes"
					     : "a string that fits",
				       id);
		}
		out[len++] = (uint8_t)c;
	}
	ps->p++;
	return 0;
}

static int array_parse(struct parser *ps, uint32_t id, const struct btf_type *t, uint8_t *out,
		       bool braces_optional)
{
	const struct btf_array *a = btf_array_of(t);
	int64_t elem_bytes = weir_btf_size(ps->btf, a->type);
	char close;
	int err;

	if (address_take(ps, elem_bytes == 1 ? (int64_t)a->nelems : -1, out))
		return 0;
	blanks_skip(ps);
	if (*ps->p == '"' && elem_bytes == 1)
		return string_parse(ps, id, out, a->nelems);
	close = take(ps, '{') ? '}' : take(ps, '[') ? ']' : '\0';
	if (!close && !braces_optional)
		return fail_at(ps, -EINVAL, "{ and the array's elements", id);
	for (uint32_t i = 0; !(close && take(ps, close)); i++) {
		if (i == a->nelems)
			return fail_at(ps, -ERANGE, "no more elements", id);
		err = value_parse(ps, a->type, out + (size_t)i * (size_t)elem_bytes, false);
		if (err)
			return err;
		if (take(ps, ','))
			continue;
		if (!close)
			return 0;
		if (!take(ps, close))
			return fail_at(ps, -EINVAL, "a comma or the array's end", id);
		return 0;
	}
	return 0;
}

/* Where a named member is: looked for through anonymous structs and unions. */
struct place {
	const struct btf_type *owner;
	const struct btf_member *m;
	uint32_t base_bits; /* of the owner in the outermost struct */
	uint32_t index;     /* of the outermost struct's member on the way */
};

static bool member_find(struct parser *ps, const struct btf_type *t, const char *name,
			uint32_t base_bits, uint32_t *steps, struct place *out)
{
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const struct btf_member *m = btf_members(t) + i;
		const struct btf_type *mt = weir_btf_skip_mods(ps->btf, m->type, NULL);

		if (++*steps > MAX_LOOKUP_STEPS)
			return false;
		if (m->name_off && !strcmp(weir_btf_name(ps->btf, m->name_off), name)) {
			*out = (struct place){t, m, base_bits, i};
			return true;
		}
		if (!m->name_off &&
		    (weir_btf_kind(mt) == BTF_KIND_STRUCT || weir_btf_kind(mt) == BTF_KIND_UNION) &&
		    member_find(ps, mt, name, base_bits + btf_member_bit_off(t, m), steps, out)) {
			out->index = i;
			return true;
		}
	}
	return false;
}

static int member_parse(struct parser *ps, const struct place *at, uint8_t *out)
{
	uint32_t bits = btf_member_bits(at->owner, at->m);
	uint64_t off = (uint64_t)at->base_bits + btf_member_bit_off(at->owner, at->m);
	const struct btf_type *mt = weir_btf_skip_mods(ps->btf, at->m->type, NULL);
	const char *outer = ps->field;
	int err;

	ps->field = weir_btf_name(ps->btf, at->m->name_off);
	if (!bits && weir_btf_kind(mt) == BTF_KIND_INT) {
		uint32_t info = weir_load_u32(mt + 1);

		if (off % 8 || BTF_INT_OFFSET(info) || BTF_INT_BITS(info) != mt->size * 8) {
			off += BTF_INT_OFFSET(info);
			bits = weir_min(BTF_INT_BITS(info), 64U);
		}
	}
	err = bits ? scalar_parse(ps, at->m->type, out, off, bits)
		   : value_parse(ps, at->m->type, out + off / 8, false);
	ps->field = outer;
	return err;
}

/* ".name =" or "name =": *named; the place stays the next in order otherwise. */
static int designator_parse(struct parser *ps, uint32_t id, const struct btf_type *t,
			    struct place *at, bool *named)
{
	const char *start;
	char name[256];
	uint32_t steps = 0;
	size_t len;
	bool dot = take(ps, '.');

	blanks_skip(ps);
	start = ps->p;
	len = token_len(start);
	ps->p += len;
	*named = len && len < sizeof(name) && take(ps, '=');
	if (!*named) {
		ps->p = start;
		return dot ? fail_at(ps, -EINVAL, "a member's name and '='", id) : 0;
	}
	memcpy(name, start, len);
	name[len] = '\0';
	if (!member_find(ps, t, name, 0, &steps, at)) {
		ps->p = start;
		return fail_at(ps, -EINVAL, "one of the struct's members", id);
	}
	return 0;
}

static int struct_parse(struct parser *ps, uint32_t id, const struct btf_type *t, uint8_t *out,
			bool braces_optional)
{
	uint32_t next = 0;
	bool braces;
	int err;

	if (address_take(ps, t->size, out))
		return 0;
	braces = take(ps, '{');
	if (!braces && !braces_optional)
		return fail_at(ps, -EINVAL, "{ and the struct's members", id);
	while (!(braces && take(ps, '}'))) {
		struct place at = {t, NULL, 0, next};
		bool named;

		err = designator_parse(ps, id, t, &at, &named);
		if (err)
			return err;
		if (!named && next >= BTF_INFO_VLEN(t->info))
			return fail_at(ps, -ERANGE, "no more members", id);
		if (!named)
			at.m = btf_members(t) + next;
		err = member_parse(ps, &at, out);
		if (err)
			return err;
		next = at.index + 1;
		if (take(ps, ','))
			continue;
		if (braces && !take(ps, '}'))
			return fail_at(ps, -EINVAL, "a comma or the struct's end", id);
		return 0;
	}
	return 0;
}

static int value_parse(struct parser *ps, uint32_t id, uint8_t *out, bool braces_optional)
{
	const struct btf_type *t = weir_btf_skip_mods(ps->btf, id, NULL);

	switch (t ? weir_btf_kind(t) : BTF_KIND_UNKN) {
	case BTF_KIND_INT: return int_parse(ps, id, t, out);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: return scalar_parse(ps, id, out, 0, t->size * 8);
	case BTF_KIND_PTR: return scalar_parse(ps, id, out, 0, 64);
	case BTF_KIND_FLOAT: return float_parse(ps, id, t, out);
	case BTF_KIND_ARRAY: return array_parse(ps, id, t, out, braces_optional);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return struct_parse(ps, id, t, out, braces_optional);
	case BTF_KIND_VAR: return value_parse(ps, t->type, out, braces_optional);
	default: return fail_at(ps, -EINVAL, "a type that can be written", id);
	}
}

int weir_btf_value_parse(const struct weir_btf *btf, uint32_t id, const char *text,
			 struct weir_diag *diag, void *out, size_t out_bytes)
{
	struct parser ps = {.btf = btf, .diag = diag, .text = text, .p = text, .field = ""};
	weir_autofree uint8_t *value = NULL;
	int64_t size = weir_btf_size(btf, id);
	int err;

	if (size < 0 || (uint64_t)size != out_bytes)
		return weir_fail(diag, -EINVAL, "type %u: expected a type of %zu bytes, found %lld",
				 id, out_bytes, (long long)size);
	value = calloc(1, out_bytes + 1);
	if (!value)
		return -ENOMEM;
	err = value_parse(&ps, id, value, true);
	if (err)
		return err;
	blanks_skip(&ps);
	if (*ps.p)
		return fail_at(&ps, -EINVAL, "the end of the value", id);
	memcpy(out, value, out_bytes);
	return 0;
}
