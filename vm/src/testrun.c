/* SPDX-License-Identifier: BSD-3-Clause */
#include "testrun.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weir/base/bits.h"

int test_ctx_in(const struct weir_test_run_in *in, void *ctx, uint32_t max_bytes, bool *has_ctx,
		struct weir_diag *diag)
{
	const uint8_t *bytes = in->ctx;

	memset(ctx, 0, max_bytes);
	*has_ctx = in->ctx || in->want_ctx_out;
	if (in->ctx_bytes > TEST_PAGE_BYTES)
		return weir_fail(diag, -E2BIG, "test run: context of %u bytes, at most %u",
				 in->ctx_bytes, TEST_PAGE_BYTES);
	for (uint32_t i = max_bytes; i < in->ctx_bytes; i++)
		if (bytes[i])
			return weir_fail(
				diag, -E2BIG,
				"test run: context byte %u is set, only %u bytes are known", i,
				max_bytes);
	if (in->ctx_bytes)
		memcpy(ctx, in->ctx, weir_min(in->ctx_bytes, max_bytes));
	return 0;
}

uint32_t test_rx_queues(const struct weir_test_run_in *in, uint32_t ifindex)
{
	if (in->rx_queues)
		return in->rx_queues(in->arg, ifindex);
	return ifindex == WEIR_TEST_RUN_IFINDEX ? 1 : 0;
}

int test_repeat(const struct weir_code *code, struct weir_exec *exec, void *ctx,
		const struct weir_test_run_in *in, struct weir_test_run_out *out)
{
	uint32_t repeat = in->repeat ? in->repeat : 1;
	struct weir_rcu *rcu = exec->rcu;
	uint64_t start, spent;
	int err = 0;

	if (rcu)
		rcu->ops->online(rcu, exec->slot);
	start = weir_exec_clock_monotonic(exec);
	for (uint32_t i = 0; i < repeat && !err; i++) {
		exec->abort_cause = WEIR_ABORT_NONE;
		exec->redirect = (struct weir_redirect){0};
		out->retval = (uint32_t)weir_code_run(code, ctx, exec);
		if (rcu)
			rcu->ops->quiescent(rcu, exec->slot);
		if (in->cancel && __atomic_load_n(in->cancel, __ATOMIC_RELAXED))
			err = -EINTR;
	}
	spent = (weir_exec_clock_monotonic(exec) - start) / repeat;
	if (rcu)
		rcu->ops->offline(rcu, exec->slot);
	out->duration_ns = (uint32_t)weir_min(spent, (uint64_t)UINT32_MAX);
	out->abort_cause = exec->abort_cause;
	out->redirect = exec->redirect;
	return err;
}

static int finish_data(const struct weir_test_run_in *in, const struct test_result *r,
		       struct weir_test_run_out *out)
{
	uint32_t size = r->head_bytes + r->rest_bytes, copy = size, head;
	int err = 0;

	if (in->data_out_max && copy > in->data_out_max) {
		copy = in->data_out_max;
		err = -ENOSPC;
	}
	out->data_bytes = size;
	if (!in->want_data_out)
		return err;
	out->data = malloc(weir_max(copy, 1U));
	if (!out->data)
		return -ENOMEM;
	/* Linux's rule for packets in fragments that do not fit: the first segment gives way. */
	head = copy - r->rest_bytes;
	memcpy(out->data, r->head, head);
	if (copy > head)
		memcpy(out->data + head, r->rest, copy - head);
	out->data_copied = copy;
	return err;
}

int test_finish(const struct weir_test_run_in *in, const struct test_result *r,
		struct weir_test_run_out *out)
{
	int err = finish_data(in, r, out);

	if (err || !r->ctx || !in->want_ctx_out)
		return err;
	out->ctx_bytes = r->ctx_bytes;
	out->ctx_copied = weir_min(r->ctx_bytes, in->ctx_out_max);
	memcpy(out->ctx, r->ctx, out->ctx_copied);
	return out->ctx_copied < r->ctx_bytes ? -ENOSPC : 0;
}

void weir_test_run_clear(struct weir_test_run_out *out)
{
	free(out->data);
	*out = (struct weir_test_run_out){0};
}

static int in_check(const struct weir_test_run_in *in, struct weir_diag *diag)
{
	if (!in->ctx != !in->ctx_bytes)
		return weir_fail(diag, -EINVAL, "test run: context and its size do not agree");
	if (in->want_ctx_out != !!in->ctx_out_max)
		return weir_fail(diag, -EINVAL,
				 "test run: room for a context and its size do not agree");
	if (in->flags)
		return weir_fail(diag, -EINVAL, "test run: unsupported flags 0x%x", in->flags);
	if (in->batch_size)
		return weir_fail(diag, -EINVAL, "test run: batch size without live frames");
	if (in->data_bytes < TEST_ETH_BYTES || !in->data)
		return weir_fail(diag, -EINVAL, "test run: packet of %u bytes, at least %u",
				 in->data_bytes, TEST_ETH_BYTES);
	return 0;
}

int weir_test_run(const struct weir_code *code, struct weir_exec *exec,
		  const struct weir_test_run_in *in, struct weir_test_run_out *out,
		  struct weir_diag *diag)
{
	struct weir_test_run_out result = {0};
	int err = in_check(in, diag);

	if (err)
		return err;
	switch (in->prog_type) {
	case BPF_PROG_TYPE_XDP: err = test_run_xdp(code, exec, in, &result, diag); break;
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
	case BPF_PROG_TYPE_SOCKET_FILTER: err = test_run_skb(code, exec, in, &result, diag); break;
	default:
		return weir_fail(diag, -EINVAL, "test run: programs of type %u cannot be run",
				 in->prog_type);
	}
	/* Only a result that says how large the packet is has been filled. */
	if (!err || (err == -ENOSPC && result.data_bytes))
		*out = result;
	else
		weir_test_run_clear(&result);
	return err;
}
