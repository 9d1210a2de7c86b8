/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/btf_value.h"

#include <errno.h>

#include "object_util.h"

static struct weir_plan *plan;
static uint32_t shapes_id;

/* objects/values.bpf.c's struct, as this compiler lays it out. */
struct shapes {
	uint8_t u8;
	int16_t s16;
	_Bool flag;
	uint32_t mode;
	int32_t signed_mode;
	char name[8];
	uint32_t numbers[3];
	uint8_t ip[4];
	uint8_t ip6[16];
	uint8_t mac[6];
	uint32_t low : 3;
	int32_t high : 5;
	union {
		uint32_t word;
		uint16_t halves[2];
	};
	struct {
		uint64_t x;
		void *p;
	} in;
};

static int setup(void **state)
{
	plan = object_load("values.v3.o");
	shapes_id = weir_btf_find(plan->btf, "shapes", BTF_KIND_STRUCT);
	return !shapes_id || weir_btf_size(plan->btf, shapes_id) != sizeof(struct shapes);
}

static int teardown(void **state)
{
	weir_plan_free(&plan);
	return 0;
}

static int parse(const char *text, struct shapes *out)
{
	return weir_btf_value_parse(plan->btf, shapes_id, text, NULL, out, sizeof(*out));
}

static void btf_value_parse__every_kind(void **state)
{
	struct shapes s;

	assert_int_equal(parse("{.u8 = 0xff, s16=-3, .flag = true, mode = MODE_ON,"
			       " signed_mode=MODE_NEG, name=\"ab\\x41\\\"\", numbers={1, 2},"
			       " ip=10.0.0.1, ip6=2001:db8::1, mac=02:00:00:00:00:0f,"
			       " low = 5, high=-16, halves=[1,2], in={.x=7, p=0x10}}",
			       &s),
			 0);
	assert_int_equal(s.u8, 255);
	assert_int_equal(s.s16, -3);
	assert_true(s.flag);
	assert_int_equal(s.mode, 5);
	assert_int_equal(s.signed_mode, -2);
	assert_string_equal(s.name, "abA\"");
	assert_int_equal(s.numbers[1], 2);
	assert_int_equal(s.numbers[2], 0);
	assert_memory_equal(s.ip, "\x0a\0\0\x01", 4);
	assert_memory_equal(s.ip6, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	assert_memory_equal(s.mac, "\x02\0\0\0\0\x0f", 6);
	assert_int_equal(s.low, 5);
	assert_int_equal(s.high, -16);
	assert_int_equal(s.halves[1], 2);
	assert_int_equal(s.in.x, 7);
	assert_ptr_equal(s.in.p, (void *)0x10);
}

static void btf_value_parse__by_order(void **state)
{
	struct shapes s;

	assert_int_equal(parse("1,2,false,MODE_OFF", &s), 0);
	assert_int_equal(s.u8, 1);
	assert_int_equal(s.s16, 2);
	assert_int_equal(parse("{name=\"x\", {4,5}, .low=1}", &s), 0);
	assert_int_equal(s.numbers[1], 5);
	assert_int_equal(parse("{}", &s), 0);
	assert_int_equal(s.numbers[1], 0);
}

static void btf_value_parse__refuses(void **state)
{
	static const struct {
		const char *text;
		int err;
		const char *says;
	} rows[] = {
		{"u8=256", -ERANGE, "column 4: member u8: expected a number from 0 to 255"},
		{"u8=-1", -ERANGE, "from 0 to 255"},
		{"s16=-32769", -ERANGE, "from -32768 to 32767"},
		{"low=8", -ERANGE, "from 0 to 7"},
		{"high=16", -ERANGE, "from -16 to 15"},
		{"u8=12x", -EINVAL, "found '12x'"},
		{"u8=", -EINVAL, "found the end"},
		{"nothing=1", -EINVAL, "one of the struct's members"},
		{"mode=MODE_WRONG", -EINVAL, "enum's names"},
		{"name=\"123456789\"", -ERANGE, "a string that fits"},
		{"name=\"abc", -EINVAL, "a string that ends"},
		{"numbers={1,2,3,4}", -ERANGE, "no more elements"},
		{"numbers=1", -EINVAL, "expected {"},
		{"{u8=1", -EINVAL, "a comma or the struct's end"},
		{"{u8=1} x", -EINVAL, "the end of the value"},
		{"mac=02:00:00:00:00", -EINVAL, "expected {"},
		{"ip=10.0.0.256", -EINVAL, "10.0.0.256"},
		{"in={1,2,3}", -ERANGE, "no more members"},
		{"u8=18446744073709551616", -ERANGE, "from 0 to 255"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		WEIR_DIAG_ON_STACK(diag, 512);
		struct shapes s, before;
		int err;

		memset(&s, 0x5a, sizeof(s));
		before = s;
		err = weir_btf_value_parse(plan->btf, shapes_id, rows[i].text, &diag, &s,
					   sizeof(s));
		if (err != rows[i].err || !strstr(diag.buf, rows[i].says))
			fail_msg("%s: %d '%s'", rows[i].text, err, diag.buf);
		assert_memory_equal(&s, &before, sizeof(s));
	}
}

static void btf_value_print__text(void **state)
{
	struct shapes s;
	WEIR_DIAG_ON_STACK(text, 1024);

	assert_int_equal(parse("{1,-2,true,MODE_ON,MODE_POS,\"eth0\",{7,8,9},ip=10.1.2.3,ip6=::1,"
			       "mac=02:00:00:00:00:01,low=7,high=-1,word=0x20001,in={5,0x1f}}",
			       &s),
			 0);
	assert_int_equal(weir_btf_value_print(plan->btf, shapes_id, &s, sizeof(s), &text), 0);
	assert_string_equal(
		text.buf,
		"{.u8 = 1, .s16 = -2, .flag = true, .mode = MODE_ON, .signed_mode = MODE_POS, "
		".name = \"eth0\", .numbers = {7, 8, 9}, .ip = 10.1.2.3, .ip6 = ::1, "
		".mac = {2, 0, 0, 0, 0, 1}, .low = 7, .high = -1, "
		"{.word = 131073, .halves = {1, 2}}, .in = {.x = 5, .p = 0x1f}}");
}

static void btf_value_print__parses_back(void **state)
{
	uint32_t seed = 7;

	for (int round = 0; round < 2000; round++) {
		struct shapes a = {0}, b;
		char first[2048], second[2048];
		struct weir_diag d;
		uint8_t *bytes = (uint8_t *)&a;

		for (size_t i = 0; i < sizeof(a); i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = round % 3 ? (uint8_t)(seed >> 16) : (uint8_t)(seed >> 30);
		}
		bytes[offsetof(struct shapes, flag)] &= 1;
		weir_diag_init(&d, first, sizeof(first));
		assert_int_equal(weir_btf_value_print(plan->btf, shapes_id, &a, sizeof(a), &d), 0);
		if (parse(first, &b))
			fail_msg("%s", first);
		weir_diag_init(&d, second, sizeof(second));
		assert_int_equal(weir_btf_value_print(plan->btf, shapes_id, &b, sizeof(b), &d), 0);
		assert_string_equal(first, second);
	}
}

static void btf_value_print__short_bytes(void **state)
{
	struct shapes s = {0};
	WEIR_DIAG_ON_STACK(text, 64);

	assert_int_equal(weir_btf_value_print(plan->btf, shapes_id, &s, sizeof(s) - 1, &text),
			 -EMSGSIZE);
	assert_int_equal(weir_btf_value_print(plan->btf, 0, &s, sizeof(s), &text), -EINVAL);
}

/* struct/union u1 { u0 a; u0 b; }… doubles at each level: the walk has to stop. */
static void btf_value_walk__explosion(void **state)
{
	uint32_t words[4 + 31 * 9] = {0, BTF_KIND_INT << 24, 4, 32};
	struct btf_header h = {.magic = BTF_MAGIC,
			       .version = 1,
			       .hdr_len = sizeof(h),
			       .type_len = sizeof(words),
			       .str_off = sizeof(words),
			       .str_len = 1};
	uint8_t bytes[sizeof(h) + sizeof(words) + 1] = {0};
	struct weir_btf *btf;
	uint32_t value = 1;
	WEIR_DIAG_ON_STACK(text, 64);

	for (uint32_t i = 0; i < 31; i++) {
		uint32_t level[9] = {0, BTF_KIND_UNION << 24 | 2, 4, 0, i + 1, 0, 0, i + 1, 0};

		memcpy(words + 4 + i * 9, level, sizeof(level));
	}
	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + sizeof(h), words, sizeof(words));
	assert_int_equal(weir_btf_parse(bytes, sizeof(bytes), NULL, &btf), 0);
	assert_int_equal(weir_btf_value_print(btf, 32, &value, 4, &text), -E2BIG);
	assert_int_equal(weir_btf_value_parse(btf, 32, "nothing=1", NULL, &value, 4), -EINVAL);
	assert_int_equal(weir_btf_value_print(btf, 4, &value, 4, &text), 0);
	weir_btf_free(&btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(btf_value_parse__every_kind),
		cmocka_unit_test(btf_value_parse__by_order),
		cmocka_unit_test(btf_value_parse__refuses),
		cmocka_unit_test(btf_value_print__text),
		cmocka_unit_test(btf_value_print__parses_back),
		cmocka_unit_test(btf_value_print__short_bytes),
		cmocka_unit_test(btf_value_walk__explosion),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
