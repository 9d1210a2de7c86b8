/* SPDX-License-Identifier: BSD-3-Clause */
/* The optimiser's passes and what they share. */
#ifndef WEIR_JIT_SRC_OPT_H
#define WEIR_JIT_SRC_OPT_H

#include "ir.h"

/*
 * live_after[i]: registers whose values are needed behind instruction i. False if it would take too
 * long; live_after says nothing then.
 */
bool opt_liveness(const struct jit_prog *prog, uint16_t *live_after);
/* Constants, copies and register + constant addresses, along straight lines. */
void opt_propagate(struct jit_prog *prog);
/* Several instructions that are one in hardware: rotates, wide loads, lea, swapped loads. */
void opt_fuse(struct jit_prog *prog, const uint16_t *live_after);
/* Removes what computes values that nobody needs. */
void opt_remove_dead(struct jit_prog *prog, const uint16_t *live_after);
/* Removes what no path reaches. 0 or -ENOMEM. */
int opt_remove_unreachable(struct jit_prog *prog);

#endif
