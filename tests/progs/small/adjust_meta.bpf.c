/* SPDX-License-Identifier: BSD-3-Clause */
/* Puts eight bytes of metadata before the packet, reads them back, takes four away again. */
#include "net.h"

SEC("xdp")
int adjust_meta(struct xdp_md *ctx)
{
	void *data;
	__u32 *meta, kept;

	if (bpf_xdp_adjust_meta(ctx, -8))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 2) > data)
		return XDP_DROP;
	meta[0] = 0x11223344;
	meta[1] = 0xa5a5a5a5;
	if (bpf_xdp_adjust_meta(ctx, 4))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > data)
		return XDP_DROP;
	kept = meta[0]; /* any call may move the packet: meta is void behind it */
	if (bpf_xdp_adjust_meta(ctx, -3) != -22) /* not a multiple of four: EINVAL */
		return XDP_TX;
	return kept == 0xa5a5a5a5 ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
