/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs accepted programs where every access is asked about: on packets of exact length, contexts
 * and map contents chosen to break what a verifier may have believed.
 */
#ifndef WEIR_TESTS_DIFFERENTIAL_JUDGE_H
#define WEIR_TESTS_DIFFERENTIAL_JUDGE_H

#include "gen.h"
#include "trio.h"

struct judge;

/* The trio's interpreter maps are the program's; their order is gen_maps'. */
int judge_new(struct trio *t, struct judge **out);
void judge_free(struct judge **judge);

/*
 * Runs low `runs` times. NULL, or what it did that it may not, as text that lasts until the next
 * call.
 */
const char *judge_runs(struct judge *judge, const struct weir_prog_low *low, uint64_t seed,
		       uint32_t runs);

/* Random contents of every map, the same in all of the trio. */
void judge_fill_maps(struct trio *t, struct gen_rng *rng);

#endif
