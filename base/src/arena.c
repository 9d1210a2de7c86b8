/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/base/arena.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_CHUNK_BYTES ((size_t)64 << 10)
#define ARENA_ALIGN       ((size_t)16)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size_bytes; /* of data */
	size_t used_bytes;
	_Alignas(16) char data[];
};

struct weir_arena {
	struct arena_chunk *head;
	size_t limit_bytes;
	size_t used_bytes;
};

int weir_arena_new(size_t limit_bytes, struct weir_arena **out)
{
	struct weir_arena *arena = calloc(1, sizeof(*arena));

	if (!arena)
		return -ENOMEM;
	arena->limit_bytes = limit_bytes;
	*out = arena;
	return 0;
}

void weir_arena_free(struct weir_arena **arena)
{
	struct arena_chunk *chunk, *next;

	if (!*arena)
		return;
	for (chunk = (*arena)->head; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(*arena);
	*arena = NULL;
}

static struct arena_chunk *arena_add_chunk(struct weir_arena *arena, size_t need)
{
	size_t size = need > ARENA_CHUNK_BYTES / 4 ? need : ARENA_CHUNK_BYTES;
	struct arena_chunk *chunk = calloc(1, sizeof(*chunk) + size);

	if (!chunk)
		return NULL;
	chunk->size_bytes = size;
	/* A chunk of one large object goes behind the head, whose room is still of use. */
	if (size == need && arena->head) {
		chunk->next = arena->head->next;
		arena->head->next = chunk;
	} else {
		chunk->next = arena->head;
		arena->head = chunk;
	}
	return chunk;
}

void *weir_arena_alloc(struct weir_arena *arena, size_t size_bytes)
{
	struct arena_chunk *chunk = arena->head;
	size_t size;
	void *p;

	if (size_bytes > SIZE_MAX / 2)
		return NULL;
	size = (size_bytes + !size_bytes + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	if (arena->limit_bytes && size > arena->limit_bytes - arena->used_bytes)
		return NULL;
	if (!chunk || chunk->size_bytes - chunk->used_bytes < size) {
		chunk = arena_add_chunk(arena, size);
		if (!chunk)
			return NULL;
	}
	p = chunk->data + chunk->used_bytes;
	chunk->used_bytes += size;
	arena->used_bytes += size;
	return p;
}

void *weir_arena_calloc(struct weir_arena *arena, size_t count, size_t size_bytes)
{
	size_t total;

	if (__builtin_mul_overflow(count, size_bytes, &total))
		return NULL;
	return weir_arena_alloc(arena, total);
}

void *weir_arena_memdup(struct weir_arena *arena, const void *p, size_t size_bytes)
{
	void *copy = weir_arena_alloc(arena, size_bytes);

	if (copy && size_bytes)
		memcpy(copy, p, size_bytes);
	return copy;
}

char *weir_arena_strdup(struct weir_arena *arena, const char *s)
{
	return weir_arena_memdup(arena, s, strlen(s) + 1);
}

size_t weir_arena_used_bytes(const struct weir_arena *arena)
{
	return arena->used_bytes;
}
