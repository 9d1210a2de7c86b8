/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP flows with a state machine, both directions one entry. Offence: the entry is used after a
 * failed look-up of its twin. */
#include "common.h"

enum { SYN_SEEN, SYN_ACK_SEEN, OPEN, CLOSING };

struct flow {
	__be32 low, high;
	__be16 low_port, high_port;
};

struct entry {
	__u32 state;
	__u32 packets;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct flow);
	__type(value, struct entry);
} flows SEC(".maps");

SEC("xdp")
int conntrack(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct flow flow = {};
	struct entry fresh = {.state = SYN_SEEN, .packets = 1}, *entry;
	bool forward;

	if ((void *)(tcp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ihl != 5 || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	forward = ip->saddr < ip->daddr;
	flow.low = forward ? ip->saddr : ip->daddr;
	flow.high = forward ? ip->daddr : ip->saddr;
	flow.low_port = forward ? tcp->source : tcp->dest;
	flow.high_port = forward ? tcp->dest : tcp->source;
	entry = bpf_map_lookup_elem(&flows, &flow);
	if (PICK(!entry, !entry && tcp->syn)) {
		if (!tcp->syn)
			return XDP_DROP;
		bpf_map_update_elem(&flows, &flow, &fresh, BPF_NOEXIST);
		return XDP_PASS;
	}
	entry->packets++;
	switch (entry->state) {
	case SYN_SEEN:
		if (tcp->syn && tcp->ack)
			entry->state = SYN_ACK_SEEN;
		break;
	case SYN_ACK_SEEN:
		if (tcp->ack && !tcp->syn)
			entry->state = OPEN;
		break;
	case OPEN:
		if (tcp->fin || tcp->rst)
			entry->state = CLOSING;
		break;
	default: bpf_map_delete_elem(&flows, &flow);
	}
	return XDP_PASS;
}

LICENSE_DUAL;
