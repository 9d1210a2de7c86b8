/* SPDX-License-Identifier: BSD-3-Clause */
/* Grows the packet at its head by 32 bytes, fills them, then cuts 8 off again. */
#include "net.h"

SEC("xdp")
int adjust_head(struct xdp_md *ctx)
{
	void *end;
	__u32 *data;

	if (!bpf_xdp_adjust_head(ctx, 1 << 20))
		return XDP_ABORTED;
	if (bpf_xdp_adjust_head(ctx, -32))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if ((void *)(data + 8) > end)
		return XDP_ABORTED;
	for (int i = 0; i < 8; i++)
		data[i] = i * 0x01010101;
	if (bpf_xdp_adjust_head(ctx, 8))
		return XDP_DROP;
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
