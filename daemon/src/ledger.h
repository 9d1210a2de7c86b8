/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's row of one port's ledger, published by sequence count.
 *
 * Writer: the row's worker, alone; between begin and end it may change any field, and at end the
 * row balances. Readers: any thread; a read repeats until it met no write. A row's in side (rx to
 * in_flight) balances by itself; the out side balances over all rows of a port, because a packet
 * may be handed to the worker that owns the TX queue.
 */
#ifndef WEIR_DAEMON_LEDGER_H
#define WEIR_DAEMON_LEDGER_H

#include <stdint.h>

#include "plane.h"

struct weir_ledger_row {
	_Alignas(64) uint64_t seq; /* odd while the worker writes */
	struct weir_ledger v;
};

static inline void weir_ledger_begin(struct weir_ledger_row *row)
{
	__atomic_store_n(&row->seq, row->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void weir_ledger_end(struct weir_ledger_row *row)
{
	__atomic_store_n(&row->seq, row->seq + 1, __ATOMIC_RELEASE);
}

/* A consistent copy of one row. Any thread. */
void weir_ledger_row_read(const struct weir_ledger_row *row, struct weir_ledger *out);

/*
 * A port's ledger: the sum of `count` rows, `stride` rows apart. Balanced in itself at any time,
 * with what is on its way in in_flight and out_in_flight. The wire counters are left 0.
 */
void weir_ledger_sum(const struct weir_ledger_row *rows, uint32_t count, uint32_t stride,
		     struct weir_ledger *out);

/* The name of the first equation that does not hold, or NULL. Every sum must be exact. */
const char *weir_ledger_check(const struct weir_ledger *l);

#endif
