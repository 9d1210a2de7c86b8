/* SPDX-License-Identifier: BSD-3-Clause */
#include "elf_main.h"

#include <errno.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "weir/base/bits.h"
#include "weir/base/vec.h"
#include "weir/vm/bpf.h"

#ifndef R_BPF_64_32
#define R_BPF_64_32 10
#endif

struct object {
	Elf *elf;
	size_t text_idx; /* section index */
	struct bpf_insn *insns;
	uint32_t insn_count;
	Elf_Data *symbols;
	size_t symbol_count;
	size_t strings_idx;
	uint32_t main_start; /* instructions */
	uint32_t main_end;
	uint32_t *call_target; /* per instruction: where a local call goes */
};

static int find_sections(struct object *o, struct weir_diag *diag)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(o->elf, scn))) {
		GElf_Shdr sh;
		Elf_Data *data = elf_getdata(scn, NULL);

		if (!gelf_getshdr(scn, &sh))
			return weir_fail(diag, -EINVAL, "broken section header");
		if (sh.sh_type == SHT_SYMTAB && data && sh.sh_entsize) {
			o->symbols = data;
			o->symbol_count = sh.sh_size / sh.sh_entsize;
			o->strings_idx = sh.sh_link;
		}
		if (sh.sh_type != SHT_PROGBITS || !(sh.sh_flags & SHF_EXECINSTR) || !sh.sh_size)
			continue;
		if (o->insns)
			return weir_fail(diag, -EINVAL, "more than one executable section");
		if (!data || !data->d_buf || sh.sh_size % sizeof(struct bpf_insn))
			return weir_fail(diag, -EINVAL,
					 "section of %llu bytes holds no instructions",
					 (unsigned long long)sh.sh_size);
		o->text_idx = elf_ndxscn(scn);
		o->insns = data->d_buf;
		o->insn_count = (uint32_t)(sh.sh_size / sizeof(struct bpf_insn));
	}
	if (!o->insns || !o->symbols)
		return weir_fail(diag, -EINVAL, "no executable section or no symbols");
	return 0;
}

/* main reaches to the next function, or to the section's end. */
static int find_main(struct object *o, struct weir_diag *diag)
{
	uint64_t start = UINT64_MAX, end = o->insn_count * sizeof(struct bpf_insn);
	GElf_Sym sym;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < o->symbol_count; i++) {
			const char *name;

			if (!gelf_getsym(o->symbols, (int)i, &sym) || sym.st_shndx != o->text_idx ||
			    GELF_ST_TYPE(sym.st_info) != STT_FUNC)
				continue;
			name = elf_strptr(o->elf, o->strings_idx, sym.st_name);
			if (!pass && name && !strcmp(name, "main"))
				start = sym.st_value;
			if (pass && sym.st_value > start && sym.st_value < end)
				end = sym.st_value;
		}
	}
	if (start >= end || start % sizeof(struct bpf_insn) || end % sizeof(struct bpf_insn))
		return weir_fail(diag, -EINVAL, "no function 'main' in the executable section");
	o->main_start = (uint32_t)(start / sizeof(struct bpf_insn));
	o->main_end = (uint32_t)(end / sizeof(struct bpf_insn));
	return 0;
}

static bool is_local_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

/* A relocated call's symbol, plus what the immediate counts from it, is its target. */
static int apply_relocation(struct object *o, const GElf_Rel *rel, struct weir_diag *diag)
{
	uint64_t at = rel->r_offset / sizeof(struct bpf_insn);
	struct bpf_insn *insn;
	GElf_Sym sym;
	int64_t target;

	if (GELF_R_TYPE(rel->r_info) != R_BPF_64_32 || rel->r_offset % sizeof(*insn) ||
	    at >= o->insn_count || !is_local_call(&o->insns[at]))
		return weir_fail(diag, -EINVAL,
				 "relocation at offset %llu: only local calls can be",
				 (unsigned long long)rel->r_offset);
	insn = &o->insns[at];
	if (!gelf_getsym(o->symbols, (int)GELF_R_SYM(rel->r_info), &sym) ||
	    sym.st_shndx != o->text_idx)
		return weir_fail(diag, -EINVAL, "insn %llu calls what is not in the section",
				 (unsigned long long)at);
	target = (int64_t)(sym.st_value / sizeof(*insn)) + insn->imm + 1;
	if (target < 0 || target >= o->insn_count)
		return weir_fail(diag, -EINVAL, "insn %llu calls beyond the section",
				 (unsigned long long)at);
	o->call_target[at] = (uint32_t)target;
	return 0;
}

static int resolve_calls(struct object *o, struct weir_diag *diag)
{
	Elf_Scn *scn = NULL;

	for (uint32_t i = 0; i < o->insn_count; i++)
		o->call_target[i] = (uint32_t)((int64_t)i + 1 + o->insns[i].imm);
	while ((scn = elf_nextscn(o->elf, scn))) {
		GElf_Shdr sh;
		Elf_Data *data = elf_getdata(scn, NULL);
		GElf_Rel rel;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_REL || sh.sh_info != o->text_idx)
			continue;
		for (int i = 0; data && gelf_getrel(data, i, &rel); i++) {
			int err = apply_relocation(o, &rel, diag);

			if (err)
				return err;
		}
	}
	return 0;
}

/* Where an instruction goes when main's block moves to the front. */
static uint32_t moved(const struct object *o, uint32_t idx)
{
	if (idx >= o->main_start && idx < o->main_end)
		return idx - o->main_start;
	return idx < o->main_start ? idx + (o->main_end - o->main_start) : idx;
}

static int put_in_order(const struct object *o, struct bytes *out)
{
	struct bpf_insn *to;

	if (weir_vec_reserve(out, o->insn_count * sizeof(*to)))
		return -ENOMEM;
	to = (struct bpf_insn *)out->v;
	out->len = o->insn_count * sizeof(*to);
	for (uint32_t i = 0; i < o->insn_count; i++) {
		uint32_t at = moved(o, i);

		to[at] = o->insns[i];
		if (is_local_call(&to[at]) && o->call_target[i] < o->insn_count)
			to[at].imm = (int32_t)(moved(o, o->call_target[i]) - at - 1);
	}
	return 0;
}

int elf_main(struct bytes *file, struct weir_diag *diag)
{
	struct object o = {0};
	struct bytes insns = {0};
	GElf_Ehdr eh;
	int err;

	elf_version(EV_CURRENT);
	o.elf = elf_memory((char *)file->v, file->len);
	if (!o.elf || !gelf_getehdr(o.elf, &eh) || eh.e_type != ET_REL || eh.e_machine != EM_BPF) {
		elf_end(o.elf);
		return weir_fail(diag, -EINVAL, "no relocatable BPF object file");
	}
	err = find_sections(&o, diag);
	if (!err)
		err = find_main(&o, diag);
	if (!err) {
		o.call_target = calloc(o.insn_count, sizeof(*o.call_target));
		err = o.call_target ? resolve_calls(&o, diag) : -ENOMEM;
	}
	if (!err)
		err = put_in_order(&o, &insns);
	elf_end(o.elf);
	free(o.call_target);
	if (err)
		return err;
	weir_vec_free(file);
	*file = insns;
	return 0;
}
