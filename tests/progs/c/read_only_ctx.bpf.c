/* SPDX-License-Identifier: BSD-3-Clause */
/* Marks long packets. Offence: writes skb->len, which is read-only. */
#include "common.h"

SEC("tc")
int read_only_ctx(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		skb->PICK(mark, len) = 7;
	return TC_ACT_OK;
}

LICENSE_DUAL;
