/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/exec.h"

#include <sys/random.h>
#include <time.h>

uint64_t weir_exec_clock_monotonic(struct weir_exec *exec)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

uint64_t weir_exec_clock_fixed(struct weir_exec *exec)
{
	return exec->fixed_ns;
}

/* A seed that differs between slots even where the system has no randomness to give. */
static uint64_t seed(uint32_t slot)
{
	uint64_t s = 0;

	if (getrandom(&s, sizeof(s), GRND_NONBLOCK) != (ssize_t)sizeof(s))
		s = weir_exec_clock_monotonic(NULL) * 0x9e3779b97f4a7c15ULL + slot;
	return s ? s : 1;
}

void weir_exec_init(struct weir_exec *exec, uint32_t slot, uint32_t slots, struct weir_rcu *rcu)
{
	*exec = (struct weir_exec){
		.trips_left = WEIR_BUDGET_TRIPS,
		.slot = slot,
		.slots = slots,
		.clock_ns = weir_exec_clock_monotonic,
		.prandom_state = seed(slot),
		.rcu = rcu,
	};
}

bool weir_exec_budget_expired(struct weir_exec *exec)
{
	uint64_t now;

	exec->trips_left = WEIR_BUDGET_TRIPS;
	if (!exec->budget_ns)
		return false;
	now = exec->now_ns ? exec->now_ns(exec) : weir_exec_clock_monotonic(exec);
	/* The first look starts the clock: short runs never pay for reading it, and what ran before
	 * is bounded by WEIR_BUDGET_TRIPS. */
	if (!exec->deadline_ns) {
		exec->deadline_ns = now + exec->budget_ns;
		return false;
	}
	if (now < exec->deadline_ns)
		return false;
	exec->abort_cause = WEIR_ABORT_BUDGET;
	return true;
}
