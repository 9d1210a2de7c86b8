/* SPDX-License-Identifier: BSD-3-Clause */
#include "gen.h"

#include <string.h>

#include "bpf_insn.h"
#include "weir/base/bits.h"
#include "weir/vm/isa.h"

/*
 * Conventions that make programs mostly right: R6 is the context, R7 a packet pointer (if there is
 * one), R8 a map value (likewise), R9 a number, R0 and R2 to R5 numbers between units.
 */
#define MAX_FUNCS  4
#define MAX_DEPTH  3
#define SLOTS      8 /* stack slots that are initialised at a function's start */
#define KEY_OFF    (-8 * (SLOTS + 1))
#define BUFFER_OFF (-8 * (SLOTS + 5))

const struct weir_map_def gen_maps[GEN_MAPS] = {
	[GEN_ARRAY] = {.type = BPF_MAP_TYPE_ARRAY,
		       .key_size = 4,
		       .value_size = 64,
		       .max_entries = 4,
		       .name = "array"},
	[GEN_HASH] = {.type = BPF_MAP_TYPE_HASH,
		      .key_size = 4,
		      .value_size = 32,
		      .max_entries = 4,
		      .name = "hash"},
	[GEN_GLOBAL] = {.type = BPF_MAP_TYPE_ARRAY,
			.key_size = 4,
			.value_size = 48,
			.max_entries = 1,
			.name = "global"},
	[GEN_PERCPU] = {.type = BPF_MAP_TYPE_PERCPU_ARRAY,
			.key_size = 4,
			.value_size = 24,
			.max_entries = 2,
			.name = "percpu"},
};

struct gen {
	struct gen_rng rng;
	struct gen_prog *p;
	uint32_t func, func_count, depth;
	bool has_pkt, has_value, is_loop;
	uint32_t pkt_bytes, value_map;
	uint32_t starts[MAX_FUNCS];
	struct {
		uint32_t at, func;
	} calls[16];
	uint32_t call_count;
	uint32_t ends[128]; /* jumps to the function's end */
	uint32_t end_count;
};

uint64_t gen_random(struct gen_rng *rng)
{
	uint64_t x = rng->state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

uint32_t gen_pick(struct gen_rng *rng, uint32_t below)
{
	return (uint32_t)((gen_random(rng) >> 32) * below >> 32);
}

uint64_t gen_edge(struct gen_rng *rng)
{
	uint64_t near = 1ULL << gen_pick(rng, 64);

	switch (gen_pick(rng, 6)) {
	case 0: return gen_random(rng);
	case 1: return near + gen_pick(rng, 5) - 2;
	case 2: return 0 - near + gen_pick(rng, 5) - 2;
	case 3: return (uint64_t)(int64_t)(int32_t)gen_random(rng);
	default: return gen_pick(rng, 70);
	}
}

static uint32_t pick(struct gen *g, uint32_t below)
{
	return gen_pick(&g->rng, below);
}

/* One time in n. */
static bool rarely(struct gen *g, uint32_t n)
{
	return !pick(g, n);
}

static bool full(const struct gen *g)
{
	return g->p->insn_count > 400;
}

static void add(struct gen *g, struct bpf_insn insn)
{
	if (g->p->insn_count < GEN_MAX_INSNS - 1)
		g->p->insns[g->p->insn_count++] = insn;
}

static void add_end_jump(struct gen *g, struct bpf_insn insn)
{
	if (g->end_count == WEIR_ARRAY_LEN(g->ends))
		return;
	g->ends[g->end_count++] = g->p->insn_count;
	add(g, insn);
}

static void add_ld_imm64(struct gen *g, int reg, int src, uint64_t value)
{
	add(g, INSN(BPF_LD | BPF_IMM | BPF_DW, reg, src, 0, (uint32_t)value));
	add(g, INSN(0, 0, 0, 0, value >> 32));
}

static int number_reg(struct gen *g)
{
	static const int regs[] = {0, 2, 3, 4, 5, 9};

	return regs[pick(g, WEIR_ARRAY_LEN(regs))];
}

static int scratch_reg(struct gen *g)
{
	static const int regs[] = {0, 2, 3, 4, 5};

	return regs[pick(g, WEIR_ARRAY_LEN(regs))];
}

static int32_t imm(struct gen *g)
{
	return (int32_t)gen_edge(&g->rng);
}

static int random_size(struct gen *g)
{
	static const int sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};

	return sizes[pick(g, 4)];
}

static int bytes_of(int size)
{
	return size == BPF_B ? 1 : size == BPF_H ? 2 : size == BPF_W ? 4 : 8;
}

/* An offset for `bytes` in [0, room); sometimes just outside. */
static int offset_in(struct gen *g, int room, int bytes)
{
	int off = room > bytes ? (int)pick(g, (uint32_t)(room - bytes + 1)) : 0;

	if (rarely(g, 60))
		return room - bytes + 1 + (int)pick(g, 3);
	if (rarely(g, 120))
		return -1 - (int)pick(g, 8);
	return rarely(g, 4) ? off : off & ~(bytes - 1);
}

static void add_number(struct gen *g, int reg)
{
	switch (pick(g, 5)) {
	case 0: add(g, MOV(reg, imm(g))); break;
	case 1: add_ld_imm64(g, reg, 0, gen_edge(&g->rng)); break;
	case 2: add(g, MOV32(reg, imm(g))); break;
	default:
		if (g->p->type == BPF_PROG_TYPE_XDP || g->func)
			add(g, LDX(random_size(g), reg, 10, -8 * (1 + (int)pick(g, SLOTS))));
		else
			add(g, LDX(BPF_W, reg, 6, rarely(g, 2) ? 8 : 48 + 4 * (int)pick(g, 5)));
	}
}

static void add_clobbered(struct gen *g)
{
	for (int r = 2; r <= 5; r++)
		add_number(g, r);
}

static void add_alu(struct gen *g)
{
	static const int ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR,   BPF_AND, BPF_LSH,
				  BPF_RSH, BPF_MOD, BPF_XOR, BPF_MOV, BPF_ARSH, BPF_AND, BPF_ADD};
	int op = ops[pick(g, WEIR_ARRAY_LEN(ops))], dst = number_reg(g), src = number_reg(g);
	int class = pick(g, 2) ? BPF_ALU : BPF_ALU64, off = 0;
	bool shift = op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH;
	static const int swaps[] = {16, 32, 64};
	int32_t k = imm(g);

	if (rarely(g, 14)) {
		add(g, rarely(g, 3)   ? (rarely(g, 2) ? NEG64(dst) : NEG32(dst))
		       : rarely(g, 2) ? BSWAP(dst, swaps[pick(g, 3)])
				      : (rarely(g, 2) ? TO_LE(dst, swaps[pick(g, 3)])
						      : TO_BE(dst, swaps[pick(g, 3)])));
		return;
	}
	if ((op == BPF_DIV || op == BPF_MOD) && rarely(g, 2))
		off = 1;
	if (op == BPF_MOV && rarely(g, 3))
		off = 8 << pick(g, class == BPF_ALU ? 2 : 3);
	if (pick(g, 2) || off >= 8) {
		add(g, INSN(class | op | BPF_X, dst, src, off, 0));
		return;
	}
	if (shift)
		k = (int32_t)pick(g, class == BPF_ALU ? 32 : 64);
	if ((op == BPF_DIV || op == BPF_MOD) && !k)
		k = 7;
	add(g, INSN(class | op | BPF_K, dst, 0, off, k));
}

static struct bpf_insn random_jump(struct gen *g)
{
	static const int ops[] = {BPF_JEQ,  BPF_JNE,  BPF_JGT,  BPF_JGE,  BPF_JLT, BPF_JLE,
				  BPF_JSET, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE};
	int op = ops[pick(g, WEIR_ARRAY_LEN(ops))], class = pick(g, 2) ? BPF_JMP : BPF_JMP32;

	if (pick(g, 2))
		return INSN(class | op | BPF_K, number_reg(g), 0, 0, imm(g));
	return INSN(class | op | BPF_X, number_reg(g), number_reg(g), 0, 0);
}

/* Bounds a number in one of the ways programs do: [0, bound]; not always right. */
static void add_bound(struct gen *g, int reg, uint32_t bound)
{
	uint32_t mask = 1;

	while (mask * 2 - 1 <= bound)
		mask *= 2;
	if (rarely(g, 40))
		bound++;
	switch (pick(g, 7)) {
	case 0: add(g, ALU64_K(BPF_AND, reg, (int32_t)mask - 1)); break;
	case 1: add(g, ALU32_K(BPF_AND, reg, (int32_t)mask - 1)); break;
	case 2: add_end_jump(g, JMP_K(BPF_JGT, reg, (int32_t)bound, 0)); break;
	case 3:
		add_end_jump(g, JMP32_K(BPF_JGT, reg, (int32_t)bound, 0));
		if (!rarely(g, 10))
			add(g, MOV32_X(reg, reg));
		break;
	case 4: add(g, ALU64_K(BPF_MOD, reg, (int32_t)bound + 1)); break;
	case 5:
		add_end_jump(g, JMP_K(BPF_JSGT, reg, (int32_t)bound, 0));
		if (!rarely(g, 10))
			add_end_jump(g, JMP_K(BPF_JSLT, reg, 0, 0));
		break;
	default: {
		int copy = reg == 5 ? 4 : 5;

		add(g, MOV_X(copy, reg));
		if (rarely(g, 3))
			add(g, ALU64_K(BPF_ADD, copy, (int32_t)pick(g, 4)));
		add_end_jump(g, JMP_K(BPF_JGT, copy, (int32_t)bound, 0));
	}
	}
}

/* A load, store or atomic of [base, base + room). */
static void add_access(struct gen *g, int base, int start, int room, bool may_write, bool atomics)
{
	static const int ops[] = {BPF_ADD,
				  BPF_AND,
				  BPF_OR,
				  BPF_XOR,
				  BPF_ADD | BPF_FETCH,
				  BPF_OR | BPF_FETCH,
				  BPF_XCHG,
				  BPF_CMPXCHG,
				  BPF_AND | BPF_FETCH,
				  BPF_XOR | BPF_FETCH};
	int size = random_size(g), bytes = bytes_of(size), dst = number_reg(g);
	int off = start + offset_in(g, room, bytes);

	if (dst == base)
		dst = 9;
	switch (pick(g, may_write ? (atomics ? 7 : 6) : 3)) {
	case 0:
	case 1: add(g, LDX(size, dst, base, off)); break;
	case 2:
		if (size == BPF_DW)
			size = BPF_W;
		add(g, LDXSX(size, dst, base, off));
		break;
	case 3:
	case 4: add(g, STX(size, base, number_reg(g), off)); break;
	case 5: add(g, ST(size, base, off, imm(g))); break;
	default:
		size = rarely(g, 2) ? BPF_W : BPF_DW;
		off = start + (offset_in(g, room, bytes_of(size)) & ~(bytes_of(size) - 1));
		add(g, ATOMIC(size, ops[pick(g, WEIR_ARRAY_LEN(ops))], base, number_reg(g), off));
	}
}

static void add_stack(struct gen *g)
{
	int size = random_size(g), bytes = bytes_of(size);
	int off = -8 * (1 + (int)pick(g, SLOTS)) + (int)pick(g, 8 / (uint32_t)bytes) * bytes;

	switch (pick(g, 6)) {
	case 0: add(g, STX(size, 10, number_reg(g), off)); return;
	case 1: add(g, ST(size, 10, off, imm(g))); return;
	case 2: add(g, LDX(size, number_reg(g), 10, off)); return;
	case 3: add_access(g, 10, -8 * SLOTS, 8 * SLOTS, true, true); return;
	case 4: { /* a variable offset */
		int reg = rarely(g, 2) ? 3 : 2;

		add_bound(g, reg, 8 * SLOTS - 8);
		if (rarely(g, 2))
			add(g, ALU64_K(BPF_AND, reg, ~7));
		add(g, MOV_X(4, 10));
		add(g, ALU64_X(BPF_ADD, 4, reg));
		size = rarely(g, 2) ? BPF_B : size;
		off = -8 * SLOTS + (rarely(g, 30) ? (int)pick(g, 16) : 0);
		if (pick(g, 2))
			add(g, LDX(size, 9, 4, off));
		else
			add(g, STX(size, 4, 9, off));
		add_number(g, 4);
		return;
	}
	default: { /* save a register, do something, take it back */
		static const int saved[] = {6, 7, 8, 9};
		int reg = saved[pick(g, 4)];

		if ((reg == 7 && !g->has_pkt) || (reg == 8 && !g->has_value) ||
		    (reg == 6 && g->func))
			reg = 9;
		off = -8 * (1 + (int)pick(g, SLOTS));
		add(g, STX(BPF_DW, 10, reg, off));
		add_alu(g);
		if (rarely(g, 6))
			add(g, ST(size, 10, off, imm(g)));
		add(g, LDX(BPF_DW, reg, 10, off));
		add(g, ST(BPF_DW, 10, off, imm(g)));
	}
	}
}

static void add_pkt_load(struct gen *g)
{
	bool xdp = g->p->type == BPF_PROG_TYPE_XDP;
	int room = 1 + (int)pick(g, 60);
	static const int ops[] = {BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE};
	int op = ops[pick(g, 4)];
	bool mirrored = rarely(g, 2);

	if (g->func || g->p->type == BPF_PROG_TYPE_SOCKET_FILTER)
		return;
	add(g, LDX(BPF_W, 7, 6, xdp ? 0 : 76));
	add(g, LDX(BPF_W, 3, 6, xdp ? 4 : 80));
	if (rarely(g, 3)) { /* further in, by a number */
		add_bound(g, 2, 40);
		add(g, ALU64_X(BPF_ADD, 7, 2));
		if (rarely(g, 4))
			add(g, ALU64_K(BPF_ADD, 7, (int32_t)pick(g, 8)));
	}
	add(g, MOV_X(4, 7));
	add(g, ALU64_K(BPF_ADD, 4, room));
	/* to the end of the function if it is too short; else over that jump */
	if (op == BPF_JGT || op == BPF_JGE)
		add_end_jump(g, mirrored ? JMP_X(op == BPF_JGT ? BPF_JLT : BPF_JLE, 3, 4, 0)
					 : JMP_X(op, 4, 3, 0));
	else {
		add(g, mirrored ? JMP_X(op == BPF_JLT ? BPF_JGT : BPF_JGE, 3, 4, 1)
				: JMP_X(op, 4, 3, 1));
		add_end_jump(g, JA(0));
	}
	if (op == BPF_JGE || op == BPF_JLT)
		room++; /* the byte at R4 is there, too */
	add_number(g, 3);
	add_number(g, 4);
	g->has_pkt = true;
	g->pkt_bytes = (uint32_t)room;
	add_access(g, 7, 0, room, true, rarely(g, 40));
}

static void add_lookup(struct gen *g)
{
	static const uint32_t maps[] = {GEN_ARRAY, GEN_HASH, GEN_PERCPU};
	uint32_t map = maps[pick(g, 3)];
	int to = rarely(g, 2) ? 8 : 0;
	bool known = rarely(g, 3);

	if (rarely(g, 5)) {
		g->value_map = GEN_GLOBAL;
		g->has_value = true;
		add(g, INSN(BPF_LD | BPF_IMM | BPF_DW, 8, BPF_PSEUDO_MAP_IDX_VALUE, 0, GEN_GLOBAL));
		add(g, INSN(0, 0, 0, 0, 0));
		return;
	}
	if (known)
		add(g, ST(BPF_W, 10, KEY_OFF, (int32_t)pick(g, 5)));
	else
		add(g, STX(BPF_W, 10, number_reg(g), KEY_OFF));
	add(g, MOV_X(2, 10));
	add(g, ALU64_K(BPF_ADD, 2, KEY_OFF));
	add_ld_imm64(g, 1, BPF_PSEUDO_MAP_IDX, map);
	add(g, CALL(BPF_FUNC_map_lookup_elem));
	add_clobbered(g);
	if (to)
		add(g, MOV_X(8, 0));
	if (!rarely(g, 12))
		add_end_jump(g, JMP_K(BPF_JEQ, rarely(g, 2) ? 0 : to, 0, 0));
	if (!to)
		add(g, MOV_X(8, 0));
	add_number(g, 0);
	g->has_value = true;
	g->value_map = map;
}

static void add_value_use(struct gen *g)
{
	int room = (int)gen_maps[g->value_map].value_size;

	if (!g->has_value) {
		add_lookup(g);
		return;
	}
	if (pick(g, 2)) {
		add_access(g, 8, 0, room, true, true);
		return;
	}
	add_bound(g, 2, (uint32_t)room - 8);
	add(g, MOV_X(4, 8));
	add(g, ALU64_X(rarely(g, 20) ? BPF_SUB : BPF_ADD, 4, 2));
	if (rarely(g, 4))
		add(g, ALU64_K(BPF_ADD, 4, (int32_t)pick(g, 5) - 2));
	add_access(g, 4, 0, 8, true, true);
	add_number(g, 4);
}

static void add_helper(struct gen *g)
{
	bool xdp = g->p->type == BPF_PROG_TYPE_XDP;

	switch (pick(g, 5)) {
	case 0: /* map_update */
		add(g, STX(BPF_W, 10, number_reg(g), KEY_OFF));
		for (int i = 0; i < 4; i++)
			add(g, ST(BPF_DW, 10, BUFFER_OFF + 8 * i, imm(g)));
		add_ld_imm64(g, 1, BPF_PSEUDO_MAP_IDX, GEN_HASH);
		add(g, MOV_X(2, 10));
		add(g, ALU64_K(BPF_ADD, 2, KEY_OFF));
		add(g, MOV_X(3, 10));
		add(g, ALU64_K(BPF_ADD, 3, BUFFER_OFF));
		add(g, MOV(4, (int32_t)pick(g, 3)));
		add(g, CALL(BPF_FUNC_map_update_elem));
		break;
	case 1: /* map_delete */
		add(g, ST(BPF_W, 10, KEY_OFF, (int32_t)pick(g, 5)));
		add_ld_imm64(g, 1, BPF_PSEUDO_MAP_IDX, GEN_HASH);
		add(g, MOV_X(2, 10));
		add(g, ALU64_K(BPF_ADD, 2, KEY_OFF));
		add(g, CALL(BPF_FUNC_map_delete_elem));
		break;
	case 2: /* csum_diff of some of the stack */
		if (g->p->type == BPF_PROG_TYPE_SOCKET_FILTER)
			return;
		add_bound(g, 2, 8 * SLOTS);
		add(g, ALU64_K(BPF_AND, 2, ~3));
		add(g, MOV_X(4, 2));
		add(g, MOV(1, 0));
		add(g, MOV(2, 0));
		add(g, MOV_X(3, 10));
		add(g, ALU64_K(BPF_ADD, 3, -8 * SLOTS));
		add(g, MOV(5, imm(g)));
		add(g, CALL(BPF_FUNC_csum_diff));
		break;
	case 3: /* the packet into the stack */
		if (g->func)
			return;
		add(g, MOV_X(1, 6));
		add(g, MOV(2, (int32_t)pick(g, 80)));
		add(g, MOV_X(3, 10));
		add(g, ALU64_K(BPF_ADD, 3, -8 * SLOTS));
		if (rarely(g, 2)) {
			add(g, MOV(4, 1 + (int32_t)pick(g, 8 * SLOTS)));
		} else {
			add(g, MOV_X(4, 9));
			add_bound(g, 4, 8 * SLOTS);
			if (pick(g, 4))
				add_end_jump(g, JMP_K(BPF_JEQ, 4, 0, 0));
		}
		add(g, CALL(xdp ? BPF_FUNC_xdp_load_bytes : BPF_FUNC_skb_load_bytes));
		break;
	default: /* the packet moves */
		if (g->func || g->p->type == BPF_PROG_TYPE_SOCKET_FILTER)
			return;
		add(g, MOV_X(1, 6));
		add(g, MOV(2, xdp ? (int32_t)pick(g, 30) - 15 : (int32_t)pick(g, 60)));
		if (xdp)
			add(g, CALL(rarely(g, 2) ? BPF_FUNC_xdp_adjust_head
						 : BPF_FUNC_xdp_adjust_tail));
		else
			add(g, CALL(BPF_FUNC_skb_pull_data));
		if (!rarely(g, 8))
			g->has_pkt = false;
	}
	add_clobbered(g);
}

static void add_block(struct gen *g, uint32_t units);

static void add_if(struct gen *g)
{
	bool has_pkt = g->has_pkt, has_value = g->has_value, other = rarely(g, 2);
	uint32_t at = g->p->insn_count, skip = 0;

	if (g->depth >= MAX_DEPTH)
		return;
	g->depth++;
	add(g, random_jump(g));
	add_block(g, 1 + pick(g, 4));
	if (other) {
		skip = g->p->insn_count;
		add(g, JA(0));
	}
	g->p->insns[at].off = (int16_t)(g->p->insn_count - at - 1);
	if (other) {
		add_block(g, 1 + pick(g, 3));
		g->p->insns[skip].off = (int16_t)(g->p->insn_count - skip - 1);
	}
	/* What one side found is not there on the other. */
	g->has_pkt = g->has_pkt && (has_pkt || rarely(g, 15));
	g->has_value = g->has_value && (has_value || rarely(g, 15));
	g->depth--;
}

/* Counts in a stack slot of its own or in R9 (which bodies may spoil). */
static void add_loop(struct gen *g)
{
	int trips = 1 + (int)pick(g, 7);
	bool in_slot = pick(g, 4);
	bool has_pkt = g->has_pkt, has_value = g->has_value;
	uint32_t start;

	if (g->is_loop || g->depth >= MAX_DEPTH)
		return;
	g->is_loop = true;
	g->depth++;
	if (in_slot)
		add(g, ST(BPF_DW, 10, BUFFER_OFF - 8, 0));
	else
		add(g, MOV(9, 0));
	start = g->p->insn_count;
	add_block(g, 1 + pick(g, 3));
	if (in_slot) {
		add(g, LDX(BPF_DW, 3, 10, BUFFER_OFF - 8));
		add(g, ALU64_K(BPF_ADD, 3, 1));
		add(g, STX(BPF_DW, 10, 3, BUFFER_OFF - 8));
	} else {
		add(g, MOV_X(3, 9));
		add(g, ALU64_K(BPF_ADD, 9, 1));
	}
	add(g, JMP_K(rarely(g, 2) ? BPF_JLT : BPF_JSLT, in_slot ? 3 : 9, trips,
		     (int)start - (int)g->p->insn_count - 1));
	g->has_pkt = g->has_pkt && has_pkt;
	g->has_value = g->has_value && has_value;
	g->is_loop = false;
	g->depth--;
}

static void add_call(struct gen *g, uint32_t func)
{
	if (func >= g->func_count || g->call_count == WEIR_ARRAY_LEN(g->calls))
		return;
	add(g, MOV_X(1, 10));
	add(g, ALU64_K(BPF_ADD, 1, -8 * (1 + (int)pick(g, SLOTS))));
	if (g->has_value && pick(g, 2))
		add(g, MOV_X(2, 8));
	g->calls[g->call_count].at = g->p->insn_count;
	g->calls[g->call_count++].func = func;
	add(g, CALL_LOCAL(0));
	add_clobbered(g);
}

static void add_ld_abs(struct gen *g)
{
	static const int sizes[] = {BPF_B, BPF_H, BPF_W};
	int size = sizes[pick(g, 3)];

	if (g->func || g->p->type == BPF_PROG_TYPE_XDP)
		return;
	if (pick(g, 2)) {
		add(g, INSN(BPF_LD | BPF_ABS | size, 0, 0, 0, pick(g, 40)));
	} else {
		add_bound(g, 2, 40);
		add(g, INSN(BPF_LD | BPF_IND | size, 0, 2, 0, pick(g, 20)));
	}
	add_clobbered(g);
}

static void add_unit(struct gen *g)
{
	switch (pick(g, 24)) {
	case 0:
	case 1:
	case 2:
	case 3: add_stack(g); return;
	case 4: add_pkt_load(g); return;
	case 5:
		if (g->has_pkt)
			add_access(g, 7, 0, (int)g->pkt_bytes, true, rarely(g, 40));
		return;
	case 6: add_lookup(g); return;
	case 7:
	case 8:
	case 9: add_value_use(g); return;
	case 10: add_helper(g); return;
	case 11:
	case 12:
	case 13: add_if(g); return;
	case 14: add_loop(g); return;
	case 15: add_call(g, g->func + 1 + pick(g, MAX_FUNCS)); return;
	case 16: add_ld_abs(g); return;
	case 17: add(g, ALU64_X(BPF_XOR, 9, scratch_reg(g))); return;
	case 18: add_end_jump(g, random_jump(g)); return;
	default: add_alu(g); return;
	}
}

static void add_block(struct gen *g, uint32_t units)
{
	for (uint32_t i = 0; i < units && !full(g); i++)
		add_unit(g);
}

static void add_func(struct gen *g, uint32_t func)
{
	uint32_t *count = &g->p->insn_count;

	g->func = func;
	g->starts[func] = *count;
	g->end_count = 0;
	g->has_pkt = g->has_value = false;
	if (!func)
		add(g, MOV_X(6, 1));
	for (int i = 1; i <= SLOTS; i++)
		add(g, ST(BPF_DW, 10, -8 * i, imm(g)));
	if (func && rarely(g, 2)) /* the caller's stack, or its map value */
		add(g, LDX(BPF_B, 9, 1, (int)pick(g, 8)));
	else
		add_number(g, 9);
	if (func && rarely(g, 3))
		add(g, STX(BPF_B, 1, 9, (int)pick(g, 8)));
	add_number(g, 0);
	add_clobbered(g);
	if (!func && pick(g, 3))
		add_lookup(g);
	if (!func && pick(g, 3))
		add_pkt_load(g);
	if (g->has_value)
		for (int r = 2; r <= 5; r++)
			if (pick(g, 2))
				add(g, LDX(random_size(g), r, 8, 8 * (int)pick(g, 3)));
	add_block(g, 3 + pick(g, func ? 6 : 16));
	add_call(g, func + 1); /* so that every function is called */
	for (uint32_t i = 0; i < g->end_count; i++)
		g->p->insns[g->ends[i]].off = (int16_t)(*count - g->ends[i] - 1);
	add(g, MOV_X(0, 9));
	add(g, EXIT());
}

/*
 * Changes one thing: what was right may no longer be, and must be found. Changes of the bare shape
 * (reserved fields, jumps to nowhere) are taken back: Linux looks at the shape of code that is
 * reached only, and there are tests of that of their own.
 */
static void mutate(struct gen *g)
{
	struct bpf_insn *insn = &g->p->insns[pick(g, g->p->insn_count)], before = *insn;
	uint32_t bad;

	switch (pick(g, 7)) {
	case 0: insn->dst_reg = pick(g, 10); break;
	case 1: insn->src_reg = pick(g, 10); break;
	case 2: insn->off += (int16_t)(pick(g, 5) - 2); break;
	case 3: insn->imm = imm(g); break;
	case 4: insn->imm += (int32_t)pick(g, 5) - 2; break;
	case 5: insn->code ^= (uint8_t)(1 << (3 + pick(g, 5))); break;
	default: *insn = JA(0); break;
	}
	if (weir_isa_check(g->p->insns, g->p->insn_count, WEIR_ISA_BPF, NULL, &bad))
		*insn = before;
}

void gen_program(uint64_t seed, struct gen_prog *out)
{
	static const uint32_t types[] = {BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_XDP,
					 BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_SOCKET_FILTER};
	struct gen g = {.rng.state = seed * 0xd1342543de82ef95ULL, .p = out};

	memset(out, 0, sizeof(*out));
	out->type = types[pick(&g, 4)];
	g.func_count = rarely(&g, 3) ? 1 + pick(&g, MAX_FUNCS) : 1;
	for (uint32_t f = 0; f < g.func_count; f++)
		add_func(&g, f);
	for (uint32_t i = 0; i < g.call_count; i++)
		out->insns[g.calls[i].at].imm =
			(int32_t)g.starts[g.calls[i].func] - (int32_t)g.calls[i].at - 1;
	for (uint32_t n = rarely(&g, 4) ? 1 + pick(&g, 3) : 0; n; n--)
		mutate(&g);
}
