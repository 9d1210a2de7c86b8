/* SPDX-License-Identifier: BSD-3-Clause */
/* SipHash-2-4 of the first 32 bytes, as a flow hash. Offence: reads a word behind them. */
#include "common.h"

#define ROTL(x, n) ((x) << (n) | (x) >> (64 - (n)))

SEC("xdp")
int siphash(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 v0 = 0x736f6d6570736575ULL, v1 = 0x646f72616e646f6dULL;
	__u64 v2 = 0x6c7967656e657261ULL, v3 = 0x7465646279746573ULL;
	__u64 *words = data;

	if ((void *)(words + 4) > end)
		return XDP_PASS;
	for (int i = 0; i < PICK(4, 5); i++) {
		v3 ^= words[i];
		for (int round = 0; round < 2; round++) {
			v0 += v1;
			v1 = ROTL(v1, 13) ^ v0;
			v0 = ROTL(v0, 32);
			v2 += v3;
			v3 = ROTL(v3, 16) ^ v2;
			v0 += v3;
			v3 = ROTL(v3, 21) ^ v0;
			v2 += v1;
			v1 = ROTL(v1, 17) ^ v2;
			v2 = ROTL(v2, 32);
		}
		v0 ^= words[i];
	}
	return (v0 ^ v1 ^ v2 ^ v3) & 1 ? XDP_TX : XDP_DROP;
}

LICENSE_DUAL;
