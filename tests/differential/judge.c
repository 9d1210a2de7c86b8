/* SPDX-License-Identifier: BSD-3-Clause */
#include "judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "weir/base/bits.h"
#include "weir/vm/interp_checked.h"
#include "weir/vm/pkt.h"

#define BUF_BYTES  4096
#define HEADROOM   256
#define INSN_LIMIT 20000000
#define ELEMENTS   256

struct judge {
	struct trio *t;
	struct weir_exec *exec;
	uint8_t buf[BUF_BYTES];
	union {
		struct weir_xdp_ctx xdp;
		struct weir_skb_ctx skb;
	} ctx;
	/* Where the hash keeps its elements' values: learnt by filling and emptying it. */
	const uint8_t *elements[ELEMENTS];
	uint32_t element_count;
	char text[256];
};

static struct judge *running; /* whose run the helpers' guards belong to */
static char guard_text[128];

/* Remembers where the hash has the value of key now. */
static void learn(struct judge *j, uint32_t key)
{
	struct weir_map *map = j->t->maps[TRIO_INTERP][GEN_HASH];
	const uint8_t *at = map->ops->prog_lookup(map, &key, j->exec);
	uint32_t i = 0;

	while (i < j->element_count && j->elements[i] != at)
		i++;
	if (at && i == j->element_count && i < ELEMENTS)
		j->elements[j->element_count++] = at;
}

static bool in_map(const struct judge *j, uint32_t m, uint64_t addr, uint32_t bytes)
{
	const struct weir_map *map = j->t->maps[TRIO_INTERP][m];
	uint32_t size = map->def.value_size;
	uint64_t at;

	if (!map->values) {
		for (uint32_t i = 0; i < j->element_count; i++) {
			at = addr - (uintptr_t)j->elements[i];
			if (at < size && at + bytes <= size)
				return true;
		}
		return false;
	}
	at = addr - (uintptr_t)map->values;
	if (map->is_per_cpu)
		at -= (uint64_t)j->exec->slot * map->slot_bytes;
	return at / map->stride_bytes < map->def.max_entries &&
	       at % map->stride_bytes + bytes <= size;
}

static bool may_access(void *arg, uint64_t addr, uint32_t bytes, bool write)
{
	const struct judge *j = arg;
	const struct weir_pkt *pkt = &j->ctx.xdp.pkt;

	if (addr >= (uintptr_t)pkt->data_meta && addr + bytes <= (uintptr_t)pkt->data_end)
		return true;
	for (uint32_t m = 0; m < j->t->map_count; m++)
		if (in_map(j, m, addr, bytes))
			return true;
	return false;
}

static void learn_elements(struct judge *j)
{
	struct weir_map *map = j->t->maps[TRIO_INTERP][GEN_HASH];
	uint8_t value[64] = {};

	for (uint32_t round = 0; round < 64; round++) {
		for (uint32_t key = 0; key < map->def.max_entries; key++) {
			if (round % 2)
				map->ops->prog_update(map, &key, value, BPF_ANY, j->exec);
			else
				map->ops->ctl_update(map, &key, value, BPF_ANY, -1);
			learn(j, key);
			if ((round + key) % 3 == 0)
				map->ops->prog_delete(map, &key, j->exec);
		}
		for (uint32_t key = 0; key < map->def.max_entries; key++)
			map->ops->prog_delete(map, &key, j->exec);
	}
}

int judge_new(struct trio *t, struct judge **out)
{
	struct judge *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->t = t;
	j->exec = &t->exec[TRIO_INTERP];
	learn_elements(j);
	*out = j;
	return 0;
}

void judge_free(struct judge **judge)
{
	free(*judge);
	*judge = NULL;
}

/*
 * Helpers are given addresses, too. A guard asks before the helper does, by the helper's own rules,
 * which are written here once more: tests do not trust the table.
 */
static struct weir_interp_checked *checked;

static bool may(uint64_t addr, uint64_t bytes)
{
	if (!bytes)
		return true;
	for (uint32_t i = 0; i < weir_min(checked->stack_count, WEIR_CHECKED_MAX_STACKS); i++)
		if (addr >= checked->stacks[i].start &&
		    addr + bytes <= checked->stacks[i].start + checked->stacks[i].size_bytes)
			return true;
	return bytes <= UINT32_MAX && may_access(running, addr, (uint32_t)bytes, true);
}

struct guard {
	const char *name;
	weir_helper_fn fn;
	uint8_t kind;
};

enum guard_kind { GUARD_NONE, GUARD_KEY, GUARD_KEY_VALUE, GUARD_CSUM, GUARD_BYTES };

static const struct {
	const char *part; /* of the helper's name */
	enum guard_kind kind;
} guards[] = {
	{"map_lookup", GUARD_KEY}, {"map_delete", GUARD_KEY},   {"map_update", GUARD_KEY_VALUE},
	{"csum_diff", GUARD_CSUM}, {"load_bytes", GUARD_BYTES}, {"store_bytes", GUARD_BYTES},
};

#define MAX_GUARDS 8
static struct guard active[MAX_GUARDS];

static uint64_t guarded(const struct guard *g, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
			uint64_t r5, struct weir_exec *exec)
{
	const struct weir_map *map = (const void *)(uintptr_t)r1;
	bool ok = true;

	switch (g->kind) {
	case GUARD_KEY: ok = may(r2, map->def.key_size); break;
	case GUARD_KEY_VALUE:
		ok = may(r2, map->def.key_size) && may(r3, map->def.value_size);
		break;
	case GUARD_CSUM: ok = may(r1, (uint32_t)r2) && may(r3, (uint32_t)r4); break;
	case GUARD_BYTES: ok = may(r3, (uint32_t)r4); break;
	default: break;
	}
	if (ok)
		return g->fn(r1, r2, r3, r4, r5, exec);
	snprintf(guard_text, sizeof(guard_text), "helper %s(%llx, %llx, %llx, %llx)", g->name,
		 (unsigned long long)r1, (unsigned long long)r2, (unsigned long long)r3,
		 (unsigned long long)r4);
	return 0;
}

#define GUARD_FN(i)                                                                                \
	static uint64_t guard_##i(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, \
				  struct weir_exec *exec)                                          \
	{                                                                                          \
		return guarded(&active[i], r1, r2, r3, r4, r5, exec);                              \
	}
GUARD_FN(0)
GUARD_FN(1)
GUARD_FN(2)
GUARD_FN(3)
GUARD_FN(4)
GUARD_FN(5)
GUARD_FN(6)
GUARD_FN(7)

static const weir_helper_fn guard_fns[MAX_GUARDS] = {guard_0, guard_1, guard_2, guard_3,
						     guard_4, guard_5, guard_6, guard_7};

/* A copy of low's calls with guards before them. */
static void guard_calls(struct weir_low_call *calls, uint32_t count)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < count && used < MAX_GUARDS; i++)
		for (size_t k = 0; k < WEIR_ARRAY_LEN(guards); k++)
			if (calls[i].name && strstr(calls[i].name, guards[k].part)) {
				active[used] =
					(struct guard){calls[i].name, calls[i].fn, guards[k].kind};
				calls[i].fn = guard_fns[used++];
				break;
			}
}

static void fill(void *to, size_t bytes, struct gen_rng *rng)
{
	uint8_t *at = to;

	while (bytes) {
		uint64_t v = gen_edge(rng);
		size_t n = weir_min(bytes, sizeof(v));

		memcpy(at, &v, n);
		at += n;
		bytes -= n;
	}
}

static int take_key(const void *key, const void *value, void *arg)
{
	memcpy(arg, key, 4);
	return 1;
}

static void empty_hash(struct trio *t)
{
	uint32_t key;

	for (int e = 0; e < TRIO_ENGINES; e++) {
		struct weir_map *map = t->maps[e][GEN_HASH];

		while (!map->ops->ctl_next_key(map, NULL, &key))
			map->ops->ctl_delete(map, &key);
	}
	while (t->linux_too &&
	       kernel_oracle_map_walk(t->map_fds[GEN_HASH],
				      &(struct kernel_oracle_map_def){.type = BPF_MAP_TYPE_HASH,
								      .key_bytes = 4,
								      .value_bytes = 32},
				      take_key, &key))
		kernel_oracle_map_delete(t->map_fds[GEN_HASH], &key);
}

void judge_fill_maps(struct trio *t, struct gen_rng *rng)
{
	uint8_t value[64];

	empty_hash(t);
	for (uint32_t m = 0; m < GEN_MAPS; m++)
		for (uint32_t key = 0; key < gen_maps[m].max_entries; key++) {
			fill(value, gen_maps[m].value_size, rng);
			trio_map_set(t, m, &key, value, BPF_ANY);
		}
}

static void fill_own_maps(struct judge *j, struct gen_rng *rng)
{
	uint8_t value[64];

	for (uint32_t m = 0; m < GEN_MAPS; m++)
		for (uint32_t key = 0; key < gen_maps[m].max_entries; key++) {
			struct weir_map *map = j->t->maps[TRIO_INTERP][m];

			fill(value, gen_maps[m].value_size, rng);
			if (m == GEN_HASH && gen_pick(rng, 4) == 0)
				map->ops->prog_delete(map, &key, j->exec);
			else
				map->ops->prog_update(map, &key, value, BPF_ANY, j->exec);
			if (m == GEN_HASH)
				learn(j, key);
		}
}

static uint32_t packet_len(struct gen_rng *rng)
{
	return 14 + (gen_pick(rng, 2) ? gen_pick(rng, 70) : gen_pick(rng, 400));
}

static void make_packet(struct judge *j, uint32_t type, struct gen_rng *rng)
{
	struct weir_skb_ctx *skb = &j->ctx.skb;
	uint32_t len = packet_len(rng);
	struct weir_pkt pkt;

	fill(j->buf, BUF_BYTES, rng);
	memset(&pkt, 0, sizeof(pkt));
	weir_pkt_init_flat(&pkt, j->buf, BUF_BYTES, HEADROOM, len);
	fill(&j->ctx, sizeof(j->ctx), rng);
	j->ctx.xdp.pkt = pkt;
	if (type == BPF_PROG_TYPE_XDP)
		return;
	skb->mac_off = 0;
	skb->net_off = 14;
	if (type == BPF_PROG_TYPE_SOCKET_FILTER) {
		skb->pkt.data += 14;
		skb->pkt.data_meta = skb->pkt.data;
		skb->mac_off = -14;
		skb->net_off = 0;
	}
}

const char *judge_runs(struct judge *j, const struct weir_prog_low *low, uint64_t seed,
		       uint32_t runs)
{
	static struct weir_interp_checked check;
	struct weir_low_call *calls = calloc(low->call_count + 1, sizeof(*calls));
	struct weir_prog_low with = *low;
	struct gen_rng rng = {.state = seed ^ 0x5eedULL};
	const char *result = NULL;
	struct weir_mem_range ctx = {(uintptr_t)&j->ctx, sizeof(j->ctx), true};

	memcpy(calls, low->calls, low->call_count * sizeof(*calls));
	guard_calls(calls, low->call_count);
	with.calls = calls;
	running = j;
	checked = &check;
	for (uint32_t i = 0; i < runs && !result; i++) {
		memset(&check, 0, offsetof(struct weir_interp_checked, stacks));
		check.ranges = &ctx;
		check.range_count = 1;
		check.may_access = may_access;
		check.arg = j;
		check.insn_limit = INSN_LIMIT;
		guard_text[0] = 0;
		fill_own_maps(j, &rng);
		make_packet(j, low->type, &rng);
		j->t->rcu->ops->online(j->t->rcu, 0);
		weir_interp_run_checked(&j->ctx, j->exec, &with, &check);
		j->t->rcu->ops->offline(j->t->rcu, 0);
		if (check.fault == WEIR_CHECKED_OK && !guard_text[0])
			continue;
		snprintf(j->text, sizeof(j->text), "fault %u at low insn %u (insn %d), %u bytes %s",
			 check.fault, check.fault_idx,
			 check.fault_idx < low->insn_count ? (int)low->ok_idx[check.fault_idx] : -1,
			 check.fault_bytes, guard_text);
		result = j->text;
	}
	free(calls);
	return result;
}
