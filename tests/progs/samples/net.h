/* SPDX-License-Identifier: BSD-3-Clause */
/* What the samples share: header formats and the one parser that several of them need. */
#ifndef SAMPLES_NET_H
#define SAMPLES_NET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* 802.1Q and 802.1ad tags nest at most this deep before the parser gives up. */
#define MAX_VLAN_TAGS 2

#define IP_FRAG_OFFSET_MASK 0x1fff

struct vlan_tag {
	__be16 tci;
	__be16 ethertype; /* of what follows the tag */
};

struct counter {
	__u64 packets;
	__u64 bytes;
};

/* A place in the packet: `pos` is what the parser looks at next. */
struct cursor {
	void *pos;
	void *end;
};

static __always_inline bool is_vlan(__be16 ethertype)
{
	return ethertype == bpf_htons(ETH_P_8021Q) || ethertype == bpf_htons(ETH_P_8021AD);
}

/* Steps over Ethernet and its VLAN tags; the ethertype of the payload, 0 if the frame is short. */
static __always_inline __be16 parse_ethernet(struct cursor *cur)
{
	struct ethhdr *eth = cur->pos;
	struct vlan_tag *tag;
	__be16 ethertype;

	if ((void *)(eth + 1) > cur->end)
		return 0;
	ethertype = eth->h_proto;
	cur->pos = eth + 1;

#pragma unroll
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		if (!is_vlan(ethertype))
			break;
		tag = cur->pos;
		if ((void *)(tag + 1) > cur->end)
			return 0;
		ethertype = tag->ethertype;
		cur->pos = tag + 1;
	}
	return ethertype;
}

/*
 * Steps over an IPv4 or IPv6 header (without IPv6 extension headers). The transport protocol,
 * -1 if there is none to be found: another ethertype, a short header, or a later fragment, which
 * has no ports.
 */
static __always_inline int parse_ip(struct cursor *cur, __be16 ethertype)
{
	if (ethertype == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = cur->pos;

		if ((void *)(ip + 1) > cur->end || ip->ihl < 5)
			return -1;
		if (ip->frag_off & bpf_htons(IP_FRAG_OFFSET_MASK))
			return -1;
		cur->pos += ip->ihl * 4;
		return ip->protocol;
	}
	if (ethertype == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip6 = cur->pos;

		if ((void *)(ip6 + 1) > cur->end)
			return -1;
		cur->pos = ip6 + 1;
		return ip6->nexthdr;
	}
	return -1;
}

#endif
