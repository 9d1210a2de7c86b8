/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every operation × register pair × size × offset × edge immediate, compiled and interpreted. One
 * program a combination of operation and registers: for each immediate or offset it loads all
 * registers, does the operation and writes all registers out.
 */
#include "engines.h"

#define MAX_INSNS  4096
#define BUF_BYTES  (128 << 10)
#define BLOCK_REGS 10
#define MAX_BLOCKS 48

static const int32_t edge_imms[] = {
	0,    1,     -1,    2,         3,         7,          8,       16,
	31,   32,    33,    63,        64,        65,         127,     128,
	-127, -128,  -129,  255,       256,       0xffff,     0x10000, -65536,
	1000, -1000, 65537, INT32_MAX, INT32_MIN, 0x12345678, -2,      0x7fff0000};
static const int16_t plain_offs[] = {0, 1, 7, 8, 127, -127, 128, -128, 129, -129, 32767, -32768};
static const int16_t aligned_offs[] = {0, 8, 120, -120, 128, -128, 136, 32760, -32768};

static const uint64_t edge_values[] = {0,
				       1,
				       2,
				       0xffffffffffffffff,
				       0x8000000000000000,
				       0x7fffffffffffffff,
				       0x80000000,
				       0x7fffffff,
				       0xffffffff,
				       0x100000000,
				       0xfffffffeffffffff,
				       0x0123456789abcdef,
				       0xfedcba9876543210,
				       63,
				       32,
				       0xffffffff80000000,
				       0xdeadbeef00000007,
				       0x80};

struct io {
	uint64_t in[BLOCK_REGS];
	uint64_t out[MAX_BLOCKS][BLOCK_REGS];
};

struct builder {
	struct bpf_insn insns[MAX_INSNS];
	uint32_t count;
	uint32_t blocks;
};

static struct weir_codemem *mem;
static struct weir_exec exec;
static uint8_t *buf, *buf_copy;
static uint64_t seed = 88172645463325252ULL;
static uint64_t runs;

static void add(struct builder *b, struct bpf_insn insn)
{
	assert_true(b->count < MAX_INSNS);
	b->insns[b->count++] = insn;
}

static void load_regs(struct builder *b)
{
	add(b, LDX(BPF_DW, 1, 10, -8));
	for (int r = 0; r < BLOCK_REGS; r++) {
		if (r != 1)
			add(b, LDX(BPF_DW, r, 1, 8 * r));
	}
	add(b, LDX(BPF_DW, 1, 1, 8));
}

static void dump_regs(struct builder *b)
{
	int32_t to = (int32_t)offsetof(struct io, out) + 8 * BLOCK_REGS * (int32_t)b->blocks++;

	for (int r = 0; r < BLOCK_REGS; r++)
		add(b, STX(BPF_DW, 10, r, -16 - 8 * r));
	add(b, LDX(BPF_DW, 1, 10, -8));
	for (int r = 0; r < BLOCK_REGS; r++) {
		add(b, LDX(BPF_DW, 2, 10, -16 - 8 * r));
		add(b, STX(BPF_DW, 1, 2, to + 8 * r));
	}
}

static void start(struct builder *b)
{
	b->count = 0;
	b->blocks = 0;
	add(b, STX(BPF_DW, 10, 1, -8));
}

/* The memory around every place that an access of the sweep may touch. */
static void fill_buf(uint8_t *to)
{
	for (size_t i = 0; i < BUF_BYTES; i++)
		to[i] = (uint8_t)(i * 37 + (i >> 8));
}

static bool buf_differs(void)
{
	static const int32_t at[] = {-32768, -256, 32767 - 128};

	for (size_t i = 0; i < WEIR_ARRAY_LEN(at); i++) {
		size_t off = (size_t)(BUF_BYTES / 2 + at[i] - 64);

		if (memcmp(buf + off, buf_copy + off, 768))
			return true;
	}
	return false;
}

static void restore_buf(void)
{
	static uint8_t pristine[BUF_BYTES];
	static bool made;
	static const int32_t at[] = {-32768, -256, 32767 - 128};

	if (!made) {
		fill_buf(pristine);
		fill_buf(buf);
		made = true;
	}
	for (size_t i = 0; i < WEIR_ARRAY_LEN(at); i++) {
		size_t off = (size_t)(BUF_BYTES / 2 + at[i] - 64);

		memcpy(buf + off, pristine + off, 768);
	}
}

static void save_buf(void)
{
	static const int32_t at[] = {-32768, -256, 32767 - 128};

	for (size_t i = 0; i < WEIR_ARRAY_LEN(at); i++) {
		size_t off = (size_t)(BUF_BYTES / 2 + at[i] - 64);

		memcpy(buf_copy + off, buf + off, 768);
	}
}

static void compare(const struct engines *e, const struct io *want, uint64_t want_ret,
		    const struct weir_code *code, struct io *got, bool memory)
{
	uint64_t ret;

	if (memory)
		restore_buf();
	ret = weir_code_run(code, got, &exec);
	runs++;
	if (ret == want_ret && !memcmp(want, got, sizeof(*want)) && !(memory && buf_differs()))
		return;
	engines_print(e);
	for (uint32_t i = 0; i < BLOCK_REGS; i++)
		fprintf(stderr, "# in r%u %llx\n", i, (unsigned long long)want->in[i]);
	for (uint32_t i = 0; i < MAX_BLOCKS; i++) {
		for (uint32_t r = 0; r < BLOCK_REGS; r++) {
			if (want->out[i][r] != got->out[i][r])
				fprintf(stderr, "# block %u r%u: want %llx got %llx\n", i, r,
					(unsigned long long)want->out[i][r],
					(unsigned long long)got->out[i][r]);
		}
	}
	fail_msg("engines differ (%s)", code == e->opt ? "optimised" : "plain");
}

/* base: register that holds an address, -1 if none; base2 too (cases of address and value). */
static void run_all(struct builder *b, int base, uint32_t vectors)
{
	static struct io want, got;
	struct engines e;

	add(b, MOV(0, 0));
	add(b, EXIT());
	engines_make(&e, mem, b->insns, b->count, NULL);
	for (uint32_t v = 0; v < vectors; v++) {
		uint64_t ret;

		memset(&want, 0, sizeof(want));
		for (uint32_t r = 0; r < BLOCK_REGS; r++)
			want.in[r] = next_random(&seed) % 4
					     ? edge_values[next_random(&seed) %
							   WEIR_ARRAY_LEN(edge_values)]
					     : next_random(&seed);
		if (base >= 0)
			want.in[base] = (uint64_t)(uintptr_t)(buf + BUF_BYTES / 2);
		got = want;
		if (base >= 0)
			restore_buf();
		ret = weir_interp_run(&want, &exec, e.low);
		if (base >= 0)
			save_buf();
		compare(&e, &want, ret, e.plain, &got, base >= 0);
		memcpy(got.out, (struct io){0}.out, sizeof(got.out));
		compare(&e, &want, ret, e.opt, &got, base >= 0);
	}
	engines_free(&e);
}

static bool is_class(const struct weir_op_info *row, uint8_t class)
{
	return BPF_CLASS(row->code) == class;
}

static struct bpf_insn insn_of(const struct weir_op_info *row, int dst, int src)
{
	struct bpf_insn insn = INSN(row->code, dst, src, 0, 0);

	if (BPF_CLASS(row->code) == BPF_ALU || BPF_CLASS(row->code) == BPF_ALU64) {
		if (BPF_OP(row->code) == BPF_END)
			insn.imm = row->sub;
		else if (row->sub > 0)
			insn.off = (__s16)row->sub;
	} else if (BPF_CLASS(row->code) == BPF_STX && row->sub >= 0) {
		insn.imm = row->sub;
	}
	return insn;
}

static void sweep_alu_imm(const struct weir_op_info *row, bool has_imm)
{
	for (int dst = 0; dst < BLOCK_REGS; dst++) {
		static struct builder b;
		size_t n = has_imm ? WEIR_ARRAY_LEN(edge_imms) : 1;

		start(&b);
		for (size_t i = 0; i < n; i++) {
			struct bpf_insn insn = insn_of(row, dst, 0);

			if (has_imm)
				insn.imm = edge_imms[i];
			load_regs(&b);
			add(&b, insn);
			dump_regs(&b);
		}
		run_all(&b, -1, 24);
	}
}

static void sweep_alu_reg(const struct weir_op_info *row)
{
	for (int dst = 0; dst < BLOCK_REGS; dst++) {
		for (int src = 0; src < BLOCK_REGS; src++) {
			static struct builder b;

			start(&b);
			load_regs(&b);
			add(&b, insn_of(row, dst, src));
			dump_regs(&b);
			run_all(&b, -1, 60);
		}
	}
}

static void sweep__alu(void **state)
{
	for (unsigned int op = 0; op < WEIR_OPI_COUNT; op++) {
		const struct weir_op_info *row = &weir_op_table[op];
		uint8_t bpf_op = BPF_OP(row->code);

		if (!is_class(row, BPF_ALU) && !is_class(row, BPF_ALU64))
			continue;
		if (bpf_op == BPF_END || bpf_op == BPF_NEG)
			sweep_alu_imm(row, false);
		else if (BPF_SRC(row->code) == BPF_K)
			sweep_alu_imm(row, true);
		else
			sweep_alu_reg(row);
	}
}

static void add_jump_block(struct builder *b, struct bpf_insn insn, int other)
{
	load_regs(b);
	insn.off = 1;
	add(b, insn);
	add(b, ALU64_K(BPF_XOR, other, 0x5a5a5a5a));
	dump_regs(b);
}

static void sweep__jumps(void **state)
{
	for (unsigned int op = 0; op < WEIR_OPI_COUNT; op++) {
		const struct weir_op_info *row = &weir_op_table[op];
		static struct builder b;

		if (op < WEIR_OPI_JEQ32_K || op > WEIR_OPI_JSET64_X)
			continue;
		for (int dst = 0; dst < BLOCK_REGS; dst++) {
			struct bpf_insn insn = insn_of(row, dst, 0);

			start(&b);
			if (BPF_SRC(row->code) == BPF_X) {
				for (int src = 0; src < BLOCK_REGS; src++) {
					insn.src_reg = (__u8)src & 15;
					add_jump_block(&b, insn, (dst + 3) % BLOCK_REGS);
				}
			} else {
				for (size_t i = 0; i < WEIR_ARRAY_LEN(edge_imms); i++) {
					insn.imm = edge_imms[i];
					add_jump_block(&b, insn, (dst + 3) % BLOCK_REGS);
				}
			}
			run_all(&b, -1, 60);
		}
	}
}

static bool is_memory(const struct weir_op_info *row)
{
	return is_class(row, BPF_LDX) || is_class(row, BPF_ST) || is_class(row, BPF_STX);
}

/* Which register of the instruction is the address. */
static bool address_is_src(const struct weir_op_info *row)
{
	return is_class(row, BPF_LDX) || (is_class(row, BPF_STX) && row->sub == BPF_LOAD_ACQ);
}

static void sweep_access(const struct weir_op_info *row, int base, int other)
{
	bool atomic = is_class(row, BPF_STX) && BPF_MODE(row->code) == BPF_ATOMIC;
	const int16_t *offs = atomic ? aligned_offs : plain_offs;
	size_t n = atomic ? WEIR_ARRAY_LEN(aligned_offs) : WEIR_ARRAY_LEN(plain_offs);
	static struct builder b;

	start(&b);
	for (size_t i = 0; i < n; i++) {
		struct bpf_insn insn =
			address_is_src(row) ? insn_of(row, other, base) : insn_of(row, base, other);

		insn.off = offs[i];
		if (is_class(row, BPF_ST)) {
			insn.imm = edge_imms[(i * 5 + (size_t)base) % WEIR_ARRAY_LEN(edge_imms)];
			insn.src_reg = 0;
		}
		load_regs(&b);
		/* Half of the compare-and-exchanges find what they expect. */
		if (row->sub == BPF_CMPXCHG && atomic && (i & 1) && base != 0)
			add(&b, LDX(BPF_SIZE(row->code), 0, base, insn.off));
		add(&b, insn);
		dump_regs(&b);
	}
	run_all(&b, base, 6);
}

static void sweep__memory(void **state)
{
	for (unsigned int op = 0; op < WEIR_OPI_COUNT; op++) {
		const struct weir_op_info *row = &weir_op_table[op];

		if (!is_memory(row))
			continue;
		for (int base = 0; base < BLOCK_REGS; base++) {
			for (int other = 0; other < BLOCK_REGS; other++) {
				if (is_class(row, BPF_ST) && other)
					continue;
				sweep_access(row, base, other);
			}
		}
	}
}

/* R10 as the address: rbp, which has no form without displacement. */
static void sweep__stack(void **state)
{
	static const int16_t offs[] = {-136, -144, -264, -512};

	for (unsigned int op = 0; op < WEIR_OPI_COUNT; op++) {
		const struct weir_op_info *row = &weir_op_table[op];

		if (!is_memory(row))
			continue;
		for (int other = 0; other < BLOCK_REGS; other++) {
			static struct builder b;

			start(&b);
			for (size_t i = 0; i < WEIR_ARRAY_LEN(offs); i++) {
				struct bpf_insn insn = address_is_src(row)
							       ? insn_of(row, other, 10)
							       : insn_of(row, 10, other);

				insn.off = offs[i];
				if (is_class(row, BPF_ST)) {
					insn.imm = -77;
					insn.src_reg = 0;
				}
				load_regs(&b);
				add(&b, STX(BPF_DW, 10, 3, offs[i]));
				add(&b, insn);
				add(&b, LDX(BPF_DW, 4, 10, offs[i]));
				dump_regs(&b);
			}
			run_all(&b, -1, 8);
		}
	}
}

/* 64-bit constants of every length of encoding, in every register. */
static void sweep__constants(void **state)
{
	for (int dst = 0; dst < BLOCK_REGS; dst++) {
		static struct builder b;

		start(&b);
		for (size_t i = 0; i < WEIR_ARRAY_LEN(edge_values); i++) {
			load_regs(&b);
			add(&b, INSN(BPF_LD | BPF_IMM | BPF_DW, dst, 0, 0, edge_values[i]));
			add(&b, INSN(0, 0, 0, 0, edge_values[i] >> 32));
			dump_regs(&b);
		}
		run_all(&b, -1, 1);
	}
}

static int setup(void **state)
{
	WEIR_DIAG_ON_STACK(d, 256);

	buf = malloc(BUF_BYTES);
	buf_copy = malloc(BUF_BYTES);
	if (!buf || !buf_copy || weir_codemem_new(0, &d, &mem)) {
		fprintf(stderr, "%s\n", d.buf);
		return -1;
	}
	weir_exec_init(&exec, 0, 1, NULL);
	return 0;
}

static int teardown(void **state)
{
	fprintf(stderr, "# %llu compiled runs compared\n", (unsigned long long)runs);
	assert_int_equal(weir_codemem_used_bytes(mem), 0);
	weir_codemem_free(&mem);
	free(buf);
	free(buf_copy);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sweep__alu),       cmocka_unit_test(sweep__jumps),
		cmocka_unit_test(sweep__memory),    cmocka_unit_test(sweep__stack),
		cmocka_unit_test(sweep__constants),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
