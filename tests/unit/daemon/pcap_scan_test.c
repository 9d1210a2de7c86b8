/* SPDX-License-Identifier: BSD-3-Clause */
#include <byteswap.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pcap_scan.h"
#include "weir_test.h"

static char path[64];

static int setup(void **state)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/weir-pcap-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	return unlink(path);
}

static uint32_t in_order(uint32_t v, bool swap)
{
	return swap ? bswap_32(v) : v;
}

/* lens: captured lengths, 0 at the end; the last `cut` bytes of the file are left out. */
static void capture(uint32_t magic, uint32_t link, bool swap, const uint32_t *lens, size_t cut)
{
	uint32_t head[6] = {in_order(magic, swap), in_order(4 << 16 | 2, swap), 0, 0,
			    in_order(65535, swap), in_order(link, swap)};
	FILE *f = fopen(path, "w");
	long end;

	fwrite(head, sizeof(head), 1, f);
	for (; *lens; lens++) {
		uint32_t rec[4] = {0, 0, in_order(*lens, swap), in_order(*lens, swap)};
		char *zero = calloc(1, *lens);

		fwrite(rec, sizeof(rec), 1, f);
		fwrite(zero, 1, *lens, f);
		free(zero);
	}
	end = ftell(f) - (long)cut;
	fclose(f);
	assert_int_equal(truncate(path, end), 0);
}

static const uint32_t three[] = {60, 1514, 65535, 0};

static void scan__counts(void **state)
{
	struct weir_pcap_scan scan;

	for (int swap = 0; swap < 2; swap++) {
		capture(swap ? 0xa1b23c4d : 0xa1b2c3d4, 1, swap, three, 0);
		assert_int_equal(weir_pcap_scan(path, NULL, &scan), 0);
		assert_int_equal(scan.records, 3);
		assert_int_equal(scan.longest_bytes, 65535);
	}
	capture(0xa1b2c3d4, 1, false, three + 3, 0);
	assert_int_equal(weir_pcap_scan(path, NULL, &scan), 0);
	assert_int_equal(scan.records, 0);
}

static void scan__cut_anywhere_is_refused(void **state)
{
	const uint32_t one[] = {60, 0};
	struct weir_pcap_scan scan;

	for (size_t cut = 1; cut < 24 + 16 + 60; cut++) {
		capture(0xa1b2c3d4, 1, false, one, cut);
		/* Exactly the header is an empty capture. */
		assert_int_equal(weir_pcap_scan(path, NULL, &scan), cut == 16 + 60 ? 0 : -EINVAL);
	}
}

static void scan__says_what_is_wrong(void **state)
{
	WEIR_DIAG_ON_STACK(diag, 256);
	struct weir_pcap_scan scan;

	capture(0x0a0d0d0a, 1, false, three, 0);
	assert_int_equal(weir_pcap_scan(path, &diag, &scan), -EINVAL);
	assert_non_null(strstr(diag.buf, "pcapng"));
	capture(0xa1b2c3d4, 101, false, three, 0);
	weir_diag_reset(&diag);
	assert_int_equal(weir_pcap_scan(path, &diag, &scan), -EINVAL);
	assert_non_null(strstr(diag.buf, "link type 101"));
	capture(0xa1b2c3d4, 1, false, three, 100);
	weir_diag_reset(&diag);
	assert_int_equal(weir_pcap_scan(path, &diag, &scan), -EINVAL);
	assert_non_null(strstr(diag.buf, "record 3 is cut off: 100 of 65535"));
	assert_int_equal(weir_pcap_scan("/nonexistent/x", NULL, &scan), -ENOENT);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(scan__counts),
		CASE(scan__cut_anywhere_is_refused),
		CASE(scan__says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
