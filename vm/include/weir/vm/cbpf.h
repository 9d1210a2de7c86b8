/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Classic BPF (socket filters, what libpcap compiles expressions to) → an eBPF socket filter, which
 * then goes the way of every program: verifier, rewrite, engine.
 */
#ifndef WEIR_VM_CBPF_H
#define WEIR_VM_CBPF_H

#include <linux/filter.h>
#include <stdint.h>

#include "weir/base/diag.h"
#include "weir/vm/prog.h"

#define WEIR_CBPF_MAX_INSNS 4096

/*
 * Converts a filter (borrowed for the call) and fills *out with a program of type SOCKET_FILTER
 * named `name` (cut to fit); the caller owns it (weir_prog_raw_clear). Semantics are Linux's:
 * 32-bit registers, a load outside the packet or a division by X = 0 returns 0. Any thread.
 *
 * 0; -EINVAL (what Linux refuses with it, and the ancillary loads nla, nlan and poff, which weir
 * does not have), with the instruction's number; -ENOMEM. *out is untouched on failure.
 */
int weir_cbpf_convert(const struct sock_filter *filter, uint32_t count, const char *name,
		      struct weir_diag *diag, struct weir_prog_raw *out);

#endif
