/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>

#include "trace.h"
#include "weir_test.h"

static struct weir_trace_ring ring;

static void trace__lines_in_order(void **state)
{
	char line[WEIR_TRACE_LINE_MAX + 1];

	memset(&ring, 0, sizeof(ring));
	assert_int_equal(weir_trace_ring_get(&ring, line), -ENOENT);
	weir_trace_ring_put(&ring, "one", 3);
	weir_trace_ring_put(&ring, "", 0);
	weir_trace_ring_put(&ring, "three", 5);
	assert_int_equal(weir_trace_ring_get(&ring, line), 3);
	assert_string_equal(line, "one");
	assert_int_equal(weir_trace_ring_get(&ring, line), 0);
	assert_int_equal(weir_trace_ring_get(&ring, line), 5);
	assert_string_equal(line, "three");
	assert_int_equal(weir_trace_ring_get(&ring, line), -ENOENT);
}

static void trace__full_drops_and_counts(void **state)
{
	char line[WEIR_TRACE_LINE_MAX + 1], long_line[2000];
	int lines = 0;

	memset(&ring, 0, sizeof(ring));
	memset(long_line, 'x', sizeof(long_line));
	for (int i = 0; i < 100; i++)
		weir_trace_ring_put(&ring, long_line, sizeof(long_line));
	while (weir_trace_ring_get(&ring, line) == WEIR_TRACE_LINE_MAX)
		lines++;
	assert_int_equal(lines, WEIR_TRACE_RING_BYTES / (WEIR_TRACE_LINE_MAX + 2));
	assert_int_equal(ring.dropped, 100 - lines);
}

/* The indices pass 2^32 and the ring's end without losing a byte. */
static void trace__wraps(void **state)
{
	char line[WEIR_TRACE_LINE_MAX + 1];

	memset(&ring, 0, sizeof(ring));
	ring.head = ring.tail = UINT32_MAX - 5;
	for (int i = 0; i < 5000; i++) {
		char text[32];
		int n = snprintf(text, sizeof(text), "line %d", i);

		weir_trace_ring_put(&ring, text, (size_t)n);
		assert_int_equal(weir_trace_ring_get(&ring, line), n);
		assert_string_equal(line, text);
	}
	assert_int_equal(ring.dropped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trace__lines_in_order),
		cmocka_unit_test(trace__full_drops_and_counts),
		cmocka_unit_test(trace__wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
