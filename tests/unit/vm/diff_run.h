/* SPDX-License-Identifier: BSD-3-Clause */
/* The same bytes run by TEST_RUN of the kernel and of weir (interpreter): everything is compared.
 */
#ifndef WEIR_TEST_DIFF_RUN_H
#define WEIR_TEST_DIFF_RUN_H

#include "hand_ok.h"
#include "kernel_bpf.h"
#include "weir/jit/jit.h"
#include "weir/vm/interp.h"
#include "weir/vm/rewrite.h"
#include "weir/vm/testrun.h"

#define DIFF_DATA_MAX (20 * 4096)

struct diff_prog {
	uint32_t type;
	int fd;
	struct weir_prog_ok *ok;
	struct weir_prog_low *low;
	struct weir_code *codes[2]; /* interpreter, compiled; the second NULL without a backend */
};

static inline void diff_prog_dump(const struct bpf_insn *insns, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		print_message("# %3u: code %02x dst %u src %u off %d imm %d\n", i, insns[i].code,
			      insns[i].dst_reg, insns[i].src_reg, insns[i].off, insns[i].imm);
}

static inline struct weir_codemem *diff_codemem(void)
{
	static struct weir_codemem *mem; /* lives as long as the test */

	if (!mem)
		assert_int_equal(weir_codemem_new(0, NULL, &mem), 0);
	return mem;
}

static inline void diff_prog_new(struct diff_prog *p, uint32_t type, const struct bpf_insn *insns,
				 uint32_t count, uint32_t ctx_regs)
{
	static char log[65536];
	WEIR_DIAG_ON_STACK(diag, 256);

	p->type = type;
	log[0] = 0;
	p->fd = kernel_prog_load(type, 0, "GPL", insns, count, 0, log, sizeof(log));
	if (p->fd < 0) {
		diff_prog_dump(insns, count);
		fail_msg("the kernel refuses the test program: %d\n%s", p->fd, log);
	}
	p->ok = hand_ok(type, insns, count, ctx_regs, NULL, 0);
	if (weir_rewrite(p->ok, NULL, NULL, &diag, &p->low))
		fail_msg("rewrite: %s", diag.buf);
	assert_int_equal(weir_interp_bind(p->low, &p->codes[0]), 0);
	p->codes[1] = NULL;
	if (weir_jit_supported() &&
	    weir_jit_compile(p->low, diff_codemem(), NULL, &diag, &p->codes[1]))
		fail_msg("jit: %s", diag.buf);
}

static inline void diff_prog_free(struct diff_prog *p)
{
	close(p->fd);
	for (uint32_t i = 0; i < 2; i++)
		if (p->codes[i])
			weir_code_free(&p->codes[i]);
	weir_prog_low_free(&p->low);
	weir_prog_ok_free(&p->ok);
}

static inline uint32_t diff_host_queues(void *arg, uint32_t ifindex)
{
	return ifindex == 1 ? 1 : 0;
}

/* What differs, as text; NULL if nothing does. */
static inline const char *diff_compare(int kernel_err, int our_err, const union bpf_attr *attr,
				       const struct weir_test_run_out *out,
				       const struct weir_test_run_in *in,
				       const uint8_t *kernel_data, const uint8_t *kernel_ctx)
{
	static char why[256];
	uint32_t n = attr->test.data_size_out;

	if (kernel_err != our_err) {
		snprintf(why, sizeof(why), "error: Linux %d, weir %d", kernel_err, our_err);
		return why;
	}
	if (our_err && !(our_err == -ENOSPC && out->data_bytes))
		return NULL;
	if (attr->test.retval != out->retval || n != out->data_bytes) {
		snprintf(why, sizeof(why), "retval %u, size %u; weir %u, %u", attr->test.retval, n,
			 out->retval, out->data_bytes);
		return why;
	}
	for (uint32_t i = 0; i < out->data_copied; i++)
		if (kernel_data[i] != out->data[i]) {
			snprintf(why, sizeof(why), "byte %u: Linux %02x, weir %02x", i,
				 kernel_data[i], out->data[i]);
			return why;
		}
	if (in->want_ctx_out && !our_err) {
		if (attr->test.ctx_size_out != out->ctx_bytes)
			return "context size";
		for (uint32_t i = 0; i < out->ctx_copied; i++)
			if (kernel_ctx[i] != out->ctx[i]) {
				snprintf(why, sizeof(why), "context byte %u: Linux %02x, weir %02x",
					 i, kernel_ctx[i], out->ctx[i]);
				return why;
			}
	}
	return NULL;
}

/* Fails the test where kernel and weir differ; returns the (common) error, *retval the verdict. */
static inline int diff_run(const struct diff_prog *p, const struct weir_test_run_in *input,
			   uint32_t *retval, const char *what)
{
	static uint8_t kernel_data[DIFF_DATA_MAX], kernel_ctx[4096];
	struct weir_test_run_in in = *input;
	const char *why;
	union bpf_attr attr;
	int kernel_err, err = 0;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)p->fd;
	attr.test.data_in = (uintptr_t)in.data;
	attr.test.data_size_in = in.data_bytes;
	attr.test.ctx_in = (uintptr_t)in.ctx;
	attr.test.ctx_size_in = in.ctx_bytes;
	attr.test.data_out = in.want_data_out ? (uintptr_t)kernel_data : 0;
	attr.test.data_size_out = in.data_out_max;
	attr.test.ctx_out = in.want_ctx_out ? (uintptr_t)kernel_ctx : 0;
	attr.test.ctx_size_out = in.ctx_out_max;
	attr.test.repeat = in.repeat;
	attr.test.flags = in.flags;
	attr.test.cpu = in.cpu;
	attr.test.batch_size = in.batch_size;
	memset(kernel_data, 0xee, sizeof(kernel_data));
	kernel_err = kernel_test_run(&attr);

	in.prog_type = p->type;
	in.rx_queues = diff_host_queues;
	for (uint32_t i = 0; i < 2 && p->codes[i]; i++) {
		struct weir_test_run_out out = {0};
		struct weir_exec exec;

		weir_exec_init(&exec, 0, 1, NULL);
		err = weir_test_run(p->codes[i], &exec, &in, &out, NULL);
		why = diff_compare(kernel_err, err, &attr, &out, &in, kernel_data, kernel_ctx);
		if (why) {
			diff_prog_dump(p->ok->raw.insns, p->ok->raw.insn_count);
			fail_msg("%s (%u bytes in), %s: %s", what, in.data_bytes,
				 i ? "compiled" : "interpreted", why);
		}
		if (retval)
			*retval = out.retval;
		weir_test_run_clear(&out);
	}
	return err;
}

/* One run of a program made for it. */
static inline uint32_t diff_once(uint32_t type, const struct bpf_insn *insns, uint32_t count,
				 uint32_t ctx_regs, const struct weir_test_run_in *in,
				 const char *what)
{
	struct diff_prog p;
	uint32_t retval = 0;

	diff_prog_new(&p, type, insns, count, ctx_regs);
	diff_run(&p, in, &retval, what);
	diff_prog_free(&p);
	return retval;
}

#endif
