/* SPDX-License-Identifier: BSD-3-Clause */
/* Context accesses → accesses of the run-time context, by the context table. */
#include "lower.h"
#include "weir/vm/pkt.h"

#define NO_QUEUE_MAPPING 0xffff /* Linux: a queue_mapping it does not store */

static uint32_t access_bytes(const struct bpf_insn *insn)
{
	switch (BPF_SIZE(insn->code)) {
	case BPF_B: return 1;
	case BPF_H: return 2;
	case BPF_W: return 4;
	default: return 8;
	}
}

/* A register that is neither of the two (and not R10). */
static uint8_t other_reg(uint8_t a, uint8_t b)
{
	uint8_t reg = 0;

	while (reg == a || reg == b)
		reg++;
	return reg;
}

static void save(struct lower *l, uint8_t reg, uint32_t slot)
{
	lower_emit(l, LOWER_STX(BPF_DW, BPF_REG_10, reg, lower_scratch(l, slot)));
}

static void restore(struct lower *l, uint8_t reg, uint32_t slot)
{
	lower_emit(l, LOWER_LDX(BPF_DW, reg, BPF_REG_10, lower_scratch(l, slot)));
}

/*
 * len = data_end - data + rest_len takes two registers beside the context's; those that the
 * program holds values in are kept in scratch slots meanwhile.
 */
static void load_len(struct lower *l, uint8_t dst, uint8_t src)
{
	bool same = dst == src;
	uint8_t acc = same ? other_reg(dst, src) : dst;
	uint8_t tmp = other_reg(acc, src);

	if (same)
		save(l, acc, 1);
	save(l, tmp, 0);
	lower_emit(l, LOWER_LDX(BPF_DW, acc, src, offsetof(struct weir_pkt, data_end)));
	lower_emit(l, LOWER_LDX(BPF_DW, tmp, src, offsetof(struct weir_pkt, data)));
	lower_emit(l, LOWER_ALU(BPF_SUB, acc, tmp));
	lower_emit(l, LOWER_LDX(BPF_W, tmp, src, offsetof(struct weir_pkt, rest_len)));
	lower_emit(l, LOWER_ALU(BPF_ADD, acc, tmp));
	restore(l, tmp, 0);
	if (same) {
		lower_emit(l, LOWER_MOV(dst, acc));
		restore(l, acc, 1);
	}
}

static void load_len_part(struct lower *l, const struct bpf_insn *insn, uint32_t at, uint32_t bytes)
{
	uint8_t dst = insn->dst_reg;

	load_len(l, dst, insn->src_reg);
	if (at)
		lower_emit(l, LOWER_ALU_K(BPF_RSH, dst, at * 8));
	if (bytes < 4)
		lower_emit(l, LOWER_ALU_K(BPF_AND, dst, (1U << bytes * 8) - 1));
	if (BPF_MODE(insn->code) == BPF_MEMSX)
		lower_emit(l, LOWER_INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, dst, bytes * 8, 0));
}

/*
 * Bytes [at, at + bytes) of a field that the run time keeps, little-endian, in run_bytes bytes. As
 * on Linux, a load that is not narrower than what is kept gives all of it, wherever it starts.
 */
static void load_scalar(struct lower *l, const struct weir_ctx_field *f,
			const struct bpf_insn *insn, uint32_t at, uint32_t bytes)
{
	uint8_t dst = insn->dst_reg, src = insn->src_reg;

	if (bytes > f->run_bytes)
		lower_emit(l, LOWER_LDX(lower_size_code(f->run_bytes), dst, src, f->run_off));
	else if (bytes == f->run_bytes)
		lower_emit(l, LOWER_INSN(insn->code, dst, src, f->run_off, 0));
	else if (at >= f->run_bytes)
		lower_emit(l, LOWER_MOV_K(dst, 0));
	else
		lower_emit(l, LOWER_INSN(insn->code, dst, src, f->run_off + at, 0));
}

static void load(struct lower *l, const struct weir_ctx_field *f, const struct bpf_insn *insn)
{
	uint32_t at = (uint32_t)insn->off - f->off, bytes = access_bytes(insn);

	switch (f->kind) {
	case WEIR_CTX_DATA:
	case WEIR_CTX_DATA_END:
	case WEIR_CTX_DATA_META:
		if (BPF_MODE(insn->code) == BPF_MEMSX)
			return lower_broken(l, "sign-extending load of a packet pointer");
		return lower_emit(l, LOWER_LDX(BPF_DW, insn->dst_reg, insn->src_reg, f->run_off));
	case WEIR_CTX_LEN: return load_len_part(l, insn, at, bytes);
	case WEIR_CTX_PTR: return lower_emit(l, LOWER_MOV_K(insn->dst_reg, 0));
	default: return load_scalar(l, f, insn, at, bytes);
	}
}

static void store(struct lower *l, const struct weir_ctx_field *f, const struct bpf_insn *insn)
{
	uint32_t at = (uint32_t)insn->off - f->off, bytes = access_bytes(insn);
	struct bpf_insn out = *insn;
	bool is_imm = BPF_CLASS(insn->code) == BPF_ST;

	if (f->run_off == offsetof(struct weir_skb_ctx, queue_mapping)) {
		if (is_imm && insn->imm >= NO_QUEUE_MAPPING)
			return;
		if (!is_imm)
			lower_emit(l, LOWER_JMP_K(BPF_JGE, insn->src_reg, NO_QUEUE_MAPPING, 1));
	}
	if (at + bytes > f->run_bytes)
		bytes = f->run_bytes - at;
	out.code = (uint8_t)(BPF_CLASS(insn->code) | BPF_MEM | lower_size_code(bytes));
	out.off = (int16_t)(f->run_off + at);
	lower_emit(l, out);
}

void lower_ctx_access(struct lower *l, const struct bpf_insn *insn)
{
	bool write = BPF_CLASS(insn->code) != BPF_LDX;
	uint8_t mode = BPF_MODE(insn->code);
	const struct weir_ctx_field *f;

	if (mode != BPF_MEM && (write || mode != BPF_MEMSX))
		return lower_broken(l, "atomic access to the context");
	f = weir_ctx_may_access(l->ok->raw.type, l->ok->raw.expected_attach_type, insn->off,
				access_bytes(insn), write);
	if (!f)
		return lower_broken(l, "context access outside the table");
	if (write)
		store(l, f, insn);
	else
		load(l, f, insn);
}
