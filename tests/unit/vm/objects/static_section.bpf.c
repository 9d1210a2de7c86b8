/* SPDX-License-Identifier: BSD-3-Clause */
/* Static functions beside the programs that call them, and across sections. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define IN(name) __attribute__((noinline, section(name)))

static volatile int state;

static IN("xdp") int deepest(int a)
{
	state += a;
	return state;
}

static IN("tc") int middle(int a)
{
	return deepest(a * 3) + state;
}

SEC("xdp")
int entry(struct xdp_md *ctx)
{
	return middle(ctx->rx_queue_index);
}

SEC("tc")
int other(struct __sk_buff *skb)
{
	return deepest(skb->mark);
}

char _license[] SEC("license") = "GPL";
