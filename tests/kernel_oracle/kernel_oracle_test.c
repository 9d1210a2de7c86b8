/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel_oracle.h"

#include <errno.h>
#include <stdio.h>

#include "weir/base/cleanup.h"
#include "weir_test.h"

/* clang-format off */
#define MOV_IMM(dst, value) {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = dst, .imm = value}
#define MOV_REG(dst, src)   {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = dst, .src_reg = src}
#define EXIT		    {.code = BPF_JMP | BPF_EXIT}
/* clang-format on */

static void map_create__refuses_a_hash_without_key(void **state)
{
	struct kernel_oracle_map_def def = {
		.type = BPF_MAP_TYPE_HASH, .value_bytes = 4, .max_entries = 1};
	weir_autoclose int fd = -1;

	assert_int_equal(kernel_oracle_map_create(&def), -EINVAL);
	def.key_bytes = 4;
	fd = kernel_oracle_map_create(&def);
	assert_true(fd >= 0);
}

static int sum_entry(const void *key, const void *value, void *arg)
{
	uint64_t *sums = arg;
	uint32_t k, v;

	memcpy(&k, key, 4);
	memcpy(&v, value, 4);
	sums[0]++;
	sums[1] += k;
	sums[2] += v;
	return 0;
}

static void map_walk__sees_each_entry_once(void **state)
{
	struct kernel_oracle_map_def def = {.name = "a_name_too_long_for_linux",
					    .type = BPF_MAP_TYPE_HASH,
					    .key_bytes = 4,
					    .value_bytes = 4,
					    .max_entries = 100};
	uint64_t sums[3] = {};
	weir_autoclose int fd = -1;

	fd = kernel_oracle_map_create(&def);
	assert_true(fd >= 0);
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t value = i * 3;

		assert_int_equal(kernel_oracle_map_update(fd, &i, &value, BPF_NOEXIST), 0);
	}
	assert_int_equal(kernel_oracle_map_walk(fd, &def, sum_entry, sums), 0);
	assert_int_equal(sums[0], 100);
	assert_int_equal(sums[1], 4950);
	assert_int_equal(sums[2], 14850);
}

static int sum_cpus(const void *key, const void *value, void *arg)
{
	const char *copy = value;

	for (unsigned int cpu = 0; cpu < kernel_oracle_cpu_count(); cpu++, copy += 8)
		*(uint64_t *)arg += *(const uint32_t *)copy;
	return 0;
}

static void map_walk__per_cpu_values_come_rounded_to_eight(void **state)
{
	struct kernel_oracle_map_def def = {.type = BPF_MAP_TYPE_PERCPU_ARRAY,
					    .key_bytes = 4,
					    .value_bytes = 4,
					    .max_entries = 2};
	weir_autofree uint64_t *values = calloc(kernel_oracle_cpu_count(), 8);
	weir_autoclose int fd = -1;
	uint64_t sum = 0;
	uint32_t key = 1;

	fd = kernel_oracle_map_create(&def);
	assert_true(fd >= 0);
	for (unsigned int cpu = 0; cpu < kernel_oracle_cpu_count(); cpu++)
		values[cpu] = cpu + 1;
	assert_int_equal(kernel_oracle_map_lookup_bytes(&def), 8 * kernel_oracle_cpu_count());
	assert_int_equal(kernel_oracle_map_update(fd, &key, values, BPF_ANY), 0);
	assert_int_equal(kernel_oracle_map_walk(fd, &def, sum_cpus, &sum), 0);
	assert_int_equal(sum, kernel_oracle_cpu_count() * (kernel_oracle_cpu_count() + 1) / 2);
}

static void prog_load__a_missing_return_value_is_refused_with_a_log(void **state)
{
	static const struct bpf_insn insns[] = {MOV_IMM(0, XDP_DROP), EXIT};
	char log[4096];
	struct kernel_oracle_prog_def def = {
		.type = BPF_PROG_TYPE_XDP, .log = log, .log_bytes = sizeof(log)};
	weir_autoclose int fd = -1;

	def.insns = insns + 1;
	def.insn_count = 1;
	assert_int_equal(kernel_oracle_prog_load(&def), -EACCES);
	assert_non_null(strstr(log, "R0 !read_ok"));
	def.insns = insns;
	def.insn_count = 2;
	fd = kernel_oracle_prog_load(&def);
	assert_true(fd >= 0);
}

static void prog_load__a_short_log_changes_no_result(void **state)
{
	static const struct bpf_insn insns[] = {MOV_IMM(0, XDP_DROP), EXIT};
	char log[4];
	struct kernel_oracle_prog_def def = {.type = BPF_PROG_TYPE_XDP,
					     .insns = insns,
					     .insn_count = 2,
					     .log = log,
					     .log_bytes = sizeof(log),
					     .log_level = 2};
	weir_autoclose int fd = -1;

	fd = kernel_oracle_prog_load(&def);
	assert_true(fd >= 0);
}

static void prog_load__a_fixup_must_name_a_wide_load(void **state)
{
	static const struct bpf_insn insns[] = {MOV_IMM(0, XDP_DROP), EXIT};
	struct kernel_oracle_fixup fixup = {.insn_idx = 0, .map_fd = 0};
	struct kernel_oracle_prog_def def = {.type = BPF_PROG_TYPE_XDP,
					     .insns = insns,
					     .insn_count = 2,
					     .fixups = &fixup,
					     .fixup_count = 1};

	assert_int_equal(kernel_oracle_prog_load(&def), -EINVAL);
}

/* Grows the packet by nothing, but counts it: a map value's address, patched in, is added to. */
static void prog_run__patched_map_value_is_written(void **state)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1},
		{},
		MOV_IMM(2, 5),
		{.code = BPF_STX | BPF_DW | BPF_ATOMIC, .dst_reg = 1, .src_reg = 2, .imm = BPF_ADD},
		MOV_IMM(0, XDP_TX),
		EXIT,
	};
	struct kernel_oracle_map_def map = {
		.type = BPF_MAP_TYPE_ARRAY, .key_bytes = 4, .value_bytes = 16, .max_entries = 1};
	char frame[64] = "frame", out[128] = "";
	struct kernel_oracle_run run = {.data_in = frame,
					.data_in_bytes = sizeof(frame),
					.data_out = out,
					.data_out_bytes = sizeof(out)};
	weir_autoclose int map_fd = -1, fd = -1;
	uint64_t value[2] = {};
	uint32_t key = 0;

	map_fd = kernel_oracle_map_create(&map);
	assert_true(map_fd >= 0);
	fd = kernel_oracle_prog_load(&(struct kernel_oracle_prog_def){
		.type = BPF_PROG_TYPE_XDP,
		.insns = insns,
		.insn_count = 6,
		.fixup_count = 1,
		.fixups = &(struct kernel_oracle_fixup){
			.map_fd = map_fd, .is_value = true, .value_off = 8}});
	assert_true(fd >= 0);
	assert_int_equal(kernel_oracle_prog_run(fd, &run), 0);
	assert_int_equal(run.retval, XDP_TX);
	assert_int_equal(run.data_out_bytes, sizeof(frame));
	assert_memory_equal(out, frame, sizeof(frame));
	assert_int_equal(kernel_oracle_map_lookup(map_fd, &key, value), 0);
	assert_int_equal(value[0], 0);
	assert_int_equal(value[1], 5);
}

static void prog_run__context_comes_in_and_goes_out(void **state)
{
	/* skb->mark += 1; returns the old mark */
	static const struct bpf_insn insns[] = {
		{.code = BPF_LDX | BPF_W | BPF_MEM,
		 .dst_reg = 0,
		 .src_reg = 1,
		 .off = offsetof(struct __sk_buff, mark)},
		MOV_REG(2, 0),
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = 1},
		{.code = BPF_STX | BPF_W | BPF_MEM,
		 .dst_reg = 1,
		 .src_reg = 2,
		 .off = offsetof(struct __sk_buff, mark)},
		EXIT,
	};
	struct __sk_buff in = {.mark = 41}, out = {};
	char frame[64] = "";
	struct kernel_oracle_run run = {.data_in = frame,
					.data_in_bytes = sizeof(frame),
					.ctx_in = &in,
					.ctx_in_bytes = sizeof(in),
					.ctx_out = &out,
					.ctx_out_bytes = sizeof(out)};
	weir_autoclose int fd = -1;

	fd = kernel_oracle_prog_load(&(struct kernel_oracle_prog_def){
		.type = BPF_PROG_TYPE_SCHED_CLS, .insns = insns, .insn_count = 5});
	assert_true(fd >= 0);
	assert_int_equal(kernel_oracle_prog_run(fd, &run), 0);
	assert_int_equal(run.retval, 41);
	assert_int_equal(out.mark, 42);
}

static void prog_run__a_short_frame_is_refused_and_leaves_outputs(void **state)
{
	static const struct bpf_insn insns[] = {MOV_IMM(0, XDP_DROP), EXIT};
	char frame[64] = "";
	struct kernel_oracle_run run = {.data_in = frame, .data_in_bytes = 13, .retval = 77};
	weir_autoclose int fd = -1;

	fd = kernel_oracle_prog_load(&(struct kernel_oracle_prog_def){
		.type = BPF_PROG_TYPE_XDP, .insns = insns, .insn_count = 2});
	assert_true(fd >= 0);
	assert_int_equal(kernel_oracle_prog_run(fd, &run), -EINVAL);
	assert_int_equal(run.retval, 77);
	run.data_in_bytes = 14;
	assert_int_equal(kernel_oracle_prog_run(fd, &run), 0);
	assert_int_equal(run.retval, XDP_DROP);
}

static void btf_load__garbage_is_refused(void **state)
{
	assert_int_equal(kernel_oracle_btf_load("not BTF at all, but long enough", 32, NULL, 0),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_create__refuses_a_hash_without_key),
		cmocka_unit_test(map_walk__sees_each_entry_once),
		cmocka_unit_test(map_walk__per_cpu_values_come_rounded_to_eight),
		cmocka_unit_test(prog_load__a_missing_return_value_is_refused_with_a_log),
		cmocka_unit_test(prog_load__a_short_log_changes_no_result),
		cmocka_unit_test(prog_load__a_fixup_must_name_a_wide_load),
		cmocka_unit_test(prog_run__patched_map_value_is_written),
		cmocka_unit_test(prog_run__context_comes_in_and_goes_out),
		cmocka_unit_test(prog_run__a_short_frame_is_refused_and_leaves_outputs),
		cmocka_unit_test(btf_load__garbage_is_refused),
	};

	const char *reason = NULL;

	/* Not skip(): cmocka's "not ok # SKIP" is a failure to meson. */
	if (!kernel_oracle_usable(&reason)) {
		printf("1..0 # SKIP %s\n", reason);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
