/* SPDX-License-Identifier: BSD-3-Clause */
/* Sends everything out of one port; its index is the program's only constant. */
#include "net.h"

const volatile __u32 target_ifindex = 1;

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
	return bpf_redirect(target_ifindex, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
