/* SPDX-License-Identifier: BSD-3-Clause */
/* Every atomic operation with and without its fetched value, in 32 and 64 bits. v3 and newer. */
#include "net.h"

struct cells {
	__u64 add, or, and, xor, xchg, cmpxchg;
	__u32 add32, or32, and32, xor32, xchg32, cmpxchg32;
	__u64 fetched;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cells);
} cells SEC(".maps");

SEC("xdp")
int atomics(struct xdp_md *ctx)
{
	__u64 bytes = ctx->data_end - ctx->data;
	__u32 zero = 0;
	struct cells *c = bpf_map_lookup_elem(&cells, &zero);
	__u64 seen;

	if (!c)
		return XDP_ABORTED;
	seen = __sync_fetch_and_add(&c->add, bytes);
	seen += __sync_fetch_and_or(&c->or, bytes << 32);
	seen ^= __sync_fetch_and_and(&c->and, ~bytes);
	seen += __sync_fetch_and_xor(&c->xor, bytes * 0x0101010101010101ULL);
	seen ^= __sync_lock_test_and_set(&c->xchg, bytes);
	seen += __sync_val_compare_and_swap(&c->cmpxchg, 0, bytes);
	seen ^= __sync_fetch_and_add(&c->add32, bytes);
	seen += __sync_fetch_and_or(&c->or32, bytes);
	seen ^= __sync_fetch_and_and(&c->and32, bytes);
	seen += __sync_fetch_and_xor(&c->xor32, bytes);
	seen ^= __sync_lock_test_and_set(&c->xchg32, bytes);
	seen += __sync_val_compare_and_swap(&c->cmpxchg32, bytes, bytes + 1);
	__sync_fetch_and_add(&c->fetched, seen);
	return seen & 1 ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
