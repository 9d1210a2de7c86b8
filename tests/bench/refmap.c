/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An array, a per-CPU array and a chained hash with preallocated nodes and a bucket an entry, as
 * Linux's. Compiled with the flags of the native contender.
 */
#include "refmap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

struct node {
	struct node *next;
	uint32_t hash;
	unsigned char key_value[]; /* the value follows, at a multiple of 8 */
};

struct refmap {
	uint32_t type, key_bytes, value_bytes, max_entries;
	uint32_t stride; /* of a value or a node */
	uint32_t mask;   /* buckets - 1 */
	uint32_t used;
	unsigned char **slots; /* per-CPU: each CPU's values */
	struct node **buckets;
	unsigned char *memory;
};

/* The one thread that runs programs is CPU 0 of two. */
static _Thread_local unsigned int this_cpu;

static uint32_t round_up_8(uint32_t bytes)
{
	return (bytes + 7) & ~7U;
}

static int hash_init(struct refmap *map)
{
	uint32_t buckets = 1;

	while (buckets < map->max_entries)
		buckets *= 2;
	map->mask = buckets - 1;
	map->stride =
		sizeof(struct node) + round_up_8(map->key_bytes) + round_up_8(map->value_bytes);
	map->buckets = calloc(buckets, sizeof(*map->buckets));
	map->memory = calloc(map->max_entries, map->stride);
	return map->buckets && map->memory ? 0 : -1;
}

static int array_init(struct refmap *map)
{
	map->stride = round_up_8(map->value_bytes);
	map->memory = calloc(2 * map->max_entries, map->stride);
	map->slots = calloc(2, sizeof(*map->slots));
	if (!map->memory || !map->slots)
		return -1;
	map->slots[0] = map->memory;
	map->slots[1] = map->memory + (size_t)map->max_entries * map->stride;
	return 0;
}

struct refmap *refmap_new(unsigned int type, unsigned int key_bytes, unsigned int value_bytes,
			  unsigned int max_entries)
{
	struct refmap *map = calloc(1, sizeof(*map));
	int err = -1;

	if (!map)
		return NULL;
	map->type = type;
	map->key_bytes = key_bytes;
	map->value_bytes = value_bytes;
	map->max_entries = max_entries;
	if (type == BPF_MAP_TYPE_HASH)
		err = hash_init(map);
	else if (type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_PERCPU_ARRAY)
		err = array_init(map);
	if (!err)
		return map;
	refmap_free(map);
	return NULL;
}

void refmap_free(struct refmap *map)
{
	if (!map)
		return;
	free(map->slots);
	free(map->buckets);
	free(map->memory);
	free(map);
}

static uint32_t hash_of(const unsigned char *key, uint32_t bytes)
{
	uint64_t hash = bytes, word;

	for (; bytes >= 8; bytes -= 8, key += 8) {
		memcpy(&word, key, 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 32;
	}
	for (; bytes; bytes--, key++)
		hash = (hash ^ *key) * 0x9e3779b97f4a7c15;
	return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

static void *node_value(const struct refmap *map, struct node *node)
{
	return node->key_value + round_up_8(map->key_bytes);
}

void *refmap_hash_lookup(struct refmap *map, const void *key)
{
	uint32_t hash = hash_of(key, map->key_bytes);

	for (struct node *node = map->buckets[hash & map->mask]; node; node = node->next)
		if (node->hash == hash && !memcmp(node->key_value, key, map->key_bytes))
			return node_value(map, node);
	return NULL;
}

void *refmap_array_lookup(struct refmap *map, const void *key)
{
	uint32_t index;

	memcpy(&index, key, sizeof(index));
	return index < map->max_entries ? map->memory + (size_t)index * map->stride : NULL;
}

void *refmap_percpu_lookup(struct refmap *map, const void *key)
{
	uint32_t index;

	memcpy(&index, key, sizeof(index));
	return index < map->max_entries ? map->slots[this_cpu] + (size_t)index * map->stride : NULL;
}

void *refmap_insert(struct refmap *map, const void *key)
{
	struct node *node;
	uint32_t hash;
	void *value;

	if (map->type != BPF_MAP_TYPE_HASH)
		return refmap_array_lookup(map, key);
	value = refmap_hash_lookup(map, key);
	if (value)
		return value;
	if (map->used == map->max_entries)
		return NULL;
	hash = hash_of(key, map->key_bytes);
	node = (struct node *)(void *)(map->memory + (size_t)map->used++ * map->stride);
	memcpy(node->key_value, key, map->key_bytes);
	node->hash = hash;
	node->next = map->buckets[hash & map->mask];
	map->buckets[hash & map->mask] = node;
	return node_value(map, node);
}
