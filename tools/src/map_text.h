/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys and values as people read and write them: typed by BTF where the map has types, else hex.
 */
#ifndef WEIRCTL_MAP_TEXT_H
#define WEIRCTL_MAP_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "weir/base/diag.h"
#include "weir/vm/btf.h"

struct map_shape {
	const struct weir_btf *btf;    /* NULL: no types */
	uint32_t key_type, value_type; /* BTF ids; 0: none */
	uint32_t key_size, value_size;
	uint32_t slots; /* values an element has; 0: not per-CPU */
	bool index_key; /* the key is an index: without a type it is still a number */
	bool id_value;  /* the value is an object's id or an interface's index, likewise */
};

/* Does a map type count its elements? Are its values ids or interfaces? */
bool map_type_has_index(uint32_t map_type);
bool map_type_has_ids(uint32_t map_type);

/* A key or one value as JSON: by type, or {"hex": "…"}. Never NULL but for want of memory. */
json_t *map_bytes_json(const struct weir_btf *btf, uint32_t type, const void *bytes, uint32_t size);
/* An element: {"key": …, "value": …}, per-CPU {"key": …, "values": [{"cpu": 0, "value": …}…]}. */
json_t *map_elem_json(const struct map_shape *shape, const void *key, const void *value);
/* The same as one line of text on stdout. */
void map_elem_print(const struct map_shape *shape, const void *key, const void *value);

/*
 * Parses a key or value from words: `hex 01 02 …` (or `hex 0102…`), else one word by type (numbers
 * in host order where there is no type and the size is 1, 2, 4 or 8). *used: words taken. 0 or
 * -EINVAL with text.
 */
int map_bytes_parse(const struct weir_btf *btf, uint32_t type, uint32_t size,
		    const char *const *words, int count, int *used, struct weir_diag *diag,
		    void *out);

#endif
