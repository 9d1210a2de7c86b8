/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * .BTF and .BTF.ext: types with the section sizes and variable offsets only the ELF side knows, and
 * the records that tie functions, lines and CO-RE relocations to instructions.
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "btf_int.h"
#include "object_int.h"
#include "weir/base/bits.h"

/* Symbols that may be variables, by name, for the DATASEC fix-up. */
struct var_index {
	const struct obj_sym **v;
	uint32_t count;
};

static int sym_name_cmp(const void *a, const void *b)
{
	const struct obj_sym *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int var_index_build(struct obj *o, struct var_index *idx)
{
	idx->v = weir_arena_calloc(o->scratch, o->sym_count, sizeof(*idx->v));
	if (!idx->v)
		return -ENOMEM;
	for (uint32_t i = 0; i < o->sym_count; i++) {
		const struct obj_sym *s = &o->syms[i];

		if ((s->type == STT_OBJECT || s->type == STT_NOTYPE) && s->bind != STB_LOCAL)
			idx->v[idx->count++] = s;
	}
	qsort(idx->v, idx->count, sizeof(*idx->v), sym_name_cmp);
	return 0;
}

static const struct obj_sym *var_find(const struct var_index *idx, const char *name)
{
	struct obj_sym key_sym = {.name = name};
	const struct obj_sym *key = &key_sym;
	const struct obj_sym **hit =
		bsearch(&key, idx->v, idx->count, sizeof(*idx->v), sym_name_cmp);

	return hit ? *hit : NULL;
}

static int secinfo_cmp(const void *a, const void *b)
{
	const struct btf_var_secinfo *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Compilers leave a section's size and its global variables' offsets 0. */
static int datasec_fix(struct obj *o, struct weir_btf *btf, uint32_t id, const struct obj_sec *s,
		       const struct var_index *idx)
{
	struct btf_type *t = (struct btf_type *)(btf->bytes + btf->type_offs[id]);
	struct btf_var_secinfo *vars = (struct btf_var_secinfo *)(t + 1);
	uint32_t vlen = BTF_INFO_VLEN(t->info);

	if (s->size_bytes > UINT32_MAX)
		return obj_fail(o, -E2BIG, "section '%s': %" PRIu64 " bytes", s->name,
				s->size_bytes);
	t->size = (uint32_t)s->size_bytes;
	btf->sizes[id] = t->size;
	for (uint32_t i = 0; i < vlen; i++) {
		const struct btf_type *var = weir_btf_type(btf, vars[i].type);
		const char *name = weir_btf_name(btf, var->name_off);
		const struct obj_sym *sym;

		if (weir_btf_kind(var) == BTF_KIND_VAR &&
		    weir_load_u32(var + 1) != BTF_VAR_STATIC) {
			sym = var_find(idx, name);
			if (sym && sym->sec == (uint32_t)(s - o->secs) && sym->value <= UINT32_MAX)
				vars[i].offset = (uint32_t)sym->value;
		}
		if ((uint64_t)vars[i].offset + vars[i].size > t->size)
			return obj_fail(
				o, -EINVAL,
				"section '%s': variable '%s' [%u, +%u) is outside its %u bytes",
				s->name, name, vars[i].offset, vars[i].size, t->size);
	}
	qsort(vars, vlen, sizeof(*vars), secinfo_cmp);
	return 0;
}

/* Hidden global functions count as static: they are verified with what their callers know. */
static void hidden_funcs_fix(struct obj *o, struct weir_btf *btf)
{
	for (uint32_t i = 0; i < o->sym_count; i++) {
		const struct obj_sym *sym = &o->syms[i];
		uint32_t id;

		if (sym->type != STT_FUNC || sym->bind == STB_LOCAL ||
		    (sym->visibility != STV_HIDDEN && sym->visibility != STV_INTERNAL))
			continue;
		id = weir_btf_find(btf, sym->name, BTF_KIND_FUNC);
		if (id) {
			struct btf_type *t = (struct btf_type *)(btf->bytes + btf->type_offs[id]);

			t->info = (t->info & ~0xffffU) | BTF_FUNC_STATIC;
		}
	}
}

int obj_btf_read(struct obj *o)
{
	const struct obj_sec *s = obj_sec_find(o, ".BTF");
	struct var_index idx = {0};
	struct weir_btf *btf;
	size_t mark = o->diag ? o->diag->len_bytes : 0;
	int err;

	if (!s || !s->data)
		return 0;
	weir_diag_printf(o->diag, "%s: section '.BTF': ", o->name);
	err = weir_btf_parse(s->data, s->size_bytes, o->diag, &o->plan->btf);
	if (err)
		return err;
	if (o->diag)
		weir_diag_truncate(o->diag, mark);
	btf = o->plan->btf;
	err = var_index_build(o, &idx);
	if (err)
		return err;
	for (uint32_t id = 1; id <= btf->type_count; id++) {
		const struct btf_type *t = weir_btf_type(btf, id);

		if (weir_btf_kind(t) != BTF_KIND_DATASEC)
			continue;
		s = obj_sec_find(o, weir_btf_name(btf, t->name_off));
		err = s && s->size_bytes ? datasec_fix(o, btf, id, s, &idx) : 0;
		if (err)
			return err;
	}
	hidden_funcs_fix(o, btf);
	return 0;
}

/* A bounded slice of .BTF.ext. */
struct slice {
	const uint8_t *p;
	uint64_t left;
};

static int ext_cmp(const void *a, const void *b)
{
	const struct obj_ext *x = a, *y = b;

	return x->insn_idx < y->insn_idx ? -1 : x->insn_idx > y->insn_idx;
}

struct ext_kind {
	const char *name;
	uint32_t min_rec_bytes;
	size_t list_off; /* of the list in struct obj_sec */
};

static const struct ext_kind ext_kinds[] = {
	{"func_info", 8, offsetof(struct obj_sec, funcs)},
	{"line_info", 16, offsetof(struct obj_sec, lines)},
	{"core_relo", 16, offsetof(struct obj_sec, cores)},
};

static int ext_block(struct obj *o, const struct ext_kind *kind, uint32_t rec_bytes,
		     struct slice *in)
{
	const char *name = weir_btf_name(o->plan->btf, weir_load_u32(in->p));
	uint32_t count = weir_load_u32(in->p + 4);
	const struct obj_sec *found = obj_sec_find(o, name);
	struct obj_sec *s = found ? &o->secs[found - o->secs] : NULL;
	struct obj_ext_list *list;

	in->p += 8;
	in->left -= 8;
	if (count > in->left / rec_bytes)
		return obj_fail(o, -EINVAL,
				".BTF.ext %s of '%s': %u records of %u bytes, %" PRIu64
				" bytes left",
				kind->name, name, count, rec_bytes, in->left);
	if (!s || s->kind != OBJ_SEC_CODE)
		goto skip;
	list = (struct obj_ext_list *)((char *)s + kind->list_off);
	if (list->v)
		return obj_fail(o, -EINVAL, ".BTF.ext %s: section '%s' stands there twice",
				kind->name, name);
	list->v = weir_arena_calloc(o->scratch, count, sizeof(*list->v));
	if (!list->v)
		return -ENOMEM;
	list->count = count;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *rec = in->p + (size_t)i * rec_bytes;
		uint32_t off = weir_load_u32(rec);

		if (off % 8 || off >= s->size_bytes)
			return obj_fail(o, -EINVAL,
					".BTF.ext %s of '%s': record %u at instruction offset %u: "
					"expected a multiple of 8 below %" PRIu64,
					kind->name, name, i, off, s->size_bytes);
		list->v[i].insn_idx = off / 8;
		memcpy(list->v[i].words, rec + 4, kind->min_rec_bytes - 4);
	}
	qsort(list->v, count, sizeof(*list->v), ext_cmp);
skip:
	in->p += (size_t)count * rec_bytes;
	in->left -= (uint64_t)count * rec_bytes;
	return 0;
}

static int ext_part(struct obj *o, const struct ext_kind *kind, struct slice in)
{
	uint32_t rec_bytes;
	int err;

	if (!in.left)
		return 0;
	if (in.left < 4)
		return obj_fail(o, -EINVAL, ".BTF.ext %s: %" PRIu64 " bytes", kind->name, in.left);
	rec_bytes = weir_load_u32(in.p);
	in.p += 4;
	in.left -= 4;
	if (rec_bytes < kind->min_rec_bytes || rec_bytes % 4 || rec_bytes > 4096)
		return obj_fail(o, -EINVAL,
				".BTF.ext %s: record size: expected %u or more, found %u",
				kind->name, kind->min_rec_bytes, rec_bytes);
	for (uint32_t blocks = 0; in.left; blocks++) {
		if (blocks == o->sec_count)
			return obj_fail(o, -EINVAL, ".BTF.ext %s: more blocks than sections (%u)",
					kind->name, o->sec_count);
		if (in.left < 8)
			return obj_fail(o, -EINVAL,
					".BTF.ext %s: %" PRIu64 " stray bytes at its end",
					kind->name, in.left);
		err = ext_block(o, kind, rec_bytes, &in);
		if (err)
			return err;
	}
	return 0;
}

int obj_ext_read(struct obj *o)
{
	const struct obj_sec *s = obj_sec_find(o, ".BTF.ext");
	uint32_t hdr_len;

	if (!s || !s->data || !o->plan->btf)
		return 0;
	if (s->size_bytes < 24)
		return obj_fail(o, -EINVAL,
				"section '.BTF.ext': header: expected 24 bytes, found %" PRIu64,
				s->size_bytes);
	if (weir_load_u16(s->data) != BTF_MAGIC || s->data[2] != BTF_VERSION || s->data[3])
		return obj_fail(
			o, -EINVAL,
			"section '.BTF.ext': expected magic 0x%x version 1 flags 0, found 0x%x "
			"%u %u",
			BTF_MAGIC, weir_load_u16(s->data), s->data[2], s->data[3]);
	hdr_len = weir_load_u32(s->data + 4);
	if (hdr_len < 24 || hdr_len > s->size_bytes)
		return obj_fail(o, -EINVAL,
				"section '.BTF.ext': header length: expected 24 to %" PRIu64
				", found %u",
				s->size_bytes, hdr_len);
	for (size_t i = 0; i < WEIR_ARRAY_LEN(ext_kinds) && 16 + 8 * i <= hdr_len; i++) {
		uint64_t off = weir_load_u32(s->data + 8 + 8 * i);
		uint64_t len = weir_load_u32(s->data + 12 + 8 * i);
		int err;

		if (off + len > s->size_bytes - hdr_len)
			return obj_fail(o, -EINVAL,
					"section '.BTF.ext': %s [%" PRIu64 ", +%" PRIu64
					") is outside its %" PRIu64 " bytes",
					ext_kinds[i].name, off, len, s->size_bytes - hdr_len);
		err = ext_part(o, &ext_kinds[i], (struct slice){s->data + hdr_len + off, len});
		if (err)
			return err;
	}
	return 0;
}

static uint32_t lower_bound(const struct obj_ext_list *list, uint64_t insn_idx)
{
	uint32_t lo = 0, hi = list->count;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (list->v[mid].insn_idx < insn_idx)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t obj_ext_range(const struct obj_ext_list *list, uint32_t start, uint32_t count,
		       const struct obj_ext **out)
{
	uint32_t first = lower_bound(list, start);

	*out = list->v + first;
	return lower_bound(list, (uint64_t)start + count) - first;
}
