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
		if (i % 20 == 0)
			test_run_ms(t, 1);
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

/* The other queue's worker goes on while one is within a run that does not end by itself. */
static void plane__budget_costs_no_other_queue(void **state)
{
	struct weir_attach_spec first = {.queues = 1};
	struct weir_plane_worker_info before, after;
	struct test_plane *t = *state;
	struct test_prog *bad = test_prog_new(2, BPF_PROG_TYPE_XDP, forever);

	test_plane_start(t, NULL,
			 "version: 1\nworkers: 2\nrun-budget: 50ms\nports:\n"
			 "  - {name: a, device: net_null0, rx-queues: 2, workers: [0, 1]}\n");
	weir_plane_run(t->plane);
	test_run_ms(t, 20);
	assert_int_equal(weir_plane_attach(t->plane, &first, 0, &bad->p, NULL), 0);
	weir_plane_worker_info(t->plane, 1, &before);
	while (!t->budget_detaches)
		test_run_ms(t, 10);
	/* Not how many: that is the scheduler's to say where workers share a core. */
	weir_plane_worker_info(t->plane, 1, &after);
	assert_true(after.packets > before.packets);
	test_stop(t);
	assert_in_range(test_ledger(t, 0).aborted_budget, 3, 4);
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
	struct weir_plane_port_info info;
	struct test_plane *t = *state;
	struct weir_ledger a, b;
	char path[128];
	uint32_t out = 0;

	lengths_capture(t->dir, path);
	test_plane_start(t, NULL,
			 "version: 1\nports:\n  - {name: a, pcap: {rx: in.pcap}, pass: {to: b}}\n"
			 "  - {name: b, pcap: {tx: out.pcap}}\n");
	test_attach(t, 0, WEIR_HOOK_XDP, 50, 0, test_prog_new(1, BPF_PROG_TYPE_XDP, xdp_look));
	weir_plane_run(t->plane);
	test_run_to_end(t, 0);
	/* A port that only writes has no capture that could end. */
	assert_int_equal(weir_plane_port_info(t->plane, 1, &info), 0);
	assert_string_equal(info.state, "up");
	test_stop(t);
	a = test_ledger(t, 0);
	b = test_ledger(t, 1);
	assert_int_equal(a.rx, WEIR_ARRAY_LEN(lens));
	assert_int_equal(a.drop, a.drop_too_long);
	assert_int_equal(a.drop_too_long, 2); /* 65408 and 65535: no buffer holds them */
	assert_int_equal(a.linearised, 2); /* 20000 and 65407; the pool's buffers hold the rest */
	assert_int_equal(b.sent, a.pass);
	assert_int_equal(seen_count, a.pass);
	sprintf(path, "%s/out.pcap", t->dir);
	for (size_t i = 0; i < WEIR_ARRAY_LEN(lens); i++) {
		if (lens[i] > 65407)
			continue;
		assert_int_equal(seen[out], lens[i]);
		assert_true(test_pcap_read(path, out++, &got));
		frame(&want, lens[i]);
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.bytes, want.bytes, want.len);
	}
	assert_false(test_pcap_read(path, out, &got));
}

/* With frags the first segment is in sight, and all of the packet through the backend. */
static uint64_t xdp_frags(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low)
{
	struct weir_pkt *pkt = &((struct weir_xdp_ctx *)ctx)->pkt;
	static uint8_t copy[65535];
	uint32_t len = weir_pkt_len(pkt);

	if (pkt->ops->load(pkt, 0, copy, len) || !pkt->ops->load(pkt, 1, copy, len))
		return XDP_ABORTED;
	for (uint32_t i = 14; i < len; i++)
		if (copy[i] != (uint8_t)(i * 7 + len))
			return XDP_DROP;
	/* The last byte, in whatever segment it is. */
	copy[0] = 0xee;
	if (pkt->ops->store(pkt, len - 1, copy, 1))
		return XDP_ABORTED;
	return XDP_PASS;
}

static void plane__frags(void **state)
{
	static struct test_packet got, want;
	struct test_plane *t = *state;
	struct test_prog *prog = test_prog_new(1, BPF_PROG_TYPE_XDP, xdp_frags);
	struct weir_ledger a, b;
	char path[128];

	prog->p.has_frags = true;
	lengths_capture(t->dir, path);
	test_plane_start(t, NULL,
			 "version: 1\nports:\n  - {name: a, pcap: {rx: in.pcap}, pass: {to: b}}\n"
			 "  - {name: b, pcap: {tx: out.pcap}}\n");
	test_attach(t, 0, WEIR_HOOK_XDP, 50, 0, prog);
	weir_plane_run(t->plane);
	test_run_to_end(t, 0);
	test_stop(t);
	a = test_ledger(t, 0);
	b = test_ledger(t, 1);
	assert_int_equal(a.pass, WEIR_ARRAY_LEN(lens));
	assert_int_equal(a.linearised, 0);
	/* The driver takes what one buffer holds, and would cut the two longest. */
	assert_int_equal(b.tx_error, 2);
	assert_int_equal(b.sent, WEIR_ARRAY_LEN(lens) - 2);
	sprintf(path, "%s/out.pcap", t->dir);
	for (uint32_t i = 0; i < b.sent; i++) {
		assert_true(test_pcap_read(path, i, &got));
		frame(&want, lens[i]);
		want.bytes[want.len - 1] = 0xee;
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.bytes, want.bytes, want.len);
	}
}

/* Moves both ends: 8 bytes on in front, 2 off the tail. */
static uint64_t xdp_move(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low)
{
	struct weir_pkt *pkt = &((struct weir_xdp_ctx *)ctx)->pkt;

	pkt->data -= 8;
	pkt->data_meta = pkt->data;
	memset(pkt->data, 0xab, 8);
	pkt->data_end -= 2;
	return XDP_TX;
}

static void plane__moved_ends_are_kept(void **state)
{
	static struct test_packet got, want;
	struct test_plane *t = *state;
	struct weir_ledger a;
	char path[128];

	lengths_capture(t->dir, path);
	test_plane_start(t, NULL,
			 "version: 1\nports:\n  - {name: a, pcap: {rx: in.pcap, tx: out.pcap}}\n");
	test_attach(t, 0, WEIR_HOOK_XDP, 50, 0, test_prog_new(1, BPF_PROG_TYPE_XDP, xdp_move));
	weir_plane_run(t->plane);
	test_run_to_end(t, 0);
	test_stop(t);
	a = test_ledger(t, 0);
	assert_int_equal(a.sent, WEIR_ARRAY_LEN(lens) - 2);
	assert_int_equal(a.sent_bytes, a.rx_bytes - 65408 - 65535 + 6 * a.sent);
	sprintf(path, "%s/out.pcap", t->dir);
	for (uint32_t i = 0; i < WEIR_ARRAY_LEN(lens) - 2; i++) {
		assert_true(test_pcap_read(path, i, &got));
		frame(&want, lens[i]);
		assert_int_equal(got.len, want.len + 6);
		assert_memory_equal(got.bytes + 8, want.bytes, want.len - 2);
		assert_int_equal(got.bytes[0], 0xab);
	}
}

static struct {
	uint32_t tc_tci, tc_proto, tc_type, tc_len, tap_len, tap_type, guard_len;
} vlan_seen;

static uint64_t tc_vlan(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low)
{
	struct weir_skb_ctx *skb = ctx;

	vlan_seen.tc_tci = skb->vlan_present ? skb->vlan_tci : 0;
	vlan_seen.tc_proto = skb->vlan_proto;
	vlan_seen.tc_type = skb->protocol;
	vlan_seen.tc_len = weir_pkt_len(&skb->pkt);
	skb->pkt.data[0] = 0x22; /* a write of the program lasts */
	return 0xffffffff;
}

static uint64_t filter_guard(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low)
{
	struct weir_skb_ctx *skb = ctx;

	vlan_seen.guard_len = weir_pkt_len(&skb->pkt);
	return vlan_seen.guard_len == 100 ? 0 : 65535;
}

static uint64_t filter_tap(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low)
{
	struct weir_skb_ctx *skb = ctx;

	vlan_seen.tap_len = weir_pkt_len(&skb->pkt);
	vlan_seen.tap_type = skb->protocol;
	return 0; /* matches nothing, which changes nothing */
}

static void plane__tc_guard_and_tap(void **state)
{
	static struct test_packet p, got;
	struct test_plane *t = *state;
	struct weir_attach_spec guard = {.port = 0,
					 .hook = WEIR_HOOK_TC,
					 .priority = 20,
					 .queues = UINT64_MAX,
					 .guard = true};
	struct test_prog *tap = test_prog_new(3, BPF_PROG_TYPE_SOCKET_FILTER, filter_tap);
	struct test_prog *filter = test_prog_new(2, BPF_PROG_TYPE_SOCKET_FILTER, filter_guard);
	struct weir_ledger a;
	char path[128];

	sprintf(path, "%s/in.pcap", t->dir);
	test_pcap_create(path);
	frame(&p, 100); /* the guard's */
	test_pcap_append(path, p.bytes, p.len);
	frame(&p, 80);
	memcpy(p.bytes + 12, "\x81\x00\x60\x07\x08\x00", 6);
	test_pcap_append(path, p.bytes, p.len);
	test_plane_start(t, NULL,
			 "version: 1\nports:\n  - {name: a, pcap: {rx: in.pcap}, pass: {to: b}}\n"
			 "  - {name: b, pcap: {tx: out.pcap}}\n");
	test_attach(t, 0, WEIR_HOOK_TC, 10, 0, test_prog_new(1, BPF_PROG_TYPE_SCHED_CLS, tc_vlan));
	assert_int_equal(weir_plane_attach(t->plane, &guard, 0, &filter->p, NULL), 0);
	test_attach(t, 0, WEIR_HOOK_TAP, 1, 0, tap);
	weir_plane_run(t->plane);
	test_run_to_end(t, 0);
	test_stop(t);
	a = test_ledger(t, 0);
	assert_int_equal(a.drop_guard, 1);
	assert_int_equal(a.pass, 1);
	assert_int_equal(vlan_seen.tc_tci, 0x6007);
	assert_int_equal(vlan_seen.tc_proto, 0x0081); /* big endian, as in Linux */
	assert_int_equal(vlan_seen.tc_type, 0x0008);
	assert_int_equal(vlan_seen.tc_len, 76);
	assert_int_equal(vlan_seen.guard_len, 80);
	assert_int_equal(vlan_seen.tap_len, 80);
	assert_int_equal(vlan_seen.tap_type, 0x0081);
	assert_int_equal(test_prog_runs(tap), 1);
	sprintf(path, "%s/out.pcap", t->dir);
	assert_true(test_pcap_read(path, 0, &got));
	p.bytes[0] = 0x22;
	assert_int_equal(got.len, p.len);
	assert_memory_equal(got.bytes, p.bytes, p.len);
}

static void plane__start_says_what_is_wrong(void **state)
{
	struct test_plane *t = *state;
	char why[256];

	/* Both before EAL, which could be started once only. */
	assert_int_equal(
		test_plane_start(t, why,
				 "version: 1\nports:\n  - {name: a, pcap: {rx: no.pcap}}\n"),
		-ENOENT);
	assert_non_null(strstr(why, "no.pcap: No such file"));
	weir_config_free(&t->config);
	assert_int_equal(test_plane_start(t, why,
					  "version: 1\neal: {memory: 20MiB}\nports:\n"
					  "  - {name: a, device: net_null0}\n"),
			 -ENOMEM);
	assert_non_null(strstr(why, "at least"));
	weir_config_free(&t->config);
	assert_int_equal(test_plane_start(t, why,
					  "version: 1\nports:\n"
					  "  - {name: a, device: net_null0}\n"
					  "  - {name: b, device: net_nosuch0}\n"),
			 -ENODEV);
	assert_non_null(
		strstr(why, "port b: device net_nosuch0 cannot be made: EAL: failed to parse"));
}

static void plane__optional_port_may_be_absent(void **state)
{
	struct weir_attach_spec spec = {.port = 1, .queues = UINT64_MAX};
	struct test_prog *prog = test_prog_new(1, BPF_PROG_TYPE_XDP, xdp_drop);
	struct weir_plane_port_info info;
	struct weir_plane_status status;
	struct test_plane *t = *state;

	test_plane_start(t, NULL,
			 "version: 1\nports:\n  - {name: a, device: net_null0, pass: {to: b}}\n"
			 "  - {name: b, device: net_nosuch0, required: false}\n"
			 "  - {name: c, pcap: {rx: no.pcap}, required: false}\n");
	t->errors = 0; /* EAL's own complaints */
	weir_plane_status(t->plane, &status);
	assert_true(status.degraded);
	assert_non_null(strstr(status.reasons, "port b is absent"));
	assert_non_null(strstr(status.reasons, "port c is absent"));
	weir_plane_port_info(t->plane, 1, &info);
	assert_string_equal(info.state, "absent");
	assert_int_equal(weir_plane_attach(t->plane, &spec, 0, &prog->p, NULL), -ENODEV);
	weir_plane_run(t->plane);
	test_run_ms(t, 30);
	test_stop(t);
	assert_true(test_ledger(t, 0).pass_dropped > 0);
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
		CASE(plane__budget_costs_no_other_queue),
		CASE(plane__long_packets_are_never_cut),
		CASE(plane__frags),
		CASE(plane__moved_ends_are_kept),
		CASE(plane__tc_guard_and_tap),
		CASE(plane__start_says_what_is_wrong),
		CASE(plane__optional_port_may_be_absent),
		CASE(plane__no_ports_no_eal),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
