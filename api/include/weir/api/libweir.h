/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libweir: bpf(2) spoken to weird instead of the kernel.
 *
 * Any thread; every thread has its own connection, made on first use to $WEIR_SOCKET, else
 * /run/weir/control.sock. After fork() a child makes its own; descriptors stay valid in it.
 */
#ifndef WEIR_API_LIBWEIR_H
#define WEIR_API_LIBWEIR_H

#ifdef __cplusplus
extern "C" {
#endif

union bpf_attr;

/*
 * As bpf(2): the return value, errno, what is written to attr and the memory it points to, and
 * descriptors (close-on-exec; usable with close, dup, fork and SCM_RIGHTS) are what Linux's would
 * be. Not as bpf(2): ENOENT or ECONNREFUSED where no weird answers; EPERM where it refuses this
 * user; ESTALE for a descriptor made by a weird that has been restarted since; ECONNRESET where
 * weird went away during the call. Per-CPU values are those of the host's possible CPUs.
 */
int weir_bpf(int cmd, union bpf_attr *attr, unsigned int size);

#ifdef __cplusplus
}
#endif

#endif
