/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/btf.h"

#include <errno.h>

#include "object_util.h"

/* BTF built by hand: types as words, strings as one literal. */
struct builder {
	uint32_t words[4096];
	uint32_t count;
	char strs[64];
	uint32_t strs_bytes;
};

#define INFO(kind, vlen) ((uint32_t)(kind) << 24 | (vlen))

static void add(struct builder *b, const uint32_t *words, uint32_t count)
{
	memcpy(b->words + b->count, words, count * 4);
	b->count += count;
}

#define ADD(b, ...) add(b, (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4)
#define ADD_INT(b)  ADD(b, 1, INFO(BTF_KIND_INT, 0), 4, 32)

static struct builder builder_new(void)
{
	struct builder b = {.strs = "\0int\0s\0m", .strs_bytes = 9};

	return b;
}

static int build(const struct builder *b, struct weir_diag *diag, struct weir_btf **out)
{
	struct btf_header h = {.magic = BTF_MAGIC,
			       .version = 1,
			       .hdr_len = sizeof(h),
			       .type_len = b->count * 4,
			       .str_off = b->count * 4,
			       .str_len = b->strs_bytes};
	size_t size = sizeof(h) + b->count * 4 + b->strs_bytes;
	uint8_t *bytes = malloc(size);
	int err;

	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + sizeof(h), b->words, b->count * 4);
	memcpy(bytes + sizeof(h) + b->count * 4, b->strs, b->strs_bytes);
	err = weir_btf_parse(bytes, size, diag, out);
	free(bytes);
	return err;
}

static void accept(const struct builder *b)
{
	WEIR_DIAG_ON_STACK(diag, 256);
	struct weir_btf *btf = NULL;

	if (build(b, &diag, &btf))
		fail_msg("%s", diag.buf);
	weir_btf_free(&btf);
}

static void refuse(const struct builder *b, const char *text)
{
	WEIR_DIAG_ON_STACK(diag, 256);
	struct weir_btf *btf = NULL;

	assert_int_equal(build(b, &diag, &btf), -EINVAL);
	assert_null(btf);
	if (!strstr(diag.buf, text))
		fail_msg("expected '%s', got '%s'", text, diag.buf);
}

static void btf_parse__sizes_and_names(void **state)
{
	struct builder b = builder_new();
	struct weir_btf *btf;
	WEIR_DIAG_ON_STACK(text, 64);

	ADD_INT(&b);
	ADD(&b, 0, INFO(BTF_KIND_ARRAY, 0), 0, 1, 1, 5);              /* 2: int[5] */
	ADD(&b, 5, INFO(BTF_KIND_STRUCT, 2), 24, 7, 2, 0, 7, 1, 160); /* 3: struct s */
	ADD(&b, 7, INFO(BTF_KIND_TYPEDEF, 0), 3);                     /* 4 */
	ADD(&b, 0, INFO(BTF_KIND_CONST, 0), 4);                       /* 5 */
	ADD(&b, 0, INFO(BTF_KIND_PTR, 0), 5);                         /* 6 */
	ADD(&b, 5, INFO(BTF_KIND_FWD, 0), 0);                         /* 7 */
	assert_int_equal(build(&b, NULL, &btf), 0);
	assert_int_equal(weir_btf_type_count(btf), 7);
	assert_int_equal(weir_btf_size(btf, 2), 20);
	assert_int_equal(weir_btf_size(btf, 5), 24);
	assert_int_equal(weir_btf_size(btf, 6), 8);
	assert_int_equal(weir_btf_size(btf, 7), -EINVAL);
	assert_int_equal(weir_btf_size(btf, 0), -EINVAL);
	assert_int_equal(weir_btf_size(btf, 8), -EINVAL);
	assert_int_equal(weir_btf_find(btf, "s", BTF_KIND_STRUCT), 3);
	assert_int_equal(weir_btf_find(btf, "s", BTF_KIND_UNION), 0);
	weir_btf_type_print(btf, 2, &text);
	assert_string_equal(text.buf, "int[5]");
	weir_diag_reset(&text);
	weir_btf_type_print(btf, 6, &text);
	assert_string_equal(text.buf, "const m *");
	weir_btf_free(&btf);
}

static void btf_parse__header(void **state)
{
	struct btf_header h = {
		.magic = BTF_MAGIC, .version = 1, .hdr_len = sizeof(h), .str_len = 1};
	uint8_t bytes[sizeof(h) + 1] = {0};
	struct weir_btf *btf = NULL;
	WEIR_DIAG_ON_STACK(diag, 256);

	memcpy(bytes, &h, sizeof(h));
	assert_int_equal(weir_btf_parse(bytes, sizeof(bytes), NULL, &btf), 0);
	weir_btf_free(&btf);
	assert_int_equal(weir_btf_parse(bytes, 10, NULL, &btf), -EINVAL);
	bytes[0] = BTF_MAGIC >> 8;
	bytes[1] = BTF_MAGIC & 0xff;
	assert_int_equal(weir_btf_parse(bytes, sizeof(bytes), &diag, &btf), -EINVAL);
	assert_non_null(strstr(diag.buf, "big-endian"));
	for (size_t off = 0; off < sizeof(h); off++) {
		memcpy(bytes, &h, sizeof(h));
		bytes[off] ^= 0x81;
		assert_true(weir_btf_parse(bytes, sizeof(bytes), NULL, &btf) < 0);
	}
	assert_null(btf);
}

static void btf_parse__strings(void **state)
{
	struct builder b = builder_new();

	ADD_INT(&b);
	accept(&b);
	b.words[0] = 9;
	refuse(&b, "outside the strings");
	b.words[0] = 1;
	b.strs[8] = 'x';
	refuse(&b, "zero byte at its end");
	b.strs[8] = '\0';
	b.strs[0] = 'x';
	refuse(&b, "zero byte at its start");
}

static void btf_parse__ids_out_of_range(void **state)
{
	struct builder b = builder_new();

	ADD_INT(&b);
	ADD(&b, 0, INFO(BTF_KIND_PTR, 0), 1);
	accept(&b);
	b.words[6] = 3;
	refuse(&b, "refers to");
	b = builder_new();
	ADD_INT(&b);
	ADD(&b, 5, INFO(BTF_KIND_STRUCT, 1), 4, 7, 1, 0);
	accept(&b);
	b.words[8] = 77;
	refuse(&b, "member's type");
	b.words[8] = 1;
	b.words[9] = 1000;
	refuse(&b, "outside the struct");
}

static void btf_parse__kinds(void **state)
{
	struct builder b = builder_new();

	ADD_INT(&b);
	ADD(&b, 7, INFO(BTF_KIND_FLOAT, 0), 8);
	ADD(&b, 7, INFO(BTF_KIND_TYPE_TAG, 0), 1);
	ADD(&b, 7, INFO(BTF_KIND_ENUM64, 1), 8, 7, 1, 2);
	ADD(&b, 0, INFO(BTF_KIND_FUNC_PROTO, 1), 1, 7, 1);
	ADD(&b, 7, INFO(BTF_KIND_FUNC, 1), 5);
	ADD(&b, 7, INFO(BTF_KIND_VAR, 0), 1, 1);
	ADD(&b, 7, INFO(BTF_KIND_DATASEC, 1), 4, 7, 0, 4);
	ADD(&b, 7, INFO(BTF_KIND_DECL_TAG, 0), 6, UINT32_MAX);
	accept(&b);
	ADD(&b, 7, INFO(20, 0), 0);
	refuse(&b, "unknown kind 20");
	b = builder_new();
	ADD_INT(&b);
	ADD(&b, 7, INFO(BTF_KIND_FUNC, 0), 1);
	refuse(&b, "prototype");
	b = builder_new();
	ADD(&b, 5, INFO(BTF_KIND_STRUCT, 0xffff), 4);
	refuse(&b, "needs 786420 bytes");
}

static void btf_parse__cycles(void **state)
{
	struct builder b = builder_new();

	/* struct s { struct s *m; } is fine, struct s { struct s m; } is not. */
	ADD(&b, 0, INFO(BTF_KIND_PTR, 0), 2);
	ADD(&b, 5, INFO(BTF_KIND_STRUCT, 1), 8, 7, 1, 0);
	accept(&b);
	b.words[7] = 2;
	refuse(&b, "contains itself");
	b = builder_new();
	ADD(&b, 7, INFO(BTF_KIND_TYPEDEF, 0), 2);
	ADD(&b, 0, INFO(BTF_KIND_CONST, 0), 1);
	refuse(&b, "contains itself");
	b = builder_new();
	ADD(&b, 0, INFO(BTF_KIND_ARRAY, 0), 0, 1, 1, 1);
	refuse(&b, "contains itself");
}

static void btf_parse__nesting(void **state)
{
	for (uint32_t levels = 30; levels < 40; levels++) {
		struct builder b = builder_new();

		/* Innermost last, so that the walk goes down all the way from the first. */
		for (uint32_t i = 1; i < levels; i++)
			ADD(&b, 0, INFO(BTF_KIND_CONST, 0), i + 1);
		ADD_INT(&b);
		if (levels <= 32)
			accept(&b);
		else
			refuse(&b, "nested deeper than 32");
	}
	for (uint32_t levels = 30; levels < 40; levels++) {
		struct builder b = builder_new();

		ADD_INT(&b);
		for (uint32_t i = 1; i < levels; i++)
			ADD(&b, 0, INFO(BTF_KIND_CONST, 0), i);
		if (levels <= 32)
			accept(&b);
		else
			refuse(&b, "nested deeper than 32");
	}
}

static void btf_parse__size_overflow(void **state)
{
	struct builder b = builder_new();

	ADD_INT(&b);
	ADD(&b, 0, INFO(BTF_KIND_ARRAY, 0), 0, 1, 1, 0x3fffffff);
	accept(&b);
	b.words[b.count - 1] = 0x40000000;
	refuse(&b, "larger than 4 GiB");
	b.words[b.count - 1] = 0x10000;
	ADD(&b, 0, INFO(BTF_KIND_ARRAY, 0), 0, 2, 1, 0x10000);
	refuse(&b, "larger than 4 GiB");
}

static void btf_type_print__endless_pointers(void **state)
{
	struct builder b = builder_new();
	struct weir_btf *btf;
	WEIR_DIAG_ON_STACK(text, 256);

	ADD(&b, 0, INFO(BTF_KIND_PTR, 0), 2);
	ADD(&b, 0, INFO(BTF_KIND_PTR, 0), 1);
	assert_int_equal(build(&b, NULL, &btf), 0);
	weir_btf_type_print(btf, 1, &text);
	assert_true(text.len_bytes > 0);
	weir_btf_free(&btf);
}

static void btf_parse__bit_flips(void **state)
{
	struct weir_plan *plan = object_load("everything.v3.o");
	size_t size;
	const uint8_t *good = weir_btf_bytes(plan->btf, &size);
	uint32_t seed = 1;

	for (int round = 0; round < 5000; round++) {
		uint8_t *bad = malloc(size);
		struct weir_btf *btf = NULL;
		WEIR_DIAG_ON_STACK(diag, 256);

		memcpy(bad, good, size);
		for (int i = 0; i < 3; i++) {
			seed = seed * 1664525 + 1013904223;
			bad[(seed >> 8) % size] ^= (uint8_t)(1U << (seed >> 5 & 7));
		}
		if (weir_btf_parse(bad, size, &diag, &btf)) {
			assert_null(btf);
			assert_true(diag.len_bytes > 0);
		}
		for (uint32_t id = 0; btf && id <= weir_btf_type_count(btf); id++)
			weir_btf_type_print(btf, id, &diag);
		weir_btf_free(&btf);
		free(bad);
	}
	weir_plan_free(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(btf_parse__sizes_and_names),
		cmocka_unit_test(btf_parse__header),
		cmocka_unit_test(btf_parse__strings),
		cmocka_unit_test(btf_parse__ids_out_of_range),
		cmocka_unit_test(btf_parse__kinds),
		cmocka_unit_test(btf_parse__cycles),
		cmocka_unit_test(btf_parse__nesting),
		cmocka_unit_test(btf_parse__size_overflow),
		cmocka_unit_test(btf_type_print__endless_pointers),
		cmocka_unit_test(btf_parse__bit_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
