/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weir-conformance: runs one program in one engine and prints R0. The command line is the one that
 * ISA conformance suites use for their plugins:
 *
 *   weir-conformance [MEM] [--interp|--jit] [--verify] [--program HEX] [--elf]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf_main.h"
#include "weir/base/vec.h"
#include "weir/jit/jit.h"
#include "weir/vm/exec.h"
#include "weir/vm/interp.h"
#include "weir/vm/isa.h"
#include "weir/vm/unchecked.h"
#include "weir/vm/verifier.h"

struct options {
	const char *memory;  /* hex; NULL: none */
	const char *program; /* hex; NULL: from stdin */
	bool interp;
	bool verify;
	bool elf;
};

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Byte pairs with any space between them. 0, -EINVAL, -ENOMEM. */
static int parse_hex(const char *text, struct bytes *out)
{
	const char *start = text;

	for (;;) {
		int high, low;

		text += strspn(text, " \t\r\n");
		if (!*text)
			return 0;
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0) {
			fprintf(stderr,
				"weir-conformance: expected a pair of hex digits at character "
				"%zu\n",
				(size_t)(text - start));
			return -EINVAL;
		}
		if (weir_vec_push(out, (uint8_t)(high << 4 | low)))
			return -ENOMEM;
		text += 2;
	}
}

static int read_stdin(struct bytes *out)
{
	do {
		if (weir_vec_reserve(out, 4096))
			return -ENOMEM;
		out->len += fread(out->v + out->len, 1, out->cap - out->len, stdin);
	} while (!feof(stdin) && !ferror(stdin));
	return ferror(stdin) ? -EIO : 0;
}

/* The program's bytes: from --program, or from stdin: hex, or an ELF file as it is or in hex. */
static int read_program(const struct options *opts, struct bytes *out)
{
	struct bytes text = {0};
	int err;

	if (opts->program)
		return parse_hex(opts->program, out);
	err = read_stdin(&text);
	if (!err && opts->elf && text.len >= 4 && !memcmp(text.v, "\177ELF", 4)) {
		*out = text;
		return 0;
	}
	if (!err)
		err = weir_vec_push(&text, 0);
	if (!err)
		err = parse_hex((const char *)text.v, out);
	weir_vec_free(&text);
	return err;
}

static int usage(void)
{
	fprintf(stderr, "usage: weir-conformance [MEM] [--interp|--jit] [--verify] "
			"[--program HEX] [--elf]\n");
	return 2;
}

static int parse_options(int argc, char **argv, struct options *opts)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--interp"))
			opts->interp = true;
		else if (!strcmp(argv[i], "--jit"))
			opts->interp = false;
		else if (!strcmp(argv[i], "--verify"))
			opts->verify = true;
		else if (!strcmp(argv[i], "--elf"))
			opts->elf = true;
		else if (!strcmp(argv[i], "--program") && i + 1 < argc)
			opts->program = argv[++i];
		else if (argv[i][0] == '-' || opts->memory)
			return usage();
		else
			opts->memory = argv[i];
	}
	return 0;
}

static uint64_t helper_5(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
			 struct weir_exec *exec)
{
	return exec->clock_ns(exec);
}

static weir_helper_fn find_helper(uint32_t id)
{
	return id == BPF_FUNC_ktime_get_ns ? helper_5 : NULL;
}

static int run(const struct weir_prog_low *low, bool interp, void *memory, struct weir_diag *diag,
	       uint64_t *ret)
{
	struct weir_codemem *mem = NULL;
	struct weir_code *code = NULL;
	struct weir_exec exec;
	int err;

	weir_exec_init(&exec, 0, 1, NULL);
	if (interp) {
		err = weir_interp_bind(low, &code);
	} else {
		err = weir_codemem_new(4 << 20, diag, &mem);
		if (!err)
			err = weir_jit_compile(low, mem, NULL, diag, &code);
	}
	if (!err) {
		*ret = weir_code_run(code, memory, &exec);
		if (exec.abort_cause)
			err = weir_fail(diag, -EFAULT, "the run was given up (cause %u)",
					exec.abort_cause);
		weir_code_free(&code);
	}
	weir_codemem_free(&mem);
	return err;
}

/* Entry code has one argument of the program's, so R2 is set by an instruction before it. */
static int with_length(const struct bytes *program, uint64_t memory_bytes, struct bytes *out)
{
	const struct bpf_insn head[] = {
		{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 2, .imm = (__s32)memory_bytes},
		{.imm = (__s32)(memory_bytes >> 32)},
	};

	if (weir_vec_reserve(out, sizeof(head) + program->len))
		return -ENOMEM;
	memcpy(out->v, head, sizeof(head));
	memcpy(out->v + sizeof(head), program->v, program->len);
	out->len = sizeof(head) + program->len;
	return 0;
}

/* As an XDP program: R1 is its context then, so programs that use memory are refused. */
static int verify(const struct bytes *program, struct weir_diag *diag)
{
	struct weir_prog_raw raw = {
		.type = BPF_PROG_TYPE_XDP,
		.license = "Dual BSD/GPL",
		.insns = (struct bpf_insn *)program->v,
		.insn_count = (uint32_t)(program->len / sizeof(struct bpf_insn)),
	};
	struct weir_verify_opts opts = {.role = WEIR_ROLE_ADMIN};
	struct weir_reject reject = {.reason_id = "unknown"};
	struct weir_prog_ok *ok = NULL;
	int err = weir_verify(&raw, &opts, NULL, NULL, &reject, &ok);

	weir_prog_ok_free(&ok);
	if (err)
		return weir_fail(diag, err, "insn %d: %s [%s]", (int)reject.insn_idx,
				 reject.message, reject.reason_id);
	return 0;
}

static int load(const struct options *opts, uint64_t memory_bytes, struct weir_diag *diag,
		struct weir_prog_low **out)
{
	struct bytes program = {0}, insns = {0};
	uint32_t bad_idx = 0;
	int err = read_program(opts, &program);

	if (!err && opts->elf)
		err = elf_main(&program, diag);
	if (!err && program.len % sizeof(struct bpf_insn))
		err = weir_fail(diag, -EINVAL, "%zu bytes are no whole number of instructions",
				program.len);
	/* Checked before the head is added, so that messages count as the author does. */
	if (!err)
		err = weir_isa_check((const struct bpf_insn *)program.v,
				     (uint32_t)(program.len / sizeof(struct bpf_insn)),
				     WEIR_ISA_LOW, diag, &bad_idx);
	if (!err && opts->verify)
		err = verify(&program, diag);
	if (!err)
		err = with_length(&program, memory_bytes, &insns);
	if (!err)
		err = weir_low_from_raw_unchecked((const struct bpf_insn *)insns.v,
						  (uint32_t)(insns.len / sizeof(struct bpf_insn)),
						  find_helper, diag, out);
	weir_vec_free(&program);
	weir_vec_free(&insns);
	return err;
}

int main(int argc, char **argv)
{
	struct options opts = {0};
	struct bytes memory = {0};
	struct weir_prog_low *low = NULL;
	uint64_t ret = 0;
	int err = parse_options(argc, argv, &opts);

	if (err)
		return err;
	WEIR_DIAG_ON_STACK(diag, 512);
	if (opts.memory)
		err = parse_hex(opts.memory, &memory);
	if (!err)
		err = load(&opts, memory.len, &diag, &low);
	if (!err)
		err = run(low, opts.interp, memory.len ? memory.v : NULL, &diag, &ret);
	if (err)
		fprintf(stderr, "weir-conformance: %s\n",
			diag.len_bytes ? diag.buf : strerror(-err));
	else
		printf("%llx\n", (unsigned long long)ret);
	weir_prog_low_free(&low);
	weir_vec_free(&memory);
	return err ? 1 : 0;
}
