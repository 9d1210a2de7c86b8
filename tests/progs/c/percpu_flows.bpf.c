/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes by source in a per-CPU hash. Offence: the helper gets a map value where it wants a map. */
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 512);
	__type(key, __be32);
	__type(value, __u64);
} sources SEC(".maps");

SEC("xdp")
int percpu_flows(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	__u64 bytes = end - data, *seen;

	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	seen = bpf_map_lookup_elem(&sources, &ip->saddr);
	if (!seen) {
		bpf_map_update_elem(&sources, &ip->saddr, &bytes, BPF_ANY);
		return XDP_PASS;
	}
	*seen += bytes;
	return bpf_map_delete_elem(PICK(&sources, (void *)seen), &ip->daddr) ? XDP_PASS : XDP_DROP;
}

LICENSE_DUAL;
