/* SPDX-License-Identifier: BSD-3-Clause */
/* Small arithmetic, unaligned and byte-order helpers. Any thread. */
#ifndef WEIR_BASE_BITS_H
#define WEIR_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WEIR_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define WEIR_CACHE_LINE   64
#define weir_likely(x)    __builtin_expect(!!(x), 1)
#define weir_unlikely(x)  __builtin_expect(!!(x), 0)
#define weir_min(a, b)                             \
	({                                         \
		__typeof__(a) min_a_ = (a);        \
		__typeof__(b) min_b_ = (b);        \
		min_a_ < min_b_ ? min_a_ : min_b_; \
	})
#define weir_max(a, b)                             \
	({                                         \
		__typeof__(a) max_a_ = (a);        \
		__typeof__(b) max_b_ = (b);        \
		max_a_ > max_b_ ? max_a_ : max_b_; \
	})
#define weir_container_of(ptr, type, member) \
	((type *)((char *)(1 ? (ptr) : &((type *)0)->member) - offsetof(type, member)))

/* Rounds x up to a multiple of the power of two `align`; wraps for x near UINT64_MAX. */
static inline uint64_t weir_align_up(uint64_t x, uint64_t align)
{
	return (x + align - 1) & ~(align - 1);
}

static inline bool weir_is_pow2(uint64_t x)
{
	return x && !(x & (x - 1));
}

/* The next power of two >= x; 1 for 0; 0 where that does not fit. */
static inline uint64_t weir_pow2_roundup(uint64_t x)
{
	if (x <= 1)
		return 1;
	if (x > 1ULL << 63)
		return 0;
	return 1ULL << (64 - __builtin_clzll(x - 1));
}

/* Loads and stores that tolerate any alignment, in host byte order. */
#define WEIR_DEFINE_UNALIGNED(bits)                                      \
	static inline uint##bits##_t weir_load_u##bits(const void *p)    \
	{                                                                \
		uint##bits##_t v;                                        \
		memcpy(&v, p, sizeof(v));                                \
		return v;                                                \
	}                                                                \
	static inline void weir_store_u##bits(void *p, uint##bits##_t v) \
	{                                                                \
		memcpy(p, &v, sizeof(v));                                \
	}
WEIR_DEFINE_UNALIGNED(16)
WEIR_DEFINE_UNALIGNED(32)
WEIR_DEFINE_UNALIGNED(64)
#undef WEIR_DEFINE_UNALIGNED

#endif
