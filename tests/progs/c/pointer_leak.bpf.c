/* SPDX-License-Identifier: BSD-3-Clause */
/* Stores a packet length in a map. Offence: stores the packet pointer itself,
 * which Linux allows root. */
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} cells SEC(".maps");

SEC("xdp")
int pointer_leak(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 zero = 0;
	__u64 *cell = bpf_map_lookup_elem(&cells, &zero);

	if (cell)
		*cell = PICK(end - data, (__u64)data);
	return XDP_PASS;
}

LICENSE_DUAL;
