/* SPDX-License-Identifier: BSD-3-Clause */
/* BTF_LOAD: parsed and checked by the loader thread, because 16 MiB of it take their time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define BTF_BYTES_MAX (16U << 20)
#define BTF_LOG_BYTES (64U << 10)

struct btf_job {
	struct job job;
	uint8_t *bytes;
	size_t size;
	struct weir_btf *btf;
	uint32_t log_level, log_size;
	struct weir_diag log;
	char log_buf[BTF_LOG_BYTES];
};

static void btf_run(struct job *job)
{
	struct btf_job *bj = (struct btf_job *)job;

	job->result = weir_btf_parse(bj->bytes, bj->size, &bj->log, &bj->btf);
}

static int btf_finish(struct btf_job *bj, struct request *rq)
{
	struct weir_control *c = rq->conn->control;
	struct btf_obj *obj;
	uint32_t true_size = 0;
	int result = bj->job.result, err;

	if (bj->log_level) {
		err = weir_log_reply(rq, bj->log_level, bj->log_size, &bj->log, &true_size);
		rq->attr.btf_load.log_true_size = true_size;
		if (err)
			result = err;
	}
	if (result) {
		weir_diag_printf(&rq->diag, "%s", bj->log_buf);
		return result;
	}
	obj = calloc(1, sizeof(*obj));
	if (!obj)
		return -ENOMEM;
	result = weir_registry_add(c, &obj->obj, WEIR_OBJECT_BTF, rq->conn->client);
	if (result) {
		free(obj);
		return result;
	}
	obj->btf = weir_take(bj->btf);
	result = weir_obj_charge(&obj->obj, 2 * bj->size + sizeof(*obj)); /* bytes and index */
	if (!result)
		result = weir_token_reply(rq, &obj->obj, TOKEN_READ | TOKEN_WRITE);
	weir_obj_put(&obj->obj);
	return result;
}

static void btf_done(struct job *job)
{
	struct btf_job *bj = (struct btf_job *)job;

	if (job->conn)
		weir_request_finish(job->conn, btf_finish(bj, &job->conn->rq));
	weir_btf_free(&bj->btf);
	free(bj->bytes);
	free(bj);
}

int weir_cmd_btf_load(struct request *rq)
{
	const union bpf_attr *a = &rq->attr.bpf;
	size_t size = rq->in.s[WEIR_SEC_BTF].bytes;
	struct btf_job *bj;
	int err;

	if (rq->attr.btf_load.flags || rq->attr.btf_load.token_fd)
		return -EINVAL;
	if (a->btf_size > BTF_BYTES_MAX)
		return -E2BIG;
	err = weir_log_attr_check(a->btf_log_level, a->btf_log_buf, a->btf_log_size);
	if (err)
		return err;
	if (a->btf_size && (!rq->in.s[WEIR_SEC_BTF].p || size != a->btf_size))
		return -EFAULT;
	bj = calloc(1, sizeof(*bj));
	if (!bj)
		return -ENOMEM;
	bj->job.run = btf_run;
	bj->job.done = btf_done;
	bj->log_level = a->btf_log_level;
	bj->log_size = a->btf_log_size;
	weir_diag_init(&bj->log, bj->log_buf, sizeof(bj->log_buf));
	bj->size = size;
	bj->bytes = malloc(size ? size : 1);
	err = bj->bytes ? 0 : -ENOMEM;
	if (!err) {
		if (size)
			memcpy(bj->bytes, rq->in.s[WEIR_SEC_BTF].p, size);
		err = weir_loader_submit(rq->conn->control, &bj->job, rq->conn->client, rq->conn);
	}
	if (!err)
		return REQUEST_ASYNC;
	free(bj->bytes);
	free(bj);
	return err;
}
