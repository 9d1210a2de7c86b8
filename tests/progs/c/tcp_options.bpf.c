/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds the MSS option of a SYN in a bounded loop. Offence: an option byte is not checked. */
#include "common.h"

SEC("xdp")
int tcp_options(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	__u8 *opt = (void *)(tcp + 1);

	if ((void *)(tcp + 1) > end || ip->ihl != 5 || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	for (int i = 0; i < 10; i++) {
		if ((void *)(opt + PICK(2, 1)) > end || opt[0] == 0)
			break;
		if (opt[0] == 1) {
			opt++;
			continue;
		}
		if (opt[1] < 2 || opt[1] > 40)
			return XDP_DROP;
		if (opt[0] == 2)
			return opt[1] == 4 ? XDP_TX : XDP_DROP;
		opt += opt[1];
	}
	return XDP_PASS;
}

LICENSE_DUAL;
