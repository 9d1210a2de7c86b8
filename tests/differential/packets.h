/* SPDX-License-Identifier: BSD-3-Clause */
/* The packets of a capture file, all in memory. */
#ifndef WEIR_TESTS_DIFFERENTIAL_PACKETS_H
#define WEIR_TESTS_DIFFERENTIAL_PACKETS_H

#include <stdint.h>

struct packet {
	const uint8_t *bytes;
	uint32_t len;
	uint64_t ns; /* when it was captured */
};

struct packets {
	uint8_t *file; /* owns */
	struct packet *v;
	uint32_t count;
};

/*
 * Reads pcap files of this machine's byte order with Ethernet frames; what follows a broken record
 * is left out. 0, or -EINVAL (another format), -ENOENT, -ENOMEM.
 */
int packets_read(const char *path, struct packets *out);
void packets_clear(struct packets *packets);

#endif
