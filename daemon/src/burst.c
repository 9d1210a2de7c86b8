/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One burst of one RX queue, from the driver to wherever each packet goes. Worker threads.
 *
 * One acquire load fetches the attachment set; it judges the whole burst. Verdicts sort the
 * packets into batches, which are sent or freed once at the end. The ledger is written twice: when
 * the packets are there (in_flight) and when each has its verdict.
 */
#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>

#include "plane_int.h"
#include "weir/base/bits.h"

#define PREFETCH_AHEAD 4

uint32_t weir_run_cause(struct weir_worker *worker, const struct weir_attach_entry *entry)
{
	uint32_t cause = worker->exec.abort_cause, slot = worker->slot;

	if (weir_likely(cause == WEIR_ABORT_NONE))
		return cause;
	worker->exec.abort_cause = WEIR_ABORT_NONE;
	if (cause == WEIR_ABORT_BUDGET) {
		weir_stat_add(&entry->overruns[slot], 1);
		weir_stat_add(&entry->stats[slot].budget_overruns, 1);
	}
	return cause;
}

static inline void judged_put(struct weir_judged *judged, enum weir_verdict verdict,
			      struct rte_mbuf *m)
{
	judged->pkts[verdict][judged->count[verdict]++] = m;
}

/*
 * Counted here, freed with the rest of the burst. Looking at the buffer now, while its header is in
 * the cache, spares the bulk free a pass over all of them.
 */
static inline void judged_discard(struct weir_worker *worker, struct weir_judged *judged,
				  enum weir_verdict verdict, struct rte_mbuf *m)
{
	judged->count[verdict]++;
	if (weir_likely(weir_mbuf_is_plain(m, worker->plane->pool)))
		judged->freed[judged->freed_count++] = m;
	else
		rte_pktmbuf_free(m);
}

static void too_long(struct weir_worker *worker, struct weir_judged *judged, struct rte_mbuf *m)
{
	judged->bytes += m->pkt_len;
	judged->too_long++;
	judged_discard(worker, judged, WEIR_VERDICT_DROP, m);
}

/* Is it as most are? One look while the header is read anyway; the others go through normalise().
 */
static inline bool is_odd(const struct weir_port *port, const struct rte_mbuf *m)
{
	return m->nb_segs > 1 || m->pkt_len > port->rx_max_bytes ||
	       (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED);
}

/*
 * A packet leaves the driver as programs may see it, or is dropped here. Returns how many are left;
 * they are at the front of pkts.
 */
static uint16_t normalise(struct weir_worker *worker, const struct weir_port *port, bool linear,
			  struct rte_mbuf **pkts, uint16_t n, struct weir_judged *judged)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		if (m->pkt_len > port->rx_max_bytes) {
			too_long(worker, judged, m);
			continue;
		}
		if ((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) && rte_vlan_insert(&m)) {
			too_long(worker, judged, m);
			continue;
		}
		if (weir_unlikely(m->nb_segs > 1) && linear) {
			if (weir_mbuf_linearise(worker->plane, &m)) {
				too_long(worker, judged, m);
				continue;
			}
			judged->linearised++;
		}
		pkts[kept++] = m;
	}
	return kept;
}

/* Data that a device wrote; what a software driver copied is in the cache already. */
static inline void prefetch_packet(bool cold, struct rte_mbuf **pkts, uint16_t i, uint16_t n)
{
	if (cold && i + PREFETCH_AHEAD < n)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i + PREFETCH_AHEAD], void *));
}

/* A run's own state, as the program expects to find it. */
static inline uint32_t xdp_run(struct weir_exec *exec, struct weir_xdp_ctx *ctx,
			       const struct weir_attach_entry *e)
{
	exec->redirect.target_ifindex = 0;
	exec->redirect.map_id = 0;
	return (uint32_t)e->entry(ctx, exec, e->low);
}

static void stats_add(const struct weir_attach_entry *e, uint32_t slot, uint32_t verdict)
{
	struct weir_plane_prog_stats *stats = &e->stats[slot];

	weir_stat_add(&stats->runs, 1);
	weir_stat_add(&stats->verdicts[verdict <= XDP_REDIRECT ? verdict : 7], 1);
}

/* Sorts a packet by what its last XDP program said. Inlined in the loops. */
static inline void xdp_sort(struct weir_worker *worker, const struct weir_attach_entry *e,
			    uint32_t verdict, const struct weir_pkt *pkt, struct rte_mbuf *m,
			    struct weir_judged *judged)
{
	if (weir_likely(verdict == XDP_DROP)) {
		judged_discard(worker, judged, WEIR_VERDICT_DROP, m);
		return;
	}
	if (weir_unlikely(verdict == XDP_ABORTED || verdict > XDP_REDIRECT)) {
		judged->unknown += verdict > XDP_REDIRECT;
		weir_judged_abort(judged, weir_run_cause(worker, e));
		judged_discard(worker, judged, WEIR_VERDICT_ABORTED, m);
		return;
	}
	weir_pkt_to_mbuf(pkt, m);
	if (verdict == XDP_REDIRECT)
		judged->target[judged->count[WEIR_VERDICT_REDIRECT]] =
			worker->exec.redirect.target_ifindex;
	judged_put(judged, (enum weir_verdict)verdict, m);
}

/* A program's counters after a loop in which it alone decided: what the verdicts grew by. */
static void stats_add_burst(const struct weir_attach_entry *e, uint32_t slot,
			    const struct weir_judged *judged, const uint16_t *before)
{
	struct weir_plane_prog_stats *stats = &e->stats[slot];
	uint64_t runs = 0;

	for (int i = 0; i < WEIR_VERDICT_COUNT; i++) {
		uint16_t n = judged->count[i] - before[i];

		runs += n;
		if (i == WEIR_VERDICT_ABORTED)
			n -= judged->unknown - before[WEIR_VERDICT_COUNT];
		if (n)
			weir_stat_add(&stats->verdicts[i], n);
	}
	if (weir_unlikely(judged->unknown != before[WEIR_VERDICT_COUNT]))
		weir_stat_add(&stats->verdicts[7], judged->unknown - before[WEIR_VERDICT_COUNT]);
	weir_stat_add(&stats->runs, runs);
}

/*
 * The judges return how many packets they judged: all of them, or those up to the first overrun of
 * the run budget, so that a detach takes effect within a burst. With `check` they also stop in
 * front of an odd packet.
 */
static inline __attribute__((always_inline)) uint16_t judge_loop(
	struct weir_worker *worker, const struct weir_port *port,
	const struct weir_attach_entry *entry, struct rte_mbuf **pkts, uint16_t n,
	struct weir_judged *judged, bool cold, bool check)
{
	/* A copy: the programs' stores might be to memory that the compiler takes for the entry. */
	const struct weir_attach_entry e = *entry;
	struct weir_xdp_ctx *ctx = &worker->xdp;
	uint64_t bytes = 0;
	uint16_t i;

	ctx->pkt.has_frags = e.has_frags;
	for (i = 0; i < n && weir_likely(!judged->overrun); i++) {
		struct rte_mbuf *m = pkts[i];
		uint32_t verdict;

		if (check && weir_unlikely(is_odd(port, m)))
			break;
		prefetch_packet(cold, pkts, i, n);
		bytes += m->pkt_len;
		weir_pkt_from_mbuf(&ctx->pkt, m);
		verdict = xdp_run(&worker->exec, ctx, &e);
		xdp_sort(worker, &e, verdict, &ctx->pkt, m, judged);
	}
	judged->bytes += bytes;
	return i;
}

static uint16_t judge_one(struct weir_worker *worker, const struct weir_port *port,
			  const struct weir_attach_entry *entry, struct rte_mbuf **pkts, uint16_t n,
			  struct weir_judged *judged, bool check)
{
	uint16_t before[WEIR_VERDICT_COUNT + 1], done;

	memcpy(before, judged->count, sizeof(judged->count));
	before[WEIR_VERDICT_COUNT] = judged->unknown;
	if (check)
		done = judge_loop(worker, port, entry, pkts, n, judged, false, true);
	else if (port->cold_data)
		done = judge_loop(worker, port, entry, pkts, n, judged, true, false);
	else
		done = judge_loop(worker, port, entry, pkts, n, judged, false, false);
	stats_add_burst(entry, worker->slot, judged, before);
	return done;
}

/* Programs of a hook in order of priority: the first that does not pass decides. */
static uint32_t chain_xdp(struct weir_worker *worker, const struct weir_attach_queue *chain,
			  const struct weir_attach_entry **decider)
{
	uint32_t verdict = XDP_PASS;

	for (uint16_t k = 0; k < chain->count[WEIR_HOOK_XDP]; k++) {
		const struct weir_attach_entry *e = &chain->chain[WEIR_HOOK_XDP][k];

		worker->xdp.pkt.has_frags = e->has_frags;
		verdict = xdp_run(&worker->exec, &worker->xdp, e);
		stats_add(e, worker->slot, verdict);
		*decider = e;
		if (verdict != XDP_PASS)
			break;
	}
	return verdict;
}

static uint16_t judge_chain(struct weir_worker *worker, struct weir_port *port, uint16_t queue,
			    const struct weir_attach_queue *chain, struct rte_mbuf **pkts,
			    uint16_t n, struct weir_judged *judged, bool check)
{
	const bool skb = chain->count[WEIR_HOOK_TC] || chain->count[WEIR_HOOK_TAP];
	uint16_t i;

	for (i = 0; i < n && !judged->overrun; i++) {
		const struct weir_attach_entry *decider = NULL;
		struct rte_mbuf *m = pkts[i];
		uint32_t verdict;

		if (check && is_odd(port, m))
			break;
		prefetch_packet(port->cold_data, pkts, i, n);
		judged->bytes += m->pkt_len;
		weir_pkt_from_mbuf(&worker->xdp.pkt, m);
		verdict = chain_xdp(worker, chain, &decider);
		if (verdict != XDP_PASS || !skb) {
			xdp_sort(worker, decider, verdict, &worker->xdp.pkt, m, judged);
			continue;
		}
		weir_pkt_to_mbuf(&worker->xdp.pkt, m);
		verdict = weir_skb_judge(worker, port, queue, chain, &m, judged);
		if (verdict == WEIR_VERDICT_DROP || verdict == WEIR_VERDICT_ABORTED)
			judged_discard(worker, judged, (enum weir_verdict)verdict, m);
		else
			judged_put(judged, (enum weir_verdict)verdict, m);
	}
	return i;
}

static uint16_t judge_none(const struct weir_port *port, struct rte_mbuf **pkts, uint16_t n,
			   struct weir_judged *judged, bool check)
{
	uint16_t i;

	for (i = 0; i < n && !(check && is_odd(port, pkts[i])); i++) {
		judged->bytes += pkts[i]->pkt_len;
		judged_put(judged, WEIR_VERDICT_PASS, pkts[i]);
	}
	return i;
}

/* Redirects whose target is no port become drops; the others carry their port's number. */
static void resolve_targets(struct weir_worker *worker, struct weir_judged *judged)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < judged->count[WEIR_VERDICT_REDIRECT]; i++) {
		struct rte_mbuf *m = judged->pkts[WEIR_VERDICT_REDIRECT][i];
		int32_t port = weir_plane_ifindex_find(worker->plane, judged->target[i]);

		if (port < 0) {
			judged_discard(worker, judged, WEIR_VERDICT_DROP, m);
			judged->no_target++;
			continue;
		}
		judged->pkts[WEIR_VERDICT_REDIRECT][kept] = m;
		judged->target[kept++] = (uint32_t)port;
	}
	judged->count[WEIR_VERDICT_REDIRECT] = kept;
}

static void count_judged(struct weir_ledger *l, const struct weir_port *port, bool pass_to,
			 const struct weir_judged *j)
{
	const uint16_t *count = j->count;

	weir_stat_add(&l->rx_bytes, j->bytes);
	weir_stat_set(&l->in_flight, 0);
	weir_stat_add(&l->drop, count[WEIR_VERDICT_DROP]);
	weir_stat_add(&l->drop_prog,
		      (uint64_t)count[WEIR_VERDICT_DROP] - j->guard - j->too_long - j->no_target);
	weir_stat_add(&l->drop_guard, j->guard);
	weir_stat_add(&l->drop_too_long, j->too_long);
	weir_stat_add(&l->drop_no_target, j->no_target);
	weir_stat_add(&l->aborted, count[WEIR_VERDICT_ABORTED]);
	weir_stat_add(&l->aborted_prog,
		      (uint64_t)count[WEIR_VERDICT_ABORTED] - j->budget - j->code);
	weir_stat_add(&l->aborted_budget, j->budget);
	weir_stat_add(&l->aborted_code, j->code);
	weir_stat_add(&l->pass, count[WEIR_VERDICT_PASS]);
	if (pass_to)
		weir_stat_add(&l->to_port, count[WEIR_VERDICT_PASS]);
	else
		weir_stat_add(&l->pass_dropped, count[WEIR_VERDICT_PASS]);
	weir_stat_add(&l->tx, count[WEIR_VERDICT_TX]);
	weir_stat_add(&l->redirect, count[WEIR_VERDICT_REDIRECT]);
	weir_stat_add(&l->linearised, j->linearised);
}

/* Packets to one port go together, in their order. */
static void send_redirects(struct weir_worker *worker, struct weir_judged *judged)
{
	uint16_t left = judged->count[WEIR_VERDICT_REDIRECT];
	struct rte_mbuf **pkts = judged->pkts[WEIR_VERDICT_REDIRECT];
	struct rte_mbuf *group[WEIR_BURST];

	while (left) {
		uint32_t port = judged->target[0];
		uint16_t n = 0, kept = 0;

		for (uint16_t i = 0; i < left; i++) {
			if (judged->target[i] == port) {
				group[n++] = pkts[i];
			} else {
				pkts[kept] = pkts[i];
				judged->target[kept++] = judged->target[i];
			}
		}
		weir_tx_send(worker, port, WEIR_OUT_REDIRECT, group, n);
		left = kept;
	}
}

static void flush(struct weir_worker *worker, const struct weir_port *port, bool pass_to,
		  struct weir_judged *judged)
{
	struct weir_plane *plane = worker->plane;
	uint16_t *count = judged->count;

	if (judged->freed_count)
		rte_mempool_put_bulk(plane->pool, (void *const *)judged->freed,
				     judged->freed_count);
	if (count[WEIR_VERDICT_TX])
		weir_tx_send(worker, port->index, WEIR_OUT_TX, judged->pkts[WEIR_VERDICT_TX],
			     count[WEIR_VERDICT_TX]);
	if (count[WEIR_VERDICT_PASS] && pass_to)
		weir_tx_send(worker, (uint32_t)port->pass_to, WEIR_OUT_PASS,
			     judged->pkts[WEIR_VERDICT_PASS], count[WEIR_VERDICT_PASS]);
	else if (count[WEIR_VERDICT_PASS])
		weir_mbufs_free(plane, judged->pkts[WEIR_VERDICT_PASS], count[WEIR_VERDICT_PASS]);
	if (count[WEIR_VERDICT_REDIRECT])
		send_redirects(worker, judged);
}

static inline void judged_init(struct weir_judged *judged)
{
	for (int i = 0; i < WEIR_VERDICT_COUNT; i++)
		judged->count[i] = 0;
	judged->guard = judged->too_long = judged->no_target = 0;
	judged->budget = judged->code = judged->linearised = 0;
	judged->freed_count = judged->unknown = 0;
	judged->overrun = false;
	judged->bytes = 0;
}

/* Does a program of the chain need to find all of a packet in one piece? */
static bool wants_linear(const struct weir_attach_queue *chain)
{
	return chain->kind == WEIR_ATTACH_CHAIN ||
	       (chain->kind == WEIR_ATTACH_XDP_ONE && !chain->chain[WEIR_HOOK_XDP]->has_frags);
}

/*
 * Judges by the set of this moment; how many packets, from the front. Odd packets are made fit for
 * this set's programs and no other's, so all of that happens in here.
 */
static uint16_t judge(struct weir_worker *worker, struct weir_port *port, uint16_t queue,
		      struct rte_mbuf **pkts, uint16_t n, struct weir_judged *judged)
{
	const struct weir_attach_set *set = __atomic_load_n(&port->head->set, __ATOMIC_ACQUIRE);
	const struct weir_attach_queue *chain = &set->queues[queue];
	bool check = port->odd_packets;
	uint16_t gone = 0;

	if (check && is_odd(port, pkts[0])) {
		uint16_t kept = normalise(worker, port, wants_linear(chain), pkts, n, judged);

		/* What is left moves to the end, where the caller goes on. */
		gone = n - kept;
		memmove(&pkts[gone], pkts, kept * sizeof(*pkts));
		pkts += gone;
		n = kept;
		check = false;
	}
	switch (chain->kind) {
	case WEIR_ATTACH_XDP_ONE:
		return gone +
		       judge_one(worker, port, chain->chain[WEIR_HOOK_XDP], pkts, n, judged, check);
	case WEIR_ATTACH_CHAIN:
		return gone + judge_chain(worker, port, queue, chain, pkts, n, judged, check);
	default: return gone + judge_none(port, pkts, n, judged, check);
	}
}

void weir_burst(struct weir_worker *worker, struct weir_port *port, uint16_t queue,
		struct rte_mbuf **pkts, uint16_t n)
{
	struct weir_ledger_row *row = &worker->rows[port->index];
	const bool pass_to = port->pass_to >= 0;
	struct weir_judged judged;

	judged_init(&judged);
	weir_ledger_begin(row);
	weir_stat_add(&row->v.rx, n);
	weir_stat_set(&row->v.in_flight, n);
	weir_ledger_end(row);
	worker->xdp.ingress_ifindex = port->ifindex;
	worker->xdp.rx_queue_index = queue;
	/* Once, unless there are odd packets or a run was over its budget. */
	for (uint16_t done = 0; done < n;) {
		judged.overrun = false;
		done += judge(worker, port, queue, &pkts[done], n - done, &judged);
	}
	if (judged.count[WEIR_VERDICT_REDIRECT])
		resolve_targets(worker, &judged);
	weir_ledger_begin(row);
	count_judged(&row->v, port, pass_to, &judged);
	weir_ledger_end(row);
	flush(worker, port, pass_to, &judged);
}
