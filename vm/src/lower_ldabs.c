/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * LD_ABS and LD_IND → plain instructions. R6 is the context, R0 the result, R1 to R5 are free.
 *
 * In line: a bounds check against the first segment and the load. Out of line, behind the subprog:
 * a call for negative offsets (SKF_NET_OFF, SKF_LL_OFF) and for bytes behind the first segment.
 * Where the bytes are not there, the function ends with R0 = 0.
 *
 * Soundness of the bounds checks: an offset is below 2^31 on the fast path and a packet's first
 * segment lies below 2^63, so data + offset + size cannot wrap; lengths are compared unsigned.
 */
#include <endian.h>
#include <errno.h>
#include <linux/filter.h>

#include "helpers.h"
#include "lower.h"
#include "weir/base/bits.h"
#include "weir/vm/pkt.h"

static int load_any(uint64_t ctx, uint64_t offset, void *to, uint32_t len)
{
	const struct weir_skb_ctx *skb = (const struct weir_skb_ctx *)(uintptr_t)ctx;
	int32_t off = (int32_t)offset;
	int64_t at = off;

	if (off < 0) {
		if (off >= SKF_NET_OFF)
			at = (int64_t)off - SKF_NET_OFF + skb->net_off;
		else if (off >= SKF_LL_OFF)
			at = (int64_t)off - SKF_LL_OFF + skb->mac_off;
		else
			return -EFAULT;
	}
	return weir_skb_load(skb, at, to, len);
}

static WEIR_HELPER_FUNC(ld_pkt_u8)
{
	uint8_t v;
	int err = load_any(r1, r2, &v, sizeof(v));

	return err ? (uint64_t)(int64_t)err : v;
}

static WEIR_HELPER_FUNC(ld_pkt_u16)
{
	uint16_t v;
	int err = load_any(r1, r2, &v, sizeof(v));

	return err ? (uint64_t)(int64_t)err : be16toh(v);
}

static WEIR_HELPER_FUNC(ld_pkt_u32)
{
	uint32_t v;
	int err = load_any(r1, r2, &v, sizeof(v));

	return err ? (uint64_t)(int64_t)err : be32toh(v);
}

static void host_order(struct lower *l, uint8_t size)
{
	if (size != BPF_B)
		lower_emit(l, LOWER_INSN(BPF_ALU | BPF_END | BPF_TO_BE, BPF_REG_0, 0, 0,
					 size == BPF_H ? 16 : 32));
}

static void load_bounds(struct lower *l)
{
	lower_emit(l, LOWER_LDX(BPF_DW, BPF_REG_1, BPF_REG_6, offsetof(struct weir_pkt, data)));
	lower_emit(l, LOWER_LDX(BPF_DW, BPF_REG_2, BPF_REG_6, offsetof(struct weir_pkt, data_end)));
}

static void fast_abs(struct lower *l, uint8_t size, uint32_t bytes, int32_t off, uint32_t slow)
{
	bool far = off > INT16_MAX;

	load_bounds(l);
	lower_emit(l, LOWER_MOV(BPF_REG_3, BPF_REG_1));
	lower_emit(l, LOWER_ALU_K(BPF_ADD, BPF_REG_3, off + (int32_t)bytes));
	lower_jump(l, LOWER_INSN(BPF_JMP | BPF_JGT | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0),
		   LOWER_TO_LABEL, slow);
	if (far)
		lower_emit(l, LOWER_ALU_K(BPF_ADD, BPF_REG_1, off));
	lower_emit(l, LOWER_LDX(size, BPF_REG_0, BPF_REG_1, far ? 0 : off));
	host_order(l, size);
}

/* The offset is a 32-bit sum; negative ones are above every length as unsigned numbers. */
static void fast_ind(struct lower *l, uint8_t size, uint32_t bytes, uint8_t src, int32_t off,
		     uint32_t slow)
{
	lower_emit(l, LOWER_INSN(BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, src, 0, 0));
	if (off)
		lower_emit(l, LOWER_INSN(BPF_ALU | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, off));
	load_bounds(l);
	lower_emit(l, LOWER_ALU(BPF_SUB, BPF_REG_2, BPF_REG_1));
	lower_emit(l, LOWER_MOV(BPF_REG_4, BPF_REG_3));
	lower_emit(l, LOWER_ALU_K(BPF_ADD, BPF_REG_4, bytes));
	lower_jump(l, LOWER_INSN(BPF_JMP | BPF_JGT | BPF_X, BPF_REG_4, BPF_REG_2, 0, 0),
		   LOWER_TO_LABEL, slow);
	lower_emit(l, LOWER_ALU(BPF_ADD, BPF_REG_1, BPF_REG_3));
	lower_emit(l, LOWER_LDX(size, BPF_REG_0, BPF_REG_1, 0));
	host_order(l, size);
}

void lower_ld_pkt(struct lower *l, const struct bpf_insn *insn)
{
	uint8_t size = BPF_SIZE(insn->code);
	uint32_t bytes = size == BPF_B ? 1 : size == BPF_H ? 2 : 4;
	struct lower_stub stub = {
		.ok_idx = l->ok_idx,
		.entry = lower_label_new(l),
		.back = lower_label_new(l),
		.off_in_r3 = BPF_MODE(insn->code) == BPF_IND,
		.off = insn->imm,
	};

	if (size == BPF_DW)
		return lower_broken(l, "packet load of 8 bytes");
	if (l->ok->raw.type == BPF_PROG_TYPE_XDP)
		return lower_broken(l, "packet load in an XDP program");
	stub.fn = size == BPF_B ? ld_pkt_u8 : size == BPF_H ? ld_pkt_u16 : ld_pkt_u32;
	stub.name = size == BPF_B ? "ld_pkt_u8" : size == BPF_H ? "ld_pkt_u16" : "ld_pkt_u32";
	if (stub.off_in_r3)
		fast_ind(l, size, bytes, insn->src_reg, insn->imm, stub.entry);
	else if (insn->imm >= 0 && insn->imm <= INT32_MAX - 4)
		fast_abs(l, size, bytes, insn->imm, stub.entry);
	else
		lower_jump(l, LOWER_JA(0), LOWER_TO_LABEL, stub.entry);
	lower_label_here(l, stub.back);
	if (weir_vec_push(&l->stubs, stub))
		l->err = -ENOMEM;
}

void lower_ld_pkt_stub(struct lower *l, const struct lower_stub *stub)
{
	lower_label_here(l, stub->entry);
	if (stub->off_in_r3)
		lower_emit(l, LOWER_MOV(BPF_REG_2, BPF_REG_3));
	else
		lower_emit(l, LOWER_MOV_K(BPF_REG_2, stub->off));
	lower_emit(l, LOWER_MOV(BPF_REG_1, BPF_REG_6));
	lower_call_fn(l, stub->fn, stub->name);
	lower_jump(l, LOWER_JMP_K(BPF_JSGE, BPF_REG_0, 0, 0), LOWER_TO_LABEL, stub->back);
	lower_emit(l, LOWER_MOV_K(BPF_REG_0, 0));
	lower_emit(l, LOWER_EXIT);
}
