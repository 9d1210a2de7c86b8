/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PROG_TEST_RUN on the loader thread, in an execution slot that no worker has. The program is held
 * by the job, so its maps and code live as long as the run.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "weir/vm/exec.h"
#include "weir/vm/testrun.h"

struct test_job {
	struct job job;
	struct prog_obj *prog; /* holds */
	struct weir_test_run_in in;
	struct weir_test_run_out out;
	uint8_t *data, *ctx;
	struct {
		uint32_t ifindex, rx_queues;
	} * ports;
	uint32_t port_count;
	char text[256];
	struct weir_diag diag;
};

static void test_trace(void *host, struct weir_exec *exec, const char *line, size_t len)
{
	weir_trace_add(&((struct weir_control *)host)->trace, line, len);
}

static const struct weir_host_ops test_host = {.trace = test_trace};

static void test_run(struct job *job)
{
	struct test_job *tj = (struct test_job *)job;
	struct weir_control *c = job->control;
	struct weir_exec exec;

	weir_exec_init(&exec, c->test_slot, c->slots, c->rcu);
	exec.host_ops = &test_host;
	exec.host = c;
	tj->in.cancel = &job->cancel;
	job->result = weir_test_run(tj->prog->code, &exec, &tj->in, &tj->out, &tj->diag);
}

static int test_finish(struct test_job *tj, struct request *rq)
{
	union bpf_attr *a = &rq->attr.bpf;
	const struct weir_test_run_out *out = &tj->out;

	weir_diag_printf(&rq->diag, "%s", tj->text);
	if (tj->job.result && tj->job.result != -ENOSPC)
		return tj->job.result;
	a->test.retval = out->retval;
	a->test.duration = out->duration_ns;
	a->test.data_size_out = out->data_bytes;
	if (tj->in.want_data_out && out->data)
		weir_buf_section(&rq->out, WEIR_SEC_DATA, out->data, out->data_copied);
	if (tj->in.want_ctx_out) {
		a->test.ctx_size_out = out->ctx_bytes;
		weir_buf_section(&rq->out, WEIR_SEC_CTX, out->ctx, out->ctx_copied);
	}
	return tj->job.result;
}

static void test_free(struct test_job *tj)
{
	weir_test_run_clear(&tj->out);
	weir_obj_put(&tj->prog->obj);
	free(tj->data);
	free(tj->ctx);
	free(tj->ports);
	free(tj);
}

static void test_done(struct job *job)
{
	struct test_job *tj = (struct test_job *)job;

	if (job->conn)
		weir_request_finish(job->conn, test_finish(tj, &job->conn->rq));
	test_free(tj);
}

static int section_copy(const struct request *rq, uint32_t id, uint32_t size, uint8_t **out)
{
	if (!size)
		return 0;
	if (!rq->in.s[id].p || rq->in.s[id].bytes != size)
		return -EFAULT;
	*out = malloc(size);
	if (!*out)
		return -ENOMEM;
	memcpy(*out, rq->in.s[id].p, size);
	return 0;
}

/* The ports as they are now: the loader may not ask the data plane. */
static int ports_snapshot(struct weir_control *c, struct test_job *tj)
{
	uint32_t count = c->plane ? weir_plane_port_count(c->plane) : 0;
	struct weir_plane_port_info info;

	tj->ports = calloc(count + 1, sizeof(*tj->ports));
	if (!tj->ports)
		return -ENOMEM;
	tj->ports[0].ifindex = WEIR_TEST_RUN_IFINDEX;
	tj->ports[0].rx_queues = 1;
	tj->port_count = 1;
	for (uint32_t i = 0; i < count; i++) {
		if (weir_plane_port_info(c->plane, i, &info))
			continue;
		tj->ports[tj->port_count].ifindex = info.ifindex;
		tj->ports[tj->port_count++].rx_queues = info.rx_queues;
	}
	return 0;
}

static uint32_t test_rx_queues(void *arg, uint32_t ifindex)
{
	const struct test_job *tj = arg;

	for (uint32_t i = 0; i < tj->port_count; i++)
		if (tj->ports[i].ifindex == ifindex)
			return tj->ports[i].rx_queues;
	return 0;
}

int weir_cmd_test_run(struct request *rq)
{
	const union bpf_attr *a = &rq->attr.bpf;
	struct test_job *tj;
	struct obj *obj;
	int err;

	if ((a->test.ctx_size_in && !a->test.ctx_in) || (!a->test.ctx_size_in && a->test.ctx_in) ||
	    (a->test.ctx_size_out && !a->test.ctx_out) ||
	    (!a->test.ctx_size_out && a->test.ctx_out))
		return -EINVAL;
	err = weir_slot_obj(rq->conn, a->test.prog_fd, WEIR_OBJECT_PROG, &obj, NULL);
	if (err)
		return err;
	if (a->test.data_size_in > WEIR_BODY_BYTES_MAX || a->test.ctx_size_in > 4096)
		return -EINVAL;
	tj = calloc(1, sizeof(*tj));
	if (!tj)
		return -ENOMEM;
	weir_obj_get(obj);
	tj->prog = (struct prog_obj *)obj;
	tj->job.run = test_run;
	tj->job.done = test_done;
	weir_diag_init(&tj->diag, tj->text, sizeof(tj->text));
	err = section_copy(rq, WEIR_SEC_DATA, a->test.data_size_in, &tj->data);
	if (!err)
		err = section_copy(rq, WEIR_SEC_CTX, a->test.ctx_size_in, &tj->ctx);
	tj->in = (struct weir_test_run_in){
		.prog_type = tj->prog->pp.type,
		.attach_type = tj->prog->ok->raw.expected_attach_type,
		.data = tj->data,
		.data_bytes = a->test.data_size_in,
		.ctx = tj->ctx,
		.ctx_bytes = a->test.ctx_size_in,
		.want_data_out = a->test.data_out != 0,
		.want_ctx_out = a->test.ctx_out != 0,
		.data_out_max = a->test.data_size_out,
		.ctx_out_max = a->test.ctx_size_out,
		.repeat = a->test.repeat,
		.flags = a->test.flags,
		.cpu = a->test.cpu,
		.batch_size = a->test.batch_size,
		.rx_queues = test_rx_queues,
		.arg = tj,
	};
	if (!err)
		err = ports_snapshot(rq->conn->control, tj);
	if (!err)
		err = weir_loader_submit(rq->conn->control, &tj->job, rq->conn->client, rq->conn);
	if (!err)
		return REQUEST_ASYNC;
	test_free(tj);
	return err;
}
