/* SPDX-License-Identifier: BSD-3-Clause */
/* Small, so that every truncation and many bit flips can be tried. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#ifdef __BPF_FEATURE_ALU32
#define OLD_STYLE 1
#endif

int calls;

static __attribute__((noinline)) int twice(int a)
{
	calls += a;
	return calls * 2;
}

#ifndef OLD_STYLE
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} cells SEC(".maps");
#endif

SEC("xdp")
int tiny(struct xdp_md *ctx)
{
#ifndef OLD_STYLE
	__u32 key = 0;

	bpf_map_lookup_elem(&cells, &key);
#endif
	return twice(ctx->rx_queue_index);
}

char _license[] SEC("license") = "GPL";
