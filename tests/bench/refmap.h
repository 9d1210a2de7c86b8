/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The maps of the contenders that bring none, native code and rte_bpf: what a C programmer would
 * write for one thread. They stay as they are, so that ratios of different days compare.
 */
#ifndef WEIR_BENCH_REFMAP_H
#define WEIR_BENCH_REFMAP_H

struct refmap;

/* type: enum bpf_map_type. NULL: not a type it knows, or no memory. Sizes in bytes. */
struct refmap *refmap_new(unsigned int type, unsigned int key_bytes, unsigned int value_bytes,
			  unsigned int max_entries);
void refmap_free(struct refmap *map);
/* Control side: the value of a key, made if it is not there; NULL: full. */
void *refmap_insert(struct refmap *map, const void *key);

/* bpf_map_lookup_elem(), one function a map type. */
void *refmap_array_lookup(struct refmap *map, const void *key);
void *refmap_percpu_lookup(struct refmap *map, const void *key);
void *refmap_hash_lookup(struct refmap *map, const void *key);

#endif
