/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CO-RE: records that say "this immediate is the offset (size, existence, …) of that field"; here
 * they are worked out again for the target's types. What the target lacks becomes 0 where the
 * question was whether it is there, and else a call that no verifier accepts, so that programs may
 * carry dead code for other targets.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "btf_int.h"
#include "object_int.h"
#include "weir/base/bits.h"
#include "weir/vm/bpf.h"

#define MAX_ACCESS       64
#define MAX_LOOKUP_STEPS 65536
#define POISON_CALL      195896080 /* libbpf's, which Linux's verifier log explains */

enum core_kind { /* as Linux numbers them (enum bpf_core_relo_kind) */
		 FIELD_BYTE_OFFSET,
		 FIELD_BYTE_SIZE,
		 FIELD_EXISTS,
		 FIELD_SIGNED,
		 FIELD_LSHIFT_U64,
		 FIELD_RSHIFT_U64,
		 TYPE_ID_LOCAL,
		 TYPE_ID_TARGET,
		 TYPE_EXISTS,
		 TYPE_SIZE,
		 ENUMVAL_EXISTS,
		 ENUMVAL_VALUE,
		 TYPE_MATCHES,
		 CORE_KIND_COUNT,
};

/* A field, type or enum value found in one side's BTF. */
struct spot {
	const struct weir_btf *btf;
	uint32_t root_id;
	uint32_t type_id; /* of the field */
	uint64_t bit_off; /* from the root */
	uint32_t bits;    /* of a bit-field, else 0 */
	uint64_t enum_value;
};

/* How the local side gets there; anonymous members are left out. */
struct step {
	const char *name; /* NULL: array element */
	uint32_t index;
	uint32_t local_type; /* of the member */
};

struct path {
	struct step steps[MAX_ACCESS];
	uint32_t count;
	const char *enum_name;
};

static const char *type_name(const struct weir_btf *btf, uint32_t id)
{
	const struct btf_type *t = weir_btf_type(btf, id);

	return t ? weir_btf_name(btf, t->name_off) : "";
}

/* A name up to its flavour ("task_struct___old"). */
static size_t essential_len(const char *name)
{
	const char *cut = strstr(name, "___");

	return cut && cut > name ? (size_t)(cut - name) : strlen(name);
}

static bool same_essence(const char *a, const char *b)
{
	return essential_len(a) == essential_len(b) && !strncmp(a, b, essential_len(a));
}

static int access_parse(const char *text, uint32_t *out, uint32_t *count)
{
	*count = 0;
	for (;;) {
		char *end;
		unsigned long v = strtoul(text, &end, 10);

		if (end == text || *count == MAX_ACCESS || v > UINT32_MAX)
			return -EINVAL;
		out[(*count)++] = (uint32_t)v;
		if (!*end)
			return 0;
		if (*end != ':')
			return -EINVAL;
		text = end + 1;
	}
}

/* One index further from the spot; adds the step unless the member has no name. */
static int local_step(struct spot *at, uint32_t index, struct path *path)
{
	uint32_t id;
	const struct btf_type *t = weir_btf_skip_mods(at->btf, at->type_id, &id);
	const struct btf_member *m;

	if (t && weir_btf_kind(t) == BTF_KIND_ARRAY) {
		at->type_id = btf_array_of(t)->type;
		at->bit_off += (uint64_t)index * (uint64_t)weir_btf_size(at->btf, at->type_id) * 8;
		path->steps[path->count++] = (struct step){NULL, index, at->type_id};
		return 0;
	}
	if (!t || (weir_btf_kind(t) != BTF_KIND_STRUCT && weir_btf_kind(t) != BTF_KIND_UNION) ||
	    index >= BTF_INFO_VLEN(t->info))
		return -EINVAL;
	m = btf_members(t) + index;
	at->type_id = m->type;
	at->bit_off += btf_member_bit_off(t, m);
	at->bits = btf_member_bits(t, m);
	if (m->name_off)
		path->steps[path->count++] =
			(struct step){weir_btf_name(at->btf, m->name_off), 0, m->type};
	return 0;
}

static uint64_t enum_row(const struct btf_type *t, uint32_t i, uint32_t *name_off)
{
	bool wide = weir_btf_kind(t) == BTF_KIND_ENUM64;
	const char *row = (const char *)(t + 1) +
			  i * (wide ? sizeof(struct btf_enum64) : sizeof(struct btf_enum));

	*name_off = weir_load_u32(row);
	if (wide)
		return weir_load_u64(row + 4);
	return BTF_INFO_KFLAG(t->info) ? (uint64_t)(int64_t)(int32_t)weir_load_u32(row + 4)
				       : weir_load_u32(row + 4);
}

static bool is_enum(const struct btf_type *t)
{
	return t && (weir_btf_kind(t) == BTF_KIND_ENUM || weir_btf_kind(t) == BTF_KIND_ENUM64);
}

static int local_spot(const struct weir_btf *btf, uint32_t id, const char *access,
		      enum core_kind kind, struct spot *at, struct path *path)
{
	uint32_t idx[MAX_ACCESS], count, name_off;
	const struct btf_type *t;
	int64_t size = weir_btf_size(btf, id);
	int err = access_parse(access, idx, &count);

	*at = (struct spot){.btf = btf, .root_id = id, .type_id = id};
	path->count = 0;
	if (err || !weir_btf_type(btf, id))
		return -EINVAL;
	if (kind >= TYPE_ID_LOCAL && kind != ENUMVAL_EXISTS && kind != ENUMVAL_VALUE)
		return 0;
	t = weir_btf_skip_mods(btf, id, NULL);
	if (kind == ENUMVAL_EXISTS || kind == ENUMVAL_VALUE) {
		if (!is_enum(t) || idx[0] >= BTF_INFO_VLEN(t->info))
			return -EINVAL;
		at->enum_value = enum_row(t, idx[0], &name_off);
		path->enum_name = weir_btf_name(btf, name_off);
		return 0;
	}
	if (size < 0)
		return -EINVAL;
	at->bit_off = (uint64_t)idx[0] * (uint64_t)size * 8;
	for (uint32_t i = 1; i < count; i++) {
		err = local_step(at, idx[i], path);
		if (err)
			return err;
	}
	return 0;
}

/* May a local field of type a be read as the target's b? */
static bool fields_compatible(const struct weir_btf *abtf, uint32_t a, const struct weir_btf *bbtf,
			      uint32_t b)
{
	for (;;) {
		const struct btf_type *ta = weir_btf_skip_mods(abtf, a, NULL);
		const struct btf_type *tb = weir_btf_skip_mods(bbtf, b, NULL);
		uint32_t ka = ta ? weir_btf_kind(ta) : 0, kb = tb ? weir_btf_kind(tb) : 0;

		if (ka == BTF_KIND_UNION)
			ka = BTF_KIND_STRUCT;
		if (kb == BTF_KIND_UNION)
			kb = BTF_KIND_STRUCT;
		if (is_enum(ta) && is_enum(tb))
			return !ta->name_off || !tb->name_off ||
			       same_essence(weir_btf_name(abtf, ta->name_off),
					    weir_btf_name(bbtf, tb->name_off));
		if (ka != kb)
			return false;
		if (ka != BTF_KIND_ARRAY)
			return ka == BTF_KIND_STRUCT || ka == BTF_KIND_INT || ka == BTF_KIND_PTR ||
			       ka == BTF_KIND_FLOAT || ka == BTF_KIND_FWD;
		a = btf_array_of(ta)->type;
		b = btf_array_of(tb)->type;
	}
}

/* Finds the step's member below the spot's type, through anonymous ones. */
static bool member_find(struct spot *at, const struct weir_btf *local, const struct step *step,
			uint32_t *budget)
{
	const struct btf_type *t = weir_btf_skip_mods(at->btf, at->type_id, NULL);

	if (!t || (weir_btf_kind(t) != BTF_KIND_STRUCT && weir_btf_kind(t) != BTF_KIND_UNION))
		return false;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const struct btf_member *m = btf_members(t) + i;
		struct spot in = *at;

		if (!*budget || !--*budget)
			return false;
		in.type_id = m->type;
		in.bit_off += btf_member_bit_off(t, m);
		in.bits = btf_member_bits(t, m);
		if (!m->name_off ? member_find(&in, local, step, budget)
				 : !strcmp(weir_btf_name(at->btf, m->name_off), step->name) &&
					   fields_compatible(local, step->local_type, at->btf,
							     m->type)) {
			*at = in;
			return true;
		}
	}
	return false;
}

static bool target_step(struct spot *at, const struct weir_btf *local, const struct step *step,
			uint32_t *budget)
{
	const struct btf_type *t;

	if (step->name)
		return member_find(at, local, step, budget);
	t = weir_btf_skip_mods(at->btf, at->type_id, NULL);
	/* An array of no elements is a struct's open end. */
	if (!t || weir_btf_kind(t) != BTF_KIND_ARRAY ||
	    (btf_array_of(t)->nelems && step->index >= btf_array_of(t)->nelems))
		return false;
	at->type_id = btf_array_of(t)->type;
	at->bit_off += (uint64_t)step->index * (uint64_t)weir_btf_size(at->btf, at->type_id) * 8;
	at->bits = 0;
	return true;
}

static bool target_spot(const struct weir_btf *target, uint32_t id, enum core_kind kind,
			const struct spot *local, const struct path *path, struct spot *out)
{
	struct spot at = {.btf = target, .root_id = id, .type_id = id};
	const struct btf_type *t = weir_btf_skip_mods(target, id, NULL);
	uint32_t budget = MAX_LOOKUP_STEPS;
	int64_t size = weir_btf_size(target, id);
	int64_t local_size = weir_btf_size(local->btf, local->root_id);

	if (kind == ENUMVAL_EXISTS || kind == ENUMVAL_VALUE) {
		for (uint32_t i = 0; is_enum(t) && i < BTF_INFO_VLEN(t->info); i++) {
			uint32_t name_off;

			at.enum_value = enum_row(t, i, &name_off);
			if (same_essence(weir_btf_name(target, name_off), path->enum_name)) {
				*out = at;
				return true;
			}
		}
		return false;
	}
	if (kind < TYPE_ID_LOCAL) {
		/* The pointer's own index ("0:") counts whole roots. */
		uint64_t whole = local_size > 0 && path->count == 0
					 ? local->bit_off / 8 / (uint64_t)local_size
					 : 0;

		if (size < 0)
			return false;
		at.bit_off = whole * (uint64_t)size * 8;
		for (uint32_t i = 0; i < path->count; i++)
			if (!target_step(&at, local->btf, &path->steps[i], &budget))
				return false;
	}
	*out = at;
	return true;
}

/* Where and how wide the load is that holds the field. */
static int field_bytes(const struct spot *s, uint64_t *byte_off, uint64_t *bytes)
{
	int64_t size = weir_btf_size(s->btf, s->type_id);

	if (size <= 0)
		return -EINVAL;
	*bytes = (uint64_t)size;
	*byte_off = s->bit_off / 8;
	if (!s->bits)
		return 0;
	*byte_off = *byte_off / *bytes * *bytes;
	while (s->bit_off + s->bits - *byte_off * 8 > *bytes * 8) {
		if (*bytes >= 8)
			return -EINVAL;
		*bytes *= 2;
		*byte_off = s->bit_off / 8 / *bytes * *bytes;
	}
	return 0;
}

/* The relocation's value on one side; s NULL: not there. -ENOENT: no value, poison. */
static int value_of(enum core_kind kind, const struct spot *s, uint64_t *out)
{
	uint64_t byte_off, bytes;
	const struct btf_type *t;
	int err;

	*out = 0;
	if (!s)
		return kind == FIELD_EXISTS || (kind >= TYPE_ID_TARGET && kind != ENUMVAL_VALUE)
			       ? 0
			       : -ENOENT;
	switch (kind) {
	case FIELD_EXISTS:
	case TYPE_EXISTS:
	case ENUMVAL_EXISTS: *out = 1; return 0;
	case TYPE_ID_LOCAL:
	case TYPE_ID_TARGET: *out = s->root_id; return 0;
	case TYPE_SIZE:
		*out = (uint64_t)weir_min(weir_btf_size(s->btf, s->root_id), INT64_MAX);
		return weir_btf_size(s->btf, s->root_id) < 0 ? -EINVAL : 0;
	case ENUMVAL_VALUE: *out = s->enum_value; return 0;
	case FIELD_SIGNED:
		t = weir_btf_skip_mods(s->btf, s->type_id, NULL);
		if (is_enum(t))
			*out = BTF_INFO_KFLAG(t->info);
		else if (t && weir_btf_kind(t) == BTF_KIND_INT)
			*out = BTF_INT_ENCODING(weir_load_u32(t + 1)) & BTF_INT_SIGNED;
		return 0;
	default: break;
	}
	err = field_bytes(s, &byte_off, &bytes);
	if (err)
		return err;
	if (kind == FIELD_BYTE_OFFSET)
		*out = byte_off;
	else if (kind == FIELD_BYTE_SIZE)
		*out = bytes;
	else if (kind == FIELD_LSHIFT_U64)
		*out = 64 - (s->bits ? s->bit_off + s->bits - byte_off * 8 : bytes * 8);
	else
		*out = 64 - (s->bits ? s->bits : bytes * 8);
	return 0;
}

static bool is_candidate(const struct weir_btf *local, uint32_t local_id,
			 const struct weir_btf *target, uint32_t id)
{
	const struct btf_type *a = weir_btf_type(local, local_id), *b = weir_btf_type(target, id);
	bool same_kind = weir_btf_kind(a) == weir_btf_kind(b) || (is_enum(a) && is_enum(b));

	return same_kind && b->name_off &&
	       same_essence(type_name(local, local_id), type_name(target, id));
}

/* The value in the target: every candidate that fits must give the same. */
static int target_value(const struct weir_btf *target, enum core_kind kind,
			const struct spot *local, const struct path *path, uint64_t *out)
{
	bool found = false;
	struct spot at;
	uint64_t v;

	for (uint32_t id = 1; id <= weir_btf_type_count(target); id++) {
		int err;

		if (!is_candidate(local->btf, local->root_id, target, id) ||
		    !target_spot(target, id, kind, local, path, &at))
			continue;
		err = value_of(kind, &at, &v);
		if (err)
			return err;
		if (found && v != *out)
			return -ENOTUNIQ;
		*out = v;
		found = true;
	}
	return found ? 0 : value_of(kind, NULL, out);
}

static void poison(struct bpf_insn *insn, bool has_second)
{
	bool wide = insn->code == (BPF_LD | BPF_IMM | BPF_DW) && has_second;

	for (int i = 0; i <= wide; i++)
		insn[i] = (struct bpf_insn){.code = BPF_JMP | BPF_CALL, .imm = POISON_CALL};
}

static int insn_patch(struct bpf_insn *insn, bool has_second, uint64_t v)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		if (BPF_SRC(insn->code) != BPF_K || v > UINT32_MAX)
			return -EINVAL;
		insn->imm = (int32_t)v;
		return 0;
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX:
		if (v > SHRT_MAX)
			return -ERANGE;
		insn->off = (int16_t)v;
		return 0;
	case BPF_LD:
		if (insn->code != (BPF_LD | BPF_IMM | BPF_DW) || !has_second)
			return -EINVAL;
		insn[0].imm = (int32_t)v;
		insn[1].imm = (int32_t)(v >> 32);
		return 0;
	default: return -EINVAL;
	}
}

/* A load's width follows the field's, where both sides hold an unsigned number or a pointer. */
static int width_patch(struct bpf_insn *insn, const struct weir_btf *target,
		       const struct spot *local, const struct path *path)
{
	static const uint8_t sizes[9] = {[1] = BPF_B, [2] = BPF_H, [4] = BPF_W, [8] = BPF_DW};
	uint64_t here, there, signed_here, signed_there;
	uint8_t class = BPF_CLASS(insn->code);

	if (class != BPF_LDX && class != BPF_ST && class != BPF_STX)
		return 0;
	if (value_of(FIELD_BYTE_SIZE, local, &here) ||
	    target_value(target, FIELD_BYTE_SIZE, local, path, &there))
		return -EINVAL;
	if (here == there)
		return 0;
	if (value_of(FIELD_SIGNED, local, &signed_here) ||
	    target_value(target, FIELD_SIGNED, local, path, &signed_there) || signed_here ||
	    signed_there || there > 8 || !weir_is_pow2(there) || BPF_MODE(insn->code) != BPF_MEM)
		return -EINVAL;
	insn->code = (uint8_t)((insn->code & ~0x18) | sizes[there]);
	return 0;
}

static int core_fail(struct obj *o, const struct obj_func *f, const struct obj_ext *rec, int err,
		     const char *what)
{
	return obj_fail(
		o, err,
		"function '%s': instruction %u: CO-RE relocation of kind %u of '%s' (%s): %s",
		f->name, rec->insn_idx - f->start_insn, rec->words[2],
		type_name(o->plan->btf, rec->words[0]), weir_btf_name(o->plan->btf, rec->words[1]),
		what);
}

static int core_apply(struct obj *o, const struct obj_func *f, const struct obj_ext *rec,
		      struct bpf_insn *insn, bool has_second)
{
	const struct weir_btf *target = o->opts->target_btf;
	enum core_kind kind = rec->words[2];
	struct spot local;
	struct path path = {0};
	uint64_t v;
	int err;

	if (kind >= CORE_KIND_COUNT || kind == TYPE_MATCHES)
		return core_fail(o, f, rec, -ENOTSUP, "this kind is not supported");
	err = local_spot(o->plan->btf, rec->words[0], weir_btf_name(o->plan->btf, rec->words[1]),
			 kind, &local, &path);
	if (err)
		return core_fail(o, f, rec, err, "the object's own types do not have it");
	if (kind == TYPE_ID_LOCAL)
		err = value_of(kind, &local, &v);
	else
		err = target_value(target, kind, &local, &path, &v);
	if (err == -ENOTUNIQ)
		return core_fail(o, f, rec, -EINVAL, "the target's types disagree");
	if (err) {
		poison(insn, has_second);
		return 0;
	}
	if (kind == FIELD_BYTE_OFFSET && !local.bits && width_patch(insn, target, &local, &path))
		return core_fail(o, f, rec, -EINVAL, "the field's size differs");
	err = insn_patch(insn, has_second, v);
	return err ? core_fail(o, f, rec, err, "the instruction cannot hold the value") : 0;
}

int obj_core_apply(struct obj *o, const struct obj_func *f, struct bpf_insn *insns)
{
	const struct obj_ext *r;
	uint32_t count;

	/* Without a target the object's own types are the target: clang wrote their values. */
	if (!o->opts || !o->opts->target_btf)
		return 0;
	count = obj_ext_range(&o->secs[f->sec].cores, f->start_insn, f->insn_count, &r);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = r[i].insn_idx - f->start_insn;
		int err = core_apply(o, f, &r[i], insns + at, at + 1 < f->insn_count);

		if (err)
			return err;
	}
	return 0;
}
