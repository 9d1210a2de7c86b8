/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/helper.h"

#include "../weir_test.h"

#include "kernel_bpf.h"
#include "weir/base/bits.h"

static const uint32_t types[] = {BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SCHED_CLS,
				 BPF_PROG_TYPE_SCHED_ACT, BPF_PROG_TYPE_SOCKET_FILTER};

static void helper_table__sorted_and_found(void **state)
{
	size_t count;
	const struct weir_helper *rows = weir_helper_table(&count);

	assert_true(count >= 20);
	for (size_t i = 0; i < count; i++) {
		if (i)
			assert_true(rows[i - 1].id < rows[i].id);
		assert_ptr_equal(weir_helper_find(rows[i].id), &rows[i]);
		assert_string_equal(weir_helper_name(rows[i].id), rows[i].name);
	}
	assert_null(weir_helper_find(0));
	assert_null(weir_helper_find(4)); /* probe_read */
	assert_null(weir_helper_find(UINT32_MAX));
}

static void helper_name__every_number(void **state)
{
	assert_string_equal(weir_helper_name(1), "bpf_map_lookup_elem");
	assert_string_equal(weir_helper_name(95), "bpf_sk_fullsock");
	assert_string_equal(weir_helper_name(209), "bpf_user_ringbuf_drain");
	assert_string_equal(weir_helper_name(211), "bpf_cgrp_storage_delete");
	assert_null(weir_helper_name(0));
	assert_null(weir_helper_name(212));
	assert_null(weir_helper_name(UINT32_MAX));
	for (uint32_t id = 1; id <= 211; id++)
		assert_non_null(weir_helper_name(id));
}

/* Loads "call id" and gives Linux's first complaint. */
static void kernel_call_log(uint32_t type, uint32_t id, const char *license, char *log,
			    uint32_t log_bytes)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = (int32_t)id},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = kernel_prog_load(type, 0, license, insns, 3, 0, log, log_bytes);

	if (fd >= 0)
		close(fd);
}

static void helper_types__as_the_kernel(void **state)
{
	static char log[65536];
	size_t count;
	const struct weir_helper *rows = weir_helper_table(&count);

	SKIP_WITHOUT_KERNEL_BPF();
	for (size_t i = 0; i < count; i++)
		for (size_t t = 0; t < WEIR_ARRAY_LEN(types); t++) {
			bool linux_has, ours = rows[i].prog_types & 1U << types[t];

			log[0] = 0;
			kernel_call_log(types[t], rows[i].id, "GPL", log, sizeof(log));
			linux_has =
				!strstr(log, "cannot use helper") && !strstr(log, "unknown func");
			if (linux_has != ours)
				fail_msg("%s, type %u: Linux %s\n%s", rows[i].name, types[t],
					 linux_has ? "has it" : "has it not", log);
		}
}

static void helper_gpl__as_the_kernel(void **state)
{
	static char log[65536];
	size_t count;
	const struct weir_helper *rows = weir_helper_table(&count);

	SKIP_WITHOUT_KERNEL_BPF();
	for (size_t i = 0; i < count; i++) {
		uint32_t type = (uint32_t)__builtin_ctz(rows[i].prog_types);

		log[0] = 0;
		kernel_call_log(type, rows[i].id, "Proprietary", log, sizeof(log));
		if (!!strstr(log, "GPL") != !!(rows[i].flags & WEIR_HELPER_GPL))
			fail_msg("%s: %s", rows[i].name, log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(helper_table__sorted_and_found),
		cmocka_unit_test(helper_name__every_number),
		cmocka_unit_test(helper_types__as_the_kernel),
		cmocka_unit_test(helper_gpl__as_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
