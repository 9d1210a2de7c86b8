/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts by queue. Offence: the looked-up value is used without a NULL check. */
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} queues SEC(".maps");

SEC("xdp")
int null_check(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 queue = ctx->rx_queue_index;
	__u64 *packets = bpf_map_lookup_elem(&queues, &queue);

	if (PICK(packets, data))
		*packets += end - data;
	return XDP_PASS;
}

LICENSE_DUAL;
