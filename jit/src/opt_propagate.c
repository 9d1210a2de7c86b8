/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forward along straight lines: what is known of each register is a constant, or another register's
 * value plus a constant, and whether its upper half is zero. At a jump target everything is
 * forgotten; behind a conditional jump that falls through it stays.
 */
#include <string.h>

#include "opt.h"
#include "weir/vm/alu.h"

enum known_kind { KNOWN_NOTHING, KNOWN_CONST, KNOWN_SUM };

struct known {
	enum known_kind kind;
	uint8_t base; /* KNOWN_SUM: value = register base + value */
	bool upper_zero;
	int64_t value;
};

struct state {
	struct known regs[WEIR_MAX_REGS];
};

static void forget_all(struct state *st)
{
	memset(st, 0, sizeof(*st));
}

/* Register r gets a new value: sums that refer to the old one are void. */
static void overwrite(struct state *st, unsigned int r)
{
	for (unsigned int i = 0; i < WEIR_MAX_REGS; i++) {
		if (st->regs[i].kind == KNOWN_SUM && st->regs[i].base == r)
			st->regs[i].kind = KNOWN_NOTHING;
	}
	st->regs[r] = (struct known){.kind = KNOWN_NOTHING};
}

static void set_const(struct state *st, unsigned int r, uint64_t value)
{
	overwrite(st, r);
	st->regs[r] = (struct known){
		.kind = KNOWN_CONST, .value = (int64_t)value, .upper_zero = value <= UINT32_MAX};
}

static bool is_const(const struct state *st, unsigned int r)
{
	return st->regs[r].kind == KNOWN_CONST;
}

static bool fits_s32(int64_t v)
{
	return v == (int32_t)v;
}

/* A form that is short to load. */
static bool is_cheap(uint64_t v)
{
	return v <= UINT32_MAX || fits_s32((int64_t)v);
}

static uint8_t code_of(const struct jit_insn *insn)
{
	return weir_op_table[insn->op].code;
}

static bool is_alu(const struct jit_insn *insn)
{
	return insn->op < WEIR_OPI_COUNT &&
	       (BPF_CLASS(code_of(insn)) == BPF_ALU || BPF_CLASS(code_of(insn)) == BPF_ALU64);
}

static bool is_wide(const struct jit_insn *insn)
{
	return BPF_CLASS(code_of(insn)) == BPF_ALU64 || BPF_CLASS(code_of(insn)) == BPF_JMP;
}

/* Two operands, by register or by immediate: ADD … SMOD in the table, four rows each. */
static bool is_binary(const struct jit_insn *insn)
{
	return insn->op <= WEIR_OPI_SMOD64_X;
}

static bool by_reg(const struct jit_insn *insn)
{
	return BPF_SRC(code_of(insn)) == BPF_X;
}

/* The table has each immediate form directly before its register form. */
_Static_assert(!WEIR_OPI_ADD32_K, "the two-operand operations come first");
_Static_assert(WEIR_OPI_ADD32_K + 1 == WEIR_OPI_ADD32_X &&
		       WEIR_OPI_SMOD64_K + 1 == WEIR_OPI_SMOD64_X &&
		       WEIR_OPI_JEQ32_K + 1 == WEIR_OPI_JEQ32_X &&
		       WEIR_OPI_JSET64_K + 1 == WEIR_OPI_JSET64_X,
	       "immediate forms come before register forms");

#define FOLD(ID, name)                                                                  \
	case WEIR_OPI_##ID##32_K: return weir_alu_##name##32((uint32_t)a, (uint32_t)b); \
	case WEIR_OPI_##ID##64_K: return weir_alu_##name##64(a, b)

static uint64_t fold_binary(const struct jit_insn *insn, uint64_t a)
{
	uint64_t b = (uint64_t)insn->imm;

	switch (insn->op) {
		FOLD(ADD, add);
		FOLD(SUB, sub);
		FOLD(MUL, mul);
		FOLD(OR, or);
		FOLD(AND, and);
		FOLD(XOR, xor);
		FOLD(LSH, lsh);
		FOLD(RSH, rsh);
		FOLD(ARSH, arsh);
		FOLD(DIV, div);
		FOLD(SDIV, sdiv);
		FOLD(MOD, mod);
	default: /* only SMOD is left */
		return insn->op == WEIR_OPI_SMOD32_K ? weir_alu_smod32((uint32_t)a, (uint32_t)b)
						     : weir_alu_smod64(a, b);
	}
}

static bool compare(uint8_t bpf_op, uint64_t a, uint64_t b, int64_t sa, int64_t sb)
{
	switch (bpf_op) {
	case BPF_JEQ: return a == b;
	case BPF_JNE: return a != b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	case BPF_JLT: return a < b;
	case BPF_JLE: return a <= b;
	case BPF_JSGT: return sa > sb;
	case BPF_JSGE: return sa >= sb;
	case BPF_JSLT: return sa < sb;
	case BPF_JSLE: return sa <= sb;
	default: return a & b;
	}
}

static bool is_taken(const struct jit_insn *insn, uint64_t a)
{
	uint64_t b = (uint64_t)insn->imm;

	if (is_wide(insn))
		return compare(BPF_OP(code_of(insn)), a, b, (int64_t)a, (int64_t)b);
	return compare(BPF_OP(code_of(insn)), (uint32_t)a, (uint32_t)b, (int32_t)a, (int32_t)b);
}

static void make_const(struct state *st, struct jit_insn *insn, uint64_t value)
{
	insn->op = WEIR_OPI_LD_IMM64;
	insn->imm = (int64_t)value;
	set_const(st, insn->dst, value);
}

/* A register operand that is known to equal another, older one is read there. */
static uint8_t older_copy(const struct state *st, uint8_t r)
{
	const struct known *k = &st->regs[r];

	return k->kind == KNOWN_SUM && !k->value ? k->base : r;
}

static void fold_operand(const struct state *st, struct jit_insn *insn)
{
	if (!by_reg(insn))
		return;
	insn->src = older_copy(st, insn->src);
	if (!is_const(st, insn->src))
		return;
	if (!is_wide(insn)) {
		insn->imm = (int32_t)st->regs[insn->src].value;
	} else {
		if (!fits_s32(st->regs[insn->src].value))
			return;
		insn->imm = st->regs[insn->src].value;
	}
	insn->op--;
	insn->src = 0;
}

static void do_binary(struct state *st, struct jit_insn *insn)
{
	struct known old;

	fold_operand(st, insn);
	old = st->regs[insn->dst];
	if (!by_reg(insn) && old.kind == KNOWN_CONST) {
		make_const(st, insn, fold_binary(insn, (uint64_t)old.value));
		return;
	}
	overwrite(st, insn->dst);
	st->regs[insn->dst].upper_zero = !is_wide(insn) ||
					 (insn->op == WEIR_OPI_AND64_K && insn->imm >= 0) ||
					 (insn->op == WEIR_OPI_RSH64_K && (insn->imm & 63) >= 32);
	if (old.kind != KNOWN_SUM || old.base == insn->dst)
		return;
	if (insn->op == WEIR_OPI_ADD64_K || insn->op == WEIR_OPI_SUB64_K) {
		old.value += insn->op == WEIR_OPI_ADD64_K ? insn->imm : -insn->imm;
		old.upper_zero = false;
		if (fits_s32(old.value))
			st->regs[insn->dst] = old;
	}
}

static void do_mov(struct state *st, struct jit_insn *insn)
{
	struct known k;

	if (insn->op == WEIR_OPI_MOV32_K || insn->op == WEIR_OPI_MOV64_K) {
		make_const(st, insn,
			   insn->op == WEIR_OPI_MOV32_K ? (uint32_t)insn->imm
							: (uint64_t)insn->imm);
		return;
	}
	insn->src = older_copy(st, insn->src);
	k = st->regs[insn->src];
	if (insn->op == WEIR_OPI_MOV32_X && k.kind == KNOWN_CONST) {
		make_const(st, insn, (uint32_t)k.value);
		return;
	}
	if (insn->op == WEIR_OPI_MOV32_X && !k.upper_zero) {
		overwrite(st, insn->dst);
		st->regs[insn->dst].upper_zero = true;
		return;
	}
	insn->op = WEIR_OPI_MOV64_X;
	if (insn->dst == insn->src) {
		insn->op = JIT_NOP;
		return;
	}
	if (k.kind == KNOWN_CONST && is_cheap((uint64_t)k.value)) {
		make_const(st, insn, (uint64_t)k.value);
		return;
	}
	overwrite(st, insn->dst);
	/* What was known of src by way of the old dst is known no more. */
	k = st->regs[insn->src];
	if (k.kind == KNOWN_NOTHING)
		k = (struct known){
			.kind = KNOWN_SUM, .base = insn->src, .upper_zero = k.upper_zero};
	st->regs[insn->dst] = k;
}

static bool is_zero_extending(const struct jit_insn *insn)
{
	switch (insn->op) {
	case WEIR_OPI_NEG32:
	case WEIR_OPI_MOVSX32_8:
	case WEIR_OPI_MOVSX32_16:
	case WEIR_OPI_LE16:
	case WEIR_OPI_LE32:
	case WEIR_OPI_BE16:
	case WEIR_OPI_BE32:
	case WEIR_OPI_BSWAP16:
	case WEIR_OPI_BSWAP32:
	case WEIR_OPI_LDX_B:
	case WEIR_OPI_LDX_H:
	case WEIR_OPI_LDX_W: return true;
	default: return false;
	}
}

static void do_alu(struct state *st, struct jit_insn *insn)
{
	if (is_binary(insn)) {
		do_binary(st, insn);
	} else if (insn->op == WEIR_OPI_MOV32_K || insn->op == WEIR_OPI_MOV64_K ||
		   insn->op == WEIR_OPI_MOV32_X || insn->op == WEIR_OPI_MOV64_X) {
		do_mov(st, insn);
	} else {
		if (insn->op == WEIR_OPI_LE32 && st->regs[insn->dst].upper_zero) {
			insn->op = JIT_NOP;
			return;
		}
		overwrite(st, insn->dst);
		st->regs[insn->dst].upper_zero = is_zero_extending(insn);
	}
}

/* base + off where base is a sum: refer to what it is a sum of. */
static void fold_address(const struct state *st, uint8_t *base, int32_t *off)
{
	const struct known *k = &st->regs[*base];

	if (k->kind != KNOWN_SUM || !fits_s32(k->value + *off))
		return;
	*off += (int32_t)k->value;
	*base = k->base;
}

static void do_memory(struct state *st, struct jit_insn *insn)
{
	uint16_t writes;

	switch (BPF_CLASS(code_of(insn))) {
	case BPF_LDX: fold_address(st, &insn->src, &insn->off); break;
	case BPF_ST: fold_address(st, &insn->dst, &insn->off); break;
	default:
		if (weir_op_table[insn->op].sub == BPF_LOAD_ACQ) {
			fold_address(st, &insn->src, &insn->off);
			break;
		}
		fold_address(st, &insn->dst, &insn->off);
		if (BPF_MODE(code_of(insn)) == BPF_MEM)
			insn->src = older_copy(st, insn->src);
		break;
	}
	writes = jit_insn_writes(insn);
	for (unsigned int r = 0; r < WEIR_MAX_REGS; r++) {
		if (writes & 1U << r)
			overwrite(st, r);
	}
	if (BPF_CLASS(code_of(insn)) == BPF_LDX)
		st->regs[insn->dst].upper_zero = is_zero_extending(insn);
}

static void do_jump(struct state *st, struct jit_insn *insn)
{
	uint16_t writes = jit_insn_writes(insn);

	if (jit_insn_is_cond(insn)) {
		insn->dst = older_copy(st, insn->dst);
		fold_operand(st, insn);
		if (!by_reg(insn) && is_const(st, insn->dst))
			insn->op = is_taken(insn, (uint64_t)st->regs[insn->dst].value)
					   ? (uint8_t)WEIR_OPI_JA
					   : (uint8_t)JIT_NOP;
		return;
	}
	for (unsigned int r = 0; r < WEIR_MAX_REGS; r++) {
		if (writes & 1U << r)
			overwrite(st, r);
	}
}

void opt_propagate(struct jit_prog *prog)
{
	struct state st;

	forget_all(&st);
	for (uint32_t i = 0; i < prog->insn_count; i++) {
		struct jit_insn *insn = &prog->insns[i];

		if (insn->is_target)
			forget_all(&st);
		if (insn->op == JIT_NOP)
			continue;
		if (insn->op == WEIR_OPI_LD_IMM64)
			set_const(&st, insn->dst, (uint64_t)insn->imm);
		else if (is_alu(insn))
			do_alu(&st, insn);
		else if (BPF_CLASS(code_of(insn)) == BPF_JMP ||
			 BPF_CLASS(code_of(insn)) == BPF_JMP32)
			do_jump(&st, insn);
		else
			do_memory(&st, insn);
	}
}
