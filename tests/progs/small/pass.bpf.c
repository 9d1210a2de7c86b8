/* SPDX-License-Identifier: BSD-3-Clause */
/* Passes everything. */
#include "net.h"

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
