/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The map interface: what programs, verifier and control plane see of a map. Types live in maps/.
 *
 * Two sides call it. The *program side* (ops named prog_*) runs on a worker or another execution
 * slot, inside an RCU read section, and never blocks or allocates. The *control side* (ctl_*)
 * may run on any control thread at the same time; it takes a slot of its own where one is needed.
 */
#ifndef WEIR_VM_MAP_H
#define WEIR_VM_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/vm/bpf.h"

struct weir_btf;
struct weir_code;
struct weir_diag;
struct weir_exec;
struct weir_map;
struct weir_rcu;

/* A map's shape: BPF_MAP_CREATE's fields. Sizes in bytes. */
struct weir_map_def {
	uint32_t type; /* enum bpf_map_type */
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t flags; /* BPF_F_* of map_create */
	uint32_t numa_node;
	uint32_t btf_key_type_id;
	uint32_t btf_value_type_id;
	uint64_t map_extra;
	char name[BPF_OBJ_NAME_LEN];
};

typedef uint64_t (*weir_map_direct_fn)(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
				       uint64_t r5, struct weir_exec *exec);

struct weir_map_ops {
	uint32_t type;
	const char *name; /* Linux's, e.g. "percpu_hash" */
	/* Program side. prog_lookup returns the value's address or NULL; 0 or -errno else. */
	void *(*prog_lookup)(struct weir_map *map, const void *key, struct weir_exec *exec);
	int (*prog_update)(struct weir_map *map, const void *key, const void *value, uint64_t flags,
			   struct weir_exec *exec);
	int (*prog_delete)(struct weir_map *map, const void *key, struct weir_exec *exec);
	/*
	 * Control side: 0 or Linux's -errno. Per-CPU maps transfer weir_map_value_bytes(): each
	 * slot's value rounded up to 8, `slots` of them. `cpu` >= 0 selects one slot's value (then
	 * value_size bytes); -1: all.
	 */
	int (*ctl_lookup)(struct weir_map *map, const void *key, void *value, uint64_t flags,
			  int cpu);
	int (*ctl_update)(struct weir_map *map, const void *key, const void *value, uint64_t flags,
			  int cpu);
	int (*ctl_delete)(struct weir_map *map, const void *key);
	/* key NULL or not there: the first key. -ENOENT after the last. next and
	 * key do not overlap. */
	int (*ctl_next_key)(struct weir_map *map, const void *key, void *next);
	/* Makes the contents unchangeable from the control side. 0, -EBUSY, -EPERM. */
	int (*ctl_freeze)(struct weir_map *map);
	/* Prog arrays: puts code (NULL: clears) at index; the caller has checked compatibility and
	 * keeps code alive for a grace period after it was replaced. NULL in other types. */
	int (*ctl_set_code)(struct weir_map *map, uint32_t index, uint32_t prog_id,
			    const struct weir_code *code);
	/* The number of elements now in the map; an estimate while others write. */
	uint64_t (*ctl_count)(struct weir_map *map);
	void (*free)(struct weir_map *map);
	/*
	 * Optional: the program side with a helper's own signature (r1 map, r2 key, r3 value, r4
	 * flags, as in vm/helper.h), called directly where a call's map is known. NULL: the prog_*
	 * functions are called through the map.
	 */
	weir_map_direct_fn direct_lookup;
	weir_map_direct_fn direct_update;
	weir_map_direct_fn direct_delete;
};

/*
 * The common head of every map. Written at creation only, except where said. Compiled code reads
 * the fields marked (jit).
 */
struct weir_map {
	const struct weir_map_ops *ops;
	struct weir_map_def def;             /* (jit) max_entries */
	const struct weir_code **tail_slots; /* (jit) prog arrays: one per index; atomic */
	uint8_t *values; /* arrays: element i of slot 0 is values + i * stride_bytes; else NULL */
	uint32_t stride_bytes; /* arrays: value_size rounded up to 8 */
	uint32_t slots;        /* per-CPU maps: how many values an element has; else 1 */
	uint64_t slot_bytes;   /* per-CPU arrays: distance between two slots' values */
	int memfd;             /* region; -1 if none */
	uint64_t region_bytes; /* memory charged to the map */
	uint32_t id;           /* set by the registry; 0 offline */
	bool frozen;           /* written by ctl_freeze, control thread; read atomically */
	bool is_per_cpu;
	const struct weir_btf *btf; /* borrowed from the registry; may be NULL */
};

/* Bytes that ctl_lookup/ctl_update transfer for one element with cpu = -1. */
static inline size_t weir_map_value_bytes(const struct weir_map *map)
{
	size_t stride = (map->def.value_size + (size_t)7) & ~(size_t)7;

	return map->is_per_cpu ? stride * map->slots : map->def.value_size;
}

#endif
