/* SPDX-License-Identifier: BSD-3-Clause */
/* struct weir_pkt over a chain of mbufs; the backend pointer is the chain's head. Worker threads.
 */
#include <errno.h>
#include <string.h>

#include <rte_mbuf.h>

#include "plane_int.h"
#include "weir/base/bits.h"

static int mbuf_grow_head(struct weir_pkt *pkt, uint32_t bytes)
{
	return -EINVAL; /* room ends with the buffer; see docs/differences.md */
}

static int mbuf_add_segment(struct weir_pkt *pkt, uint32_t bytes)
{
	return -EINVAL;
}

static int mbuf_free_segment(struct weir_pkt *pkt)
{
	struct rte_mbuf *head = pkt->backend, *before = head;

	if (!head->next)
		return -EINVAL;
	while (before->next->next)
		before = before->next;
	pkt->rest_len -= before->next->data_len;
	head->pkt_len -= before->next->data_len;
	head->nb_segs--;
	rte_pktmbuf_free_seg(before->next);
	before->next = NULL;
	return 0;
}

/* Appends the segments to the first one's room, where that is enough. */
static int mbuf_pkt_linearise(struct weir_pkt *pkt)
{
	struct rte_mbuf *head = pkt->backend, *seg;

	if (!pkt->rest_len)
		return 0;
	if (pkt->rest_len > (size_t)(pkt->hard_end - pkt->data_end))
		return -ENOMEM;
	for (seg = head->next; seg; seg = seg->next) {
		memcpy(pkt->data_end, rte_pktmbuf_mtod(seg, void *), seg->data_len);
		pkt->data_end += seg->data_len;
	}
	rte_pktmbuf_free(head->next);
	head->next = NULL;
	head->nb_segs = 1;
	pkt->rest_len = 0;
	weir_pkt_to_mbuf(pkt, head);
	return 0;
}

/* The first segment's bounds are the packet's own (a program may have moved them), the others' are
 * their mbufs'. */
static int mbuf_copy(const struct weir_pkt *pkt, uint32_t off, uint8_t *buf, uint32_t len,
		     bool store)
{
	const struct rte_mbuf *seg = pkt->backend;
	uint32_t seg_len = (uint32_t)(pkt->data_end - pkt->data);
	uint8_t *at = pkt->data;

	if (off > weir_pkt_len(pkt) || len > weir_pkt_len(pkt) - off)
		return -EFAULT;
	while (len) {
		uint32_t n = off < seg_len ? weir_min(len, seg_len - off) : 0;

		if (n && store)
			memcpy(at + off, buf, n);
		else if (n)
			memcpy(buf, at + off, n);
		buf += n;
		len -= n;
		off = off > seg_len ? off - seg_len : 0;
		if (!len)
			break;
		seg = seg->next;
		if (!seg)
			return -EFAULT;
		at = rte_pktmbuf_mtod(seg, uint8_t *);
		seg_len = seg->data_len;
	}
	return 0;
}

static int mbuf_load(const struct weir_pkt *pkt, uint32_t off, void *to, uint32_t len)
{
	return mbuf_copy(pkt, off, to, len, false);
}

static int mbuf_store(struct weir_pkt *pkt, uint32_t off, const void *from, uint32_t len)
{
	return mbuf_copy(pkt, off, (uint8_t *)(uintptr_t)from, len, true);
}

const struct weir_pkt_ops weir_mbuf_pkt_ops = {
	.grow_head = mbuf_grow_head,
	.add_segment = mbuf_add_segment,
	.free_segment = mbuf_free_segment,
	.linearise = mbuf_pkt_linearise,
	.load = mbuf_load,
	.store = mbuf_store,
};

int weir_mbuf_linearise(struct weir_plane *plane, struct rte_mbuf **pkt)
{
	struct rte_mbuf *m = *pkt, *to;
	struct rte_mempool *pool;

	if (m->nb_segs == 1)
		return 0;
	if (m->pkt_len > WEIR_BIG_ROOM_BYTES - RTE_PKTMBUF_HEADROOM)
		return -EMSGSIZE;
	pool = m->pkt_len <= plane->room_bytes ? plane->pool : plane->big_pool;
	to = rte_pktmbuf_alloc(pool);
	if (!to)
		return -ENOMEM;
	for (const struct rte_mbuf *seg = m; seg; seg = seg->next)
		memcpy(rte_pktmbuf_append(to, seg->data_len), rte_pktmbuf_mtod(seg, void *),
		       seg->data_len);
	to->port = m->port;
	to->ol_flags |= m->ol_flags &
			(RTE_MBUF_F_RX_RSS_HASH | RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED);
	to->vlan_tci = m->vlan_tci;
	to->hash = m->hash;
	rte_pktmbuf_free(m);
	*pkt = to;
	return 0;
}
