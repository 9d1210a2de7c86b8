/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions of the code sections, and which of them are programs. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "object_int.h"
#include "weir/base/bits.h"

static int func_cmp(const void *a, const void *b)
{
	const struct obj_func *x = a, *y = b;

	if (x->sec != y->sec)
		return x->sec < y->sec ? -1 : 1;
	return x->start_insn < y->start_insn ? -1 : x->start_insn > y->start_insn;
}

static bool is_func(const struct obj *o, const struct obj_sym *sym)
{
	return sym->type == STT_FUNC && sym->sec < o->sec_count &&
	       o->secs[sym->sec].kind == OBJ_SEC_CODE;
}

static int func_read(struct obj *o, const struct obj_sym *sym, struct obj_func *f)
{
	const struct obj_sec *s = &o->secs[sym->sec];
	bool global = sym->bind != STB_LOCAL;

	if (sym->value % 8 || sym->size_bytes % 8 || !sym->size_bytes)
		return obj_fail(o, -EINVAL,
				"section '%s': function '%s' at offset %" PRIu64 " of %" PRIu64
				" bytes: expected whole 8-byte instructions",
				s->name, sym->name, sym->value, sym->size_bytes);
	if (sym->value > s->size_bytes || sym->size_bytes > s->size_bytes - sym->value)
		return obj_fail(o, -EINVAL,
				"section '%s': function '%s' [%" PRIu64 ", +%" PRIu64
				") is outside the section's %" PRIu64 " bytes",
				s->name, sym->name, sym->value, sym->size_bytes, s->size_bytes);
	if (s->size_bytes / 8 > INT32_MAX)
		return obj_fail(o, -E2BIG, "section '%s': %" PRIu64 " bytes of code", s->name,
				s->size_bytes);
	f->name = sym->name;
	f->sec = sym->sec;
	f->start_insn = (uint32_t)(sym->value / 8);
	f->insn_count = (uint32_t)(sym->size_bytes / 8);
	/* Functions of .text and static ones are only called; the rest are programs. */
	f->prog_idx = global && strcmp(s->name, ".text") ? 0 : -1;
	f->hidden = global && (sym->visibility == STV_HIDDEN || sym->visibility == STV_INTERNAL);
	return 0;
}

static int overlaps_check(struct obj *o)
{
	for (uint32_t i = 1; i < o->func_count; i++) {
		const struct obj_func *a = &o->funcs[i - 1], *b = &o->funcs[i];

		if (a->sec == b->sec && b->start_insn - a->start_insn < a->insn_count)
			return obj_fail(
				o, -EINVAL,
				"section '%s': functions '%s' and '%s' overlap at instruction %u",
				o->secs[a->sec].name, a->name, b->name, b->start_insn);
	}
	return 0;
}

static int prog_init(struct obj *o, const struct obj_func *f, struct weir_plan_prog *p)
{
	const char *section = o->secs[f->sec].name;

	p->autoload = section[0] != '?';
	p->section = weir_arena_strdup(o->plan->arena, section + !p->autoload);
	p->name = weir_arena_strdup(o->plan->arena, f->name);
	if (!p->section || !p->name)
		return -ENOMEM;
	/* An unknown section leaves type 0: whoever loads the program says so, others may go on. */
	(void)weir_section_parse(section, &p->raw.type, &p->raw.expected_attach_type,
				 &p->raw.flags);
	snprintf(p->raw.name, sizeof(p->raw.name), "%.*s", (int)sizeof(p->raw.name) - 1, f->name);
	snprintf(p->raw.license, sizeof(p->raw.license), "%s", o->plan->license);
	p->raw.btf = o->plan->btf;
	return 0;
}

int obj_funcs_read(struct obj *o)
{
	uint32_t progs = 0;
	int err;

	for (uint32_t i = 0; i < o->sym_count; i++)
		o->func_count += is_func(o, &o->syms[i]);
	o->funcs = weir_arena_calloc(o->scratch, o->func_count, sizeof(*o->funcs));
	if (!o->funcs)
		return -ENOMEM;
	for (uint32_t i = 0, n = 0; i < o->sym_count; i++) {
		if (!is_func(o, &o->syms[i]))
			continue;
		err = func_read(o, &o->syms[i], &o->funcs[n++]);
		if (err)
			return err;
	}
	qsort(o->funcs, o->func_count, sizeof(*o->funcs), func_cmp);
	err = overlaps_check(o);
	if (err)
		return err;
	for (uint32_t i = 0; i < o->func_count; i++)
		if (o->funcs[i].prog_idx >= 0)
			o->funcs[i].prog_idx = (int32_t)progs++;
	o->plan->progs = weir_arena_calloc(o->plan->arena, progs, sizeof(*o->plan->progs));
	if (!o->plan->progs)
		return -ENOMEM;
	o->plan->prog_count = progs;
	for (uint32_t i = 0; i < o->func_count; i++) {
		const struct obj_func *f = &o->funcs[i];

		err = f->prog_idx < 0 ? 0 : prog_init(o, f, &o->plan->progs[f->prog_idx]);
		if (err)
			return err;
	}
	return 0;
}

const struct obj_func *obj_func_at(const struct obj *o, uint32_t sec, uint64_t insn_idx)
{
	uint32_t lo = 0, hi = o->func_count;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const struct obj_func *f = &o->funcs[mid];

		if (f->sec < sec || (f->sec == sec && f->start_insn <= insn_idx))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	const struct obj_func *f = &o->funcs[lo - 1];

	return f->sec == sec && insn_idx - f->start_insn < f->insn_count ? f : NULL;
}
