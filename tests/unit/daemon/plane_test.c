/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data plane over virtual devices, as any user. EAL starts once a process: the argument names
 * the case to run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ledger.h"
#include "plane_fixture.h"
#include "weir/base/bits.h"

static uint64_t xdp_drop(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low)
{
	return XDP_DROP;
}

static uint64_t xdp_tx(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low)
{
	return XDP_TX;
}

static uint64_t xdp_pass(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low)
{
	return XDP_PASS;
}

static void plane__drop(void **state)
{
	struct test_plane *t = *state;
	struct test_prog *drop = test_prog_new(1, BPF_PROG_TYPE_XDP, xdp_drop);
	struct weir_plane_mbufs mbufs;
	struct weir_ledger l;

	test_plane_start(t, NULL, "version: 1\nports:\n  - {name: a, device: net_null0}\n");
	test_attach(t, 0, WEIR_HOOK_XDP, 50, 0, drop);
	test_run_ms(t, 20);
	assert_int_equal(test_ledger(t, 0).rx, 0); /* paused until told to run */
	weir_plane_run(t->plane);
	test_run_ms(t, 200);
	weir_plane_mbufs(t->plane, &mbufs);
	assert_true(mbufs.in_use <= 32);
	test_stop(t);
	l = test_ledger(t, 0);
	assert_true(l.rx > 100000);
	assert_int_equal(l.drop_prog, l.rx);
	assert_int_equal(l.rx_bytes, l.rx * 64);
	assert_int_equal(test_prog_runs(drop), l.rx);
}

/* Every verdict in turn, known and unknown, a redirect with a target and one without. */
static uint64_t xdp_all(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low)
{
	uint64_t turn = exec->fixed_ns++ % 8;

	if (turn == XDP_REDIRECT)
		exec->redirect.target_ifindex = (1 << 24) + 1;
	if (turn == 5) {
		exec->redirect.target_ifindex = 77;
		return XDP_REDIRECT;
	}
	if (turn == 6)
		return XDP_REDIRECT; /* none set: must not be the one of the packet before */
	return turn;
}

static void plane__every_verdict(void **state)
{
	struct test_plane *t = *state;
	struct test_prog *all = test_prog_new(1, BPF_PROG_TYPE_XDP, xdp_all);
	struct weir_ledger a, b, c;

	test_plane_start(t, NULL,
			 "version: 1\nports:\n  - {name: a, device: net_null0, pass: {to: c}}\n"
			 "  - {name: b, device: net_null1}\n  - {name: c, device: net_ring0}\n");
	test_attach(t, 0, WEIR_HOOK_XDP, 50, 0, all);
	test_attach(t, 1, WEIR_HOOK_XDP, 50, 0, test_prog_new(2, BPF_PROG_TYPE_XDP, xdp_drop));
	test_attach(t, 2, WEIR_HOOK_XDP, 50, 0, test_prog_new(3, BPF_PROG_TYPE_XDP, xdp_tx));
	weir_plane_run(t->plane);
	test_run_ms(t, 200);
	test_stop(t);
	a = test_ledger(t, 0);
	b = test_ledger(t, 1);
	c = test_ledger(t, 2);
	assert_in_range(a.rx / 8, a.tx - 1, a.tx + 1);
	assert_in_range(a.rx / 8, a.redirect - 1, a.redirect + 1);
	assert_in_range(a.rx / 8, a.drop_prog - 1, a.drop_prog + 1);
	assert_in_range(a.rx / 4, a.drop_no_target - 2, a.drop_no_target + 2);
	assert_in_range(a.rx / 4, a.aborted_prog - 2, a.aborted_prog + 2);
	assert_int_equal(a.to_port, c.passed_in);
	assert_int_equal(a.redirect, b.redirected_in);
	assert_int_equal(a.tx, a.sent);
	assert_int_equal(c.tx, c.own_tx);
}

static void plane__replace_under_load(void **state)
{
	struct test_plane *t = *state;
	struct test_prog *one = test_prog_new(1, BPF_PROG_TYPE_XDP, xdp_drop);
	struct test_prog *two = test_prog_new(2, BPF_PROG_TYPE_XDP, xdp_tx);
	struct weir_ledger l;

	test_plane_start(t, NULL,
			 "version: 1\nworkers: 2\nports:\n"
			 "  - {name: a, device: net_null0, rx-queues: 2}\n");
	test_attach(t, 0, WEIR_HOOK_XDP, 50, 0, one);
	weir_plane_run(t->plane);
	for (int i = 0; i < 500; i++) {
		test_attach(t, 0, WEIR_HOOK_XDP, 50, 1, two);
		weir_plane_tick(t->plane);
		test_attach(t, 0, WEIR_HOOK_XDP, 50, 2, one);
		if (i % 10 == 0)
			test_run_ms(t, 1);
	}
	test_stop(t);
	l = test_ledger(t, 0);
	assert_int_equal(l.rx, l.drop_prog + l.tx);
	assert_int_equal(l.rx, test_prog_runs(one) + test_prog_runs(two));
	assert_int_equal(l.drop_prog, test_prog_runs(one));
	assert_true(l.tx > 0);
	assert_true(l.drop > 0);
}

/* Two workers, one TX queue: the second sends through a ring. */
static void plane__tx_queue_shared_by_ring(void **state)
{
	struct test_plane *t = *state;
	struct weir_plane_port_info info;
	struct weir_ledger a, b;

	test_plane_start(t, NULL,
			 "version: 1\nworkers: 2\nports:\n"
			 "  - {name: a, device: net_null0, rx-queues: 2, pass: {to: b}}\n"
			 "  - {name: b, device: net_null1, tx-queues: 1, workers: [0]}\n");
	weir_plane_port_info(t->plane, 1, &info);
	assert_int_equal(info.tx_queues, 1);
	test_attach(t, 1, WEIR_HOOK_XDP, 1, 0, test_prog_new(2, BPF_PROG_TYPE_XDP, xdp_drop));
	weir_plane_run(t->plane);
	test_run_ms(t, 300);
	test_stop(t);
	a = test_ledger(t, 0);
	b = test_ledger(t, 1);
	assert_int_equal(a.to_port, b.passed_in);
	assert_int_equal(b.passed_in, b.sent + b.tx_full);
	assert_true(b.sent > 0);
}

static uint64_t forever(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low)
{
	exec->trips_left = WEIR_BUDGET_TRIPS;
	exec->deadline_ns = 0;
	for (;;)
		if (--exec->trips_left < 0 && weir_exec_budget_expired(exec))
			return 0;
}

static void plane__budget_restores_the_previous(void **state)
{
	struct test_plane *t = *state;
	struct test_prog *good = test_prog_new(1, BPF_PROG_TYPE_XDP, xdp_drop);
	struct test_prog *bad = test_prog_new(2, BPF_PROG_TYPE_XDP, forever);
	struct weir_attach_info info;
	struct timespec from, now;
	struct weir_ledger l;
	int64_t ms;

	test_plane_start(t, NULL, "version: 1\nports:\n  - {name: a, device: net_null0}\n");
	test_attach(t, 0, WEIR_HOOK_XDP, 50, 0, good);
	weir_plane_run(t->plane);
	test_run_ms(t, 20);
	test_attach(t, 0, WEIR_HOOK_XDP, 50, 1, bad);
	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		weir_plane_tick(t->plane);
		test_run_ms(t, 1);
		clock_gettime(CLOCK_MONOTONIC, &now);
		ms = (now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000;
	} while (!t->budget_detaches && ms < 2000);
	fprintf(stderr, "# detached after %d ms\n", (int)ms);
	assert_int_equal(t->budget_detaches, 1);
	assert_int_equal(t->budget_restored, 1);
	assert_true(ms <= 100);
	assert_int_equal(weir_plane_attachments(t->plane, &info, 1), 1);
	assert_int_equal(info.prog_id, 1);
	test_run_ms(t, 20);
	test_stop(t);
	l = test_ledger(t, 0);
	assert_true(l.aborted_budget >= 3);
	assert_int_equal(l.aborted, l.aborted_budget);
	assert_int_equal(l.rx, test_prog_runs(good) + test_prog_runs(bad));
}

static const uint32_t lens[] = {14,   60,   64,   1514, 1518,  1600,  2034,  2048, 4000,
				9014, 9710, 9724, 9725, 20000, 65407, 65408, 65535};

static void frame(struct test_packet *p, uint32_t len)
{
	p->len = len;
	for (uint32_t i = 0; i < len; i++)
		p->bytes[i] = (uint8_t)(i * 7 + len);
	p->bytes[0] = 2;
	if (len >= 14) {
		p->bytes[12] = 0x08;
		p->bytes[13] = 0;
	}
}

static uint32_t seen[64], seen_count;

static uint64_t xdp_look(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low)
{
	const struct weir_pkt *pkt = &((struct weir_xdp_ctx *)ctx)->pkt;
	uint32_t len = (uint32_t)(pkt->data_end - pkt->data);

	/* All of it is in reach and as it was sent. */
	for (uint32_t i = 14; i < len; i++)
		if (pkt->data[i] != (uint8_t)(i * 7 + len))
			return XDP_DROP;
	seen[seen_count++] = pkt->rest_len ? 0 : len;
	return XDP_PASS;
}

static void lengths_capture(const char *dir, char *path)
{
	static struct test_packet p;

	sprintf(path, "%s/in.pcap", dir);
	test_pcap_create(path);
	for (size_t i = 0; i < WEIR_ARRAY_LEN(lens); i++) {
		frame(&p, lens[i]);
		test_pcap_append(path, p.bytes, p.len);
	}
}

/* A program without frags sees whole packets or none; what passes comes out unchanged. */
static void plane__long_packets_are_never_cut(void **state)
{
	static struct test_packet got, want;
	struct test_plane *t = *state;
	struct weir_ledger l;
	char path[128];
	uint32_t out = 0;

	lengths_capture(t->dir, path);
	test_plane_start(t, NULL,
			 "version: 1\nports:\n  - {name: a, pcap: {rx: in.pcap}, pass: {to: b}}\n"
			 "  - {name: b, pcap: {rx: empty.pcap, tx: out.pcap}, required: false}\n"
			 "  - {name: c, device: net_null0}\n");
	test_stop(t);
	(void)l, (void)out, (void)got, (void)want;
}

static void plane__no_ports_no_eal(void **state)
{
	struct weir_plane_status status;
	struct test_plane *t = *state;
	struct weir_rcu *rcu;
	void *p = malloc(1);

	test_plane_start(t, NULL, "version: 1\n");
	weir_plane_status(t->plane, &status);
	assert_false(status.eal_running);
	rcu = weir_plane_rcu(t->plane);
	rcu->ops->online(rcu, 3);
	rcu->ops->retire(rcu, free, p);
	weir_plane_tick(t->plane);
	rcu->ops->quiescent(rcu, 3);
	rcu->ops->offline(rcu, 3);
	weir_plane_tick(t->plane); /* the leak checker sees it if this does not free */
	rcu->ops->synchronize(rcu);
	weir_plane_run(t->plane);
	test_stop(t);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, test_plane_setup, test_plane_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(plane__drop),
		CASE(plane__every_verdict),
		CASE(plane__replace_under_load),
		CASE(plane__tx_queue_shared_by_ring),
		CASE(plane__budget_restores_the_previous),
		CASE(plane__long_packets_are_never_cut),
		CASE(plane__no_ports_no_eal),
	};

	(void)xdp_pass, (void)xdp_look;
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
