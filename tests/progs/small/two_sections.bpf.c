/* SPDX-License-Identifier: BSD-3-Clause */
/* Several programs in one object, in sections of their own, sharing one map. */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} calls SEC(".maps");

static __noinline void count(__u32 slot)
{
	__u64 *calls_seen = bpf_map_lookup_elem(&calls, &slot);

	if (calls_seen)
		__sync_fetch_and_add(calls_seen, 1);
}

SEC("xdp")
int first(struct xdp_md *ctx)
{
	count(0);
	return XDP_PASS;
}

SEC("xdp.frags")
int second(struct xdp_md *ctx)
{
	count(1);
	return XDP_DROP;
}

SEC("tc")
int third(struct __sk_buff *skb)
{
	count(skb->len > 100);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
