/* SPDX-License-Identifier: BSD-3-Clause */
/* What the compiler needs of code memory beside jit.h. */
#ifndef WEIR_JIT_SRC_CODEMEM_H
#define WEIR_JIT_SRC_CODEMEM_H

#include <stdint.h>

#include "weir/jit/jit.h"

struct codemem_range {
	uint8_t *start;
	size_t size_bytes; /* whole pages */
};

/* The reservation's bounds: all code lies inside. */
void codemem_bounds(const struct weir_codemem *mem, uint64_t *lo, uint64_t *hi);
/* Takes room for size_bytes: 0, or -ENOSPC. Not accessible until published. */
int codemem_take(struct weir_codemem *mem, size_t size_bytes, struct codemem_range *out);
/* Maps a sealed copy of bytes read-execute into the range. 0 or -errno with text. */
int codemem_publish(struct weir_codemem *mem, const struct codemem_range *range, const void *bytes,
		    size_t size_bytes, struct weir_diag *diag);
/* Gives the range back; nothing may run in it any more. */
void codemem_give_back(struct weir_codemem *mem, const struct codemem_range *range);

#endif
