/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "cbpf.h"

static bool is_packet_load(uint16_t code)
{
	return code == (BPF_LD | BPF_W | BPF_ABS) || code == (BPF_LD | BPF_H | BPF_ABS) ||
	       code == (BPF_LD | BPF_B | BPF_ABS);
}

bool cbpf_is_ancillary(const struct sock_filter *insn)
{
	return is_packet_load(insn->code) && insn->k >= (uint32_t)SKF_AD_OFF;
}

static bool ancillary_known(uint32_t k)
{
	switch (k - (uint32_t)SKF_AD_OFF) {
	case SKF_AD_PROTOCOL:
	case SKF_AD_PKTTYPE:
	case SKF_AD_IFINDEX:
	case SKF_AD_MARK:
	case SKF_AD_QUEUE:
	case SKF_AD_HATYPE:
	case SKF_AD_RXHASH:
	case SKF_AD_CPU:
	case SKF_AD_ALU_XOR_X:
	case SKF_AD_VLAN_TAG:
	case SKF_AD_VLAN_TAG_PRESENT:
	case SKF_AD_RANDOM:
	case SKF_AD_VLAN_TPID: return true;
	default: return false;
	}
}

static bool code_known(uint16_t code)
{
	switch (code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_B | BPF_MSH:
	case BPF_LDX | BPF_IMM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
	case BPF_ALU | BPF_NEG:
	case BPF_JMP | BPF_JA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA: return true;
	default: break;
	}
	if (code & ~0xffU)
		return false;
	switch (code & ~(unsigned int)BPF_X) {
	case BPF_ALU | BPF_ADD:
	case BPF_ALU | BPF_SUB:
	case BPF_ALU | BPF_MUL:
	case BPF_ALU | BPF_DIV:
	case BPF_ALU | BPF_MOD:
	case BPF_ALU | BPF_AND:
	case BPF_ALU | BPF_OR:
	case BPF_ALU | BPF_XOR:
	case BPF_ALU | BPF_LSH:
	case BPF_ALU | BPF_RSH:
	case BPF_JMP | BPF_JEQ:
	case BPF_JMP | BPF_JGT:
	case BPF_JMP | BPF_JGE:
	case BPF_JMP | BPF_JSET: return true;
	default: return false;
	}
}

static bool uses_cell(uint16_t code)
{
	return code == BPF_ST || code == BPF_STX || code == (BPF_LD | BPF_MEM) ||
	       code == (BPF_LDX | BPF_MEM);
}

static int insn_check(const struct sock_filter *filter, uint32_t count, uint32_t pc,
		      struct weir_diag *diag)
{
	const struct sock_filter *f = &filter[pc];
	uint32_t left = count - pc - 1;

	if (!code_known(f->code))
		return weir_fail(diag, -EINVAL, "classic BPF: insn %u: unknown code 0x%04x", pc,
				 f->code);
	if ((f->code == (BPF_ALU | BPF_DIV | BPF_K) || f->code == (BPF_ALU | BPF_MOD | BPF_K)) &&
	    !f->k)
		return weir_fail(diag, -EINVAL, "classic BPF: insn %u: division by zero", pc);
	if ((f->code == (BPF_ALU | BPF_LSH | BPF_K) || f->code == (BPF_ALU | BPF_RSH | BPF_K)) &&
	    f->k >= 32)
		return weir_fail(diag, -EINVAL, "classic BPF: insn %u: shift by %u, at most 31", pc,
				 f->k);
	if (uses_cell(f->code) && f->k >= BPF_MEMWORDS)
		return weir_fail(diag, -EINVAL, "classic BPF: insn %u: memory word %u, at most %u",
				 pc, f->k, BPF_MEMWORDS - 1);
	if (f->code == (BPF_JMP | BPF_JA)) {
		if (f->k >= left)
			return weir_fail(diag, -EINVAL,
					 "classic BPF: insn %u: jump over %u of the %u "
					 "instructions left",
					 pc, f->k, left);
	} else if (BPF_CLASS(f->code) == BPF_JMP && (f->jt >= left || f->jf >= left)) {
		return weir_fail(
			diag, -EINVAL,
			"classic BPF: insn %u: jumps over %u and %u of the %u instructions left",
			pc, f->jt, f->jf, left);
	}
	if (cbpf_is_ancillary(f) && !ancillary_known(f->k))
		return weir_fail(diag, -EINVAL, "classic BPF: insn %u: unknown ancillary load %u",
				 pc, f->k - (uint32_t)SKF_AD_OFF);
	return 0;
}

/* Every memory word is written before it is read, on every path: jumps only go forward. */
static int cells_check(const struct sock_filter *filter, uint32_t count, struct weir_diag *diag)
{
	uint16_t valid = 0, at[WEIR_CBPF_MAX_INSNS];

	memset(at, 0xff, sizeof(at));
	for (uint32_t pc = 0; pc < count; pc++) {
		const struct sock_filter *f = &filter[pc];

		valid &= at[pc];
		if (f->code == BPF_ST || f->code == BPF_STX) {
			valid |= (uint16_t)(1U << f->k);
		} else if (uses_cell(f->code)) {
			if (!(valid & 1U << f->k))
				return weir_fail(
					diag, -EINVAL,
					"classic BPF: insn %u: memory word %u is read before "
					"it is written",
					pc, f->k);
		} else if (f->code == (BPF_JMP | BPF_JA)) {
			at[pc + 1 + f->k] &= valid;
			valid = UINT16_MAX;
		} else if (BPF_CLASS(f->code) == BPF_JMP) {
			at[pc + 1 + f->jt] &= valid;
			at[pc + 1 + f->jf] &= valid;
			valid = UINT16_MAX;
		}
	}
	return 0;
}

int cbpf_check(const struct sock_filter *filter, uint32_t count, struct weir_diag *diag)
{
	int err;

	if (!count || count > WEIR_CBPF_MAX_INSNS)
		return weir_fail(diag, -EINVAL, "classic BPF: %u instructions, expected 1 to %u",
				 count, WEIR_CBPF_MAX_INSNS);
	for (uint32_t pc = 0; pc < count; pc++) {
		err = insn_check(filter, count, pc, diag);
		if (err)
			return err;
	}
	if (BPF_CLASS(filter[count - 1].code) != BPF_RET)
		return weir_fail(diag, -EINVAL, "classic BPF: insn %u: the last one is no return",
				 count - 1);
	return cells_check(filter, count, diag);
}
