/* SPDX-License-Identifier: BSD-3-Clause */
/* Builds the length and protocol of an IPv4 header from IPv6. Offence: a pointer is used in the
 * arithmetic. */
#include "common.h"

SEC("xdp")
int nat64(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip6 = data + ETH_HLEN;
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64};
	__u64 sum;

	if ((void *)(ip6 + 1) > end || ip6->version != 6)
		return XDP_PASS;
	ip.tot_len = bpf_htons(bpf_ntohs(ip6->payload_len) + 20);
	ip.protocol = ip6->nexthdr == 58 ? 1 : ip6->nexthdr;
	sum = bpf_csum_diff(0, 0, (__be32 *)&ip, sizeof(ip), 0);
	asm volatile(PICK("%0 *= 3", "%1 *= 3") : "+r"(sum), "+r"(ip6));
	return sum & 1 ? XDP_TX : XDP_PASS;
}

LICENSE_DUAL;
