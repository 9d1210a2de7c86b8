/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loading objects without a daemon: the plan carried out with maps in this process, programs
 * verified, lowered and compiled, ready to run. One thread; deterministic (fixed hash seeds).
 */
#ifndef WEIRCTL_OFFLINE_H
#define WEIRCTL_OFFLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/base/diag.h"
#include "weir/base/rcu.h"
#include "weir/jit/jit.h"
#include "weir/maps/maps.h"
#include "weir/vm/exec.h"
#include "weir/vm/object.h"
#include "weir/vm/verifier.h"

#define OFFLINE_LOG_BYTES (1U << 20) /* of a verifier log; more is cut off and said */

/*
 * The run budget is counted in loop trips instead of nanoseconds, so that runs end at the same
 * instruction every time and in both engines. weird's default of 1 ms is about a quarter of it.
 */
#define OFFLINE_BUDGET_TRIPS (4U << 20)

struct offline_opts {
	enum weir_role role;
	uint32_t log_level;
	uint32_t slots; /* execution slots; 0: 1 */
	bool interp;    /* bind the interpreter instead of compiling */
};

/* What became of one program of the object. */
struct offline_prog {
	int err; /* 0: accepted and ready */
	struct weir_reject reject;
	struct weir_verify_stats stats;
	uint64_t jit_ns;
	char *log; /* the verifier's text; owns */
	struct weir_prog_ok *ok;
	struct weir_prog_low *low;
	struct weir_code *code;
};

struct offline {
	struct weir_plan *plan;
	struct weir_map **maps;     /* as plan->maps; NULL until created */
	struct offline_prog *progs; /* as plan->progs */
	struct weir_rcu *rcu;
	struct weir_codemem *codemem;
	struct weir_exec *exec; /* one a slot */
	uint64_t looks;         /* at the run budget's clock, of all runs */
	struct offline_opts opts;
};

/* Reads and parses the object: no maps, no programs yet. 0 or -errno with text. */
int offline_open(const char *path, const struct offline_opts *opts, struct weir_diag *diag,
		 struct offline **out);
void offline_free(struct offline **offline);

/* Verifies program i against the object's map definitions and constants; makes nothing else.
 * The result, reject included, is in progs[i]. prog_type 0: the section's. */
int offline_verify(struct offline *o, uint32_t i, uint32_t prog_type);

/* Creates the maps, loads program `main` and whatever prog arrays name, fills the slots. */
int offline_load(struct offline *o, uint32_t main_prog, struct weir_diag *diag);

/* The program called `name`, or in the section of that name, or (both NULL) the only one: its
 * index, or -ENOENT/-EINVAL with text that lists what there is. */
int offline_find(const struct offline *o, const char *name, const char *section,
		 struct weir_diag *diag);

/* Linux's short name of a program type ("xdp", "sched_cls"), and back (0: unknown). */
const char *prog_type_name(uint32_t type);
uint32_t prog_type_parse(const char *name);

#endif
