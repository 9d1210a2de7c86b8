/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes off an outer IPv4 and GRE header. Offence: the helper gets a packet pointer for its
 * context. */
#include "common.h"

SEC("xdp")
int gre_strip(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data, saved;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) + 4 > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->protocol != IPPROTO_GRE || ip->ihl != 5)
		return XDP_PASS;
	saved = *eth;
	if (bpf_xdp_adjust_head(PICK(ctx, data), sizeof(*ip) + 4))
		return XDP_ABORTED;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	*eth = saved;
	return XDP_PASS;
}

LICENSE_DUAL;
