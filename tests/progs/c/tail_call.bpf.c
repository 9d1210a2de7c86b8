/* SPDX-License-Identifier: BSD-3-Clause */
/* Tail-calls by protocol. Offence: the index is given to an array that holds no programs. */
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} numbers SEC(".maps");

SEC("xdp")
int tail_call(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	if (data + 24 > end)
		return XDP_PASS;
	bpf_tail_call(ctx, PICK((void *)&programs, (void *)&numbers), *((__u8 *)data + 23));
	return XDP_ABORTED;
}

LICENSE_DUAL;
