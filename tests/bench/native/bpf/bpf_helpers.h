/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In place of libbpf's header: BPF C compiled for this machine. A helper is a direct call of the
 * function for the map's type, known at compile time; a map variable's first member, which in BPF
 * carries the type, is where the bench puts the map. LD_ABS and LD_IND are checked loads.
 */
#ifndef WEIR_BENCH_NATIVE_BPF_HELPERS_H
#define WEIR_BENCH_NATIVE_BPF_HELPERS_H

#include "../../refmap.h"

#define SEC(name)
#define __uint(name, val) int(*name)[val]
#define __type(name, val) __typeof__(val) *name
#undef __always_inline /* <linux/stddef.h> has a weaker one */
#define __always_inline inline __attribute__((always_inline))

#define MAP_TYPE(map) (sizeof(*(map)->type) / sizeof(int))
#define bpf_map_lookup_elem(map, key)                                      \
	(MAP_TYPE(map) == BPF_MAP_TYPE_ARRAY                               \
		 ? refmap_array_lookup((struct refmap *)(map)->type, key)  \
	 : MAP_TYPE(map) == BPF_MAP_TYPE_PERCPU_ARRAY                      \
		 ? refmap_percpu_lookup((struct refmap *)(map)->type, key) \
		 : refmap_hash_lookup((struct refmap *)(map)->type, key))

/* The programs name their loads by asm(), for LLVM's BPF backend. */
#define asm(name)

_Noreturn void bench_load_failed(void);

#define LOAD(name, type, swap)                                                      \
	static inline unsigned long long name(void *ctx, unsigned long long off)    \
	{                                                                           \
		struct __sk_buff *skb = ctx;                                        \
		type value;                                                         \
                                                                                    \
		if (off + sizeof(value) > skb->data_end - skb->data)                \
			bench_load_failed();                                        \
		__builtin_memcpy(&value, (void *)(skb->data + off), sizeof(value)); \
		return swap(value);                                                 \
	}

LOAD(load_byte, unsigned char, )
LOAD(load_half, unsigned short, __builtin_bswap16)
LOAD(load_word, unsigned int, __builtin_bswap32)

#endif
