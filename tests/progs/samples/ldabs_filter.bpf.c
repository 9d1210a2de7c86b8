/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A socket filter in the old style: packet bytes are read with LD_ABS and LD_IND, whose offsets
 * count from the start of the frame; a read beyond its end ends the program with 0 (no match).
 *
 * Keeps DNS and HTTP: the first SNAP_BYTES of each match are wanted. `port_packets` counts the
 * matches by port class.
 */
#include "net.h"

#define SNAP_BYTES 256

unsigned long long load_byte(void *skb, unsigned long long off) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long off) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long off) asm("llvm.bpf.load.word");

enum port_class {
	CLASS_NONE,
	CLASS_DNS,
	CLASS_HTTP,
	CLASS_COUNT,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CLASS_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} port_packets SEC(".maps");

static __always_inline __u32 class_of(__u16 port)
{
	switch (port) {
	case 53: return CLASS_DNS;
	case 80:
	case 8080: return CLASS_HTTP;
	default: return CLASS_NONE;
	}
}

/* The frame offset of the transport header, 0 if there are no ports to look at. */
static __always_inline __u64 find_ports(struct __sk_buff *skb)
{
	__u64 ip = ETH_HLEN;
	__u64 ethertype = load_half(skb, offsetof(struct ethhdr, h_proto));
	__u64 protocol, header_bytes;

	if (ethertype == ETH_P_IP) {
		if (load_half(skb, ip + offsetof(struct iphdr, frag_off)) & IP_FRAG_OFFSET_MASK)
			return 0;
		protocol = load_byte(skb, ip + offsetof(struct iphdr, protocol));
		header_bytes = (load_byte(skb, ip) & 0xf) * 4;
	} else if (ethertype == ETH_P_IPV6) {
		protocol = load_byte(skb, ip + offsetof(struct ipv6hdr, nexthdr));
		header_bytes = sizeof(struct ipv6hdr);
	} else {
		return 0;
	}
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return 0;
	return ip + header_bytes;
}

SEC("socket")
int ldabs_filter(struct __sk_buff *skb)
{
	__u64 ports_off = find_ports(skb);
	__u64 ports, *packets;
	__u32 class;

	if (!ports_off)
		return 0;
	ports = load_word(skb, ports_off);
	class = class_of(ports & 0xffff);
	if (class == CLASS_NONE)
		class = class_of(ports >> 16);
	packets = bpf_map_lookup_elem(&port_packets, &class);
	if (packets)
		__sync_fetch_and_add(packets, 1);
	return class == CLASS_NONE ? 0 : SNAP_BYTES;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
