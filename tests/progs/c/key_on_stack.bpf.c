/* SPDX-License-Identifier: BSD-3-Clause */
/* A key built on the stack. Offence: part of it is left uninitialised, which
 * Linux allows root. */
#include "common.h"

struct key {
	__u8 mac[ETH_ALEN];
	__be16 proto;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__type(key, struct key);
	__type(value, __u64);
} hosts SEC(".maps");

SEC("xdp")
int key_on_stack(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct key key;
	__u64 one = 1;

	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	__builtin_memcpy(key.mac, eth->h_source, ETH_ALEN);
	PICK(key.proto = eth->h_proto, (void)0);
	asm volatile("" : : "r"(&key) : "memory");
	bpf_map_update_elem(&hosts, &key, &one, BPF_ANY);
	return XDP_PASS;
}

LICENSE_DUAL;
