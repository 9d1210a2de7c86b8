/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver of lowering: walks the ok's live instructions subprog by subprog, hands each to its
 * concern, then resolves jumps and calls. A program whose jumps do not reach after it has grown is
 * lowered a second time with long jumps.
 */
#include "weir/vm/rewrite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lower.h"
#include "weir/base/bits.h"
#include "weir/vm/isa.h"

#define DROPPED       UINT32_MAX
#define LOW_INSNS_MAX (64U * 1024 * 1024) /* every relative offset then fits 32 bits */

static bool is_ld_imm64(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

static bool is_jump_class(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_JMP || BPF_CLASS(insn->code) == BPF_JMP32;
}

static void lower_branch(struct lower *l, const struct bpf_insn *insn)
{
	const struct weir_insn_aux *aux = &l->ok->aux[l->ok_idx];
	bool is_long = insn->code == (BPF_JMP32 | BPF_JA);
	int64_t target = (int64_t)l->ok_idx + 1 + (is_long ? insn->imm : insn->off);
	bool always = BPF_OP(insn->code) == BPF_JA || aux->branch == WEIR_BRANCH_ALWAYS;

	if (!always && aux->branch == WEIR_BRANCH_NEVER)
		return;
	if (target < 0 || target >= l->ok->raw.insn_count || !l->ok->aux[target].seen)
		return lower_broken(l, "jump to dead code");
	if (aux->loop_back || target <= l->ok_idx)
		lower_budget(l);
	if (always && target == (int64_t)l->ok_idx + 1)
		return;
	if (BPF_OP(insn->code) == BPF_JCOND && !always)
		return lower_may_goto(l, (uint32_t)target);
	lower_jump(l, always ? LOWER_JA(0) : *insn, LOWER_TO_OK, (uint32_t)target);
}

static uint32_t subprog_at(const struct weir_prog_ok *ok, int64_t insn_idx)
{
	for (uint32_t i = 0; i < ok->subprog_count; i++)
		if (ok->subprogs[i].start == insn_idx)
			return i;
	return UINT32_MAX;
}

static void lower_jmp_class(struct lower *l, const struct bpf_insn *insn)
{
	switch (BPF_OP(insn->code)) {
	case BPF_EXIT: return lower_emit(l, *insn);
	case BPF_CALL:
		if (insn->src_reg == 0)
			return lower_helper_call(l, insn);
		if (insn->src_reg != BPF_PSEUDO_CALL)
			return lower_broken(l, "call of a kernel function");
		return lower_call_subprog(l, subprog_at(l->ok, (int64_t)l->ok_idx + 1 + insn->imm));
	default: return lower_branch(l, insn);
	}
}

static void lower_insn(struct lower *l, const struct bpf_insn *insn)
{
	if (is_jump_class(insn))
		return lower_jmp_class(l, insn);
	if (is_ld_imm64(insn))
		return lower_ld_imm64(l, insn);
	if (BPF_CLASS(insn->code) == BPF_LD)
		return lower_ld_pkt(l, insn);
	if (l->ok->aux[l->ok_idx].mem == WEIR_MEM_CTX)
		return lower_ctx_access(l, insn);
	lower_emit(l, *insn);
}

static bool has_may_goto(const struct weir_prog_ok *ok, uint32_t start, uint32_t end)
{
	for (uint32_t i = start; i < end; i++) {
		if (ok->aux[i].seen && ok->raw.insns[i].code == (BPF_JMP | BPF_JCOND))
			return true;
		i += is_ld_imm64(&ok->raw.insns[i]);
	}
	return false;
}

static void lower_subprog(struct lower *l, uint32_t idx)
{
	const struct weir_prog_ok *ok = l->ok;
	uint32_t end =
		idx + 1 < ok->subprog_count ? ok->subprogs[idx + 1].start : ok->raw.insn_count;

	l->subprog = idx;
	l->kept_slots = l->scratch_slots = 0;
	l->stubs.len = 0;
	l->subprog_start[idx] = (uint32_t)l->insns.len;
	l->ok_idx = ok->subprogs[idx].start;
	if (has_may_goto(ok, l->ok_idx, end))
		lower_may_goto_start(l);
	for (uint32_t i = ok->subprogs[idx].start; i < end && !l->err; i++) {
		const struct bpf_insn *insn = &ok->raw.insns[i];

		if (ok->aux[i].seen) {
			l->ok_idx = i;
			l->low_start[i] = (uint32_t)l->insns.len;
			lower_insn(l, insn);
		}
		i += is_ld_imm64(insn);
	}
	for (size_t i = 0; i < l->stubs.len; i++) {
		l->ok_idx = l->stubs.v[i].ok_idx;
		lower_ld_pkt_stub(l, &l->stubs.v[i]);
	}
	l->subprog_stack[idx] = (uint32_t)weir_align_up(ok->subprogs[idx].stack_bytes, 8) +
				8 * (l->kept_slots + l->scratch_slots);
	if (l->insns.len > LOW_INSNS_MAX && !l->err)
		l->err = weir_fail(l->diag, -E2BIG,
				   "rewrite: more than %u instructions after lowering",
				   LOW_INSNS_MAX);
}

static uint32_t place_of(const struct lower *l, const struct lower_fixup *fixup)
{
	switch (fixup->kind) {
	case LOWER_TO_OK: return l->low_start[fixup->target];
	case LOWER_TO_LABEL: return l->labels.v[fixup->target];
	default: return l->subprog_start[fixup->target];
	}
}

static void resolve(struct lower *l)
{
	for (size_t i = 0; i < l->fixups.len && !l->err; i++) {
		struct bpf_insn *insn = &l->insns.v[l->fixups.v[i].low_idx];
		uint32_t place = place_of(l, &l->fixups.v[i]);
		int64_t rel = (int64_t)place - (int64_t)l->fixups.v[i].low_idx - 1;

		l->ok_idx = l->from.v[l->fixups.v[i].low_idx];
		if (place == DROPPED)
			lower_broken(l, "jump to nowhere");
		else if (insn->code == (BPF_JMP32 | BPF_JA) || insn->code == (BPF_JMP | BPF_CALL))
			insn->imm = (int32_t)rel;
		else if (rel < INT16_MIN || rel > INT16_MAX)
			l->too_far = true;
		else
			insn->off = (int16_t)rel;
	}
}

static void lower_program(struct lower *l)
{
	const struct weir_prog_ok *ok = l->ok;

	l->too_far = l->needs_run_state = false;
	l->insns.len = l->from.len = l->fixups.len = l->labels.len = l->calls.len = 0;
	memset(l->low_start, 0xff, ok->raw.insn_count * sizeof(*l->low_start));
	memset(l->subprog_start, 0xff, ok->subprog_count * sizeof(*l->subprog_start));
	for (uint32_t i = 0; i < ok->subprog_count && !l->err; i++)
		if (i == 0 || ok->subprogs[i].reachable)
			lower_subprog(l, i);
	resolve(l);
}

static int maps_check(const struct weir_prog_ok *ok, struct weir_map *const *maps,
		      struct weir_diag *diag)
{
	for (uint32_t i = 0; i < ok->raw.map_count; i++) {
		const struct weir_map_def *want = &ok->raw.maps[i].def, *have = &maps[i]->def;

		if (want->type != have->type || want->key_size != have->key_size ||
		    want->value_size != have->value_size ||
		    want->max_entries != have->max_entries || want->flags != have->flags)
			return weir_fail(diag, -EINVAL,
					 "rewrite: map %u '%.16s': verified as type %u key %u "
					 "value %u entries "
					 "%u flags 0x%x, given type %u key %u value %u entries %u "
					 "flags 0x%x",
					 i, want->name, want->type, want->key_size,
					 want->value_size, want->max_entries, want->flags,
					 have->type, have->key_size, have->value_size,
					 have->max_entries, have->flags);
	}
	return 0;
}

static int ok_check(const struct weir_prog_ok *ok, struct weir_diag *diag)
{
	if (!ok->raw.insn_count || !ok->subprog_count || ok->subprogs[0].start)
		return weir_fail(diag, -EINVAL, "rewrite: program without a main subprog");
	for (uint32_t i = 1; i < ok->subprog_count; i++)
		if (ok->subprogs[i].start <= ok->subprogs[i - 1].start ||
		    ok->subprogs[i].start >= ok->raw.insn_count)
			return weir_fail(diag, -EINVAL, "rewrite: subprog %u starts at %u", i,
					 ok->subprogs[i].start);
	return 0;
}

static void *dup_array(const void *p, size_t count, size_t bytes)
{
	void *copy = malloc(weir_max(count * bytes, (size_t)1));

	if (copy && count)
		memcpy(copy, p, count * bytes);
	return copy;
}

static int low_new(struct lower *l, struct weir_prog_low **out)
{
	const struct weir_prog_ok *ok = l->ok;
	struct weir_prog_low *low = calloc(1, sizeof(*low));

	if (!low)
		return -ENOMEM;
	low->type = ok->raw.type;
	memcpy(low->name, ok->raw.name, sizeof(low->name));
	low->insn_count = (uint32_t)l->insns.len;
	low->call_count = (uint32_t)l->calls.len;
	low->map_count = ok->raw.map_count;
	low->needs_run_state = l->needs_run_state;
	low->insns = dup_array(l->insns.v, l->insns.len, sizeof(*l->insns.v));
	low->ok_idx = dup_array(l->from.v, l->from.len, sizeof(*l->from.v));
	low->calls = dup_array(l->calls.v, l->calls.len, sizeof(*l->calls.v));
	low->maps = dup_array(l->maps, low->map_count, sizeof(*l->maps));
	low->subprogs = calloc(ok->subprog_count, sizeof(*low->subprogs));
	if (!low->insns || !low->ok_idx || !low->calls || !low->maps || !low->subprogs) {
		weir_prog_low_free(&low);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < ok->subprog_count; i++)
		if (l->subprog_start[i] != DROPPED)
			low->subprogs[low->subprog_count++] = (struct weir_low_subprog){
				.start = l->subprog_start[i],
				.stack_bytes = l->subprog_stack[i],
			};
	*out = low;
	return 0;
}

/* What comes out is checked once more: an engine must never see what it has no operation for. */
static int low_check(struct lower *l, struct weir_prog_low **low, struct weir_prog_low **out)
{
	uint32_t bad = 0;
	int err = weir_isa_check((*low)->insns, (*low)->insn_count, WEIR_ISA_LOW, l->diag, &bad);

	if (err) {
		weir_prog_low_free(low);
		return weir_fail(l->diag, -EINVAL, " (rewrite: lowered insn %u)", bad);
	}
	*out = *low;
	return 0;
}

static void lower_clear(struct lower *l)
{
	free(l->low_start);
	free(l->subprog_start);
	free(l->subprog_stack);
	weir_vec_free(&l->insns);
	weir_vec_free(&l->from);
	weir_vec_free(&l->fixups);
	weir_vec_free(&l->labels);
	weir_vec_free(&l->stubs);
	weir_vec_free(&l->calls);
}

int weir_rewrite(const struct weir_prog_ok *ok, struct weir_map *const *maps,
		 const struct weir_rewrite_opts *opts, struct weir_diag *diag,
		 struct weir_prog_low **out)
{
	struct lower l = {
		.ok = ok,
		.maps = maps,
		.diag = diag,
		.no_inline = opts && opts->no_inline,
	};
	struct weir_prog_low *low = NULL;
	int err = ok_check(ok, diag);

	if (!err)
		err = maps_check(ok, maps, diag);
	if (err)
		return err;
	l.low_start = calloc(ok->raw.insn_count, sizeof(*l.low_start));
	l.subprog_start = calloc(ok->subprog_count, sizeof(*l.subprog_start));
	l.subprog_stack = calloc(ok->subprog_count, sizeof(*l.subprog_stack));
	if (!l.low_start || !l.subprog_start || !l.subprog_stack)
		l.err = -ENOMEM;
	if (!l.err)
		lower_program(&l);
	if (!l.err && l.too_far) {
		l.long_jumps = true;
		lower_program(&l);
	}
	err = l.err ? l.err : low_new(&l, &low);
	if (!err)
		err = low_check(&l, &low, out);
	lower_clear(&l);
	return err;
}
