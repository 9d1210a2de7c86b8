/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet sizes by powers of two. Offence: the slot is not bounded. */
#include "common.h"

struct histogram {
	__u64 slots[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct histogram);
} sizes SEC(".maps");

SEC("xdp")
int size_histogram(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 zero = 0, slot = 0;
	struct histogram *h = bpf_map_lookup_elem(&sizes, &zero);

	if (!h)
		return XDP_ABORTED;
	slot = ((__u64)(end - data) >> 6) PICK(&15, &31);
	h->slots[slot]++;
	return XDP_PASS;
}

LICENSE_DUAL;
