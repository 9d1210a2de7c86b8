/* SPDX-License-Identifier: BSD-3-Clause */
#include "pcap_scan.h"

#include <byteswap.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "weir/base/bits.h"
#include "weir/base/cleanup.h"

#define PCAP_MAGIC_US    0xa1b2c3d4U
#define PCAP_MAGIC_NS    0xa1b23c4dU
#define PCAPNG_MAGIC     0x0a0d0d0aU
#define PCAP_ETHERNET    1U
#define PCAP_RECORD_MAX  262144U
#define PCAP_HEAD_BYTES  24
#define PCAP_RECORD_HEAD 16

static uint32_t word(const uint8_t *p, bool swap)
{
	uint32_t v = weir_load_u32(p);

	return swap ? bswap_32(v) : v;
}

static int head_read(FILE *f, const char *path, struct weir_diag *diag, bool *swap)
{
	uint8_t head[PCAP_HEAD_BYTES];
	uint32_t magic, link;

	if (fread(head, 1, sizeof(head), f) != sizeof(head))
		return weir_fail(diag, -EINVAL, "%s: shorter than a pcap header, expected %d bytes",
				 path, PCAP_HEAD_BYTES);
	magic = weir_load_u32(head);
	if (magic == PCAPNG_MAGIC)
		return weir_fail(diag, -EINVAL, "%s: a pcapng file, expected classic pcap", path);
	*swap = magic != PCAP_MAGIC_US && magic != PCAP_MAGIC_NS;
	magic = word(head, *swap);
	if (magic != PCAP_MAGIC_US && magic != PCAP_MAGIC_NS)
		return weir_fail(diag, -EINVAL, "%s: magic %#x is no pcap file's", path,
				 weir_load_u32(head));
	link = word(head + 20, *swap) & 0x0fffffffU;
	if (link != PCAP_ETHERNET)
		return weir_fail(diag, -EINVAL, "%s: link type %u, expected %u (Ethernet)", path,
				 link, PCAP_ETHERNET);
	return 0;
}

int weir_pcap_scan(const char *path, struct weir_diag *diag, struct weir_pcap_scan *out)
{
	weir_autofclose FILE *f = fopen(path, "re");
	struct weir_pcap_scan scan = {0};
	uint8_t head[PCAP_RECORD_HEAD];
	char skipped[4096];
	bool swap = false;
	size_t n;
	int rc;

	if (!f)
		return weir_fail(diag, -errno, "%s: %s", path, strerror(errno));
	rc = head_read(f, path, diag, &swap);
	if (rc)
		return rc;
	while ((n = fread(head, 1, sizeof(head), f)) == sizeof(head)) {
		uint32_t len = word(head + 8, swap);

		if (len > PCAP_RECORD_MAX)
			return weir_fail(diag, -EINVAL,
					 "%s: record %llu: %u bytes captured, expected at most %u",
					 path, (unsigned long long)scan.records + 1, len,
					 PCAP_RECORD_MAX);
		/* Reading tells a record that is cut off; seeking would not. */
		for (uint32_t left = len; left;) {
			n = fread(skipped, 1, weir_min((size_t)left, sizeof(skipped)), f);
			if (!n)
				return weir_fail(diag, -EINVAL,
						 "%s: record %llu is cut off: %u of %u bytes are "
						 "missing",
						 path, (unsigned long long)scan.records + 1, left,
						 len);
			left -= (uint32_t)n;
		}
		scan.records++;
		scan.longest_bytes = weir_max(scan.longest_bytes, len);
	}
	if (ferror(f))
		return weir_fail(diag, -EIO, "%s: %s", path, strerror(errno));
	if (n)
		return weir_fail(diag, -EINVAL, "%s: %zu bytes behind record %llu, expected %d",
				 path, n, (unsigned long long)scan.records, PCAP_RECORD_HEAD);
	*out = scan;
	return 0;
}
