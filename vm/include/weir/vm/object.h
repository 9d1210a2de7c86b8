/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ELF objects of libbpf's conventions → an immutable plan, and carrying the plan out.
 *
 * A plan is only data: maps with their initial contents and pins, programs as weir_prog_raw whose
 * maps[] is the whole plan's map list in order (LD_IMM64 carries the plan's map index). A sink
 * (offline tools, the daemon, weirctl over the socket) carries it out.
 */
#ifndef WEIR_VM_OBJECT_H
#define WEIR_VM_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/base/diag.h"
#include "weir/vm/btf.h"
#include "weir/vm/prog.h"

enum weir_pin_kind {
	WEIR_PIN_NONE = 0,
	WEIR_PIN_BY_NAME, /* LIBBPF_PIN_BY_NAME */
};

/* A static initial value of an object-valued map: programs (or maps) by index in the plan. */
struct weir_plan_slot {
	uint32_t key;
	uint32_t index; /* of progs[] for prog arrays, of maps[] for maps of maps */
};

struct weir_plan_map {
	const char *name;        /* the variable's, or of global data the section's (".rodata") */
	struct weir_map_def def; /* def.name: Linux's truncated name */
	enum weir_pin_kind pin;
	/* Global data: initial contents of element 0, def.value_size bytes; NULL: zeros (.bss). */
	const void *data;
	bool is_global_data; /* .rodata/.data/.bss and their named kin */
	bool freeze;         /* .rodata: FREEZE after setting data */
	const struct weir_plan_slot *slots;
	uint32_t slot_count;
	int32_t inner_map; /* maps of maps: template, index in maps[], before this one; -1 */
};

struct weir_plan_prog {
	const char *name;         /* the C function */
	const char *section;      /* "xdp", "classifier/ingress"; without a leading '?' */
	struct weir_prog_raw raw; /* type 0: the section is none that libbpf knows */
	bool autoload;            /* false for sections with a leading '?' */
};

struct weir_plan {
	char sha256[65]; /* of the object's bytes, hex; "" if not computed */
	const char *license;
	struct weir_btf *btf; /* owns; NULL if the object has none */
	struct weir_plan_map *maps;
	uint32_t map_count;
	struct weir_plan_prog *progs;
	uint32_t prog_count;
	struct weir_arena *arena; /* owns names, data and arrays above */
};

struct weir_object_opts {
	const struct weir_btf *target_btf; /* CO-RE target; NULL: the object's own types */
};

/* bytes are borrowed for the call only. 0; -EINVAL/-ENOEXEC/-ENOTSUP/-ENOMEM with text that names
 * section, symbol or relocation. */
int weir_object_parse(const void *bytes, size_t size_bytes, const char *display_name,
		      const struct weir_object_opts *opts, struct weir_diag *diag,
		      struct weir_plan **out);
int weir_object_load_file(const char *path, const struct weir_object_opts *opts,
			  struct weir_diag *diag, struct weir_plan **out);
void weir_plan_free(struct weir_plan **plan);
/* For who can hash the object's bytes: 64 lower-case hex digits, else -EINVAL. */
int weir_plan_set_sha256(struct weir_plan *plan, const char *hex);

/* Section name → types ("xdp", "xdp.frags", "tc", "classifier", "action", "socket", "tcx/ingress"…,
 * prefixes as libbpf; types weir does not run are known too). 0 or -EINVAL. flags gets
 * BPF_F_XDP_HAS_FRAGS and the like. */
int weir_section_parse(const char *section, uint32_t *prog_type, uint32_t *attach_type,
		       uint32_t *prog_flags);

/*
 * Carrying a plan out. Handles are the sink's own. A sink undoes on its own side what it made
 * when the caller of weir_plan_apply sees an error (abort()).
 */
struct weir_plan_sink {
	int (*create_map)(void *arg, const struct weir_plan *plan, uint32_t map_idx,
			  struct weir_diag *diag);
	int (*set_data)(void *arg, const struct weir_plan *plan, uint32_t map_idx,
			struct weir_diag *diag);
	int (*freeze)(void *arg, const struct weir_plan *plan, uint32_t map_idx,
		      struct weir_diag *diag);
	int (*load_prog)(void *arg, const struct weir_plan *plan, uint32_t prog_idx,
			 struct weir_diag *diag);
	/* After all programs: the static slots of object-valued maps. */
	int (*set_slot)(void *arg, const struct weir_plan *plan, uint32_t map_idx,
			const struct weir_plan_slot *slot, struct weir_diag *diag);
	void (*abort)(void *arg);
};

struct weir_plan_apply_opts {
	const char
		*program; /* only this one (and what prog arrays name); NULL: all autoload ones */
};

/* Every map of the plan is created, used or not, as libbpf does. 0 or the first error of a step. */
int weir_plan_apply(const struct weir_plan *plan, const struct weir_plan_apply_opts *opts,
		    const struct weir_plan_sink *sink, void *arg, struct weir_diag *diag);

#endif
