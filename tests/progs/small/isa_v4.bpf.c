/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What cpu v4 adds, written out in assembly: sign-extending moves and loads, signed division and
 * modulo, byte swap, and the long jump. Only built for v4.
 */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 12);
	__type(key, __u32);
	__type(value, __u64);
} results SEC(".maps");

static __always_inline void store(__u32 slot, __u64 value)
{
	bpf_map_update_elem(&results, &slot, &value, BPF_ANY);
}

static __always_inline void store_moves(__u64 in)
{
	__u64 out;

	asm volatile("%0 = (s8)%1" : "=r"(out) : "r"(in));
	store(0, out);
	asm volatile("%0 = (s16)%1" : "=r"(out) : "r"(in));
	store(1, out);
	asm volatile("%0 = (s32)%1" : "=r"(out) : "r"(in));
	store(2, out);
	asm volatile("r1 = %1; w0 = (s8)w1; %0 = r0" : "=r"(out) : "r"(in) : "r0", "r1");
	store(3, out);
}

static __always_inline void store_arithmetic(__u64 in)
{
	__u64 out = in;

	asm volatile("%0 = bswap16 %0" : "+r"(out));
	store(4, out);
	out = in;
	asm volatile("%0 = bswap32 %0" : "+r"(out));
	store(5, out);
	out = in;
	asm volatile("%0 = bswap64 %0" : "+r"(out));
	store(6, out);
	out = in;
	asm volatile("%0 s/= -7" : "+r"(out));
	store(7, out);
	out = in;
	asm volatile("%0 s%%= 1000" : "+r"(out));
	store(8, out);
	out = in;
	asm volatile("%0 s/= %1" : "+r"(out) : "r"(out >> 32));
	store(9, out);
}

SEC("xdp")
int isa_v4(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	__s8 *data = (void *)(long)ctx->data;
	__u64 in = 0;

	if ((void *)(data + 16) > end)
		return XDP_PASS;
	for (int i = 0; i < 8; i++)
		in = in << 8 | (__u8)data[6 + i];
	store_moves(in);
	store_arithmetic(in);
	store(10, (__s64)data[6]);
	store(11, (__s64) * (__s16 *)(data + 12));
	asm goto("gotol %l0" : : : : far);
	return XDP_ABORTED;
far:
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
