/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/disasm.h"

#include "weir/vm/helper.h"
#include "weir/vm/isa.h"
#include "weir/vm/prog.h"

static const char *const size_names[] = {
	[BPF_W >> 3] = "u32", [BPF_H >> 3] = "u16", [BPF_B >> 3] = "u8", [BPF_DW >> 3] = "u64"};
static const char *const signed_size_names[] = {
	[BPF_W >> 3] = "s32", [BPF_H >> 3] = "s16", [BPF_B >> 3] = "s8", [BPF_DW >> 3] = "s64"};

static const char *const alu_symbols[16] = {
	[BPF_ADD >> 4] = "+=",  [BPF_SUB >> 4] = "-=",  [BPF_MUL >> 4] = "*=",
	[BPF_DIV >> 4] = "/=",  [BPF_OR >> 4] = "|=",   [BPF_AND >> 4] = "&=",
	[BPF_LSH >> 4] = "<<=", [BPF_RSH >> 4] = ">>=", [BPF_MOD >> 4] = "%=",
	[BPF_XOR >> 4] = "^=",  [BPF_MOV >> 4] = "=",   [BPF_ARSH >> 4] = "s>>="};

static const char *const jmp_symbols[16] = {[BPF_JEQ >> 4] = "==",   [BPF_JGT >> 4] = ">",
					    [BPF_JGE >> 4] = ">=",   [BPF_JSET >> 4] = "&",
					    [BPF_JNE >> 4] = "!=",   [BPF_JSGT >> 4] = "s>",
					    [BPF_JSGE >> 4] = "s>=", [BPF_JLT >> 4] = "<",
					    [BPF_JLE >> 4] = "<=",   [BPF_JSLT >> 4] = "s<",
					    [BPF_JSLE >> 4] = "s<="};

static void print_unknown(const struct bpf_insn *insn, struct weir_diag *out)
{
	weir_diag_printf(out, "BUG_%02x", insn->code);
}

static void print_alu(const struct bpf_insn *insn, struct weir_diag *out)
{
	bool wide = BPF_CLASS(insn->code) == BPF_ALU64;
	char reg = wide ? 'r' : 'w';
	uint8_t op = BPF_OP(insn->code);
	bool is_signed = (op == BPF_DIV || op == BPF_MOD) && insn->off == 1;
	const char *symbol = alu_symbols[op >> 4];
	int dst = insn->dst_reg;

	if (op == BPF_END) {
		const char *name = BPF_SRC(insn->code) == BPF_TO_BE ? "be" : "le";

		weir_diag_printf(out, "r%d = %s%d r%d", dst, wide ? "bswap" : name, insn->imm, dst);
		return;
	}
	if (op == BPF_NEG) {
		weir_diag_printf(out, "%c%d = -%c%d", reg, dst, reg, dst);
		return;
	}
	if (!symbol) {
		print_unknown(insn, out);
		return;
	}
	weir_diag_printf(out, "%c%d %s%s ", reg, dst, is_signed ? "s" : "", symbol);
	if (BPF_SRC(insn->code) == BPF_K) {
		weir_diag_printf(out, "%d", insn->imm);
		return;
	}
	if (op == BPF_MOV && insn->off)
		weir_diag_printf(out, "(s%d)", insn->off);
	weir_diag_printf(out, "%c%d", reg, insn->src_reg);
}

static void print_atomic(const struct bpf_insn *insn, enum weir_op op, struct weir_diag *out)
{
	const char *wide = BPF_SIZE(insn->code) == BPF_DW ? "64" : "";
	const char *size = size_names[BPF_SIZE(insn->code) >> 3];
	const char *name = NULL;
	int dst = insn->dst_reg, src = insn->src_reg, off = insn->off;

	switch (op) {
	case WEIR_OPI_INVALID: print_unknown(insn, out); return;
	case WEIR_OPI_ATOMIC_CMPXCHG32:
	case WEIR_OPI_ATOMIC_CMPXCHG64:
		weir_diag_printf(out, "r0 = atomic%s_cmpxchg((%s *)(r%d %+d), r0, r%d)", wide, size,
				 dst, off, src);
		return;
	default: break;
	}
	switch (insn->imm) {
	case BPF_LOAD_ACQ:
		weir_diag_printf(out, "r%d = load_acquire((%s *)(r%d %+d))", dst, size, src, off);
		return;
	case BPF_STORE_REL:
		weir_diag_printf(out, "store_release((%s *)(r%d %+d), r%d)", size, dst, off, src);
		return;
	case BPF_XCHG: name = "xchg"; break;
	case BPF_ADD | BPF_FETCH: name = "fetch_add"; break;
	case BPF_OR | BPF_FETCH: name = "fetch_or"; break;
	case BPF_AND | BPF_FETCH: name = "fetch_and"; break;
	case BPF_XOR | BPF_FETCH: name = "fetch_xor"; break;
	default:
		weir_diag_printf(out, "lock *(%s *)(r%d %+d) %s r%d", size, dst, off,
				 alu_symbols[BPF_OP(insn->imm) >> 4], src);
		return;
	}
	weir_diag_printf(out, "r%d = atomic%s_%s((%s *)(r%d %+d), r%d)", src, wide, name, size, dst,
			 off, src);
}

static void print_call(const struct bpf_insn *insn, uint32_t insn_idx,
		       const struct weir_disasm_opts *opts, struct weir_diag *out)
{
	const char *name = NULL;

	if (opts && opts->call_name)
		name = opts->call_name(opts->arg, insn, insn_idx);
	if (insn->src_reg == BPF_PSEUDO_CALL) {
		weir_diag_printf(out, "call pc%+d", insn->imm);
		if (name)
			weir_diag_printf(out, "#%s", name);
		return;
	}
	if (!name && insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
		name = "kernel-function";
	if (!name)
		name = weir_helper_name((uint32_t)insn->imm);
	weir_diag_printf(out, "call %s#%d", name ? name : "unknown", insn->imm);
}

static void print_cond_jmp(const struct bpf_insn *insn, struct weir_diag *out)
{
	char reg = BPF_CLASS(insn->code) == BPF_JMP32 ? 'w' : 'r';
	const char *symbol = jmp_symbols[BPF_OP(insn->code) >> 4];

	if (!symbol) {
		print_unknown(insn, out);
		return;
	}
	weir_diag_printf(out, "if %c%d %s ", reg, insn->dst_reg, symbol);
	if (BPF_SRC(insn->code) == BPF_X)
		weir_diag_printf(out, "%c%d", reg, insn->src_reg);
	else
		weir_diag_printf(out, "0x%x", (uint32_t)insn->imm);
	weir_diag_printf(out, " goto pc%+d", insn->off);
}

static void print_jmp(const struct bpf_insn *insn, uint32_t insn_idx,
		      const struct weir_disasm_opts *opts, struct weir_diag *out)
{
	switch (insn->code) {
	case BPF_JMP | BPF_CALL: print_call(insn, insn_idx, opts, out); return;
	case BPF_JMP | BPF_EXIT: weir_diag_printf(out, "exit"); return;
	case BPF_JMP | BPF_JA: weir_diag_printf(out, "goto pc%+d", insn->off); return;
	case BPF_JMP32 | BPF_JA: weir_diag_printf(out, "gotol pc%+d", insn->imm); return;
	case BPF_JMP | BPF_JCOND: weir_diag_printf(out, "may_goto pc%+d", insn->off); return;
	case WEIR_OP_TAIL_CALL: weir_diag_printf(out, "tail_call"); return;
	case WEIR_OP_BUDGET: weir_diag_printf(out, "budget"); return;
	default: print_cond_jmp(insn, out); return;
	}
}

static uint32_t print_ld(const struct bpf_insn *insns, uint32_t insn_count, uint32_t insn_idx,
			 const struct weir_disasm_opts *opts, struct weir_diag *out)
{
	const struct bpf_insn *insn = &insns[insn_idx];
	const char *size = size_names[BPF_SIZE(insn->code) >> 3];
	const char *name = NULL;

	if (BPF_MODE(insn->code) == BPF_ABS) {
		weir_diag_printf(out, "r0 = *(%s *)skb[%d]", size, insn->imm);
		return 1;
	}
	if (BPF_MODE(insn->code) == BPF_IND) {
		weir_diag_printf(out, "r0 = *(%s *)skb[r%d + %d]", size, insn->src_reg, insn->imm);
		return 1;
	}
	if (insn->code != (BPF_LD | BPF_IMM | BPF_DW) || insn_idx + 1 >= insn_count) {
		print_unknown(insn, out);
		return 1;
	}
	if (opts && opts->imm64_name)
		name = opts->imm64_name(opts->arg, insn, insn_idx);
	if (name)
		weir_diag_printf(out, "r%d = %s", insn->dst_reg, name);
	else
		weir_diag_printf(out, "r%d = 0x%llx", insn->dst_reg,
				 (unsigned long long)(uint32_t)insn->imm |
					 (unsigned long long)(uint32_t)insn[1].imm << 32);
	return 2;
}

uint32_t weir_disasm_insn(const struct bpf_insn *insns, uint32_t insn_count, uint32_t insn_idx,
			  const struct weir_disasm_opts *opts, struct weir_diag *out)
{
	const struct bpf_insn *insn = &insns[insn_idx];
	const char *size = size_names[BPF_SIZE(insn->code) >> 3];
	int dst = insn->dst_reg, src = insn->src_reg, off = insn->off;

	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64: print_alu(insn, out); return 1;
	case BPF_JMP:
	case BPF_JMP32: print_jmp(insn, insn_idx, opts, out); return 1;
	case BPF_LD: return print_ld(insns, insn_count, insn_idx, opts, out);
	case BPF_LDX:
		if (BPF_MODE(insn->code) == BPF_MEMSX)
			size = signed_size_names[BPF_SIZE(insn->code) >> 3];
		weir_diag_printf(out, "r%d = *(%s *)(r%d %+d)", dst, size, src, off);
		return 1;
	case BPF_ST:
		weir_diag_printf(out, "*(%s *)(r%d %+d) = %d", size, dst, off, insn->imm);
		return 1;
	default:
		if (BPF_MODE(insn->code) == BPF_ATOMIC)
			print_atomic(insn, weir_isa_decode(insn), out);
		else
			weir_diag_printf(out, "*(%s *)(r%d %+d) = r%d", size, dst, off, src);
		return 1;
	}
}
