/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drops TCP and UDP packets by destination port.
 *
 * `blocked` is filled at run time; its key is the port in host byte order, so that
 * `weirctl map update blocked 23 …` means telnet. `stats` counts every verdict given.
 */
#include "net.h"

struct rule {
	__u32 action; /* enum xdp_action */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u16);
	__type(value, struct rule);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, XDP_REDIRECT + 1);
	__type(key, __u32);
	__type(value, struct counter);
} stats SEC(".maps");

static __always_inline __u32 judge(struct xdp_md *ctx)
{
	struct cursor cur = {(void *)(long)ctx->data, (void *)(long)ctx->data_end};
	__be16 ethertype = parse_ethernet(&cur);
	int protocol = parse_ip(&cur, ethertype);
	struct rule *rule;
	__be16 *ports;
	__u16 dport;

	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return XDP_PASS;
	/* Both headers begin with source and destination port. */
	ports = cur.pos;
	if ((void *)(ports + 2) > cur.end)
		return XDP_PASS;
	dport = bpf_ntohs(ports[1]);

	rule = bpf_map_lookup_elem(&blocked, &dport);
	return rule ? rule->action : XDP_PASS;
}

SEC("xdp")
int port_blocklist(struct xdp_md *ctx)
{
	__u32 verdict = judge(ctx);
	struct counter *counter;

	if (verdict > XDP_REDIRECT)
		verdict = XDP_ABORTED;
	counter = bpf_map_lookup_elem(&stats, &verdict);
	if (counter) {
		counter->packets++;
		counter->bytes += ctx->data_end - ctx->data;
	}
	return verdict;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
