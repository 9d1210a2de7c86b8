/* SPDX-License-Identifier: BSD-3-Clause */
/* Time, random numbers, the execution slot, strings. */
#include <sched.h>
#include <time.h>

#include "helpers.h"
#include "weir/vm/exec.h"

#define JIFFY_NS 4000000ULL /* programs are told of 250 jiffies a second, as on Debian's kernel */

/* The given system clock, unless the owner replaced the clock: then there is only that one. */
static uint64_t clock_or(struct weir_exec *exec, clockid_t id)
{
	struct timespec ts;

	if (exec->clock_ns != weir_exec_clock_monotonic || clock_gettime(id, &ts))
		return exec->clock_ns(exec);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

WEIR_HELPER_FUNC(weir_hf_ktime_get_ns)
{
	return exec->clock_ns(exec);
}

WEIR_HELPER_FUNC(weir_hf_ktime_get_boot_ns)
{
	return clock_or(exec, CLOCK_BOOTTIME);
}

WEIR_HELPER_FUNC(weir_hf_ktime_get_coarse_ns)
{
	return clock_or(exec, CLOCK_MONOTONIC_COARSE);
}

WEIR_HELPER_FUNC(weir_hf_jiffies64)
{
	return clock_or(exec, CLOCK_MONOTONIC_COARSE) / JIFFY_NS;
}

/* Marsaglia's xorshift with a multiplied output (xorshift64*): the upper half passes as random. */
WEIR_HELPER_FUNC(weir_hf_get_prandom_u32)
{
	uint64_t x = exec->prandom_state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	exec->prandom_state = x;
	return (x * 0x2545f4914f6cdd1dULL) >> 32;
}

WEIR_HELPER_FUNC(weir_hf_get_smp_processor_id)
{
	return exec->slot;
}

WEIR_HELPER_FUNC(weir_hf_get_numa_node_id)
{
	unsigned int cpu, node;

	return getcpu(&cpu, &node) ? 0 : node;
}

WEIR_HELPER_FUNC(weir_hf_strncmp)
{
	const uint8_t *a = (const uint8_t *)(uintptr_t)r1;
	const uint8_t *b = (const uint8_t *)(uintptr_t)r3;

	for (uint32_t i = 0; i < (uint32_t)r2; i++) {
		if (a[i] != b[i])
			return a[i] < b[i] ? (uint64_t)-1 : 1;
		if (!a[i])
			break;
	}
	return 0;
}
