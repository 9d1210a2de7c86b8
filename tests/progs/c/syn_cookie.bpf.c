/* SPDX-License-Identifier: BSD-3-Clause */
/* A cookie of addresses and time in the acknowledgement. Offence: shifts by 64. */
#include "common.h"

SEC("xdp")
int syn_cookie(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	struct tcphdr *tcp = (void *)(ip + 1);
	__u64 cookie = bpf_ktime_get_ns() >> 30;

	if ((void *)(tcp + 1) > end || ip->protocol != IPPROTO_TCP || !tcp->syn)
		return XDP_PASS;
	cookie = (cookie ^ ip->saddr) * 0x9e3779b97f4a7c15ULL + tcp->source;
	asm volatile("%0 >>= " PICK("32", "64") : "+r"(cookie));
	tcp->ack_seq = bpf_htonl(bpf_ntohl(tcp->seq) + 1);
	tcp->seq = cookie;
	return XDP_TX;
}

LICENSE_DUAL;
