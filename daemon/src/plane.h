/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The seam between the control plane (control*.c: socket, registry, commands) and the data plane
 * (eal.c, port*.c, worker*.c, attach.c). The control plane knows no DPDK type; the data plane
 * knows no message.
 *
 * Thread: every function here is called by the main thread only, unless it says otherwise, and
 * takes no longer than 1 ms (attach waits for no grace period; retirement is asynchronous).
 */
#ifndef WEIR_DAEMON_PLANE_H
#define WEIR_DAEMON_PLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/base/diag.h"
#include "weir/base/rcu.h"
#include "weir/config/config.h"
#include "weir/vm/prog.h"

enum weir_hook {
	WEIR_HOOK_XDP = 0,
	WEIR_HOOK_TC,
	WEIR_HOOK_TAP,
	WEIR_HOOK_COUNT,
};

/* A loaded program as the data plane runs it. Owned by the registry, which keeps it alive until
 * release() was called after the last attachment's grace period. */
struct weir_plane_prog {
	uint32_t id;
	uint32_t type;                 /* enum bpf_prog_type */
	uint32_t expected_attach_type; /* enum bpf_attach_type, as the program was loaded */
	char name[16];
	bool has_frags;
	const struct weir_code *code;
	/* Per slot, one cache line apart; written by that slot's worker, read by anyone. */
	struct weir_plane_prog_stats {
		_Alignas(64) uint64_t runs;
		uint64_t run_ns;      /* only while statistics are on */
		uint64_t verdicts[8]; /* indexed by verdict; XDP 0..4; [7]: anything else */
		uint64_t budget_overruns;
	} * stats;
	uint32_t slots;
	void (*hold)(struct weir_plane_prog *prog);    /* main thread */
	void (*release)(struct weir_plane_prog *prog); /* main thread; after the grace period */
};

struct weir_plane; /* all ports and workers */

struct weir_plane_opts {
	uint32_t slots;
	/* Called on the main thread when the data plane detached a program by itself (run budget).
	 */
	void (*on_budget_detach)(void *arg, uint32_t port, enum weir_hook hook, uint32_t priority,
				 struct weir_plane_prog *prog, struct weir_plane_prog *restored);
	/* bpf_trace_printk of a program that a worker ran; main thread, from tick. NULL: logged. */
	void (*on_trace)(void *arg, uint32_t slot, const char *line, size_t len);
	void *arg;
};

/*
 * Starts EAL if the config has ports, opens and checks every port, starts workers (paused). The
 * config is borrowed for the call only. 0; -EINVAL, -ENODEV, -EPERM, -ENOMEM, -EIO with text.
 */
int weir_plane_start(const struct weir_config *config, const struct weir_plane_opts *opts,
		     struct weir_diag *diag, struct weir_plane **out);
/* Lets the workers poll: call it once the config's programs are attached, so that no packet of a
 * finite source passes before them. */
void weir_plane_run(struct weir_plane *plane);
/* Takes over what a changed config changes without a restart: run budget and idle policy. */
void weir_plane_reconfigure(struct weir_plane *plane, const struct weir_config *config);
/*
 * RX stop, drain up to the configured time, workers joined, the ledger logged, ports closed, every
 * program released. RCU and the ledgers stay until weir_plane_free(); attaching is -ENODEV.
 */
void weir_plane_stop(struct weir_plane *plane);
/* Stops it if need be. Whoever borrows its RCU is gone. */
void weir_plane_free(struct weir_plane **plane);
struct weir_rcu *weir_plane_rcu(struct weir_plane *plane);
/* Runs retired callbacks, watchdog, budget reports, link watching; call every ~10 ms or sooner. */
void weir_plane_tick(struct weir_plane *plane);
bool weir_plane_workers_alive(struct weir_plane *plane); /* each loop counter advanced */

struct weir_plane_port_info {
	uint32_t index; /* 0.. in config order */
	uint32_t ifindex;
	char name[64];
	char device[128];
	char state[16]; /* "up", "down", "absent", "ended" (a finite capture was read to its end) */
	char mac[18];
	uint32_t rx_queues, tx_queues;
	uint32_t mtu;
	bool required;
};
uint32_t weir_plane_port_count(struct weir_plane *plane);
int weir_plane_port_info(struct weir_plane *plane, uint32_t index,
			 struct weir_plane_port_info *out);
int weir_plane_port_find(struct weir_plane *plane, const char *name, uint32_t *index);
int weir_plane_port_by_ifindex(struct weir_plane *plane, uint32_t ifindex, uint32_t *index);

/* The ledger of a port; all packets. Any thread. See docs/ARCHITECTURE.md for the equations. */
struct weir_ledger {
	/* in: rx + injected + cloned = drop + aborted + pass + tx + redirect + in_flight */
	uint64_t rx, rx_bytes, injected, cloned;
	uint64_t drop, aborted, pass, tx, redirect, in_flight;
	/* out: own_tx + redirected_in + from_kernel + passed_in
	 *      = sent + tx_full + tx_error + out_in_flight */
	uint64_t own_tx, redirected_in, from_kernel, passed_in;
	uint64_t sent, sent_bytes, tx_full, tx_error, out_in_flight;
	/* pass = to_kernel + kernel_full + to_port + pass_dropped */
	uint64_t to_kernel, kernel_full, to_port, pass_dropped;
	/* causes of drop and aborted: they sum to them */
	uint64_t drop_prog, drop_guard, drop_too_long, drop_no_target;
	uint64_t aborted_prog, aborted_budget, aborted_code;
	uint64_t linearised, head_grown;
	/* wire, beside it */
	uint64_t nic_missed, nic_no_mbuf, nic_error;
};
int weir_plane_ledger(struct weir_plane *plane, uint32_t index, struct weir_ledger *out);

struct weir_plane_mbufs {
	uint64_t total, free_count, in_use;
};
void weir_plane_mbufs(struct weir_plane *plane, struct weir_plane_mbufs *out);

struct weir_plane_worker_info {
	uint32_t index, slot, cpu;
	uint64_t loops, packets, bursts, idle_sleeps;
};
uint32_t weir_plane_worker_count(struct weir_plane *plane);
int weir_plane_worker_info(struct weir_plane *plane, uint32_t index,
			   struct weir_plane_worker_info *out);

/* One attachment; queues is a bit mask of RX queues (UINT64_MAX: all). */
struct weir_attach_spec {
	uint32_t port;
	enum weir_hook hook;
	uint32_t priority; /* lower runs first; at most one program a place */
	uint64_t queues;
	bool guard; /* socket filter at tc: 0 drops */
};

/* "xdp", "tc", "tap"; "?" for anything else. */
const char *weir_plane_hook_name(enum weir_hook hook);
/* May a program of this type run there? Needs no data plane. 0, or -EINVAL with what is expected.
 */
int weir_plane_hook_check(const struct weir_attach_spec *spec, const struct weir_plane_prog *prog,
			  struct weir_diag *diag);

#define WEIR_ATTACH_ANY UINT32_MAX /* expected_id: no comparison */

/*
 * Compare-and-swap of the place (port, hook, priority): expected_id is the program there now (0:
 * none). prog NULL detaches. Holds prog. The program it replaces stays held as what a run-budget
 * detach restores, until the next change of the place; what is held no more is released after its
 * grace period.
 * 0; -EEXIST (something is there, 0 was expected); -ENOENT (nothing or another program there);
 * -EINVAL (hook and type do not fit, a program for entries of a map, queues out of range); -ENODEV;
 * -ENOMEM.
 */
int weir_plane_attach(struct weir_plane *plane, const struct weir_attach_spec *spec,
		      uint32_t expected_id, struct weir_plane_prog *prog, struct weir_diag *diag);

struct weir_attach_info {
	struct weir_attach_spec spec;
	uint32_t prog_id;
	char prog_name[16];
	uint32_t previous_id; /* restored if the run budget detaches prog_id; 0: none */
	uint64_t since_ns;    /* CLOCK_REALTIME */
};
/* Attachments of all ports in order; returns how many there are, fills up to max. */
uint32_t weir_plane_attachments(struct weir_plane *plane, struct weir_attach_info *out,
				uint32_t max);

/* Status lines for the operator: hugepages in use, degraded ports, DPDK version. */
struct weir_plane_status {
	bool eal_running;
	bool hugepages;
	bool degraded;
	char reasons[512]; /* one a line */
	char dpdk_version[64];
};
void weir_plane_status(struct weir_plane *plane, struct weir_plane_status *out);

#endif
