/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program is its entry function with every function it reaches appended once, in the order the
 * calls are met going depth first. Calls are relative to the new places; function and line records
 * move along.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "object_int.h"
#include "weir/base/bits.h"
#include "weir/vm/bpf.h"

/* An object may hold many programs that all call the same large functions. */
#define MAX_TOTAL_INSNS (16U * WEIR_MAX_INSNS)

#define NOT_APPENDED UINT32_MAX

/* A function being relocated: which instruction comes next. */
struct frame {
	const struct obj_func *func;
	uint32_t base; /* of the function in the program */
	uint32_t next;
	uint32_t next_rel;
};

struct assembly {
	struct obj *o;
	WEIR_VEC(struct bpf_insn) insns;
	WEIR_VEC(struct frame) frames;
	WEIR_VEC(struct weir_func_info) funcs;
	WEIR_VEC(struct weir_line_info) lines;
	uint32_t *places; /* by function: where it was appended */
	uint32_t part_count;
	bool funcs_complete; /* every part so far has a record at its start */
	bool lines_complete;
};

static int records_append(struct assembly *a, const struct obj_func *f, uint32_t base)
{
	const struct obj_sec *s = &a->o->secs[f->sec];
	const struct weir_btf *btf = a->o->plan->btf;
	const struct obj_ext *r;
	uint32_t count = obj_ext_range(&s->funcs, f->start_insn, f->insn_count, &r);

	if (!count || r->insn_idx != f->start_insn) {
		a->funcs_complete = false;
	} else {
		const struct btf_type *t = weir_btf_type(btf, r->words[0]);
		struct weir_func_info info = {.insn_idx = base, .type_id = r->words[0]};

		if (!t || weir_btf_kind(t) != BTF_KIND_FUNC)
			return obj_fail(a->o, -EINVAL,
					".BTF.ext func_info of '%s': type %u is no function",
					f->name, info.type_id);
		if (weir_vec_push(&a->funcs, info))
			return -ENOMEM;
	}
	count = obj_ext_range(&s->lines, f->start_insn, f->insn_count, &r);
	if (!count || r->insn_idx != f->start_insn)
		a->lines_complete = false;
	for (uint32_t i = 0; i < count; i++) {
		struct weir_line_info line = {
			.insn_idx = r[i].insn_idx - f->start_insn + base,
			.file_off = r[i].words[0],
			.line_off = r[i].words[1],
			.line = r[i].words[2] >> 10,
			.col = r[i].words[2] & 0x3ff,
		};

		/* Two records of one instruction: the first stays, as Linux wants them rising. */
		if (a->lines.len && a->lines.v[a->lines.len - 1].insn_idx == line.insn_idx)
			continue;
		if (weir_vec_push(&a->lines, line))
			return -ENOMEM;
	}
	return 0;
}

static int func_append(struct assembly *a, const struct obj_func *f)
{
	struct obj *o = a->o;
	const struct obj_sec *s = &o->secs[f->sec];
	struct frame frame = {.func = f, .base = (uint32_t)a->insns.len};
	uint32_t lo = 0, hi = s->rel_count;
	int err;

	o->total_insns += f->insn_count;
	if (a->insns.len + f->insn_count > WEIR_MAX_INSNS || o->total_insns > MAX_TOTAL_INSNS)
		return obj_fail(
			o, -E2BIG,
			"function '%s' of %u instructions does not fit: at most %u a program, "
			"%u an object",
			f->name, f->insn_count, WEIR_MAX_INSNS, MAX_TOTAL_INSNS);
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->rels[mid].off / 8 < f->start_insn)
			lo = mid + 1;
		else
			hi = mid;
	}
	frame.next_rel = lo;
	err = records_append(a, f, frame.base);
	if (err)
		return err;
	if (weir_vec_reserve(&a->insns, f->insn_count) || weir_vec_push(&a->frames, frame))
		return -ENOMEM;
	memcpy(a->insns.v + a->insns.len, s->data + (size_t)f->start_insn * 8,
	       (size_t)f->insn_count * 8);
	a->insns.len += f->insn_count;
	err = obj_core_apply(o, f, a->insns.v + frame.base);
	if (err)
		return err;
	a->places[f - o->funcs] = frame.base;
	a->part_count++;
	return 0;
}

/* Relocates one instruction of the innermost frame; may push a frame for a callee. */
static int insn_step(struct assembly *a)
{
	struct frame *fr = &a->frames.v[a->frames.len - 1];
	const struct obj_func *f = fr->func;
	const struct obj_sec *s = &a->o->secs[f->sec];
	uint32_t insn_idx = f->start_insn + fr->next;
	uint32_t at = fr->base + fr->next;
	struct bpf_insn *insn = &a->insns.v[at];
	bool wide = insn->code == (BPF_LD | BPF_IMM | BPF_DW);
	const struct obj_rel *rel = NULL;
	struct obj_patch patch;
	int err;

	/* Skips relocations that point into a 16-byte load's second half: refused below. */
	if (fr->next_rel < s->rel_count && s->rels[fr->next_rel].off / 8 == insn_idx)
		rel = &s->rels[fr->next_rel++];
	else if (fr->next_rel < s->rel_count && s->rels[fr->next_rel].off / 8 < insn_idx)
		return obj_fail(
			a->o, -EINVAL,
			"section '%s': function '%s': relocation at instruction %llu: it is the "
			"second half of a 16-byte load",
			s->name, f->name,
			(unsigned long long)s->rels[fr->next_rel].off / 8 - f->start_insn);
	err = obj_reloc_apply(a->o, f, insn_idx, rel, insn, fr->next + 1 < f->insn_count, &patch);
	if (err)
		return err;
	fr->next += wide ? 2 : 1;
	if (!patch.callee)
		return 0;
	if (a->places[patch.callee - a->o->funcs] == NOT_APPENDED) {
		err = func_append(a, patch.callee); /* moves insns and frames */
		if (err)
			return err;
	}
	a->insns.v[at].imm = (int32_t)a->places[patch.callee - a->o->funcs] - (int32_t)at - 1;
	return 0;
}

static int assembly_run(struct assembly *a, const struct obj_func *entry)
{
	int err = func_append(a, entry);

	while (!err && a->frames.len) {
		const struct frame *fr = &a->frames.v[a->frames.len - 1];

		if (fr->next >= fr->func->insn_count)
			a->frames.len--;
		else
			err = insn_step(a);
	}
	return err;
}

/* Verifiers see every map of the plan; frozen data is constant for them. */
static int maps_fill(struct obj *o, struct weir_prog_raw *raw)
{
	raw->maps = calloc(o->maps.len ? o->maps.len : 1, sizeof(*raw->maps));
	if (!raw->maps)
		return -ENOMEM;
	raw->map_count = (uint32_t)o->maps.len;
	for (uint32_t i = 0; i < raw->map_count; i++) {
		const struct weir_plan_map *m = &o->maps.v[i];

		raw->maps[i].def = m->def;
		if (m->freeze && m->def.flags & BPF_F_RDONLY_PROG)
			raw->maps[i].const_values = m->data;
	}
	return 0;
}

static void assembly_hand_over(struct assembly *a, struct weir_prog_raw *raw)
{
	raw->insns = a->insns.v;
	raw->insn_count = (uint32_t)a->insns.len;
	a->insns.v = NULL;
	/* Half of the records is of no use: Linux wants one for every function. */
	if (a->funcs_complete && a->funcs.len == a->part_count) {
		raw->funcs = a->funcs.v;
		raw->func_count = (uint32_t)a->funcs.len;
		a->funcs.v = NULL;
	}
	if (a->lines_complete && raw->funcs) {
		raw->lines = a->lines.v;
		raw->line_count = (uint32_t)a->lines.len;
		a->lines.v = NULL;
	}
}

int obj_prog_assemble(struct obj *o, const struct obj_func *func)
{
	struct assembly a = {
		.o = o, .funcs_complete = o->plan->btf, .lines_complete = o->plan->btf};
	struct weir_prog_raw *raw = &o->plan->progs[func->prog_idx].raw;
	int err = -ENOMEM;

	a.places = malloc(o->func_count * sizeof(*a.places));
	if (a.places) {
		memset(a.places, 0xff, o->func_count * sizeof(*a.places));
		err = assembly_run(&a, func);
	}
	if (!err)
		err = maps_fill(o, raw);
	if (!err)
		assembly_hand_over(&a, raw);
	free(a.places);
	weir_vec_free(&a.insns);
	weir_vec_free(&a.frames);
	weir_vec_free(&a.funcs);
	weir_vec_free(&a.lines);
	return err;
}
