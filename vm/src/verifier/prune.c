/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Is a point covered by an earlier state? A state that was walked to all its ends covers another at
 * the same instruction if every path of the other is one of its own: pointers alike, numbers that
 * may decide something (live.c) within the earlier ranges, the stack likewise. What is learnt of a
 * number by its copies must have been learnt there, too: linked registers must be linked alike.
 */
#include "env.h"

#define STATES_MAX_MISSES 3

/* Identities are compared by a one-to-one map between the two states'. */
struct id_map {
	struct {
		uint32_t old, now;
	} pair[128];
	uint32_t count;
};

static bool same_id(struct id_map *map, uint32_t old, uint32_t now)
{
	if (!old != !now)
		return false;
	if (!old)
		return true;
	for (uint32_t i = 0; i < map->count; i++) {
		if (map->pair[i].old == old)
			return map->pair[i].now == now;
		if (map->pair[i].now == now)
			return false;
	}
	if (map->count == WEIR_ARRAY_LEN(map->pair))
		return false;
	map->pair[map->count].old = old;
	map->pair[map->count++].now = now;
	return true;
}

static bool scalar_within(struct id_map *map, const struct weir_vreg *old,
			  const struct weir_vreg *now, enum prune_mode mode)
{
	/* An old link may have carried knowledge to other registers: it must be there now. */
	if (old->id && !same_id(map, old->id, now->id))
		return false;
	if (mode == PRUNE_SAME)
		return weir_scalar_equal(&old->v, &now->v);
	return weir_scalar_within(&old->v, &now->v);
}

static bool reg_within(struct id_map *map, const struct weir_vreg *old, const struct weir_vreg *now,
		       bool exact, enum prune_mode mode)
{
	if (old->type == WEIR_V_NONE)
		return true; /* the earlier walk never read it */
	if (old->type != now->type || old->flags != now->flags)
		return false;
	if (old->type == WEIR_V_SCALAR)
		return !exact || scalar_within(map, old, now, mode);
	if (old->off != now->off || !same_id(map, old->id, now->id))
		return false;
	switch (old->type) {
	case WEIR_V_PKT:
	case WEIR_V_PKT_META:
		if (mode == PRUNE_SAME ? old->range != now->range : old->range > now->range)
			return false;
		break;
	case WEIR_V_STACK:
		if (old->frameno != now->frameno)
			return false;
		break;
	case WEIR_V_MAP_PTR:
	case WEIR_V_MAP_VALUE:
	case WEIR_V_MAP_KEY:
	case WEIR_V_MEM:
	case WEIR_V_FUNC:
		if (old->map_idx != now->map_idx)
			return false;
		break;
	default: break;
	}
	return mode == PRUNE_SAME ? weir_scalar_equal(&old->v, &now->v)
				  : weir_scalar_within(&old->v, &now->v);
}

/* Does a byte that is `now` behave as some byte of kind `old` was allowed to? */
static bool kind_within(const struct weir_env *env, uint8_t old, uint8_t now)
{
	if (old == WEIR_SLOT_INVALID)
		return true; /* never read, or read as any number by one who may */
	if (old == WEIR_SLOT_ZERO)
		return now == WEIR_SLOT_ZERO;
	if (old == WEIR_SLOT_MISC)
		return now == WEIR_SLOT_MISC || now == WEIR_SLOT_ZERO ||
		       (now == WEIR_SLOT_INVALID && env->perfmon);
	return false;
}

/* A register saved in a slot, as bytes: numbers are numbers. */
static uint8_t kind_as_bytes(const struct weir_slot *slot, int k)
{
	if (slot->kind[k] != WEIR_SLOT_SPILL)
		return slot->kind[k];
	return weir_vreg_is_null(&slot->reg) ? WEIR_SLOT_ZERO : WEIR_SLOT_MISC;
}

static bool slot_within(const struct weir_env *env, struct id_map *map, const struct weir_slot *old,
			const struct weir_slot *now, enum prune_mode mode)
{
	bool old_spill = weir_slot_is_spill(old), now_spill = weir_slot_is_spill(now);

	if (old_spill) {
		/* the same bytes must be saved: a fill of any size then finds the same */
		if (memcmp(old->kind, now->kind, sizeof(old->kind)))
			return false;
		return reg_within(map, &old->reg, &now->reg, true, mode);
	}
	if (now_spill && weir_vreg_is_ptr(&now->reg)) {
		/* a pointer where there was a number: only where nobody looked */
		for (int k = 0; k < WEIR_SLOT_BYTES; k++)
			if (old->kind[k] != WEIR_SLOT_INVALID)
				return false;
		return true;
	}
	for (int k = 0; k < WEIR_SLOT_BYTES; k++)
		if (!kind_within(env, old->kind[k], kind_as_bytes(now, k)))
			return false;
	return true;
}

static const struct weir_slot no_slot;

static bool frame_within(struct weir_env *env, struct id_map *map, const struct weir_vstate *old,
			 const struct weir_vstate *now, uint32_t f, enum prune_mode mode)
{
	const struct weir_frame *a = old->frames[f], *b = now->frames[f];
	uint16_t live = live_regs(env, old, f), exact = live_exact(env, old, f);
	uint64_t slots = live_slots(env, old, f);

	/* What an unfinished walk will read and decide is not all recorded yet. */
	if (mode == PRUNE_LOOP) {
		exact = UINT16_MAX;
		slots = UINT64_MAX;
	}
	if (a->callsite != b->callsite || a->subprog != b->subprog ||
	    a->is_callback != b->is_callback)
		return false;
	for (uint32_t r = 0; r < BPF_REG_10; r++)
		if ((live >> r & 1) &&
		    !reg_within(map, &a->regs[r], &b->regs[r], exact >> r & 1, mode))
			return false;
	for (uint32_t s = 0; s < a->slot_count; s++)
		if ((slots >> s & 1) &&
		    !slot_within(env, map, &a->slots[s],
				 s < b->slot_count ? &b->slots[s] : &no_slot, mode))
			return false;
	return true;
}

bool prune_state_within(struct weir_env *env, const struct weir_vstate *old,
			const struct weir_vstate *now, enum prune_mode mode)
{
	struct id_map map = {.count = 0};

	if (old->curframe != now->curframe)
		return false;
	for (uint32_t f = 0; f <= old->curframe; f++)
		if (!frame_within(env, &map, old, now, f, mode))
			return false;
	return true;
}

void prune_path_done(struct weir_env *env, struct weir_vstate *state)
{
	while (state && !--state->branches) {
		struct weir_vstate *parent = state->parent;

		if (state->is_evicted) {
			weir_vstate_free(&env->pool, state);
			env->states_now--;
		}
		state = parent;
	}
}

/* Puts a copy of the current state among those of this instruction. */
static int keep(struct weir_env *env)
{
	struct weir_vstate *copy = weir_vstate_copy(&env->pool, env->cur);
	struct vinsn *v = &env->info[env->insn_idx];
	uint32_t here = 1;

	if (!copy)
		return reject_nomem(env);
	copy->insn_idx = env->insn_idx;
	copy->parent = env->cur->parent;
	copy->branches = 1;
	copy->depth = copy->parent ? copy->parent->depth + 1 : 0;
	copy->next = v->states;
	v->states = copy;
	env->cur->parent = copy;
	env->jumps_at_state = env->jumps;
	env->insns_at_state = env->stats.processed_insns;
	env->stats.total_states++;
	env->states_now++;
	env->stats.peak_states = weir_max(env->stats.peak_states, env->states_now);
	for (const struct weir_vstate *s = copy->next; s; s = s->next)
		here++;
	env->stats.max_states_per_insn = weir_max(env->stats.max_states_per_insn, here);
	return 0;
}

/* A state that keeps missing costs more than it saves. */
static void evict(struct weir_env *env, struct weir_vstate **link)
{
	struct weir_vstate *state = *link;

	*link = state->next;
	if (state->branches) {
		state->is_evicted = true;
		return;
	}
	weir_vstate_free(&env->pool, state);
	env->states_now--;
}

/*
 * The current path ends in `loop`, whose walk is not finished: neither, then, is that of the states
 * on the way from there to here. The outermost such loop is remembered; it finishes last.
 */
static void depend_on(struct weir_env *env, struct weir_vstate *loop)
{
	for (struct weir_vstate *s = env->cur->parent; s && s != loop; s = s->parent)
		if (!s->open_loop || s->open_loop->depth > loop->depth)
			s->open_loop = loop;
}

/* Has everything that may follow from the state been walked? Loop states are never evicted. */
static struct weir_vstate *unfinished_loop(const struct weir_vstate *state)
{
	struct weir_vstate *loop = state->open_loop;

	while (loop && !loop->branches)
		loop = loop->open_loop;
	return loop;
}

static bool is_loop_call(const struct weir_env *env)
{
	const struct bpf_insn *insn = &env->insns[env->insn_idx];

	return insn_is_helper_call(insn) && insn->imm == BPF_FUNC_loop;
}

int prune_check(struct weir_env *env, bool *covered)
{
	struct vinsn *v = &env->info[env->insn_idx];
	struct weir_vstate **link = &v->states;
	bool loop_call = is_loop_call(env), add;

	*covered = false;
	env->cur->insn_idx = env->insn_idx;
	add = loop_call || (env->jumps - env->jumps_at_state >= 2 &&
			    env->stats.processed_insns - env->insns_at_state >= 8);
	while (*link) {
		struct weir_vstate *old = *link;
		bool open = old->branches;

		if (open && loop_call) {
			if (prune_state_within(env, old, env->cur, PRUNE_LOOP)) {
				depend_on(env, old);
				*covered = true;
				return 0;
			}
		} else if (open) {
			/* The same as on the way here: this would go on for ever. */
			if (prune_state_within(env, old, env->cur, PRUNE_SAME))
				return weir_reject(env, -EINVAL, WEIR_REASON_INFINITE_LOOP,
						   "infinite loop detected at insn %u",
						   env->insn_idx);
			/* A loop that turns: its states are not worth much before it ends. */
			if (env->jumps - env->jumps_at_state < 20 &&
			    env->stats.processed_insns - env->insns_at_state < 100)
				add = false;
		} else if (prune_state_within(env, old, env->cur,
					      unfinished_loop(old) ? PRUNE_LOOP : PRUNE_COVERED)) {
			if (unfinished_loop(old))
				depend_on(env, unfinished_loop(old));
			old->hit_cnt++;
			*covered = true;
			return 0;
		}
		if (++old->miss_cnt > old->hit_cnt * STATES_MAX_MISSES + STATES_MAX_MISSES && add &&
		    !loop_call) {
			evict(env, link);
			continue;
		}
		link = &old->next;
	}
	return add ? keep(env) : 0;
}
