/* SPDX-License-Identifier: BSD-3-Clause */
#include "ledger.h"

#include <stddef.h>
#include <string.h>

#include "weir/base/bits.h"

#define LEDGER_WORDS (sizeof(struct weir_ledger) / sizeof(uint64_t))
_Static_assert(sizeof(struct weir_ledger) % sizeof(uint64_t) == 0, "a ledger is made of counters");

void weir_ledger_row_read(const struct weir_ledger_row *row, struct weir_ledger *out)
{
	const uint64_t *from = (const uint64_t *)&row->v;
	uint64_t copy[LEDGER_WORDS];
	uint64_t seq;

	do {
		seq = __atomic_load_n(&row->seq, __ATOMIC_ACQUIRE);
		for (size_t i = 0; i < LEDGER_WORDS; i++)
			copy[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while ((seq & 1) || seq != __atomic_load_n(&row->seq, __ATOMIC_RELAXED));
	memcpy(out, copy, sizeof(*out));
}

static void ledger_add(struct weir_ledger *sum, const struct weir_ledger *row)
{
	uint64_t to[LEDGER_WORDS], from[LEDGER_WORDS];

	memcpy(to, sum, sizeof(to));
	memcpy(from, row, sizeof(from));
	for (size_t i = 0; i < LEDGER_WORDS; i++)
		to[i] += from[i];
	memcpy(sum, to, sizeof(to));
}

static uint64_t out_total(const struct weir_ledger *l)
{
	return l->own_tx + l->redirected_in + l->from_kernel + l->passed_in;
}

/*
 * What left is read from all rows before what was handed over: every packet seen leaving was
 * handed over earlier, so the difference is never negative.
 */
void weir_ledger_sum(const struct weir_ledger_row *rows, uint32_t count, uint32_t stride,
		     struct weir_ledger *out)
{
	struct weir_ledger left = {0}, sum = {0}, row;

	for (uint32_t i = 0; i < count; i++) {
		weir_ledger_row_read(&rows[(size_t)i * stride], &row);
		ledger_add(&left, &row);
	}
	for (uint32_t i = 0; i < count; i++) {
		weir_ledger_row_read(&rows[(size_t)i * stride], &row);
		ledger_add(&sum, &row);
	}
	sum.sent = left.sent;
	sum.sent_bytes = left.sent_bytes;
	sum.tx_full = left.tx_full;
	sum.tx_error = left.tx_error;
	sum.out_in_flight = out_total(&sum) - sum.sent - sum.tx_full - sum.tx_error;
	*out = sum;
}

const char *weir_ledger_check(const struct weir_ledger *l)
{
	if (l->rx + l->injected + l->cloned !=
	    l->drop + l->aborted + l->pass + l->tx + l->redirect + l->in_flight)
		return "in";
	if (out_total(l) != l->sent + l->tx_full + l->tx_error + l->out_in_flight)
		return "out";
	if (l->pass != l->to_kernel + l->kernel_full + l->to_port + l->pass_dropped)
		return "pass";
	if (l->drop != l->drop_prog + l->drop_guard + l->drop_too_long + l->drop_no_target)
		return "drop";
	if (l->aborted != l->aborted_prog + l->aborted_budget + l->aborted_code)
		return "aborted";
	return NULL;
}
