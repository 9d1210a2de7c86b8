/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/isa.h"

#include <errno.h>
#include <string.h>

#include "weir/vm/prog.h"

const struct weir_op_info weir_op_table[WEIR_OPI_COUNT] = {
#define WEIR_OP(id, opcode, selector, where, text) \
	[WEIR_OPI_##id] = {.name = (text), .code = (opcode), .sub = (selector), .level = (where)},
#include "weir/vm/isa.def"
#undef WEIR_OP
};

/* The first row of each opcode byte (rows of one byte need not be neighbours: next_row links them).
 */
static uint8_t first_row[256];
static uint8_t next_row[WEIR_OPI_COUNT];

_Static_assert(WEIR_OPI_COUNT < UINT8_MAX, "row numbers are kept in bytes");

__attribute__((constructor)) static void build_index(void)
{
	memset(first_row, WEIR_OPI_INVALID, sizeof(first_row));
	for (unsigned int op = WEIR_OPI_COUNT; op-- > 0;) {
		uint8_t code = weir_op_table[op].code;

		next_row[op] = first_row[code];
		first_row[code] = (uint8_t)op;
	}
}

/* The field that selects among rows of one opcode byte. */
static int32_t selector_of(const struct bpf_insn *insn)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64: return BPF_OP(insn->code) == BPF_END ? insn->imm : insn->off;
	case BPF_STX: return insn->imm;
	default: return insn->src_reg;
	}
}

enum weir_op weir_isa_decode(const struct bpf_insn *insn)
{
	unsigned int op = first_row[insn->code];

	if (op == WEIR_OPI_INVALID || weir_op_table[op].sub == -1)
		return (enum weir_op)op;

	int32_t sub = selector_of(insn);

	while (op != WEIR_OPI_INVALID && weir_op_table[op].sub != sub)
		op = next_row[op];
	return (enum weir_op)op;
}

static bool code_known(uint8_t code, enum weir_isa_level level)
{
	unsigned int op = first_row[code];

	/* Rows of one opcode byte may differ in level (calls, LD_IMM64): one that fits is enough.
	 */
	while (op != WEIR_OPI_INVALID && !(weir_op_table[op].level & level))
		op = next_row[op];
	return op != WEIR_OPI_INVALID;
}

static bool is_jump_class(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_JMP || BPF_CLASS(insn->code) == BPF_JMP32;
}

bool weir_isa_is_jump(const struct bpf_insn *insn)
{
	uint8_t op = BPF_OP(insn->code);

	return is_jump_class(insn) && op != BPF_CALL && op != BPF_EXIT &&
	       op != BPF_OP(WEIR_OP_BUDGET);
}

int64_t weir_isa_jump_target(const struct bpf_insn *insn, uint32_t insn_idx)
{
	bool far = insn->code == (BPF_JMP32 | BPF_JA);

	return (int64_t)insn_idx + 1 + (far ? insn->imm : insn->off);
}

static bool is_ld_imm64(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

/*
 * The passes follow Linux's order (jumps, opcodes, then field by field), so that a program with
 * several faults gets the message that Linux gives.
 */
static int check_jumps(const struct bpf_insn *insns, uint32_t count, struct weir_diag *diag,
		       uint32_t *bad_idx)
{
	for (uint32_t i = 0; i < count; i++) {
		*bad_idx = i;
		if (weir_isa_is_jump(&insns[i])) {
			int64_t target = weir_isa_jump_target(&insns[i], i);

			if (target < 0 || target >= count)
				return weir_fail(diag, -EINVAL,
						 "jump out of range from insn %u to %lld", i,
						 (long long)target);
		}
		if (i + 1 < count)
			continue;

		uint8_t code = insns[i].code;

		if (code != (BPF_JMP | BPF_EXIT) && code != (BPF_JMP | BPF_JA) &&
		    code != (BPF_JMP32 | BPF_JA))
			return weir_fail(diag, -EINVAL, "last insn is not an exit or jmp");
	}
	return 0;
}

static int check_imm64(const struct bpf_insn *insn, bool is_last, enum weir_isa_level level,
		       struct weir_diag *diag)
{
	if (is_last || insn[1].code || insn[1].dst_reg || insn[1].src_reg || insn[1].off)
		return weir_fail(diag, -EINVAL, "invalid bpf_ld_imm64 insn");

	enum weir_op op = weir_isa_decode(insn);

	if (op == WEIR_OPI_INVALID || !(weir_op_table[op].level & level))
		return weir_fail(diag, -EINVAL, "unrecognized bpf_ld_imm64 insn");
	return 0;
}

static int check_opcodes(const struct bpf_insn *insns, uint32_t count, enum weir_isa_level level,
			 struct weir_diag *diag, uint32_t *bad_idx)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct bpf_insn *insn = &insns[i];

		*bad_idx = i;
		if (BPF_CLASS(insn->code) == BPF_LDX &&
		    ((BPF_MODE(insn->code) != BPF_MEM && BPF_MODE(insn->code) != BPF_MEMSX) ||
		     insn->imm))
			return weir_fail(diag, -EINVAL, "BPF_LDX uses reserved fields");
		if (is_ld_imm64(insn)) {
			int err = check_imm64(insn, i + 1 == count, level, diag);

			if (err)
				return err;
			i++;
		} else if (!code_known(insn->code, level)) {
			return weir_fail(diag, -EINVAL, "unknown opcode %02x", insn->code);
		}
	}
	return 0;
}

/* A jump to the second half of an LD_IMM64 lands on opcode 0, which is Linux's complaint. */
static int check_landings(const struct bpf_insn *insns, uint32_t count, struct weir_diag *diag,
			  uint32_t *bad_idx)
{
	for (uint32_t i = 0; i < count; i++) {
		bool local_call = weir_isa_decode(&insns[i]) == WEIR_OPI_CALL_LOCAL;

		if (is_ld_imm64(&insns[i])) {
			i++;
			continue;
		}
		if (!weir_isa_is_jump(&insns[i]) && !local_call)
			continue;

		int64_t target = local_call ? (int64_t)i + 1 + insns[i].imm
					    : weir_isa_jump_target(&insns[i], i);

		*bad_idx = i;
		if (target < 0 || target >= count)
			return weir_fail(diag, -EINVAL, "call to invalid destination");
		if (target > 0 && is_ld_imm64(&insns[target - 1]) && !insns[target].code)
			return weir_fail(diag, -EINVAL, "jump into the middle of ldimm64 insn %lld",
					 (long long)target);
	}
	return 0;
}

static int check_alu_value(const struct bpf_insn *insn, struct weir_diag *diag)
{
	int32_t width = BPF_CLASS(insn->code) == BPF_ALU64 ? 64 : 32;

	switch (BPF_OP(insn->code)) {
	case BPF_DIV:
	case BPF_MOD:
		if (!insn->imm)
			return weir_fail(diag, -EINVAL, "div by zero");
		return 0;
	case BPF_LSH:
	case BPF_RSH:
	case BPF_ARSH:
		if (insn->imm < 0 || insn->imm >= width)
			return weir_fail(diag, -EINVAL, "invalid shift %d", insn->imm);
		return 0;
	default: return 0;
	}
}

static int check_alu(const struct bpf_insn *insn, enum weir_isa_level level, struct weir_diag *diag)
{
	bool known = weir_isa_decode(insn) != WEIR_OPI_INVALID;
	bool by_reg = BPF_SRC(insn->code) == BPF_X;

	switch (BPF_OP(insn->code)) {
	case BPF_END:
		if (!known || insn->src_reg || insn->off)
			return weir_fail(diag, -EINVAL, "BPF_END uses reserved fields");
		return 0;
	case BPF_NEG:
		if (insn->src_reg || insn->off || insn->imm)
			return weir_fail(diag, -EINVAL, "BPF_NEG uses reserved fields");
		return 0;
	case BPF_MOV:
		if (!known || (by_reg ? insn->imm != 0 : insn->src_reg || insn->off))
			return weir_fail(diag, -EINVAL, "BPF_MOV uses reserved fields");
		return 0;
	case BPF_DIV:
	case BPF_MOD:
		if (!known || (by_reg ? insn->imm != 0 : insn->src_reg != 0))
			return weir_fail(diag, -EINVAL, "BPF_ALU uses reserved fields");
		break;
	default:
		if (insn->off || (by_reg ? insn->imm != 0 : insn->src_reg != 0))
			return weir_fail(diag, -EINVAL, "BPF_ALU uses reserved fields");
		break;
	}
	/* RFC 9669 gives both a meaning; Linux refuses to load them. */
	return level == WEIR_ISA_BPF && !by_reg ? check_alu_value(insn, diag) : 0;
}

static int check_jmp(const struct bpf_insn *insn, enum weir_isa_level level, struct weir_diag *diag)
{
	enum weir_op op = weir_isa_decode(insn);
	bool far = BPF_CLASS(insn->code) == BPF_JMP32;

	switch (BPF_OP(insn->code)) {
	case BPF_CALL:
		if (op == WEIR_OPI_INVALID || !(weir_op_table[op].level & level) || insn->dst_reg ||
		    (insn->off && op != WEIR_OPI_CALL_KFUNC))
			return weir_fail(diag, -EINVAL, "BPF_CALL uses reserved fields");
		return 0;
	case BPF_JA:
		if (insn->src_reg || insn->dst_reg || (far ? insn->off != 0 : insn->imm != 0))
			return weir_fail(diag, -EINVAL, "BPF_JA uses reserved fields");
		return 0;
	case BPF_EXIT:
		if (insn->src_reg || insn->dst_reg || insn->imm)
			return weir_fail(diag, -EINVAL, "BPF_EXIT uses reserved fields");
		return 0;
	case BPF_JCOND:
		if (op == WEIR_OPI_INVALID || insn->dst_reg || insn->imm)
			return weir_fail(diag, -EINVAL, "invalid may_goto imm %d", insn->imm);
		return 0;
	case BPF_OP(WEIR_OP_TAIL_CALL):
		if (insn->src_reg || insn->dst_reg || insn->imm || insn->off)
			return weir_fail(diag, -EINVAL, "internal operation uses reserved fields");
		return 0;
	default:
		if (BPF_SRC(insn->code) == BPF_X ? insn->imm != 0 : insn->src_reg != 0)
			return weir_fail(diag, -EINVAL, "BPF_JMP/JMP32 uses reserved fields");
		return 0;
	}
}

static int check_stx(const struct bpf_insn *insn, struct weir_diag *diag)
{
	if (BPF_MODE(insn->code) == BPF_MEM) {
		if (insn->imm)
			return weir_fail(diag, -EINVAL, "BPF_STX uses reserved fields");
		return 0;
	}
	if (weir_isa_decode(insn) != WEIR_OPI_INVALID)
		return 0;

	/* The operation may be known at another width only. */
	struct bpf_insn wide = *insn;

	wide.code = BPF_STX | BPF_ATOMIC | BPF_DW;
	if (weir_isa_decode(&wide) != WEIR_OPI_INVALID)
		return weir_fail(diag, -EINVAL, "invalid atomic operand size");
	return weir_fail(diag, -EINVAL, "BPF_ATOMIC uses invalid atomic opcode %02x", insn->imm);
}

static int check_ld(const struct bpf_insn *insn, struct weir_diag *diag)
{
	if (is_ld_imm64(insn)) {
		if (insn->off)
			return weir_fail(diag, -EINVAL, "BPF_LD_IMM64 uses reserved fields");
		return 0;
	}
	if (insn->dst_reg || insn->off || (BPF_MODE(insn->code) == BPF_ABS && insn->src_reg))
		return weir_fail(diag, -EINVAL, "BPF_LD_[ABS|IND] uses reserved fields");
	return 0;
}

static int check_fields(const struct bpf_insn *insn, enum weir_isa_level level,
			struct weir_diag *diag)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64: return check_alu(insn, level, diag);
	case BPF_JMP:
	case BPF_JMP32: return check_jmp(insn, level, diag);
	case BPF_STX: return check_stx(insn, diag);
	case BPF_ST:
		if (insn->src_reg)
			return weir_fail(diag, -EINVAL, "BPF_ST uses reserved fields");
		return 0;
	case BPF_LD: return check_ld(insn, diag);
	default: return 0;
	}
}

bool weir_isa_writes_dst(const struct bpf_insn *insn)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
	case BPF_LDX: return true;
	case BPF_LD: return is_ld_imm64(insn);
	default:
		return BPF_CLASS(insn->code) == BPF_STX && BPF_MODE(insn->code) == BPF_ATOMIC &&
		       insn->imm == BPF_LOAD_ACQ;
	}
}

/* Register numbers: the fields hold 0 to 15, programs have R0 to R10, R10 is never written. */
static int check_regs(const struct bpf_insn *insn, struct weir_diag *diag)
{
	bool imm64 = is_ld_imm64(insn);
	bool call = is_jump_class(insn) && BPF_OP(insn->code) == BPF_CALL;

	if (insn->dst_reg >= WEIR_MAX_REGS)
		return weir_fail(diag, -EINVAL, "R%d is invalid", insn->dst_reg);
	if (insn->src_reg >= WEIR_MAX_REGS && !imm64 && !call)
		return weir_fail(diag, -EINVAL, "R%d is invalid", insn->src_reg);
	if (insn->dst_reg == BPF_REG_10 && weir_isa_writes_dst(insn))
		return weir_fail(diag, -EACCES, "frame pointer is read only");
	if (insn->src_reg == BPF_REG_10 && BPF_CLASS(insn->code) == BPF_STX &&
	    BPF_MODE(insn->code) == BPF_ATOMIC && (insn->imm & BPF_FETCH) &&
	    insn->imm != BPF_CMPXCHG)
		return weir_fail(diag, -EACCES, "frame pointer is read only");
	return 0;
}

int weir_isa_check(const struct bpf_insn *insns, uint32_t insn_count, enum weir_isa_level level,
		   struct weir_diag *diag, uint32_t *bad_idx)
{
	uint32_t at = 0;
	int err;

	if (!insn_count) {
		*bad_idx = 0;
		return weir_fail(diag, -EINVAL, "last insn is not an exit or jmp");
	}
	err = check_jumps(insns, insn_count, diag, &at);
	if (!err)
		err = check_opcodes(insns, insn_count, level, diag, &at);
	for (uint32_t i = 0; !err && i < insn_count; i++) {
		at = i;
		err = check_fields(&insns[i], level, diag);
		if (!err)
			err = check_regs(&insns[i], diag);
		if (is_ld_imm64(&insns[i]))
			i++;
	}
	if (!err)
		err = check_landings(insns, insn_count, diag, &at);
	if (err)
		*bad_idx = at;
	return err;
}
