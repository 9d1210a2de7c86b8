/* SPDX-License-Identifier: BSD-3-Clause */
/* Flows by 5-tuple in a plain hash: look-up, atomic count, insertion, deletion on TCP reset. */
#include "net.h"

struct flow {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	__u8 protocol;
	__u8 pad[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct flow);
	__type(value, __u64);
} flows SEC(".maps");

SEC("xdp")
int count_hash(struct xdp_md *ctx)
{
	struct cursor cur = {(void *)(long)ctx->data, (void *)(long)ctx->data_end};
	struct flow flow = {};
	struct iphdr *ip;
	struct tcphdr *tcp;
	__u64 one = 1, *count;
	int protocol;

	if (parse_ethernet(&cur) != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = cur.pos;
	if ((void *)(ip + 1) > cur.end)
		return XDP_PASS;
	flow.saddr = ip->saddr;
	flow.daddr = ip->daddr;
	protocol = parse_ip(&cur, bpf_htons(ETH_P_IP));
	if (protocol != IPPROTO_TCP)
		return XDP_PASS;
	tcp = cur.pos;
	if ((void *)(tcp + 1) > cur.end)
		return XDP_DROP;
	flow.protocol = protocol;
	flow.sport = tcp->source;
	flow.dport = tcp->dest;
	if (tcp->rst) {
		bpf_map_delete_elem(&flows, &flow);
		return XDP_PASS;
	}
	count = bpf_map_lookup_elem(&flows, &flow);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&flows, &flow, &one, BPF_ANY);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
