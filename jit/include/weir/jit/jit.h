/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The JIT: internal ISA → machine code near weir's text, never writable and executable at once.
 */
#ifndef WEIR_JIT_JIT_H
#define WEIR_JIT_JIT_H

#include <stdbool.h>
#include <stddef.h>

#include "weir/base/diag.h"
#include "weir/vm/prog.h"

/*
 * Code memory: one PROT_NONE reservation within +-2 GB of weird's text; each program's code is
 * written into a memfd, sealed, and mapped read-execute into it with guard pages around. Thread
 * safe (one lock, held for the map call only).
 */
struct weir_codemem;

/* reserve_bytes 0: 256 MiB. 0; -ENOMEM (no room near the text); -EACCES (executable memfds are
 * refused: vm.memfd_noexec=2), with text. */
int weir_codemem_new(size_t reserve_bytes, struct weir_diag *diag, struct weir_codemem **out);
/* All code must be gone. */
void weir_codemem_free(struct weir_codemem **mem);
size_t weir_codemem_used_bytes(const struct weir_codemem *mem);

struct weir_jit_opts {
	bool baseline;    /* no instructions that some machine of the architecture lacks */
	bool no_optimise; /* one instruction after the other, for tests and comparison */
};

/* Is there a backend for this machine? */
bool weir_jit_supported(void);

/*
 * Compiles low (borrowed as long as the code lives). opts may be NULL. 0 and *out (free with
 * weir_code_free, after a grace period), -ENOMEM, -ENOSPC (reservation full), -ENOTSUP, -E2BIG.
 */
int weir_jit_compile(const struct weir_prog_low *low, struct weir_codemem *mem,
		     const struct weir_jit_opts *opts, struct weir_diag *diag,
		     struct weir_code **out);

#endif
