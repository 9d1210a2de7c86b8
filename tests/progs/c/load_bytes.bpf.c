/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies a header with skb_load_bytes. Offence: asks for more bytes than the buffer has. */
#include "common.h"

SEC("tc")
int load_bytes(struct __sk_buff *skb)
{
	__u8 header[32];

	if (bpf_skb_load_bytes(skb, 0, header, PICK(32, 600)))
		return TC_ACT_OK;
	return header[23] == IPPROTO_UDP ? TC_ACT_SHOT : TC_ACT_OK;
}

LICENSE_DUAL;
