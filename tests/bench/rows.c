/* SPDX-License-Identifier: BSD-3-Clause */
#include "rows.h"

#include "weir/base/bits.h"

#define PROTOCOL_OFF 23
#define DST_PORT_OFF 36

/* The programs as native/ makes them, and their maps (whose first member the bench sets). */
uint32_t drop(void *ctx);
uint32_t parse_drop(void *ctx);
uint32_t macswap_tx(void *ctx);
uint32_t hash_lookup(void *ctx);
uint32_t ldabs(void *ctx);
uint32_t count_atomic(void *ctx);
uint32_t count_percpu(void *ctx);
extern void *native_flows[];
extern void *native_atomic_packets[];
extern void *native_percpu_packets[];

/* TCP to port 9999: what flow_key() makes. */
static bool is_known_flow(const uint8_t *frame, uint32_t len)
{
	return len > DST_PORT_OFF + 1 && frame[PROTOCOL_OFF] == 6 &&
	       frame[DST_PORT_OFF] == 9999 >> 8 && frame[DST_PORT_OFF + 1] == (9999 & 0xff);
}

const struct workload rows[] = {
	{.name = "drop", .object = "drop", .native = drop, .native_goal = 1, .rte_goal = 1},
	{.name = "parse, drop by port",
	 .object = "parse_drop",
	 .native = parse_drop,
	 .native_goal = 1.1,
	 .rte_goal = 1},
	{.name = "MAC swap",
	 .object = "macswap_tx",
	 .native = macswap_tx,
	 .native_goal = 1.1,
	 .rte_goal = 1},
	{.name = "hash, 5-tuple, 64k",
	 .object = "hash_lookup",
	 .native = hash_lookup,
	 .native_map = native_flows,
	 .want = is_known_flow,
	 .fill_flows = true,
	 .rte_goal = 1},
	{.name = "LD_ABS filter", .object = "ldabs", .native = ldabs, .rte_goal = 1},
	{.name = "array counter, atomic",
	 .object = "count_atomic",
	 .native = count_atomic,
	 .native_map = native_atomic_packets,
	 .native_goal = 1,
	 .rte_goal = 1},
	{.name = "per-CPU counter",
	 .object = "count_percpu",
	 .native = count_percpu,
	 .native_map = native_percpu_packets,
	 .native_goal = 0.8,
	 .rte_goal = 1},
};
const size_t row_count = WEIR_ARRAY_LEN(rows);
