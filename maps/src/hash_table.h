/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table under hash and per-CPU hash maps: keys → element indices.
 *
 * Layout (one region): buckets, one cache line each, of eight short tags and element indices, with
 * overflow buckets chained behind; elements (key, value); per-CPU values, slot by slot.
 *
 * Concurrency
 * - A bucket's head carries a sequence number: odd while a writer holds the chain. Writers of one
 *   chain exclude each other by it; nothing covers more than one chain.
 * - Readers take no lock: they scan, compare keys in the elements, and accept if the number was
 *   even and is unchanged. An element leaves its chain before it is free for another, so an
 *   unchanged number also means that the compared bytes were that element's key throughout.
 * - A program's writer spins a bounded number of pauses and gives up with -EBUSY; a program's
 *   reader that finds no stable moment within its bound takes an unvalidated look, which may miss
 *   a key that is just being moved (counted in `unstable`). Control threads wait.
 * - An update of a key that is there installs another element: the slot's spare, which then is the
 *   replaced one. A pointer held across it reads the old value until that element is used again,
 *   as in Linux. A deleted element is reusable at once; free elements are a lock-free stack with a
 *   tag against ABA, behind a counter of those never used, so max_entries holds exactly.
 * - Chains are dense: a delete moves the chain's last entry into the hole.
 */
#ifndef WEIR_MAPS_HASH_TABLE_H
#define WEIR_MAPS_HASH_TABLE_H

#include <pthread.h>

#include "maps_internal.h"

#define HASH_BUCKET_ENTRIES 8

struct hash_bucket {
	uint32_t seq;                      /* heads only: odd while locked */
	uint32_t next;                     /* overflow bucket's index + 1; 0: none */
	uint16_t tag[HASH_BUCKET_ENTRIES]; /* 0: empty */
	uint32_t elem[HASH_BUCKET_ENTRIES];
	uint32_t reserved[2];
} __attribute__((aligned(WEIR_CACHE_LINE)));

_Static_assert(sizeof(struct hash_bucket) == WEIR_CACHE_LINE, "a bucket is a cache line");

/* A lock-free stack of indices below `limit`: never used ones by counter, returned ones chained. */
struct hash_pool {
	uint64_t head;  /* tag << 32 | index + 1 */
	uint32_t fresh; /* next never used */
	uint32_t limit;
	uint32_t *next; /* owns */
};

struct hash_spare {
	_Alignas(WEIR_CACHE_LINE) uint32_t elem; /* written by its slot's thread */
};

struct hash_table {
	struct weir_map map;
	struct weir_region region;
	struct hash_bucket *buckets; /* heads, then the overflow pool */
	uint32_t bucket_mask;
	uint32_t elem_bytes;
	uint32_t value_off; /* of the value in an element; keys are padded to 8 */
	uint8_t *elems;
	uint8_t *percpu_values; /* slot 0's; slot s is s * map.slot_bytes on */
	struct hash_pool free_elems;
	struct hash_pool free_overflow;
	struct hash_spare *spares; /* one a slot, and one for the control side */
	pthread_mutex_t ctl_lock;  /* control-side writers: they share one spare */
	uint64_t seed[4];
	uint32_t ctl_spare; /* index in spares */
	uint64_t count;     /* elements now; any writer, atomically */
	uint64_t busy;      /* program-side writers that gave up */
	uint64_t unstable;  /* program-side readers that took an unvalidated look */
};

/* Where a key is, or would be. */
struct hash_place {
	struct hash_bucket *bucket; /* NULL: not there */
	uint32_t pos;
	uint32_t elem;
};

static inline struct hash_table *hash_of(struct weir_map *map)
{
	return weir_container_of(map, struct hash_table, map);
}

static inline uint8_t *hash_key(const struct hash_table *h, uint32_t elem)
{
	return h->elems + (uint64_t)elem * h->elem_bytes;
}

/* The value of slot 0; per-CPU maps have the others slot_bytes apart. */
static inline uint8_t *hash_value(const struct hash_table *h, uint32_t elem)
{
	if (h->map.is_per_cpu)
		return h->percpu_values + (uint64_t)elem * h->map.stride_bytes;
	return hash_key(h, elem) + h->value_off;
}

uint64_t weir_hash_bytes(const struct hash_table *h, const void *key);

/* Lock-free look-up from a program: the element or -1. */
int64_t weir_hash_find(struct hash_table *h, const void *key);

/* Write sections. hash_lock: false if `bound` pauses passed (0: waits for ever). */
struct hash_bucket *weir_hash_head(const struct hash_table *h, uint64_t hash);
bool weir_hash_lock(struct hash_bucket *head, uint32_t bound);
void weir_hash_unlock(struct hash_bucket *head);
struct hash_place weir_hash_find_locked(struct hash_table *h, struct hash_bucket *head,
					uint64_t hash, const void *key);
/* Puts elem at the chain's end. -ENOMEM if no overflow bucket is left. */
int weir_hash_link_locked(struct hash_table *h, struct hash_bucket *head, uint64_t hash,
			  uint32_t elem);
void weir_hash_replace_locked(struct hash_place *place, uint32_t elem);
void weir_hash_unlink_locked(struct hash_table *h, struct hash_bucket *head,
			     struct hash_place *place);

/* Index or -1. */
int64_t weir_hash_pool_get(struct hash_pool *pool);
void weir_hash_pool_put(struct hash_pool *pool, uint32_t index);

/* Control side: copies key and values of an element at one stable moment, waiting for it.
 * value NULL: only asks whether it is there. cpu as in ctl_lookup. 0 or -ENOENT. */
int weir_hash_read(struct hash_table *h, const void *key, void *value, int cpu);
/* Control side: the key after `key` (NULL or not there: the first). 0 or -ENOENT. */
int weir_hash_next_key(struct hash_table *h, const void *key, void *next);

#endif
