/* SPDX-License-Identifier: BSD-3-Clause */
/* parse_drop_all for testpmd's bpf-load: the argument is the frame, of unknown length; 0 drops. */
#include "net.h"

__u64 rte_parse(void *frame)
{
	struct ethhdr *eth = frame;
	struct iphdr *ip = (void *)(eth + 1);
	__be16 *ports = (void *)(ip + 1);

	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return 1;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return 1;
	return ports[1] ? 0 : 1;
}
