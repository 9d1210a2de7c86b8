/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/api/command.h"

#include <stdbool.h>

#include "../weir_test.h"

/* Written by hand from Linux's user API: every attr field of these commands that is a descriptor.
 */
static void command__every_descriptor_field(void **state)
{
	static const struct {
		uint32_t cmd;
		uint16_t offs[3];
		int count;
	} want[] = {
		{BPF_MAP_CREATE, {20, 48}, 2},  {BPF_MAP_LOOKUP_ELEM, {0}, 1},
		{BPF_MAP_UPDATE_ELEM, {0}, 1},  {BPF_MAP_DELETE_ELEM, {0}, 1},
		{BPF_MAP_GET_NEXT_KEY, {0}, 1}, {BPF_MAP_FREEZE, {0}, 1},
		{BPF_PROG_LOAD, {72, 112}, 2},  {BPF_PROG_TEST_RUN, {0}, 1},
		{BPF_OBJ_PIN, {8}, 1},          {BPF_OBJ_GET_INFO_BY_FD, {0}, 1},
		{BPF_LINK_CREATE, {0}, 1},      {BPF_LINK_DETACH, {0}, 1},
		{BPF_OBJ_GET, {0}, 0},          {BPF_BTF_LOAD, {0}, 0},
		{BPF_PROG_GET_NEXT_ID, {0}, 0}, {BPF_MAP_GET_FD_BY_ID, {0}, 0},
		{WEIR_CMD_ATTACH, {0}, 1},      {WEIR_CMD_PROG_META, {0}, 1},
		{WEIR_CMD_MAP_LOOKUP, {0}, 1},  {WEIR_CMD_MAP_UPDATE, {0}, 1},
		{WEIR_CMD_MAP_DUMP, {0}, 1},    {WEIR_CMD_STATUS, {0}, 0},
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const struct weir_command *c = weir_command_find(want[i].cmd);
		int count = 0;

		assert_non_null(c);
		while (count < 4 && c->fds[count].bytes)
			count++;
		assert_int_equal(count, want[i].count);
		for (int k = 0; k < count; k++) {
			assert_int_equal(c->fds[k].off, want[i].offs[k]);
			assert_int_equal(c->fds[k].bytes, 4);
		}
	}
}

static void command__rows_are_sound(void **state)
{
	size_t count;
	const struct weir_command *t = weir_command_table(&count);

	for (size_t i = 0; i < count; i++) {
		assert_true(t[i].attr_end <= WEIR_ATTR_BYTES);
		assert_true(t[i].role == WEIR_ROLE_BIT_READ || t[i].role == WEIR_ROLE_BIT_ADMIN);
		for (int k = 0; k < 4; k++) {
			assert_true(t[i].fds[k].off + t[i].fds[k].bytes <= t[i].attr_end);
			assert_true(t[i].results[k].off + t[i].results[k].bytes <= t[i].attr_end);
		}
		for (int k = 0; k < 6 && t[i].in[k].section; k++)
			assert_true(t[i].in[k].ptr_off + 8 <= t[i].attr_end);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(t[i].cmd, t[k].cmd);
	}
}

static void command__unknown(void **state)
{
	assert_null(weir_command_find(9999));
	assert_string_equal(weir_command_name(9999), "?");
	assert_string_equal(weir_command_name(BPF_MAP_CREATE), "map_create");
	assert_null(weir_command_find(WEIR_CMD_END));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command__every_descriptor_field),
		cmocka_unit_test(command__rows_are_sound),
		cmocka_unit_test(command__unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
