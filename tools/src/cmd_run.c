/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weirctl run: replays a capture through a program, without a daemon. Deterministic: the clock is
 * the capture's, relative to its first packet; random numbers and hash seeds are fixed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "map_text.h"
#include "replay.h"
#include "weir/base/bits.h"

#define VERDICT_KINDS 16

const struct cli_option run_options[] = {
	{"program", 'p', "NAME", "the program to run, where the object has several"},
	{"section", 0, "SEC", "the program's section"},
	{"read", 'r', "IN.pcap", "the capture to replay (pcap or pcapng)"},
	{"write", 'w', "OUT.pcap", "write the packets that go on, as the program left them"},
	{"interp", 0, NULL, "interpret instead of compiling"},
	{"map-dump", 0, NULL, "show the maps at the end"},
	{"quiet", 'q', NULL, "only the sums, not a line a packet"},
	{0},
};

struct run {
	struct cli *cli;
	struct offline *o;
	struct capture in;
	struct replay replay;
	struct capture_out out;
	struct {
		const char *name;
		uint64_t count;
	} sums[VERDICT_KINDS];
	uint64_t packets, packets_out, bytes_in, bytes_out;
	json_t *rows;
};

static void count_verdict(struct run *run, const char *name)
{
	for (int i = 0; i < VERDICT_KINDS; i++) {
		if (run->sums[i].name && strcmp(run->sums[i].name, name))
			continue;
		run->sums[i].name = name;
		run->sums[i].count++;
		return;
	}
}

static void write_packet(struct run *run, const struct frame *frame)
{
	run->packets_out++;
	run->bytes_out += run->replay.out_len;
	if (run->out.dumper)
		capture_out_write(&run->out, frame->abs_ns, run->replay.out, run->replay.out_len);
}

/* One line a packet: number, verdict, length as it came, and what else is worth saying. */
static void report_packet(struct run *run, const struct frame *frame, const char *name)
{
	const struct replay *r = &run->replay;
	bool changed = r->out_len != frame->len || memcmp(r->out, frame->bytes, frame->len);
	json_t *row;

	if (run->rows) {
		row = json_pack("{s:I, s:s, s:I, s:i, s:i}", "packet", (json_int_t)run->packets,
				"verdict", name, "code", (json_int_t)r->verdict, "length",
				(int)frame->len, "out_length", (int)r->out_len);
		if (changed)
			json_object_set_new(row, "changed", json_true());
		if (r->abort_cause == WEIR_ABORT_BUDGET)
			json_object_set_new(row, "cause", json_string("budget"));
		if (r->redirect.target_ifindex)
			json_object_set_new(row, "ifindex",
					    json_integer(r->redirect.target_ifindex));
		json_array_append_new(run->rows, row);
		return;
	}
	printf("%" PRIu64 " %s %u", run->packets, name, frame->len);
	if (r->out_len != frame->len)
		printf(" out=%u", r->out_len);
	else if (changed)
		printf(" changed");
	if (r->redirect.target_ifindex)
		printf(" ifindex=%u", r->redirect.target_ifindex);
	if (r->abort_cause == WEIR_ABORT_BUDGET)
		printf(" cause=budget");
	putchar('\n');
}

/* Opening the output empties it: it must not be the input. */
static int open_output(struct run *run, const char *in, const char *out, struct weir_diag *diag)
{
	struct stat a, b;

	if (!stat(in, &a) && !stat(out, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino &&
	    S_ISREG(a.st_mode))
		return weir_fail(diag, -EINVAL,
				 "%s: it is the capture that is read, expected another file", out);
	return capture_out_open(out, diag, &run->out);
}

static int replay_all(struct run *run, struct weir_diag *diag)
{
	bool lines = !cli_flag(run->cli, "quiet");
	struct frame frame;
	int more;

	while ((more = capture_next(&run->in, diag, &frame)) == 1) {
		struct replay *r = &run->replay;
		const char *name;
		int err = replay_run(r, &frame, 0);

		if (err)
			return weir_fail(diag, err, "packet %" PRIu64 ": %s", run->packets + 1,
					 strerror(-err));
		run->packets++;
		run->bytes_in += frame.len;
		name = verdict_name(r->type, r->verdict, r->abort_cause);
		count_verdict(run, name);
		if (verdict_keeps(r->type, r->verdict, r->abort_cause))
			write_packet(run, &frame);
		if (lines)
			report_packet(run, &frame, name);
	}
	if (more < 0)
		return more;
	return run->out.dumper ? capture_out_finish(&run->out, diag) : 0;
}

static struct map_shape shape_of(const struct run *run, uint32_t m)
{
	const struct weir_map *map = run->o->maps[m];

	return (struct map_shape){
		.btf = run->o->plan->btf,
		.key_type = map->def.btf_key_type_id,
		.value_type = map->def.btf_value_type_id,
		.key_size = map->def.key_size,
		.value_size = map->def.value_size,
		.slots = map->is_per_cpu ? map->slots : 0,
		.index_key = map_type_has_index(map->def.type),
		.id_value = map_type_has_ids(map->def.type),
	};
}

static int dump_map(struct run *run, uint32_t m, json_t *out)
{
	struct weir_map *map = run->o->maps[m];
	struct map_shape shape = shape_of(run, m);
	uint8_t *key = malloc(map->def.key_size + 1), *next = malloc(map->def.key_size + 1);
	uint8_t *value = malloc(weir_map_value_bytes(map) + 8), *at = NULL;
	json_t *elems = json_array();
	int err = key && next && value ? 0 : -ENOMEM;

	if (!out)
		printf("map %s %s\n", run->o->plan->maps[m].name, map->ops->name);
	while (!err && !map->ops->ctl_next_key(map, at, next)) {
		memcpy(key, next, map->def.key_size);
		at = key;
		if (map->ops->ctl_lookup(map, key, value, 0, -1))
			continue; /* an empty slot of an object-valued map */
		if (out)
			json_array_append_new(elems, map_elem_json(&shape, key, value));
		else
			map_elem_print(&shape, key, value);
	}
	if (out)
		json_array_append_new(out, json_pack("{s:s, s:s, s:O}", "name",
						     run->o->plan->maps[m].name, "type",
						     map->ops->name, "elements", elems));
	json_decref(elems);
	free(key);
	free(next);
	free(value);
	return err;
}

static int report(struct run *run)
{
	json_t *sums = json_object(), *maps = NULL, *doc;
	int err = 0;

	for (int i = 0; i < VERDICT_KINDS && run->sums[i].name; i++)
		json_object_set_new(sums, run->sums[i].name,
				    json_integer((json_int_t)run->sums[i].count));
	if (cli_flag(run->cli, "map-dump") && run->cli->json)
		maps = json_array();
	if (!run->cli->json) {
		printf("%" PRIu64 " packets in, %" PRIu64 " out;", run->packets, run->packets_out);
		for (int i = 0; i < VERDICT_KINDS && run->sums[i].name; i++)
			printf(" %s %" PRIu64, run->sums[i].name, run->sums[i].count);
		putchar('\n');
	}
	for (uint32_t m = 0; cli_flag(run->cli, "map-dump") && !err && m < run->o->plan->map_count;
	     m++)
		err = dump_map(run, m, maps);
	if (run->cli->json) {
		doc = json_pack("{s:I, s:I, s:I, s:I, s:O}", "packets", (json_int_t)run->packets,
				"packets_out", (json_int_t)run->packets_out, "bytes",
				(json_int_t)run->bytes_in, "bytes_out", (json_int_t)run->bytes_out,
				"verdicts", sums);
		if (run->rows)
			json_object_set(doc, "results", run->rows);
		if (maps)
			json_object_set(doc, "maps", maps);
		cli_print_json(doc);
	}
	json_decref(sums);
	json_decref(maps);
	return err;
}

int load_for_replay(struct cli *cli, const struct offline_opts *opts, struct offline **o,
		    uint32_t *prog)
{
	WEIR_DIAG_ON_STACK(diag, 2048);
	int found;

	if (offline_open(cli->subject[0], opts, &diag, o))
		return cli_fail("%s", diag.buf);
	found = offline_find(*o, cli_option(cli, "program"), cli_option(cli, "section"), &diag);
	if (found < 0)
		return cli_fail("%s: %s", cli->subject[0], diag.buf);
	*prog = (uint32_t)found;
	if (offline_load(*o, *prog, &diag)) {
		for (uint32_t i = 0; i < (*o)->plan->prog_count; i++)
			if ((*o)->progs[i].err && (*o)->progs[i].log)
				fputs((*o)->progs[i].log, stderr);
		return cli_fail("%s: %s", cli->subject[0], diag.buf);
	}
	return CLI_OK;
}

static void run_free(struct run *run)
{
	capture_close(&run->in);
	capture_out_close(&run->out);
	replay_free(&run->replay);
	json_decref(run->rows);
	offline_free(&run->o);
}

int cmd_run(struct cli *cli)
{
	struct offline_opts opts = {.interp = cli_flag(cli, "interp"), .log_level = 1};
	const char *in = cli_option(cli, "read"), *out = cli_option(cli, "write");
	struct run run = {.cli = cli};
	WEIR_DIAG_ON_STACK(diag, 1024);
	uint32_t prog;
	int err;

	if (!in)
		return cli_usage("run: expected a capture: -r IN.pcap");
	if (out && !strcmp(out, "-"))
		return cli_usage("--write -: expected a file; standard output is for the report");
	err = load_for_replay(cli, &opts, &run.o, &prog);
	if (!err && cli->json && !cli_flag(cli, "quiet"))
		run.rows = json_array();
	if (!err &&
	    (capture_open(in, &diag, &run.in) || (out && open_output(&run, in, out, &diag)) ||
	     replay_init(&run.replay, run.o, prog) || replay_all(&run, &diag)))
		err = cli_fail("%s", diag.buf);
	if (!err && report(&run))
		err = cli_fail("%s", strerror(ENOMEM));
	run_free(&run);
	return err;
}
