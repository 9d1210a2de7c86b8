/* SPDX-License-Identifier: BSD-3-Clause */
/* A checked read in a static function. Offence: the caller passes an end it did not load. */
#include "common.h"

static __noinline int byte_at(__u8 *data, void *end)
{
	return (void *)(data + 40) > end ? 0 : data[39];
}

SEC("xdp")
int subprogram(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	return byte_at(data, PICK(end, data + 64)) & 3;
}

LICENSE_DUAL;
