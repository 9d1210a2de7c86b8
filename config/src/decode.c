/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nodes -> model, by the table. Every element and every field that the text gives is noted with its
 * place, so that whoever finds fault with it later can say where it stands.
 */
#include "schema.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static void decode_section(struct weir_config_load *load, const struct weir_config_section *section,
			   const struct weir_config_node *node, void *out);

static void out_of_memory(struct weir_config_load *load)
{
	load->report.fatal = -ENOMEM;
}

static void *take_memory(struct weir_config_load *load, size_t count, size_t size_bytes)
{
	void *p = weir_arena_calloc(load->arena, count, size_bytes);

	if (!p)
		out_of_memory(load);
	return p;
}

static void note_place(struct weir_config_load *load, const void *addr, size_t size_bytes,
		       const struct weir_config_node *node)
{
	struct weir_config_place place = {addr, size_bytes, node};

	if (weir_vec_push(&load->places, place))
		out_of_memory(load);
}

static size_t value_size(const struct weir_config_key *key)
{
	switch (key->type) {
	case WEIR_CONFIG_T_BOOL: return sizeof(bool);
	case WEIR_CONFIG_T_UINT:
	case WEIR_CONFIG_T_MODE: return sizeof(uint32_t);
	case WEIR_CONFIG_T_ENUM: return sizeof(int);
	case WEIR_CONFIG_T_COUNT:
	case WEIR_CONFIG_T_SIZE:
	case WEIR_CONFIG_T_DURATION:
	case WEIR_CONFIG_T_QUEUES: return sizeof(uint64_t);
	case WEIR_CONFIG_T_TEXT: return sizeof(char *);
	case WEIR_CONFIG_T_TEXTS:
	case WEIR_CONFIG_T_NUMBERS:
	case WEIR_CONFIG_T_LIST:
	case WEIR_CONFIG_T_WORKERS: return sizeof(struct weir_config_workers);
	case WEIR_CONFIG_T_SECTION: return key->section->size_bytes;
	}
	return 0;
}

static void bad_value(struct weir_config_load *load, const struct weir_config_key *key,
		      const struct weir_config_node *node)
{
	WEIR_DIAG_ON_STACK(expected, 512);

	weir_config_expected(&expected, key);
	weir_config_error_value(&load->report, node, expected.buf);
}

static bool decode_word(const struct weir_config_key *key, const char *text, void *out)
{
	for (const struct weir_config_word *w = key->words; w->name; w++) {
		if (!strcmp(w->name, text)) {
			memcpy(out, &w->value, sizeof(w->value));
			return true;
		}
	}
	return false;
}

static bool store_number(const struct weir_config_key *key, uint64_t n, void *out)
{
	uint32_t narrow = (uint32_t)n;

	if (value_size(key) == sizeof(narrow))
		memcpy(out, &narrow, sizeof(narrow));
	else
		memcpy(out, &n, sizeof(n));
	return true;
}

/* The types that one text holds whole and that need no memory. */
static bool decode_plain(const struct weir_config_key *key, const char *text, void *out)
{
	uint64_t n = 0;
	bool ok = false;

	if (key->word && !strcmp(key->word, text))
		return store_number(key, key->word_value, out);
	switch (key->type) {
	case WEIR_CONFIG_T_BOOL: return weir_config_parse_bool(text, out);
	case WEIR_CONFIG_T_MODE: return weir_config_parse_mode(text, out);
	case WEIR_CONFIG_T_ENUM: return decode_word(key, text, out);
	case WEIR_CONFIG_T_QUEUES: return weir_config_parse_queues(text, out);
	case WEIR_CONFIG_T_UINT:
	case WEIR_CONFIG_T_COUNT: ok = weir_config_parse_number(text, &n); break;
	case WEIR_CONFIG_T_SIZE: ok = weir_config_parse_size(text, &n); break;
	case WEIR_CONFIG_T_DURATION: ok = weir_config_parse_duration(text, &n); break;
	default: break;
	}
	return ok && n >= key->min && n <= key->max && store_number(key, n, out);
}

/* A relative file is meant from where the text that names it is. */
static const char *join_file(struct weir_config_load *load, const char *base, const char *text)
{
	const char *slash = strrchr(base, '/');
	size_t dir_len = slash ? (size_t)(slash - base) + 1 : 0;
	char *path;

	if (text[0] == '/')
		dir_len = 0;
	path = take_memory(load, 1, dir_len + strlen(text) + 1);
	if (!path)
		return NULL;
	memcpy(path, base, dir_len);
	memcpy(path + dir_len, text, strlen(text));
	return path;
}

static void decode_text(struct weir_config_load *load, const struct weir_config_key *key,
			const struct weir_config_node *node, const char **out)
{
	const char *text = node->text;

	if (node->kind != WEIR_CONFIG_SCALAR || node->refused || !text[0]) {
		bad_value(load, key, node);
		return;
	}
	if (key->format->is_file) {
		text = join_file(load, node->file, text);
		if (!text)
			return;
	}
	if (!key->format->is_valid(text)) {
		bad_value(load, key, node);
		return;
	}
	*out = text;
	note_place(load, out, sizeof(*out), node);
}

static void too_many(struct weir_config_load *load, const struct weir_config_node *node, size_t max)
{
	weir_config_error(&load->report, node, "%zu entries, expected at most %zu", node->children,
			  max);
}

static void decode_texts(struct weir_config_load *load, const struct weir_config_key *key,
			 const struct weir_config_node *node, struct weir_config_strings *out)
{
	const struct weir_config_node *child;
	const char **v;
	size_t i = 0;

	if (node->kind == WEIR_CONFIG_MAP) {
		bad_value(load, key, node);
		return;
	}
	if (node->children > key->max) {
		too_many(load, node, key->max);
		return;
	}
	v = take_memory(load, node->children + 1, sizeof(*v));
	if (!v)
		return;
	if (node->kind == WEIR_CONFIG_SCALAR && !node->empty)
		decode_text(load, key, node, &v[i++]);
	for (child = node->first; child; child = child->next)
		decode_text(load, key, child, &v[i++]);
	out->v = v;
	out->len = i;
}

static void decode_numbers(struct weir_config_load *load, const struct weir_config_key *key,
			   const struct weir_config_node *node, struct weir_config_numbers *out)
{
	const struct weir_config_node *child;
	uint32_t *v;
	size_t i = 0;

	if (node->kind == WEIR_CONFIG_SCALAR && key->word && !strcmp(node->text, key->word))
		return;
	if (node->kind != WEIR_CONFIG_LIST) {
		bad_value(load, key, node);
		return;
	}
	if (node->children > WEIR_CONFIG_MAX_RX_QUEUES) {
		too_many(load, node, WEIR_CONFIG_MAX_RX_QUEUES);
		return;
	}
	v = take_memory(load, node->children + 1, sizeof(*v));
	if (!v)
		return;
	for (child = node->first; child; child = child->next) {
		struct weir_config_key entry = *key;
		uint64_t n;

		entry.type = WEIR_CONFIG_T_UINT;
		entry.word = NULL;
		if (child->kind == WEIR_CONFIG_SCALAR &&
		    weir_config_parse_number(child->text, &n) && n >= key->min && n <= key->max) {
			v[i] = (uint32_t)n;
			note_place(load, &v[i++], sizeof(*v), child);
		} else {
			bad_value(load, &entry, child);
		}
	}
	out->v = v;
	out->len = i;
}

static void decode_list(struct weir_config_load *load, const struct weir_config_key *key,
			const struct weir_config_node *node, struct weir_config_maps *out)
{
	const struct weir_config_node *child;
	char *elems;
	size_t i = 0;

	if (node->kind == WEIR_CONFIG_SCALAR && node->empty)
		return;
	if (node->kind != WEIR_CONFIG_LIST) {
		bad_value(load, key, node);
		return;
	}
	if (node->children > key->max) {
		too_many(load, node, key->max);
		return;
	}
	elems = take_memory(load, node->children, key->section->size_bytes);
	if (!elems)
		return;
	for (child = node->first; child; child = child->next)
		decode_section(load, key->section, child, elems + i++ * key->section->size_bytes);
	out->v = (const void *)elems;
	out->len = i;
}

static void decode_workers(struct weir_config_load *load, const struct weir_config_key *key,
			   const struct weir_config_node *node, struct weir_config_workers *out)
{
	struct weir_config_worker *v;
	uint64_t n;

	if (node->kind == WEIR_CONFIG_LIST && node->children) {
		decode_list(load, key, node, (struct weir_config_maps *)out);
		return;
	}
	if (node->kind != WEIR_CONFIG_SCALAR || !weir_config_parse_number(node->text, &n) ||
	    n < key->min || n > key->max) {
		bad_value(load, key, node);
		return;
	}
	v = take_memory(load, n, sizeof(*v));
	if (!v)
		return;
	for (size_t i = 0; i < n; i++) {
		decode_section(load, key->section, NULL, &v[i]);
		note_place(load, &v[i], sizeof(v[i]), node);
	}
	out->v = v;
	out->len = n;
}

static void decode_value(struct weir_config_load *load, const struct weir_config_key *key,
			 const struct weir_config_node *node, void *out)
{
	switch (key->type) {
	case WEIR_CONFIG_T_TEXT: decode_text(load, key, node, out); return;
	case WEIR_CONFIG_T_TEXTS: decode_texts(load, key, node, out); break;
	case WEIR_CONFIG_T_NUMBERS: decode_numbers(load, key, node, out); break;
	case WEIR_CONFIG_T_LIST: decode_list(load, key, node, out); break;
	case WEIR_CONFIG_T_WORKERS: decode_workers(load, key, node, out); break;
	case WEIR_CONFIG_T_SECTION:
		if (node->kind == WEIR_CONFIG_SCALAR && key->word && !strcmp(node->text, key->word))
			return;
		if (node->kind == WEIR_CONFIG_LIST ||
		    (node->kind == WEIR_CONFIG_SCALAR && !node->empty)) {
			bad_value(load, key, node);
			return;
		}
		decode_section(load, key->section, node, out);
		return;
	default:
		if (node->kind != WEIR_CONFIG_SCALAR || !decode_plain(key, node->text, out)) {
			bad_value(load, key, node);
			return;
		}
		break;
	}
	note_place(load, out, value_size(key), node);
}

/* "/a:/b" */
static void default_texts(struct weir_config_load *load, const char *list,
			  struct weir_config_strings *out)
{
	const char **v = take_memory(load, strlen(list), sizeof(*v));
	char *copy = weir_arena_strdup(load->arena, list), *save = NULL, *text;

	if (!v || !copy) {
		out_of_memory(load);
		return;
	}
	out->v = v;
	for (text = strtok_r(copy, ":", &save); text; text = strtok_r(NULL, ":", &save))
		v[out->len++] = text;
}

static void decode_default(struct weir_config_load *load, const struct weir_config_key *key,
			   void *out)
{
	const struct weir_config_node node = {
		.kind = WEIR_CONFIG_SCALAR, .text = key->fallback, .file = ""};
	size_t places = load->places.len;

	if (key->type == WEIR_CONFIG_T_SECTION) {
		decode_section(load, key->section, NULL, out);
	} else if (!key->fallback) {
		return;
	} else if (key->type == WEIR_CONFIG_T_TEXTS) {
		default_texts(load, key->fallback, out);
	} else if (key->type == WEIR_CONFIG_T_WORKERS || key->type == WEIR_CONFIG_T_NUMBERS) {
		decode_value(load, key, &node, out);
	} else {
		bool ok = decode_plain(key, key->fallback, out);

		assert(ok);
		(void)ok;
	}
	load->places.len = places; /* a default has no place */
}

static const char *next_key_name(void *arg)
{
	const struct weir_config_section *section = ((const void **)arg)[0];
	size_t *at = ((void **)arg)[1];

	return *at < section->len ? section->keys[(*at)++].name : NULL;
}

static void unknown_key(struct weir_config_load *load, const struct weir_config_section *section,
			const struct weir_config_node *node)
{
	WEIR_DIAG_ON_STACK(expected, 512);
	size_t at = 0;
	const void *arg[] = {section, &at};
	const char *nearest = weir_config_nearest(node->key, next_key_name, (void *)arg);

	if (nearest) {
		weir_diag_printf(&expected, "\"%s\"", nearest);
	} else {
		if (section->len > 1)
			weir_diag_printf(&expected, "one of ");
		for (size_t i = 0; i < section->len; i++)
			weir_diag_printf(&expected, "%s%s", i ? ", " : "", section->keys[i].name);
	}
	weir_config_error_key(&load->report, node, "unknown key, expected %s", expected.buf);
}

static const struct weir_config_node *child_of(const struct weir_config_node *map, const char *key)
{
	const struct weir_config_node *child;

	for (child = map ? map->first : NULL; child; child = child->next)
		if (!strcmp(child->key, key))
			return child;
	return NULL;
}

static bool knows(const struct weir_config_section *section, const char *key)
{
	for (size_t i = 0; i < section->len; i++)
		if (!strcmp(section->keys[i].name, key))
			return true;
	return false;
}

static void report_missing(struct weir_config_load *load, const struct weir_config_key *key,
			   const struct weir_config_node *node)
{
	WEIR_DIAG_ON_STACK(expected, 512);

	weir_config_expected(&expected, key);
	weir_config_error(&load->report, node, "no %s, expected %s", key->name, expected.buf);
}

/* Every struct of the model begins with its loc; node NULL (or `key:`) means all defaults. */
static void decode_section(struct weir_config_load *load, const struct weir_config_section *section,
			   const struct weir_config_node *node, void *out)
{
	struct weir_config_loc *loc = out;
	const struct weir_config_node *child, *map = node;

	if (node && node->refused)
		return;
	if (node) {
		if (node->kind == WEIR_CONFIG_LIST ||
		    (node->kind == WEIR_CONFIG_SCALAR && !node->empty)) {
			weir_config_error_value(&load->report, node, "a mapping of keys");
			return;
		}
		*loc = (struct weir_config_loc){node->file, node->line, node->column};
		note_place(load, out, section->size_bytes, node);
	}
	for (child = map ? map->first : NULL; child; child = child->next)
		if (!child->refused && !knows(section, child->key))
			unknown_key(load, section, child);
	for (size_t i = 0; i < section->len; i++) {
		const struct weir_config_key *key = &section->keys[i];
		void *field = (char *)out + key->offset;

		decode_default(load, key, field);
		child = child_of(map, key->name);
		if (child)
			decode_value(load, key, child, field);
		else if (key->required && node)
			report_missing(load, key, node);
	}
}

void weir_config_decode(struct weir_config_load *load, const struct weir_config_node *root,
			struct weir_config *out)
{
	decode_section(load, &weir_config_root_section, root, out);
}
