/* SPDX-License-Identifier: BSD-3-Clause */
#include "map_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/vm/bpf.h"
#include "weir/vm/btf_value.h"

#define MAX_DEPTH  64
#define TEXT_BYTES (1U << 16) /* of a value's text; longer ones are cut off and say so */

/* A JSON document under construction: the containers that are open, the innermost last. */
struct builder {
	json_t *open[MAX_DEPTH]; /* owns a reference each */
	int depth;
	json_t *top;
};

/* Takes value and puts it where the event belongs. */
static int put(struct builder *b, const struct weir_btf_event *e, json_t *value)
{
	json_t *in = b->depth ? b->open[b->depth - 1] : NULL;

	if (!value)
		return -ENOMEM;
	if (!in)
		b->top = value;
	else if (json_is_array(in) ? json_array_append_new(in, value)
				   : json_object_set_new(in, e->name ? e->name : "", value))
		return -ENOMEM;
	return 0;
}

static int begin(struct builder *b, const struct weir_btf_event *e, bool array)
{
	json_t *in = b->depth ? b->open[b->depth - 1] : NULL, *made;
	int err = 0;

	if (b->depth == MAX_DEPTH)
		return -E2BIG;
	/* members of an anonymous struct are the outer one's, as in C */
	if (!array && in && json_is_object(in) && e->name && !*e->name) {
		b->open[b->depth++] = json_incref(in);
		return 0;
	}
	made = array ? json_array() : json_object();
	if (!made)
		return -ENOMEM;
	json_incref(made);
	err = put(b, e, made);
	if (err)
		json_decref(made);
	else
		b->open[b->depth++] = made;
	return err;
}

/* jansson's integers are signed; what is beyond them becomes a string of digits. */
static json_t *unsigned_json(uint64_t v)
{
	char text[24];

	if (v <= INT64_MAX)
		return json_integer((json_int_t)v);
	snprintf(text, sizeof(text), "%" PRIu64, v);
	return json_string(text);
}

static int on_event(void *arg, const struct weir_btf_event *e)
{
	struct builder *b = arg;

	switch (e->kind) {
	case WEIR_BTF_STRUCT_BEGIN: return begin(b, e, false);
	case WEIR_BTF_ARRAY_BEGIN: return begin(b, e, true);
	case WEIR_BTF_STRUCT_END:
	case WEIR_BTF_ARRAY_END: json_decref(b->open[--b->depth]); return 0;
	case WEIR_BTF_SIGNED: return put(b, e, json_integer(e->v.i64));
	case WEIR_BTF_UNSIGNED:
	case WEIR_BTF_POINTER: return put(b, e, unsigned_json(e->v.u64));
	case WEIR_BTF_BOOL: return put(b, e, json_boolean(e->v.u64));
	case WEIR_BTF_FLOAT: {
		json_t *real = json_real(e->v.f64);

		return put(b, e, real ? real : json_null()); /* no NaN in JSON */
	}
	case WEIR_BTF_ENUM:
		return put(b, e, e->text ? json_string(e->text) : json_integer(e->v.i64));
	case WEIR_BTF_STRING:
	case WEIR_BTF_ADDRESS:
	case WEIR_BTF_HEX: return put(b, e, json_string(e->text));
	}
	return -EINVAL;
}

static json_t *by_type(const struct weir_btf *btf, uint32_t type, const void *bytes, uint32_t size)
{
	struct builder b = {0};

	if (!btf || !type || weir_btf_size(btf, type) != size)
		return NULL;
	if (!weir_btf_value_walk(btf, type, bytes, size, on_event, &b))
		return b.top;
	while (b.depth)
		json_decref(b.open[--b.depth]);
	json_decref(b.top);
	return NULL;
}

/* "01 02 0a"; out has room for 3 characters a byte. */
static void hex_text(const void *bytes, uint32_t size, char *out)
{
	const uint8_t *p = bytes;

	*out = '\0';
	for (uint32_t i = 0; i < size; i++)
		out += sprintf(out, "%s%02x", i ? " " : "", p[i]);
}

json_t *map_bytes_json(const struct weir_btf *btf, uint32_t type, const void *bytes, uint32_t size)
{
	json_t *value = by_type(btf, type, bytes, size);
	weir_autofree char *text = NULL;

	if (value)
		return value;
	text = malloc((size_t)size * 3 + 1);
	if (!text)
		return NULL;
	hex_text(bytes, size, text);
	return json_pack("{s:s}", "hex", text);
}

bool map_type_has_index(uint32_t map_type)
{
	switch (map_type) {
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_PROG_ARRAY:
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_DEVMAP:
	case BPF_MAP_TYPE_CPUMAP:
	case BPF_MAP_TYPE_XSKMAP: return true;
	default: return false;
	}
}

bool map_type_has_ids(uint32_t map_type)
{
	switch (map_type) {
	case BPF_MAP_TYPE_PROG_ARRAY:
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
	case BPF_MAP_TYPE_DEVMAP:
	case BPF_MAP_TYPE_DEVMAP_HASH: return true;
	default: return false;
	}
}

static bool is_plain_id(const struct map_shape *shape)
{
	return shape->id_value && shape->value_size == sizeof(uint32_t) && !shape->slots &&
	       (!shape->btf || !shape->value_type);
}

static bool is_plain_index(const struct map_shape *shape)
{
	return shape->index_key && shape->key_size == sizeof(uint32_t) &&
	       (!shape->btf || !shape->key_type);
}

static json_t *key_json(const struct map_shape *shape, const void *key)
{
	if (is_plain_index(shape))
		return json_integer(weir_load_u32(key));
	return map_bytes_json(shape->btf, shape->key_type, key, shape->key_size);
}

static size_t stride_of(const struct map_shape *shape)
{
	return weir_align_up(shape->value_size, 8);
}

json_t *map_elem_json(const struct map_shape *shape, const void *key, const void *value)
{
	json_t *elem = json_object(), *list;

	if (shape->key_size)
		json_object_set_new(elem, "key", key_json(shape, key));
	if (!shape->slots) {
		json_object_set_new(elem, "value",
				    is_plain_id(shape)
					    ? json_integer(weir_load_u32(value))
					    : map_bytes_json(shape->btf, shape->value_type, value,
							     shape->value_size));
		return elem;
	}
	list = json_array();
	for (uint32_t s = 0; s < shape->slots; s++) {
		json_t *row = json_pack("{s:i}", "cpu", (int)s);

		json_object_set_new(row, "value",
				    map_bytes_json(shape->btf, shape->value_type,
						   (const uint8_t *)value + s * stride_of(shape),
						   shape->value_size));
		json_array_append_new(list, row);
	}
	json_object_set_new(elem, "values", list);
	return elem;
}

/* One word that map_bytes_parse takes back, but for the blanks. */
static void bytes_print(const struct weir_btf *btf, uint32_t type, const void *bytes, uint32_t size)
{
	weir_autofree char *text = NULL;
	struct weir_diag out;

	text = malloc(weir_max(TEXT_BYTES, (size_t)size * 3 + 8));
	if (!text)
		return;
	weir_diag_init(&out, text, TEXT_BYTES);
	if (btf && type && weir_btf_size(btf, type) == size &&
	    !weir_btf_value_print(btf, type, bytes, size, &out)) {
		fputs(text, stdout);
		if (weir_diag_truncated(&out))
			fputs("… (cut off; --json shows all)", stdout);
		return;
	}
	hex_text(bytes, size, text);
	printf("hex %s", text);
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

/* The CPUs whose values are not zero; where all are the same, that once. */
static void values_print(const struct map_shape *shape, const uint8_t *value)
{
	uint32_t said = 0;
	bool same = true;

	for (uint32_t s = 1; s < shape->slots; s++)
		same &= !memcmp(value, value + s * stride_of(shape), shape->value_size);
	if (same) {
		bytes_print(shape->btf, shape->value_type, value, shape->value_size);
		if (shape->slots > 1)
			printf(" on %u CPUs", shape->slots);
		return;
	}
	for (uint32_t s = 0; s < shape->slots; s++) {
		const uint8_t *v = value + s * stride_of(shape);

		if (is_zero(v, shape->value_size))
			continue;
		printf("%scpu %u: ", said++ ? ", " : "", s);
		bytes_print(shape->btf, shape->value_type, v, shape->value_size);
	}
	if (said < shape->slots)
		fputs(", else zero", stdout);
}

void map_elem_print(const struct map_shape *shape, const void *key, const void *value)
{
	if (is_plain_index(shape))
		printf("%u", weir_load_u32(key));
	else if (shape->key_size)
		bytes_print(shape->btf, shape->key_type, key, shape->key_size);
	if (shape->key_size)
		fputs(" => ", stdout);
	if (shape->slots)
		values_print(shape, value);
	else if (is_plain_id(shape))
		printf("%u", weir_load_u32(value));
	else
		bytes_print(shape->btf, shape->value_type, value, shape->value_size);
	putchar('\n');
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The words behind "hex", until the bytes are there. */
static int parse_hex(uint32_t size, const char *const *words, int count, int *used,
		     struct weir_diag *diag, uint8_t *out)
{
	uint32_t at = 0;
	int w = 1;

	for (; w < count && at < size; w++) {
		const char *p = words[w];

		if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
			p += 2;
		for (; *p; p += 2) {
			int high = hex_digit(p[0]), low = high < 0 ? -1 : hex_digit(p[1]);

			if (low < 0)
				return weir_fail(diag, -EINVAL,
						 "'%s': expected pairs of hex digits, two a byte",
						 words[w]);
			if (at == size)
				return weir_fail(diag, -EINVAL,
						 "'%s': more than the %u bytes it has", words[w],
						 size);
			out[at++] = (uint8_t)(high << 4 | low);
		}
	}
	if (at < size)
		return weir_fail(diag, -EINVAL, "%u of %u bytes given", at, size);
	*used = w;
	return 0;
}

static bool parse_mac(const char *text, uint8_t *out)
{
	for (int i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* Without types: addresses by size, or a number in the host's byte order. */
static int parse_untyped(uint32_t size, const char *word, struct weir_diag *diag, void *out)
{
	unsigned long long v;
	char *end;

	if ((size == 4 && inet_pton(AF_INET, word, out) == 1) ||
	    (size == 16 && inet_pton(AF_INET6, word, out) == 1) ||
	    (size == 6 && parse_mac(word, out)))
		return 0;
	if (size != 1 && size != 2 && size != 4 && size != 8)
		return weir_fail(diag, -EINVAL,
				 "'%s': its %u bytes have no type; expected 'hex' and the bytes",
				 word, size);
	errno = 0;
	v = strtoull(word, &end, 0);
	if (!*word || *end || errno || *word == '-' || (size < 8 && v >> (8 * size)))
		return weir_fail(diag, -EINVAL,
				 "'%s': expected a number of %u byte%s, or 'hex' and the bytes",
				 word, size, size == 1 ? "" : "s");
	memcpy(out, &v, size);
	return 0;
}

int map_bytes_parse(const struct weir_btf *btf, uint32_t type, uint32_t size,
		    const char *const *words, int count, int *used, struct weir_diag *diag,
		    void *out)
{
	int err;

	if (!size) {
		*used = 0;
		return 0;
	}
	if (count < 1)
		return weir_fail(diag, -EINVAL, "expected %u byte%s", size, size == 1 ? "" : "s");
	if (!strcmp(words[0], "hex"))
		return parse_hex(size, words, count, used, diag, out);
	if (btf && type && weir_btf_size(btf, type) == size)
		err = weir_btf_value_parse(btf, type, words[0], diag, out, size);
	else
		err = parse_untyped(size, words[0], diag, out);
	if (!err)
		*used = 1;
	return err;
}
