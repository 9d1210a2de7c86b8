/* SPDX-License-Identifier: BSD-3-Clause */
/* Static and global functions, called several deep with values, stack and packet pointers. */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} sums SEC(".maps");

static __noinline __u64 mix(__u64 a, __u64 b, __u64 c, __u64 d, __u64 e)
{
	return (a ^ (b << 7)) + (c * 31) - (d >> 3) + (e | 1);
}

static __noinline __u64 sum_words(const __u32 *words, int count)
{
	__u64 sum = 0;

	for (int i = 0; i < count && i < 8; i++)
		sum = mix(sum, words[i], i, sum >> 32, words[i] >> 16);
	return sum;
}

static __noinline int copy_header(struct xdp_md *ctx, __u32 *words)
{
	void *end = (void *)(long)ctx->data_end;
	__u32 *data = (void *)(long)ctx->data;

	if ((void *)(data + 8) > end)
		return -1;
	for (int i = 0; i < 8; i++)
		words[i] = data[i];
	return 8;
}

__noinline int record(__u32 slot, __u64 sum)
{
	__u64 *total = bpf_map_lookup_elem(&sums, &slot);

	if (!total)
		return 1;
	*total += sum;
	return 0;
}

SEC("xdp")
int bpf2bpf(struct xdp_md *ctx)
{
	__u32 words[8] = {};
	int count = copy_header(ctx, words);
	__u64 sum;

	if (count < 0)
		return XDP_DROP;
	sum = sum_words(words, count);
	return record(sum & 7, sum) ? XDP_TX : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
