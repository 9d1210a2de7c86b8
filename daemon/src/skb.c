/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tc and tap hooks: packets as struct weir_skb_ctx. Worker threads.
 *
 * The packet is one segment. tc programs see the outer VLAN tag in vlan_* and not in the data;
 * guards and taps (pcap expressions) see it in the data, as a packet socket's filter does in Linux
 * once the tag is back. The tag is moved between the two as the chain needs it.
 */
#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "plane_int.h"
#include "weir/base/bits.h"
#include "weir/vm/skb_frame.h"

#define TC_UNSPEC   ((uint32_t)-1)
#define TC_OK       0U
#define TC_SHOT     2U
#define TC_STOLEN   4U
#define TC_TRAP     8U
#define TC_REDIRECT 7U

#define REDIRECT_INGRESS 1ULL /* BPF_F_INGRESS: back into a port's RX; no port can do that */

static uint32_t packet_type(const struct weir_port *port, const uint8_t *data)
{
	static const uint8_t everyone[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (data[0] & 1)
		return memcmp(data, everyone, 6) ? 2 /* PACKET_MULTICAST */
						 : 1 /* PACKET_BROADCAST */;
	return memcmp(data, port->mac, 6) ? 3 /* PACKET_OTHERHOST */ : 0 /* PACKET_HOST */;
}

static void ctx_init(struct weir_skb_ctx *ctx, const struct weir_port *port, uint16_t queue,
		     struct rte_mbuf *m)
{
	weir_pkt_from_mbuf(&ctx->pkt, m);
	ctx->pkt.has_frags = 0;
	ctx->pkt.ops = &weir_mbuf_pkt_ops;
	weir_skb_ctx_from_frame(ctx, port->ifindex, queue);
	if (ctx->protocol)
		ctx->pkt_type = packet_type(port, ctx->pkt.data);
	ctx->wire_len = m->pkt_len;
	if (m->ol_flags & RTE_MBUF_F_RX_RSS_HASH)
		ctx->hash = m->hash.rss;
}

static uint32_t skb_run(struct weir_worker *worker, struct weir_skb_ctx *ctx,
			const struct weir_attach_entry *e, bool filter)
{
	struct weir_plane_prog_stats *stats = &e->stats[worker->slot];
	struct weir_exec *exec = &worker->exec;
	uint32_t ret, stat;

	exec->redirect.target_ifindex = 0;
	exec->redirect.map_id = 0;
	exec->redirect.flags = 0;
	ret = (uint32_t)e->entry(ctx, exec, e->low);
	stat = filter ? (ret ? 7 : 0) : (ret < 7 ? ret : 7);
	weir_stat_add(&stats->runs, 1);
	weir_stat_add(&stats->verdicts[stat], 1);
	return ret;
}

static enum weir_verdict redirect(struct weir_worker *worker, struct weir_judged *judged)
{
	const struct weir_redirect *r = &worker->exec.redirect;

	judged->target[judged->count[WEIR_VERDICT_REDIRECT]] =
		r->flags & REDIRECT_INGRESS ? 0 : r->target_ifindex;
	return WEIR_VERDICT_REDIRECT;
}

/* PASS: the chain went to its end or a program accepted; anything else is decided. */
static enum weir_verdict run_tc(struct weir_worker *worker, struct weir_skb_ctx *ctx,
				const struct weir_attach_queue *chain, struct weir_judged *judged)
{
	for (uint16_t k = 0; k < chain->count[WEIR_HOOK_TC]; k++) {
		const struct weir_attach_entry *e = &chain->chain[WEIR_HOOK_TC][k];
		uint32_t ret, cause;

		if (e->guard)
			weir_skb_tag_to_data(ctx);
		else
			weir_skb_tag_to_ctx(ctx);
		ret = skb_run(worker, ctx, e, e->guard);
		cause = weir_run_cause(worker, e);
		if (weir_unlikely(cause)) {
			weir_judged_abort(judged, cause);
			return WEIR_VERDICT_ABORTED;
		}
		if (e->guard) {
			if (ret)
				continue;
			judged->guard++;
			return WEIR_VERDICT_DROP;
		}
		switch (ret) {
		case TC_OK: return WEIR_VERDICT_PASS;
		case TC_SHOT:
		case TC_STOLEN:
		case TC_TRAP: return WEIR_VERDICT_DROP;
		case TC_REDIRECT: return redirect(worker, judged);
		default: break; /* TC_UNSPEC, and what Linux takes for it: the next program */
		}
	}
	return WEIR_VERDICT_PASS;
}

/* A tap looks and never changes a verdict, not even by an overrun. */
static void run_taps(struct weir_worker *worker, struct weir_skb_ctx *ctx,
		     const struct weir_attach_queue *chain)
{
	for (uint16_t k = 0; k < chain->count[WEIR_HOOK_TAP]; k++) {
		const struct weir_attach_entry *e = &chain->chain[WEIR_HOOK_TAP][k];

		skb_run(worker, ctx, e, true);
		weir_run_cause(worker, e);
	}
}

enum weir_verdict weir_skb_judge(struct weir_worker *worker, struct weir_port *port, uint16_t queue,
				 const struct weir_attach_queue *chain, struct rte_mbuf **pkt,
				 struct weir_judged *judged)
{
	enum weir_verdict verdict;
	struct weir_skb_ctx ctx;

	ctx_init(&ctx, port, queue, *pkt);
	verdict = run_tc(worker, &ctx, chain, judged);
	weir_skb_tag_to_data(&ctx);
	if (verdict == WEIR_VERDICT_PASS)
		run_taps(worker, &ctx, chain);
	weir_pkt_to_mbuf(&ctx.pkt, *pkt);
	return verdict;
}
