/* SPDX-License-Identifier: BSD-3-Clause */
/* Puts a VLAN tag on. Offence: the new head is written without a check. */
#include "common.h"

SEC("xdp")
int vlan_push(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data, saved;
	__be16 *tag;

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	saved = *eth;
	if (bpf_xdp_adjust_head(ctx, -4))
		return XDP_DROP;
	eth = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	tag = (void *)(eth + 1);
	if (PICK((void *)(tag + 2), (void *)tag) > end)
		return XDP_ABORTED;
	__builtin_memcpy(eth, &saved, 2 * ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_8021Q);
	tag[0] = bpf_htons(42);
	tag[1] = saved.h_proto;
	return XDP_TX;
}

LICENSE_DUAL;
