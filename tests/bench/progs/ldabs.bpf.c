/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "ip and tcp port 80 and host 198.51.100.7" as a classic filter reads it: every access by LD_ABS
 * or LD_IND. At tc, where Linux shows the frame from L2; 0 is what the filter returns for no match.
 */
#include "net.h"

#define HOST 0xc6336407 /* 198.51.100.7 */
#define PORT 80
#define IP   ETH_HLEN

unsigned long long load_byte(void *skb, unsigned long long off) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long off) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long off) asm("llvm.bpf.load.word");

SEC("tc")
int ldabs(struct __sk_buff *skb)
{
	__u64 header_bytes;

	if (load_half(skb, offsetof(struct ethhdr, h_proto)) != ETH_P_IP)
		return 0;
	if (load_word(skb, IP + offsetof(struct iphdr, saddr)) != HOST &&
	    load_word(skb, IP + offsetof(struct iphdr, daddr)) != HOST)
		return 0;
	if (load_byte(skb, IP + offsetof(struct iphdr, protocol)) != IPPROTO_TCP)
		return 0;
	if (load_half(skb, IP + offsetof(struct iphdr, frag_off)) & IP_FRAG_OFFSET_MASK)
		return 0;
	header_bytes = (load_byte(skb, IP) & 0xf) * 4;
	if (load_half(skb, IP + header_bytes) == PORT)
		return 1;
	return load_half(skb, IP + header_bytes + 2) == PORT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
