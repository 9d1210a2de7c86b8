/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Verified without bpf_loop, and slow all the same: 33 tail calls of itself, each with some
 * 30,000 loop rounds. For tests of the run budget.
 */
#include "net.h"

int slow_calls(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} self SEC(".maps") = {
	.values = {[0] = &slow_calls},
};

volatile __u64 rounds_done;

SEC("xdp")
int slow_calls(struct xdp_md *ctx)
{
	for (int i = 0; i < 30000; i++)
		rounds_done++;
	bpf_tail_call(ctx, &self, 0);
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
