/* SPDX-License-Identifier: BSD-3-Clause */
/* Keeps a value over a call. Offence: r3 is used after the call destroyed it. */
#include "common.h"

SEC("xdp")
int clobbered_reg(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 out;

	asm volatile("r6 = 5; r3 = 7; call 5; %0 = " PICK("r6", "r3")
		     : "=r"(out)
		     :
		     : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "memory");
	return out + (end > data);
}

LICENSE_DUAL;
