/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/base/diag.h"

#include <errno.h>

#include "../weir_test.h"

static void diag_printf__appends(void **state)
{
	WEIR_DIAG_ON_STACK(d, 32);

	weir_diag_printf(&d, "a%d", 1);
	weir_diag_printf(&d, "b%d", 2);
	assert_string_equal(d.buf, "a1b2");
	assert_int_equal(d.len_bytes, 4);
	assert_false(weir_diag_truncated(&d));
}

static void diag_printf__counts_what_did_not_fit(void **state)
{
	WEIR_DIAG_ON_STACK(d, 4);

	weir_diag_printf(&d, "abcdef");
	weir_diag_printf(&d, "gh");
	assert_string_equal(d.buf, "abc");
	assert_int_equal(d.needed_bytes, 8);
	assert_true(weir_diag_truncated(&d));
}

static void diag_printf__none_wanted(void **state)
{
	struct weir_diag d;

	weir_diag_init(&d, NULL, 0);
	weir_diag_printf(&d, "abc");
	assert_int_equal(d.needed_bytes, 3);
	assert_int_equal(weir_fail(NULL, -EINVAL, "x"), -EINVAL);
}

static void diag_truncate__back_to_mark(void **state)
{
	WEIR_DIAG_ON_STACK(d, 16);
	size_t mark;

	weir_diag_printf(&d, "abc");
	mark = d.len_bytes;
	weir_diag_printf(&d, "def");
	weir_diag_truncate(&d, mark);
	weir_diag_printf(&d, "X");
	assert_string_equal(d.buf, "abcX");
	assert_int_equal(d.needed_bytes, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(diag_printf__appends),
		cmocka_unit_test(diag_printf__counts_what_did_not_fit),
		cmocka_unit_test(diag_printf__none_wanted),
		cmocka_unit_test(diag_truncate__back_to_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
