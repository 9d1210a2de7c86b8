/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attachment sets: what runs on each RX queue of a port.
 *
 * A set is immutable. The control side (main thread) builds a new one for every change, publishes
 * it with one release store, and retires the old one; a worker loads the pointer once a burst
 * (acquire) and judges each of the burst's packets wholly by it. A worker may use the set until its
 * next quiescent state. The only fields workers write are the overrun counters, each slot its own.
 *
 * No DPDK here: the same code is tested without EAL.
 */
#ifndef WEIR_DAEMON_ATTACH_H
#define WEIR_DAEMON_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "plane.h"

/* One program in a queue's chain, with what the burst loop needs of it. */
struct weir_attach_entry {
	weir_entry_fn entry;
	const struct weir_prog_low *low;
	struct weir_plane_prog_stats *stats; /* [slot] */
	uint64_t *overruns;                  /* [slot]; of the place */
	bool guard;
	bool has_frags;
};

enum weir_attach_kind {
	WEIR_ATTACH_NONE,    /* every packet passes */
	WEIR_ATTACH_XDP_ONE, /* one XDP program and nothing else */
	WEIR_ATTACH_CHAIN,
};

struct weir_attach_queue {
	uint8_t kind; /* enum weir_attach_kind */
	uint16_t count[WEIR_HOOK_COUNT];
	const struct weir_attach_entry *chain[WEIR_HOOK_COUNT]; /* by priority */
};

struct weir_attach_set {
	uint64_t generation;
	struct weir_attach_queue queues[]; /* one an RX queue */
};

/* One a port, apart from each other: the pointer is the only thing workers and control share. */
struct weir_attach_head {
	_Alignas(64) const struct weir_attach_set *set; /* atomic; never NULL */
};

struct weir_attach_port_desc {
	const char *name; /* for messages; borrowed for as long as the attach object lives */
	uint32_t rx_queues;
	bool absent; /* nothing can be attached */
};

struct weir_attach;

/* `slots` as in the programs' statistics; rcu is borrowed. 0 or -ENOMEM. */
int weir_attach_new(uint32_t ports, const struct weir_attach_port_desc *descs, uint32_t slots,
		    struct weir_rcu *rcu, struct weir_attach **out);
/* Workers are gone. Releases every program. */
void weir_attach_free(struct weir_attach **attach);
const struct weir_attach_head *weir_attach_head(const struct weir_attach *attach, uint32_t port);

/* weir_plane_attach(). */
int weir_attach_change(struct weir_attach *attach, const struct weir_attach_spec *spec,
		       uint32_t expected_id, struct weir_plane_prog *prog, struct weir_diag *diag);
/* weir_plane_attachments(). */
uint32_t weir_attach_list(const struct weir_attach *attach, struct weir_attach_info *out,
			  uint32_t max);

#define WEIR_BUDGET_STRIKES   3             /* overruns ... */
#define WEIR_BUDGET_WINDOW_NS 1000000000ULL /* ... within this detach a program */

typedef void (*weir_attach_budget_fn)(void *arg, uint32_t port, enum weir_hook hook,
				      uint32_t priority, struct weir_plane_prog *prog,
				      struct weir_plane_prog *restored);
/*
 * Detaches every program with WEIR_BUDGET_STRIKES overruns within the window ending at now_ns and
 * restores the one it replaced; fn (may be NULL) hears of it while both are still held.
 */
void weir_attach_budget_scan(struct weir_attach *attach, uint64_t now_ns, weir_attach_budget_fn fn,
			     void *arg);

#endif
