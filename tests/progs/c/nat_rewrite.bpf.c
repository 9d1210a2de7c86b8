/* SPDX-License-Identifier: BSD-3-Clause */
/* Rewrites an address with an incremental checksum. Offence: a write one word past the checked
 * header. */
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __be32);
	__type(value, __be32);
} nat SEC(".maps");

SEC("xdp")
int nat_rewrite(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	__be32 *rule;
	__u64 sum;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	rule = bpf_map_lookup_elem(&nat, &ip->daddr);
	if (!rule)
		return XDP_PASS;
	sum = bpf_csum_diff(&ip->daddr, 4, rule, 4, ~ip->check & 0xffff);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~sum;
	(&ip->daddr)[PICK(0, 1)] = *rule;
	return XDP_TX;
}

LICENSE_DUAL;
