/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PROG_LOAD: the message → weir_prog_raw on the main thread (descriptors become maps there),
 * verification and compiling on the loader, registration on the main thread again. A failure at
 * any point leaves nothing behind.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define LD_IMM64  (BPF_LD | BPF_IMM | BPF_DW)
#define IDX       5 /* BPF_PSEUDO_MAP_IDX */
#define IDX_VALUE 6
#define LOAD_FLAGS                                                            \
	(BPF_F_STRICT_ALIGNMENT | BPF_F_ANY_ALIGNMENT | BPF_F_TEST_RND_HI32 | \
	 BPF_F_TEST_STATE_FREQ | BPF_F_XDP_HAS_FRAGS | BPF_F_TEST_REG_INVARIANTS)

struct load_job {
	struct job job;
	struct prog_build build;
	struct weir_diag log;
	char *log_buf;
	uint32_t log_level, log_size;
	struct user *user; /* that insns are counted for; the job's client holds it */
	uint32_t insns;
};

static bool type_known(uint32_t type)
{
	return type == BPF_PROG_TYPE_XDP || type == BPF_PROG_TYPE_SCHED_CLS ||
	       type == BPF_PROG_TYPE_SCHED_ACT || type == BPF_PROG_TYPE_SOCKET_FILTER;
}

static int attr_check(struct request *rq)
{
	const union bpf_attr *a = &rq->attr.bpf;

	if (a->prog_flags & ~(uint32_t)LOAD_FLAGS)
		return weir_fail(&rq->diag, -EINVAL,
				 "prog_load: flags 0x%x: expected none but 0x%x", a->prog_flags,
				 (unsigned)LOAD_FLAGS);
	if (!a->insn_cnt || a->insn_cnt > WEIR_MAX_INSNS)
		return weir_fail(&rq->diag, -E2BIG, "prog_load: %u instructions: expected 1 to %d",
				 a->insn_cnt, WEIR_MAX_INSNS);
	if (a->attach_prog_fd || a->attach_btf_id || a->prog_ifindex)
		return weir_fail(&rq->diag, -EINVAL,
				 "prog_load: attach_prog_fd, attach_btf_id and prog_ifindex must "
				 "be 0");
	if (!rq->in.s[WEIR_SEC_INSNS].p ||
	    rq->in.s[WEIR_SEC_INSNS].bytes != a->insn_cnt * sizeof(struct bpf_insn))
		return -EFAULT;
	if (!rq->in.s[WEIR_SEC_LICENSE].p)
		return -EFAULT;
	if (!type_known(a->prog_type))
		return weir_fail(&rq->diag, -EINVAL, "prog_load: prog-type-unsupported: type %u",
				 a->prog_type);
	return 0;
}

int weir_obj_name_copy(char to[16], const char from[16])
{
	size_t n = strnlen(from, 16);

	if (n == 16)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		char ch = from[i];

		if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
		      (ch >= '0' && ch <= '9') || ch == '_' || ch == '.'))
			return -EINVAL;
	}
	memset(to, 0, 16);
	memcpy(to, from, n);
	return 0;
}

int weir_log_attr_check(uint32_t level, uint64_t ptr, uint32_t size)
{
	if (!ptr != !size || (ptr && !level) || level & ~15U || size > UINT32_MAX >> 2)
		return -EINVAL;
	return 0;
}

int weir_log_reply(struct request *rq, uint32_t level, uint32_t size, const struct weir_diag *log,
		   uint32_t *true_size)
{
	size_t keep = log->len_bytes;
	const char *from = log->buf;
	char *room;

	*true_size = (uint32_t)weir_min(log->needed_bytes + 1, (size_t)UINT32_MAX);
	if (!size)
		return 0;
	if (keep > size - 1) {
		keep = size - 1;
		/* Linux keeps the end of a log, which holds the cause, unless asked otherwise. */
		if (!(level & WEIR_LOG_FIXED))
			from += log->len_bytes - keep;
	}
	room = weir_buf_section_room(&rq->out, WEIR_SEC_LOG, keep + 1);
	if (!room)
		return -ENOMEM;
	memcpy(room, from, keep);
	room[keep] = '\0';
	return *true_size > size ? -ENOSPC : 0;
}

int weir_prog_map_use(struct prog_build *b, struct map_obj *m)
{
	struct prog_obj *p = b->prog;
	struct weir_map_ref *ref;

	for (uint32_t i = 0; i < p->map_count; i++)
		if (p->maps[i] == m)
			return (int)i;
	if (p->map_count == WEIR_PROG_MAPS_MAX)
		return -E2BIG;
	ref = &b->raw.maps[p->map_count];
	ref->def = m->map->def;
	if (m->map->def.type == BPF_MAP_TYPE_ARRAY && (m->map->def.flags & BPF_F_RDONLY_PROG) &&
	    m->map->frozen)
		ref->const_values = m->map->values;
	weir_obj_get(&m->obj);
	p->maps[p->map_count++] = m;
	b->raw.map_count = p->map_count;
	return (int)p->map_count - 1;
}

static int slot_of_insn(struct request *rq, const struct bpf_insn *insn, uint32_t idx,
			struct weir_diag *log, uint32_t *slot)
{
	uint32_t n = rq->in.s[WEIR_SEC_FD_ARRAY].bytes / sizeof(*slot);

	if (insn->src_reg == BPF_PSEUDO_MAP_FD || insn->src_reg == BPF_PSEUDO_MAP_VALUE) {
		*slot = (uint32_t)insn->imm;
		return 0;
	}
	if (!rq->attr.bpf.fd_array)
		return weir_fail(log, -EPROTO, "fd_idx without fd_array is invalid\n");
	if ((uint32_t)insn->imm >= n)
		return weir_fail(log, -EFAULT, "insn %u: fd_array has no element %d\n", idx,
				 insn->imm);
	memcpy(slot, rq->in.s[WEIR_SEC_FD_ARRAY].p + (uint32_t)insn->imm * sizeof(*slot),
	       sizeof(*slot));
	return 0;
}

/* Addresses of values in instructions: arrays of one element only, as on Linux. */
static int direct_value_check(const struct weir_map *map, int32_t off, struct weir_diag *log)
{
	if (map->def.type != BPF_MAP_TYPE_ARRAY)
		return weir_fail(log, -EINVAL,
				 "direct value access not supported for this map type\n");
	if (map->def.max_entries != 1)
		return -ENOTSUPP;
	if (off < 0 || (uint32_t)off >= map->def.value_size)
		return weir_fail(log, -EINVAL,
				 "invalid access to map value pointer, value_size=%u off=%d\n",
				 map->def.value_size, off);
	return 0;
}

/* LD_IMM64 by descriptor or index → by index into the program's own maps. */
static int maps_resolve(struct request *rq, struct prog_build *b, struct weir_diag *log)
{
	struct weir_prog_raw *raw = &b->raw;

	for (uint32_t i = 0; i < raw->insn_count; i++) {
		struct bpf_insn *insn = &raw->insns[i];
		struct obj *obj;
		uint32_t slot = WEIR_SLOT_BADF;
		int err;

		if (insn->code != LD_IMM64)
			continue;
		/* Malformed pairs are the verifier's to refuse. */
		if (insn->src_reg == BPF_PSEUDO_MAP_FD || insn->src_reg == IDX) {
			if (i + 1 < raw->insn_count && raw->insns[i + 1].imm)
				return weir_fail(log, -EINVAL,
						 "insn %u: unrecognized bpf_ld_imm64 insn\n", i);
		} else if (insn->src_reg != BPF_PSEUDO_MAP_VALUE && insn->src_reg != IDX_VALUE) {
			i++;
			continue;
		}
		err = slot_of_insn(rq, insn, i, log, &slot);
		if (err)
			return err;
		err = weir_slot_obj(rq->conn, slot, WEIR_OBJECT_MAP, &obj, NULL);
		if (err)
			return weir_fail(log, err, "insn %u: fd is not pointing to valid bpf_map\n",
					 i);
		if (insn->src_reg == BPF_PSEUDO_MAP_VALUE || insn->src_reg == IDX_VALUE)
			err = direct_value_check(
				((struct map_obj *)obj)->map,
				i + 1 < raw->insn_count ? raw->insns[i + 1].imm : 0, log);
		if (err)
			return err;
		err = weir_prog_map_use(b, (struct map_obj *)obj);
		if (err < 0)
			return weir_fail(log, err, "insn %u: more than %d maps\n", i,
					 WEIR_PROG_MAPS_MAX);
		insn->src_reg = insn->src_reg == BPF_PSEUDO_MAP_FD || insn->src_reg == IDX
					? IDX
					: IDX_VALUE;
		insn->imm = err;
		i++;
	}
	return 0;
}

/* Verifier's inputs from the message; what it allocates hangs off the build. */
static int raw_fill(struct request *rq, struct prog_build *b)
{
	const union bpf_attr *a = &rq->attr.bpf;
	struct weir_prog_raw *raw = &b->raw;
	size_t n = rq->in.s[WEIR_SEC_LICENSE].bytes;
	int err;

	raw->type = a->prog_type;
	raw->expected_attach_type = a->expected_attach_type;
	raw->flags = a->prog_flags;
	err = weir_obj_name_copy(raw->name, a->prog_name);
	if (err)
		return err;
	memcpy(raw->license, rq->in.s[WEIR_SEC_LICENSE].p, weir_min(n, sizeof(raw->license) - 1));
	raw->insn_count = a->insn_cnt;
	raw->insns = malloc(a->insn_cnt * sizeof(struct bpf_insn));
	err = weir_prog_build_init(b);
	if (err || !raw->insns)
		return -ENOMEM;
	memcpy(raw->insns, rq->in.s[WEIR_SEC_INSNS].p, a->insn_cnt * sizeof(struct bpf_insn));
	return 0;
}

static int btf_take(struct request *rq, struct prog_build *b)
{
	const union bpf_attr *a = &rq->attr.bpf;
	struct btf_obj *btf;
	struct obj *obj;
	int err;

	if (!a->func_info_cnt && !a->line_info_cnt)
		return 0;
	err = weir_slot_obj(rq->conn, a->prog_btf_fd, WEIR_OBJECT_BTF, &obj, NULL);
	if (err)
		return err;
	btf = (struct btf_obj *)obj;
	if (btf->kernel)
		return -EACCES;
	weir_obj_get(obj);
	b->prog->btf = btf;
	b->raw.btf = btf->btf;
	return 0;
}

static void job_free(struct load_job *lj)
{
	if (lj->user)
		lj->user->insns -= lj->insns;
	weir_prog_build_clear(&lj->build);
	free(lj->log_buf);
	free(lj);
}

static void load_run(struct job *job)
{
	struct load_job *lj = (struct load_job *)job;

	lj->build.verify.cancel = &job->cancel;
	job->result = weir_prog_build(&lj->build, lj->log_level ? &lj->log : NULL);
}

/* Roughly what a program takes: instructions three times, what is known of each, its code. */
static uint64_t prog_bytes(const struct prog_obj *p)
{
	return (uint64_t)p->ok->raw.insn_count *
		       (3 * sizeof(struct bpf_insn) + sizeof(struct weir_insn_aux)) +
	       p->code->image_bytes + p->pp.slots * sizeof(*p->pp.stats) + sizeof(*p);
}

/* The answer, and the object if there is one; main thread. */
static int load_finish(struct load_job *lj, struct request *rq, int result)
{
	struct weir_control *c = rq->conn->control;
	uint32_t true_size = 0;
	struct prog_obj *prog;
	int err;

	if (lj->log_level) {
		err = weir_log_reply(rq, lj->log_level, lj->log_size, &lj->log, &true_size);
		rq->attr.prog_load.log_true_size = true_size;
		if (err)
			result = err;
	}
	if (result) {
		if (lj->build.reject.message[0])
			weir_diag_printf(&rq->diag, "%s [%s]", lj->build.reject.message,
					 lj->build.reject.reason_id ? lj->build.reject.reason_id
								    : "?");
		return result;
	}
	prog = weir_take(lj->build.prog);
	result = weir_prog_register(c, rq->conn->client, prog);
	if (result) {
		weir_prog_obj_free(prog);
		return result;
	}
	result = weir_obj_charge(&prog->obj, prog_bytes(prog));
	if (!result)
		result = weir_token_reply(rq, &prog->obj, TOKEN_READ | TOKEN_WRITE);
	weir_obj_put(&prog->obj);
	return result;
}

static void load_done(struct job *job)
{
	struct load_job *lj = (struct load_job *)job;

	if (job->conn)
		weir_request_finish(job->conn, load_finish(lj, &job->conn->rq, job->result));
	job_free(lj);
}

/* Everything up to the verifier's door; the log gets what is wrong. */
static int load_prepare(struct request *rq, struct load_job *lj)
{
	struct prog_build *b = &lj->build;
	int err;

	err = btf_take(rq, b);
	if (!err && b->raw.btf)
		err = weir_prog_infos_read(rq, b->raw.btf, &b->raw, &lj->log);
	if (!err)
		err = maps_resolve(rq, b, &lj->log);
	return err;
}

static int log_open(struct load_job *lj, const union bpf_attr *a)
{
	if (!a->log_level)
		return 0;
	lj->log_level = a->log_level;
	lj->log_size = a->log_size;
	lj->log_buf = malloc(WEIR_LOG_BYTES_MAX);
	if (!lj->log_buf)
		return -ENOMEM;
	weir_diag_init(&lj->log, lj->log_buf, WEIR_LOG_BYTES_MAX);
	return 0;
}

/* One program always passes, or a limit could make it impossible to load. */
static int insns_charge(struct request *rq, struct load_job *lj)
{
	struct user *user = rq->conn->client->user;
	uint32_t insns = rq->attr.bpf.insn_cnt;

	if (user->insns && user->insns + insns > rq->conn->control->limits.insns) {
		weir_denied(rq->conn->control, rq->conn->client,
			    "more instructions to verify at a time than its limit");
		return -EAGAIN;
	}
	user->insns += insns;
	lj->user = user;
	lj->insns = insns;
	return 0;
}

int weir_cmd_prog_load(struct request *rq)
{
	const union bpf_attr *a = &rq->attr.bpf;
	struct weir_control *c = rq->conn->control;
	struct load_job *lj;
	int err;

	err = attr_check(rq);
	if (err)
		return err;
	lj = calloc(1, sizeof(*lj));
	if (!lj)
		return -ENOMEM;
	lj->job.run = load_run;
	lj->job.done = load_done;
	lj->build.codemem = c->codemem;
	lj->build.slots = c->slots;
	lj->build.verify.log_level = a->log_level & 7;
	err = raw_fill(rq, &lj->build);
	if (!err)
		err = weir_log_attr_check(a->log_level, a->log_buf, a->log_size);
	if (!err)
		err = log_open(lj, a);
	if (!err) {
		err = load_prepare(rq, lj);
		if (err)
			err = load_finish(lj, rq, err); /* the log is part of the answer */
	}
	if (!err)
		err = insns_charge(rq, lj);
	if (!err)
		err = weir_loader_submit(c, &lj->job, rq->conn->client, rq->conn);
	if (!err)
		return REQUEST_ASYNC;
	job_free(lj);
	return err;
}
