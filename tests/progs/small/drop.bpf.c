/* SPDX-License-Identifier: BSD-3-Clause */
/* Drops everything. */
#include "net.h"

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
