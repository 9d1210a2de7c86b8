/* SPDX-License-Identifier: BSD-3-Clause */
/* Every readable field of struct xdp_md that the test set uses, summed into a map. */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} fields SEC(".maps");

static __always_inline void store(__u32 slot, __u64 value)
{
	bpf_map_update_elem(&fields, &slot, &value, BPF_ANY);
}

SEC("xdp")
int context_fields(struct xdp_md *ctx)
{
	store(0, ctx->data_end - ctx->data);
	store(1, ctx->data - ctx->data_meta);
	store(2, ctx->ingress_ifindex);
	store(3, ctx->rx_queue_index);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
