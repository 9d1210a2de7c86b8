/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/api/codec.h"

#include <errno.h>
#include <stdlib.h>

#include "../weir_test.h"

static struct weir_msg good_msg(void)
{
	return (struct weir_msg){.magic = WEIR_PROTO_MAGIC,
				 .version = WEIR_PROTO_VERSION,
				 .serial = 7,
				 .cmd = WEIR_CMD_STATUS,
				 .attr_bytes = 20,
				 .body_bytes = 16};
}

static void msg_check__fields(void **state)
{
	struct weir_msg m = good_msg();

	assert_int_equal(weir_msg_check(&m, false), 0);
	assert_int_equal(weir_msg_rest_bytes(&m), 24 + 16);
	assert_int_equal(weir_msg_check(&m, true), -EPROTO);
	m.flags = WEIR_MSG_REPLY;
	assert_int_equal(weir_msg_check(&m, true), 0);
	m.result = -1;
	assert_int_equal(weir_msg_check(&m, true), 0);
	m.flags = 0;
	assert_int_equal(weir_msg_check(&m, false), -EPROTO);
}

static void msg_check__sizes(void **state)
{
	struct weir_msg m = good_msg();

	m.attr_bytes = WEIR_ATTR_SIZE_MAX;
	assert_int_equal(weir_msg_check(&m, false), 0);
	m.attr_bytes++;
	assert_int_equal(weir_msg_check(&m, false), -EMSGSIZE);
	m = good_msg();
	m.body_bytes = WEIR_BODY_BYTES_MAX;
	assert_int_equal(weir_msg_check(&m, false), 0);
	m.body_bytes += 8;
	assert_int_equal(weir_msg_check(&m, false), -EMSGSIZE);
	m.body_bytes = 9;
	assert_int_equal(weir_msg_check(&m, false), -EPROTO);
	m = good_msg();
	m.fd_count = 2;
	assert_int_equal(weir_msg_check(&m, false), -EPROTO);
}

/* Every bit of a header matters or does not: what is accepted is what a sender may send. */
static void msg_check__bit_flips(void **state)
{
	for (size_t bit = 0; bit < 8 * sizeof(struct weir_msg); bit++) {
		struct weir_msg m = good_msg();
		int err;

		((uint8_t *)&m)[bit / 8] ^= (uint8_t)(1U << bit % 8);
		err = weir_msg_check(&m, false);
		if (bit / 8 < offsetof(struct weir_msg, serial))
			assert_int_equal(err, -EPROTO);
		if (!err)
			assert_true(weir_msg_rest_bytes(&m) <=
				    WEIR_ATTR_SIZE_MAX + (size_t)WEIR_BODY_BYTES_MAX);
	}
}

static void sections__round_trip(void **state)
{
	struct weir_buf b = {0};
	struct weir_sections s;

	weir_buf_section(&b, WEIR_SEC_KEY, "abc", 3);
	weir_buf_section(&b, WEIR_SEC_VALUE, NULL, 0);
	memset(weir_buf_section_room(&b, WEIR_SEC_INSNS, 16), 0x5a, 16);
	assert_int_equal(b.len, 16 + 8 + 24);
	assert_int_equal(weir_sections_parse(b.p, b.len, &s), 0);
	assert_int_equal(s.s[WEIR_SEC_KEY].bytes, 3);
	assert_memory_equal(s.s[WEIR_SEC_KEY].p, "abc", 3);
	assert_non_null(s.s[WEIR_SEC_VALUE].p);
	assert_int_equal(s.s[WEIR_SEC_VALUE].bytes, 0);
	assert_int_equal(s.s[WEIR_SEC_INSNS].p[15], 0x5a);
	assert_null(s.s[WEIR_SEC_BTF].p);
	weir_buf_free(&b);
}

/* Cut anywhere but between two sections: refused, and the output stays as it was. */
static void sections__every_truncation(void **state)
{
	struct weir_buf b = {0};

	weir_buf_section(&b, WEIR_SEC_KEY, "12345", 5);
	weir_buf_section(&b, WEIR_SEC_VALUE, "12345678", 8);
	weir_buf_section(&b, WEIR_SEC_PATH, "/a", 2);
	for (size_t cut = 0; cut <= b.len; cut++) {
		/* Its own allocation, so that a sanitizer sees a read beyond it. */
		uint8_t *copy = malloc(cut ? cut : 1);
		struct weir_sections s, before;
		bool whole = cut == 0 || cut == 16 || cut == 32 || cut == b.len;

		assert_non_null(copy);
		memset(&s, 0xee, sizeof(s));
		before = s;
		memcpy(copy, b.p, cut);
		assert_int_equal(weir_sections_parse(copy, cut, &s), whole ? 0 : -EPROTO);
		if (!whole)
			assert_memory_equal(&s, &before, sizeof(s));
		free(copy);
	}
	weir_buf_free(&b);
}

static void sections__every_bit_flip(void **state)
{
	struct weir_buf b = {0};

	weir_buf_section(&b, WEIR_SEC_KEY, "12345", 5);
	weir_buf_section(&b, WEIR_SEC_VALUE, "12345678", 8);
	for (size_t bit = 0; bit < 8 * b.len; bit++) {
		uint8_t *copy = malloc(b.len);
		struct weir_sections s;

		assert_non_null(copy);
		memcpy(copy, b.p, b.len);
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (!weir_sections_parse(copy, b.len, &s))
			for (int i = 0; i < WEIR_SEC_COUNT; i++)
				if (s.s[i].p)
					assert_true(s.s[i].p >= copy &&
						    s.s[i].p + s.s[i].bytes <= copy + b.len);
		free(copy);
	}
	weir_buf_free(&b);
}

static void sections__refused(void **state)
{
	const struct weir_section unknown[] = {{WEIR_SEC_COUNT, 0}};
	const struct weir_section none[] = {{WEIR_SEC_NONE, 0}};
	const struct weir_section twice[] = {{WEIR_SEC_KEY, 0}, {WEIR_SEC_KEY, 0}};
	const struct weir_section long_one[] = {{WEIR_SEC_KEY, UINT32_MAX}, {0}};
	const struct weir_section fine[] = {{WEIR_SEC_KEY, 0}, {WEIR_SEC_VALUE, 0}};
	struct weir_sections s;

	assert_int_equal(weir_sections_parse(unknown, sizeof(unknown), &s), -EPROTO);
	assert_int_equal(weir_sections_parse(none, sizeof(none), &s), -EPROTO);
	assert_int_equal(weir_sections_parse(twice, sizeof(twice), &s), -EPROTO);
	assert_int_equal(weir_sections_parse(long_one, sizeof(long_one), &s), -EPROTO);
	assert_int_equal(weir_sections_parse(fine, sizeof(fine), &s), 0);
}

static void attr_copy__linux_rules(void **state)
{
	uint8_t raw[WEIR_ATTR_SIZE_MAX + 1] = {1, 2, 3, 4, 5, 6, 7, 8};
	union weir_attr a;

	memset(&a, 0xff, sizeof(a));
	assert_int_equal(weir_attr_copy(raw, 4, &a), 0);
	assert_int_equal(a.bytes[3], 4);
	assert_int_equal(a.bytes[4], 0);
	assert_int_equal(weir_attr_copy(raw, WEIR_ATTR_SIZE_MAX, &a), 0);
	assert_int_equal(weir_attr_copy(raw, WEIR_ATTR_SIZE_MAX + 1, &a), -E2BIG);
	raw[WEIR_ATTR_BYTES] = 1;
	assert_int_equal(weir_attr_copy(raw, WEIR_ATTR_BYTES, &a), 0);
	assert_int_equal(weir_attr_copy(raw, WEIR_ATTR_BYTES + 1, &a), -E2BIG);
	assert_int_equal(weir_attr_check_end(&a, 8), 0);
	assert_int_equal(weir_attr_check_end(&a, 7), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(msg_check__fields),
		cmocka_unit_test(msg_check__sizes),
		cmocka_unit_test(msg_check__bit_flips),
		cmocka_unit_test(sections__round_trip),
		cmocka_unit_test(sections__every_truncation),
		cmocka_unit_test(sections__every_bit_flip),
		cmocka_unit_test(sections__refused),
		cmocka_unit_test(attr_copy__linux_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
