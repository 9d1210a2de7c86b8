/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/pkt.h"

#include <errno.h>
#include <string.h>

void weir_pkt_init_flat(struct weir_pkt *pkt, uint8_t *buf, uint32_t buf_bytes, uint32_t headroom,
			uint32_t len)
{
	*pkt = (struct weir_pkt){
		.data = buf + headroom,
		.data_end = buf + headroom + len,
		.data_meta = buf + headroom,
		.hard_start = buf,
		.hard_end = buf + buf_bytes,
	};
}

int weir_pkt_adjust_head(struct weir_pkt *pkt, int32_t delta)
{
	ptrdiff_t meta = pkt->data - pkt->data_meta;
	ptrdiff_t room = pkt->data_meta - pkt->hard_start;

	if (delta > pkt->data_end - pkt->data - WEIR_PKT_MIN_BYTES)
		return -EINVAL;
	if (-(ptrdiff_t)delta > room) {
		if (!pkt->ops || !pkt->ops->grow_head ||
		    pkt->ops->grow_head(pkt, (uint32_t)(-(int64_t)delta)) ||
		    -(ptrdiff_t)delta > pkt->data_meta - pkt->hard_start)
			return -EINVAL;
	}
	if (meta)
		memmove(pkt->data_meta + delta, pkt->data_meta, (size_t)meta);
	pkt->data_meta += delta;
	pkt->data += delta;
	return 0;
}

int weir_pkt_adjust_meta(struct weir_pkt *pkt, int32_t delta)
{
	ptrdiff_t meta = pkt->data - pkt->data_meta - delta;

	if (delta < pkt->hard_start - pkt->data_meta || meta < 0)
		return -EINVAL;
	if (meta % 4 || meta > WEIR_PKT_META_MAX)
		return -EACCES;
	pkt->data_meta += delta;
	return 0;
}

int weir_pkt_adjust_tail(struct weir_pkt *pkt, int32_t delta)
{
	if (pkt->rest_len && pkt->ops && pkt->ops->adjust_tail)
		return pkt->ops->adjust_tail(pkt, delta);
	if (pkt->rest_len &&
	    (!pkt->ops || !pkt->ops->linearise || pkt->ops->linearise(pkt) || pkt->rest_len))
		return -EINVAL;
	if (delta > pkt->hard_end - pkt->data_end ||
	    pkt->data_end - pkt->data + delta < WEIR_PKT_MIN_BYTES)
		return -EINVAL;
	if (delta > 0)
		memset(pkt->data_end, 0, (size_t)delta);
	pkt->data_end += delta;
	return 0;
}

int weir_pkt_load(const struct weir_pkt *pkt, uint32_t off, void *to, uint32_t len)
{
	uint64_t first = (uint64_t)(pkt->data_end - pkt->data);

	if ((uint64_t)off + len <= first) {
		memcpy(to, pkt->data + off, len);
		return 0;
	}
	if ((uint64_t)off + len > first + pkt->rest_len || !pkt->ops || !pkt->ops->load)
		return -EFAULT;
	return pkt->ops->load(pkt, off, to, len);
}

int weir_pkt_store(struct weir_pkt *pkt, uint32_t off, const void *from, uint32_t len)
{
	uint64_t first = (uint64_t)(pkt->data_end - pkt->data);

	if ((uint64_t)off + len <= first) {
		/* A program may store from the packet into itself. */
		memmove(pkt->data + off, from, len);
		return 0;
	}
	if ((uint64_t)off + len > first + pkt->rest_len || !pkt->ops || !pkt->ops->store)
		return -EFAULT;
	return pkt->ops->store(pkt, off, from, len);
}

int weir_skb_load(const struct weir_skb_ctx *skb, int64_t off, void *to, uint32_t len)
{
	const struct weir_pkt *pkt = &skb->pkt;
	int64_t low = skb->mac_off < 0 ? skb->mac_off : 0;

	if (off < low || off > INT32_MAX)
		return -EFAULT;
	if (off >= 0)
		return weir_pkt_load(pkt, (uint32_t)off, to, len);
	if (off + len > pkt->data_end - pkt->data)
		return -EFAULT;
	memcpy(to, pkt->data + off, len);
	return 0;
}
