/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_test.h"
#include "weir/base/bits.h"

#include <stdlib.h>

static const char *source_root;
static char *text;

static int print_reference(void **state)
{
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f || weir_config_schema_print(f))
		return -1;
	return fclose(f);
}

static int free_reference(void **state)
{
	free(text);
	return 0;
}

static void reference__sections(void **state)
{
	static const char *const headings[] = {
		"### Top level\n",           "### `log`\n",
		"### `control`\n",           "### `eal`\n",
		"### `workers[]`\n",         "### `idle`\n",
		"### `directories`\n",       "### `limits`\n",
		"### `ports[]`\n",           "### `ports[].pcap`\n",
		"### `ports[].tap`\n",       "### `ports[].pass`\n",
		"### `programs[]`\n",        "### `programs[].attach[]`\n",
		"### `programs[].maps[]`\n",
	};
	const char *at = text;

	for (size_t i = 0; i < sizeof(headings) / sizeof(*headings); i++) {
		at = strstr(at, headings[i]);
		if (!at)
			fail_msg("no %s", headings[i]);
	}
}

static void reference__rows(void **state)
{
	static const char *const rows[] = {
		"\n| `rx-queues` | a whole number from 1 to 64 | `1` | RX queues. A pcap port has "
		"one a "
		"file. | at the next start |\n",
		"\n| `run-budget` | a duration from 10us to 1s with its unit (ns, us, ms, s) | "
		"`1ms` | ",
		"\n| `programs` | a path, or a list of such | `[/etc/weir/programs, "
		"/usr/lib/weir/programs]` | ",
		"\n| `mode` | an octal mode such as 0660 | `0660` | Permission bits of the socket. "
		"| "
		"at the next start |\n",
		"\n| `to` | the name of a port | *required* | ",
		"\n| `hook` | xdp, tc or tap | `xdp` | ",
		"\n| `version` | 1 | `1` | ",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (!strstr(text, rows[i]))
			fail_msg("no %s", rows[i]);
}

static char *read_file(const char *name)
{
	char path[4096], *page;
	long len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", source_root, name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	len = ftell(f);
	assert_true(len > 0);
	rewind(f);
	page = calloc(1, (size_t)len + 1);
	assert_non_null(page);
	assert_int_equal(fread(page, 1, (size_t)len, f), len);
	fclose(f);
	return page;
}

static void assert_holds(const char *name, const char *part, const char *option)
{
	char *page = read_file(name);
	bool holds = strstr(page, part);

	free(page);
	if (!holds)
		fail_msg("%s is not up to date: replace its reference with what "
			 "config_reference_test %s prints",
			 name, option);
}

static const char *row_of(const char *row)
{
	const char *at = strstr(text, row);

	if (!at)
		fail_msg("no %s", row);
	return at;
}

/* A reload takes up five keys; nothing else says that it changes at once. */
static void reference__at_once_is_what_a_reload_does(void **state)
{
	static const char *const live[] = {"\n| `level` |", "\n| `run-budget` |", "\n| `drain` |",
					   "\n| `sleep-after` |", "\n| `sleep` |"};
	size_t said = 0;

	for (const char *at = text; (at = strstr(at, "| at once |\n")); at++)
		said++;
	assert_int_equal(said, WEIR_ARRAY_LEN(live));
	for (size_t i = 0; i < WEIR_ARRAY_LEN(live); i++) {
		const char *row = row_of(live[i]) + 1;

		assert_memory_equal(strchr(row, '\n') - 11, "| at once |", 11);
	}
}

/* The pages are the reference of this very build. */
static void reference__is_what_the_docs_hold(void **state)
{
	size_t len;
	char *mdoc;
	FILE *f = open_memstream(&mdoc, &len);

	assert_non_null(f);
	assert_int_equal(weir_config_schema_print_mdoc(f), 0);
	assert_int_equal(fclose(f), 0);
	assert_holds("docs/config.md", text, "--markdown");
	assert_holds("docs/man/weir.yaml.5", mdoc, "--mdoc");
	free(mdoc);
}

static void reference__write_error(void **state)
{
	FILE *full = fopen("/dev/full", "w");

	assert_non_null(full);
	assert_int_equal(weir_config_schema_print(full), -EIO);
	fclose(full);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference__sections),
		cmocka_unit_test(reference__rows),
		cmocka_unit_test(reference__at_once_is_what_a_reload_does),
		cmocka_unit_test(reference__is_what_the_docs_hold),
		cmocka_unit_test(reference__write_error),
	};

	if (argc > 1 && !strcmp(argv[1], "--markdown"))
		return !!weir_config_schema_print(stdout);
	if (argc > 1 && !strcmp(argv[1], "--mdoc"))
		return !!weir_config_schema_print_mdoc(stdout);
	source_root = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests(tests, print_reference, free_reference);
}
