/* SPDX-License-Identifier: BSD-3-Clause */
/* The contract is at the top of hash_table.h. */
#include "hash_table.h"

#include <errno.h>
#include <sched.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define READ_BOUND  1024 /* pauses of a program's reader before an unvalidated look */
#define YIELD_AFTER 1024 /* pauses of a control thread between two yields */

static inline void cpu_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/* Multiplication to 128 bits, folded: with a secret operand no linear relation between keys
 * survives, so nobody outside can aim keys at one bucket. */
static inline uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t load_tail(const uint8_t *p, uint32_t len)
{
	uint64_t v = 0;

	memcpy(&v, p, len);
	return v;
}

uint64_t weir_hash_bytes(const struct hash_table *h, const void *key)
{
	const uint8_t *p = key;
	uint32_t len = h->map.def.key_size;
	uint64_t x = h->seed[0] ^ len, a = 0, b = 0;

	for (; len > 16; len -= 16, p += 16)
		x = fold(weir_load_u64(p) ^ h->seed[1], weir_load_u64(p + 8) ^ x);
	if (len == 4) {
		a = weir_load_u32(p);
	} else if (len >= 8) {
		a = weir_load_u64(p);
		/* the last 8 bytes, which may overlap the first 8 */
		b = len == 16 ? weir_load_u64(p + 8) : load_tail(p + 8, len - 8);
	} else {
		a = load_tail(p, len);
	}
	return fold(fold(a ^ h->seed[1], b ^ x) ^ h->seed[2], h->seed[3]);
}

static inline uint16_t tag_of(uint64_t hash)
{
	uint16_t tag = (uint16_t)(hash >> 48);

	return tag ? tag : 1;
}

struct hash_bucket *weir_hash_head(const struct hash_table *h, uint64_t hash)
{
	return &h->buckets[hash & h->bucket_mask];
}

static inline struct hash_bucket *next_bucket(const struct hash_table *h,
					      const struct hash_bucket *b)
{
	uint32_t next = __atomic_load_n(&b->next, __ATOMIC_RELAXED);

	return next ? &h->buckets[h->bucket_mask + next] : NULL;
}

/* A bit for each position whose tag is this one. */
static inline unsigned int match_tags(const struct hash_bucket *b, uint16_t tag)
{
#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
	__m128i tags = _mm_loadu_si128((const __m128i *)(const void *)b->tag);
	__m128i eq = _mm_cmpeq_epi16(tags, _mm_set1_epi16((short)tag));

	return (unsigned int)_mm_movemask_epi8(_mm_packs_epi16(eq, _mm_setzero_si128()));
#else
	unsigned int m = 0;

	for (unsigned int i = 0; i < HASH_BUCKET_ENTRIES; i++)
		m |= (unsigned int)(__atomic_load_n(&b->tag[i], __ATOMIC_RELAXED) == tag) << i;
	return m;
#endif
}

static inline bool key_equal(const struct hash_table *h, uint32_t elem, const void *key)
{
	const uint8_t *k = hash_key(h, elem);
	uint32_t size = h->map.def.key_size;

	if (size == 4)
		return weir_load_u32(k) == weir_load_u32(key);
	if (size == 8)
		return weir_load_u64(k) == weir_load_u64(key);
	if (size == 16)
		return !((weir_load_u64(k) ^ weir_load_u64(key)) |
			 (weir_load_u64(k + 8) ^ weir_load_u64((const uint8_t *)key + 8)));
	return !memcmp(k, key, size);
}

/*
 * Scans a chain. `seq` is the head's number that the caller saw: followed links are only as good as
 * it is, so a change ends the walk (the caller then finds it changed). Locked callers pass the odd
 * number they made.
 */
static struct hash_place scan(const struct hash_table *h, struct hash_bucket *head, uint32_t seq,
			      uint16_t tag, const void *key)
{
	struct hash_bucket *b = head;

	do {
		unsigned int m = match_tags(b, tag);

		for (; m; m &= m - 1) {
			uint32_t pos = (uint32_t)__builtin_ctz(m);
			uint32_t elem = __atomic_load_n(&b->elem[pos], __ATOMIC_RELAXED);

			if (weir_likely(key_equal(h, elem, key)))
				return (struct hash_place){b, pos, elem};
		}
		b = next_bucket(h, b);
	} while (weir_unlikely(b) && __atomic_load_n(&head->seq, __ATOMIC_RELAXED) == seq);
	return (struct hash_place){0};
}

static inline uint32_t read_begin(const struct hash_bucket *head)
{
	return __atomic_load_n(&head->seq, __ATOMIC_ACQUIRE);
}

static inline bool read_valid(const struct hash_bucket *head, uint32_t seq)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return !(seq & 1) && __atomic_load_n(&head->seq, __ATOMIC_RELAXED) == seq;
}

int64_t weir_hash_find(struct hash_table *h, const void *key)
{
	uint64_t hash = weir_hash_bytes(h, key);
	struct hash_bucket *head = weir_hash_head(h, hash);
	struct hash_place p;
	uint32_t seq;

	for (int i = 0; i < READ_BOUND; i++) {
		seq = read_begin(head);
		if (weir_likely(!(seq & 1))) {
			p = scan(h, head, seq, tag_of(hash), key);
			if (weir_likely(read_valid(head, seq)))
				return p.bucket ? (int64_t)p.elem : -1;
		}
		cpu_pause();
	}
	__atomic_fetch_add(&h->unstable, 1, __ATOMIC_RELAXED);
	p = scan(h, head, read_begin(head), tag_of(hash), key);
	return p.bucket ? (int64_t)p.elem : -1;
}

bool weir_hash_lock(struct hash_bucket *head, uint32_t bound)
{
	for (uint32_t i = 1;; i++) {
		uint32_t seq = __atomic_load_n(&head->seq, __ATOMIC_RELAXED);

		if (!(seq & 1) && __atomic_compare_exchange_n(&head->seq, &seq, seq + 1, false,
							      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
			/* the odd number is seen before anything written under it */
			__atomic_thread_fence(__ATOMIC_RELEASE);
			return true;
		}
		if (bound && i >= bound)
			return false;
		if (!bound && i % YIELD_AFTER == 0)
			sched_yield();
		cpu_pause();
	}
}

void weir_hash_unlock(struct hash_bucket *head)
{
	__atomic_store_n(&head->seq, head->seq + 1, __ATOMIC_RELEASE);
}

struct hash_place weir_hash_find_locked(struct hash_table *h, struct hash_bucket *head,
					uint64_t hash, const void *key)
{
	return scan(h, head, head->seq, tag_of(hash), key);
}

static void set_entry(struct hash_bucket *b, uint32_t pos, uint16_t tag, uint32_t elem)
{
	__atomic_store_n(&b->elem[pos], elem, __ATOMIC_RELAXED);
	__atomic_store_n(&b->tag[pos], tag, __ATOMIC_RELEASE);
}

int weir_hash_link_locked(struct hash_table *h, struct hash_bucket *head, uint64_t hash,
			  uint32_t elem)
{
	struct hash_bucket *b = head, *next;
	int64_t fresh;

	while ((next = next_bucket(h, b)))
		b = next;
	for (uint32_t pos = 0; pos < HASH_BUCKET_ENTRIES; pos++)
		if (!b->tag[pos]) {
			set_entry(b, pos, tag_of(hash), elem);
			return 0;
		}
	fresh = weir_hash_pool_get(&h->free_overflow);
	if (fresh < 0)
		return -ENOMEM;
	next = &h->buckets[(uint64_t)h->bucket_mask + 1 + (uint64_t)fresh];
	for (uint32_t pos = 0; pos < HASH_BUCKET_ENTRIES; pos++)
		__atomic_store_n(&next->tag[pos], 0, __ATOMIC_RELAXED);
	__atomic_store_n(&next->next, 0, __ATOMIC_RELAXED);
	set_entry(next, 0, tag_of(hash), elem);
	__atomic_store_n(&b->next, (uint32_t)fresh + 1, __ATOMIC_RELEASE);
	return 0;
}

void weir_hash_replace_locked(struct hash_place *place, uint32_t elem)
{
	__atomic_store_n(&place->bucket->elem[place->pos], elem, __ATOMIC_RELEASE);
}

void weir_hash_unlink_locked(struct hash_table *h, struct hash_bucket *head,
			     struct hash_place *place)
{
	struct hash_bucket *b = head, *before = NULL, *next;
	uint32_t last = 0;

	while ((next = next_bucket(h, b))) {
		before = b;
		b = next;
	}
	while (last + 1 < HASH_BUCKET_ENTRIES && b->tag[last + 1])
		last++;
	set_entry(place->bucket, place->pos, b->tag[last], b->elem[last]);
	__atomic_store_n(&b->tag[last], 0, __ATOMIC_RELEASE);
	if (!last && before) {
		uint32_t index = before->next - 1;

		__atomic_store_n(&before->next, 0, __ATOMIC_RELEASE);
		weir_hash_pool_put(&h->free_overflow, index);
	}
}

int64_t weir_hash_pool_get(struct hash_pool *pool)
{
	uint64_t head = __atomic_load_n(&pool->head, __ATOMIC_ACQUIRE);
	uint32_t fresh;

	while ((uint32_t)head) {
		uint32_t index = (uint32_t)head - 1;
		uint32_t next = __atomic_load_n(&pool->next[index], __ATOMIC_RELAXED);
		uint64_t want = ((head >> 32) + 1) << 32 | next;

		if (__atomic_compare_exchange_n(&pool->head, &head, want, false, __ATOMIC_ACQUIRE,
						__ATOMIC_ACQUIRE))
			return index;
	}
	fresh = __atomic_load_n(&pool->fresh, __ATOMIC_RELAXED);
	while (fresh < pool->limit)
		if (__atomic_compare_exchange_n(&pool->fresh, &fresh, fresh + 1, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return fresh;
	/* One may have come back since the stack was seen empty. */
	if ((uint32_t)__atomic_load_n(&pool->head, __ATOMIC_ACQUIRE))
		return weir_hash_pool_get(pool);
	return -1;
}

void weir_hash_pool_put(struct hash_pool *pool, uint32_t index)
{
	uint64_t head = __atomic_load_n(&pool->head, __ATOMIC_RELAXED), want;

	do {
		__atomic_store_n(&pool->next[index], (uint32_t)head, __ATOMIC_RELAXED);
		want = ((head >> 32) + 1) << 32 | (index + 1);
	} while (!__atomic_compare_exchange_n(&pool->head, &head, want, false, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
}

/* Waits until no writer holds the chain; returns its even number. */
static uint32_t wait_even(const struct hash_bucket *head)
{
	for (uint32_t i = 1;; i++) {
		uint32_t seq = read_begin(head);

		if (!(seq & 1))
			return seq;
		if (i % YIELD_AFTER == 0)
			sched_yield();
		cpu_pause();
	}
}

int weir_hash_read(struct hash_table *h, const void *key, void *value, int cpu)
{
	uint64_t hash = weir_hash_bytes(h, key);
	struct hash_bucket *head = weir_hash_head(h, hash);

	for (;;) {
		uint32_t seq = wait_even(head);
		struct hash_place p = scan(h, head, seq, tag_of(hash), key);

		if (p.bucket && value) {
			if (h->map.is_per_cpu)
				weir_percpu_read(&h->map, hash_value(h, p.elem), value, cpu);
			else
				memcpy(value, hash_value(h, p.elem), h->map.def.value_size);
		}
		if (read_valid(head, seq))
			return p.bucket ? 0 : -ENOENT;
	}
}

/* The order of a chain's keys: by hash, then by bytes. */
static bool comes_after(const struct hash_table *h, uint64_t hash_a, const void *a, uint64_t hash_b,
			const void *b)
{
	return hash_a != hash_b ? hash_a > hash_b : memcmp(a, b, h->map.def.key_size) > 0;
}

/*
 * Copies the chain's least key that comes after `key` (NULL: the least of all). Places change when
 * entries are deleted; the order of keys does not, so a walk misses none that stays.
 */
static bool key_after(struct hash_table *h, struct hash_bucket *head, uint32_t seq, uint64_t hash,
		      const void *key, void *next)
{
	uint64_t best_hash = 0, entry_hash;
	const uint8_t *best = NULL, *entry;
	struct hash_bucket *b = head;

	do {
		for (uint32_t i = 0; i < HASH_BUCKET_ENTRIES; i++) {
			if (!__atomic_load_n(&b->tag[i], __ATOMIC_RELAXED))
				continue;
			entry = hash_key(h, __atomic_load_n(&b->elem[i], __ATOMIC_RELAXED));
			entry_hash = weir_hash_bytes(h, entry);
			if (key && !comes_after(h, entry_hash, entry, hash, key))
				continue;
			if (best && !comes_after(h, best_hash, best, entry_hash, entry))
				continue;
			best = entry;
			best_hash = entry_hash;
		}
		b = next_bucket(h, b);
	} while (b && __atomic_load_n(&head->seq, __ATOMIC_RELAXED) == seq);
	if (best)
		memcpy(next, best, h->map.def.key_size);
	return best;
}

int weir_hash_next_key(struct hash_table *h, const void *key, void *next)
{
	uint64_t hash = key ? weir_hash_bytes(h, key) : 0, i = hash & h->bucket_mask;
	struct hash_place p = {0};
	struct hash_bucket *head;
	uint32_t seq;
	bool found;

	if (key) {
		head = &h->buckets[i];
		do {
			seq = wait_even(head);
			p = scan(h, head, seq, tag_of(hash), key);
			/* the key is copied before it may be overwritten: next may alias it */
			found = p.bucket && key_after(h, head, seq, hash, key, next);
		} while (!read_valid(head, seq));
		if (found)
			return 0;
		i = p.bucket ? i + 1 : 0;
	} else {
		i = 0;
	}
	for (; i <= h->bucket_mask; i++) {
		head = &h->buckets[i];
		do {
			seq = wait_even(head);
			found = key_after(h, head, seq, 0, NULL, next);
		} while (!read_valid(head, seq));
		if (found)
			return 0;
	}
	return -ENOENT;
}
