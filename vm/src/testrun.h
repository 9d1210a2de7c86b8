/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside TEST_RUN: what the kinds of programs share. */
#ifndef WEIR_VM_SRC_TESTRUN_H
#define WEIR_VM_SRC_TESTRUN_H

#include "weir/vm/testrun.h"

/* Linux's buffer: one page, with the head and tail room its own structures take. */
#define TEST_PAGE_BYTES    4096
#define TEST_TAILROOM      320 /* struct skb_shared_info */
#define TEST_XDP_HEADROOM  256
#define TEST_XDP_FRAME     40 /* of the headroom: struct xdp_frame */
#define TEST_SKB_HEADROOM  64
#define TEST_XDP_FRAGS_MAX 17
#define TEST_ETH_BYTES     14

struct test_result {
	const uint8_t *head;
	uint32_t head_bytes;
	const uint8_t *rest;
	uint32_t rest_bytes;
	const void *ctx; /* NULL: the caller has none */
	uint32_t ctx_bytes;
};

/*
 * The context that the caller gave, cut or filled up with zeroes to max_bytes at ctx.
 * 0, -EINVAL, -E2BIG. *has_ctx tells whether one is given or wanted.
 */
int test_ctx_in(const struct weir_test_run_in *in, void *ctx, uint32_t max_bytes, bool *has_ctx,
		struct weir_diag *diag);
/* How many RX queues ifindex has; 0: none such. */
uint32_t test_rx_queues(const struct weir_test_run_in *in, uint32_t ifindex);
/* Runs code repeat times; sets out's retval, duration, abort cause and redirect. 0 or -EINTR. */
int test_repeat(const struct weir_code *code, struct weir_exec *exec, void *ctx,
		const struct weir_test_run_in *in, struct weir_test_run_out *out);
/* Copies the result into out by the caller's limits. 0, -ENOSPC, -ENOMEM. */
int test_finish(const struct weir_test_run_in *in, const struct test_result *result,
		struct weir_test_run_out *out);

int test_run_xdp(const struct weir_code *code, struct weir_exec *exec,
		 const struct weir_test_run_in *in, struct weir_test_run_out *out,
		 struct weir_diag *diag);
int test_run_skb(const struct weir_code *code, struct weir_exec *exec,
		 const struct weir_test_run_in *in, struct weir_test_run_out *out,
		 struct weir_diag *diag);

#endif
