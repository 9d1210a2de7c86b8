/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Before the system's header: BPF C compiled for this machine. The contexts hold whole addresses
 * here, where Linux's hold 32 bits that its verifier widens.
 */
#ifndef WEIR_BENCH_NATIVE_LINUX_BPF_H
#define WEIR_BENCH_NATIVE_LINUX_BPF_H

#define xdp_md    linux_xdp_md
#define __sk_buff linux_sk_buff
#include_next <linux/bpf.h>
#undef xdp_md
#undef __sk_buff

struct xdp_md {
	unsigned long data;
	unsigned long data_end;
};

struct __sk_buff {
	unsigned long data;
	unsigned long data_end;
};

#endif
