/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A record is a 16-bit length and the line's bytes. head and tail run freely modulo 2^32; each is
 * published with a release store after the bytes it stands for were written or read.
 */
#include "trace.h"

#include <errno.h>

#include "weir/base/bits.h"

_Static_assert((WEIR_TRACE_RING_BYTES & (WEIR_TRACE_RING_BYTES - 1)) == 0, "masks index the ring");

static void ring_write(struct weir_trace_ring *ring, uint32_t at, const void *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ring->bytes[(at + i) & (WEIR_TRACE_RING_BYTES - 1)] = ((const uint8_t *)from)[i];
}

static void ring_read(const struct weir_trace_ring *ring, uint32_t at, void *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = ring->bytes[(at + i) & (WEIR_TRACE_RING_BYTES - 1)];
}

void weir_trace_ring_put(struct weir_trace_ring *ring, const char *line, size_t len)
{
	uint32_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	uint32_t head = ring->head;
	uint16_t cut = (uint16_t)weir_min(len, (size_t)WEIR_TRACE_LINE_MAX);

	if (WEIR_TRACE_RING_BYTES - (head - tail) < sizeof(cut) + cut) {
		__atomic_store_n(&ring->dropped, ring->dropped + 1, __ATOMIC_RELAXED);
		return;
	}
	ring_write(ring, head, &cut, sizeof(cut));
	ring_write(ring, head + (uint32_t)sizeof(cut), line, cut);
	__atomic_store_n(&ring->head, head + (uint32_t)sizeof(cut) + cut, __ATOMIC_RELEASE);
}

int weir_trace_ring_get(struct weir_trace_ring *ring, char *out)
{
	uint32_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	uint32_t tail = ring->tail;
	uint16_t len;

	if (head == tail)
		return -ENOENT;
	ring_read(ring, tail, &len, sizeof(len));
	ring_read(ring, tail + (uint32_t)sizeof(len), out, len);
	out[len] = 0;
	__atomic_store_n(&ring->tail, tail + (uint32_t)sizeof(len) + len, __ATOMIC_RELEASE);
	return len;
}
