/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BPF_PROG_TEST_RUN: one packet through a program, with the rules of Linux 6.18 for sizes, contexts
 * in and out, truncation and errors. Engine-neutral; used by the daemon, offline tools and
 * differential tests.
 */
#ifndef WEIR_VM_TESTRUN_H
#define WEIR_VM_TESTRUN_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/base/diag.h"
#include "weir/vm/bpf.h"
#include "weir/vm/exec.h"
#include "weir/vm/prog.h"

#define WEIR_TEST_RUN_IFINDEX 1 /* the virtual test port: what packets come from by default */

/* Buffers are borrowed for the call. A pointer and its size are both zero or both not. */
struct weir_test_run_in {
	uint32_t prog_type;   /* enum bpf_prog_type */
	uint32_t attach_type; /* expected_attach_type of the program */
	const void *data;     /* the packet, from the L2 header */
	uint32_t data_bytes;
	const void *ctx; /* struct xdp_md or __sk_buff, shorter or longer with zeroes behind */
	uint32_t ctx_bytes;
	bool want_data_out;
	bool want_ctx_out;
	uint32_t data_out_max; /* attr's data_size_out; 0: no limit */
	uint32_t ctx_out_max;  /* attr's ctx_size_out */
	uint32_t repeat;       /* 0 means 1 */
	uint32_t flags;        /* BPF_F_TEST_*: none is supported */
	uint32_t cpu;
	uint32_t batch_size;
	/* How many RX queues the interface has; 0: there is none of that index. NULL: only the
	 * test port exists, with one queue. */
	uint32_t (*rx_queues)(void *arg, uint32_t ifindex);
	void *arg;
	const bool *cancel; /* read atomically between runs; true: -EINTR. NULL: none */
};

struct weir_test_run_out {
	uint32_t retval;
	uint32_t duration_ns; /* per run, wall time */
	uint32_t
		data_bytes; /* the packet's size after the run; what attr's data_size_out becomes */
	uint32_t ctx_bytes; /* what attr's ctx_size_out becomes, if a context was wanted */
	uint8_t *data;      /* owned: weir_test_run_clear */
	uint32_t data_copied; /* bytes in data: at most data_out_max */
	uint8_t ctx[sizeof(struct __sk_buff)];
	uint32_t ctx_copied;
	uint32_t abort_cause;          /* enum weir_abort of the last run */
	struct weir_redirect redirect; /* of the last run */
};

/*
 * Runs code `repeat` times on the packet, which each run finds as the one before left it. The
 * caller's exec is used and must be RCU-offline (it is online while running, quiescent between
 * runs). Any thread that owns exec.
 *
 * 0; -ENOSPC: the packet or context did not fit, out is filled with what did (but for
 * data_out_max below what lies behind the first segment: out is untouched then, as on Linux);
 * else out is untouched: -EINVAL (sizes, flags, context fields), -E2BIG (context with bytes set
 * beyond what is known), -ENODEV (no such interface), -ENOMEM, -EINTR (cancelled).
 */
int weir_test_run(const struct weir_code *code, struct weir_exec *exec,
		  const struct weir_test_run_in *in, struct weir_test_run_out *out,
		  struct weir_diag *diag);
void weir_test_run_clear(struct weir_test_run_out *out);

#endif
