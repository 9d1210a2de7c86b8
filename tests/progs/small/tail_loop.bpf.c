/* SPDX-License-Identifier: BSD-3-Clause */
/* Tail-calls itself until the limit of 33 ends it, then returns what it counted. */
#include "net.h"

int tail_loop(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} self SEC(".maps") = {
	.values = {[0] = &tail_loop},
};

volatile __u32 entered;

SEC("xdp")
int tail_loop(struct xdp_md *ctx)
{
	entered++;
	bpf_tail_call(ctx, &self, 1); /* empty: falls through */
	bpf_tail_call(ctx, &self, 0);
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
