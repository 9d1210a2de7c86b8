/* SPDX-License-Identifier: BSD-3-Clause */
#include "plane_fixture.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ledger.h"
#include "weir/base/log.h"

static struct test_prog *progs[16];
static size_t prog_count;

static void log_sink(enum weir_log_level level, const char *line, void *arg)
{
	struct test_plane *t = arg;

	fprintf(stderr, "# %s\n", line);
	t->errors += level <= WEIR_LOG_ERROR;
}

int test_plane_setup(void **state)
{
	struct test_plane *t = calloc(1, sizeof(*t));

	snprintf(t->dir, sizeof(t->dir), "/tmp/weir-plane-XXXXXX");
	if (!mkdtemp(t->dir))
		return -1;
	weir_log_set_sink(log_sink, t);
	*state = t;
	return 0;
}

int test_plane_teardown(void **state)
{
	struct test_plane *t = *state;
	char cmd[128];

	weir_plane_free(&t->plane);
	weir_config_free(&t->config);
	for (size_t i = 0; i < prog_count; i++) {
		free(progs[i]->p.stats);
		free(progs[i]);
	}
	prog_count = 0;
	snprintf(cmd, sizeof(cmd), "rm -r '%s'", t->dir);
	weir_log_set_sink(NULL, NULL);
	free(t);
	return system(cmd);
}

static void on_budget(void *arg, uint32_t port, enum weir_hook hook, uint32_t priority,
		      struct weir_plane_prog *prog, struct weir_plane_prog *restored)
{
	struct test_plane *t = arg;

	t->budget_detaches++;
	t->budget_restored = restored ? restored->id : 0;
}

int test_plane_start(struct test_plane *t, char *why, const char *fmt, ...)
{
	struct weir_plane_opts opts = {
		.slots = TEST_SLOTS, .on_budget_detach = on_budget, .arg = t};
	WEIR_DIAG_ON_STACK(diag, 1024);
	char text[4096], name[128];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(name, sizeof(name), "%s/weir.yaml", t->dir);
	if (weir_config_load_string(name, text, strlen(text), NULL, &diag, &t->config))
		fail_msg("%s", diag.buf);
	rc = weir_plane_start(t->config, &opts, &diag, &t->plane);
	if (why)
		snprintf(why, 256, "%.255s", diag.buf);
	else if (rc)
		fail_msg("%s", diag.buf);
	return rc;
}

static void prog_hold(struct weir_plane_prog *prog)
{
	((struct test_prog *)prog)->held++;
}

static void prog_release(struct weir_plane_prog *prog)
{
	((struct test_prog *)prog)->held--;
}

struct test_prog *test_prog_new(uint32_t id, uint32_t type, weir_entry_fn entry)
{
	struct test_prog *prog = calloc(1, sizeof(*prog));

	prog->code.entry = entry;
	prog->p = (struct weir_plane_prog){
		.id = id,
		.type = type,
		.code = &prog->code,
		.slots = TEST_SLOTS,
		.hold = prog_hold,
		.release = prog_release,
	};
	prog->p.stats = aligned_alloc(64, TEST_SLOTS * sizeof(*prog->p.stats));
	memset(prog->p.stats, 0, TEST_SLOTS * sizeof(*prog->p.stats));
	progs[prog_count++] = prog;
	return prog;
}

void test_attach(struct test_plane *t, uint32_t port, enum weir_hook hook, uint32_t priority,
		 uint32_t expected_id, struct test_prog *prog)
{
	struct weir_attach_spec spec = {
		.port = port, .hook = hook, .priority = priority, .queues = UINT64_MAX};
	WEIR_DIAG_ON_STACK(diag, 256);

	if (weir_plane_attach(t->plane, &spec, expected_id, prog ? &prog->p : NULL, &diag))
		fail_msg("%s", diag.buf);
}

static void tick(struct test_plane *t)
{
	const struct timespec pause = {.tv_nsec = 2000000};

	nanosleep(&pause, NULL);
	weir_plane_tick(t->plane);
	for (uint32_t i = 0; i < weir_plane_port_count(t->plane); i++) {
		struct weir_ledger l = test_ledger(t, i);
		const char *wrong = weir_ledger_check(&l);

		if (wrong)
			fail_msg("port %u: equation %s while running", i, wrong);
	}
}

void test_run_ms(struct test_plane *t, uint32_t ms)
{
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		tick(t);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000 < ms);
}

void test_run_to_end(struct test_plane *t, uint32_t port)
{
	struct weir_plane_port_info info;

	for (int i = 0; i < 2500; i++) {
		tick(t);
		weir_plane_port_info(t->plane, port, &info);
		if (!strcmp(info.state, "ended")) {
			test_run_ms(t, 20);
			return;
		}
	}
	fail_msg("port %u: the capture does not end", port);
}

struct weir_ledger test_ledger(struct test_plane *t, uint32_t port)
{
	struct weir_ledger l;

	assert_int_equal(weir_plane_ledger(t->plane, port, &l), 0);
	return l;
}

uint64_t test_prog_runs(const struct test_prog *prog)
{
	uint64_t runs = 0, verdicts = 0;

	for (int i = 0; i < TEST_SLOTS; i++) {
		runs += prog->p.stats[i].runs;
		for (int v = 0; v < 8; v++)
			verdicts += prog->p.stats[i].verdicts[v];
	}
	assert_int_equal(runs, verdicts);
	return runs;
}

void test_stop(struct test_plane *t)
{
	weir_plane_stop(t->plane);
	for (uint32_t i = 0; i < weir_plane_port_count(t->plane); i++) {
		struct weir_ledger l = test_ledger(t, i);
		const char *wrong = weir_ledger_check(&l);

		if (wrong)
			fail_msg("port %u: equation %s at rest", i, wrong);
		assert_int_equal(l.in_flight, 0);
		assert_int_equal(l.out_in_flight, 0);
	}
	for (size_t i = 0; i < prog_count; i++)
		assert_int_equal(progs[i]->held, 0);
	/* A buffer that is missing is logged as an error. */
	assert_int_equal(t->errors, 0);
}

void test_pcap_create(const char *path)
{
	const uint32_t head[6] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535, 1};
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fwrite(head, sizeof(head), 1, f);
	fclose(f);
}

void test_pcap_append(const char *path, const void *bytes, uint32_t len)
{
	const uint32_t head[4] = {1, 0, len, len};
	FILE *f = fopen(path, "a");

	assert_non_null(f);
	fwrite(head, sizeof(head), 1, f);
	fwrite(bytes, 1, len, f);
	fclose(f);
}

bool test_pcap_read(const char *path, uint32_t index, struct test_packet *out)
{
	FILE *f = fopen(path, "r");
	bool ok = f && !fseek(f, 24, SEEK_SET);
	uint32_t head[4];

	for (uint32_t i = 0; ok && i <= index; i++) {
		ok = fread(head, sizeof(head), 1, f) == 1 && head[2] <= sizeof(out->bytes) &&
		     fread(out->bytes, 1, head[2], f) == head[2];
		out->len = head[2];
	}
	if (f)
		fclose(f);
	return ok;
}
