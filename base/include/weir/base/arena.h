/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bump allocator with a byte limit: everything taken from it lives until the arena goes.
 * Memory is zeroed and 16-byte aligned. One thread at a time.
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stddef.h>

struct weir_arena;

/* limit_bytes 0: no limit. Returns 0 or -ENOMEM; *out untouched on failure. */
int weir_arena_new(size_t limit_bytes, struct weir_arena **out);
void weir_arena_free(struct weir_arena **arena);
/* NULL when memory or the limit is exhausted. Size 0 gives a distinct pointer. */
void *weir_arena_alloc(struct weir_arena *arena, size_t size_bytes);
void *weir_arena_calloc(struct weir_arena *arena, size_t count, size_t size_bytes);
char *weir_arena_strdup(struct weir_arena *arena, const char *s);
void *weir_arena_memdup(struct weir_arena *arena, const void *p, size_t size_bytes);
size_t weir_arena_used_bytes(const struct weir_arena *arena);

#endif
