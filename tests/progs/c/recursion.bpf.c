/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls three deep. Offence: the innermost calls the outermost again. */
#include "common.h"

static __noinline int first(__u64 value);
static __noinline int third(__u64 value)
{
	asm volatile("" : "+r"(value));
	return PICK(value >> 2, first(value) + 1);
}

static __noinline int second(__u64 value)
{
	asm volatile("" : "+r"(value));
	return third(value ^ 5) + 1;
}

static __noinline int first(__u64 value)
{
	asm volatile("" : "+r"(value));
	return second(value * 3) + 1;
}

SEC("xdp")
int recursion(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	return first(end - data) & 3;
}

LICENSE_DUAL;
