/* SPDX-License-Identifier: BSD-3-Clause */
/* The verifier by rows; each row is also judged by the running kernel where bpf(2) may be used. */
#include "../weir_test.h"

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
#define LDX(z, d, s, o)        I(BPF_LDX | BPF_MEM | BPF_##z, d, s, o, 0)
#define STX(z, d, s, o)        I(BPF_STX | BPF_MEM | BPF_##z, d, s, o, 0)
#define ST(z, d, o, i)         I(BPF_ST | BPF_MEM | BPF_##z, d, 0, o, i)
#define ATOMIC(z, d, s, o, op) I(BPF_STX | BPF_ATOMIC | BPF_##z, d, s, o, op)
#define JMP(op, d, i, o)       I(BPF_JMP | BPF_##op | BPF_K, d, 0, o, i)
#define JMPR(op, d, s, o)      I(BPF_JMP | BPF_##op | BPF_X, d, s, o, 0)
#define JMP32R(op, d, s, o)    I(BPF_JMP32 | BPF_##op | BPF_X, d, s, o, 0)
#define JA(o)                  I(BPF_JMP | BPF_JA, 0, 0, o, 0)
#define CALL(i)                I(BPF_JMP | BPF_CALL, 0, 0, 0, i)
#define LOCAL(i)               I(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, i)
#define EXIT                   I(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define MAP(d, m)              I(BPF_LD | BPF_IMM | BPF_DW, d, BPF_PSEUDO_MAP_IDX, 0, m), I(0, 0, 0, 0, 0)
#define FUNC(d, i)             I(BPF_LD | BPF_IMM | BPF_DW, d, BPF_PSEUDO_FUNC, 0, i), I(0, 0, 0, 0, 0)
#define LDABS(z, i)            I(BPF_LD | BPF_ABS | BPF_##z, 0, 0, 0, i)

struct row {
	const char *name;
	uint32_t type;
	enum weir_reason reason;
	const char *words;
	const struct bpf_insn *insns;
	uint32_t count;
};

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

/* An array and a hash of three 16-byte values. */
static struct weir_map_ref maps[] = {
	{.def = {BPF_MAP_TYPE_ARRAY, 4, 16, 3}},
	{.def = {BPF_MAP_TYPE_HASH, 4, 16, 3}},
};

static int verify(const struct row *row, struct weir_diag *log, struct weir_reject *reject)
{
	struct weir_prog_raw raw = {
		.type = row->type,
		.license = "GPL",
		.insns = (struct bpf_insn *)(uintptr_t)row->insns,
		.insn_count = row->count,
		.maps = maps,
		.map_count = 2,
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

static int kernel_map(const struct weir_map_def *def)
{
	union bpf_attr attr = {.map_type = def->type,
			       .key_size = def->key_size,
			       .value_size = def->value_size,
			       .max_entries = def->max_entries};

	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static void rows__as_the_kernel(void **state)
{
	struct bpf_insn insns[64];
	int fds[2], bad = 0;

	SKIP_WITHOUT_KERNEL_BPF();
	for (int m = 0; m < 2; m++) {
		fds[m] = kernel_map(&maps[m].def);
		assert_true(fds[m] >= 0);
	}
	for (size_t i = 0; i < ROWS; i++) {
		bool callback = false;
		int fd;

		assert_true(rows[i].count <= 64);
		memcpy(insns, rows[i].insns, rows[i].count * sizeof(*insns));
		for (uint32_t k = 0; k < rows[i].count; k++) {
			callback |= insns[k].code == (BPF_LD | BPF_IMM | BPF_DW) &&
				    insns[k].src_reg == BPF_PSEUDO_FUNC;
			if (insns[k].code == (BPF_LD | BPF_IMM | BPF_DW) &&
			    insns[k].src_reg == BPF_PSEUDO_MAP_IDX) {
				insns[k].src_reg = BPF_PSEUDO_MAP_FD;
				insns[k].imm = fds[insns[k].imm];
			}
		}
		/* The kernel wants BTF with callbacks, which these rows have none of. */
		if (callback)
			continue;
		fd = kernel_prog_load(rows[i].type, 0, "GPL", insns, rows[i].count, 0, NULL, 0);
		if ((fd >= 0) != (rows[i].reason == WEIR_REASON_NONE))
			bad += 1, print_error("%s: the kernel says %d\n", rows[i].name, fd);
		if (fd >= 0)
			close(fd);
	}
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows__as_expected),
		cmocka_unit_test(explanation__of_packet_ranges),
		cmocka_unit_test(rows__as_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
