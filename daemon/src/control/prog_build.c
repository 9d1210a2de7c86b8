/* SPDX-License-Identifier: BSD-3-Clause */
/* raw → ok → low → code, and the registration of the result. */
#include <errno.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "weir/vm/helper.h"
#include "weir/vm/interp.h"
#include "weir/vm/rewrite.h"

bool weir_license_is_gpl(const char *license)
{
	static const char *const names[] = {
		"GPL",          "GPL v2",       "GPL and additional rights",
		"Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"};

	for (size_t i = 0; i < WEIR_ARRAY_LEN(names); i++)
		if (!strcmp(license, names[i]))
			return true;
	return false;
}

void weir_prog_tag(const struct bpf_insn *insns, uint32_t count, uint8_t tag[8])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	bool second = false;
	SHA2_CTX ctx;

	SHA256Init(&ctx);
	for (uint32_t i = 0; i < count; i++) {
		struct bpf_insn insn = insns[i];

		/* Which map it is differs from load to load: both halves' numbers are left out. */
		if (second) {
			insn.imm = 0;
			second = false;
		} else if (insn.code == (BPF_LD | BPF_IMM | BPF_DW) &&
			   (insn.src_reg == BPF_PSEUDO_MAP_IDX ||
			    insn.src_reg == BPF_PSEUDO_MAP_IDX_VALUE)) {
			insn.src_reg = insn.src_reg == BPF_PSEUDO_MAP_IDX ? BPF_PSEUDO_MAP_FD
									  : BPF_PSEUDO_MAP_VALUE;
			insn.imm = 0;
			second = true;
		}
		SHA256Update(&ctx, (const uint8_t *)&insn, sizeof(insn));
	}
	SHA256Final(digest, &ctx);
	memcpy(tag, digest, 8);
}

int weir_prog_build_init(struct prog_build *b)
{
	b->raw.maps = calloc(WEIR_PROG_MAPS_MAX, sizeof(*b->raw.maps));
	b->prog = calloc(1, sizeof(*b->prog));
	if (b->prog)
		b->prog->maps = calloc(WEIR_PROG_MAPS_MAX, sizeof(struct map_obj *));
	return b->raw.maps && b->prog && b->prog->maps ? 0 : -ENOMEM;
}

void weir_prog_build_clear(struct prog_build *b)
{
	weir_prog_raw_clear(&b->raw);
	if (b->prog)
		weir_prog_obj_free(b->prog);
	b->prog = NULL;
}

/* A helper that only ever answers "not found", if the program calls one. */
static const char *stub_of(const struct weir_prog_raw *raw)
{
	for (uint32_t i = 0; i < raw->insn_count; i++) {
		const struct bpf_insn *insn = &raw->insns[i];
		const struct weir_helper *h;

		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
			i++;
			continue;
		}
		if (insn->code != (BPF_JMP | BPF_CALL) || insn->src_reg)
			continue;
		h = weir_helper_find((uint32_t)insn->imm);
		if (h && h->flags & WEIR_HELPER_HIDDEN_STUB)
			return h->name;
	}
	return NULL;
}

static int code_make(struct prog_build *b, struct weir_diag *log)
{
	struct prog_obj *p = b->prog;
	int err = -ENOTSUP;

	if (b->codemem) {
		err = weir_jit_compile(p->low, b->codemem, NULL, log, &p->code);
		p->jited = !err;
		/* A full reservation or a machine without a backend: slower, but right. */
		if (err && err != -ENOTSUP && err != -ENOSPC)
			return err;
	}
	return err ? weir_interp_bind(p->low, &p->code) : 0;
}

static int stats_make(struct prog_build *b)
{
	size_t bytes = sizeof(struct weir_plane_prog_stats) * b->slots;

	b->prog->pp.stats = aligned_alloc(64, bytes);
	if (!b->prog->pp.stats)
		return -ENOMEM;
	memset(b->prog->pp.stats, 0, bytes);
	b->prog->pp.slots = b->slots;
	return 0;
}

int weir_prog_build(struct prog_build *b, struct weir_diag *log)
{
	struct prog_obj *p = b->prog;
	struct weir_map *instances[WEIR_PROG_MAPS_MAX];
	uint64_t start = weir_clock_ns(), verified;
	int err;

	weir_prog_tag(b->raw.insns, b->raw.insn_count, p->tag);
	p->gpl_compatible = weir_license_is_gpl(b->raw.license);
	err = weir_verify(&b->raw, &b->verify, log, &b->stats, &b->reject, &p->ok);
	if (err)
		return err;
	p->stub = stub_of(&p->ok->raw);
	verified = weir_clock_ns();
	p->verify_ns = verified - start;
	for (uint32_t i = 0; i < p->map_count; i++)
		instances[i] = p->maps[i]->map;
	err = weir_rewrite(p->ok, instances, NULL, log, &p->low);
	if (!err)
		err = code_make(b, log);
	if (!err)
		err = stats_make(b);
	p->jit_ns = weir_clock_ns() - verified;
	return err;
}

static void plane_hold(struct weir_plane_prog *pp)
{
	weir_obj_get(&weir_container_of(pp, struct prog_obj, pp)->obj);
}

static void plane_release(struct weir_plane_prog *pp)
{
	weir_obj_put(&weir_container_of(pp, struct prog_obj, pp)->obj);
}

int weir_prog_register(struct weir_control *c, struct client *client, struct prog_obj *p)
{
	const struct weir_prog_raw *raw = &p->ok->raw;
	int err;

	p->pp.type = raw->type;
	p->pp.expected_attach_type = raw->expected_attach_type;
	p->pp.has_frags = raw->flags & BPF_F_XDP_HAS_FRAGS;
	memcpy(p->pp.name, raw->name, sizeof(p->pp.name));
	p->pp.code = p->code;
	p->pp.hold = plane_hold;
	p->pp.release = plane_release;
	for (uint32_t i = 0; i < p->map_count; i++)
		if (p->maps[i]->progs &&
		    !weir_prog_array_compatible(p->maps[i], p->pp.type, p->pp.has_frags))
			return -EINVAL;
	err = weir_registry_add(c, &p->obj, WEIR_OBJECT_PROG, client);
	if (err)
		return err;
	p->pp.id = p->obj.id;
	for (uint32_t i = 0; i < p->map_count; i++)
		p->maps[i]->obj.inner++;
	return 0;
}
