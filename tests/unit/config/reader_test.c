/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_test.h"

#include <stdlib.h>

#define FULL                                                                             \
	"version: 1\n"                                                                   \
	"log: {level: \"debug\"}\n"                                                      \
	"control:\n  socket: 'a.sock'\n  mode: 0600\n"                                   \
	"eal: {memory: 64MiB, hugepages: never, extra-args: [--a, \"-b\"]}\n"            \
	"workers: [{cpu: 2}, {cpu: any}]\n"                                              \
	"idle: {sleep-after: never, sleep: 1ms}\n"                                       \
	"# \xc3\xa4\xe2\x82\xac\n"                                                       \
	"ports:\n"                                                                       \
	"  - name: a\n    device: 0000:03:00.0\n    rx-queues: 4\n    workers: [0, 1]\n" \
	"    pass: {to: b}\n"                                                            \
	"  - {name: b, pcap: {rx: [x, y], tx: z}, pass: drop}\n"                         \
	"programs:\n"                                                                    \
	"  - name: p\n    object: p.o\n    attach: [{port: a, queues: \"0-1,3\"}]\n"     \
	"    maps: [{name: m, pin: /x/y}]\n"

static void reader__empty_texts_are_all_defaults(void **state)
{
	taken("");
	taken("# nothing\n");
	taken("---\n");
	taken("{}\n");
	taken("\xef\xbb\xbfversion: 1\n");
}

static void reader__top_must_be_a_mapping(void **state)
{
	refused("- a\n", "f:1:1: a list, expected a mapping of keys");
	refused("weir\n", "f:1:1: \"weir\", expected a mapping of keys");
}

static void reader__twin_keys(void **state)
{
	refused("version: 1\nlog: {}\nversion: 1\n",
		"f:3:1: version: given twice, expected once (first at 1:1)");
	refused("ports:\n- name: a\n  mtu: 1500\n  mtu: 1500\n  device: net_null0\n",
		"f:4:3: ports[0].mtu: given twice, expected once (first at 3:3)");
}

static void reader__tags(void **state)
{
	refused("version: !!int 1\n", "f:1:10: version: tag \"tag:yaml.org,2002:int\", "
				      "expected a value without a tag");
	refused("ports: !mine []\n", "f:1:8: ports: tag \"!mine\", expected a value without a tag");
	refused("%TAG !e! tag:x,2000:\n---\nversion: 1\n",
		"f:1:1: a %TAG directive, expected none");
	taken("%YAML 1.1\n---\nversion: 1\n");
}

static void reader__anchors_and_aliases(void **state)
{
	refused("run-budget: &a 1ms\ndrain: *a\n",
		"f:1:13: run-budget: anchor \"a\", expected a value without an anchor\n"
		"f:2:8: drain: alias \"a\", expected the value itself");
	refused("*a : 1\n", "f:1:1: alias \"a\", expected a key");
	refused("eal: {extra-args: &x [*x]}\n",
		"f:1:19: eal.extra-args: anchor \"x\", expected a value without an anchor\n"
		"f:1:23: eal.extra-args: alias \"x\", expected the value itself");
	refused("log: &l {level: info}\nidle:\n  <<: *l\n",
		"f:1:6: log: anchor \"l\", expected a value without an anchor\n"
		"f:3:7: idle.<<: alias \"l\", expected the value itself");
}

static void reader__more_documents(void **state)
{
	refused("version: 1\n---\nversion: 1\n", "f:2:1: a second document, expected one");
	taken("---\nversion: 1\n...\n");
}

static void reader__keys_that_are_no_names(void **state)
{
	refused("? [a]\n: 1\n", "f:1:3: a list as key, expected a name");
	refused("? {a: b}\n: 1\n", "f:1:3: a mapping as key, expected a name");
}

static void reader__control_characters(void **state)
{
	refused("eal: {extra-args: [\"a\\0b\"]}\n",
		"f:1:20: eal.extra-args: a text with a line break or control character, "
		"expected one line of printable text");
	refused("control:\n  group: |\n    weir\n",
		"f:2:10: control.group: a text with a line break or control character, "
		"expected one line of printable text");
	refused("\"a\\eb\": 1\n", "f:1:1: a text with a line break or control character, "
				  "expected one line of printable text");
}

/* What a terminal would obey is not handed to it. */
static void reader__messages_are_harmless(void **state)
{
	refused("version: \"\\u009b2J\\\"\\\\\"\n",
		"f:1:10: version: \"\\x9b2J\\\"\\\\\", expected 1");
	refused("version: "
		"0123456789012345678901234567890123456789012345678901234567890123456789\n",
		"f:1:10: version: \"012345678901234567890123456789012345678901234567...\", "
		"expected 1");
}

static void reader__syntax(void **state)
{
	refused("log:\n\tlevel: info\n", "f:2:1: log: a tab, expected spaces");
	refused("ports:\n  - name: a\n name: b\n", "f:3:2: not YAML: did not find expected key "
						   "(while parsing a block mapping from 1:1)");
	refused("log: {level: info\n", "f:2:1: log: not YAML: did not find expected ',' or '}' "
				       "(while parsing a flow mapping from 1:6)");
	refused("version: 1\nlog: \"\xff\"\n", "f:2:7: not YAML: invalid leading UTF-8 octet");
	refused("\x01", "f:1:1: not YAML: control characters are not allowed");
}

static void reader__nesting(void **state)
{
	char text[4096];

	refused("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
		"f:1:17: [0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: nested more than 16 deep, "
		"expected less");
	refused("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", "f:1:1: a list, expected a mapping of keys");
	memset(text, '[', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	refused(text, "f:1:17: [0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: "
		      "nested more than 16 deep, expected less");
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 2 ? ' ' : '-';
	refused(text, "f:1:33: [0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: "
		      "nested more than 16 deep, expected less");
}

static char *repeat(const char *head, const char *unit, size_t n)
{
	size_t head_len = strlen(head), len = strlen(unit);
	char *text = malloc(head_len + n * len + 1);

	assert_non_null(text);
	memcpy(text, head, head_len);
	for (size_t i = 0; i < n; i++)
		memcpy(text + head_len + i * len, unit, len);
	text[head_len + n * len] = 0;
	return text;
}

static void reader__sizes(void **state)
{
	struct weir_config *config = NULL;
	WEIR_DIAG_ON_STACK(diag, 256);
	char *text;

	text = repeat("eal:\n  extra-args:\n", "  - a\n", 64);
	taken(text);
	free(text);
	text = repeat("eal:\n  extra-args:\n", "  - a\n", 65);
	refused(text, "f:3:3: eal.extra-args: 65 entries, expected at most 64");
	free(text);
	text = repeat("ports:\n", "- 1\n", 100001);
	refused(text, "f:99999:3: ports: more than 100000 values, expected fewer");
	free(text);
	text = repeat("eal: {extra-args: [", "a", 4096);
	refused(text, "f:1:20: eal.extra-args: a text of 4096 bytes, expected at most 4095\n"
		      "f:2:1: eal.extra-args: not YAML: did not find expected ',' or ']' "
		      "(while parsing a flow sequence from 1:19)");
	free(text);
	text = repeat("", "#", (1 << 20) + 1);
	assert_int_equal(weir_config_load_string("f", text, (1 << 20) + 1, NULL, &diag, &config),
			 -EFBIG);
	assert_string_equal(diag.buf, "f: larger than 1 MiB, expected less");
	assert_int_equal(weir_config_load_string("f", text, 1 << 20, NULL, NULL, &config), 0);
	weir_config_free(&config);
	free(text);
}

static void reader__many_keys(void **state)
{
	char text[8192];
	size_t len = 0;

	for (unsigned int i = 0; i < 257; i++)
		len += (size_t)sprintf(text + len, "k%u: 1\n", i);
	refused(text, "f:257:1: a mapping of more than 256 keys, expected fewer");
}

/* Loads what may be anything: either a config or an error with words, nothing else. */
static void load_anything(const char *text, size_t len)
{
	static char buf[8192];
	struct weir_config *config = NULL;
	struct weir_diag diag;
	char *copy = malloc(len ? len : 1);
	int err;

	/* Its own block, so that ASan sees a read behind the end. */
	assert_non_null(copy);
	memcpy(copy, text, len);
	weir_diag_init(&diag, buf, sizeof(buf));
	err = weir_config_load_string("f", copy, len, NULL, &diag, &config);
	free(copy);
	if (err) {
		assert_int_equal(err, -EINVAL);
		assert_null(config);
		assert_memory_equal(buf, "f:", 2);
	} else {
		assert_non_null(config);
		assert_string_equal(buf, "");
	}
	weir_config_free(&config);
}

static void reader__every_truncation(void **state)
{
	taken(FULL);
	for (size_t len = 0; len < sizeof(FULL); len++)
		load_anything(FULL, len);
}

static void reader__every_flipped_bit(void **state)
{
	char text[] = FULL;

	for (size_t bit = 0; bit < (sizeof(text) - 1) * 8; bit++) {
		text[bit / 8] ^= (char)(1 << bit % 8);
		load_anything(text, sizeof(text) - 1);
		text[bit / 8] ^= (char)(1 << bit % 8);
	}
}

static void reader__no_words_wanted(void **state)
{
	struct weir_config *config = NULL;

	assert_int_equal(weir_config_load_string("f", "x: 1", 4, NULL, NULL, &config), -EINVAL);
	assert_null(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader__empty_texts_are_all_defaults),
		cmocka_unit_test(reader__top_must_be_a_mapping),
		cmocka_unit_test(reader__twin_keys),
		cmocka_unit_test(reader__tags),
		cmocka_unit_test(reader__anchors_and_aliases),
		cmocka_unit_test(reader__more_documents),
		cmocka_unit_test(reader__keys_that_are_no_names),
		cmocka_unit_test(reader__control_characters),
		cmocka_unit_test(reader__messages_are_harmless),
		cmocka_unit_test(reader__syntax),
		cmocka_unit_test(reader__nesting),
		cmocka_unit_test(reader__sizes),
		cmocka_unit_test(reader__many_keys),
		cmocka_unit_test(reader__every_truncation),
		cmocka_unit_test(reader__every_flipped_bit),
		cmocka_unit_test(reader__no_words_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
