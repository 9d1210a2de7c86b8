/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Removes the outer VLAN tag: the MAC addresses move four bytes towards the payload, then the
 * packet's start moves behind them. `vlan_packets` counts by VLAN id.
 */
#include "net.h"

#define VLAN_ID_MASK  0x0fff
#define VLAN_ID_COUNT 4096

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VLAN_ID_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} vlan_packets SEC(".maps");

SEC("xdp")
int vlan_strip(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	__u8 addresses[2 * ETH_ALEN];
	struct vlan_tag *tag;
	__u64 *packets;
	__u32 id;

	if ((void *)(eth + 1) > end || !is_vlan(eth->h_proto))
		return XDP_PASS;
	tag = (void *)(eth + 1);
	if ((void *)(tag + 1) > end)
		return XDP_DROP;

	id = bpf_ntohs(tag->tci) & VLAN_ID_MASK;
	packets = bpf_map_lookup_elem(&vlan_packets, &id);
	if (packets)
		(*packets)++;

	/* Source and destination overlap: through the stack. The tag's ethertype is in place. */
	__builtin_memcpy(addresses, eth, sizeof(addresses));
	__builtin_memcpy((void *)eth + sizeof(*tag), addresses, sizeof(addresses));
	if (bpf_xdp_adjust_head(ctx, sizeof(*tag)))
		return XDP_ABORTED;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
