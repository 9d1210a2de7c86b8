/* SPDX-License-Identifier: BSD-3-Clause */
/* Spreads packets over four queues. Offence: a divisor of constant zero. */
#include "common.h"

SEC("xdp")
int division(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 out = end - data;

	asm volatile("%0 %%= " PICK("4", "0") : "+r"(out));
	return out;
}

LICENSE_DUAL;
