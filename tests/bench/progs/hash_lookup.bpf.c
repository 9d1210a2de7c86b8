/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One look-up by 5-tuple in a hash of 64k flows; unknown flows pass. The low half of the source
 * address is replaced by a running sequence, so that every run asks for another flow, whatever the
 * packet: the kernel's test run has but one packet.
 */
#include "net.h"

struct flow {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	__u32 protocol;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow);
	__type(value, __u64);
} flows SEC(".maps");

__u32 sequence;

SEC("xdp")
int hash_lookup(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	__be16 *ports = (void *)(ip + 1);
	struct flow flow;
	__u64 *packets;

	if ((void *)(ports + 2) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return XDP_PASS;
	/* A full-period generator modulo 2^32; its high bits are the good ones. */
	sequence = sequence * 1664525 + 1013904223;
	flow.saddr = (ip->saddr & bpf_htonl(0xffff0000)) | bpf_htonl(sequence >> 16);
	flow.daddr = ip->daddr;
	flow.sport = ports[0];
	flow.dport = ports[1];
	flow.protocol = ip->protocol;
	packets = bpf_map_lookup_elem(&flows, &flow);
	if (!packets)
		return XDP_PASS;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
