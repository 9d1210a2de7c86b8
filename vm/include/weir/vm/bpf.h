/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Linux's BPF numbers: the system's <linux/bpf.h>, and what is newer than the oldest one weir
 * builds with (Debian 12: 6.1). Source of the values: RFC 9669 and Linux 6.18's user API.
 */
#ifndef WEIR_VM_BPF_H
#define WEIR_VM_BPF_H

#include <linux/bpf.h>
#include <linux/bpf_common.h>

#ifndef BPF_MEMSX
#define BPF_MEMSX 0x80 /* sign-extending load mode */
#endif
#ifndef BPF_JCOND
#define BPF_JCOND 0xe0 /* may_goto */
#endif
#ifndef BPF_MAY_GOTO
#define BPF_MAY_GOTO 0
#endif
#ifndef BPF_LOAD_ACQ
#define BPF_LOAD_ACQ 0x100 /* atomic mode: load-acquire */
#endif
#ifndef BPF_STORE_REL
#define BPF_STORE_REL 0x110 /* atomic mode: store-release */
#endif
#ifndef BPF_F_XDP_DEV_BOUND_ONLY
#define BPF_F_XDP_DEV_BOUND_ONLY (1U << 6)
#endif
#ifndef BPF_F_TEST_REG_INVARIANTS
#define BPF_F_TEST_REG_INVARIANTS (1U << 7)
#endif

#define WEIR_MAX_REGS         11  /* R0..R10 */
#define WEIR_STACK_BYTES      512 /* of a program, and of a chain of calls */
#define WEIR_MAX_FRAMES       8
#define WEIR_MAX_TAIL_CALLS   33
#define WEIR_MAX_INSNS        1000000 /* of a program, and processed by the verifier */
#define WEIR_MAX_INSNS_UNPRIV 4096
#define WEIR_MAX_LOOPS        (8 * 1024 * 1024) /* bpf_loop's nr_loops, Linux's BPF_MAX_LOOPS */

#endif
