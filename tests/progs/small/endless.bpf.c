/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Verified, and yet it would run for hours: bpf_loop nested to 2^20 x 2^20 rounds (the helper
 * allows 2^23 each). For tests of the run budget only; never hand it to a kernel's TEST_RUN.
 */
#include "net.h"

#define ROUNDS (1 << 20)

volatile __u64 rounds_done;

static long inner(__u32 index, void *arg)
{
	rounds_done++;
	return 0;
}

static long outer(__u32 index, void *arg)
{
	bpf_loop(ROUNDS, inner, arg, 0);
	return 0;
}

SEC("xdp")
int endless(struct xdp_md *ctx)
{
	bpf_loop(ROUNDS, outer, NULL, 0);
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
