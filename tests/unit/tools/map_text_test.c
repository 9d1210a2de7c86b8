/* SPDX-License-Identifier: BSD-3-Clause */
#include "map_text.h"

#include <errno.h>
#include <stdlib.h>

#include "../weir_test.h"

/* Parses words without types into out; used and the text are checked by the caller. */
static int parse(uint32_t size, const char *const *words, int count, int *used, char *text,
		 void *out)
{
	struct weir_diag diag;

	weir_diag_init(&diag, text, 256);
	return map_bytes_parse(NULL, 0, size, words, count, used, &diag, out);
}

struct row {
	uint32_t size;
	const char *words[6];
	int count, used;
	const char *bytes; /* NULL: refused */
	const char *said;
};

static void check(const struct row *row)
{
	uint8_t out[32], before[32];
	char text[256];
	int used = -1, err;

	memset(before, 0xee, sizeof(before));
	memset(out, 0xee, sizeof(out));
	err = parse(row->size, row->words, row->count, &used, text, out);
	if (row->bytes) {
		assert_int_equal(err, 0);
		assert_int_equal(used, row->used);
		assert_memory_equal(out, row->bytes, row->size);
	} else {
		assert_int_equal(err, -EINVAL);
		assert_non_null(strstr(text, row->said));
	}
	/* never past its size */
	assert_memory_equal(out + row->size, before, sizeof(out) - row->size);
}

static void map_bytes_parse__numbers(void **state)
{
	static const struct row rows[] = {
		{1, {"255"}, 1, 1, "\xff", NULL},
		{1, {"256"}, 1, 0, NULL, "a number of 1 byte"},
		{2, {"0x1234", "5"}, 2, 1, "\x34\x12", NULL},
		{2, {"65536"}, 1, 0, NULL, "a number of 2 bytes"},
		{4, {"4294967295"}, 1, 1, "\xff\xff\xff\xff", NULL},
		{4, {"-1"}, 1, 0, NULL, "a number of 4 bytes"},
		{4, {""}, 1, 0, NULL, "a number"},
		{4, {"12a"}, 1, 0, NULL, "'12a'"},
		{8, {"18446744073709551615"}, 1, 1, "\xff\xff\xff\xff\xff\xff\xff\xff", NULL},
		{8, {"18446744073709551616"}, 1, 0, NULL, "a number of 8 bytes"},
		{3, {"1"}, 1, 0, NULL, "no type"},
		{4, {NULL}, 0, 0, NULL, "expected 4 bytes"},
		{0, {"next"}, 1, 0, "", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

static void map_bytes_parse__addresses(void **state)
{
	static const struct row rows[] = {
		{4, {"192.0.2.1"}, 1, 1, "\xc0\x00\x02\x01", NULL},
		{4, {"192.0.2.256"}, 1, 0, NULL, "192.0.2.256"},
		{16, {"2001:db8::1"}, 1, 1, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", NULL},
		{16, {"2001:db8::1::"}, 1, 0, NULL, "no type"},
		{6, {"02:00:00:00:0a:Ff"}, 1, 1, "\x02\0\0\0\x0a\xff", NULL},
		{6, {"02:00:00:00:0a"}, 1, 0, NULL, "no type"},
		{6, {"02:00:00:00:0a:ff:01"}, 1, 0, NULL, "no type"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

static void map_bytes_parse__hex(void **state)
{
	static const struct row rows[] = {
		{4, {"hex", "01", "02", "03", "04"}, 5, 5, "\1\2\3\4", NULL},
		{4, {"hex", "01020304", "05"}, 3, 2, "\1\2\3\4", NULL},
		{4, {"hex", "0x0102", "0304"}, 3, 3, "\1\2\3\4", NULL},
		{4, {"hex", "0102030405"}, 2, 0, NULL, "more than the 4 bytes"},
		{4, {"hex", "010203"}, 2, 0, NULL, "3 of 4 bytes"},
		{4, {"hex"}, 1, 0, NULL, "0 of 4 bytes"},
		{4, {"hex", "0102030"}, 2, 0, NULL, "pairs of hex digits"},
		{4, {"hex", "01 2 03"}, 2, 0, NULL, "pairs of hex digits"},
		{3, {"hex", "AAbbCC"}, 2, 2, "\xaa\xbb\xcc", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

static char *elem(const struct map_shape *shape, const void *key, const void *value)
{
	json_t *doc = map_elem_json(shape, key, value);
	char *text = json_dumps(doc, JSON_COMPACT | JSON_PRESERVE_ORDER);

	json_decref(doc);
	assert_non_null(text);
	return text;
}

static void map_elem_json__forms(void **state)
{
	static const uint32_t key = 7;
	static const uint8_t value[16] = {1, 2, 0, 0, 0, 0, 0, 0, 3, 4};
	static const struct {
		struct map_shape shape;
		const char *json;
	} rows[] = {
		{{.key_size = 4, .value_size = 2},
		 "{\"key\":{\"hex\":\"07 00 00 00\"},\"value\":{\"hex\":\"01 02\"}}"},
		{{.key_size = 4, .value_size = 4, .index_key = true, .id_value = true},
		 "{\"key\":7,\"value\":513}"},
		{{.key_size = 0, .value_size = 2}, "{\"value\":{\"hex\":\"01 02\"}}"},
		{{.key_size = 4, .value_size = 2, .slots = 2, .index_key = true},
		 "{\"key\":7,\"values\":[{\"cpu\":0,\"value\":{\"hex\":\"01 02\"}},"
		 "{\"cpu\":1,\"value\":{\"hex\":\"03 04\"}}]}"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = elem(&rows[i].shape, &key, value);

		assert_string_equal(text, rows[i].json);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_bytes_parse__numbers),
		cmocka_unit_test(map_bytes_parse__addresses),
		cmocka_unit_test(map_bytes_parse__hex),
		cmocka_unit_test(map_elem_json__forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
