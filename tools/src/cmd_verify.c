/* SPDX-License-Identifier: BSD-3-Clause */
/* weirctl verify: what the verifier says of an object's programs, without a daemon. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "offline.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/vm/interp.h"
#include "weir/vm/rewrite.h"

const struct cli_option verify_options[] = {
	{"program", 'p', "NAME", "only this program"},
	{"section", 0, "SEC", "only the programs of this section"},
	{"type", 0, "TYPE", "verify as this type: xdp, sched_cls, sched_act, socket_filter"},
	{"role", 0, "ROLE", "as a loader with these rights: admin (default), load, unprivileged"},
	{"log-level", 0, "N",
	 "Linux's: 1 the failing path (default), 2 every instruction, 4 numbers"},
	{"timing", 0, NULL, "also say how long verifying and compiling took"},
	{0},
};

static int parse_role(const char *name, enum weir_role *role)
{
	static const char *const names[] = {"admin", "load", "unprivileged"};

	for (size_t i = 0; name && i < WEIR_ARRAY_LEN(names); i++)
		if (!strcmp(names[i], name)) {
			*role = (enum weir_role)i;
			return 0;
		}
	return name ? cli_usage("--role %s: expected admin, load or unprivileged", name) : 0;
}

struct request {
	struct cli *cli;
	struct offline *o;
	const char *program, *section;
	uint32_t type;
	bool timing;
	json_t *out;
	uint32_t done, rejected;
};

static const char *reason_of(const struct offline_prog *p)
{
	return p->reject.reason_id ? p->reject.reason_id : strerror(-p->err);
}

static void print_text(const struct request *r, uint32_t i)
{
	const struct weir_plan_prog *pp = &r->o->plan->progs[i];
	const struct offline_prog *p = &r->o->progs[i];

	printf("%s %s %s insns=%u processed=%u", pp->name,
	       prog_type_name(r->type ? r->type : pp->raw.type), p->err ? "reject" : "accept",
	       pp->raw.insn_count, p->stats.processed_insns);
	if (r->timing) {
		printf(" us=%.1f", (double)p->stats.time_ns / 1000);
		if (p->jit_ns)
			printf(" jit_us=%.1f", (double)p->jit_ns / 1000);
	}
	printf("%s%s\n", p->err ? " " : "", p->err ? reason_of(p) : "");
	fflush(stdout);
	if (p->log && *p->log && (p->err || r->o->opts.log_level > 1))
		fprintf(stderr, "%s%s", p->log, p->log[strlen(p->log) - 1] == '\n' ? "" : "\n");
	else if (p->err)
		fprintf(stderr, "%s: %s\n", pp->name,
			*p->reject.message ? p->reject.message : strerror(-p->err));
}

static void add_json(const struct request *r, uint32_t i)
{
	const struct weir_plan_prog *pp = &r->o->plan->progs[i];
	const struct offline_prog *p = &r->o->progs[i];
	json_t *row = json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:f}", "program", pp->name,
		"section", pp->section, "type", prog_type_name(r->type ? r->type : pp->raw.type),
		"result", p->err ? "reject" : "accept", "insns", (int)pp->raw.insn_count,
		"processed", (int)p->stats.processed_insns, "total_states",
		(int)p->stats.total_states, "peak_states", (int)p->stats.peak_states, "stack_bytes",
		(int)p->stats.stack_bytes, "us", (double)p->stats.time_ns / 1000);

	if (p->jit_ns)
		json_object_set_new(row, "jit_us", json_real((double)p->jit_ns / 1000));
	if (p->err) {
		json_object_set_new(row, "reason", json_string(reason_of(p)));
		json_object_set_new(row, "message", json_string(p->reject.message));
		if (p->reject.insn_idx != UINT32_MAX)
			json_object_set_new(row, "insn", json_integer(p->reject.insn_idx));
	}
	if (p->log)
		json_object_set_new(row, "log", json_string(p->log));
	json_array_append_new(r->out, row);
}

/* Compiles what was verified, to time it; the maps must exist for that. */
static int time_jit(struct request *r, uint32_t i, struct weir_diag *diag)
{
	struct weir_verify_stats stats = r->o->progs[i].stats;
	int err = offline_load(r->o, i, diag);

	if (!err)
		r->o->progs[i].stats = stats;
	return err;
}

static int verify_one(struct request *r, uint32_t i)
{
	const struct weir_plan_prog *pp = &r->o->plan->progs[i];

	if ((r->program && strcmp(r->program, pp->name)) ||
	    (r->section && strcmp(r->section, pp->section)))
		return 0;
	r->done++;
	if (offline_verify(r->o, i, r->type))
		r->rejected++;
	else if (r->timing && !r->type && r->o->plan->prog_count == 1) {
		WEIR_DIAG_ON_STACK(diag, 512);

		if (time_jit(r, i, &diag))
			return cli_fail("%s: compiling: %s", pp->name, diag.buf);
	}
	if (r->cli->json)
		add_json(r, i);
	else
		print_text(r, i);
	return 0;
}

int cmd_verify(struct cli *cli)
{
	struct request r = {
		.cli = cli,
		.program = cli_option(cli, "program"),
		.section = cli_option(cli, "section"),
		.timing = cli_flag(cli, "timing"),
	};
	struct offline_opts opts = {0};
	WEIR_DIAG_ON_STACK(diag, 2048);
	const char *type = cli_option(cli, "type");
	uint64_t level;
	int err;

	err = cli_number(cli, "log-level", 0, 7, 1, &level);
	if (!err)
		err = parse_role(cli_option(cli, "role"), &opts.role);
	if (err)
		return err;
	r.type = type ? prog_type_parse(type) : 0;
	if (type && !r.type)
		return cli_usage("--type %s: expected xdp, sched_cls, sched_act or socket_filter",
				 type);
	opts.log_level = (uint32_t)level;
	if (offline_open(cli->subject[0], &opts, &diag, &r.o))
		return cli_fail("%s", diag.buf);
	r.out = json_array();
	for (uint32_t i = 0; !err && i < r.o->plan->prog_count; i++)
		err = verify_one(&r, i);
	if (!err && !r.done) {
		offline_find(r.o, r.program, r.section, &diag);
		err = cli_fail("%s: %s", cli->subject[0], diag.buf);
	}
	if (cli->json && !err)
		cli_print_json(json_incref(r.out));
	json_decref(r.out);
	offline_free(&r.o);
	return err ? err : r.rejected ? CLI_FAILED : CLI_OK;
}
