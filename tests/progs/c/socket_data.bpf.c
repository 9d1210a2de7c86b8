/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads skb fields in a socket filter. Offence: direct packet access, which socket filters lack. */
#include "common.h"

SEC("socket")
int socket_data(struct __sk_buff *skb)
{
	return skb->PICK(len, data) & 0xff;
}

LICENSE_DUAL;
