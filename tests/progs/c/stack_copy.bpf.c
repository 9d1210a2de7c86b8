/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the last word of the 512-byte stack. Offence: writes the word below it. */
#include "common.h"

SEC("xdp")
int stack_copy(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 out;

	asm volatile("*(u64 *)(r10 - " PICK("512", "520") ") = %1; %0 = *(u64 *)(r10 - " PICK(
			     "512", "520") ")"
		     : "=r"(out)
		     : "r"(end - data)
		     : "memory");
	return out & 1;
}

LICENSE_DUAL;
