/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random programs, interpreted and compiled. They are made of structured blocks (so that they end),
 * functions, and the sequences that the optimiser looks for with one thing changed now and then.
 * WEIR_RANDOM_PROGRAMS sets how many, WEIR_RANDOM_SEED where the sequence starts.
 */
#include "engines.h"

#define MAX_INSNS 4096
#define SLOTS     16 /* of the stack, 8 bytes each: R10 - 8 * (1 … SLOTS) */
#define LOOP_SLOT 20 /* and following: loop counters */
#define MAX_FUNCS 4

struct gen {
	struct bpf_insn insns[MAX_INSNS];
	uint32_t count;
	uint32_t func_count;
	uint32_t func;     /* being made */
	uint32_t loops;    /* nesting */
	uint32_t ends[64]; /* jumps to the end of the function */
	uint32_t end_count;
	struct {
		uint32_t at;
		uint32_t func;
	} calls[64];
	uint32_t call_count;
	uint32_t starts[MAX_FUNCS];
	uint64_t rng;
};

static struct weir_codemem *mem;
static struct weir_exec exec;

static uint32_t pick(struct gen *g, uint32_t n)
{
	return (uint32_t)(next_random(&g->rng) >> 33) % n;
}

static void add(struct gen *g, struct bpf_insn insn)
{
	if (g->count < MAX_INSNS - 8)
		g->insns[g->count++] = insn;
}

static bool full(const struct gen *g)
{
	return g->count > MAX_INSNS - 1500;
}

static int reg(struct gen *g)
{
	return (int)pick(g, 10);
}

static int32_t imm(struct gen *g)
{
	static const int32_t edges[] = {0,   1,    -1,  8,      16,        24,        32, 63, 127,
					128, -128, 255, 0xffff, INT32_MAX, INT32_MIN, 13, 51};

	if (pick(g, 2))
		return edges[pick(g, WEIR_ARRAY_LEN(edges))];
	return (int32_t)next_random(&g->rng);
}

static int slot_off(struct gen *g)
{
	return -8 * (int)(1 + pick(g, SLOTS));
}

static void add_alu(struct gen *g)
{
	static const uint8_t ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR,   BPF_AND, BPF_LSH,
				      BPF_RSH, BPF_XOR, BPF_MOV, BPF_ARSH, BPF_DIV, BPF_MOD,
				      BPF_MOV, BPF_ADD, BPF_AND, BPF_OR};
	uint8_t op = ops[pick(g, WEIR_ARRAY_LEN(ops))];
	uint8_t class = pick(g, 2) ? BPF_ALU : BPF_ALU64;
	bool is_signed = (op == BPF_DIV || op == BPF_MOD) && pick(g, 2);
	int bits[] = {0, 0, 8, 16, class == BPF_ALU64 ? 32 : 0};
	int off = is_signed ? 1 : op == BPF_MOV ? bits[pick(g, 5)] : 0;

	switch (pick(g, 12)) {
	case 0: add(g, INSN(class | BPF_NEG, reg(g), 0, 0, 0)); return;
	case 1:
		add(g, INSN(BPF_ALU | BPF_END | (pick(g, 2) ? BPF_TO_BE : BPF_TO_LE), reg(g), 0, 0,
			    16 << pick(g, 3)));
		return;
	case 2: add(g, BSWAP(reg(g), 16 << pick(g, 3))); return;
	case 3:
	case 4:
	case 5:
	case 6: add(g, INSN(class | op | BPF_K, reg(g), 0, is_signed, imm(g))); return;
	default: add(g, INSN(class | op | BPF_X, reg(g), reg(g), off, 0)); return;
	}
}

static void add_memory(struct gen *g)
{
	static const uint8_t sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};
	uint8_t size = sizes[pick(g, 4)];
	int off = slot_off(g);
	static const int32_t atomics[] = {BPF_ADD,
					  BPF_OR,
					  BPF_AND,
					  BPF_XOR,
					  BPF_ADD | BPF_FETCH,
					  BPF_OR | BPF_FETCH,
					  BPF_AND | BPF_FETCH,
					  BPF_XOR | BPF_FETCH,
					  BPF_XCHG,
					  BPF_CMPXCHG};

	switch (pick(g, 6)) {
	case 0: add(g, ST(size, 10, off, imm(g))); return;
	case 1: add(g, STX(size, 10, reg(g), off)); return;
	case 2: add(g, LDXSX(sizes[pick(g, 3)], reg(g), 10, off)); return;
	case 3:
		add(g, ATOMIC(pick(g, 2) ? BPF_W : BPF_DW, atomics[pick(g, 10)], 10, reg(g), off));
		return;
	case 4:
		/* Loads with a byte swap behind them. */
		{
			int r = reg(g);

			add(g, LDX(size, r, 10, off));
			add(g, TO_BE(pick(g, 4) ? r : reg(g), 16 << pick(g, 3)));
		}
		return;
	default: add(g, LDX(size, reg(g), 10, off - (int)pick(g, 2))); return;
	}
}

/* t = a; t <<= n; a >>= width - n; t |= a and the like. */
static void add_rotate(struct gen *g)
{
	uint8_t class = pick(g, 2) ? BPF_ALU : BPF_ALU64;
	int width = class == BPF_ALU ? 32 : 64;
	int t = reg(g), a = reg(g), n = 1 + (int)pick(g, (uint32_t)width - 1);
	bool left_first = pick(g, 2);
	uint8_t join = pick(g, 4) ? BPF_OR : pick(g, 2) ? BPF_XOR : BPF_ADD;

	add(g, INSN((pick(g, 4) ? class : BPF_ALU64) | BPF_MOV | BPF_X, t, a, 0, 0));
	add(g, INSN(class | (left_first ? BPF_LSH : BPF_RSH) | BPF_K, t, 0, 0, n));
	if (!pick(g, 8))
		add_alu(g);
	add(g, INSN(class | (left_first ? BPF_RSH : BPF_LSH) | BPF_K, a, 0, 0,
		    width - n + (pick(g, 8) ? 0 : 1)));
	if (pick(g, 2))
		add(g, INSN(class | join | BPF_X, t, a, 0, 0));
	else
		add(g, INSN(class | join | BPF_X, a, t, 0, 0));
	if (pick(g, 2))
		add(g, MOV(pick(g, 2) ? a : t, 7)); /* often one of them is dead now */
}

/* Pieces loaded one by one, shifted and joined, as compilers load unaligned data. */
static void add_recomposition(struct gen *g)
{
	uint8_t size = pick(g, 3) ? BPF_B : pick(g, 2) ? BPF_H : BPF_W;
	int bytes = size == BPF_B ? 1 : size == BPF_H ? 2 : 4;
	int pieces = bytes == 4 ? 2 : 2 + (int)pick(g, 3), off = -8 * (2 + (int)pick(g, SLOTS - 2));
	bool swapped = pick(g, 2);
	int sum = reg(g), r = reg(g), base = 10;

	if (!pick(g, 4)) {
		base = pick(g, 2) ? r : reg(g);
		base = base == sum ? 10 : base;
		if (base != 10)
			add(g, MOV_X(base, 10));
	}
	for (int i = 0; i < pieces; i++) {
		int at = swapped ? pieces - 1 - i : i, to = i ? r : sum;

		add(g, LDX(size, to, base, off + bytes * (pick(g, 12) ? at : 0)));
		if (i || !pick(g, 6))
			add(g, INSN((pick(g, 3) ? BPF_ALU64 : BPF_ALU) | BPF_LSH | BPF_K, to, 0, 0,
				    8 * bytes * (pick(g, 12) ? i : 1)));
		if (!pick(g, 16))
			add(g, ST(BPF_B, 10, off, 3));
		if (i)
			add(g, INSN((pick(g, 4) ? BPF_ALU64 : BPF_ALU) |
					    (pick(g, 8) ? BPF_OR : BPF_ADD) | BPF_X,
				    sum, r, 0, 0));
		if (base != 10 && base == r)
			add(g, MOV_X(base, 10));
	}
	if (pick(g, 4))
		add(g, MOV(r, 9));
	/* Addresses differ between engines. */
	if (base != 10)
		add(g, MOV(base, 5));
}

/* Pieces copied one by one, in any order, now and then onto one another. */
static void add_copies(struct gen *g)
{
	int size = (int)pick(g, 3), bytes = 1 << size, pieces = 2 + (int)pick(g, 5), r = reg(g);
	static const uint8_t sizes[] = {BPF_B, BPF_H, BPF_W};
	int from = -8 * SLOTS + (int)pick(g, 64), to = -8 * SLOTS + (int)pick(g, 64);
	int flip = (int)pick(g, 4);

	for (int i = 0; i < pieces; i++) {
		int at = bytes * (pick(g, 12) ? i ^ flip : i);

		add(g, LDX(sizes[size], r, 10, from + at));
		if (!pick(g, 16))
			add_alu(g);
		add(g, STX(sizes[size], 10, r, to + at));
	}
	if (pick(g, 3))
		add(g, MOV(r, 3));
}

/* A result compared with zero right behind it, at the same or another width. */
static void add_zero_test(struct gen *g)
{
	static const uint8_t ops[] = {BPF_ADD, BPF_SUB, BPF_AND, BPF_OR, BPF_XOR, BPF_LSH, BPF_MUL};
	uint8_t op = ops[pick(g, 7)], class = pick(g, 2) ? BPF_ALU : BPF_ALU64;
	int r = reg(g);

	if (pick(g, 2))
		add(g, INSN(class | op | BPF_K, r, 0, 0, pick(g, 3) ? imm(g) : (int)pick(g, 3)));
	else
		add(g, INSN(class | op | BPF_X, r, pick(g, 2) ? r : reg(g), 0, 0));
	add(g, INSN((pick(g, 2) ? BPF_JMP : BPF_JMP32) | (pick(g, 2) ? BPF_JEQ : BPF_JNE),
		    pick(g, 6) ? r : reg(g), 0, 1, 0));
	add(g, ALU64_K(BPF_XOR, reg(g), 0x1234567));
}

/* Stack accesses through registers that hold R10 plus something. */
static void add_address(struct gen *g)
{
	int a = reg(g), b = reg(g), off = slot_off(g), part = (int)pick(g, 40) - 20;

	add(g, MOV_X(a, 10));
	add(g, ALU64_K(pick(g, 2) ? BPF_ADD : BPF_SUB, a, part));
	if (g->insns[g->count - 1].code == (BPF_ALU64 | BPF_SUB | BPF_K))
		part = -part;
	if (pick(g, 2))
		add(g, MOV_X(b, a));
	else
		b = a;
	if (pick(g, 2)) {
		add(g, ALU64_K(BPF_ADD, b, -8));
		part -= b == a ? 8 : 0;
		add(g, ALU64_K(BPF_ADD, b, b == a ? 0 : 8));
	}
	if (pick(g, 2))
		add(g, STX(BPF_DW, a, pick(g, 2) ? 10 : 3, off - part));
	else
		add(g, ST(BPF_W, b, off - part, 77));
	/* Addresses differ between engines: none may stay. */
	add(g, ST(BPF_DW, 10, off, imm(g)));
	add(g, LDX(BPF_DW, b, b, off - part));
	add(g, MOV(a, imm(g)));
}

/* The upper half cleared, needlessly or not. */
static void add_zero_extension(struct gen *g)
{
	int r = reg(g);

	if (pick(g, 2))
		add(g, INSN(BPF_ALU | BPF_ADD | BPF_K, r, 0, 0, imm(g)));
	else
		add(g, LDX(pick(g, 2) ? BPF_W : BPF_B, r, 10, slot_off(g)));
	if (!pick(g, 4))
		add_alu(g);
	if (pick(g, 2)) {
		add(g, MOV32_X(pick(g, 2) ? r : reg(g), r));
	} else {
		add(g, ALU64_K(BPF_LSH, r, 32));
		add(g, ALU64_K(pick(g, 2) ? BPF_RSH : BPF_ARSH, r, 32));
	}
}

static void add_constants(struct gen *g)
{
	int a = reg(g);

	switch (pick(g, 4)) {
	case 0:
		add(g, INSN(BPF_LD | BPF_IMM | BPF_DW, a, 0, 0, next_random(&g->rng)));
		add(g, INSN(0, 0, 0, 0, next_random(&g->rng)));
		return;
	case 1: add(g, MOV32(a, imm(g))); return;
	case 2:
		add(g, MOV_X(a, reg(g)));
		add(g, ALU64_K(BPF_ADD, a, imm(g)));
		return;
	default: add(g, MOV(a, imm(g))); return;
	}
}

static struct bpf_insn random_jump(struct gen *g)
{
	static const uint8_t ops[] = {BPF_JEQ,  BPF_JGT, BPF_JGE, BPF_JSET, BPF_JNE, BPF_JSGT,
				      BPF_JSGE, BPF_JLT, BPF_JLE, BPF_JSLT, BPF_JSLE};
	uint8_t class = pick(g, 2) ? BPF_JMP : BPF_JMP32;
	uint8_t op = ops[pick(g, WEIR_ARRAY_LEN(ops))];

	if (pick(g, 2))
		return INSN(class | op | BPF_K, reg(g), 0, 0, imm(g));
	return INSN(class | op | BPF_X, reg(g), reg(g), 0, 0);
}

static void add_block(struct gen *g, uint32_t units);

static void set_jump(struct gen *g, uint32_t at, uint32_t target)
{
	g->insns[at].off = (__s16)((int32_t)target - (int32_t)at - 1);
}

static void add_if(struct gen *g)
{
	uint32_t at = g->count, skip;

	add(g, random_jump(g));
	add_block(g, pick(g, 4));
	if (pick(g, 2)) {
		skip = g->count;
		add(g, JA(0));
		set_jump(g, at, g->count);
		add_block(g, pick(g, 4));
		set_jump(g, skip, g->count);
		return;
	}
	set_jump(g, at, g->count);
}

static void add_loop(struct gen *g)
{
	int off = -8 * (int)(LOOP_SLOT + g->loops), r = reg(g);
	uint32_t head;

	if (g->loops >= 2)
		return;
	g->loops++;
	add(g, ST(BPF_DW, 10, off, 1 + (int)pick(g, 4)));
	head = g->count;
	if (pick(g, 2))
		add(g, BUDGET());
	add_block(g, 1 + pick(g, 5));
	add(g, LDX(BPF_DW, r, 10, off));
	add(g, ALU64_K(BPF_ADD, r, -1));
	add(g, STX(BPF_DW, 10, r, off));
	add(g, JMP_K(BPF_JNE, r, 0, 0));
	set_jump(g, g->count - 1, head);
	g->loops--;
}

static void add_call(struct gen *g)
{
	if (g->func + 1 >= g->func_count || g->call_count == WEIR_ARRAY_LEN(g->calls))
		return;
	g->calls[g->call_count].at = g->count;
	g->calls[g->call_count++].func = g->func + 1 + pick(g, g->func_count - g->func - 1);
	add(g, CALL_LOCAL(0));
	for (int r = 1; r <= 5; r++)
		add(g, MOV(r, imm(g)));
}

static void add_unit(struct gen *g)
{
	switch (pick(g, 28)) {
	case 0:
	case 1:
	case 2:
	case 3: add_memory(g); return;
	case 4:
	case 5: add_rotate(g); return;
	case 6: add_recomposition(g); return;
	case 7:
	case 8:
	case 9: add_constants(g); return;
	case 10:
	case 11:
	case 12: add_if(g); return;
	case 13: add_loop(g); return;
	case 14: add_call(g); return;
	case 16: add_zero_test(g); return;
	case 17: add_address(g); return;
	case 18: add_zero_extension(g); return;
	case 19: add_copies(g); return;
	case 15:
		if (g->end_count < WEIR_ARRAY_LEN(g->ends)) {
			g->ends[g->end_count++] = g->count;
			add(g, random_jump(g));
		}
		return;
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
	g->func = func;
	g->starts[func] = g->count;
	g->end_count = 0;
	/* One more than random accesses use: they may reach a byte below their slot. */
	for (int i = 1; i <= SLOTS + 1; i++)
		add(g, i % 3 ? ST(BPF_DW, 10, -8 * i, imm(g)) : STX(BPF_DW, 10, 1, -8 * i));
	for (int r = 0; r < 10; r++) {
		if (r == 1)
			continue;
		if (!func && pick(g, 2)) {
			add(g, LDX(BPF_DW, r, 1, 8 * r));
		} else {
			add(g, INSN(BPF_LD | BPF_IMM | BPF_DW, r, 0, 0, next_random(&g->rng)));
			add(g, INSN(0, 0, 0, 0, next_random(&g->rng)));
		}
	}
	if (!func)
		add(g, LDX(BPF_DW, 1, 1, 8));
	add_block(g, 5 + pick(g, 40));
	for (uint32_t i = 0; i < g->end_count; i++)
		set_jump(g, g->ends[i], g->count);
	for (int r = 1; r < 10; r++) {
		add(g, ALU64_K(BPF_MUL, 0, 31));
		add(g, ALU64_X(BPF_ADD, 0, r));
	}
	for (int i = 1; i <= SLOTS; i++) {
		add(g, LDX(BPF_DW, 1, 10, -8 * i));
		add(g, ALU64_K(BPF_MUL, 0, 31));
		add(g, ALU64_X(BPF_XOR, 0, 1));
	}
	add(g, EXIT());
}

static void generate(struct gen *g, uint64_t seed)
{
	g->rng = seed * 0x9e3779b97f4a7c15ULL | 1;
	g->count = 0;
	g->call_count = 0;
	g->loops = 0;
	g->func_count = 1 + pick(g, MAX_FUNCS);
	for (uint32_t f = 0; f < g->func_count; f++)
		add_func(g, f);
	for (uint32_t i = 0; i < g->call_count; i++) {
		struct bpf_insn *insn = &g->insns[g->calls[i].at];

		insn->imm = (int32_t)g->starts[g->calls[i].func] - (int32_t)g->calls[i].at - 1;
	}
}

static bool run_one(struct gen *g, uint64_t seed)
{
	uint64_t ctx[10], want, plain, opt, any;
	struct engines e;

	generate(g, seed);
	for (int i = 0; i < 10; i++)
		ctx[i] = next_random(&g->rng) >> (pick(g, 3) ? pick(g, 64) : 0);
	engines_make(&e, mem, g->insns, g->count, NULL);
	want = weir_interp_run(ctx, &exec, e.low);
	plain = weir_code_run(e.plain, ctx, &exec);
	opt = weir_code_run(e.opt, ctx, &exec);
	any = weir_code_run(e.opt_any, ctx, &exec);
	if (want != plain || want != opt || want != any) {
		engines_print(&e);
		fprintf(stderr,
			"# seed %llu: interpreted %llx, compiled %llx, optimised %llx %llx\n",
			(unsigned long long)seed, (unsigned long long)want,
			(unsigned long long)plain, (unsigned long long)opt,
			(unsigned long long)any);
	}
	engines_free(&e);
	return want == plain && want == opt && want == any;
}

static uint64_t from_env(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : otherwise;
}

static void random__same_result(void **state)
{
	static struct gen g;
	uint64_t programs = from_env("WEIR_RANDOM_PROGRAMS", 5000);
	uint64_t seed = from_env("WEIR_RANDOM_SEED", 1);

	for (uint64_t i = 0; i < programs; i++)
		assert_true(run_one(&g, seed + i));
	fprintf(stderr, "# %llu programs\n", (unsigned long long)programs);
}

static int setup(void **state)
{
	weir_exec_init(&exec, 0, 1, NULL);
	return weir_codemem_new(0, NULL, &mem);
}

static int teardown(void **state)
{
	weir_codemem_free(&mem);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random__same_result)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
