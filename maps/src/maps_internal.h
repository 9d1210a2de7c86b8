/* SPDX-License-Identifier: BSD-3-Clause */
/* What map types share among themselves: regions, the types' table rows, copies of values. */
#ifndef WEIR_MAPS_INTERNAL_H
#define WEIR_MAPS_INTERNAL_H

#include <errno.h>
#include <string.h>

#include "weir/base/bits.h"
#include "weir/maps/maps.h"
#include "weir/vm/exec.h"

/*
 * A region: flat memory in a memfd that only weird may write. Mode 0600 (a memfd's own is 0777),
 * sealed against resizing, every page allocated at creation.
 */
struct weir_region {
	int memfd; /* owns */
	uint8_t *base;
	size_t bytes; /* a multiple of the page size */
};

int weir_region_new(const char *name, size_t bytes, struct weir_diag *diag,
		    struct weir_region *out);
void weir_region_free(struct weir_region *region);
/*
 * Makes the contents unchangeable for everybody, weird included: our own view becomes read-only,
 * then the memfd is sealed against writes. 0; -EBUSY if somebody else maps it writable.
 */
int weir_region_freeze(struct weir_region *region);

/* At the start of regions that hold more than bare values; says how to read the rest. */
struct weir_region_header {
	uint32_t magic;
	uint32_t version;
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t slots;
	uint32_t reserved;
	uint64_t generation;
};

#define WEIR_REGION_MAGIC        0x52494557U /* "WEIR" */
#define WEIR_REGION_VERSION      1U
#define WEIR_REGION_HEADER_BYTES 4096U

void weir_region_header_set(struct weir_region *region, const struct weir_map_def *def,
			    uint32_t slots);

/* A map type: its checks and its constructor. */
struct weir_map_type {
	uint32_t type;
	const char *name;
	uint32_t flags_allowed; /* BPF_F_* of map_create */
	int (*check)(const struct weir_map_def *def, struct weir_diag *diag);
	int (*create)(const struct weir_maps_env *env, const struct weir_map_def *def,
		      struct weir_diag *diag, struct weir_map **out);
};

extern const struct weir_map_type weir_map_type_array;
extern const struct weir_map_type weir_map_type_percpu_array;
extern const struct weir_map_type weir_map_type_hash;
extern const struct weir_map_type weir_map_type_percpu_hash;
extern const struct weir_map_type weir_map_type_prog_array;
extern const struct weir_map_type weir_map_type_devmap;

#define WEIR_MAP_ACCESS_FLAGS     (BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)
/* Linux's limit of one slot's value in per-CPU maps (PCPU_MIN_UNIT_SIZE). */
#define WEIR_MAP_PERCPU_VALUE_MAX (32U << 10)

/* Fills the common head; memfd and region_bytes are the caller's. */
void weir_map_head_init(struct weir_map *map, const struct weir_map_ops *ops,
			const struct weir_map_def *def);

/* The slot whose per-CPU values a running program uses. */
static inline uint64_t weir_map_slot(const struct weir_exec *exec)
{
	return exec->slot;
}

static inline bool weir_map_frozen(const struct weir_map *map)
{
	return __atomic_load_n(&map->frozen, __ATOMIC_RELAXED);
}

/*
 * Copies a value that others may read or write at the same time: by words where it is aligned, so
 * that an aligned word of it is never torn, as Linux promises. Region values are 8-aligned.
 */
void weir_value_copy(void *to, const void *from, size_t bytes);

/* BPF_ANY, NOEXIST, EXIST alone: 0, or -EINVAL (BPF_F_LOCK needs a spin lock in the value). */
static inline int weir_update_flags_check(uint64_t flags)
{
	return flags > BPF_EXIST ? -EINVAL : 0;
}

/*
 * The program side as helpers are called (r1 map, r2 key, r3 value, r4 flags), for programs whose
 * map is known: one direct call, no look at the type.
 */
#define WEIR_MAP_DIRECT(which, lookup_fn, update_fn, delete_fn)                                   \
	static uint64_t which##_direct_lookup(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, \
					      uint64_t r5, struct weir_exec *exec)                \
	{                                                                                         \
		return (uintptr_t)lookup_fn((struct weir_map *)(uintptr_t)r1,                     \
					    (const void *)(uintptr_t)r2, exec);                   \
	}                                                                                         \
	static uint64_t which##_direct_update(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, \
					      uint64_t r5, struct weir_exec *exec)                \
	{                                                                                         \
		return (uint64_t)(int64_t)update_fn((struct weir_map *)(uintptr_t)r1,             \
						    (const void *)(uintptr_t)r2,                  \
						    (const void *)(uintptr_t)r3, r4, exec);       \
	}                                                                                         \
	static uint64_t which##_direct_delete(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, \
					      uint64_t r5, struct weir_exec *exec)                \
	{                                                                                         \
		return (uint64_t)(int64_t)delete_fn((struct weir_map *)(uintptr_t)r1,             \
						    (const void *)(uintptr_t)r2, exec);           \
	}

/* get_next_key of everything indexed 0..max_entries - 1. */
int weir_array_next_key(uint32_t max_entries, const void *key, void *next);

/* Copies of per-CPU values between slots and a caller's buffer; cpu -1: all, each rounded to 8. */
void weir_percpu_read(const struct weir_map *map, const uint8_t *slot0, void *value, int cpu);
void weir_percpu_write(const struct weir_map *map, uint8_t *slot0, const void *value, int cpu);

#endif
