/* SPDX-License-Identifier: BSD-3-Clause */
/* Sends each packet to the port `ports` holds for the last byte of its destination MAC. */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

SEC("xdp")
int redirect_map(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	return bpf_redirect_map(&ports, eth->h_dest[5], XDP_PASS);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
