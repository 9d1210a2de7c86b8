/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * base's RCU over rte_rcu_qsbr, one reader per execution slot. rte_rcu needs no EAL, so this serves
 * a daemon without ports as well: TEST_RUN's slots are readers there.
 *
 * Every slot is registered for good and starts offline; offline slots are never waited for.
 * retire() may be called by any control thread; its callbacks run on the thread that calls
 * weir_rcu_qsbr_drain(), in the order of retirement.
 */
#ifndef WEIR_DAEMON_RCU_QSBR_H
#define WEIR_DAEMON_RCU_QSBR_H

#include <stdint.h>

#include "weir/base/rcu.h"

struct rte_rcu_qsbr;

/* 0 or -ENOMEM, -EINVAL (no slot). */
int weir_rcu_qsbr_new(uint32_t slots, struct weir_rcu **out);
/* No reader is online. Runs what is still retired. */
void weir_rcu_qsbr_free(struct weir_rcu **rcu);
/* Runs the callbacks whose grace period has passed; never waits. Returns how many still wait. */
uint32_t weir_rcu_qsbr_drain(struct weir_rcu *rcu);
/* For the workers' inlined reports. */
struct rte_rcu_qsbr *weir_rcu_qsbr_raw(struct weir_rcu *rcu);

#endif
