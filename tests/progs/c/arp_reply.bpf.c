/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers ARP requests in place. Offence: the bounds check is one byte short. */
#include "common.h"

struct arp {
	__be16 hardware, protocol;
	__u8 hardware_bytes, protocol_bytes;
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__be32 sender_ip;
	__u8 target_mac[ETH_ALEN];
	__be32 target_ip;
} __attribute__((packed));

SEC("xdp")
int arp_reply(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct arp *arp = (void *)(eth + 1);
	__u8 mac[ETH_ALEN];
	__be32 ip;

	if (PICK((void *)(arp + 1), (void *)(arp + 1) - 1) > end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_ARP) || arp->operation != bpf_htons(1))
		return XDP_PASS;
	ip = arp->sender_ip;
	__builtin_memcpy(mac, arp->sender_mac, ETH_ALEN);
	arp->sender_ip = arp->target_ip;
	arp->target_ip = ip;
	__builtin_memcpy(arp->sender_mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(arp->target_mac, mac, ETH_ALEN);
	arp->operation = bpf_htons(2);
	return XDP_TX;
}

LICENSE_DUAL;
