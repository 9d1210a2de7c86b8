/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bpf_trace_printk's lines on their way from a worker to the main thread: one ring a worker, one
 * producer, one consumer, no lock. A line that does not fit is dropped and counted.
 */
#ifndef WEIR_DAEMON_TRACE_H
#define WEIR_DAEMON_TRACE_H

#include <stddef.h>
#include <stdint.h>

#define WEIR_TRACE_RING_BYTES 32768 /* a power of two */
#define WEIR_TRACE_LINE_MAX   512

struct weir_trace_ring {
	_Alignas(64) uint32_t head; /* bytes written in all; the worker writes it */
	uint64_t dropped;           /* the worker writes it */
	_Alignas(64) uint32_t tail; /* bytes read in all; the main thread writes it */
	_Alignas(64) uint8_t bytes[WEIR_TRACE_RING_BYTES];
};

/* Worker. Longer lines are cut at WEIR_TRACE_LINE_MAX. */
void weir_trace_ring_put(struct weir_trace_ring *ring, const char *line, size_t len);
/* Main thread. Takes one line into out (terminated; WEIR_TRACE_LINE_MAX + 1 bytes): its length, or
 * -ENOENT. */
int weir_trace_ring_get(struct weir_trace_ring *ring, char *out);

#endif
