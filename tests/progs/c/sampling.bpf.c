/* SPDX-License-Identifier: BSD-3-Clause */
/* Passes one packet in 64 at random and counts it. Offence: the verdict register is never set on
 * one path. */
#include "common.h"

SEC("xdp")
int sampling(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 verdict;

	asm volatile("call 7; r0 &= 63; if r0 != 0 goto +1; %0 = 1;" PICK(
			     "if r0 == 0 goto +1; %0 = 2;", "")
		     : "=r"(verdict)
		     :
		     : "r0", "r1", "r2", "r3", "r4", "r5");
	return verdict + (data > end);
}

LICENSE_DUAL;
