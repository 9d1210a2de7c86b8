/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BTF: parsed, checked, read-only. The bytes come from anywhere, so everything is bounded: string
 * offsets, type ids, member counts, nesting (32), cycles that have no pointer in them.
 * Immutable after parsing; any thread.
 */
#ifndef WEIR_VM_BTF_H
#define WEIR_VM_BTF_H

#include <linux/btf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/base/diag.h"

struct weir_btf;

/* Copies the bytes. 0; -EINVAL (text says offset, expected, found); -ENOMEM; -E2BIG. */
int weir_btf_parse(const void *bytes, size_t size_bytes, struct weir_diag *diag,
		   struct weir_btf **out);
void weir_btf_free(struct weir_btf **btf);

const void *weir_btf_bytes(const struct weir_btf *btf, size_t *size_bytes);
uint32_t weir_btf_type_count(const struct weir_btf *btf); /* ids are 1..count; 0 is void */
/* NULL for 0 and ids out of range. Valid as long as btf; what follows the struct (members,
 * array, params…) was checked to be there. */
const struct btf_type *weir_btf_type(const struct weir_btf *btf, uint32_t id);
/* The string at off, "" for 0; never NULL (an offset out of range gives "<bad name>"). */
const char *weir_btf_name(const struct weir_btf *btf, uint32_t name_off);
static inline uint32_t weir_btf_kind(const struct btf_type *t)
{
	return BTF_INFO_KIND(t->info);
}
/* Skips typedef, const, volatile, restrict, type tags. *id follows if not NULL. */
const struct btf_type *weir_btf_skip_mods(const struct weir_btf *btf, uint32_t id,
					  uint32_t *out_id);
/* Size in bytes of a type, arrays and modifiers resolved; -EINVAL (void, func, forward). */
int64_t weir_btf_size(const struct weir_btf *btf, uint32_t id);
/* First type of that kind and name; 0 if none. */
uint32_t weir_btf_find(const struct weir_btf *btf, const char *name, uint32_t kind);
/* Writes a C-like name of the type ("struct flow_key", "unsigned int[4]"). */
void weir_btf_type_print(const struct weir_btf *btf, uint32_t id, struct weir_diag *out);

#endif
