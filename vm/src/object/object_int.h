/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The object reader's working state. Everything here lives in the scratch arena and dies with the
 * call; what the plan keeps is copied into the plan's arena.
 */
#ifndef WEIR_VM_OBJECT_INT_H
#define WEIR_VM_OBJECT_INT_H

#include "weir/base/arena.h"
#include "weir/base/vec.h"
#include "weir/vm/object.h"

struct obj_rel {
	uint64_t off; /* bytes in the target section */
	uint32_t sym_idx;
	uint32_t type; /* R_BPF_* */
};

/* One record of .BTF.ext; `a`…`d` are its words behind insn_off. */
struct obj_ext {
	uint32_t insn_idx; /* of the section */
	uint32_t words[4];
};

struct obj_ext_list {
	struct obj_ext *v; /* sorted by insn_idx */
	uint32_t count;
};

enum obj_sec_kind {
	OBJ_SEC_OTHER = 0,
	OBJ_SEC_CODE,
	OBJ_SEC_DATA, /* global data: has a map */
	OBJ_SEC_BTF_MAPS,
	OBJ_SEC_LEGACY_MAPS,
};

struct obj_sec {
	const char *name;
	const uint8_t *data; /* NULL: SHT_NOBITS */
	uint64_t size_bytes;
	uint64_t flags;
	uint64_t entsize;
	uint32_t type;
	uint32_t link;
	uint32_t info;
	enum obj_sec_kind kind;
	struct obj_rel *rels; /* sorted by off */
	uint32_t rel_count;
	struct obj_ext_list funcs;
	struct obj_ext_list lines;
	struct obj_ext_list cores;
};

struct obj_sym {
	const char *name;
	uint64_t value;
	uint64_t size_bytes;
	uint32_t sec; /* section index; SHN_UNDEF and reserved ones as in ELF */
	uint8_t type;
	uint8_t bind;
	uint8_t visibility;
};

struct obj_func {
	const char *name;
	uint32_t sec;
	uint32_t start_insn; /* of the section */
	uint32_t insn_count;
	int32_t prog_idx; /* in the plan; -1: only ever called */
	bool hidden;
};

/* Where a plan map is in the object; same index as in the plan. */
struct obj_map_place {
	uint32_t sec; /* 0: nowhere (templates) */
	uint64_t off;
	uint64_t size_bytes;
	uint64_t values_off; /* of the static values in the definition; UINT64_MAX: none */
};

struct obj {
	const char *name; /* as shown in messages */
	const struct weir_object_opts *opts;
	struct weir_diag *diag;
	struct weir_arena *scratch;
	struct weir_plan *plan;

	struct obj_sec *secs;
	uint32_t sec_count;
	struct obj_sym *syms;
	uint32_t sym_count;
	struct obj_func *funcs; /* sorted by section, then start */
	uint32_t func_count;
	uint64_t total_insns; /* of all programs made so far: bounds what an object can cost */
	WEIR_VEC(struct weir_plan_map) maps;
	WEIR_VEC(struct obj_map_place) places;
};

/* "object: " before every message. */
#define obj_fail(o, err, ...) \
	(weir_diag_printf((o)->diag, "%s: ", (o)->name), weir_fail((o)->diag, err, __VA_ARGS__))

/* elf.c: sections, symbols and relocations of [bytes, +size), which must outlive o. */
int obj_elf_read(struct obj *o, uint8_t *bytes, size_t size_bytes);
/* The first section of that name, or NULL. */
const struct obj_sec *obj_sec_find(const struct obj *o, const char *name);

/* ext.c */
int obj_btf_read(struct obj *o);
int obj_ext_read(struct obj *o);
/* The records of [start, start + count); *out is the first, their number is returned. */
uint32_t obj_ext_range(const struct obj_ext_list *list, uint32_t start, uint32_t count,
		       const struct obj_ext **out);

/* funcs.c: functions, and a plan program for each entry function. */
int obj_funcs_read(struct obj *o);
/* The function that holds the section's instruction, or NULL. */
const struct obj_func *obj_func_at(const struct obj *o, uint32_t sec, uint64_t insn_idx);

/* maps.c, maps_btf.c: one plan map each; obj_maps_slots fills the static values. */
int obj_maps_read(struct obj *o);
int obj_maps_btf_read(struct obj *o, uint32_t sec);
int obj_maps_slots(struct obj *o);
int obj_map_add(struct obj *o, const struct weir_plan_map *map, const struct obj_map_place *place);
/* The map whose definition or data holds the byte of the section; -1. */
int32_t obj_map_at(const struct obj *o, uint32_t sec, uint64_t off);

/* assemble.c: a program's instructions with the functions it calls; reloc.c patches them. */
int obj_prog_assemble(struct obj *o, const struct obj_func *func);

/* core.c: CO-RE relocations of one function, whose instructions these are. */
int obj_core_apply(struct obj *o, const struct obj_func *f, struct bpf_insn *insns);

/* What an instruction turned out to be. */
struct obj_patch {
	const struct obj_func *callee; /* call or callback: imm is left to the assembler; or NULL */
};

/* Patches insn (insn[1] is there if has_second) by rel (NULL: none). insn_idx is the section's. */
int obj_reloc_apply(struct obj *o, const struct obj_func *func, uint32_t insn_idx,
		    const struct obj_rel *rel, struct bpf_insn *insn, bool has_second,
		    struct obj_patch *out);

#endif
