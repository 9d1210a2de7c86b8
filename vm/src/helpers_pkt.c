/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet helpers of XDP and skb programs, written against struct weir_pkt. */
#include <errno.h>
#include <string.h>

#include "helpers.h"
#include "weir/vm/pkt.h"

#define XDP_OFF_MAX 0xffff

static struct weir_xdp_ctx *xdp_of(uint64_t r)
{
	return (struct weir_xdp_ctx *)(uintptr_t)r;
}

static struct weir_skb_ctx *skb_of(uint64_t r)
{
	return (struct weir_skb_ctx *)(uintptr_t)r;
}

WEIR_HELPER_FUNC(weir_hf_xdp_adjust_head)
{
	return (uint64_t)(int64_t)weir_pkt_adjust_head(&xdp_of(r1)->pkt, (int32_t)r2);
}

WEIR_HELPER_FUNC(weir_hf_xdp_adjust_meta)
{
	return (uint64_t)(int64_t)weir_pkt_adjust_meta(&xdp_of(r1)->pkt, (int32_t)r2);
}

WEIR_HELPER_FUNC(weir_hf_xdp_adjust_tail)
{
	return (uint64_t)(int64_t)weir_pkt_adjust_tail(&xdp_of(r1)->pkt, (int32_t)r2);
}

WEIR_HELPER_FUNC(weir_hf_xdp_get_buff_len)
{
	return weir_pkt_len(&xdp_of(r1)->pkt);
}

static int xdp_range_check(const struct weir_pkt *pkt, uint32_t off, uint32_t len)
{
	if (off > XDP_OFF_MAX || len > XDP_OFF_MAX)
		return -EFAULT;
	return off + len > weir_pkt_len(pkt) ? -EINVAL : 0;
}

/*
 * Where a load fails the destination is cleared: the verifier takes it as initialised, and what
 * was there before may be the daemon's.
 */
WEIR_HELPER_FUNC(weir_hf_xdp_load_bytes)
{
	const struct weir_pkt *pkt = &xdp_of(r1)->pkt;
	void *to = (void *)(uintptr_t)r3;
	int err = xdp_range_check(pkt, (uint32_t)r2, (uint32_t)r4);

	if (!err)
		err = weir_pkt_load(pkt, (uint32_t)r2, to, (uint32_t)r4);
	if (err)
		memset(to, 0, (uint32_t)r4);
	return (uint64_t)(int64_t)err;
}

WEIR_HELPER_FUNC(weir_hf_xdp_store_bytes)
{
	struct weir_pkt *pkt = &xdp_of(r1)->pkt;
	int err = xdp_range_check(pkt, (uint32_t)r2, (uint32_t)r4);

	if (!err)
		err = weir_pkt_store(pkt, (uint32_t)r2, (const void *)(uintptr_t)r3, (uint32_t)r4);
	return (uint64_t)(int64_t)err;
}

WEIR_HELPER_FUNC(weir_hf_skb_load_bytes)
{
	void *to = (void *)(uintptr_t)r3;
	uint32_t off = (uint32_t)r2, len = (uint32_t)r4;

	if (off <= INT32_MAX && !weir_pkt_load(&skb_of(r1)->pkt, off, to, len))
		return 0;
	memset(to, 0, len);
	return (uint64_t)-EFAULT;
}

WEIR_HELPER_FUNC(weir_hf_skb_load_bytes_relative)
{
	struct weir_skb_ctx *skb = skb_of(r1);
	void *to = (void *)(uintptr_t)r3;
	uint32_t off = (uint32_t)r2, len = (uint32_t)r4, from = (uint32_t)r5;
	int64_t at;

	if (off <= 0xffff && (from == BPF_HDR_START_MAC || from == BPF_HDR_START_NET)) {
		at = (int64_t)off + (from == BPF_HDR_START_MAC ? skb->mac_off : skb->net_off);
		if (!weir_skb_load(skb, at, to, len))
			return 0;
	}
	memset(to, 0, len);
	return (uint64_t)-EFAULT;
}

WEIR_HELPER_FUNC(weir_hf_skb_store_bytes)
{
	struct weir_skb_ctx *skb = skb_of(r1);
	uint32_t off = (uint32_t)r2;

	if (r5 & ~(uint64_t)(BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH))
		return (uint64_t)-EINVAL;
	if (off > INT32_MAX ||
	    weir_pkt_store(&skb->pkt, off, (const void *)(uintptr_t)r3, (uint32_t)r4))
		return (uint64_t)-EFAULT;
	if (r5 & BPF_F_INVALIDATE_HASH)
		skb->hash = 0;
	return 0;
}

WEIR_HELPER_FUNC(weir_hf_skb_pull_data)
{
	struct weir_pkt *pkt = &skb_of(r1)->pkt;
	uint32_t len = (uint32_t)r2;

	if (len <= (uint32_t)(pkt->data_end - pkt->data))
		return 0;
	if (len > weir_pkt_len(pkt) || !pkt->ops || !pkt->ops->linearise)
		return (uint64_t)-ENOMEM;
	return (uint64_t)(int64_t)pkt->ops->linearise(pkt);
}
