/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-programs: one program, ns per run, as each contender runs it. tests/bench/run.sh calls it.
 *
 * Every contender's verdicts are compared before anything is measured. Then, in each round,
 * contenders take turns pass by pass; a round's figure is the median of its passes, a row's the
 * median of the rounds. Ratios are taken within a round; where those of the rounds differ by more
 * than 5 %, the row is noisy and judged neither way. Each row has a process of its own, so that
 * what the CPU learned of one row's calls does not slow down the next.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "rows.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"

#define EXIT_BROKEN  3 /* a row could not be measured */
#define ROUNDS_MAX   32
#define PASSES_MAX   512
#define INTERP_EVERY 4    /* the interpreter takes its turn in one pass of so many */
#define NOISE        1.05 /* largest over smallest ratio of the rounds */
#define MARGIN       1.02 /* a goal is missed by more than what a row resolves */
#define NET_MIN_NS   0.5  /* below it the kernel's net time is no divisor */

enum { NATIVE, KERNEL, RTE_BPF, INTERP, JIT, CONTENDERS };

static const struct contender *const contenders[CONTENDERS] = {
	[NATIVE] = &contender_native,   [KERNEL] = &contender_kernel,
	[RTE_BPF] = &contender_rte_bpf, [INTERP] = &contender_weir_interp,
	[JIT] = &contender_weir_jit,
};

enum { TO_NATIVE, TO_RTE_BPF, TO_KERNEL_NET, RATIOS };

static struct {
	const char *frames, *objects, *only, *dump;
	uint32_t rounds, passes, buffers, repeat;
	bool json, smoke;
} opts = {.rounds = 5, .passes = 60, .buffers = 16384, .repeat = 400000};

struct row {
	const struct workload *work;
	struct packets packets;
	void *self[CONTENDERS]; /* NULL: cannot */
	char why[CONTENDERS][256];
	double ns[CONTENDERS][ROUNDS_MAX]; /* a round's median */
	double net[ROUNDS_MAX];            /* of the kernel */
};

struct ratio {
	bool there, noisy;
	double median;
};

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median_of(const double *values, uint32_t count)
{
	double sorted[PASSES_MAX];

	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), compare_double);
	return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static struct ratio ratio_of(const struct row *row, const double *over)
{
	double ratios[ROUNDS_MAX], smallest = INFINITY, largest = 0;

	for (uint32_t r = 0; r < opts.rounds; r++) {
		ratios[r] = row->ns[JIT][r] / over[r];
		smallest = fmin(smallest, ratios[r]);
		largest = fmax(largest, ratios[r]);
	}
	return (struct ratio){
		.there = true,
		.noisy = largest > smallest * NOISE,
		.median = median_of(ratios, opts.rounds),
	};
}

static void ratios_of(const struct row *row, struct ratio ratios[RATIOS])
{
	memset(ratios, 0, RATIOS * sizeof(*ratios));
	if (!row->self[JIT])
		return;
	if (row->self[NATIVE])
		ratios[TO_NATIVE] = ratio_of(row, row->ns[NATIVE]);
	if (row->self[RTE_BPF])
		ratios[TO_RTE_BPF] = ratio_of(row, row->ns[RTE_BPF]);
	if (row->self[KERNEL] && median_of(row->net, opts.rounds) >= NET_MIN_NS)
		ratios[TO_KERNEL_NET] = ratio_of(row, row->net);
}

/* "ok", "noisy", or what was missed; "-" where nothing could be judged. */
static const char *verdict_of(const struct row *row, const struct ratio ratios[RATIOS])
{
	const double goals[RATIOS] = {
		[TO_NATIVE] = row->work->native_goal, [TO_RTE_BPF] = row->work->rte_goal};
	static const char *const missed[RATIOS] = {"SLOWER than native's goal",
						   "SLOWER than rte_bpf", ""};
	const char *verdict = "-";

	if (opts.smoke)
		return verdict;
	for (int i = 0; i < RATIOS; i++)
		if (goals[i] != 0 && ratios[i].there && ratios[i].noisy)
			return "noisy";
	for (int i = RATIOS - 1; i >= 0; i--) {
		if (goals[i] == 0 || !ratios[i].there)
			continue;
		if (ratios[i].median > goals[i] * MARGIN)
			return missed[i];
		verdict = "ok";
	}
	return verdict;
}

static int open_plan(const char *name, const char *suffix, char *path, size_t path_bytes,
		     struct weir_plan **out)
{
	WEIR_DIAG_ON_STACK(diag, 512);
	int err;

	snprintf(path, path_bytes, "%s/%s%s.bpf.o", opts.objects, name, suffix);
	err = weir_object_load_file(path, NULL, &diag, out);
	if (err)
		fprintf(stderr, "bench: %s\n", diag.buf);
	return err;
}

static int row_open(struct row *row)
{
	struct weir_plan *plan = NULL, *plan_v2 = NULL;
	char path[512], path_v2[512];
	WEIR_DIAG_ON_STACK(diag, 512);
	int err = packets_load(opts.frames, opts.buffers, row->work->want, &diag, &row->packets);

	if (err) {
		fprintf(stderr, "bench: %s\n", diag.buf);
		return err;
	}
	err = open_plan(row->work->object, "", path, sizeof(path), &plan);
	if (!err)
		err = open_plan(row->work->object, ".v2", path_v2, sizeof(path_v2), &plan_v2);
	for (int c = 0; !err && c < CONTENDERS; c++) {
		const struct made_from from = {row->work, path, plan, plan_v2};

		weir_diag_reset(&diag);
		if (contenders[c]->open(&from, &diag, &row->self[c])) {
			row->self[c] = NULL;
			snprintf(row->why[c], sizeof(row->why[c]), "%s", diag.buf);
		}
	}
	weir_plan_free(&plan);
	weir_plan_free(&plan_v2);
	return err;
}

static void row_close(struct row *row)
{
	for (int c = 0; c < CONTENDERS; c++)
		if (row->self[c])
			contenders[c]->close(row->self[c]);
	packets_free(&row->packets);
}

/* All must say the same of the same packets: a comparison of different work is none. */
static int row_check(struct row *row)
{
	uint64_t expected = contender_native.pass(row->self[NATIVE], &row->packets);

	/* Twice: a program that rewrites its packet leaves it as it was. */
	contender_native.pass(row->self[NATIVE], &row->packets);
	for (int c = 0; c < CONTENDERS; c++) {
		uint64_t found = expected;

		if (!row->self[c])
			continue;
		for (uint32_t i = 0; contenders[c]->is_kernel && i < row->packets.count;
		     i += row->packets.count / 64) {
			const struct packet *packet = &row->packets.at[i];
			uint32_t want = contender_native.judge(row->self[NATIVE], packet);

			if (contenders[c]->judge(row->self[c], packet) != want)
				found = ~expected;
		}
		for (int twice = 0; !contenders[c]->is_kernel && twice < 2; twice++)
			found = contenders[c]->pass(row->self[c], &row->packets);
		if (found != expected) {
			fprintf(stderr, "bench: %s: %s does not give native's verdicts\n",
				row->work->name, contenders[c]->name);
			return -EINVAL;
		}
	}
	return 0;
}

static int row_round(struct row *row, uint32_t round)
{
	static double ns[CONTENDERS][PASSES_MAX];
	uint32_t taken[CONTENDERS] = {0};
	double trivial;

	for (uint32_t pass = 0; pass < opts.passes; pass++) {
		for (int turn = 0; turn < CONTENDERS; turn++) {
			int c = (int)((pass + (uint32_t)turn) % CONTENDERS);
			uint64_t start;

			if (!row->self[c] || contenders[c]->is_kernel ||
			    (c == INTERP && pass % INTERP_EVERY))
				continue;
			start = cpu_ns();
			contenders[c]->pass(row->self[c], &row->packets);
			ns[c][taken[c]++] = (double)(cpu_ns() - start) / row->packets.count;
		}
	}
	for (int c = 0; c < CONTENDERS; c++)
		if (taken[c])
			row->ns[c][round] = median_of(ns[c], taken[c]);
	if (row->self[KERNEL]) {
		int err = kernel_time(row->self[KERNEL], &row->packets, opts.repeat,
				      &row->ns[KERNEL][round], &trivial);

		if (err) {
			fprintf(stderr, "bench: %s: the kernel's test run: %s\n", row->work->name,
				strerror(-err));
			return err;
		}
		row->net[round] = row->ns[KERNEL][round] - trivial;
	}
	return 0;
}

static void print_cell(const struct row *row, int c, const double *rounds)
{
	if (row->self[c])
		printf(" %8.2f", median_of(rounds, opts.rounds));
	else
		printf(" %8s", "cannot");
}

static void print_row(const struct row *row)
{
	struct ratio ratios[RATIOS];

	ratios_of(row, ratios);
	printf("%-24s", row->work->name);
	print_cell(row, NATIVE, row->ns[NATIVE]);
	print_cell(row, KERNEL, row->ns[KERNEL]);
	print_cell(row, KERNEL, row->net);
	print_cell(row, RTE_BPF, row->ns[RTE_BPF]);
	print_cell(row, INTERP, row->ns[INTERP]);
	print_cell(row, JIT, row->ns[JIT]);
	for (int i = 0; i < RATIOS; i++)
		if (ratios[i].there)
			printf(" %7.2f%c", ratios[i].median, ratios[i].noisy ? '~' : ' ');
		else
			printf(" %7s ", "-");
	printf(" %s\n", verdict_of(row, ratios));
	for (int c = 0; c < CONTENDERS; c++)
		if (!row->self[c])
			printf("  %s cannot: %s\n", contenders[c]->name, row->why[c]);
	fflush(stdout);
}

static void print_json(const struct row *row)
{
	static const char *const names[RATIOS] = {"jit/native", "jit/rte_bpf", "jit/kernel_net"};
	struct ratio ratios[RATIOS];
	json_t *ns = json_object(), *list = json_object(), *object;

	ratios_of(row, ratios);
	for (int c = 0; c < CONTENDERS; c++)
		json_object_set_new(ns, contenders[c]->name,
				    row->self[c] ? json_real(median_of(row->ns[c], opts.rounds))
						 : json_null());
	if (row->self[KERNEL])
		json_object_set_new(ns, "kernel net", json_real(median_of(row->net, opts.rounds)));
	for (int i = 0; i < RATIOS; i++)
		if (ratios[i].there)
			json_object_set_new(list, names[i],
					    json_pack("{s:f, s:b}", "median", ratios[i].median,
						      "noisy", ratios[i].noisy));
	object = json_pack("{s:s, s:o, s:o, s:s, s:i, s:i}", "program", row->work->name, "ns", ns,
			   "ratios", list, "verdict", verdict_of(row, ratios), "buffers",
			   (int)row->packets.count, "frames", (int)row->packets.distinct);
	json_dumpf(object, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	json_decref(object);
}

/* Machine code for objdump -D -b binary -m i386:x86-64. */
static void row_dump(const struct row *row)
{
	for (int c = 0; c < CONTENDERS; c++) {
		weir_autofclose FILE *f = NULL;
		const void *image;
		size_t bytes;
		char path[512];

		if (!row->self[c] || !contenders[c]->image)
			continue;
		image = contenders[c]->image(row->self[c], &bytes);
		snprintf(path, sizeof(path), "%s/%s.%s.bin", opts.dump, row->work->object,
			 c == JIT ? "weir" : contenders[c]->name);
		f = fopen(path, "we");
		if (!f || fwrite(image, 1, bytes, f) != bytes)
			fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
	}
}

static int parse_args(int argc, char **argv)
{
	static const struct option long_opts[] = {{"frames", required_argument, NULL, 'f'},
						  {"objects", required_argument, NULL, 'o'},
						  {"rounds", required_argument, NULL, 'r'},
						  {"passes", required_argument, NULL, 'p'},
						  {"program", required_argument, NULL, 'P'},
						  {"dump-code", required_argument, NULL, 'd'},
						  {"json", no_argument, NULL, 'j'},
						  {"smoke", no_argument, NULL, 's'},
						  {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", long_opts, NULL)) != -1) {
		switch (c) {
		case 'f': opts.frames = optarg; break;
		case 'o': opts.objects = optarg; break;
		case 'r': opts.rounds = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'p': opts.passes = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'P': opts.only = optarg; break;
		case 'd': opts.dump = optarg; break;
		case 'j': opts.json = true; break;
		case 's':
			opts.smoke = true;
			opts.rounds = 1;
			opts.passes = 2;
			opts.repeat = 1000;
			break;
		default: return -EINVAL;
		}
	}
	return opts.frames && opts.objects && optind == argc && opts.rounds &&
			       opts.rounds <= ROUNDS_MAX && opts.passes && opts.passes <= PASSES_MAX
		       ? 0
		       : -EINVAL;
}

/* Away from CPU 0, which has the interrupts and everybody else's work. */
static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(1, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fprintf(stderr, "bench: not pinned to CPU 1: %s\n", strerror(errno));
}

/* 1: the row missed a goal. -errno: it could not be measured. */
static int bench_row(const struct workload *work)
{
	struct row row = {.work = work};
	struct ratio ratios[RATIOS];
	int err = row_open(&row);

	if (!err)
		err = row_check(&row);
	for (uint32_t round = 0; !err && round < opts.rounds; round++)
		err = row_round(&row, round);
	if (!err) {
		if (opts.json)
			print_json(&row);
		else
			print_row(&row);
		if (opts.dump)
			row_dump(&row);
		ratios_of(&row, ratios);
		err = verdict_of(&row, ratios)[0] == 'S';
	}
	row_close(&row);
	return err;
}

static int find_row(const char *object, const struct workload **out)
{
	for (size_t i = 0; i < row_count; i++)
		if (!strcmp(object, rows[i].object)) {
			*out = &rows[i];
			return 0;
		}
	fprintf(stderr, "bench: no program %s; there are", object);
	for (size_t i = 0; i < row_count; i++)
		fprintf(stderr, " %s", rows[i].object);
	fputc('\n', stderr);
	return -ENOENT;
}

/* This program again, for one row. Its exit code, or -errno. */
static int spawn_row(int argc, char **argv, const struct workload *work)
{
	char *child_argv[64];
	char only[64];
	int status;
	pid_t pid;

	if (argc + 2 > (int)WEIR_ARRAY_LEN(child_argv))
		return -E2BIG;
	memcpy(child_argv, argv, (size_t)argc * sizeof(*argv));
	snprintf(only, sizeof(only), "--program=%s", work->object);
	child_argv[argc] = only;
	child_argv[argc + 1] = NULL;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		execv("/proc/self/exe", child_argv);
		fprintf(stderr, "bench: /proc/self/exe: %s\n", strerror(errno));
		_exit(EXIT_BROKEN);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BROKEN;
}

static int all_rows(int argc, char **argv)
{
	int result = 0;

	if (opts.json)
		printf("[");
	else
		printf("%-24s %8s %8s %8s %8s %8s %8s %24s\n%-24s %8s %8s %8s %8s %8s %8s %8s %8s "
		       "%8s\n",
		       "one program", "native", "kernel", "kernel", "rte_bpf", "weir", "weir",
		       "weir's jit over", "ns per run", "", "", "net", "", "interp", "jit",
		       "native", "rte_bpf", "kernel net");
	for (size_t i = 0; i < row_count && result >= 0 && result != EXIT_BROKEN; i++) {
		int code;

		if (opts.json && i)
			printf(",\n");
		code = spawn_row(argc, argv, &rows[i]);
		result = code ? code : result;
	}
	if (opts.json)
		printf("]\n");
	return result ? 1 : 0;
}

int main(int argc, char **argv)
{
	const struct workload *work;
	int err;

	if (parse_args(argc, argv)) {
		fprintf(stderr,
			"usage: bench-programs --frames PCAP --objects DIR [--program NAME] "
			"[--rounds N] [--passes N] [--dump-code DIR] [--json] [--smoke]\n");
		return 2;
	}
	if (!opts.only)
		return all_rows(argc, argv);
	if (find_row(opts.only, &work))
		return 2;
	pin();
	err = bench_row(work);
	return err < 0 ? EXIT_BROKEN : err;
}
