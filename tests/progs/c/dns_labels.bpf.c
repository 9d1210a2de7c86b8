/* SPDX-License-Identifier: BSD-3-Clause */
/* Walks the labels of a DNS name. Offence: the loop has no bound. */
#include "common.h"

SEC("xdp")
int dns_labels(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u8 *at = data + 54;
	__u32 labels = 0;

	for (int i = 0; PICK(i < 16, 1); i++) {
		if ((void *)(at + 1) > end PICK(, &&labels == ~0U))
			break;
		PICK(if (*at == 0 || *at > 63) break; at += *at + 1, (void)0);
		labels++;
		asm volatile("" : "+r"(labels));
	}
	return labels > 5 ? XDP_DROP : XDP_PASS;
}

LICENSE_DUAL;
