/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The translation: A is R0, X is R7, the context R6, the memory words lie on the stack; all are
 * 32 bits, zero-extended. What no path reaches is left out, as the verifier wants every
 * instruction reached.
 */
#include "cbpf.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lower.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/vm/bpf.h"

#define A             BPF_REG_0
#define TMP           BPF_REG_8
#define CTX           BPF_REG_6
#define X             BPF_REG_7
#define NO_TARGET     UINT32_MAX
#define MOV32(d, s)   LOWER_INSN(BPF_ALU | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV32_K(d, k) LOWER_INSN(BPF_ALU | BPF_MOV | BPF_K, d, 0, 0, k)
#define CTX_OFF(f)    offsetof(struct __sk_buff, f)

struct conv {
	WEIR_VEC(struct bpf_insn) out;
	WEIR_VEC(uint32_t) targets; /* per out: the classic instruction it jumps to */
	int err;
};

static void emit_to(struct conv *c, struct bpf_insn insn, uint32_t target)
{
	if (!c->err && (weir_vec_push(&c->out, insn) || weir_vec_push(&c->targets, target)))
		c->err = -ENOMEM;
}

static void emit(struct conv *c, struct bpf_insn insn)
{
	emit_to(c, insn, NO_TARGET);
}

static int16_t cell(uint32_t k)
{
	return (int16_t)(-4 * (int32_t)(k + 1));
}

static void load_ctx(struct conv *c, size_t off, bool swap)
{
	emit(c, LOWER_LDX(BPF_W, A, CTX, off));
	if (swap)
		emit(c, LOWER_INSN(BPF_ALU | BPF_END | BPF_TO_BE, A, 0, 0, 16));
}

static void convert_ancillary(struct conv *c, uint32_t k)
{
	switch (k - (uint32_t)SKF_AD_OFF) {
	case SKF_AD_PROTOCOL: return load_ctx(c, CTX_OFF(protocol), true);
	case SKF_AD_PKTTYPE: return load_ctx(c, CTX_OFF(pkt_type), false);
	case SKF_AD_IFINDEX: return load_ctx(c, CTX_OFF(ifindex), false);
	case SKF_AD_MARK: return load_ctx(c, CTX_OFF(mark), false);
	case SKF_AD_QUEUE: return load_ctx(c, CTX_OFF(queue_mapping), false);
	case SKF_AD_RXHASH: return load_ctx(c, CTX_OFF(hash), false);
	case SKF_AD_VLAN_TAG: return load_ctx(c, CTX_OFF(vlan_tci), false);
	case SKF_AD_VLAN_TAG_PRESENT: return load_ctx(c, CTX_OFF(vlan_present), false);
	case SKF_AD_VLAN_TPID: return load_ctx(c, CTX_OFF(vlan_proto), true);
	case SKF_AD_HATYPE: return emit(c, MOV32_K(A, ARPHRD_ETHER)); /* as all of weir's ports */
	case SKF_AD_CPU:
		return emit(c,
			    LOWER_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_smp_processor_id));
	case SKF_AD_RANDOM:
		return emit(c, LOWER_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32));
	default: /* SKF_AD_ALU_XOR_X: the check passes no other */
		return emit(c, LOWER_INSN(BPF_ALU | BPF_XOR | BPF_X, A, X, 0, 0));
	}
}

static void convert_load(struct conv *c, const struct sock_filter *f)
{
	uint8_t dst = BPF_CLASS(f->code) == BPF_LD ? A : X;

	switch (BPF_MODE(f->code)) {
	case BPF_ABS:
		if (cbpf_is_ancillary(f))
			return convert_ancillary(c, f->k);
		return emit(c, LOWER_INSN(f->code, 0, 0, 0, f->k));
	case BPF_IND: return emit(c, LOWER_INSN(f->code, 0, X, 0, f->k));
	case BPF_IMM: return emit(c, MOV32_K(dst, f->k));
	case BPF_LEN: return emit(c, LOWER_LDX(BPF_W, dst, CTX, CTX_OFF(len)));
	case BPF_MEM: return emit(c, LOWER_LDX(BPF_W, dst, BPF_REG_10, cell(f->k)));
	default: /* BPF_MSH: four times the low half of a byte */
		emit(c, MOV32(TMP, A));
		emit(c, LOWER_INSN(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, f->k));
		emit(c, LOWER_INSN(BPF_ALU | BPF_AND | BPF_K, A, 0, 0, 0xf));
		emit(c, LOWER_INSN(BPF_ALU | BPF_LSH | BPF_K, A, 0, 0, 2));
		emit(c, MOV32(X, A));
		return emit(c, MOV32(A, TMP));
	}
}

static void convert_alu(struct conv *c, const struct sock_filter *f)
{
	uint8_t op = BPF_OP(f->code);

	if (op == BPF_NEG)
		return emit(c, LOWER_INSN(BPF_ALU | BPF_NEG, A, 0, 0, 0));
	if (BPF_SRC(f->code) == BPF_K)
		return emit(c, LOWER_INSN(f->code, A, 0, 0, f->k));
	/* Classic division by zero ends the filter. */
	if (op == BPF_DIV || op == BPF_MOD) {
		emit(c, LOWER_INSN(BPF_JMP32 | BPF_JNE | BPF_K, X, 0, 2, 0));
		emit(c, MOV32_K(A, 0));
		emit(c, LOWER_EXIT);
	}
	emit(c, LOWER_INSN(f->code, A, X, 0, 0));
}

static uint8_t inverse(uint8_t op)
{
	switch (op) {
	case BPF_JEQ: return BPF_JNE;
	case BPF_JGT: return BPF_JLE;
	case BPF_JGE: return BPF_JLT;
	default: return 0; /* JSET has none */
	}
}

static void convert_jump(struct conv *c, const struct sock_filter *f, uint32_t pc)
{
	uint32_t yes = pc + 1 + f->jt, no = pc + 1 + f->jf;
	uint8_t op = BPF_OP(f->code), src = BPF_SRC(f->code);
	struct bpf_insn insn;

	if (op == BPF_JA)
		yes = no = pc + 1 + f->k;
	if (yes == no) {
		if (yes != pc + 1)
			emit_to(c, LOWER_JA(0), yes);
		return;
	}
	if (yes == pc + 1 && inverse(op)) {
		op = inverse(op);
		yes = no;
		no = pc + 1;
	}
	insn = LOWER_INSN(BPF_JMP32 | op | src, A, src == BPF_X ? X : 0, 0,
			  src == BPF_X ? 0 : f->k);
	emit_to(c, insn, yes);
	if (no != pc + 1)
		emit_to(c, LOWER_JA(0), no);
}

static void convert_insn(struct conv *c, const struct sock_filter *f, uint32_t pc)
{
	switch (BPF_CLASS(f->code)) {
	case BPF_LD:
	case BPF_LDX: return convert_load(c, f);
	case BPF_ST: return emit(c, LOWER_STX(BPF_W, BPF_REG_10, A, cell(f->k)));
	case BPF_STX: return emit(c, LOWER_STX(BPF_W, BPF_REG_10, X, cell(f->k)));
	case BPF_ALU: return convert_alu(c, f);
	case BPF_JMP: return convert_jump(c, f, pc);
	case BPF_MISC: return emit(c, BPF_MISCOP(f->code) == BPF_TAX ? MOV32(X, A) : MOV32(A, X));
	default: /* BPF_RET */
		if (BPF_RVAL(f->code) == BPF_K)
			emit(c, MOV32_K(A, f->k));
		return emit(c, LOWER_EXIT);
	}
}

/* Jumps go forward only, so one pass finds what is reached. */
static void mark_reached(const struct sock_filter *filter, uint32_t count, bool *reached)
{
	memset(reached, 0, count);
	reached[0] = true;
	for (uint32_t pc = 0; pc < count; pc++) {
		const struct sock_filter *f = &filter[pc];

		if (!reached[pc])
			continue;
		switch (BPF_CLASS(f->code)) {
		case BPF_RET: break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA) {
				reached[pc + 1 + f->k] = true;
				break;
			}
			reached[pc + 1 + f->jt] = reached[pc + 1 + f->jf] = true;
			break;
		default: reached[pc + 1] = true; break;
		}
	}
}

static void resolve_targets(struct conv *c, const uint32_t *start)
{
	for (size_t i = 0; i < c->out.len && !c->err; i++) {
		int64_t rel;

		if (c->targets.v[i] == NO_TARGET)
			continue;
		rel = (int64_t)start[c->targets.v[i]] - (int64_t)i - 1;
		if (rel > INT16_MAX)
			c->err = -EINVAL;
		c->out.v[i].off = (int16_t)rel;
	}
}

static void convert_all(struct conv *c, const struct sock_filter *filter, uint32_t count)
{
	uint32_t start[WEIR_CBPF_MAX_INSNS];
	bool reached[WEIR_CBPF_MAX_INSNS];

	mark_reached(filter, count, reached);
	emit(c, LOWER_MOV(CTX, BPF_REG_1));
	emit(c, MOV32_K(A, 0));
	emit(c, MOV32_K(X, 0));
	for (uint32_t pc = 0; pc < count; pc++) {
		start[pc] = (uint32_t)c->out.len;
		if (reached[pc])
			convert_insn(c, &filter[pc], pc);
	}
	resolve_targets(c, start);
}

int weir_cbpf_convert(const struct sock_filter *filter, uint32_t count, const char *name,
		      struct weir_diag *diag, struct weir_prog_raw *out)
{
	struct conv c = {.err = cbpf_check(filter, count, diag)};

	if (!c.err)
		convert_all(&c, filter, count);
	weir_vec_free(&c.targets);
	if (c.err) {
		weir_vec_free(&c.out);
		return c.err;
	}
	*out = (struct weir_prog_raw){
		.type = BPF_PROG_TYPE_SOCKET_FILTER,
		.license = "GPL",
		.insns = c.out.v,
		.insn_count = (uint32_t)c.out.len,
	};
	snprintf(out->name, sizeof(out->name), "%s", name);
	return 0;
}
