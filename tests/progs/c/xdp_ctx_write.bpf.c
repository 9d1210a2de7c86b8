/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the queue. Offence: writes the context, which XDP may not. */
#include "common.h"

SEC("xdp")
int xdp_ctx_write(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	PICK((void)ctx->rx_queue_index, ctx->rx_queue_index = 1);
	return end - data > 100 ? XDP_PASS : XDP_DROP;
}

LICENSE_DUAL;
