/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ELF side. libelf decodes headers; every offset, size, index and string in them is checked
 * here first, so that what follows works on bounded slices only.
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include "object_int.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"

/* .bss takes no bytes in the object, so its size alone bounds nothing. */
#define MAX_NOBITS_BYTES (1ULL << 30)

static void elf_cleanup(Elf **elf)
{
	if (*elf)
		elf_end(*elf);
}

static int header_check(struct obj *o, const uint8_t *bytes, size_t size)
{
	Elf64_Ehdr h;

	if (size < sizeof(h))
		return obj_fail(o, -ENOEXEC,
				"not an ELF object: expected at least %zu bytes, found %zu",
				sizeof(h), size);
	memcpy(&h, bytes, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG))
		return obj_fail(o, -ENOEXEC, "not an ELF object: no ELF magic at its start");
	if (h.e_ident[EI_CLASS] != ELFCLASS64)
		return obj_fail(o, -ENOEXEC, "ELF class: expected 64-bit (2), found %u",
				h.e_ident[EI_CLASS]);
	if (h.e_ident[EI_DATA] != ELFDATA2LSB)
		return obj_fail(
			o, -ENOEXEC,
			"ELF byte order: expected little-endian (1), found %u; compile with "
			"-target bpfel",
			h.e_ident[EI_DATA]);
	if (h.e_machine != EM_BPF)
		return obj_fail(
			o, -ENOEXEC,
			"ELF machine: expected BPF (%u), found %u; compile with -target bpf",
			EM_BPF, h.e_machine);
	if (h.e_type != ET_REL)
		return obj_fail(o, -ENOEXEC,
				"ELF type: expected a relocatable object (%u), found %u", ET_REL,
				h.e_type);
	if (!h.e_shnum || h.e_shentsize != sizeof(Elf64_Shdr))
		return obj_fail(o, -EINVAL,
				"ELF section headers: expected some of %zu bytes, found %u of %u",
				sizeof(Elf64_Shdr), h.e_shnum, h.e_shentsize);
	if (h.e_shoff > size || (size - h.e_shoff) / sizeof(Elf64_Shdr) < h.e_shnum)
		return obj_fail(o, -EINVAL,
				"ELF section headers: %u at offset %" PRIu64
				" end outside the object's %zu bytes",
				h.e_shnum, h.e_shoff, size);
	if (h.e_shoff % 8)
		return obj_fail(
			o, -EINVAL,
			"ELF section headers: expected an offset that is a multiple of 8, found "
			"%" PRIu64,
			h.e_shoff);
	if (h.e_shstrndx >= h.e_shnum)
		return obj_fail(o, -EINVAL, "ELF section names: no section %u, there are %u",
				h.e_shstrndx, h.e_shnum);
	return 0;
}

static int section_read(struct obj *o, Elf *elf, uint32_t idx, const uint8_t *bytes, size_t size)
{
	Elf_Scn *scn = elf_getscn(elf, idx);
	const Elf64_Shdr *h = scn ? elf64_getshdr(scn) : NULL;
	struct obj_sec *s = &o->secs[idx];

	if (!h)
		return obj_fail(o, -EINVAL, "section %u: %s", idx, elf_errmsg(-1));
	s->type = h->sh_type;
	s->flags = h->sh_flags;
	s->link = h->sh_link;
	s->info = h->sh_info;
	s->entsize = h->sh_entsize;
	s->size_bytes = h->sh_size;
	s->name = "";
	if (h->sh_type == SHT_NULL) {
		s->size_bytes = 0;
		return 0;
	}
	if (h->sh_type == SHT_NOBITS) {
		if (h->sh_size > MAX_NOBITS_BYTES)
			return obj_fail(o, -E2BIG, "section %u: %" PRIu64 " bytes, at most %llu",
					idx, h->sh_size, MAX_NOBITS_BYTES);
		return 0;
	}
	if (h->sh_offset > size || h->sh_size > size - h->sh_offset)
		return obj_fail(o, -EINVAL,
				"section %u: [%" PRIu64 ", +%" PRIu64
				") is outside the object's %zu bytes",
				idx, h->sh_offset, h->sh_size, size);
	s->data = bytes + h->sh_offset;
	return 0;
}

static const char *string_at(const struct obj_sec *strtab, uint64_t off)
{
	if (off >= strtab->size_bytes)
		return NULL;
	return (const char *)strtab->data + off;
}

static int strtab_check(struct obj *o, uint32_t idx, const char *what)
{
	const struct obj_sec *s = idx < o->sec_count ? &o->secs[idx] : NULL;

	if (!s || s->type != SHT_STRTAB || !s->data || !s->size_bytes)
		return obj_fail(o, -EINVAL, "%s: section %u is no string table", what, idx);
	if (s->data[s->size_bytes - 1])
		return obj_fail(o, -EINVAL, "%s: string table %u does not end in a zero byte", what,
				idx);
	return 0;
}

static int sections_read(struct obj *o, Elf *elf, const uint8_t *bytes, size_t size)
{
	const Elf64_Ehdr *h = elf64_getehdr(elf);
	int err;

	if (!h)
		return obj_fail(o, -ENOEXEC, "ELF header: %s", elf_errmsg(-1));
	o->sec_count = h->e_shnum;
	o->secs = weir_arena_calloc(o->scratch, o->sec_count, sizeof(*o->secs));
	if (!o->secs)
		return -ENOMEM;
	for (uint32_t i = 0; i < o->sec_count; i++) {
		err = section_read(o, elf, i, bytes, size);
		if (err)
			return err;
	}
	err = strtab_check(o, h->e_shstrndx, "section names");
	if (err)
		return err;
	for (uint32_t i = 1; i < o->sec_count; i++) {
		const Elf64_Shdr *sh = elf64_getshdr(elf_getscn(elf, i));

		o->secs[i].name = string_at(&o->secs[h->e_shstrndx], sh->sh_name);
		if (!o->secs[i].name)
			return obj_fail(o, -EINVAL,
					"section %u: name at %u, there are %" PRIu64
					" bytes of names",
					i, sh->sh_name, o->secs[h->e_shstrndx].size_bytes);
	}
	return 0;
}

static bool is_or_below(const char *name, const char *base)
{
	size_t len = strlen(base);

	return !strncmp(name, base, len) && (!name[len] || name[len] == '.');
}

static void section_classify(struct obj_sec *s)
{
	if (!s->size_bytes)
		return;
	if (s->type == SHT_NOBITS && is_or_below(s->name, ".bss"))
		s->kind = OBJ_SEC_DATA;
	if (s->type != SHT_PROGBITS)
		return;
	if (s->flags & SHF_EXECINSTR)
		s->kind = OBJ_SEC_CODE;
	else if (!strcmp(s->name, ".maps"))
		s->kind = OBJ_SEC_BTF_MAPS;
	else if (!strcmp(s->name, "maps"))
		s->kind = OBJ_SEC_LEGACY_MAPS;
	else if (is_or_below(s->name, ".data") || is_or_below(s->name, ".rodata"))
		s->kind = OBJ_SEC_DATA;
}

static int symbols_read(struct obj *o, uint32_t idx)
{
	const struct obj_sec *s = &o->secs[idx];
	int err;

	if (s->entsize != sizeof(Elf64_Sym) || s->size_bytes % sizeof(Elf64_Sym))
		return obj_fail(o, -EINVAL,
				"section '%s': expected symbols of %zu bytes, found %" PRIu64
				" bytes in entries of %" PRIu64,
				s->name, sizeof(Elf64_Sym), s->size_bytes, s->entsize);
	err = strtab_check(o, s->link, "symbol names");
	if (err)
		return err;
	o->sym_count = (uint32_t)(s->size_bytes / sizeof(Elf64_Sym));
	o->syms = weir_arena_calloc(o->scratch, o->sym_count, sizeof(*o->syms));
	if (!o->syms)
		return -ENOMEM;
	for (uint32_t i = 0; i < o->sym_count; i++) {
		struct obj_sym *sym = &o->syms[i];
		Elf64_Sym raw;

		memcpy(&raw, s->data + i * sizeof(raw), sizeof(raw));
		sym->name = string_at(&o->secs[s->link], raw.st_name);
		if (!sym->name)
			return obj_fail(o, -EINVAL,
					"symbol %u: name at %u, there are %" PRIu64
					" bytes of names",
					i, raw.st_name, o->secs[s->link].size_bytes);
		if (raw.st_shndx >= o->sec_count && raw.st_shndx < SHN_LORESERVE)
			return obj_fail(o, -EINVAL, "symbol %u '%s': section %u, there are %u", i,
					sym->name, raw.st_shndx, o->sec_count);
		sym->value = raw.st_value;
		sym->size_bytes = raw.st_size;
		sym->sec = raw.st_shndx;
		sym->type = ELF64_ST_TYPE(raw.st_info);
		sym->bind = ELF64_ST_BIND(raw.st_info);
		sym->visibility = ELF64_ST_VISIBILITY(raw.st_other);
		if (sym->type == STT_SECTION && sym->sec < o->sec_count)
			sym->name = o->secs[sym->sec].name;
	}
	return 0;
}

static int rel_cmp(const void *a, const void *b)
{
	const struct obj_rel *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

static int rels_check(struct obj *o, const struct obj_sec *s, const struct obj_sec *target)
{
	if (s->type == SHT_RELA)
		return obj_fail(
			o, -ENOTSUP,
			"section '%s': relocations with addends (RELA); BPF objects have REL",
			s->name);
	if (s->entsize != sizeof(Elf64_Rel) || s->size_bytes % sizeof(Elf64_Rel))
		return obj_fail(o, -EINVAL,
				"section '%s': expected relocations of %zu bytes, found %" PRIu64
				" bytes in entries of %" PRIu64,
				s->name, sizeof(Elf64_Rel), s->size_bytes, s->entsize);
	if (s->link >= o->sec_count || o->secs[s->link].type != SHT_SYMTAB)
		return obj_fail(o, -EINVAL, "section '%s': link %u is no symbol table", s->name,
				s->link);
	if (target->rels)
		return obj_fail(o, -EINVAL, "section '%s': '%s' has two relocation sections",
				s->name, target->name);
	return 0;
}

static int rels_read(struct obj *o, const struct obj_sec *s)
{
	struct obj_sec *target = &o->secs[s->info];
	uint32_t count = (uint32_t)(s->size_bytes / sizeof(Elf64_Rel));
	int err;

	err = rels_check(o, s, target);
	if (err || !count)
		return err;
	target->rels = weir_arena_calloc(o->scratch, count, sizeof(*target->rels));
	if (!target->rels)
		return -ENOMEM;
	target->rel_count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct obj_rel *rel = &target->rels[i];
		Elf64_Rel raw;

		memcpy(&raw, s->data + i * sizeof(raw), sizeof(raw));
		rel->off = raw.r_offset;
		rel->sym_idx = (uint32_t)ELF64_R_SYM(raw.r_info);
		rel->type = (uint32_t)ELF64_R_TYPE(raw.r_info);
		if (rel->off % 8 || rel->off >= target->size_bytes)
			return obj_fail(o, -EINVAL,
					"section '%s': relocation %u at offset %" PRIu64
					": expected a multiple of 8 below %" PRIu64,
					s->name, i, rel->off, target->size_bytes);
		if (rel->sym_idx >= o->sym_count)
			return obj_fail(o, -EINVAL,
					"section '%s': relocation %u: symbol %u, there are %u",
					s->name, i, rel->sym_idx, o->sym_count);
	}
	qsort(target->rels, count, sizeof(*target->rels), rel_cmp);
	for (uint32_t i = 1; i < count; i++)
		if (target->rels[i].off == target->rels[i - 1].off)
			return obj_fail(o, -EINVAL,
					"section '%s': two relocations at offset %" PRIu64, s->name,
					target->rels[i].off);
	return 0;
}

static int tables_read(struct obj *o)
{
	int err;

	for (uint32_t i = 1; i < o->sec_count; i++) {
		section_classify(&o->secs[i]);
		if (o->secs[i].type != SHT_SYMTAB)
			continue;
		if (o->syms)
			return obj_fail(o, -EINVAL, "section '%s': a second symbol table",
					o->secs[i].name);
		err = symbols_read(o, i);
		if (err)
			return err;
	}
	if (!o->syms)
		return obj_fail(o, -EINVAL, "no symbol table; do not strip the object");
	for (uint32_t i = 1; i < o->sec_count; i++) {
		const struct obj_sec *s = &o->secs[i];

		if (s->type != SHT_REL && s->type != SHT_RELA)
			continue;
		if (s->info >= o->sec_count)
			return obj_fail(o, -EINVAL,
					"section '%s': relocates section %u, there are %u", s->name,
					s->info, o->sec_count);
		/* Debug information's own relocations change nothing that is read here. */
		if (o->secs[s->info].kind != OBJ_SEC_CODE &&
		    o->secs[s->info].kind != OBJ_SEC_BTF_MAPS)
			continue;
		err = rels_read(o, s);
		if (err)
			return err;
	}
	return 0;
}

int obj_elf_read(struct obj *o, uint8_t *bytes, size_t size_bytes)
{
	weir_cleanup(elf_cleanup) Elf *elf = NULL;
	int err;

	err = header_check(o, bytes, size_bytes);
	if (err)
		return err;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return obj_fail(o, -ENOEXEC, "libelf: %s", elf_errmsg(-1));
	elf = elf_memory((char *)bytes, size_bytes);
	if (!elf)
		return obj_fail(o, -ENOEXEC, "ELF: %s", elf_errmsg(-1));
	err = sections_read(o, elf, bytes, size_bytes);
	return err ? err : tables_read(o);
}

const struct obj_sec *obj_sec_find(const struct obj *o, const char *name)
{
	for (uint32_t i = 1; i < o->sec_count; i++)
		if (!strcmp(o->secs[i].name, name))
			return &o->secs[i];
	return NULL;
}
