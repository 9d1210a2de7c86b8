/* SPDX-License-Identifier: BSD-3-Clause */
/* Skips IPv6 extension headers. Offence: the cursor may run past its bound unchecked. */
#include "common.h"

SEC("xdp")
int ipv6_extensions(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	__u8 *ext = (void *)(ip6 + 1);
	__u8 next;

	if ((void *)(ip6 + 1) > end || eth->h_proto != bpf_htons(ETH_P_IPV6))
		return XDP_PASS;
	next = ip6->nexthdr;
	for (int i = 0; i < 6; i++) {
		if (next != 0 && next != 43 && next != 60)
			break;
		if ((void *)(ext + 8) > end)
			return XDP_DROP;
		next = ext[0];
		ext += (ext[1] + 1) * 8;
	}
	if (PICK((void *)(ext + 4) > end, next == 59))
		return XDP_PASS;
	return next == IPPROTO_UDP && ext[3] == 53 ? XDP_DROP : XDP_PASS;
}

LICENSE_DUAL;
