/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The functions behind the helper table, for the table and for rewrite. Each is called by a
 * verified program: pointers are what its prototype promises, every other argument is hostile.
 */
#ifndef WEIR_VM_SRC_HELPERS_H
#define WEIR_VM_SRC_HELPERS_H

#include "weir/vm/helper.h"

#define WEIR_HELPER_FUNC(name)                                                         \
	uint64_t name(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, \
		      struct weir_exec *exec)

#define FN(nm)                                                       WEIR_HELPER_FUNC(weir_hf_##nm);
#define SPECIAL(nm)                                                  /* bound by rewrite */
#define WEIR_HELPER(nm, types, flag_bits, returns, arguments, bound) bound(nm)
#include "helpers.def"
#undef FN
#undef SPECIAL

/* bpf_redirect means different things to the two kinds of programs. */
WEIR_HELPER_FUNC(weir_hf_redirect_xdp);
WEIR_HELPER_FUNC(weir_hf_redirect_skb);

#endif
