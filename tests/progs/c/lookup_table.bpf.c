/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a table in .rodata by a value of the packet. Offence: the index may be negative. */
#include "common.h"

const volatile __u8 table[16] = {2, 2, 1, 2, 3, 2, 1, 1, 2, 2, 2, 3, 1, 2, 1, 2};

SEC("xdp")
int lookup_table(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__s8 *byte = data;
	__s64 index;

	if ((void *)(byte + 1) > end)
		return XDP_PASS;
	index = *byte;
	asm volatile("" : "+r"(index));
	if (index > 15 PICK(|| index < 0, ))
		return XDP_DROP;
	return table[index];
}

LICENSE_DUAL;
