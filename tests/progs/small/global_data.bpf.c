/* SPDX-License-Identifier: BSD-3-Clause */
/* Every kind of global data: .rodata, .data and .bss, and custom sections of the first two. */
#include "net.h"

struct limits {
	__u32 min_bytes;
	__u32 max_bytes;
};

const volatile __u32 threshold = 100;
const volatile struct limits limits SEC(".rodata.limits") = {.min_bytes = 60, .max_bytes = 1514};
const volatile __u8 verdicts[4] SEC(".rodata.verdicts") = {XDP_PASS, XDP_DROP, XDP_TX, XDP_PASS};

volatile __u64 seed = 0x9e3779b97f4a7c15ULL;
volatile __u32 steps SEC(".data.steps") = 3;
volatile __u64 packets;
volatile __u64 long_packets;
volatile __u32 histogram[16];
static volatile __u16 last_proto;

/* Not inlined into a table of jumps: the name's bytes come from .rodata.str. */
static __noinline __u32 name_hash(__u32 which)
{
	static const char names[4][8] = {"alpha", "beta", "gamma", "delta"};
	__u32 hash = 5381;

	for (int i = 0; i < 8; i++)
		hash = hash * 33 + names[which & 3][i];
	return hash;
}

SEC("xdp")
int global_data(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	__u32 bytes = ctx->data_end - ctx->data;

	packets++;
	if ((void *)(eth + 1) > end)
		return XDP_ABORTED;
	last_proto = eth->h_proto;
	if (bytes > threshold)
		long_packets++;
	if (bytes < limits.min_bytes || bytes > limits.max_bytes)
		return XDP_DROP;
	seed = seed * 6364136223846793005ULL + steps + name_hash(bytes);
	steps += last_proto & 3;
	histogram[(bytes >> 6) & 15]++;
	return verdicts[(seed >> 60) & 3];
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
