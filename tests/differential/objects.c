/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Objects made by clang over real packets: every sample and small program (cpu v2, v3, v4) and the
 * xdp-filter family, over every packet of every capture, once with maps as created and once with
 * contents that matter. Interpreted = compiled = Linux in error, verdict, packet and maps.
 * usage: differential_objects PROGS_DIR SYSTEM_OBJECTS_DIR CAPTURES_DIR
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packets.h"
#include "trio.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/vm/object.h"

#define MAX_CAPTURES  64
#define PER_PACKET    32   /* maps of up to so many entries are compared after each packet */
#define PER_CAPTURE   1024 /* … after each capture; larger ones at the end */
#define FIRST_SECONDS 1000000000ULL

struct capture {
	char name[64];
	struct packets packets;
};

static struct capture captures[MAX_CAPTURES];
static uint32_t capture_count;
static struct weir_codemem *codemem;
static bool linux_usable;
static uint32_t cases, failures;
static uint64_t pairs, compared_with_linux;

/* Why a packet of an object was not compared, or not with all. */
static struct {
	const char *why;
	uint64_t count;
} skips[] = {
	{"Linux's TEST_RUN takes no such packet (errors agree)", 0},
	{"time or chance: engines only, with a given clock and seed", 0},
	{"bpf(2) is not usable here: engines only", 0},
};
enum { SKIP_REFUSED, SKIP_TIME, SKIP_NO_LINUX };

static void report(bool ok, const char *object, const char *what, const char *text)
{
	printf("%s %u - %s %s%s%s\n", ok ? "ok" : "not ok", ++cases, object, what,
	       text && *text ? ": " : "", text ? text : "");
	failures += !ok;
}

/* Contents that make programs take their interesting ways, by map name and key size. */
struct seed {
	const char *map;
	uint8_t key[16];
	uint32_t key_bytes;
	uint8_t value[24];
	uint32_t value_bytes;
};

#define SRC_DST 3 /* xdp-filter's flags: source 1, destination 2, TCP 4, UDP 8 */

static const struct seed seeds[] = {
	/* port_blocklist: dropped, sent back, no verdict at all */
	{"blocked", {80, 0}, 2, {XDP_DROP}, 4},
	{"blocked", {53, 0}, 2, {XDP_TX}, 4},
	{"blocked", {0x42, 0x9c}, 2, {9}, 4},
	/* ipip_encap: 192.0.2.2 is a virtual address */
	{"vips", {192, 0, 2, 2}, 4, {10, 0, 0, 1, 10, 0, 0, 2, 2, 0, 0, 0, 0, 0x77}, 16},
	/* redirect_map: the last byte of the server's address mod 8; lo is always there */
	{"ports", {2}, 4, {1}, 4},
	{"ports", {0}, 4, {1}, 4},
	/* xdp-filter: port 80 as destination of TCP, 53 as source of UDP; network order */
	{"filter_ports", {0, 80}, 4, {2 | 4}, 8},
	{"filter_ports", {0, 53}, 4, {1 | 8}, 8},
	{"filter_ipv4", {192, 0, 2, 1}, 4, {1}, 8},
	{"filter_ipv6", {0x20, 0x01, 0x0d, 0xb8, [15] = 2}, 16, {2}, 8},
	{"filter_ethernet", {2, 0, 0, 0, 0, 0x0b}, 6, {SRC_DST}, 8},
};

static int set_seeds(struct trio *t, const struct weir_plan *plan, uint32_t *used)
{
	int err = 0;

	*used = 0;
	for (size_t i = 0; i < WEIR_ARRAY_LEN(seeds) && !err; i++)
		for (uint32_t m = 0; m < plan->map_count && !err; m++)
			if (!strcmp(plan->maps[m].name, seeds[i].map) &&
			    plan->maps[m].def.key_size == seeds[i].key_bytes &&
			    plan->maps[m].def.value_size == seeds[i].value_bytes) {
				err = trio_map_set(t, m, seeds[i].key, seeds[i].value, BPF_ANY);
				++*used;
			}
	return err;
}

static int make_maps(struct trio *t, const struct weir_plan *plan)
{
	uint32_t zero = 0;
	int err = 0;

	for (uint32_t m = 0; m < plan->map_count && err >= 0; m++) {
		const struct weir_plan_map *pm = &plan->maps[m];

		err = trio_map_add(t, &pm->def);
		if (err >= 0 && pm->data)
			err = trio_map_set(t, m, &zero, pm->data, BPF_ANY);
		if (err >= 0 && pm->freeze)
			err = trio_map_freeze(t, m);
	}
	return weir_min(err, 0);
}

static bool depends_on_time(const struct weir_prog_raw *raw)
{
	static const int32_t ids[] = {
		BPF_FUNC_ktime_get_ns, BPF_FUNC_ktime_get_boot_ns,   BPF_FUNC_get_prandom_u32,
		BPF_FUNC_jiffies64,    BPF_FUNC_ktime_get_coarse_ns, BPF_FUNC_get_smp_processor_id,
	};

	for (uint32_t i = 0; i < raw->insn_count; i++)
		for (size_t k = 0; k < WEIR_ARRAY_LEN(ids); k++)
			if (raw->insns[i].code == (BPF_JMP | BPF_CALL) && !raw->insns[i].src_reg &&
			    raw->insns[i].imm == ids[k])
				return true;
	return false;
}

/* Compares the maps that have at least `from` and less than `below` entries. */
static bool maps_same(struct trio *t, uint32_t from, uint32_t below, bool with_linux)
{
	bool linux_too = t->linux_too, same = true;

	t->linux_too = with_linux;
	for (uint32_t m = 0; m < t->map_count && same; m++)
		if (t->defs[m].max_entries >= from && t->defs[m].max_entries < below)
			same = trio_map_same(t, m);
	t->linux_too = linux_too;
	return same;
}

static bool run_capture(struct trio *t, uint32_t prog, const struct weir_prog_raw *raw,
			const struct capture *c, bool timed)
{
	bool with_linux = t->linux_too && !timed;
	char why[sizeof(t->why)];
	int err;

	for (uint32_t i = 0; i < c->packets.count; i++) {
		const struct packet *p = &c->packets.v[i];
		struct trio_run run = {
			.prog_type = raw->type,
			.attach_type = raw->expected_attach_type,
			.data = p->bytes,
			.data_bytes = p->len,
			.now_ns = timed ? FIRST_SECONDS + p->ns : 0,
			.seed = timed && !i ? 0x9e3779b97f4a7c15ULL : 0,
			.without_linux = timed,
		};

		err = trio_run(t, prog, &run, NULL);
		pairs++;
		if (err < 0)
			skips[SKIP_REFUSED].count++;
		else if (timed)
			skips[SKIP_TIME].count++;
		else if (!t->linux_too)
			skips[SKIP_NO_LINUX].count++;
		else
			compared_with_linux++;
		if (err > 0 || !maps_same(t, 0, PER_PACKET + 1, with_linux)) {
			snprintf(why, sizeof(why), "%s", t->why);
			snprintf(t->why, sizeof(t->why), "packet %u (%u bytes): %.900s", i + 1,
				 p->len, why);
			return false;
		}
	}
	return maps_same(t, PER_PACKET + 1, PER_CAPTURE + 1, with_linux);
}

static void run_prog(struct trio *t, const char *object, const struct weir_plan *plan, uint32_t i,
		     uint32_t prog, bool seeded, bool timed)
{
	const struct weir_prog_raw *raw = &plan->progs[i].raw;
	char what[256];

	for (uint32_t c = 0; c < capture_count; c++) {
		bool same = run_capture(t, prog, raw, &captures[c], timed);

		snprintf(what, sizeof(what), "%.60s %.64s%s", plan->progs[i].name, captures[c].name,
			 seeded ? " (maps filled)" : "");
		report(same, object, what, same ? NULL : t->why);
	}
	if (!maps_same(t, PER_CAPTURE + 1, UINT32_MAX, t->linux_too && !timed))
		report(false, object, "large maps", t->why);
}

/* Whatever the plan's programs are called by must be loaded: all of them, then the slots. */
static bool load_progs(struct trio *t, const char *object, const struct weir_plan *plan, int *index)
{
	struct weir_reject reject;
	int weir_err, linux_err, added = 0;
	char text[512];

	for (uint32_t i = 0; i < plan->prog_count; i++) {
		index[i] =
			trio_prog_add(t, &plan->progs[i].raw, &weir_err, &linux_err, &reject, NULL);
		if (index[i] >= 0) {
			added++;
			continue;
		}
		if (weir_err && (linux_err || !t->linux_too) &&
		    !strncmp(object, "broken.", strlen("broken."))) {
			report(true, object, "is refused", reject.message);
			continue;
		}
		snprintf(text, sizeof(text), "%.60s: weir %d (%.200s), Linux %d; %.200s",
			 plan->progs[i].name, weir_err, weir_err ? reject.message : "", linux_err,
			 t->why);
		report(false, object, "loading", text);
	}
	for (uint32_t m = 0; m < plan->map_count; m++)
		for (uint32_t s = 0; s < plan->maps[m].slot_count; s++) {
			const struct weir_plan_slot *slot = &plan->maps[m].slots[s];

			if (index[slot->index] >= 0 &&
			    trio_slot_set(t, m, slot->key, (uint32_t)index[slot->index])) {
				report(false, object, "slots", t->why);
				return false;
			}
		}
	return added > 0;
}

static void run_object(const char *dir, const char *object)
{
	char path[4096];
	WEIR_DIAG_ON_STACK(diag, 500);
	struct weir_plan *plan = NULL;
	int index[TRIO_PROGS];
	bool timed = false;

	snprintf(path, sizeof(path), "%s/%s", dir, object);
	if (weir_object_load_file(path, NULL, &diag, &plan)) {
		report(false, object, "reading", diag.buf);
		return;
	}
	for (uint32_t i = 0; i < plan->prog_count; i++)
		timed |= depends_on_time(&plan->progs[i].raw);
	for (int seeded = 0; seeded < 2; seeded++) {
		struct trio *t = NULL;
		uint32_t used = 1;

		if (trio_new(codemem, linux_usable, &t))
			break;
		if (plan->prog_count > TRIO_PROGS || make_maps(t, plan) ||
		    (seeded && set_seeds(t, plan, &used))) {
			report(false, object, "maps", t->why);
		} else if (used && load_progs(t, object, plan, index)) {
			for (uint32_t i = 0; i < plan->prog_count; i++)
				if (index[i] >= 0)
					run_prog(t, object, plan, i, (uint32_t)index[i], seeded,
						 timed);
		}
		trio_free(&t);
	}
	weir_plan_free(&plan);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_captures(const char *dir, const char *prefix)
{
	struct dirent **names;
	int count = scandir(dir, &names, NULL, by_name);
	char path[4096];

	for (int i = 0; i < count; i++) {
		struct capture *c = &captures[capture_count];
		const char *dot = strrchr(names[i]->d_name, '.');

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (dot && !strcmp(dot, ".pcap") && capture_count < MAX_CAPTURES &&
		    !packets_read(path, &c->packets)) {
			snprintf(c->name, sizeof(c->name), "%s%.40s", prefix, names[i]->d_name);
			capture_count++;
		}
		free(names[i]);
	}
	if (count >= 0)
		free(names);
}

/* Programs that run for minutes or hours by design: tests of the run budget only. */
static bool runs_too_long(const char *object)
{
	return !strncmp(object, "endless.", 8) || !strncmp(object, "slow_calls.", 11);
}

static uint32_t run_folder(const char *dir, const char *prefix)
{
	struct dirent **names;
	int count = scandir(dir, &names, NULL, by_name);
	uint32_t found = 0;

	for (int i = 0; i < count; i++) {
		const char *dot = strrchr(names[i]->d_name, '.');

		if (dot && !strcmp(dot, ".o") &&
		    !strncmp(names[i]->d_name, prefix, strlen(prefix))) {
			found++;
			if (runs_too_long(names[i]->d_name))
				printf("ok %u - %s # SKIP made to run for minutes\n", ++cases,
				       names[i]->d_name);
			else
				run_object(dir, names[i]->d_name);
		}
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	return found;
}

int main(int argc, char **argv)
{
	const char *reason = NULL;
	char malformed[4096];

	if (argc != 4) {
		fprintf(stderr, "usage: %s PROGS_DIR SYSTEM_OBJECTS_DIR CAPTURES_DIR\n", argv[0]);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	trio_setup_thread();
	linux_usable = kernel_oracle_usable(&reason);
	if (!linux_usable)
		printf("# without Linux: %s\n", reason);
	if (weir_codemem_new(0, NULL, &codemem))
		return 1;
	snprintf(malformed, sizeof(malformed), "%s/malformed", argv[3]);
	read_captures(argv[3], "");
	read_captures(malformed, "malformed/");
	if (!run_folder(argv[1], ""))
		report(false, argv[1], "holds no objects", NULL);
	if (!run_folder(argv[2], "xdpfilt_"))
		printf("ok %u - xdp-filter family # SKIP no xdpfilt_*.o in %s\n", ++cases, argv[2]);
	printf("1..%u\n", cases);
	printf("# %llu pairs of program and packet, %llu compared with Linux\n",
	       (unsigned long long)pairs, (unsigned long long)compared_with_linux);
	for (size_t i = 0; i < WEIR_ARRAY_LEN(skips); i++)
		printf("# %llu: %s\n", (unsigned long long)skips[i].count, skips[i].why);
	weir_codemem_free(&codemem);
	for (uint32_t i = 0; i < capture_count; i++)
		packets_clear(&captures[i].packets);
	return failures != 0;
}
