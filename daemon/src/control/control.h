/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control plane as the daemon's main() uses it: the socket, the registry of programs, maps,
 * BTF and links, the commands, and the loader thread.
 *
 * Thread: everything here belongs to the main thread. No step takes
 * longer than 1 ms; verification, compiling and TEST_RUN happen on the thread `weird/load0`.
 *
 *   weir_control_new() → weir_control_load_config_programs() → { step() }* → weir_control_stop()
 *
 * main() may wait itself on weir_control_fd() (an epoll descriptor: readable when a step has
 * work) and call step with timeout 0; it calls step at least every 100 ms either way, because
 * time-outs of half-sent messages are looked at there.
 */
#ifndef WEIR_DAEMON_CONTROL_H
#define WEIR_DAEMON_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "weir/base/diag.h"
#include "weir/base/rcu.h"

enum weir_hook;
struct weir_config;
struct weir_control;
struct weir_plane;
struct weir_plane_prog;

/* Of each user id, unless said otherwise. 0: the default in brackets. */
struct weir_control_limits {
	uint32_t connections;        /* [256] */
	uint32_t connections_total;  /* of all; those who may only read get half of it [2048] */
	uint32_t objects;            /* object descriptors [4096] */
	uint64_t bytes_in_flight;    /* requests and replies [64 MiB] */
	uint64_t insns;              /* queued or being verified [the configuration's, or 4M] */
	uint64_t memory_bytes;       /* maps, programs, BTF [half of the machine's memory] */
	uint64_t message_timeout_ns; /* for a half-sent message or a slow reader [10 s] */
	uint32_t queued_jobs;        /* loader jobs of a process [64] */
};

struct weir_control_opts {
	const char *socket_path;  /* NULL: $WEIR_SOCKET, else /run/weir/control.sock */
	uint32_t socket_mode;     /* 0: 0660 */
	const char *socket_group; /* NULL: "weir" if there is such a group; its members may read */
	uint32_t slots;           /* execution slots: max(possible CPUs, workers + 1) */
	uint32_t test_slot;       /* TEST_RUN's: the lowest slot no worker owns */
	struct weir_rcu *rcu;     /* borrowed; retired callbacks run on the main thread */
	struct weir_plane *plane; /* borrowed; NULL: the control plane alone, attach is -ENODEV */
	const struct weir_config *config; /* borrowed for the call; may be NULL */
	bool no_jit;                      /* run everything in the interpreter */
	struct weir_control_limits limits;
};

/*
 * Opens the socket (a stale one is replaced; a live one is -EADDRINUSE) and starts the loader.
 * 0 and *out, or -errno with text.
 */
int weir_control_new(const struct weir_control_opts *opts, struct weir_diag *diag,
		     struct weir_control **out);
/* Readable when weir_control_step() has work. Borrowed. */
int weir_control_fd(const struct weir_control *control);
/* Waits up to timeout_ms for work (0: not at all, -1: for ever), does at most 1 ms of it. */
int weir_control_step(struct weir_control *control, int timeout_ms);
/*
 * Loads and attaches every program the configuration names. Before the workers run; may take as
 * long as verification does. A failure leaves nothing attached: -errno with text.
 */
int weir_control_load_config_programs(struct weir_control *control,
				      const struct weir_config *config, struct weir_diag *diag);
/* `weird --check`: loads, verifies and compiles every object the configuration names. No control,
 * no socket, no plane. 0 or -errno with text. */
int weir_control_check_config_programs(const struct weir_config *config, struct weir_diag *diag);
/*
 * Ends connections and the loader, closes and unlinks the socket. First call
 * weir_control_close_socket() and weir_plane_stop(): programs go here.
 */
void weir_control_stop(struct weir_control **control);
/* No new connections or requests from here on; objects stay. Idempotent. */
void weir_control_close_socket(struct weir_control *control);

/* Of the host, as libbpf counts them: per-CPU values are transferred for so many. Any thread. */
uint32_t weir_possible_cpus(void);

/* For weir_plane_opts.on_budget_detach; arg is a `struct weir_control **` (may hold NULL). */
void weir_control_on_budget_detach(void *arg, uint32_t port, enum weir_hook hook, uint32_t priority,
				   struct weir_plane_prog *prog, struct weir_plane_prog *restored);

/* For weir_plane_opts.on_trace; arg as above: a line for `weirctl trace`. */
void weir_control_on_trace(void *arg, uint32_t slot, const char *line, size_t len_bytes);

#endif
