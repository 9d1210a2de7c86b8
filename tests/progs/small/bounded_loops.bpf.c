/* SPDX-License-Identifier: BSD-3-Clause */
/* Loops with bounds: constant, from the packet, nested, with an early way out. */
#include "net.h"

#define MAX_WORDS 370

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} results SEC(".maps");

static __always_inline void store(__u32 slot, __u64 value)
{
	bpf_map_update_elem(&results, &slot, &value, BPF_ANY);
}

static __always_inline __u64 checksum(void *data, void *end)
{
	__u32 *word = data;
	__u64 sum = 0;

	for (int i = 0; i < MAX_WORDS; i++, word++) {
		if ((void *)(word + 1) > end)
			break;
		sum += *word;
	}
	return sum;
}

static __always_inline __u64 triangle(__u32 side)
{
	__u64 cells = 0;

	for (__u32 row = 0; row < (side & 7); row++)
		for (__u32 column = 0; column <= row; column++)
			cells += row ^ column;
	return cells;
}

SEC("xdp")
int bounded_loops(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u8 *byte = data;
	__u32 zeros = 0;

	store(0, checksum(data, end));
	store(1, triangle(end - data));
	for (int i = 0; i < 64 && (void *)(byte + 1) <= end; i++, byte++)
		zeros +=
			(*byte - 1U) >> 31; /* 1 for a zero byte: a branch would double the paths */
	store(2, zeros);
	return zeros > 20 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
