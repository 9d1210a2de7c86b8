/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Read-copy-update as an interface. The daemon implements it over rte_rcu_qsbr with one reader
 * per execution slot; offline tools use the single-reader version below, where nobody but the
 * caller reads and a retired object is freed at the next quiescent state.
 *
 * Readers (worker or exec owner): online → (read, quiescent)* → offline. A reader is offline
 * before it sleeps. Writers (control threads): unpublish with a release store, then retire().
 */
#ifndef WEIR_BASE_RCU_H
#define WEIR_BASE_RCU_H

#include <stdint.h>

struct weir_rcu;

struct weir_rcu_ops {
	void (*online)(struct weir_rcu *rcu, uint32_t slot);    /* reader thread of the slot */
	void (*offline)(struct weir_rcu *rcu, uint32_t slot);   /* reader thread of the slot */
	void (*quiescent)(struct weir_rcu *rcu, uint32_t slot); /* reader thread of the slot */
	/* Control threads: calls fn(arg) once every reader has passed a quiescent state. */
	int (*retire)(struct weir_rcu *rcu, void (*fn)(void *arg), void *arg);
	/* Control threads: waits for a grace period; never called by a reader that is online. */
	void (*synchronize)(struct weir_rcu *rcu);
};

struct weir_rcu {
	const struct weir_rcu_ops *ops;
};

/* The single-reader version: retire() runs fn at the next quiescent(), offline() or free. */
int weir_rcu_single_new(struct weir_rcu **out);
void weir_rcu_single_free(struct weir_rcu **rcu);

#endif
