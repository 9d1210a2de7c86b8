/* SPDX-License-Identifier: BSD-3-Clause */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (256 * 1024)

struct chunk {
	struct chunk *next;
};

struct free_item {
	struct free_item *next;
};

void weir_pool_init(struct weir_pool *pool, uint64_t limit_bytes)
{
	*pool = (struct weir_pool){.limit_bytes = limit_bytes};
}

void weir_pool_clear(struct weir_pool *pool)
{
	struct chunk *chunk = pool->chunks;

	while (chunk) {
		struct chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	*pool = (struct weir_pool){0};
}

/* Memory from the pool is not zeroed: every taker writes all of what it later reads. */
static void *pool_take(struct weir_pool *pool, void **free_list, size_t size)
{
	struct free_item *item = *free_list;
	struct chunk *chunk;
	void *p;

	if (item) {
		*free_list = item->next;
		return item;
	}
	if (pool->bump_left < size) {
		if (pool->used_bytes + CHUNK_BYTES > pool->limit_bytes) {
			pool->is_full = true;
			return NULL;
		}
		chunk = malloc(CHUNK_BYTES);
		if (!chunk)
			return NULL;
		chunk->next = pool->chunks;
		pool->chunks = chunk;
		pool->bump = (uint8_t *)chunk + 16;
		pool->bump_left = CHUNK_BYTES - 16;
		pool->used_bytes += CHUNK_BYTES;
		pool->peak_bytes = pool->used_bytes;
	}
	p = pool->bump;
	pool->bump += size;
	pool->bump_left -= size;
	return p;
}

static void pool_give(void **free_list, void *p)
{
	struct free_item *item = p;

	item->next = *free_list;
	*free_list = item;
}

static uint32_t slots_class(uint32_t cap)
{
	return (uint32_t)__builtin_ctz(cap);
}

/* Capacities are powers of two from 4 to 64, so that freed arrays find a new use. */
static uint32_t slots_round(uint32_t count)
{
	uint32_t cap = 4;

	while (cap < count)
		cap *= 2;
	return cap;
}

static struct weir_slot *slots_take(struct weir_pool *pool, uint32_t cap)
{
	size_t size = (cap * sizeof(struct weir_slot) + 15) & ~(size_t)15;

	return pool_take(pool, &pool->free_slots[slots_class(cap)], size);
}

static void slots_give(struct weir_pool *pool, struct weir_frame *frame)
{
	if (frame->slots)
		pool_give(&pool->free_slots[slots_class(frame->slot_cap)], frame->slots);
	frame->slots = NULL;
	frame->slot_cap = 0;
	frame->slot_count = 0;
}

static struct weir_frame *frame_take(struct weir_pool *pool)
{
	return pool_take(pool, &pool->free_frame, (sizeof(struct weir_frame) + 15) & ~(size_t)15);
}

static void frame_give(struct weir_pool *pool, struct weir_frame *frame)
{
	slots_give(pool, frame);
	pool_give(&pool->free_frame, frame);
}

struct weir_vstate *weir_vstate_new(struct weir_pool *pool)
{
	struct weir_vstate *state;

	state = pool_take(pool, &pool->free_state, (sizeof(struct weir_vstate) + 15) & ~(size_t)15);
	if (state)
		memset(state, 0, sizeof(*state));
	return state;
}

void weir_vstate_free(struct weir_pool *pool, struct weir_vstate *state)
{
	if (!state)
		return;
	for (uint32_t i = 0; i <= state->curframe; i++)
		if (state->frames[i])
			frame_give(pool, state->frames[i]);
	pool_give(&pool->free_state, state);
}

static struct weir_frame *frame_copy(struct weir_pool *pool, const struct weir_frame *src)
{
	struct weir_frame *dst = frame_take(pool);

	if (!dst)
		return NULL;
	*dst = *src;
	dst->slots = NULL;
	dst->slot_cap = 0;
	if (!src->slot_count)
		return dst;
	dst->slot_cap = slots_round(src->slot_count);
	dst->slots = slots_take(pool, dst->slot_cap);
	if (!dst->slots) {
		dst->slot_cap = 0;
		frame_give(pool, dst);
		return NULL;
	}
	/* A register that is not spilled is never read: copying its kinds alone is enough. */
	for (uint32_t i = 0; i < src->slot_count; i++) {
		if (weir_slot_is_spill(&src->slots[i]))
			dst->slots[i] = src->slots[i];
		else
			memcpy(dst->slots[i].kind, src->slots[i].kind, WEIR_SLOT_BYTES);
	}
	return dst;
}

struct weir_vstate *weir_vstate_copy(struct weir_pool *pool, const struct weir_vstate *src)
{
	struct weir_vstate *dst = weir_vstate_new(pool);

	if (!dst)
		return NULL;
	for (uint32_t i = 0; i <= src->curframe; i++) {
		dst->curframe = i;
		dst->frames[i] = frame_copy(pool, src->frames[i]);
		if (!dst->frames[i]) {
			weir_vstate_free(pool, dst);
			return NULL;
		}
	}
	dst->depth = src->depth;
	dst->parent = src->parent;
	dst->insn_idx = src->insn_idx;
	dst->callback_unroll = src->callback_unroll;
	return dst;
}

int weir_vstate_push_frame(struct weir_pool *pool, struct weir_vstate *state, uint32_t subprog,
			   uint32_t callsite)
{
	uint32_t n = state->frames[0] ? state->curframe + 1 : 0;
	struct weir_frame *frame = frame_take(pool);

	if (!frame)
		return -ENOMEM;
	memset(frame, 0, sizeof(*frame));
	frame->subprog = subprog;
	frame->callsite = callsite;
	weir_vreg_set_ptr(&frame->regs[BPF_REG_10], WEIR_V_STACK);
	frame->regs[BPF_REG_10].frameno = (uint8_t)n;
	state->frames[n] = frame;
	state->curframe = n;
	return 0;
}

void weir_vstate_pop_frame(struct weir_pool *pool, struct weir_vstate *state)
{
	frame_give(pool, state->frames[state->curframe]);
	state->frames[state->curframe] = NULL;
	state->curframe--;
}

int weir_frame_reserve(struct weir_pool *pool, struct weir_frame *frame, uint32_t count)
{
	struct weir_slot *slots;
	uint32_t cap;

	if (count <= frame->slot_count)
		return 0;
	if (count > frame->slot_cap) {
		cap = slots_round(count);
		slots = slots_take(pool, cap);
		if (!slots)
			return -ENOMEM;
		if (frame->slot_count)
			memcpy(slots, frame->slots, frame->slot_count * sizeof(*slots));
		if (frame->slots)
			pool_give(&pool->free_slots[slots_class(frame->slot_cap)], frame->slots);
		frame->slots = slots;
		frame->slot_cap = cap;
	}
	for (uint32_t i = frame->slot_count; i < count; i++)
		memset(frame->slots[i].kind, WEIR_SLOT_INVALID, WEIR_SLOT_BYTES);
	frame->slot_count = count;
	return 0;
}

void weir_vreg_set_unknown(struct weir_vreg *reg)
{
	*reg = (struct weir_vreg){.type = WEIR_V_SCALAR, .v = weir_scalar_unknown()};
}

void weir_vreg_set_const(struct weir_vreg *reg, uint64_t value)
{
	*reg = (struct weir_vreg){.type = WEIR_V_SCALAR, .v = weir_scalar_const(value)};
}

void weir_vreg_set_ptr(struct weir_vreg *reg, enum weir_vtype type)
{
	*reg = (struct weir_vreg){.type = (uint8_t)type, .v = weir_scalar_const(0)};
}
