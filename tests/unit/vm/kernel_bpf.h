/* SPDX-License-Identifier: BSD-3-Clause */
/* The running kernel as the oracle: thin wrappers of bpf(2) for tests. */
#ifndef WEIR_TEST_KERNEL_BPF_H
#define WEIR_TEST_KERNEL_BPF_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "weir/vm/bpf.h"

/* The fd of a loaded program, or -errno; log may be NULL. */
static inline int kernel_prog_load(uint32_t type, uint32_t attach_type, const char *license,
				   const struct bpf_insn *insns, uint32_t count, uint32_t flags,
				   char *log, uint32_t log_bytes)
{
	union bpf_attr attr = {
		.prog_type = type,
		.expected_attach_type = attach_type,
		.insns = (uintptr_t)insns,
		.insn_cnt = count,
		.license = (uintptr_t)license,
		.prog_flags = flags,
		.log_buf = (uintptr_t)log,
		.log_size = log ? log_bytes : 0,
		.log_level = log ? 1 : 0,
	};
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

/* TEST_RUN on the kernel: attr's test fields in and out. 0 or -errno. */
static inline int kernel_test_run(union bpf_attr *attr)
{
	return syscall(SYS_bpf, BPF_PROG_TEST_RUN, attr, sizeof(*attr)) < 0 ? -errno : 0;
}

/* NULL if bpf(2) may be used here, else why not. */
static inline const char *kernel_bpf_missing(void)
{
	static char why[96];
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = kernel_prog_load(BPF_PROG_TYPE_XDP, 0, "GPL", insns, 2, 0, NULL, 0);

	if (fd < 0) {
		snprintf(why, sizeof(why), "bpf(2) is refused here: %s", strerror(-fd));
		return why;
	}
	close(fd);
	return NULL;
}

/* cmocka's own skip() reads as a failure in TAP: the case ends, and says why it compared nothing.
 */
#define SKIP_WITHOUT_KERNEL_BPF()                               \
	do {                                                    \
		const char *why_ = kernel_bpf_missing();        \
		if (why_) {                                     \
			print_message("# skipped: %s\n", why_); \
			return;                                 \
		}                                               \
	} while (0)

#endif
