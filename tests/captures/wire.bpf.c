/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What lies on the wire between the two hosts of tools/make-captures.sh: VLAN tags put on at
 * egress and taken off at ingress, so that the hosts need no VLAN devices, and (by XDP) a loss of
 * every seventh full-sized frame. Taps see frames behind egress, behind XDP and before ingress.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define CUSTOMER_TCI (3 << 13 | 100) /* priority 3, VLAN 100 */
#define SERVICE_TCI  200
#define LOSS_PERIOD  7
#define FULL_BYTES   1000

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} full_frames SEC(".maps");

SEC("tc/push_vlan")
int push_vlan(struct __sk_buff *skb)
{
	return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), CUSTOMER_TCI) ? TC_ACT_SHOT
									    : TC_ACT_OK;
}

SEC("tc/push_qinq")
int push_qinq(struct __sk_buff *skb)
{
	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), CUSTOMER_TCI))
		return TC_ACT_SHOT;
	return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021AD), SERVICE_TCI) ? TC_ACT_SHOT
									    : TC_ACT_OK;
}

SEC("tc/pop")
int pop(struct __sk_buff *skb)
{
	return bpf_skb_vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc/pop_both")
int pop_both(struct __sk_buff *skb)
{
	if (bpf_skb_vlan_pop(skb) || bpf_skb_vlan_pop(skb))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

SEC("xdp")
int drop_seventh(struct xdp_md *ctx)
{
	__u32 zero = 0, *seen = bpf_map_lookup_elem(&full_frames, &zero);

	if (!seen || ctx->data_end - ctx->data < FULL_BYTES)
		return XDP_PASS;
	return ++*seen % LOSS_PERIOD ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
