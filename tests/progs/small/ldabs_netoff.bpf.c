/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * LD_ABS and LD_IND with every size and with the offsets that start at the network header
 * (SKF_NET_OFF) and at the link layer (SKF_LL_OFF). Returns bits that depend on all of them.
 */
#include "net.h"
#include <linux/filter.h>

unsigned long long load_byte(void *skb, unsigned long long off) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long off) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long off) asm("llvm.bpf.load.word");

SEC("socket")
int ldabs_netoff(struct __sk_buff *skb)
{
	__u32 version = load_byte(skb, SKF_NET_OFF) >> 4;
	__u32 result = load_half(skb, SKF_LL_OFF + 12);

	if (version == 4) {
		result ^= load_word(skb, SKF_NET_OFF + 12);
		result ^= load_half(skb, SKF_NET_OFF + 2);
	} else if (version == 6) {
		__u32 off = 8 + (load_byte(skb, SKF_NET_OFF + 6) & 7);

		result ^= load_word(skb, off);
		result ^= load_byte(skb, off + 1) << 16;
	} else {
		return 0;
	}
	result ^= load_half(skb, skb->len - 2);
	return result;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
