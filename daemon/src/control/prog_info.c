/* SPDX-License-Identifier: BSD-3-Clause */
/* Function and line records of PROG_LOAD, by Linux's rules for their sizes and their order. */
#include <errno.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define REC_BYTES_MAX 252

/* Records of rec_bytes each, of which weir knows the first `known`. */
static int recs_check(const struct request *rq, uint32_t section, uint32_t count,
		      uint32_t rec_bytes, uint32_t least, uint32_t known, const char *what,
		      struct weir_diag *log)
{
	const uint8_t *p = rq->in.s[section].p;

	if (rec_bytes < least || rec_bytes > REC_BYTES_MAX || rec_bytes % 4)
		return weir_fail(log, -EINVAL, "invalid %s rec size %u\n", what, rec_bytes);
	if (!p || rq->in.s[section].bytes != (uint64_t)count * rec_bytes)
		return -EFAULT;
	for (uint32_t i = 0; i < count; i++, p += rec_bytes)
		for (uint32_t k = known; k < rec_bytes; k++)
			if (p[k])
				return weir_fail(log, -E2BIG, "nonzero tailing record in %s\n",
						 what);
	return 0;
}

static int funcs_read(const struct request *rq, const struct weir_btf *btf,
		      struct weir_prog_raw *raw, struct weir_diag *log)
{
	const union bpf_attr *a = &rq->attr.bpf;
	const uint8_t *p = rq->in.s[WEIR_SEC_FUNC_INFO].p;
	int err;

	if (!a->func_info_cnt)
		return 0;
	if (a->func_info_cnt > raw->insn_count)
		return weir_fail(log, -EINVAL, "number of funcs in func_info is too large\n");
	err = recs_check(rq, WEIR_SEC_FUNC_INFO, a->func_info_cnt, a->func_info_rec_size, 8, 8,
			 "func info", log);
	if (err)
		return err;
	raw->funcs = calloc(a->func_info_cnt, sizeof(*raw->funcs));
	if (!raw->funcs)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->func_info_cnt; i++, p += a->func_info_rec_size) {
		struct weir_func_info *f = &raw->funcs[i];
		const struct btf_type *t;

		memcpy(&f->insn_idx, p, 4);
		memcpy(&f->type_id, p + 4, 4);
		if (i ? f->insn_idx <= f[-1].insn_idx : f->insn_idx != 0)
			return weir_fail(log, -EINVAL,
					 "func_info[%u]: insn offset %u is out of order\n", i,
					 f->insn_idx);
		t = weir_btf_type(btf, f->type_id);
		if (!t || weir_btf_kind(t) != BTF_KIND_FUNC)
			return weir_fail(log, -EINVAL, "invalid type id %u in func info\n",
					 f->type_id);
	}
	raw->func_count = a->func_info_cnt;
	return 0;
}

static int lines_read(const struct request *rq, struct weir_prog_raw *raw, struct weir_diag *log)
{
	const union bpf_attr *a = &rq->attr.bpf;
	const uint8_t *p = rq->in.s[WEIR_SEC_LINE_INFO].p;
	int err;

	if (!a->line_info_cnt)
		return 0;
	if (a->line_info_cnt > INT32_MAX / 16)
		return -EINVAL;
	err = recs_check(rq, WEIR_SEC_LINE_INFO, a->line_info_cnt, a->line_info_rec_size, 16, 16,
			 "line_info", log);
	if (err)
		return err;
	raw->lines = calloc(a->line_info_cnt, sizeof(*raw->lines));
	if (!raw->lines)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->line_info_cnt; i++, p += a->line_info_rec_size) {
		struct weir_line_info *l = &raw->lines[i];
		struct bpf_line_info rec;

		memcpy(&rec, p, sizeof(rec));
		l->insn_idx = rec.insn_off;
		l->file_off = rec.file_name_off;
		l->line_off = rec.line_off;
		l->line = rec.line_col >> 10;
		l->col = rec.line_col & 0x3ff;
		if (l->insn_idx >= raw->insn_count || (i && l->insn_idx <= l[-1].insn_idx))
			return weir_fail(log, -EINVAL, "Invalid line_info[%u].insn_off:%u\n", i,
					 l->insn_idx);
	}
	raw->line_count = a->line_info_cnt;
	return 0;
}

int weir_prog_infos_read(const struct request *rq, const struct weir_btf *btf,
			 struct weir_prog_raw *raw, struct weir_diag *log)
{
	int err = funcs_read(rq, btf, raw, log);

	return err ? err : lines_read(rq, raw, log);
}
