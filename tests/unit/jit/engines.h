/* SPDX-License-Identifier: BSD-3-Clause */
/* One program, run by the interpreter and by its compiled forms. */
#ifndef WEIR_TESTS_JIT_ENGINES_H
#define WEIR_TESTS_JIT_ENGINES_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../bpf_insn.h"
#include "../weir_test.h"
#include "weir/base/bits.h"
#include "weir/jit/jit.h"
#include "weir/vm/disasm.h"
#include "weir/vm/exec.h"
#include "weir/vm/interp.h"
#include "weir/vm/isa.h"
#include "weir/vm/unchecked.h"

struct engines {
	struct weir_prog_low *low;
	struct weir_code *plain; /* compiled without the optimiser, for any machine */
	struct weir_code *opt;
	struct weir_code *opt_any; /* optimised, for any machine */
};

static inline void engines_make(struct engines *e, struct weir_codemem *mem,
				const struct bpf_insn *insns, uint32_t count,
				weir_helper_fn (*find)(uint32_t id))
{
	struct weir_jit_opts plain = {.no_optimise = true, .baseline = true};
	struct weir_jit_opts any = {.baseline = true};
	WEIR_DIAG_ON_STACK(d, 256);

	*e = (struct engines){0};
	if (weir_low_from_raw_unchecked(insns, count, find, &d, &e->low) ||
	    weir_jit_compile(e->low, mem, &plain, &d, &e->plain) ||
	    weir_jit_compile(e->low, mem, NULL, &d, &e->opt) ||
	    weir_jit_compile(e->low, mem, &any, &d, &e->opt_any))
		fail_msg("%s", d.buf);
}

static inline void engines_free(struct engines *e)
{
	weir_code_free(&e->plain);
	weir_code_free(&e->opt);
	weir_code_free(&e->opt_any);
	weir_prog_low_free(&e->low);
}

static inline void engines_print(const struct engines *e)
{
	for (uint32_t i = 0; i < e->low->insn_count;) {
		WEIR_DIAG_ON_STACK(d, 128);
		uint32_t n = weir_disasm_insn(e->low->insns, e->low->insn_count, i, NULL, &d);

		fprintf(stderr, "# %3u: (%02x) %s\n", i, e->low->insns[i].code, d.buf);
		i += n;
	}
}

/* xorshift: the same sequence everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1dULL;
}

#endif
