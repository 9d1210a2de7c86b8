/* SPDX-License-Identifier: BSD-3-Clause */
#include "../weir_test.h"

#include "kernel_bpf.h"
#include "weir/base/bits.h"
#include "weir/vm/pkt.h"

struct type {
	const char *name;
	uint32_t type, attach_type;
};

static const struct type types[] = {
	{"xdp", BPF_PROG_TYPE_XDP, BPF_XDP},
	{"xdp/devmap", BPF_PROG_TYPE_XDP, BPF_XDP_DEVMAP},
	{"xdp/cpumap", BPF_PROG_TYPE_XDP, BPF_XDP_CPUMAP},
	{"socket", BPF_PROG_TYPE_SOCKET_FILTER, 0},
	{"tc", BPF_PROG_TYPE_SCHED_CLS, 0},
	{"action", BPF_PROG_TYPE_SCHED_ACT, 0},
};

static uint8_t size_code(uint32_t bytes)
{
	return bytes == 1 ? BPF_B : bytes == 2 ? BPF_H : bytes == 4 ? BPF_W : BPF_DW;
}

static bool kernel_accepts(const struct type *t, int off, uint32_t bytes, bool write)
{
	struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2},
		{.code = (uint8_t)((write ? BPF_STX : BPF_LDX) | BPF_MEM | size_code(bytes)),
		 .dst_reg = write ? 1 : 2,
		 .src_reg = write ? 2 : 1,
		 .off = (int16_t)off},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = kernel_prog_load(t->type, t->attach_type, "GPL", insns, 4, 0, NULL, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void ctx_may_access__as_the_kernel(void **state)
{
	int wrong = 0, accepted = 0;

	SKIP_WITHOUT_KERNEL_BPF();
	for (size_t t = 0; t < WEIR_ARRAY_LEN(types); t++)
		for (int off = -8; off <= 208; off++)
			for (uint32_t bytes = 1; bytes <= 8; bytes *= 2)
				for (int write = 0; write < 2; write++) {
					bool linux_ok =
						kernel_accepts(&types[t], off, bytes, write);
					bool ours = weir_ctx_may_access(types[t].type,
									types[t].attach_type, off,
									bytes, write) != NULL;

					accepted += linux_ok;
					if (linux_ok == ours)
						continue;
					wrong++;
					print_message("# %s off %d bytes %u %s: Linux %s\n",
						      types[t].name, off, bytes,
						      write ? "write" : "read",
						      linux_ok ? "accepts" : "rejects");
				}
	assert_int_equal(wrong, 0);
	assert_true(accepted > 200);
}

static void ctx_fields__sorted_apart_and_inside(void **state)
{
	for (size_t t = 0; t < WEIR_ARRAY_LEN(types); t++) {
		size_t count;
		const struct weir_ctx_field *f = weir_ctx_fields(types[t].type, &count);

		assert_non_null(f);
		for (size_t i = 0; i < count; i++) {
			if (i)
				assert_true(f[i].off >= f[i - 1].off + f[i - 1].bytes);
			assert_true(f[i].run_bytes >= 1);
		}
	}
}

static void ctx_fields__unknown_type(void **state)
{
	size_t count;

	assert_null(weir_ctx_fields(BPF_PROG_TYPE_KPROBE, &count));
	assert_null(weir_ctx_may_access(BPF_PROG_TYPE_KPROBE, 0, 0, 4, false));
}

static void ctx_may_access__hostile_sizes(void **state)
{
	assert_null(weir_ctx_may_access(BPF_PROG_TYPE_XDP, 0, 0, 0, false));
	assert_null(weir_ctx_may_access(BPF_PROG_TYPE_XDP, 0, 0, 3, false));
	assert_null(weir_ctx_may_access(BPF_PROG_TYPE_SCHED_CLS, 0, 48, 16, false));
	assert_null(weir_ctx_may_access(BPF_PROG_TYPE_XDP, 0, INT32_MIN, 4, false));
	assert_null(weir_ctx_may_access(BPF_PROG_TYPE_XDP, 0, INT32_MAX & ~3, 4, false));
	assert_non_null(weir_ctx_may_access(BPF_PROG_TYPE_XDP, 0, 0, 4, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ctx_may_access__as_the_kernel),
		cmocka_unit_test(ctx_fields__sorted_apart_and_inside),
		cmocka_unit_test(ctx_fields__unknown_type),
		cmocka_unit_test(ctx_may_access__hostile_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
