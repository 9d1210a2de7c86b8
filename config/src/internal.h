/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the library's files share. A load goes: text -> nodes (reader.c, the only file that knows
 * libyaml) -> model (decode.c, driven by the table of schema.c) -> references and rules between
 * elements (check.c). All of it lives in the load's arena.
 */
#ifndef WEIR_CONFIG_INTERNAL_H
#define WEIR_CONFIG_INTERNAL_H

#include "weir/base/arena.h"
#include "weir/base/vec.h"
#include "weir/config/config.h"

#define WEIR_CONFIG_FILE_MAX_BYTES ((size_t)1 << 20)
#define WEIR_CONFIG_TEXT_MAX_BYTES 4095
#define WEIR_CONFIG_DEPTH_MAX      16
#define WEIR_CONFIG_NODES_MAX      100000
#define WEIR_CONFIG_KEYS_MAX       256 /* of one mapping; keeps the search for twins short */
#define WEIR_CONFIG_ERRORS_MAX     20

enum weir_config_node_kind {
	WEIR_CONFIG_SCALAR,
	WEIR_CONFIG_LIST,
	WEIR_CONFIG_MAP,
};

struct weir_config_node {
	enum weir_config_node_kind kind;
	bool refused; /* reported by the reader already: say no more about it */
	bool empty;   /* a plain scalar without text: `key:` */
	uint32_t line, column;
	uint32_t key_line, key_column; /* 0 unless the parent is a map */
	uint32_t index;                /* in a parent list */
	const char *file;
	const char *key;  /* NULL unless the parent is a map */
	const char *text; /* of a scalar, never NULL there */
	struct weir_config_node *parent;
	struct weir_config_node *next;
	struct weir_config_node *first, *last;
	size_t children;
};

/* Where in the text a part of the model came from. */
struct weir_config_place {
	const char *addr;
	size_t size_bytes;
	const struct weir_config_node *node;
};

struct weir_config_places {
	struct weir_config_place *v;
	size_t len;
	size_t cap;
};

struct weir_config_store {
	struct weir_arena *arena;
	struct weir_config_places places;
};

struct weir_config_report {
	struct weir_diag *diag;
	uint32_t errors;
	uint32_t max_errors;
	int fatal; /* -ENOMEM and the like; reported once, by the caller of all */
};

struct weir_config_load {
	struct weir_arena *arena;
	struct weir_config_report report;
	struct weir_config_places places;
	size_t nodes;
};

/* report.c */

/* Quoted, on one line, at most 48 bytes of it, nothing that a terminal would obey. */
void weir_config_quote(struct weir_diag *diag, const char *text);
void weir_config_path_print(struct weir_diag *diag, const struct weir_config_node *node);
/* One error at the value (or the key) of a node. */
void weir_config_error(struct weir_config_report *report, const struct weir_config_node *node,
		       const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void weir_config_error_key(struct weir_config_report *report, const struct weir_config_node *node,
			   const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* One error at a position of the file, below `node` (may be NULL). */
void weir_config_error_at(struct weir_config_report *report, const struct weir_config_node *node,
			  const char *file, size_t line, size_t column, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* The value's own text and what was expected instead. */
void weir_config_error_value(struct weir_config_report *report, const struct weir_config_node *node,
			     const char *expected);
void weir_config_error_vat(struct weir_config_report *report, const struct weir_config_node *node,
			   const char *file, size_t line, size_t column, const char *fmt,
			   va_list ap);
const struct weir_config_node *weir_config_place_find(const struct weir_config_places *places,
						      const void *field);
/* Orders by address; weir_config_place_exact() needs it. */
void weir_config_places_sort(struct weir_config_places *places);
/* The place of exactly this field: NULL if the file left it out. */
const struct weir_config_node *weir_config_place_exact(const struct weir_config_places *places,
						       const void *field, size_t size_bytes);
/* The candidate nearest to `word`, NULL if none is near. next() gives candidates, NULL at the end.
 */
const char *weir_config_nearest(const char *word, const char *(*next)(void *arg), void *arg);

/* reader.c */

/* 0 with *out the document's top mapping; errors are in the report. -EINVAL if there is no tree. */
int weir_config_read(struct weir_config_load *load, const char *file, const char *text,
		     size_t len_bytes, struct weir_config_node **out);

/* decode.c */
struct weir_config_section;
void weir_config_decode(struct weir_config_load *load, const struct weir_config_node *root,
			struct weir_config *out);

/* check.c */
void weir_config_check(struct weir_config_load *load, struct weir_config *config);

#endif
