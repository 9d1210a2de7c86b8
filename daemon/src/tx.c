/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending and freeing. Worker threads; the counters go to the worker's own rows.
 *
 * A worker counts what it hands over in its row of the target port; the worker that owns the queue
 * counts what became of it. For a worker with a queue of its own both are one write.
 */
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "plane_int.h"
#include "weir/base/bits.h"

/*
 * Buffers of the one pool that are alone and unshared go back in one copy; the test is one load a
 * packet. Anything else takes the general way.
 */
void weir_mbufs_free(struct weir_plane *plane, struct rte_mbuf **pkts, uint16_t n)
{
	struct rte_mbuf *plain[WEIR_BURST];
	struct rte_mempool *pool = plane->pool;
	uint16_t count = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		if (weir_likely(weir_mbuf_is_plain(m, pool)))
			plain[count++] = m;
		else
			rte_pktmbuf_free(m);
	}
	if (count)
		rte_mempool_put_bulk(pool, (void *const *)plain, count);
}

struct tx_result {
	uint64_t sent, sent_bytes, full, error;
};

static bool sendable(const struct weir_port *port, const struct rte_mbuf *m)
{
	return m->pkt_len <= port->tx_max_bytes &&
	       (m->nb_segs == 1 || m->pkt_len <= port->tx_segments_max_bytes);
}

/*
 * Packets that the device cannot send are taken out, because some drivers cut or drop them and say
 * they were sent; segments are joined where that helps.
 */
static uint16_t take_out(struct weir_worker *worker, const struct weir_port *port,
			 struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		if (!sendable(port, m) && m->pkt_len <= port->tx_max_bytes)
			weir_mbuf_linearise(worker->plane, &m);
		if (sendable(port, m))
			pkts[kept++] = m;
		else
			rte_pktmbuf_free(m);
	}
	return kept;
}

static void send_on_queue(struct weir_worker *worker, const struct weir_port *port, uint16_t queue,
			  struct rte_mbuf **pkts, uint16_t n, struct tx_result *r)
{
	uint64_t bytes = 0;
	bool all = true;
	uint16_t kept = n, sent;

	for (uint16_t i = 0; i < n; i++) {
		bytes += pkts[i]->pkt_len;
		all &= sendable(port, pkts[i]);
	}
	if (weir_unlikely(!all)) {
		kept = take_out(worker, port, pkts, n);
		bytes = 0;
		for (uint16_t i = 0; i < kept; i++)
			bytes += pkts[i]->pkt_len;
	}
	sent = rte_eth_tx_burst(port->port_id, queue, pkts, kept);
	if (weir_unlikely(sent < kept)) {
		for (uint16_t i = sent; i < kept; i++)
			bytes -= pkts[i]->pkt_len;
		weir_mbufs_free(worker->plane, &pkts[sent], kept - sent);
	}
	r->sent += sent;
	r->sent_bytes += bytes;
	r->full += kept - sent;
	r->error += n - kept;
}

static void count_handed(struct weir_ledger *l, enum weir_out_kind kind, uint64_t n)
{
	switch (kind) {
	case WEIR_OUT_TX: weir_stat_add(&l->own_tx, n); break;
	case WEIR_OUT_REDIRECT: weir_stat_add(&l->redirected_in, n); break;
	case WEIR_OUT_PASS: weir_stat_add(&l->passed_in, n); break;
	}
}

static void count_result(struct weir_ledger *l, const struct tx_result *r)
{
	weir_stat_add(&l->sent, r->sent);
	weir_stat_add(&l->sent_bytes, r->sent_bytes);
	weir_stat_add(&l->tx_full, r->full);
	weir_stat_add(&l->tx_error, r->error);
}

void weir_tx_send(struct weir_worker *worker, uint32_t port_idx, enum weir_out_kind kind,
		  struct rte_mbuf **pkts, uint16_t n)
{
	struct weir_port *port = &worker->plane->ports[port_idx];
	struct weir_ledger_row *row = &worker->rows[port_idx];
	const struct weir_out *out = &worker->out[port_idx];
	struct tx_result r = {0};

	if (weir_likely(out->queue >= 0)) {
		send_on_queue(worker, port, (uint16_t)out->queue, pkts, n, &r);
		weir_ledger_begin(row);
		count_handed(&row->v, kind, n);
		count_result(&row->v, &r);
		weir_ledger_end(row);
		return;
	}
	/* Counted before the owner can count them sent, so that the difference never is negative.
	 */
	weir_ledger_begin(row);
	count_handed(&row->v, kind, n);
	weir_ledger_end(row);
	r.full = n - rte_ring_sp_enqueue_burst(out->ring, (void *const *)pkts, n, NULL);
	if (weir_unlikely(r.full)) {
		weir_mbufs_free(worker->plane, &pkts[n - r.full], (uint16_t)r.full);
		weir_ledger_begin(row);
		count_result(&row->v, &r);
		weir_ledger_end(row);
	}
}

uint32_t weir_tx_rings_empty(struct weir_worker *worker)
{
	struct rte_mbuf *pkts[WEIR_BURST];
	uint32_t moved = 0;

	for (uint32_t i = 0; i < worker->tx_ring_count; i++) {
		const struct weir_tx_ring *from = &worker->tx_rings[i];
		struct weir_port *port = &worker->plane->ports[from->port];
		struct weir_ledger_row *row = &worker->rows[from->port];
		struct tx_result r = {0};
		uint16_t n;

		n = (uint16_t)rte_ring_sc_dequeue_burst(from->ring, (void **)pkts, WEIR_BURST,
							NULL);
		if (!n)
			continue;
		send_on_queue(worker, port, (uint16_t)worker->out[from->port].queue, pkts, n, &r);
		weir_ledger_begin(row);
		count_result(&row->v, &r);
		weir_ledger_end(row);
		moved += n;
	}
	return moved;
}
