/* SPDX-License-Identifier: BSD-3-Clause */
/* Spills a packet pointer and its bound. Offence: half of the spill is overwritten. */
#include "common.h"

SEC("xdp")
int spilled_pointer(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 out = 0;

	if (data + 16 > end)
		return XDP_PASS;
	asm volatile(
		"*(u64 *)(r10 - 8) = %1;" PICK(
			"",
			"*(u32 *)(r10 - 8) = %1;") "r1 = *(u64 *)(r10 - 8); %0 = *(u8 *)(r1 + 15)"
		: "=r"(out)
		: "r"(data)
		: "r1", "memory");
	return out & 1;
}

LICENSE_DUAL;
