/* SPDX-License-Identifier: BSD-3-Clause */
/* Objects nobody's compiler made: an error with a text, or a plan; never more than that. */
#include <elf.h>
#include <errno.h>

#include "object_util.h"

static int parse(const uint8_t *bytes, size_t size, struct weir_diag *diag)
{
	struct weir_plan *plan = NULL;
	int err = weir_object_parse(bytes, size, "bad.o", NULL, diag, &plan);

	if (err) {
		assert_null(plan);
		assert_true(!diag || err == -ENOMEM || diag->len_bytes > 0);
	}
	weir_plan_free(&plan);
	return err;
}

static void object_parse__every_truncation(void **state)
{
	static const char *const names[] = {"tiny.v2.o", "tiny.v3.o", "legacy.v3.o"};

	for (size_t n = 0; n < 3; n++) {
		size_t size;
		uint8_t *bytes = object_bytes(names[n], &size);

		for (size_t len = 0; len < size; len++) {
			WEIR_DIAG_ON_STACK(diag, 512);
			/* A buffer of its own, so that a sanitizer sees a byte read too far. */
			uint8_t *cut = malloc(len + 1);

			memcpy(cut, bytes, len);
			/* The section headers stand at the end: nothing shorter is whole. */
			assert_true(parse(cut, len, &diag) < 0);
			free(cut);
		}
		assert_int_equal(parse(bytes, size, NULL), 0);
		free(bytes);
	}
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void object_parse__random_bit_flips(void **state)
{
	static const char *const names[] = {"tiny.v2.o", "everything.v3.o", "legacy.v3.o",
					    "externs.v3.o"};
	uint64_t seed = 0x5eed;
	uint32_t refused = 0;

	for (size_t n = 0; n < 4; n++) {
		size_t size;
		uint8_t *bytes = object_bytes(names[n], &size);

		for (int round = 0; round < 5000; round++) {
			WEIR_DIAG_ON_STACK(diag, 512);
			uint8_t *bad = malloc(size);
			uint64_t flips = 1 + next_random(&seed) % 8;

			memcpy(bad, bytes, size);
			while (flips--) {
				uint64_t bit = next_random(&seed) % (size * 8);

				bad[bit / 8] ^= (uint8_t)(1U << bit % 8);
			}
			refused += parse(bad, size, &diag) != 0;
			free(bad);
		}
		free(bytes);
	}
	assert_in_range(refused, 100, 19999);
}

/* What a case changes: section headers by name, symbols and relocations by type. */
struct view {
	uint8_t *bytes;
	size_t size;
	Elf64_Ehdr *ehdr;
	Elf64_Shdr *shdrs;
};

static struct view view_of(const char *name)
{
	struct view v;

	v.bytes = object_bytes(name, &v.size);
	v.ehdr = (Elf64_Ehdr *)v.bytes;
	v.shdrs = (Elf64_Shdr *)(v.bytes + v.ehdr->e_shoff);
	return v;
}

static Elf64_Shdr *section(struct view *v, const char *name)
{
	const char *names = (const char *)v->bytes + v->shdrs[v->ehdr->e_shstrndx].sh_offset;

	for (uint32_t i = 0; i < v->ehdr->e_shnum; i++)
		if (!strcmp(names + v->shdrs[i].sh_name, name))
			return &v->shdrs[i];
	fail_msg("no section %s", name);
	return NULL;
}

static Elf64_Sym *symbol(struct view *v, const char *name)
{
	Elf64_Shdr *tab = section(v, ".symtab");
	Elf64_Sym *syms = (Elf64_Sym *)(v->bytes + tab->sh_offset);
	const char *names = (const char *)v->bytes + v->shdrs[tab->sh_link].sh_offset;

	for (uint32_t i = 0; i < tab->sh_size / sizeof(*syms); i++)
		if (!strcmp(names + syms[i].st_name, name))
			return &syms[i];
	fail_msg("no symbol %s", name);
	return NULL;
}

static Elf64_Rel *rels(struct view *v, const char *name)
{
	return (Elf64_Rel *)(v->bytes + section(v, name)->sh_offset);
}

static void expect(struct view *v, int err, const char *text)
{
	WEIR_DIAG_ON_STACK(diag, 512);
	int got = parse(v->bytes, v->size, &diag);

	if (got != err || !strstr(diag.buf, text))
		fail_msg("expected %d '%s', got %d '%s'", err, text, got, diag.buf);
	free(v->bytes);
}

static void object_parse__bad_elf_header(void **state)
{
	struct view v = view_of("tiny.v2.o");

	v.ehdr->e_ident[EI_DATA] = ELFDATA2MSB;
	expect(&v, -ENOEXEC, "byte order");
	v = view_of("tiny.v2.o");
	v.ehdr->e_machine = EM_X86_64;
	expect(&v, -ENOEXEC, "machine");
	v = view_of("tiny.v2.o");
	v.ehdr->e_shoff = UINT64_MAX - 10;
	expect(&v, -EINVAL, "section headers");
	v = view_of("tiny.v2.o");
	v.ehdr->e_shoff -= 4;
	expect(&v, -EINVAL, "multiple of 8");
	v = view_of("tiny.v2.o");
	v.ehdr->e_shnum = 0;
	expect(&v, -EINVAL, "section headers");
	v = view_of("tiny.v2.o");
	v.ehdr->e_shstrndx = 0xfff0;
	expect(&v, -EINVAL, "section names");
	v = view_of("tiny.v2.o");
	v.ehdr->e_ident[0] = 'x';
	expect(&v, -ENOEXEC, "not an ELF");
}

static void object_parse__bad_section_header(void **state)
{
	struct view v = view_of("tiny.v2.o");

	section(&v, "xdp")->sh_size = UINT64_MAX;
	expect(&v, -EINVAL, "outside the object");
	v = view_of("tiny.v2.o");
	section(&v, ".bss")->sh_size = 1ULL << 40;
	expect(&v, -E2BIG, "at most");
	v = view_of("tiny.v2.o");
	section(&v, ".symtab")->sh_entsize = 0;
	expect(&v, -EINVAL, "'.symtab'");
	v = view_of("tiny.v2.o");
	section(&v, ".symtab")->sh_link = 9999;
	expect(&v, -EINVAL, "no string table");
	v = view_of("tiny.v2.o");
	section(&v, ".relxdp")->sh_entsize = 0;
	expect(&v, -EINVAL, "'.relxdp'");
	v = view_of("tiny.v2.o");
	section(&v, ".relxdp")->sh_info = 9999;
	expect(&v, -EINVAL, "relocates section 9999");
	v = view_of("tiny.v2.o");
	section(&v, ".relxdp")->sh_link = 1;
	expect(&v, -EINVAL, "no symbol table");
	v = view_of("tiny.v2.o");
	section(&v, "xdp")->sh_name = 0x7fffffff;
	expect(&v, -EINVAL, "name at");
}

static void object_parse__bad_symbol(void **state)
{
	struct view v = view_of("tiny.v2.o");

	symbol(&v, "tiny")->st_value = 1ULL << 60;
	expect(&v, -EINVAL, "'tiny'");
	v = view_of("tiny.v2.o");
	symbol(&v, "tiny")->st_size = 12;
	expect(&v, -EINVAL, "whole 8-byte instructions");
	v = view_of("tiny.v2.o");
	symbol(&v, "tiny")->st_shndx = 200;
	expect(&v, -EINVAL, "section 200");
	v = view_of("tiny.v2.o");
	symbol(&v, "tiny")->st_name = 0x7fffffff;
	expect(&v, -EINVAL, "name at");
	v = view_of("tiny.v2.o");
	symbol(&v, "calls")->st_value = 4096;
	expect(&v, -EINVAL, "'calls'");
	v = view_of("tiny.v2.o");
	symbol(&v, "cells")->st_value = 8;
	expect(&v, -EINVAL, "cells");
}

static void object_parse__bad_relocation(void **state)
{
	struct view v = view_of("tiny.v2.o");

	rels(&v, ".relxdp")->r_offset = 3;
	expect(&v, -EINVAL, "multiple of 8");
	v = view_of("tiny.v2.o");
	rels(&v, ".relxdp")->r_offset = 1 << 20;
	expect(&v, -EINVAL, "multiple of 8 below");
	v = view_of("tiny.v2.o");
	rels(&v, ".relxdp")->r_info = ELF64_R_INFO(77777, R_BPF_64_64);
	expect(&v, -EINVAL, "symbol 77777");
	v = view_of("tiny.v2.o");
	rels(&v, ".relxdp")->r_offset += 8;
	expect(&v, -EINVAL, "second half");
	v = view_of("tiny.v2.o");
	rels(&v, ".relxdp")->r_offset = 0;
	expect(&v, -EINVAL, "opcode");
	v = view_of("tiny.v2.o");
	rels(&v, ".relxdp")->r_info = ELF64_R_INFO(ELF64_R_SYM(rels(&v, ".relxdp")->r_info), 55);
	expect(&v, -EINVAL, "found 55");
	v = view_of("tiny.v2.o");
	rels(&v, ".relxdp")[1].r_offset = rels(&v, ".relxdp")[0].r_offset;
	expect(&v, -EINVAL, "two relocations");
}

static void object_parse__strong_extern_is_named(void **state)
{
	struct view v = view_of("externs.v3.o");

	symbol(&v, "weir_test_absent")->st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE);
	expect(&v, -ENOTSUP, "extern function 'weir_test_absent'");
}

static void object_parse__maps_need_btf(void **state)
{
	struct view v = view_of("tiny.v2.o");

	section(&v, ".BTF")->sh_type = SHT_NULL;
	section(&v, ".BTF")->sh_size = 0;
	expect(&v, -EINVAL, "compile with -g");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(object_parse__every_truncation),
		cmocka_unit_test(object_parse__random_bit_flips),
		cmocka_unit_test(object_parse__bad_elf_header),
		cmocka_unit_test(object_parse__bad_section_header),
		cmocka_unit_test(object_parse__bad_symbol),
		cmocka_unit_test(object_parse__bad_relocation),
		cmocka_unit_test(object_parse__strong_extern_is_named),
		cmocka_unit_test(object_parse__maps_need_btf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
