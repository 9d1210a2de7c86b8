/* SPDX-License-Identifier: BSD-3-Clause */
/* Sends every unicast frame back where it came from, with the MAC addresses swapped. */
#include "net.h"

#define MAC_GROUP_BIT 1

SEC("xdp")
int macswap_tx(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	__u8 source[ETH_ALEN];

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	/* A group address must not become a source address. */
	if (eth->h_dest[0] & MAC_GROUP_BIT)
		return XDP_PASS;

	__builtin_memcpy(source, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, source, ETH_ALEN);
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
