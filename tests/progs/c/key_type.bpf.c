/* SPDX-License-Identifier: BSD-3-Clause */
/* Looks up by a 4-byte key. Offence: the map wants 16 bytes, the stack has four. */
#include "common.h"

struct wide {
	__u32 word[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, PICK(__u32, struct wide));
	__type(value, __u32);
} rules SEC(".maps");

static __always_inline bool look_up(__u32 word)
{
	void *value;

	asm volatile("*(u32 *)(r10 - 4) = %1; r2 = r10; r2 += -4; r1 = %2 ll; call 1; %0 = r0"
		     : "=r"(value)
		     : "r"(word), "i"(&rules)
		     : "r0", "r1", "r2", "r3", "r4", "r5", "memory");
	return value;
}

SEC("xdp")
int key_type(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 2) > end)
		return XDP_PASS;
	return look_up(*(__u32 *)(eth + 1)) ? XDP_DROP : XDP_PASS;
}

LICENSE_DUAL;
