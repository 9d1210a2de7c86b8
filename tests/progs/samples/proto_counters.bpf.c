/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counts packets and bytes by network layer (an array) and by IP protocol number (a hash, whose
 * entries appear with the first packet of a protocol). Both are per CPU: no atomics are needed.
 */
#include "net.h"

enum family {
	FAMILY_OTHER,
	FAMILY_IPV4,
	FAMILY_IPV6,
	FAMILY_ARP,
	FAMILY_COUNT,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FAMILY_COUNT);
	__type(key, __u32);
	__type(value, struct counter);
} by_family SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct counter);
} by_protocol SEC(".maps");

static __always_inline void count(struct counter *counter, __u64 bytes)
{
	counter->packets++;
	counter->bytes += bytes;
}

static __always_inline void count_protocol(__u32 protocol, __u64 bytes)
{
	struct counter first = {.packets = 1, .bytes = bytes};
	struct counter *counter = bpf_map_lookup_elem(&by_protocol, &protocol);

	if (counter)
		count(counter, bytes);
	else
		bpf_map_update_elem(&by_protocol, &protocol, &first, BPF_NOEXIST);
}

static __always_inline __u32 family_of(__be16 ethertype)
{
	switch (ethertype) {
	case bpf_htons(ETH_P_IP): return FAMILY_IPV4;
	case bpf_htons(ETH_P_IPV6): return FAMILY_IPV6;
	case bpf_htons(ETH_P_ARP): return FAMILY_ARP;
	default: return FAMILY_OTHER;
	}
}

SEC("xdp")
int proto_counters(struct xdp_md *ctx)
{
	struct cursor cur = {(void *)(long)ctx->data, (void *)(long)ctx->data_end};
	__u64 bytes = ctx->data_end - ctx->data;
	__be16 ethertype = parse_ethernet(&cur);
	__u32 family = family_of(ethertype);
	struct counter *counter = bpf_map_lookup_elem(&by_family, &family);
	int protocol;

	if (counter)
		count(counter, bytes);
	protocol = parse_ip(&cur, ethertype);
	if (protocol >= 0)
		count_protocol(protocol, bytes);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
