/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shortening jumps. Positions below are of the long layout; a position's final value is it minus
 * what shortened jumps before it save. Shortening only ever brings things nearer, so a jump found
 * short stays short, and the loop ends when a round finds no more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "x86_emit.h"

#define SHORT_BYTES 2
#define MAX_ROUNDS  20

static bool can_shorten(const struct x86_fix *fix)
{
	return fix->kind == X86_FIX_JMP || fix->kind == X86_FIX_JCC;
}

/* How many fixes start before pos. */
static uint32_t fixes_before(const struct x86_buf *b, uint32_t pos)
{
	size_t from = 0, to = b->fixes.len;

	while (from < to) {
		size_t mid = (from + to) / 2;

		if (b->fixes.v[mid].pos < pos)
			from = mid + 1;
		else
			to = mid;
	}
	return (uint32_t)from;
}

/* saved[i]: bytes saved by the fixes before the i-th. */
static void sum_saved(const struct x86_buf *b, uint32_t *saved)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < b->fixes.len; i++) {
		saved[i] = sum;
		if (b->fixes.v[i].is_short)
			sum += b->fixes.v[i].long_bytes - SHORT_BYTES;
	}
	saved[b->fixes.len] = sum;
}

static bool shorten_round(struct x86_buf *b, const uint32_t *target_rank, const uint32_t *saved)
{
	bool found = false;

	for (size_t i = 0; i < b->fixes.len; i++) {
		struct x86_fix *fix = &b->fixes.v[i];
		int64_t from, to;

		if (fix->is_short || !can_shorten(fix))
			continue;
		from = (int64_t)fix->pos - saved[i] + SHORT_BYTES;
		to = (int64_t)b->labels.v[fix->label] - saved[target_rank[i]];
		/* A forward target moves along with this jump's own end. */
		if (b->labels.v[fix->label] > fix->pos)
			to -= fix->long_bytes - SHORT_BYTES;
		if (to - from < INT8_MIN || to - from > INT8_MAX)
			continue;
		fix->is_short = true;
		found = true;
	}
	return found;
}

/* Moves the code together; records and labels get their final positions. */
static void compact(struct x86_buf *b, const uint32_t *saved)
{
	uint8_t *code = b->code.v;
	size_t to = 0, from = 0;

	for (size_t i = 0; i < b->labels.len; i++) {
		if (b->labels.v[i] != UINT32_MAX)
			b->labels.v[i] -= saved[fixes_before(b, b->labels.v[i])];
	}
	for (size_t i = 0; i < b->fixes.len; i++) {
		struct x86_fix *fix = &b->fixes.v[i];
		size_t len = fix->pos - from;

		memmove(code + to, code + from, len);
		to += len;
		from = fix->pos + fix->long_bytes;
		fix->pos = (uint32_t)to;
		if (fix->is_short) {
			code[to] = fix->kind == X86_FIX_JMP ? 0xeb : (uint8_t)(0x70 | fix->cond);
			to += SHORT_BYTES;
		} else {
			memmove(code + to, code + from - fix->long_bytes, fix->long_bytes);
			to += fix->long_bytes;
		}
	}
	memmove(code + to, code + from, b->code.len - from);
	b->code.len = to + (b->code.len - from);
}

static void resolve(struct x86_buf *b)
{
	for (size_t i = 0; i < b->fixes.len; i++) {
		const struct x86_fix *fix = &b->fixes.v[i];
		uint32_t end = fix->pos + (fix->is_short ? SHORT_BYTES : fix->long_bytes);
		uint32_t distance =
			fix->kind == X86_FIX_CALL_ABS ? 0 : b->labels.v[fix->label] - end;

		if (fix->is_short)
			b->code.v[end - 1] = (uint8_t)distance;
		else
			weir_store_u32(b->code.v + end - 4, distance);
	}
}

int x86_finish(struct x86_buf *b)
{
	weir_autofree uint32_t *rank = NULL;
	weir_autofree uint32_t *saved = NULL;

	if (b->err)
		return b->err;
	rank = calloc(b->fixes.len + 1, sizeof(*rank));
	saved = calloc(b->fixes.len + 1, sizeof(*saved));
	if (!rank || !saved)
		return -ENOMEM;
	for (size_t i = 0; i < b->fixes.len; i++) {
		if (b->fixes.v[i].kind != X86_FIX_CALL_ABS)
			rank[i] = fixes_before(b, b->labels.v[b->fixes.v[i].label]);
	}
	/* Long jumps are always right, so the number of rounds is free to be bounded. */
	for (int round = 0;; round++) {
		sum_saved(b, saved);
		if (round == MAX_ROUNDS || !shorten_round(b, rank, saved))
			break;
	}
	compact(b, saved);
	resolve(b);
	return 0;
}

int x86_relocate(struct x86_buf *b, uint64_t base)
{
	for (size_t i = 0; i < b->fixes.len; i++) {
		const struct x86_fix *fix = &b->fixes.v[i];
		uint32_t end = fix->pos + fix->long_bytes;
		int64_t distance = (int64_t)(fix->address - (base + end));

		if (fix->kind != X86_FIX_CALL_ABS)
			continue;
		if (distance < INT32_MIN || distance > INT32_MAX)
			return -ERANGE;
		weir_store_u32(b->code.v + end - 4, (uint32_t)distance);
	}
	return 0;
}
