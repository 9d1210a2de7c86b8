/* SPDX-License-Identifier: BSD-3-Clause */
/* The verifier by rows; each row is also judged by the running kernel where bpf(2) may be used. */
#include "../weir_test.h"

#include <linux/btf.h>

#include "kernel_bpf.h"
#include "weir/vm/verifier.h"

#define I(c, d, s, o, i)                                                            \
	{                                                                           \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) \
	}
#define MOV(d, i)              I(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOVR(d, s)             I(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define ADDI(d, i)             I(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define ADDR(d, s)             I(BPF_ALU64 | BPF_ADD | BPF_X, d, s, 0, 0)
#define ALU(op, d, i)          I(BPF_ALU64 | BPF_##op | BPF_K, d, 0, 0, i)
#define ALU32(op, d, i)        I(BPF_ALU | BPF_##op | BPF_K, d, 0, 0, i)
#define ALUR(op, d, s)         I(BPF_ALU64 | BPF_##op | BPF_X, d, s, 0, 0)
#define ALU32R(op, d, s)       I(BPF_ALU | BPF_##op | BPF_X, d, s, 0, 0)
#define SDIV(d, i)             I(BPF_ALU64 | BPF_DIV | BPF_K, d, 0, 1, i)
#define SMOD(d, i)             I(BPF_ALU64 | BPF_MOD | BPF_K, d, 0, 1, i)
#define MOVSX(d, s, bits)      I(BPF_ALU64 | BPF_MOV | BPF_X, d, s, bits, 0)
#define LDSX(z, d, s, o)       I(BPF_LDX | BPF_MEMSX | BPF_##z, d, s, o, 0)
#define LDX(z, d, s, o)        I(BPF_LDX | BPF_MEM | BPF_##z, d, s, o, 0)
#define STX(z, d, s, o)        I(BPF_STX | BPF_MEM | BPF_##z, d, s, o, 0)
#define ST(z, d, o, i)         I(BPF_ST | BPF_MEM | BPF_##z, d, 0, o, i)
#define ATOMIC(z, d, s, o, op) I(BPF_STX | BPF_ATOMIC | BPF_##z, d, s, o, op)
#define JMP(op, d, i, o)       I(BPF_JMP | BPF_##op | BPF_K, d, 0, o, i)
#define JMPR(op, d, s, o)      I(BPF_JMP | BPF_##op | BPF_X, d, s, o, 0)
#define JMP32R(op, d, s, o)    I(BPF_JMP32 | BPF_##op | BPF_X, d, s, o, 0)
#define JMP32(op, d, i, o)     I(BPF_JMP32 | BPF_##op | BPF_K, d, 0, o, i)
#define JA(o)                  I(BPF_JMP | BPF_JA, 0, 0, o, 0)
#define CALL(i)                I(BPF_JMP | BPF_CALL, 0, 0, 0, i)
#define LOCAL(i)               I(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, i)
#define EXIT                   I(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define MAP(d, m)              I(BPF_LD | BPF_IMM | BPF_DW, d, BPF_PSEUDO_MAP_IDX, 0, m), I(0, 0, 0, 0, 0)
#define FUNC(d, i)             I(BPF_LD | BPF_IMM | BPF_DW, d, BPF_PSEUDO_FUNC, 0, i), I(0, 0, 0, 0, 0)
#define VALUE(d, m, o) \
	I(BPF_LD | BPF_IMM | BPF_DW, d, BPF_PSEUDO_MAP_IDX_VALUE, 0, m), I(0, 0, 0, 0, o)
#define IMM64(d, lo, hi) I(BPF_LD | BPF_IMM | BPF_DW, d, 0, 0, lo), I(0, 0, 0, 0, hi)
#define LDIND(z, s, i)   I(BPF_LD | BPF_IND | BPF_##z, 0, s, 0, i)
#define LDABS(z, i)      I(BPF_LD | BPF_ABS | BPF_##z, 0, 0, 0, i)

struct row {
	const char *name;
	uint32_t type;
	enum weir_reason reason;
	const char *words;
	const struct bpf_insn *insns;
	uint32_t count;
};

#define MAX_ROW_INSNS 64

#define ROW(row_name, ptype, why, text, ...) \
	static const struct bpf_insn insns_##row_name[] = {__VA_ARGS__};
#include "verifier_rows.h"
#undef ROW

static const struct row rows[] = {
#define ROW(row_name, ptype, why, text, ...)                  \
	{#row_name, BPF_PROG_TYPE_##ptype, WEIR_REASON_##why, \
	 text,      insns_##row_name,      sizeof(insns_##row_name) / sizeof(struct bpf_insn)},
#include "verifier_rows.h"
#undef ROW
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct {
	uint64_t words[2];
} constants = {{5, 0x8000000000000080}};

/* An array and a hash of three 16-byte values, a prog array, constants, and a writable value. */
static struct weir_map_ref maps[] = {
	{.def = {BPF_MAP_TYPE_ARRAY, 4, 16, 3}},
	{.def = {BPF_MAP_TYPE_HASH, 4, 16, 3}},
	{.def = {BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 3}},
	{.def = {BPF_MAP_TYPE_ARRAY, 4, 16, 1, .flags = BPF_F_RDONLY_PROG},
	 .const_values = &constants},
	{.def = {BPF_MAP_TYPE_ARRAY, 4, 16, 1}},
	{.def = {BPF_MAP_TYPE_HASH, 4, 16, 3, .flags = BPF_F_WRONLY_PROG}},
	{.def = {BPF_MAP_TYPE_PERCPU_ARRAY, 4, 16, 3}},
};
#define MAPS (sizeof(maps) / sizeof(maps[0]))

static int verify(const struct row *row, struct weir_diag *log, struct weir_reject *reject)
{
	struct weir_prog_raw raw = {
		.type = row->type,
		.license = "GPL",
		.insns = (struct bpf_insn *)(uintptr_t)row->insns,
		.insn_count = row->count,
		.maps = maps,
		.map_count = MAPS,
	};
	struct weir_verify_opts opts = {0};
	struct weir_prog_ok *ok = NULL;
	int err = weir_verify(&raw, &opts, log, NULL, reject, &ok);

	assert_int_equal(!err, ok != NULL);
	weir_prog_ok_free(&ok);
	return err;
}

static void rows__as_expected(void **state)
{
	int bad = 0;

	for (size_t i = 0; i < ROWS; i++) {
		struct weir_reject reject = {0};
		int err = verify(&rows[i], NULL, &reject);

		if (!err != (rows[i].reason == WEIR_REASON_NONE) ||
		    (err &&
		     (reject.reason != rows[i].reason || !strstr(reject.message, rows[i].words))))
			bad += 1, print_error("%s: %d, %s: %s\n", rows[i].name, err,
					      err ? reject.reason_id : "accepted", reject.message);
	}
	assert_int_equal(bad, 0);
}

/* What a packet access that is refused is told about: the access, then what was compared. */
static void explanation__of_packet_ranges(void **state)
{
	static const struct {
		const char *row, *text;
	} cases[] = {
		{"pkt_one_over", "\naccessed: bytes 14 to 14; known to be there: bytes 0 to 13\n"},
		{"pkt_unchecked", "\naccessed: bytes 0 to 0; known to be there: none\n"},
		{"pkt_negative", "\naccessed: bytes -1 to -1; known to be there: bytes 0 to 13\n"},
	};

	for (size_t i = 0; i < ROWS; i++) {
		for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
			WEIR_DIAG_ON_STACK(log, 4096);
			struct weir_reject reject = {0};

			if (strcmp(rows[i].name, cases[k].row))
				continue;
			assert_int_not_equal(verify(&rows[i], &log, &reject), 0);
			if (!strstr(log.buf, cases[k].text))
				fail_msg("%s: %s", rows[i].name, log.buf);
		}
	}
}

static int kernel_map(const struct weir_map_ref *map)
{
	union bpf_attr attr = {.map_type = map->def.type,
			       .key_size = map->def.key_size,
			       .value_size = map->def.value_size,
			       .max_entries = map->def.max_entries,
			       .map_flags = map->def.flags};
	int fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	uint32_t key = 0;

	assert_true(fd >= 0);
	if (!map->const_values)
		return fd;
	attr = (union bpf_attr){.map_fd = (uint32_t)fd,
				.key = (uintptr_t)&key,
				.value = (uintptr_t)map->const_values};
	assert_int_equal(syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)), 0);
	attr = (union bpf_attr){.map_fd = (uint32_t)fd};
	assert_int_equal(syscall(SYS_bpf, BPF_MAP_FREEZE, &attr, sizeof(attr)), 0);
	return fd;
}

/* One type for every function: static int f(void). Callbacks want to be known to BTF. */
static int kernel_btf(void)
{
	static const struct {
		struct btf_header head;
		struct btf_type num;
		uint32_t num_bits;
		struct btf_type proto, func;
		char strings[8];
	} blob = {
		.head = {.magic = BTF_MAGIC,
			 .version = BTF_VERSION,
			 .hdr_len = sizeof(struct btf_header),
			 .type_len = 3 * sizeof(struct btf_type) + sizeof(uint32_t),
			 .str_off = 3 * sizeof(struct btf_type) + sizeof(uint32_t),
			 .str_len = 8},
		.num = {.name_off = 1, .info = BTF_KIND_INT << 24, .size = 4},
		.num_bits = BTF_INT_SIGNED << 24 | 32,
		.proto = {.info = BTF_KIND_FUNC_PROTO << 24, .type = 1},
		.func = {.name_off = 5, .info = BTF_KIND_FUNC << 24, .type = 2},
		.strings = "\0int\0f",
	};
	union bpf_attr attr = {.btf = (uintptr_t)&blob, .btf_size = sizeof(blob)};
	int fd = (int)syscall(SYS_bpf, BPF_BTF_LOAD, &attr, sizeof(attr));

	assert_true(fd >= 0);
	return fd;
}

/* Where functions start: the main one, and what is called or taken the address of. */
static uint32_t find_funcs(const struct row *row, struct bpf_func_info *funcs)
{
	bool starts[MAX_ROW_INSNS] = {true};
	uint32_t n = 0;

	for (uint32_t i = 0; i < row->count; i++) {
		const struct bpf_insn *insn = &row->insns[i];
		int64_t target = (int64_t)i + 1 + insn->imm;

		if (!((insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) ||
		      (insn->code == (BPF_LD | BPF_IMM | BPF_DW) &&
		       insn->src_reg == BPF_PSEUDO_FUNC)))
			continue;
		if (target >= 0 && target < row->count)
			starts[target] = true;
	}
	for (uint32_t i = 0; i < row->count; i++)
		if (starts[i])
			funcs[n++] = (struct bpf_func_info){.insn_off = i, .type_id = 3};
	return n;
}

static int kernel_load(const struct row *row, const int *map_fds, int btf_fd)
{
	struct bpf_func_info funcs[MAX_ROW_INSNS];
	struct bpf_insn insns[MAX_ROW_INSNS];
	union bpf_attr attr = {.prog_type = row->type,
			       .insns = (uintptr_t)insns,
			       .insn_cnt = row->count,
			       .license = (uintptr_t) "GPL"};
	uint32_t func_count;
	int fd;

	assert_true(row->count <= MAX_ROW_INSNS);
	memcpy(insns, row->insns, row->count * sizeof(*insns));
	for (uint32_t k = 0; k < row->count; k++) {
		if (insns[k].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		if (insns[k].src_reg != BPF_PSEUDO_MAP_IDX &&
		    insns[k].src_reg != BPF_PSEUDO_MAP_IDX_VALUE)
			continue;
		insns[k].src_reg = insns[k].src_reg == BPF_PSEUDO_MAP_IDX ? BPF_PSEUDO_MAP_FD
									  : BPF_PSEUDO_MAP_VALUE;
		insns[k].imm = (uint32_t)insns[k].imm < MAPS ? map_fds[insns[k].imm] : -1;
	}
	func_count = find_funcs(row, funcs);
	if (func_count > 1) {
		attr.prog_btf_fd = (uint32_t)btf_fd;
		attr.func_info = (uintptr_t)funcs;
		attr.func_info_cnt = func_count;
		attr.func_info_rec_size = sizeof(funcs[0]);
	}
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/*
 * Eight functions, each with a hundred calls of the next, one of which is taken: few paths to walk,
 * but 100^7 chains of calls in the text. The combined stack is found all the same.
 */
static void stack_depth__of_many_call_sites(void **state)
{
	enum { SITES = 100, PER_SITE = 3, BODY = 3 + SITES * PER_SITE };
	static struct bpf_insn insns[8 * BODY + 8];
	struct weir_prog_raw raw = {.type = BPF_PROG_TYPE_XDP, .insns = insns};
	struct weir_verify_stats stats;
	struct weir_prog_ok *ok;
	uint32_t n = 0;

	strcpy(raw.license, "GPL");
	insns[n++] = (struct bpf_insn)CALL(BPF_FUNC_get_prandom_u32);
	insns[n++] = (struct bpf_insn)MOVR(1, 0);
	for (uint32_t f = 0; f < 8; f++) {
		uint32_t next = 2 + (f + 1) * BODY;

		insns[n++] = (struct bpf_insn)MOVR(6, 1);
		for (int site = 0; f < 7 && site < SITES; site++) {
			insns[n++] = (struct bpf_insn)JMP(JNE, 6, site, 2);
			insns[n++] = (struct bpf_insn)MOVR(1, 6);
			insns[n] = (struct bpf_insn)LOCAL((int32_t)(next - n - 1));
			n++;
		}
		insns[n++] = (struct bpf_insn)MOV(0, 0);
		insns[n++] = (struct bpf_insn)EXIT;
	}
	raw.insn_count = n;
	assert_int_equal(weir_verify(&raw, NULL, NULL, &stats, NULL, &ok), 0);
	assert_int_equal(ok->subprog_count, 8);
	weir_prog_ok_free(&ok);
}

static void rows__as_the_kernel(void **state)
{
	int map_fds[MAPS], btf_fd, bad = 0;

	SKIP_WITHOUT_KERNEL_BPF();
	for (size_t m = 0; m < MAPS; m++)
		map_fds[m] = kernel_map(&maps[m]);
	btf_fd = kernel_btf();
	for (size_t i = 0; i < ROWS; i++) {
		int linux_says = kernel_load(&rows[i], map_fds, btf_fd);
		int weir_says = verify(&rows[i], NULL, &(struct weir_reject){0});

		if (!strncmp(rows[i].name, "beyond_", 7) ? !linux_says : linux_says != weir_says)
			bad += 1, print_error("%s: %d, the kernel says %d\n", rows[i].name,
					      weir_says, linux_says);
	}
	for (size_t m = 0; m < MAPS; m++)
		close(map_fds[m]);
	close(btf_fd);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows__as_expected),
		cmocka_unit_test(explanation__of_packet_ranges),
		cmocka_unit_test(stack_depth__of_many_call_sites),
		cmocka_unit_test(rows__as_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
