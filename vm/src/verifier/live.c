/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which registers and stack slots may still matter behind a point: what pruning need not compare.
 *
 * Registers are a backward data flow over the program text, in two strengths: `live`, read in any
 * way; `exact`, its value may decide something: a conditional jump, an address, an argument, the
 * contents of the stack (which are always compared), or a register that is exact.
 *
 * Slots are read through pointers, which the text does not tell. Reads are recorded at the
 * instruction as paths are walked, and flow backwards from there at once. Soundness for pruning:
 * a state that covers another has been walked to every end, and where two states agree in the
 * pointers and exact registers, whatever the second would read the first has read, so it is
 * recorded. While a walk is not finished (loops that are compared with themselves) nothing is
 * taken from here: PRUNE_LOOP compares every slot.
 */
#include "env.h"

#define ARGS_MASK 0x3e /* r1..r5 */
#define CALL_DEFS 0x3f

struct effect {
	uint16_t use, def;
	uint16_t exact;  /* used in a way that decides something */
	uint16_t passes; /* exact if the defined register is */
};

static uint16_t bit(uint32_t regno)
{
	return (uint16_t)(1U << regno);
}

static struct effect alu_effect(const struct bpf_insn *insn)
{
	uint16_t dst = bit(insn->dst_reg);
	uint8_t op = BPF_OP(insn->code);
	uint16_t src = BPF_SRC(insn->code) == BPF_X && op != BPF_END ? bit(insn->src_reg) : 0;

	if (op == BPF_MOV)
		return (struct effect){.use = src, .def = dst, .passes = src};
	return (struct effect){.use = src | dst, .def = dst, .passes = src | dst};
}

static struct effect store_effect(const struct weir_env *env, const struct bpf_insn *insn,
				  uint32_t idx)
{
	uint16_t base = bit(insn->dst_reg), src = bit(insn->src_reg), r0 = bit(BPF_REG_0);
	struct effect e = {.use = base | src, .exact = base};

	if (env->info[idx].stores_to_stack || insn->dst_reg == BPF_REG_10)
		e.exact |= src;
	if (BPF_MODE(insn->code) != BPF_ATOMIC)
		return e;
	if (insn->imm == BPF_LOAD_ACQ)
		return (struct effect){.use = src, .exact = src, .def = base};
	if (insn->imm == BPF_CMPXCHG)
		e.use |= r0;
	if (insn->imm == BPF_CMPXCHG)
		e.def = r0;
	else if (insn->imm & BPF_FETCH)
		e.def = src;
	return e;
}

static struct effect jump_effect(const struct weir_env *env, const struct bpf_insn *insn,
				 uint32_t idx)
{
	uint16_t regs = bit(insn->dst_reg);
	const struct weir_helper *helper;

	switch (BPF_OP(insn->code)) {
	case BPF_JA: return (struct effect){0};
	case BPF_EXIT:
		/* A function's result goes on in its caller; the program's own ends here. */
		return (struct effect){.use = bit(BPF_REG_0),
				       .exact = env->info[idx].subprog ? bit(BPF_REG_0) : 0};
	case BPF_CALL:
		regs = ARGS_MASK;
		helper = insn->src_reg ? NULL : weir_helper_find((uint32_t)insn->imm);
		for (uint32_t i = 0; helper && i < 5; i++)
			if (helper->args[i] == WEIR_ARG_NONE)
				regs &= (uint16_t)~bit(i + 1);
		return (struct effect){.use = regs, .exact = regs, .def = CALL_DEFS};
	default:
		if (BPF_SRC(insn->code) == BPF_X)
			regs |= bit(insn->src_reg);
		return (struct effect){.use = regs, .exact = regs};
	}
}

static struct effect effect_of(const struct weir_env *env, uint32_t idx)
{
	const struct bpf_insn *insn = &env->insns[idx];

	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64: return alu_effect(insn);
	case BPF_LDX:
		return (struct effect){.use = bit(insn->src_reg),
				       .exact = bit(insn->src_reg),
				       .def = bit(insn->dst_reg)};
	case BPF_ST: return (struct effect){.use = bit(insn->dst_reg), .exact = bit(insn->dst_reg)};
	case BPF_STX: return store_effect(env, insn, idx);
	case BPF_JMP:
	case BPF_JMP32: return jump_effect(env, insn, idx);
	default: /* BPF_LD */
		if (insn_is_imm64(insn))
			return (struct effect){.def = bit(insn->dst_reg)};
		return (struct effect){
			.use = bit(BPF_REG_6) |
			       (BPF_MODE(insn->code) == BPF_IND ? bit(insn->src_reg) : 0),
			.exact = bit(BPF_REG_6),
			.def = CALL_DEFS};
	}
}

/* A slot that is overwritten whole through R10 holds nothing of before. */
static uint64_t slot_defs(const struct bpf_insn *insn)
{
	uint8_t class = BPF_CLASS(insn->code);

	if ((class != BPF_ST && class != BPF_STX) || BPF_MODE(insn->code) != BPF_MEM ||
	    BPF_SIZE(insn->code) != BPF_DW || insn->dst_reg != BPF_REG_10 || insn->off >= 0 ||
	    insn->off < -WEIR_STACK_BYTES || insn->off % WEIR_SLOT_BYTES)
		return 0;
	return 1ULL << (-insn->off / WEIR_SLOT_BYTES - 1);
}

/* Recomputes one instruction; true if something before it must be, too. */
static bool update(struct weir_env *env, uint32_t i)
{
	struct effect e = effect_of(env, i);
	struct vinsn *v = &env->info[i];
	uint16_t live = 0, exact = 0;
	uint64_t slots = 0;
	uint32_t succ[2];
	bool changed;

	for (uint32_t k = cfg_successors(env, i, succ); k-- > 0;) {
		live |= env->info[succ[k]].live;
		exact |= env->info[succ[k]].exact;
		slots |= env->info[succ[k]].slot_live;
	}
	if (exact & e.def)
		e.exact |= e.passes;
	live = (uint16_t)((live & ~e.def) | e.use);
	exact = (uint16_t)((exact & ~e.def) | e.exact);
	slots = (slots & ~slot_defs(&env->insns[i])) | v->slot_read;
	changed = live != v->live || exact != v->exact || slots != v->slot_live;
	v->live = live;
	v->exact = exact;
	v->slot_live = slots;
	return changed;
}

static int settle(struct weir_env *env)
{
	while (env->work.len) {
		uint32_t i = env->work.v[--env->work.len];
		const struct vinsn *v = &env->info[i];

		if (!update(env, i))
			continue;
		for (uint32_t k = 0; k < v->pred_count; k++)
			if (weir_vec_push(&env->work, env->preds[v->first_pred + k]))
				return reject_nomem(env);
	}
	return 0;
}

int live_init(struct weir_env *env)
{
	env->work.len = 0;
	for (uint32_t i = 0; i < env->insn_count; i++)
		if (!env->info[i].is_tail && weir_vec_push(&env->work, i))
			return reject_nomem(env);
	return settle(env);
}

static int changed_at(struct weir_env *env, uint32_t idx)
{
	env->work.len = 0;
	if (weir_vec_push(&env->work, idx))
		return reject_nomem(env);
	return settle(env);
}

int live_slot_read(struct weir_env *env, uint32_t frameno, uint32_t first, uint32_t last)
{
	uint64_t mask = (last >= 63 ? UINT64_MAX : (2ULL << last) - 1) & ~((1ULL << first) - 1);
	/* In a caller's frame it is the call that reads. */
	uint32_t at = frameno == env->cur->curframe ? env->insn_idx
						    : env->cur->frames[frameno + 1]->callsite;

	if (!(mask & ~env->info[at].slot_read))
		return 0;
	env->info[at].slot_read |= mask;
	return changed_at(env, at);
}

int live_stack_store(struct weir_env *env)
{
	struct vinsn *v = &env->info[env->insn_idx];

	if (v->stores_to_stack)
		return 0;
	v->stores_to_stack = true;
	return changed_at(env, env->insn_idx);
}

/* Where a frame of a state goes on: the state's instruction, or behind the call it waits in. */
static const struct vinsn *resumes_at(const struct weir_env *env, const struct weir_vstate *s,
				      uint32_t frameno)
{
	if (frameno == s->curframe)
		return &env->info[s->insn_idx];
	return &env->info[s->frames[frameno + 1]->callsite + 1];
}

/* A frame that waits in a bpf_loop call will make the call again. */
static bool calls_again(const struct weir_env *env, const struct weir_vstate *s, uint32_t frameno)
{
	return frameno < s->curframe && s->frames[frameno + 1]->is_callback;
}

uint16_t live_regs(const struct weir_env *env, const struct weir_vstate *s, uint32_t frameno)
{
	uint16_t regs = resumes_at(env, s, frameno)->live;

	if (calls_again(env, s, frameno))
		regs |= env->info[s->frames[frameno + 1]->callsite].live;
	return regs;
}

uint16_t live_exact(const struct weir_env *env, const struct weir_vstate *s, uint32_t frameno)
{
	uint16_t regs = resumes_at(env, s, frameno)->exact;

	if (calls_again(env, s, frameno))
		regs |= env->info[s->frames[frameno + 1]->callsite].exact;
	return regs;
}

uint64_t live_slots(const struct weir_env *env, const struct weir_vstate *s, uint32_t frameno)
{
	uint64_t slots = resumes_at(env, s, frameno)->slot_live;

	if (frameno < s->curframe)
		slots |= env->info[s->frames[frameno + 1]->callsite].slot_read;
	if (calls_again(env, s, frameno))
		slots |= env->info[s->frames[frameno + 1]->callsite].slot_live;
	return slots;
}
