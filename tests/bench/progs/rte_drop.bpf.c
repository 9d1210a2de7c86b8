/* SPDX-License-Identifier: BSD-3-Clause */
/* What testpmd's bpf-load runs on each received packet: a function in .text, 0 drops. */
#include <linux/types.h>

__u64 rte_drop(void *frame)
{
	return 0;
}
