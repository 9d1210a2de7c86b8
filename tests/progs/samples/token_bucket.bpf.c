/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Limits each source address to `rate_pps` packets a second, with bursts of `burst` packets.
 * Both can be set in the object's .rodata before it is loaded.
 *
 * Tokens are kept in nanoseconds of credit: a packet costs 1e9 / rate_pps of them. Two CPUs may
 * race on one bucket; that lets a few packets more through, and never stalls.
 */
#include "net.h"

#define NSEC_PER_SEC 1000000000ULL

const volatile __u64 rate_pps = 1000;
const volatile __u64 burst = 32;

struct source {
	__u8 addr[16]; /* IPv4 as ::ffff:a.b.c.d */
};

struct bucket {
	__u64 credit_ns;
	__u64 last_ns;
	__u64 passed;
	__u64 dropped;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct source);
	__type(value, struct bucket);
} buckets SEC(".maps");

static __always_inline bool find_source(struct xdp_md *ctx, struct source *source)
{
	struct cursor cur = {(void *)(long)ctx->data, (void *)(long)ctx->data_end};
	__be16 ethertype = parse_ethernet(&cur);

	if (ethertype == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = cur.pos;

		if ((void *)(ip + 1) > cur.end)
			return false;
		source->addr[10] = source->addr[11] = 0xff;
		__builtin_memcpy(&source->addr[12], &ip->saddr, 4);
		return true;
	}
	if (ethertype == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip6 = cur.pos;

		if ((void *)(ip6 + 1) > cur.end)
			return false;
		__builtin_memcpy(source->addr, &ip6->saddr, 16);
		return true;
	}
	return false;
}

static __always_inline bool take_token(struct bucket *bucket, __u64 now_ns)
{
	__u64 cost_ns = NSEC_PER_SEC / rate_pps;
	__u64 limit_ns = cost_ns * burst;
	__u64 credit_ns = bucket->credit_ns + (now_ns - bucket->last_ns);

	if (credit_ns > limit_ns)
		credit_ns = limit_ns;
	bucket->last_ns = now_ns;
	if (credit_ns < cost_ns) {
		bucket->credit_ns = credit_ns;
		return false;
	}
	bucket->credit_ns = credit_ns - cost_ns;
	return true;
}

SEC("xdp")
int token_bucket(struct xdp_md *ctx)
{
	__u64 now_ns = bpf_ktime_get_ns();
	struct source source = {};
	struct bucket *bucket;

	if (!find_source(ctx, &source))
		return XDP_PASS;
	bucket = bpf_map_lookup_elem(&buckets, &source);
	if (!bucket) {
		/* The first packet fills the bucket and takes one token. A full table limits
		 * nobody. */
		struct bucket fresh = {
			.credit_ns = NSEC_PER_SEC / rate_pps * (burst - 1),
			.last_ns = now_ns,
			.passed = 1,
		};

		bpf_map_update_elem(&buckets, &source, &fresh, BPF_NOEXIST);
		return XDP_PASS;
	}
	if (!take_token(bucket, now_ns)) {
		__sync_fetch_and_add(&bucket->dropped, 1);
		return XDP_DROP;
	}
	__sync_fetch_and_add(&bucket->passed, 1);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
