/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs and maps held three times: for the interpreter, for compiled code, and (where bpf(2)
 * works) by the running kernel. What is done to a trio is done to all three; what comes out is
 * compared. One thread; pin it to one CPU, so that per-CPU values of the kernel stay in one place.
 */
#ifndef WEIR_TESTS_DIFFERENTIAL_TRIO_H
#define WEIR_TESTS_DIFFERENTIAL_TRIO_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel_oracle.h"
#include "weir/base/rcu.h"
#include "weir/jit/jit.h"
#include "weir/maps/maps.h"
#include "weir/vm/exec.h"
#include "weir/vm/prog.h"
#include "weir/vm/testrun.h"
#include "weir/vm/verifier.h"

#define TRIO_MAPS  32
#define TRIO_PROGS 32

enum trio_engine { TRIO_INTERP, TRIO_JIT, TRIO_ENGINES };

struct trio_prog {
	struct weir_prog_ok *ok;
	struct weir_prog_low *low[TRIO_ENGINES];
	struct weir_code *code[TRIO_ENGINES]; /* that of the JIT is NULL without a backend */
	int fd;                               /* -1: not in the kernel */
};

struct trio {
	bool linux_too;               /* the kernel takes part */
	struct weir_codemem *codemem; /* borrowed */
	struct weir_rcu *rcu;
	struct weir_exec exec[TRIO_ENGINES];
	struct weir_map_def defs[TRIO_MAPS];
	struct weir_map *maps[TRIO_ENGINES][TRIO_MAPS];
	int map_fds[TRIO_MAPS];
	const void *const_values[TRIO_MAPS]; /* of frozen maps, else NULL */
	uint32_t map_count;
	struct trio_prog progs[TRIO_PROGS];
	uint32_t prog_count;
	char why[1024]; /* what went wrong or differed last */
};

/* Pins this thread to one CPU and takes the memlock limit away. */
void trio_setup_thread(void);

int trio_new(struct weir_codemem *codemem, bool linux_too, struct trio **out);
void trio_free(struct trio **trio);
/* Drops the programs, keeps the maps. */
void trio_drop_progs(struct trio *t);

/* The map's index, or -errno (with why). */
int trio_map_add(struct trio *t, const struct weir_map_def *def);
/* A per-CPU map gets the one value for every CPU. 0 or -errno (why): also if they disagree. */
int trio_map_set(struct trio *t, uint32_t map, const void *key, const void *value, uint64_t flags);
int trio_map_freeze(struct trio *t, uint32_t map);
int trio_slot_set(struct trio *t, uint32_t map, uint32_t key, uint32_t prog);
/* Do the three hold the same? Key by key, values of per-CPU maps summed up. */
bool trio_map_same(struct trio *t, uint32_t map);

/*
 * Verifies by weir and by Linux, each in its own way. *weir_err and *linux_err get the verdicts
 * (linux_err 0 if Linux takes no part); if both are 0 the program is made ready in all engines and
 * its index returned, else -EACCES. Another -errno: something else failed (why).
 * reject and log may be NULL.
 */
int trio_prog_add(struct trio *t, const struct weir_prog_raw *raw, int *weir_err, int *linux_err,
		  struct weir_reject *reject, struct weir_diag *log);
/* Only the kernel's verdict: 0 or -errno; the descriptor is closed. */
int trio_linux_verdict(struct trio *t, const struct weir_prog_raw *raw, char *log,
		       uint32_t log_bytes);

struct trio_run {
	uint32_t prog_type, attach_type;
	const void *data;
	uint32_t data_bytes;
	const void *ctx; /* may be NULL */
	uint32_t ctx_bytes;
	uint64_t now_ns;    /* what the engines' clock says; 0: the real time */
	uint64_t seed;      /* what the engines' random numbers start with; 0: go on */
	bool without_linux; /* time, chance: only the engines are compared */
};

/*
 * Runs one packet through all. 0 and *retval; -errno as all of them say (the packet is none that
 * TEST_RUN takes); 1: they differ (why).
 */
int trio_run(struct trio *t, uint32_t prog, const struct trio_run *run, uint32_t *retval);

#endif
