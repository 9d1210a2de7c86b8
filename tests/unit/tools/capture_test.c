/* SPDX-License-Identifier: BSD-3-Clause */
#include "capture.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../weir_test.h"

static void capture__nanoseconds_come_back(void **state)
{
	static const uint64_t times[] = {1700000000123456789U, 1700000000123456790U, 5};
	char path[] = "/tmp/weir-capture-XXXXXX", text[256];
	struct capture_out out;
	struct weir_diag diag;
	struct capture in;
	struct frame frame;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	weir_diag_init(&diag, text, sizeof(text));
	assert_int_equal(capture_out_open(path, &diag, &out), 0);
	for (uint8_t i = 0; i < 3; i++)
		capture_out_write(&out, times[i], &i, 1);
	assert_int_equal(capture_out_finish(&out, &diag), 0);
	capture_out_close(&out);

	assert_int_equal(capture_open(path, &diag, &in), 0);
	for (uint8_t i = 0; i < 3; i++) {
		assert_int_equal(capture_next(&in, &diag, &frame), 1);
		assert_int_equal(frame.abs_ns, times[i]);
		assert_int_equal(frame.len, 1);
		assert_int_equal(frame.bytes[0], i);
		/* time never goes back */
		assert_int_equal(frame.rel_ns, i ? 1 : 0);
	}
	assert_int_equal(capture_next(&in, &diag, &frame), 0);
	capture_close(&in);
	unlink(path);
}

static void capture__what_is_no_capture(void **state)
{
	static const char *const paths[] = {"/dev/null", "/", "/nonexistent/x.pcap"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char text[256];
		struct weir_diag diag;
		struct capture in;

		weir_diag_init(&diag, text, sizeof(text));
		assert_int_equal(capture_open(paths[i], &diag, &in), -EINVAL);
		assert_non_null(strstr(text, paths[i]));
	}
}

static void capture_filter_compile__expressions(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = {
		{"tcp port 80", true},    {"tcp prt 80", false}, {"", true},
		{"vlan 5 and ip6", true}, {"port 99999", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[512] = "";
		struct weir_diag diag;
		uint32_t count = 0;
		void *insns = NULL;
		int err;

		weir_diag_init(&diag, text, sizeof(text));
		err = capture_filter_compile(rows[i].text, &diag, &insns, &count);
		assert_int_equal(err, rows[i].ok ? 0 : -EINVAL);
		assert_int_equal(count > 0, rows[i].ok);
		assert_int_equal(*text != 0, !rows[i].ok);
		free(insns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capture__nanoseconds_come_back),
		cmocka_unit_test(capture__what_is_no_capture),
		cmocka_unit_test(capture_filter_compile__expressions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
