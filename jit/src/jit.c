/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/jit/jit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codemem.h"
#include "ir.h"
#include "x86.h"

struct jit_code {
	struct weir_code code;
	struct weir_codemem *mem; /* borrowed; outlives all code */
	struct codemem_range range;
};

bool weir_jit_supported(void)
{
#ifdef __x86_64__
	return true;
#else
	return false;
#endif
}

static void release_code(struct weir_code *code)
{
	struct jit_code *jc = (struct jit_code *)code;

	codemem_give_back(jc->mem, &jc->range);
	free(jc);
}

/* The finished code into its place. */
static int install(struct x86_ctx *x, struct weir_codemem *mem, struct weir_diag *diag,
		   struct jit_code *jc)
{
	int err = codemem_take(mem, x->b.code.len, &jc->range);

	if (err)
		return weir_fail(diag, err, "code memory is full (%zu KiB in use)",
				 weir_codemem_used_bytes(mem) >> 10);
	err = x86_relocate(&x->b, (uint64_t)(uintptr_t)jc->range.start);
	if (!err)
		err = codemem_publish(mem, &jc->range, x->b.code.v, x->b.code.len, diag);
	if (err) {
		codemem_give_back(mem, &jc->range);
		return err;
	}
	jc->mem = mem;
	jc->code.image = jc->range.start + X86_LEAD_BYTES;
	jc->code.image_bytes = x->b.code.len - X86_LEAD_BYTES;
	jc->code.entry =
		(weir_entry_fn)(uintptr_t)(jc->range.start + x->b.labels.v[x->entry_label]);
	jc->code.tail_entry = jc->range.start + x->b.labels.v[x->tail_label];
	jc->code.release = release_code;
	return 0;
}

static int compile(const struct weir_prog_low *low, struct weir_codemem *mem,
		   const struct weir_jit_opts *opts, struct weir_diag *diag, struct jit_code *jc)
{
	struct jit_prog prog;
	struct x86_ctx x;
	uint64_t lo, hi;
	int err = jit_prog_decode(low, diag, &prog);

	if (!err && !(opts && opts->no_optimise))
		err = jit_optimise(&prog);
	if (err) {
		jit_prog_clear(&prog);
		return err;
	}
	codemem_bounds(mem, &lo, &hi);
	err = x86_compile(&x, &prog, lo, hi, opts && opts->baseline);
	if (!err)
		err = install(&x, mem, diag, jc);
	x86_ctx_clear(&x);
	jit_prog_clear(&prog);
	return err;
}

int weir_jit_compile(const struct weir_prog_low *low, struct weir_codemem *mem,
		     const struct weir_jit_opts *opts, struct weir_diag *diag,
		     struct weir_code **out)
{
	struct jit_code *jc;
	int err;

	if (!weir_jit_supported())
		return weir_fail(diag, -ENOTSUP, "no compiler for this machine's instruction set");
	jc = calloc(1, sizeof(*jc));
	if (!jc)
		return -ENOMEM;
	jc->code.low = low;
	err = compile(low, mem, opts, diag, jc);
	if (err) {
		free(jc);
		return err;
	}
	*out = &jc->code;
	return 0;
}
