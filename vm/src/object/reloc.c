/* SPDX-License-Identifier: BSD-3-Clause */
/* Relocations of instructions: maps, global data, functions, and what no one here defines. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "btf_int.h"
#include "object_int.h"
#include "weir/base/bits.h"

#define INSN_CALL    (BPF_JMP | BPF_CALL)
#define INSN_LDIMM64 (BPF_LD | BPF_IMM | BPF_DW)

/* What libbpf puts in place of a call that nobody provides; verifiers know its base. */
#define POISON_CALL_KFUNC_BASE 2002000000

struct site {
	struct obj *o;
	const struct obj_func *func;
	const struct obj_rel *rel;
	const struct obj_sym *sym;
	uint32_t insn_idx; /* of the section */
};

#define site_fail(s, err, fmt, ...)                                                \
	obj_fail((s)->o, err, "section '%s': function '%s': instruction %u: " fmt, \
		 (s)->o->secs[(s)->func->sec].name, (s)->func->name,               \
		 (s)->insn_idx - (s)->func->start_insn, __VA_ARGS__)

static int func_target(const struct site *s, uint32_t sec, int64_t insn_idx, const char *name,
		       const struct obj_func **out)
{
	const struct obj_func *f = NULL;

	if (insn_idx >= 0 && sec < s->o->sec_count)
		f = obj_func_at(s->o, sec, (uint64_t)insn_idx);
	if (!f || f->start_insn != insn_idx)
		return site_fail(s, -EINVAL,
				 "call of '%s' at instruction %" PRId64
				 " of section '%s': no function starts there",
				 name, insn_idx,
				 sec < s->o->sec_count ? s->o->secs[sec].name : "?");
	*out = f;
	return 0;
}

static bool is_kconfig(const struct obj *o, const char *name)
{
	uint32_t id = o->plan->btf ? weir_btf_find(o->plan->btf, ".kconfig", BTF_KIND_DATASEC) : 0;
	const struct btf_type *t = weir_btf_type(o->plan->btf, id);

	for (uint32_t i = 0; id && i < BTF_INFO_VLEN(t->info); i++) {
		const struct btf_type *var = weir_btf_type(o->plan->btf, btf_secinfos(t)[i].type);

		if (!strcmp(weir_btf_name(o->plan->btf, var->name_off), name))
			return true;
	}
	return false;
}

/* A symbol that the object leaves to the kernel: weir has neither .kconfig nor .ksyms. */
static int extern_apply(const struct site *s, struct bpf_insn *insn)
{
	bool call = insn->code == INSN_CALL;
	bool kconfig = !call && s->o->plan->btf && is_kconfig(s->o, s->sym->name);

	if (s->sym->bind != STB_WEAK || kconfig)
		return site_fail(s, -ENOTSUP, "extern %s '%s'%s: weir does not provide it%s",
				 call ? "function" : "variable", s->sym->name,
				 kconfig ? " (.kconfig)" : "",
				 kconfig ? "" : "; declare it __weak to find it absent");
	if (call) {
		*insn = (struct bpf_insn){.code = INSN_CALL};
		insn->imm = POISON_CALL_KFUNC_BASE + (int32_t)(s->rel->sym_idx % 1000000);
		return 0;
	}
	insn[0].src_reg = 0;
	insn[0].imm = insn[1].imm = 0;
	return 0;
}

static int call_apply(const struct site *s, struct bpf_insn *insn, struct obj_patch *out)
{
	if (!s->rel) {
		if (insn->src_reg != BPF_PSEUDO_CALL)
			return 0; /* a helper, or for the verifier to refuse */
		return func_target(s, s->func->sec, (int64_t)s->insn_idx + insn->imm + 1,
				   "a function of the section", &out->callee);
	}
	if (s->sym->sec == SHN_UNDEF)
		return extern_apply(s, insn);
	if (insn->src_reg != BPF_PSEUDO_CALL)
		return site_fail(
			s, -EINVAL,
			"relocation against '%s': expected a call of a function (src_reg 1), "
			"found src_reg %u",
			s->sym->name, insn->src_reg);
	if (s->sym->value % 8 || s->sym->value > INT64_MAX / 2)
		return site_fail(s, -EINVAL,
				 "call of '%s': symbol value %" PRIu64
				 " is no instruction's offset",
				 s->sym->name, s->sym->value);
	return func_target(s, s->sym->sec, (int64_t)(s->sym->value / 8) + insn->imm + 1,
			   s->sym->name, &out->callee);
}

static int func_addr_apply(const struct site *s, struct bpf_insn *insn, struct obj_patch *out)
{
	int64_t off = insn->imm;

	if (s->sym->value > INT32_MAX || s->sym->value % 8 || off % 8)
		return site_fail(s, -EINVAL,
				 "address of function '%s' + %" PRId64
				 ": expected whole instructions",
				 s->sym->name, off);
	insn->src_reg = BPF_PSEUDO_FUNC;
	return func_target(s, s->sym->sec, ((int64_t)s->sym->value + off) / 8, s->sym->name,
			   &out->callee);
}

static int data_apply(const struct site *s, struct bpf_insn *insn)
{
	const struct obj_sec *sec = &s->o->secs[s->sym->sec];
	int32_t map = obj_map_at(s->o, s->sym->sec, 0);

	if (map < 0)
		return site_fail(s, -EINVAL, "'%s' is in section '%s', which has no data",
				 s->sym->name, sec->name);
	if (s->sym->value > sec->size_bytes)
		return site_fail(s, -EINVAL,
				 "symbol '%s' at %" PRIu64 " is outside section '%s' of %" PRIu64
				 " bytes",
				 s->sym->name, s->sym->value, sec->name, sec->size_bytes);
	insn[1].imm = (int32_t)((uint32_t)insn[0].imm + (uint32_t)s->sym->value);
	insn[0].src_reg = BPF_PSEUDO_MAP_IDX_VALUE;
	insn[0].imm = map;
	return 0;
}

static int map_apply(const struct site *s, struct bpf_insn *insn)
{
	uint64_t off = s->sym->value + (uint32_t)insn[0].imm;
	int32_t map = obj_map_at(s->o, s->sym->sec, off);

	if (map < 0 || s->o->places.v[map].off != off)
		return site_fail(s, -EINVAL,
				 "reference to '%s' at offset %" PRIu64
				 " of section '%s': no map's definition starts there",
				 s->sym->name, off, s->o->secs[s->sym->sec].name);
	insn[0].src_reg = BPF_PSEUDO_MAP_IDX;
	insn[0].imm = map;
	insn[1].imm = 0;
	return 0;
}

static int ldimm64_apply(const struct site *s, struct bpf_insn *insn, bool has_second,
			 struct obj_patch *out)
{
	if (!s->rel) {
		if (insn->src_reg != BPF_PSEUDO_FUNC)
			return 0;
		return func_target(s, s->func->sec, (int64_t)s->insn_idx + insn->imm + 1,
				   "a function of the section", &out->callee);
	}
	if (!has_second)
		return site_fail(s, -EINVAL,
				 "relocation against '%s': the 16-byte load is cut off by the "
				 "function's end",
				 s->sym->name);
	if (s->sym->sec == SHN_UNDEF)
		return extern_apply(s, insn);
	if (s->sym->sec >= s->o->sec_count)
		return site_fail(s, -EINVAL, "relocation against '%s' in reserved section 0x%x",
				 s->sym->name, s->sym->sec);
	switch (s->o->secs[s->sym->sec].kind) {
	case OBJ_SEC_CODE: return func_addr_apply(s, insn, out);
	case OBJ_SEC_DATA: return data_apply(s, insn);
	case OBJ_SEC_BTF_MAPS:
	case OBJ_SEC_LEGACY_MAPS: return map_apply(s, insn);
	case OBJ_SEC_OTHER: break;
	}
	return site_fail(s, -EINVAL,
			 "reference to '%s' in section '%s': expected a map, a function or data in "
			 ".data, .rodata or .bss",
			 s->sym->name, s->o->secs[s->sym->sec].name);
}

int obj_reloc_apply(struct obj *o, const struct obj_func *func, uint32_t insn_idx,
		    const struct obj_rel *rel, struct bpf_insn *insn, bool has_second,
		    struct obj_patch *out)
{
	struct site s = {.o = o, .func = func, .rel = rel, .insn_idx = insn_idx};
	uint32_t expected = insn->code == INSN_CALL ? R_BPF_64_32 : R_BPF_64_64;

	out->callee = NULL;
	if (rel)
		s.sym = &o->syms[rel->sym_idx];
	if (rel && (insn->code == INSN_CALL || insn->code == INSN_LDIMM64) && rel->type != expected)
		return site_fail(&s, -EINVAL, "relocation against '%s': expected type %u, found %u",
				 s.sym->name, expected, rel->type);
	if (insn->code == INSN_CALL)
		return call_apply(&s, insn, out);
	if (insn->code == INSN_LDIMM64)
		return ldimm64_apply(&s, insn, has_second, out);
	if (rel)
		return site_fail(
			&s, -EINVAL,
			"relocation against '%s': expected a call or a 16-byte load, found "
			"opcode 0x%02x",
			s.sym->name, insn->code);
	return 0;
}
