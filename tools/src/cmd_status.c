/* SPDX-License-Identifier: BSD-3-Clause */
/* weirctl status, port show|stats|drops, trace. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "online.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"

#define TRACE_POLL_MS 100

const struct cli_option trace_options[] = {
	{"lines", 'n', "N", "stop after N lines"},
	{"no-follow", 0, NULL, "print what there is and stop"},
	{0},
};

static json_t *status_json(const struct weir_status_rec *s, const struct weir_worker_rec *workers,
			   uint32_t count)
{
	json_t *list = json_array();
	json_t *doc =
		json_pack("{s:s, s:s, s:i, s:b, s:b, s:b, s:b, s:s, s:i, s:i, s:i, s:i, s:i, s:i, "
			  "s:i, s:I, s:I}",
			  "version", s->version, "dpdk", s->dpdk_version, "pid", (int)s->pid, "eal",
			  s->eal_running, "hugepages", s->hugepages, "degraded", s->degraded, "jit",
			  s->jit, "reasons", s->reasons, "ports", (int)s->ports, "workers",
			  (int)s->workers, "slots", (int)s->slots, "progs", (int)s->progs, "maps",
			  (int)s->maps, "links", (int)s->links, "pins", (int)s->pins, "map_bytes",
			  (json_int_t)s->map_bytes, "started_ns", (json_int_t)s->started_ns);

	json_object_set_new(doc, "mbufs",
			    json_pack("{s:I, s:I, s:I}", "total", (json_int_t)s->mbufs_total,
				      "free", (json_int_t)s->mbufs_free, "in_use",
				      (json_int_t)s->mbufs_in_use));
	json_object_set_new(doc, "denied", json_integer((json_int_t)s->denied));
	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(
			list, json_pack("{s:i, s:i, s:o, s:I, s:I, s:I, s:I}", "worker",
					(int)workers[i].index, "slot", (int)workers[i].slot, "cpu",
					workers[i].cpu == UINT32_MAX ? json_null()
								     : json_integer(workers[i].cpu),
					"loops", (json_int_t)workers[i].loops, "packets",
					(json_int_t)workers[i].packets, "bursts",
					(json_int_t)workers[i].bursts, "idle_sleeps",
					(json_int_t)workers[i].idle_sleeps));
	json_object_set_new(doc, "worker_list", list);
	return doc;
}

static void status_print(const struct weir_status_rec *s, const struct weir_worker_rec *workers,
			 uint32_t count)
{
	char since[32], *save = NULL, reasons[sizeof(s->reasons)];

	online_time_print(s->started_ns, since, sizeof(since));
	printf("weird %s, process %u, since %s: %s\n", s->version, s->pid, since,
	       s->degraded ? "degraded" : "running");
	snprintf(reasons, sizeof(reasons), "%s", s->reasons);
	for (char *r = strtok_r(reasons, "\n", &save); r; r = strtok_r(NULL, "\n", &save))
		printf("  ! %s\n", r);
	if (s->eal_running)
		printf("data path   %s, %u port%s, %u worker%s, %s\n", s->dpdk_version, s->ports,
		       s->ports == 1 ? "" : "s", s->workers, s->workers == 1 ? "" : "s",
		       s->hugepages ? "hugepages"
				    : "no hugepages (packets cost 1.9 to 2.5 times as much)");
	else
		printf("data path   none: no ports are configured\n");
	printf("programs    %u, %s\n", s->progs, s->jit ? "compiled" : "interpreted");
	printf("maps        %u, %" PRIu64 " bytes\n", s->maps, s->map_bytes);
	printf("links, pins %u, %u; %u connections\n", s->links, s->pins, s->connections);
	if (s->eal_running)
		printf("mbufs       %" PRIu64 " of %" PRIu64 " free\n", s->mbufs_free,
		       s->mbufs_total);
	for (uint32_t i = 0; i < count; i++) {
		char cpu[16] = "any CPU";

		if (workers[i].cpu != UINT32_MAX)
			snprintf(cpu, sizeof(cpu), "CPU %u", workers[i].cpu);
		printf("worker %-4u %s: %" PRIu64 " packets in %" PRIu64 " bursts, %" PRIu64
		       " sleeps\n",
		       workers[i].index, cpu, workers[i].packets, workers[i].bursts,
		       workers[i].idle_sleeps);
	}
}

int cmd_status(struct cli *cli)
{
	weir_autofree struct weir_worker_rec *workers = NULL;
	WEIR_DIAG_ON_STACK(diag, 1024);
	struct weir_status_rec status;
	uint32_t count = 0;

	if (online_connect(cli))
		return CLI_FAILED;
	if (weir_client_status(&status, &diag) || weir_client_workers(&workers, &count, &diag))
		return cli_fail("%s", diag.buf);
	if (cli->json)
		cli_print_json(status_json(&status, workers, count));
	else
		status_print(&status, workers, count);
	return CLI_OK;
}

int cmd_port_show(struct cli *cli)
{
	weir_autofree struct weir_port_rec *ports = NULL;
	WEIR_DIAG_ON_STACK(diag, 1024);
	json_t *list;
	uint32_t count;

	if (online_connect(cli))
		return CLI_FAILED;
	if (weir_client_ports(cli->subject_count ? cli->subject[0] : NULL, &ports, &count, &diag))
		return cli_fail("%s", diag.buf);
	list = json_array();
	if (!cli->json)
		printf("%-12s %-10s %-7s %-17s %3s %3s %6s  %s\n", "PORT", "IFINDEX", "STATE",
		       "MAC", "RXQ", "TXQ", "MTU", "DEVICE");
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_port_rec *p = &ports[i];

		if (cli->json)
			json_array_append_new(
				list,
				json_pack("{s:s, s:I, s:s, s:s, s:i, s:i, s:i, s:s, s:b}", "name",
					  p->name, "ifindex", (json_int_t)p->ifindex, "state",
					  p->state, "mac", p->mac, "rx_queues", (int)p->rx_queues,
					  "tx_queues", (int)p->tx_queues, "mtu", (int)p->mtu,
					  "device", p->device, "required", p->required));
		else
			printf("%-12s %-10u %-7s %-17s %3u %3u %6u  %s\n", p->name, p->ifindex,
			       p->state, p->mac, p->rx_queues, p->tx_queues, p->mtu, p->device);
	}
	if (cli->json)
		cli_print_json(json_incref(list));
	json_decref(list);
	return CLI_OK;
}

/* The ledger's fields by name, in the order of its equations. */
static const struct {
	const char *name;
	size_t off;
	const char *group;
} ledger_fields[] = {
#define FIELD(name, group)                                               \
	{                                                                \
#name, offsetof(struct weir_port_stats_rec, name), group \
	}
	FIELD(rx, "in"),
	FIELD(rx_bytes, ""),
	FIELD(injected, "in"),
	FIELD(cloned, "in"),
	FIELD(drop, "judged"),
	FIELD(aborted, "judged"),
	FIELD(pass, "judged"),
	FIELD(tx, "judged"),
	FIELD(redirect, "judged"),
	FIELD(in_flight, "judged"),
	FIELD(own_tx, "out"),
	FIELD(redirected_in, "out"),
	FIELD(from_kernel, "out"),
	FIELD(passed_in, "out"),
	FIELD(sent, "gone"),
	FIELD(sent_bytes, ""),
	FIELD(tx_full, "gone"),
	FIELD(tx_error, "gone"),
	FIELD(out_in_flight, "gone"),
	FIELD(to_kernel, "passed"),
	FIELD(kernel_full, "passed"),
	FIELD(to_port, "passed"),
	FIELD(pass_dropped, "passed"),
	FIELD(drop_prog, "cause"),
	FIELD(drop_guard, "cause"),
	FIELD(drop_too_long, "cause"),
	FIELD(drop_no_target, "cause"),
	FIELD(aborted_prog, "cause"),
	FIELD(aborted_budget, "cause"),
	FIELD(aborted_code, "cause"),
	FIELD(linearised, ""),
	FIELD(head_grown, ""),
	FIELD(nic_missed, "wire"),
	FIELD(nic_no_mbuf, "wire"),
	FIELD(nic_error, "wire"),
#undef FIELD
};

static uint64_t ledger_value(const struct weir_port_stats_rec *rec, size_t i)
{
	uint64_t v;

	memcpy(&v, (const char *)rec + ledger_fields[i].off, sizeof(v));
	return v;
}

/* One line an equation: "in  rx 14 = drop 10 + pass 4"; terms that are 0 are left out. */
static void print_equation(const struct weir_port_stats_rec *rec, const char *label,
			   const char *left, const char *right)
{
	const char *sides[] = {left, right};

	printf("  %-6s", label);
	for (int side = 0; side < 2; side++) {
		int terms = 0;

		for (size_t i = 0; i < WEIR_ARRAY_LEN(ledger_fields); i++) {
			uint64_t v = ledger_value(rec, i);

			if (!v || strcmp(ledger_fields[i].group, sides[side]))
				continue;
			printf("%s%s %" PRIu64, terms++ ? " + " : " ", ledger_fields[i].name, v);
		}
		if (!terms)
			printf(" 0");
		if (!side)
			printf(" =");
	}
	putchar('\n');
}

static json_t *ledger_json(const struct weir_port_stats_rec *rec)
{
	json_t *row = json_pack("{s:s}", "port", rec->name);

	for (size_t i = 0; i < WEIR_ARRAY_LEN(ledger_fields); i++)
		json_object_set_new(row, ledger_fields[i].name,
				    json_integer((json_int_t)ledger_value(rec, i)));
	return row;
}

int cmd_port_stats(struct cli *cli)
{
	weir_autofree struct weir_port_stats_rec *recs = NULL;
	WEIR_DIAG_ON_STACK(diag, 1024);
	json_t *list;
	uint32_t count;

	if (online_connect(cli))
		return CLI_FAILED;
	if (weir_client_port_stats(cli->subject_count ? cli->subject[0] : NULL, &recs, &count,
				   &diag))
		return cli_fail("%s", diag.buf);
	list = json_array();
	for (uint32_t i = 0; i < count; i++) {
		if (cli->json) {
			json_array_append_new(list, ledger_json(&recs[i]));
			continue;
		}
		printf("%s\n", recs[i].name);
		print_equation(&recs[i], "in", "in", "judged");
		print_equation(&recs[i], "out", "out", "gone");
		if (recs[i].pass)
			printf("  pass   pass %" PRIu64 " = to_port %" PRIu64
			       " + to_kernel %" PRIu64 " + kernel_full %" PRIu64
			       " + dropped by config %" PRIu64 "\n",
			       recs[i].pass, recs[i].to_port, recs[i].to_kernel,
			       recs[i].kernel_full, recs[i].pass_dropped);
		printf("  wire   missed %" PRIu64 ", no mbuf %" PRIu64 ", errors %" PRIu64 "\n",
		       recs[i].nic_missed, recs[i].nic_no_mbuf, recs[i].nic_error);
	}
	if (cli->json)
		cli_print_json(json_incref(list));
	json_decref(list);
	return CLI_OK;
}

int cmd_port_drops(struct cli *cli)
{
	weir_autofree struct weir_drop_rec *recs = NULL;
	WEIR_DIAG_ON_STACK(diag, 1024);
	json_t *list;
	uint32_t count;

	if (online_connect(cli))
		return CLI_FAILED;
	if (weir_client_port_drops(cli->subject_count ? cli->subject[0] : NULL, &recs, &count,
				   &diag))
		return cli_fail("%s", diag.buf);
	list = json_array();
	if (!cli->json)
		printf("%-12s %-6s %-18s %14s  %s\n", "PORT", "WHERE", "CAUSE", "PACKETS",
		       "DETAIL");
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_drop_rec *d = &recs[i];

		if (cli->json)
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:s, s:I, s:s}", "port", d->port,
						"where", d->where, "cause", d->cause, "packets",
						(json_int_t)d->packets, "detail", d->detail));
		else
			printf("%-12s %-6s %-18s %14" PRIu64 "  %s\n", d->port, d->where, d->cause,
			       d->packets, d->detail);
	}
	if (cli->json)
		cli_print_json(json_incref(list));
	json_decref(list);
	return CLI_OK;
}

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	stopped = 1;
}

/* Prints the lines of text; false when `left` has run out. */
static bool print_lines(const char *text, bool json, uint64_t *left)
{
	while (*text && *left) {
		const char *end = strchrnul(text, '\n');

		if (json) {
			json_t *row = json_pack("{s:s%}", "line", text, (size_t)(end - text));

			json_dumpf(row, stdout, JSON_COMPACT);
			json_decref(row);
			putchar('\n');
		} else {
			printf("%.*s\n", (int)(end - text), text);
		}
		(*left)--;
		text = *end ? end + 1 : end;
	}
	fflush(stdout);
	return *left;
}

int cmd_trace(struct cli *cli)
{
	struct sigaction sa = {.sa_handler = stop};
	struct timespec pause = {0, TRACE_POLL_MS * 1000000L};
	WEIR_DIAG_ON_STACK(diag, 1024);
	uint64_t cursor = 0, lost = 0, said = 0, left;
	bool follow = !cli_flag(cli, "no-follow");
	int err = cli_number(cli, "lines", 1, UINT64_MAX, UINT64_MAX, &left);

	if (err)
		return err;
	if (online_connect(cli))
		return CLI_FAILED;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	while (!stopped) {
		weir_autofree char *text = NULL;

		if (weir_client_trace(&cursor, &text, &lost, &diag))
			return cli_fail("%s", diag.buf);
		if (lost > said)
			fprintf(stderr, "weirctl: %" PRIu64 " lines were lost\n", lost - said);
		said = lost;
		if (!print_lines(text, cli->json, &left) || (!follow && !*text))
			break;
		if (!*text)
			nanosleep(&pause, NULL);
	}
	return CLI_OK;
}
