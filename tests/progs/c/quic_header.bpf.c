/* SPDX-License-Identifier: BSD-3-Clause */
/* Hashes the ends of a QUIC connection id. Offence: the check of its last byte is one short. */
#include "common.h"

#define QUIC_OFF     42 /* behind Ethernet, IPv4 and UDP */
#define LONG_HEADER  0x80
#define MAX_ID_BYTES 20

SEC("xdp")
int quic_header(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u8 *quic = data + QUIC_OFF, *id = quic + 6, *last;
	__u32 bytes;

	if ((void *)(id + 1) > end || !(quic[0] & LONG_HEADER))
		return XDP_PASS;
	bytes = quic[5];
	if (bytes > MAX_ID_BYTES)
		return XDP_DROP;
	last = id + bytes;
	if (PICK((void *)(last + 1), (void *)last) > end)
		return XDP_DROP;
	return (id[0] * 31 + last[0]) & 1 ? XDP_TX : XDP_PASS;
}

LICENSE_DUAL;
