/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random programs for the verifier: most of them nearly right, so that about half are accepted and
 * the others are refused late. The same seed gives the same program.
 */
#ifndef WEIR_TESTS_DIFFERENTIAL_GEN_H
#define WEIR_TESTS_DIFFERENTIAL_GEN_H

#include <stdint.h>

#include "weir/vm/map.h"
#include "weir/vm/prog.h"

#define GEN_MAX_INSNS 1024

enum gen_map { GEN_ARRAY, GEN_HASH, GEN_GLOBAL, GEN_PERCPU, GEN_MAPS };

extern const struct weir_map_def gen_maps[GEN_MAPS];

struct gen_rng {
	uint64_t state;
};

uint64_t gen_random(struct gen_rng *rng);
uint32_t gen_pick(struct gen_rng *rng, uint32_t below);
/* A number as bugs like them: near powers of two, near a width's edge, small, or any. */
uint64_t gen_edge(struct gen_rng *rng);

struct gen_prog {
	uint32_t type;
	uint32_t insn_count;
	struct bpf_insn insns[GEN_MAX_INSNS];
};

void gen_program(uint64_t seed, struct gen_prog *out);

#endif
