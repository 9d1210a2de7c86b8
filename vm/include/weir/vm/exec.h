/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What running a program needs from its surroundings: the execution slot, RCU, clock, random
 * numbers, the host's operations and the run's own state. A worker embeds one; TEST_RUN's thread
 * and offline tools own one. Everything here is written only by the thread that runs programs with
 * it, except where a field says otherwise.
 *
 * Compiled code addresses the fields marked (jit) by offset.
 */
#ifndef WEIR_VM_EXEC_H
#define WEIR_VM_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/base/rcu.h"

struct weir_exec;
struct weir_map;
struct weir_pkt;

/* Why a run ended without a verdict of its own; 0 is a normal end. */
enum weir_abort {
	WEIR_ABORT_NONE = 0,
	WEIR_ABORT_BUDGET,   /* the run budget was overrun */
	WEIR_ABORT_INTERNAL, /* an invariant of weir's own was broken */
};

#define WEIR_BUDGET_TRIPS 4096 /* loop trips between two looks at the clock */

/* Where a packet goes after a redirect helper; read by whoever acts on the verdict. */
struct weir_redirect {
	uint32_t target_ifindex; /* 0: none set */
	uint32_t map_id;         /* 0: by ifindex; else the map the target came from */
	uint32_t map_key;
	uint64_t flags;
};

/* The host's answers: routes, targets, interfaces. Any member may be NULL: "not there". */
struct weir_host_ops {
	/* Is there a port of this index? Called on the running thread; must not block. */
	bool (*port_exists)(void *host, uint32_t ifindex);
	/* bpf_trace_printk's line (without newline). Must not block; may drop and count. */
	void (*trace)(void *host, struct weir_exec *exec, const char *line, size_t len);
};

struct weir_exec {
	int64_t trips_left;   /* (jit) counts down at loop back edges and tail calls */
	uint64_t unwind_sp;   /* (jit) stack pointer to return to on an abort */
	uint32_t tail_calls;  /* (jit) tail calls taken in this run */
	uint32_t abort_cause; /* enum weir_abort of the last run; reset by its caller */
	uint32_t slot;        /* (jit) execution slot; what bpf_get_smp_processor_id returns */
	uint32_t slots;       /* how many slots per-CPU maps have; constant */
	uint64_t budget_ns;   /* allowed run time; 0: unlimited. Constant while running */
	uint64_t deadline_ns; /* of this run; 0: not yet looked at the clock */
	/* Nanoseconds for bpf_ktime_get_ns and, by now_ns, for the budget. now_ns NULL: the
	 * monotonic clock. */
	uint64_t (*clock_ns)(struct weir_exec *exec);
	uint64_t (*now_ns)(struct weir_exec *exec);
	void *clock_arg;
	uint64_t prandom_state; /* of bpf_get_prandom_u32; seeded by the owner, never 0 */
	struct weir_rcu *rcu;   /* borrowed; the reader is `slot` */
	const struct weir_host_ops *host_ops; /* borrowed; may be NULL */
	void *host;
	struct weir_redirect redirect; /* reset by the caller before each run */
	uint64_t fixed_ns; /* for clocks that are set by hand (clock_ns of offline tools) */
};

/* slot < slots; everything else at its default: monotonic clock, seeded prandom, no host. */
void weir_exec_init(struct weir_exec *exec, uint32_t slot, uint32_t slots, struct weir_rcu *rcu);
uint64_t weir_exec_clock_monotonic(struct weir_exec *exec); /* the default clock_ns */
uint64_t weir_exec_clock_fixed(struct weir_exec *exec);     /* a clock_ns that returns fixed_ns */
/*
 * The slow half of the budget check, called by both engines when trips_left ran out: true if the
 * run must end (abort_cause is then set); else refills trips_left.
 */
bool weir_exec_budget_expired(struct weir_exec *exec);

#endif
