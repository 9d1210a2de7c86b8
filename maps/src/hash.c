/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hash and per-CPU hash maps over hash_table.h, whose concurrency contract is theirs. Values of
 * per-CPU maps are written in place under the chain's lock; a new element's other slots are zero.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "hash_table.h"

#define WRITE_BOUND 16384 /* pauses of a program's writer before -EBUSY */

/* Linux's limit of key + value in one allocation. */
#define HASH_ELEM_MAX ((4U << 20) - 64)

static void *hash_prog_lookup(struct weir_map *map, const void *key, struct weir_exec *exec)
{
	struct hash_table *h = hash_of(map);
	int64_t elem = weir_hash_find(h, key);

	if (elem < 0)
		return NULL;
	return hash_key(h, (uint32_t)elem) + h->value_off;
}

static void *percpu_hash_prog_lookup(struct weir_map *map, const void *key, struct weir_exec *exec)
{
	struct hash_table *h = hash_of(map);
	int64_t elem = weir_hash_find(h, key);

	if (elem < 0)
		return NULL;
	return hash_value(h, (uint32_t)elem) + weir_map_slot(exec) * map->slot_bytes;
}

/* Who writes: which spare, which slot's value (-1: all of them, from a control buffer), how long
 * it may wait. */
struct writer {
	uint32_t spare;
	int cpu;
	uint32_t bound;
};

static void write_value(struct hash_table *h, uint32_t elem, const void *value, int cpu)
{
	if (h->map.is_per_cpu)
		weir_percpu_write(&h->map, hash_value(h, elem), value, cpu);
	else
		weir_value_copy(hash_value(h, elem), value, h->map.def.value_size);
}

static void fill_element(struct hash_table *h, uint32_t elem, const void *key, const void *value,
			 int cpu)
{
	memcpy(hash_key(h, elem), key, h->map.def.key_size);
	if (h->map.is_per_cpu && cpu >= 0)
		for (uint32_t s = 0; s < h->map.slots; s++)
			memset(hash_value(h, elem) + s * h->map.slot_bytes, 0, h->map.stride_bytes);
	write_value(h, elem, value, cpu);
}

static int insert_locked(struct hash_table *h, struct hash_bucket *head, uint64_t hash,
			 const void *key, const void *value, int cpu)
{
	int64_t elem = weir_hash_pool_get(&h->free_elems);
	int err;

	if (elem < 0)
		return -E2BIG;
	fill_element(h, (uint32_t)elem, key, value, cpu);
	err = weir_hash_link_locked(h, head, hash, (uint32_t)elem);
	if (err) {
		weir_hash_pool_put(&h->free_elems, (uint32_t)elem);
		return err;
	}
	__atomic_fetch_add(&h->count, 1, __ATOMIC_RELAXED);
	return 0;
}

static void replace_locked(struct hash_table *h, struct hash_place *p, const void *key,
			   const void *value, const struct writer *w)
{
	uint32_t *spare = &h->spares[w->spare].elem, elem = *spare;

	if (h->map.is_per_cpu) {
		write_value(h, p->elem, value, w->cpu);
		return;
	}
	fill_element(h, elem, key, value, w->cpu);
	weir_hash_replace_locked(p, elem);
	*spare = p->elem;
}

static int update(struct hash_table *h, const void *key, const void *value, uint64_t flags,
		  const struct writer *w)
{
	uint64_t hash = weir_hash_bytes(h, key);
	struct hash_bucket *head = weir_hash_head(h, hash);
	struct hash_place p;
	int err = weir_update_flags_check(flags);

	if (err)
		return err;
	if (!weir_hash_lock(head, w->bound)) {
		__atomic_fetch_add(&h->busy, 1, __ATOMIC_RELAXED);
		return -EBUSY;
	}
	p = weir_hash_find_locked(h, head, hash, key);
	if (p.bucket && flags == BPF_NOEXIST)
		err = -EEXIST;
	else if (!p.bucket && flags == BPF_EXIST)
		err = -ENOENT;
	else if (p.bucket)
		replace_locked(h, &p, key, value, w);
	else
		err = insert_locked(h, head, hash, key, value, w->cpu);
	weir_hash_unlock(head);
	return err;
}

static int remove_key(struct hash_table *h, const void *key, uint32_t bound)
{
	uint64_t hash = weir_hash_bytes(h, key);
	struct hash_bucket *head = weir_hash_head(h, hash);
	struct hash_place p;

	if (!weir_hash_lock(head, bound)) {
		__atomic_fetch_add(&h->busy, 1, __ATOMIC_RELAXED);
		return -EBUSY;
	}
	p = weir_hash_find_locked(h, head, hash, key);
	if (p.bucket)
		weir_hash_unlink_locked(h, head, &p);
	weir_hash_unlock(head);
	if (!p.bucket)
		return -ENOENT;
	/* Only now, with the chain's number moved on, may it become another's. */
	weir_hash_pool_put(&h->free_elems, p.elem);
	__atomic_fetch_sub(&h->count, 1, __ATOMIC_RELAXED);
	return 0;
}

static int hash_prog_update(struct weir_map *map, const void *key, const void *value,
			    uint64_t flags, struct weir_exec *exec)
{
	struct writer w = {exec->slot, (int)exec->slot, WRITE_BOUND};

	return update(hash_of(map), key, value, flags, &w);
}

static int hash_prog_delete(struct weir_map *map, const void *key, struct weir_exec *exec)
{
	return remove_key(hash_of(map), key, WRITE_BOUND);
}

static int hash_ctl_lookup(struct weir_map *map, const void *key, void *value, uint64_t flags,
			   int cpu)
{
	if (flags)
		return -EINVAL;
	return weir_hash_read(hash_of(map), key, value, cpu);
}

static int hash_ctl_update(struct weir_map *map, const void *key, const void *value, uint64_t flags,
			   int cpu)
{
	struct hash_table *h = hash_of(map);
	struct writer w = {h->ctl_spare, cpu, 0};
	int err;

	if (weir_map_frozen(map))
		return -EPERM;
	pthread_mutex_lock(&h->ctl_lock);
	err = update(h, key, value, flags, &w);
	pthread_mutex_unlock(&h->ctl_lock);
	return err;
}

static int hash_ctl_delete(struct weir_map *map, const void *key)
{
	struct hash_table *h = hash_of(map);
	int err;

	if (weir_map_frozen(map))
		return -EPERM;
	pthread_mutex_lock(&h->ctl_lock);
	err = remove_key(h, key, 0);
	pthread_mutex_unlock(&h->ctl_lock);
	return err;
}

static int hash_ctl_next_key(struct weir_map *map, const void *key, void *next)
{
	return weir_hash_next_key(hash_of(map), key, next);
}

static int hash_ctl_freeze(struct weir_map *map)
{
	if (weir_map_frozen(map))
		return -EBUSY;
	__atomic_store_n(&map->frozen, true, __ATOMIC_RELEASE);
	return 0;
}

static uint64_t hash_ctl_count(struct weir_map *map)
{
	return __atomic_load_n(&hash_of(map)->count, __ATOMIC_RELAXED);
}

static void hash_free(struct weir_map *map)
{
	struct hash_table *h = hash_of(map);

	weir_region_free(&h->region);
	pthread_mutex_destroy(&h->ctl_lock);
	free(h->free_elems.next);
	free(h->free_overflow.next);
	free(h->spares);
	free(h);
}

WEIR_MAP_DIRECT(hash, hash_prog_lookup, hash_prog_update, hash_prog_delete)
WEIR_MAP_DIRECT(percpu_hash, percpu_hash_prog_lookup, hash_prog_update, hash_prog_delete)

#define HASH_OPS(which, type_, name_)                    \
	static const struct weir_map_ops which##_ops = { \
		.type = type_,                           \
		.name = name_,                           \
		.prog_lookup = which##_prog_lookup,      \
		.prog_update = hash_prog_update,         \
		.prog_delete = hash_prog_delete,         \
		.ctl_lookup = hash_ctl_lookup,           \
		.ctl_update = hash_ctl_update,           \
		.ctl_delete = hash_ctl_delete,           \
		.ctl_next_key = hash_ctl_next_key,       \
		.ctl_freeze = hash_ctl_freeze,           \
		.ctl_count = hash_ctl_count,             \
		.free = hash_free,                       \
		.direct_lookup = which##_direct_lookup,  \
		.direct_update = which##_direct_update,  \
		.direct_delete = which##_direct_delete,  \
	}
HASH_OPS(hash, BPF_MAP_TYPE_HASH, "hash");
HASH_OPS(percpu_hash, BPF_MAP_TYPE_PERCPU_HASH, "percpu_hash");

static int hash_check(const struct weir_map_def *def, struct weir_diag *diag)
{
	bool per_cpu = def->type == BPF_MAP_TYPE_PERCPU_HASH;

	if (!def->key_size || !def->value_size || !def->max_entries)
		return weir_fail(
			diag, -EINVAL,
			"map %s: key_size %u, value_size %u, max_entries %u: none may be 0",
			def->name, def->key_size, def->value_size, def->max_entries);
	if (per_cpu && (def->flags & BPF_F_NUMA_NODE))
		return weir_fail(diag, -EINVAL, "map %s: per-CPU values have no NUMA node",
				 def->name);
	if ((uint64_t)def->key_size + def->value_size >= HASH_ELEM_MAX)
		return weir_fail(diag, -E2BIG,
				 "map %s: key and value take %llu bytes, expected < %u", def->name,
				 (unsigned long long)def->key_size + def->value_size,
				 HASH_ELEM_MAX);
	if (per_cpu && weir_align_up(def->value_size, 8) > WEIR_MAP_PERCPU_VALUE_MAX)
		return weir_fail(diag, -E2BIG,
				 "map %s: value_size %u, expected at most %u in a per-CPU map",
				 def->name, def->value_size, WEIR_MAP_PERCPU_VALUE_MAX);
	if (def->max_entries > 1U << 31)
		return weir_fail(diag, -E2BIG, "map %s: max_entries %u, expected at most %u",
				 def->name, def->max_entries, 1U << 31);
	return 0;
}

/* Sizes of the parts; all in 64 bits, where none of them can overflow but the per-CPU part. */
struct hash_sizes {
	uint64_t buckets; /* heads */
	uint64_t overflow;
	uint64_t elems;
	uint64_t elem_bytes;
	uint64_t slot_bytes;
	uint64_t elems_off, values_off, total;
};

static int hash_sizes(const struct weir_map_def *def, uint32_t slots, bool per_cpu,
		      struct hash_sizes *s)
{
	uint64_t key_bytes = weir_align_up(def->key_size, 8);
	uint64_t stride = weir_align_up(def->value_size, 8), values = 0;

	/* Two to four entries a bucket of eight on average: overflow stays rare. A chain of k
	 * entries takes ceil(k / 8) - 1 overflow buckets, so an eighth of max_entries holds all. */
	s->buckets = weir_pow2_roundup(((uint64_t)def->max_entries + 3) / 4);
	s->overflow = def->max_entries / HASH_BUCKET_ENTRIES + 1;
	s->elems = (uint64_t)def->max_entries + (per_cpu ? 0 : slots + 1);
	s->elem_bytes = key_bytes + (per_cpu ? 0 : stride);
	s->slot_bytes = per_cpu ? weir_align_up(stride * s->elems, WEIR_CACHE_LINE) : 0;
	if (__builtin_mul_overflow(s->slot_bytes, (uint64_t)slots, &values))
		return -ENOMEM;
	s->elems_off =
		WEIR_REGION_HEADER_BYTES + (s->buckets + s->overflow) * sizeof(struct hash_bucket);
	s->values_off = weir_align_up(s->elems_off + s->elem_bytes * s->elems, WEIR_CACHE_LINE);
	if (__builtin_add_overflow(s->values_off, values, &s->total) || s->total > SIZE_MAX / 2)
		return -ENOMEM;
	return 0;
}

static int hash_alloc_private(struct hash_table *h, const struct hash_sizes *s, uint32_t slots)
{
	h->free_elems.limit = h->map.def.max_entries;
	/* for the spares' indices, too: they change places with others */
	h->free_elems.next = calloc(s->elems, sizeof(uint32_t));
	h->free_overflow.limit = (uint32_t)s->overflow;
	h->free_overflow.next = calloc(s->overflow, sizeof(uint32_t));
	h->spares = aligned_alloc(WEIR_CACHE_LINE, sizeof(*h->spares) * (slots + 1));
	if (!h->free_elems.next || !h->free_overflow.next || !h->spares)
		return -ENOMEM;
	for (uint32_t i = 0; i <= slots; i++)
		h->spares[i].elem = h->map.def.max_entries + i;
	return 0;
}

static int hash_seed(struct hash_table *h, bool fixed)
{
	if (fixed || (h->map.def.flags & BPF_F_ZERO_SEED)) {
		/* any odd numbers: hashing needs operands that are not 0 */
		for (int i = 0; i < 4; i++)
			h->seed[i] = 0x9e3779b97f4a7c15ULL * (uint64_t)(2 * i + 1);
		return 0;
	}
	return getrandom(h->seed, sizeof(h->seed), 0) == (ssize_t)sizeof(h->seed) ? 0 : -EIO;
}

static void hash_place_parts(struct hash_table *h, const struct hash_sizes *s, bool per_cpu,
			     uint32_t slots)
{
	weir_region_header_set(&h->region, &h->map.def, slots);
	h->buckets = (void *)(h->region.base + WEIR_REGION_HEADER_BYTES);
	h->bucket_mask = (uint32_t)(s->buckets - 1);
	h->elems = h->region.base + s->elems_off;
	h->elem_bytes = (uint32_t)s->elem_bytes;
	h->value_off = (uint32_t)weir_align_up(h->map.def.key_size, 8);
	h->ctl_spare = slots;
	h->map.slots = per_cpu ? slots : 1;
	h->map.is_per_cpu = per_cpu;
	if (per_cpu)
		h->percpu_values = h->region.base + s->values_off;
	h->map.slot_bytes = s->slot_bytes;
	h->map.memfd = h->region.memfd;
	h->map.region_bytes = h->region.bytes + s->elems * sizeof(uint32_t);
}

static int hash_create(const struct weir_maps_env *env, const struct weir_map_def *def,
		       struct weir_diag *diag, struct weir_map **out)
{
	bool per_cpu = def->type == BPF_MAP_TYPE_PERCPU_HASH;
	struct hash_sizes s;
	struct hash_table *h;
	struct weir_map *map;
	int err = hash_sizes(def, env->slots, per_cpu, &s);

	if (err)
		return weir_fail(diag, err, "map %s: %u entries: too large", def->name,
				 def->max_entries);
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	weir_map_head_init(&h->map, per_cpu ? &percpu_hash_ops : &hash_ops, def);
	pthread_mutex_init(&h->ctl_lock, NULL);
	map = &h->map;
	err = hash_alloc_private(h, &s, env->slots);
	if (!err)
		err = hash_seed(h, env->fixed_seed);
	if (!err)
		err = weir_region_new(h->map.def.name, s.total, diag, &h->region);
	if (err) {
		hash_free(map);
		return err;
	}
	hash_place_parts(h, &s, per_cpu, env->slots);
	*out = map;
	return 0;
}

#define HASH_FLAGS (BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | WEIR_MAP_ACCESS_FLAGS | BPF_F_ZERO_SEED)

const struct weir_map_type weir_map_type_hash = {
	.type = BPF_MAP_TYPE_HASH,
	.name = "hash",
	.flags_allowed = HASH_FLAGS,
	.check = hash_check,
	.create = hash_create,
};

const struct weir_map_type weir_map_type_percpu_hash = {
	.type = BPF_MAP_TYPE_PERCPU_HASH,
	.name = "percpu_hash",
	.flags_allowed = HASH_FLAGS,
	.check = hash_check,
	.create = hash_create,
};
