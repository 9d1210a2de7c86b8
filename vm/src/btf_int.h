/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of struct weir_btf, for the BTF files and the ELF reader only. */
#ifndef WEIR_VM_SRC_BTF_INT_H
#define WEIR_VM_SRC_BTF_INT_H

#include "weir/vm/btf.h"

/* By-value nesting (members, elements, modifiers), so that walks over values may recurse. */
#define BTF_MAX_NESTING 32

struct weir_btf {
	uint8_t *bytes; /* owns; 8-byte aligned */
	size_t size_bytes;
	uint32_t type_count;
	uint32_t *type_offs; /* owns; [0] unused; from bytes */
	int64_t *sizes;      /* owns; by id; -EINVAL where a type has no size */
	const char *strs;    /* in bytes */
	uint32_t strs_bytes;
};

static inline const struct btf_member *btf_members(const struct btf_type *t)
{
	return (const struct btf_member *)(t + 1);
}

static inline const struct btf_array *btf_array_of(const struct btf_type *t)
{
	return (const struct btf_array *)(t + 1);
}

static inline const struct btf_var_secinfo *btf_secinfos(const struct btf_type *t)
{
	return (const struct btf_var_secinfo *)(t + 1);
}

static inline uint32_t btf_member_bit_off(const struct btf_type *t, const struct btf_member *m)
{
	return BTF_INFO_KFLAG(t->info) ? BTF_MEMBER_BIT_OFFSET(m->offset) : m->offset;
}

/* 0: not a bit-field by the member's own words (an old-style INT may still be one). */
static inline uint32_t btf_member_bits(const struct btf_type *t, const struct btf_member *m)
{
	return BTF_INFO_KFLAG(t->info) ? BTF_MEMBER_BITFIELD_SIZE(m->offset) : 0;
}

/* The parser's second half: fills sizes, refuses by-value cycles and members out of bounds. */
int btf_resolve(struct weir_btf *btf, struct weir_diag *diag);

#endif
