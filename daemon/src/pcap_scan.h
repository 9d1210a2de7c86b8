/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many records a capture holds and how long the longest is. DPDK's driver shows no end of file,
 * so the daemon has to know it beforehand. Reads classic pcap of both byte orders and resolutions.
 */
#ifndef WEIR_DAEMON_PCAP_SCAN_H
#define WEIR_DAEMON_PCAP_SCAN_H

#include <stdint.h>

#include "weir/base/diag.h"

struct weir_pcap_scan {
	uint64_t records;
	uint32_t longest_bytes; /* captured */
};

/*
 * 0; -EINVAL: not a classic Ethernet capture, a length beyond 262,144 bytes, or cut off within a
 * record (the text says where); or what open(2) and read(2) said.
 */
int weir_pcap_scan(const char *path, struct weir_diag *diag, struct weir_pcap_scan *out);

#endif
