/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP messages by type, IPv4 options included. Offence: no check after the header length. */
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} types SEC(".maps");

SEC("xdp")
int icmp_types(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	__u8 *type;
	__u32 key;
	__u64 *count;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->protocol != IPPROTO_ICMP)
		return XDP_PASS;
	type = (void *)ip + ip->ihl * 4;
	if (PICK((void *)(type + 1) > end, (void *)type > end))
		return XDP_DROP;
	key = *type;
	count = bpf_map_lookup_elem(&types, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
	return XDP_PASS;
}

LICENSE_DUAL;
