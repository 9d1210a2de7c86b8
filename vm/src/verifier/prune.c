/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pruning. A state that was verified on all its ways covers another at the same instruction if
 * everything the other may do was possible for it: each live register and slot of the new state
 * stands for a subset of the old one's values, and what was the same in the old one (ids) is the
 * same in the new one. Numbers that decided nothing (see precision.c) need only be numbers.
 *
 * Callback loops converge on a state whose ways are not done yet. That is sound because the loop's
 * remaining trips from there are being verified for a superset; every number that is not unknown
 * there counts as deciding from then on, and states inside compare every slot until it is done.
 */
#include <errno.h>
#include <string.h>

#include "env.h"

#define IDMAP_SIZE 128

enum exactness { NOT_EXACT, WITHIN, EXACT };

struct compare {
	const struct weir_env *env;
	enum exactness how;
	uint32_t count;
	uint32_t fresh;
	struct {
		uint32_t old, now;
	} map[IDMAP_SIZE];
};

/* Ids are names: old's and now's must match one to one. */
static bool ids_match(struct compare *c, uint32_t old, uint32_t now)
{
	if (!old)
		return true;
	if (!now)
		now = --c->fresh;
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->map[i].old == old)
			return c->map[i].now == now;
		if (c->map[i].now == now)
			return false;
	}
	if (c->count == IDMAP_SIZE)
		return false;
	c->map[c->count].old = old;
	c->map[c->count++].now = now;
	return true;
}

static bool scalar_ids_match(struct compare *c, const struct weir_vreg *old,
			     const struct weir_vreg *now)
{
	if (!old->id)
		return true;
	if (((old->id ^ now->id) & WEIR_ID_ADD_CONST) || old->off != now->off)
		return false;
	return ids_match(c, old->id & ~WEIR_ID_ADD_CONST, now->id & ~WEIR_ID_ADD_CONST);
}

static bool regs_exact(struct compare *c, const struct weir_vreg *old, const struct weir_vreg *now)
{
	return old->type == now->type && old->flags == now->flags && old->off == now->off &&
	       old->map_idx == now->map_idx && old->frameno == now->frameno &&
	       weir_scalar_equal(&old->v, &now->v) && !old->id == !now->id &&
	       ids_match(c, old->id, now->id);
}

static bool scalars_safe(struct compare *c, const struct weir_vreg *old,
			 const struct weir_vreg *now)
{
	if (c->how == NOT_EXACT && !old->precise && c->env->bpf_capable)
		return true;
	return weir_scalar_within(&old->v, &now->v) && scalar_ids_match(c, old, now);
}

static bool reg_safe(struct compare *c, const struct weir_vreg *old, const struct weir_vreg *now)
{
	if (c->how == EXACT)
		return regs_exact(c, old, now);
	if (old->type == WEIR_V_NONE)
		return true;
	if (old->type != now->type || old->flags != now->flags)
		return false;
	switch (old->type) {
	case WEIR_V_SCALAR: return scalars_safe(c, old, now);
	case WEIR_V_MAP_VALUE:
	case WEIR_V_MAP_KEY:
	case WEIR_V_MEM:
	case WEIR_V_SOCK:
		return old->map_idx == now->map_idx && old->off == now->off &&
		       weir_scalar_within(&old->v, &now->v) && ids_match(c, old->id, now->id);
	case WEIR_V_PKT:
	case WEIR_V_PKT_META:
		if (old->range < 0 || now->range < 0) {
			if (old->range != now->range)
				return false;
		} else if (old->range > now->range) {
			return false;
		}
		return old->off == now->off && weir_scalar_within(&old->v, &now->v) &&
		       !old->id == !now->id && ids_match(c, old->id, now->id);
	default: return regs_exact(c, old, now);
	}
}

static bool slot_is_number(const struct weir_slot *slot)
{
	if (slot->kind[0] == WEIR_SLOT_SPILL && weir_slot_is_spill(slot))
		return slot->reg.type == WEIR_V_SCALAR;
	for (int i = 0; i < WEIR_SLOT_BYTES; i++)
		if (slot->kind[i] != WEIR_SLOT_MISC && slot->kind[i] != WEIR_SLOT_ZERO)
			return false;
	return true;
}

static bool bytes_safe(struct compare *c, const struct weir_slot *old, const struct weir_slot *now)
{
	for (int i = 0; i < WEIR_SLOT_BYTES; i++) {
		uint8_t a = old->kind[i], b = now->kind[i];

		if (a == WEIR_SLOT_INVALID || a == b)
			continue;
		if (a != WEIR_SLOT_MISC)
			return false;
		/* Old read some number here; so may the new one if a number is there. */
		if (b == WEIR_SLOT_ZERO || c->env->perfmon)
			continue;
		if (b == WEIR_SLOT_SPILL && now->reg.type == WEIR_V_SCALAR)
			continue;
		return false;
	}
	return true;
}

static bool slot_safe(struct compare *c, const struct weir_slot *old, const struct weir_slot *now)
{
	if (c->how == EXACT) {
		if (memcmp(old->kind, now->kind, WEIR_SLOT_BYTES))
			return false;
		return !weir_slot_is_spill(old) || regs_exact(c, &old->reg, &now->reg);
	}
	/* A whole spilled number against plain bytes: those stand for any number. */
	if (old->kind[0] == WEIR_SLOT_SPILL && weir_slot_is_spill(old) &&
	    old->reg.type == WEIR_V_SCALAR && !weir_slot_is_spill(now)) {
		struct weir_vreg any;

		weir_vreg_set_unknown(&any);
		return slot_is_number(now) && reg_safe(c, &old->reg, &any);
	}
	if (!bytes_safe(c, old, now))
		return false;
	return !weir_slot_is_spill(old) || reg_safe(c, &old->reg, &now->reg);
}

static bool slot_is_empty(const struct compare *c, const struct weir_slot *slot)
{
	for (int i = 0; i < WEIR_SLOT_BYTES; i++)
		if (slot->kind[i] != WEIR_SLOT_INVALID &&
		    (slot->kind[i] != WEIR_SLOT_MISC || !c->env->perfmon || c->how == EXACT))
			return false;
	return true;
}

static bool frames_safe(struct compare *c, const struct weir_vstate *old_state,
			const struct weir_vstate *now_state, uint32_t f, bool all_slots)
{
	const struct weir_frame *old = old_state->frames[f], *now = now_state->frames[f];
	uint16_t regs = weir_live_regs(c->env, old_state, f);
	uint64_t slots = all_slots ? UINT64_MAX : weir_live_slots(c->env, old_state, f);

	if (old->callback_depth > now->callback_depth)
		return false;
	for (uint32_t i = 0; i < BPF_REG_10; i++)
		if ((regs >> i & 1) && !reg_safe(c, &old->regs[i], &now->regs[i]))
			return false;
	for (uint32_t i = 0; i < old->slot_count; i++) {
		if (!(slots >> i & 1) || slot_is_empty(c, &old->slots[i]))
			continue;
		if (i >= now->slot_count || !slot_safe(c, &old->slots[i], &now->slots[i]))
			return false;
	}
	if (c->how != EXACT)
		return true;
	for (uint32_t i = old->slot_count; i < now->slot_count; i++)
		if (!slot_is_empty(c, &now->slots[i]))
			return false;
	return true;
}

static bool states_safe(const struct weir_env *env, const struct weir_vstate *old,
			const struct weir_vstate *now, enum exactness how, bool all_slots)
{
	struct compare c;

	if (old->curframe != now->curframe)
		return false;
	for (uint32_t f = 1; f <= old->curframe; f++)
		if (old->frames[f]->callsite != now->frames[f]->callsite ||
		    old->frames[f]->is_callback != now->frames[f]->is_callback ||
		    old->frames[f]->subprog != now->frames[f]->subprog)
			return false;
	c.env = env;
	c.how = how;
	c.count = 0;
	c.fresh = UINT32_MAX;
	for (uint32_t f = old->curframe + 1; f-- > 0;)
		if (!frames_safe(&c, old, now, f, all_slots))
			return false;
	return true;
}

static bool is_open(const struct weir_vstate *state)
{
	return state->open_loop && state->open_loop->branches;
}

/* What old's ways needed exactly, the way that ends here needs exactly too. */
static int propagate(struct weir_env *env, const struct weir_vstate *old)
{
	struct weir_backtrack bt = {0};

	for (uint32_t f = 0; f <= old->curframe; f++) {
		const struct weir_frame *frame = old->frames[f];
		uint16_t live = weir_live_regs(env, old, f);

		for (uint32_t i = 0; i < BPF_REG_10; i++) {
			const struct weir_vreg *reg = &frame->regs[i];
			bool all =
				old->force_exact && (reg->id || !weir_scalar_is_unknown(&reg->v));

			if (reg->type == WEIR_V_SCALAR && (reg->precise || all) && (live >> i & 1))
				bt.regs[f] |= (uint16_t)(1U << i);
		}
		for (uint32_t i = 0; i < frame->slot_count; i++) {
			const struct weir_vreg *reg = &frame->slots[i].reg;

			if (!weir_slot_is_spill(&frame->slots[i]) || reg->type != WEIR_V_SCALAR)
				continue;
			if (reg->precise ||
			    (old->force_exact && (reg->id || !weir_scalar_is_unknown(&reg->v))))
				bt.slots[f] |= 1ULL << i;
		}
	}
	return weir_precision_walk(env, &bt, env->path.len);
}

static void open_chain(struct weir_env *env, struct weir_vstate *head)
{
	for (struct weir_vstate *s = env->cur->parent; s && s != head; s = s->parent)
		if (!is_open(s) || s->open_loop->depth > head->depth)
			s->open_loop = head;
}

static int covered_by(struct weir_env *env, struct weir_vstate *old)
{
	old->hit_cnt++;
	if (old->branches) {
		old->force_exact = true;
		open_chain(env, old);
	} else if (is_open(old)) {
		open_chain(env, old->open_loop);
	}
	return propagate(env, old);
}

enum verdict { MISS, MISS_NO_ADD, HIT };

static enum verdict compare_with(struct weir_env *env, struct weir_vstate *old, bool force)
{
	const struct weir_vinsn *info = &env->info[env->insn_idx];

	if (!old->branches)
		return states_safe(env, old, env->cur, old->force_exact ? WITHIN : NOT_EXACT,
				   is_open(old))
			       ? HIT
			       : MISS;
	if (info->is_callback_call) {
		if (states_safe(env, old, env->cur, WITHIN, true))
			return HIT;
	} else if (old->callback_unroll == env->cur->callback_unroll &&
		   states_safe(env, old, env->cur, EXACT, true)) {
		return weir_reject(env, -EINVAL, WEIR_REASON_INFINITE_LOOP,
				   "infinite loop detected at insn %u", env->insn_idx)
			       ? MISS
			       : MISS;
	}
	/* Loops: checkpoints far apart leave room for the loop to end before states pile up. */
	if (!force && env->jumps_processed - env->prev_jumps < 20 &&
	    env->stats.processed_insns - env->prev_insns < 100)
		return MISS_NO_ADD;
	return MISS;
}

static int take_checkpoint(struct weir_env *env)
{
	struct weir_vinsn *info = &env->info[env->insn_idx];
	struct weir_vstate *state;

	env->cur->insn_idx = env->insn_idx;
	weir_vstate_each_reg(env->cur, reg, { reg->precise = false; });
	state = weir_vstate_copy(&env->pool, env->cur);
	if (!state)
		return weir_reject_nomem(env);
	state->branches = 1;
	state->path_pos = (uint32_t)env->path.len;
	state->depth = env->cur->parent ? env->cur->parent->depth + 1 : 0;
	state->next = info->states;
	info->states = state;
	env->cur->parent = state;
	env->prev_jumps = env->jumps_processed;
	env->prev_insns = env->stats.processed_insns;
	env->stats.total_states++;
	env->states_now++;
	env->stats.peak_states = weir_max(env->stats.peak_states, env->states_now);
	return 0;
}

/* A state that never fits costs more than it brings. */
static void evict(struct weir_env *env, struct weir_vstate **link)
{
	struct weir_vstate *state = *link;

	*link = state->next;
	state->next = NULL;
	state->is_evicted = true;
	env->states_now--;
	if (!state->branches && !state->force_exact)
		weir_vstate_free(&env->pool, state);
}

int weir_prune_check(struct weir_env *env, bool *covered)
{
	struct weir_vinsn *info = &env->info[env->insn_idx];
	struct weir_vstate **link = &info->states;
	bool force = info->is_force_checkpoint;
	bool add = force || (env->jumps_processed - env->prev_jumps >= 2 &&
			     env->stats.processed_insns - env->prev_insns >= 8);
	uint32_t here = 0;

	*covered = false;
	env->cur->insn_idx = env->insn_idx;
	while (*link) {
		struct weir_vstate *old = *link;
		enum verdict v;
		uint32_t n = info->is_force_checkpoint && old->branches ? 64 : 3;

		here++;
		v = compare_with(env, old, force);
		if (env->error)
			return env->error;
		if (v == HIT) {
			*covered = true;
			return covered_by(env, old);
		}
		if (v == MISS_NO_ADD)
			add = false;
		if (add)
			old->miss_cnt++;
		if (old->miss_cnt > old->hit_cnt * n + n)
			evict(env, link);
		else
			link = &old->next;
	}
	env->stats.max_states_per_insn = weir_max(env->stats.max_states_per_insn, here);
	return add ? take_checkpoint(env) : 0;
}

void weir_prune_path_done(struct weir_env *env, struct weir_vstate *state)
{
	struct weir_vstate *up = state->parent;

	while (up && !--up->branches) {
		struct weir_vstate *parent = up->parent;

		if (up->is_evicted && !up->force_exact)
			weir_vstate_free(&env->pool, up);
		up = parent;
	}
}
