/* SPDX-License-Identifier: BSD-3-Clause */
/* Many ports, many verdicts. Offence: a jump out of the program. */
#include "common.h"

SEC("xdp")
int switch_table(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__be16 *ports = data + 34;
	__u64 out = 0;

	if ((void *)(ports + 2) > end)
		return XDP_PASS;
	switch (bpf_ntohs(ports[1])) {
	case 22: out = 3; break;
	case 53: out = 7; break;
	case 80: out = 1; break;
	case 123: out = 9; break;
	case 443: out = 4; break;
	case 8080: out = 2; break;
	default: out = ports[0] & 15;
	}
	asm volatile(PICK("if %0 > 7 goto +1; %0 += 1", "if %0 > 7 goto +3000; %0 += 1")
		     : "+r"(out));
	return out & 3;
}

LICENSE_DUAL;
