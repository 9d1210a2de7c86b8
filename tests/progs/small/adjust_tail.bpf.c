/* SPDX-License-Identifier: BSD-3-Clause */
/* Cuts the packet to 64 bytes, then grows it by 16 zeros; too much of either must fail. */
#include "net.h"

#define KEPT_BYTES  64
#define GROWN_BYTES 16

SEC("xdp")
int adjust_tail(struct xdp_md *ctx)
{
	int bytes = ctx->data_end - ctx->data;
	void *end;
	__u8 *data;

	if (!bpf_xdp_adjust_tail(ctx, -(bytes - 13))) /* less than an Ethernet header */
		return XDP_ABORTED;
	if (!bpf_xdp_adjust_tail(ctx, 1 << 20))
		return XDP_ABORTED;
	if (bytes > KEPT_BYTES && bpf_xdp_adjust_tail(ctx, KEPT_BYTES - bytes))
		return XDP_DROP;
	if (bpf_xdp_adjust_tail(ctx, GROWN_BYTES))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + KEPT_BYTES + GROWN_BYTES > (__u8 *)end)
		return XDP_PASS;
	data[KEPT_BYTES + GROWN_BYTES - 1] = data[KEPT_BYTES + GROWN_BYTES - 1] + 0x5a;
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
