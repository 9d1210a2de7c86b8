/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tc program: direct packet access, bpf_skb_load_bytes for the same bytes, and skb fields read
 * and written. Everything it saw of the skb goes into `seen`.
 */
#include "net.h"
#include <linux/pkt_cls.h>

struct seen {
	__u32 len;
	__u32 protocol;
	__u32 vlan_present;
	__u32 mark;
	__u32 priority;
	__u32 cb0;
	__u32 mismatches;
	__u32 short_loads;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct seen);
} last_seen SEC(".maps");

SEC("tc")
int tc_classifier(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct ethhdr copy;
	struct iphdr *ip;
	struct seen *seen;
	__u32 zero = 0;

	seen = bpf_map_lookup_elem(&last_seen, &zero);
	if (!seen || (void *)(eth + 1) > end)
		return TC_ACT_SHOT;
	seen->len = skb->len;
	seen->protocol = skb->protocol;
	seen->vlan_present = skb->vlan_present;
	seen->mark = skb->mark;
	seen->priority = skb->priority;
	seen->cb0 = skb->cb[0];

	if (bpf_skb_load_bytes(skb, 0, &copy, sizeof(copy)))
		return TC_ACT_SHOT;
	if (__builtin_memcmp(&copy, eth, sizeof(copy)))
		seen->mismatches++;
	if (bpf_skb_load_bytes(skb, skb->len - 1, &copy, sizeof(copy)))
		seen->short_loads++;

	skb->mark = skb->len ^ 0x5a;
	skb->cb[0] = skb->protocol;
	skb->tc_index = 7;

	ip = (void *)(eth + 1);
	if (eth->h_proto != bpf_htons(ETH_P_IP) || (void *)(ip + 1) > end)
		return TC_ACT_OK;
	if (ip->ttl <= 1)
		return TC_ACT_SHOT;
	ip->tos |= 0x20;
	skb->priority = ip->tos >> 5;
	return ip->protocol == IPPROTO_ICMP ? TC_ACT_UNSPEC : TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
