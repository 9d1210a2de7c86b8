/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A parser of one program a layer: each steps over its header, notes in `state` how far it came,
 * and tail-calls the next through `layers`, which libbpf's static initialisation fills.
 *
 * `outcomes` counts where parsing ended; UDP to discard (port 9) is dropped, the rest passes.
 */
#include "net.h"

#define MAX_HEADER_OFF 256
#define DISCARD_PORT   9

enum layer {
	LAYER_IPV4,
	LAYER_IPV6,
	LAYER_TCP,
	LAYER_UDP,
	LAYER_COUNT,
};

enum outcome {
	OUTCOME_NO_IP,
	OUTCOME_NO_TRANSPORT,
	OUTCOME_SHORT,
	OUTCOME_TCP,
	OUTCOME_UDP,
	OUTCOME_LOST, /* a tail call failed */
	OUTCOME_COUNT,
};

struct state {
	__u32 header_off; /* of the layer to parse next */
};

int parse_ipv4(struct xdp_md *ctx);
int parse_ipv6(struct xdp_md *ctx);
int parse_tcp(struct xdp_md *ctx);
int parse_udp(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, LAYER_COUNT);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} layers SEC(".maps") = {
	.values =
		{
			[LAYER_IPV4] = &parse_ipv4,
			[LAYER_IPV6] = &parse_ipv6,
			[LAYER_TCP] = &parse_tcp,
			[LAYER_UDP] = &parse_udp,
		},
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct state);
} state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OUTCOME_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} outcomes SEC(".maps");

static __always_inline int finish(__u32 outcome, int verdict)
{
	__u64 *packets = bpf_map_lookup_elem(&outcomes, &outcome);

	if (packets)
		(*packets)++;
	return verdict;
}

static __always_inline struct state *get_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&state, &zero);
}

/* The header of this layer, NULL unless `bytes` of it are in the packet. */
static __always_inline void *get_header(struct xdp_md *ctx, __u32 bytes)
{
	void *header = (void *)(long)ctx->data;
	struct state *s = get_state();

	if (!s || s->header_off > MAX_HEADER_OFF)
		return NULL;
	header += s->header_off;
	return header + bytes > (void *)(long)ctx->data_end ? NULL : header;
}

static __always_inline int next_transport(struct xdp_md *ctx, __u8 protocol, __u32 header_bytes)
{
	struct state *s = get_state();

	if (!s)
		return finish(OUTCOME_LOST, XDP_ABORTED);
	s->header_off += header_bytes;
	if (protocol == IPPROTO_TCP)
		bpf_tail_call(ctx, &layers, LAYER_TCP);
	else if (protocol == IPPROTO_UDP)
		bpf_tail_call(ctx, &layers, LAYER_UDP);
	else
		return finish(OUTCOME_NO_TRANSPORT, XDP_PASS);
	return finish(OUTCOME_LOST, XDP_ABORTED);
}

SEC("xdp")
int parse_tcp(struct xdp_md *ctx)
{
	if (!get_header(ctx, sizeof(struct tcphdr)))
		return finish(OUTCOME_SHORT, XDP_PASS);
	return finish(OUTCOME_TCP, XDP_PASS);
}

SEC("xdp")
int parse_udp(struct xdp_md *ctx)
{
	struct udphdr *udp = get_header(ctx, sizeof(*udp));

	if (!udp)
		return finish(OUTCOME_SHORT, XDP_PASS);
	return finish(OUTCOME_UDP, udp->dest == bpf_htons(DISCARD_PORT) ? XDP_DROP : XDP_PASS);
}

SEC("xdp")
int parse_ipv4(struct xdp_md *ctx)
{
	struct iphdr *ip = get_header(ctx, sizeof(*ip));

	if (!ip)
		return finish(OUTCOME_SHORT, XDP_PASS);
	if (ip->frag_off & bpf_htons(IP_FRAG_OFFSET_MASK))
		return finish(OUTCOME_NO_TRANSPORT, XDP_PASS);
	return next_transport(ctx, ip->protocol, ip->ihl * 4);
}

SEC("xdp")
int parse_ipv6(struct xdp_md *ctx)
{
	struct ipv6hdr *ip6 = get_header(ctx, sizeof(*ip6));

	if (!ip6)
		return finish(OUTCOME_SHORT, XDP_PASS);
	return next_transport(ctx, ip6->nexthdr, sizeof(*ip6));
}

SEC("xdp")
int tail_call_parser(struct xdp_md *ctx)
{
	void *start = (void *)(long)ctx->data;
	struct cursor cur = {start, (void *)(long)ctx->data_end};
	__be16 ethertype = parse_ethernet(&cur);
	struct state *s = get_state();

	if (!s)
		return finish(OUTCOME_LOST, XDP_ABORTED);
	s->header_off = cur.pos - start;
	if (ethertype == bpf_htons(ETH_P_IP))
		bpf_tail_call(ctx, &layers, LAYER_IPV4);
	else if (ethertype == bpf_htons(ETH_P_IPV6))
		bpf_tail_call(ctx, &layers, LAYER_IPV6);
	else
		return finish(OUTCOME_NO_IP, XDP_PASS);
	return finish(OUTCOME_LOST, XDP_ABORTED);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
