/* SPDX-License-Identifier: BSD-3-Clause */
/* A map pinned by name: a second object that defines it the same way gets the same map. */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} weir_pinned SEC(".maps");

SEC("xdp")
int pinned_map(struct xdp_md *ctx)
{
	__u32 bytes = ctx->data_end - ctx->data;
	__u64 one = 1, *packets = bpf_map_lookup_elem(&weir_pinned, &bytes);

	if (packets)
		__sync_fetch_and_add(packets, 1);
	else
		bpf_map_update_elem(&weir_pinned, &bytes, &one, BPF_ANY);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
