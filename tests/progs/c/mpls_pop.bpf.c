/* SPDX-License-Identifier: BSD-3-Clause */
/* Skips an MPLS label stack. Offence: the label after the last check is read. */
#include "common.h"

SEC("xdp")
int mpls_pop(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	__be32 *label = (void *)(eth + 1);
	__u32 depth = 0;

	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_MPLS_UC))
		return XDP_PASS;
	for (; depth < 8; depth++, label++) {
		if ((void *)(label + 1) > end)
			return XDP_DROP;
		if (*label & bpf_htonl(0x100))
			return label[PICK(0, 1)] & 0xff ? XDP_PASS : XDP_TX;
	}
	return XDP_DROP;
}

LICENSE_DUAL;
