/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Layer-4 load balancing's last step: an IPv4 packet to a virtual address is wrapped in a second
 * IPv4 header and sent to the real server. The 20 bytes fit the headroom of every driver.
 *
 * `vips` maps the virtual address (network order) to its tunnel.
 */
#include "net.h"

#define OUTER_TTL 64

struct tunnel {
	__be32 source;
	__be32 destination;
	__u8 next_hop[ETH_ALEN];
	__u8 pad[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __be32);
	__type(value, struct tunnel);
} vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter);
} encapsulated SEC(".maps");

static __always_inline __u16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void fill_outer(struct iphdr *outer, const struct tunnel *tunnel,
				       __u16 inner_bytes)
{
	*outer = (struct iphdr){
		.version = 4,
		.ihl = sizeof(*outer) / 4,
		.tot_len = bpf_htons(inner_bytes + sizeof(*outer)),
		.ttl = OUTER_TTL,
		.protocol = IPPROTO_IPIP,
		.saddr = tunnel->source,
		.daddr = tunnel->destination,
	};
	outer->check = csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)outer, sizeof(*outer), 0));
}

static __always_inline void count(__u64 bytes)
{
	__u32 zero = 0;
	struct counter *counter = bpf_map_lookup_elem(&encapsulated, &zero);

	if (counter) {
		counter->packets++;
		counter->bytes += bytes;
	}
}

SEC("xdp")
int ipip_encap(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct ethhdr old_eth;
	struct tunnel *tunnel;
	__u16 inner_bytes;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	tunnel = bpf_map_lookup_elem(&vips, &ip->daddr);
	if (!tunnel)
		return XDP_PASS;
	inner_bytes = bpf_ntohs(ip->tot_len);
	old_eth = *eth;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*ip)))
		return XDP_DROP;
	/* Growing the packet invalidates every pointer into it. */
	end = (void *)(long)ctx->data_end;
	eth = (void *)(long)ctx->data;
	ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end)
		return XDP_ABORTED;

	__builtin_memcpy(eth->h_source, old_eth.h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, tunnel->next_hop, ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IP);
	fill_outer(ip, tunnel, inner_bytes);
	count(ctx->data_end - ctx->data);
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
