/* SPDX-License-Identifier: BSD-3-Clause */
/* Shrinks the head and reads on. Offence: a packet pointer outlives adjust_head. */
#include "common.h"

SEC("xdp")
int stale_pointer(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	if (bpf_xdp_adjust_head(ctx, 4))
		return XDP_DROP;
	PICK(eth = (void *)(long)ctx->data; end = (void *)(long)ctx->data_end, (void)0);
	if (PICK((void *)(eth + 1) > end, 0))
		return XDP_DROP;
	return eth->h_proto == bpf_htons(ETH_P_IP) ? XDP_PASS : XDP_DROP;
}

LICENSE_DUAL;
