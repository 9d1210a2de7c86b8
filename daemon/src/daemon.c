/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The composition root. Order of life: data plane (workers paused) → control plane → the file's
 * programs → workers run → READY; backwards at the end, with the data plane's RCU going last.
 *
 * The loop waits on one epoll: signals, the control plane, and a timer for the data plane's tick.
 */
#include "daemon.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "notify.h"
#include "plane.h"
#include "version.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/base/log.h"

#define TICK_NS 5000000

struct daemon {
	const char *path;
	const struct weir_config *config; /* as started with */
	struct weir_plane *plane;
	struct weir_control *control;
	int epoll_fd, signal_fd, timer_fd;
	bool stop;
};

void weir_daemon_print_version(FILE *out)
{
	fprintf(out, "weird %s\n", WEIR_VERSION);
}

int weir_daemon_check(const struct weir_config *config, struct weir_diag *diag)
{
	return weir_control_check_config_programs(config, diag);
}

static uint32_t slots_for(const struct weir_config *config)
{
	uint32_t possible = weir_possible_cpus();

	return weir_max(possible, (uint32_t)config->workers.len + 1);
}

/*
 * NULL: the control plane's own choice, $WEIR_SOCKET or the system's place. Who may not write there
 * gets a socket of their own. `buf` holds the path made here.
 */
static const char *socket_path(const struct weir_config *config, char *buf, size_t bytes)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (getenv("WEIR_SOCKET"))
		return NULL;
	if (config->control.socket)
		return config->control.socket;
	if (geteuid() == 0) {
		mkdir("/run/weir", 0755); /* the socket's bind reports what is wrong with it */
		return NULL;
	}
	if (!runtime || !runtime[0])
		return NULL;
	snprintf(buf, bytes, "%s/weir", runtime);
	mkdir(buf, 0700);
	snprintf(buf, bytes, "%s/weir/control.sock", runtime);
	return buf;
}

static int planes_start(struct daemon *d, struct weir_diag *diag)
{
	const struct weir_config *config = d->config;
	struct weir_plane_opts plane_opts = {
		.slots = slots_for(config),
		.on_budget_detach = weir_control_on_budget_detach,
		.on_trace = weir_control_on_trace,
		.arg = &d->control,
	};
	char path[PATH_MAX];
	struct weir_control_opts opts = {
		.socket_path = socket_path(config, path, sizeof(path)),
		.socket_mode = config->control.mode,
		.socket_group = config->control.group,
		.slots = plane_opts.slots,
		.config = config,
		.limits = {.connections = config->limits.connections,
			   .objects = config->limits.objects,
			   .bytes_in_flight = config->limits.in_flight_bytes,
			   .memory_bytes = config->limits.memory_bytes},
	};
	int rc;

	rc = weir_plane_start(config, &plane_opts, diag, &d->plane);
	if (rc)
		return rc;
	opts.plane = d->plane;
	opts.rcu = weir_plane_rcu(d->plane);
	opts.test_slot = weir_plane_worker_count(d->plane);
	rc = weir_control_new(&opts, diag, &d->control);
	if (rc)
		return rc;
	return weir_control_load_config_programs(d->control, config, diag);
}

static void planes_stop(struct daemon *d)
{
	if (d->control)
		weir_control_close_socket(d->control);
	if (d->plane)
		weir_plane_stop(d->plane);
	if (d->control)
		weir_control_stop(&d->control);
	weir_plane_free(&d->plane);
}

static int watch(struct daemon *d, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int loop_open(struct daemon *d, struct weir_diag *diag)
{
	const struct itimerspec tick = {.it_interval.tv_nsec = TICK_NS,
					.it_value.tv_nsec = TICK_NS};
	sigset_t signals;
	int rc = 0;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	d->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	d->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (d->epoll_fd < 0 || d->signal_fd < 0 || d->timer_fd < 0 ||
	    timerfd_settime(d->timer_fd, 0, &tick, NULL))
		rc = -errno;
	rc = rc ?: watch(d, d->signal_fd);
	rc = rc ?: watch(d, d->timer_fd);
	return rc ? weir_fail(diag, rc, "the main loop: %s", strerror(-rc)) : 0;
}

static void loop_close(struct daemon *d)
{
	weir_cleanup_close(&d->epoll_fd);
	weir_cleanup_close(&d->signal_fd);
	weir_cleanup_close(&d->timer_fd);
}

static void reload(struct daemon *d)
{
	WEIR_DIAG_ON_STACK(diag, 4096);
	struct weir_config_diff *diff = NULL;
	struct weir_config *next = NULL;
	uint32_t live = 0;
	int rc;

	weir_notify_reloading();
	rc = weir_config_load(d->path, NULL, &diag, &next);
	if (!rc)
		rc = weir_config_diff(d->config, next, &diff);
	if (rc) {
		weir_log_error("configuration not reloaded, the old one stays: %s",
			       diag.buf[0] ? diag.buf : strerror(-rc));
		weir_config_free(&next);
		weir_notify_ready();
		return;
	}
	for (size_t i = 0; i < diff->len; i++) {
		const struct weir_config_change *c = &diff->v[i];

		if (c->effect == WEIR_CONFIG_LIVE) {
			live++;
			continue;
		}
		weir_log_warning("configuration: %s changes from %s to %s at the next start",
				 c->path, c->from ? c->from : "nothing", c->to ? c->to : "nothing");
	}
	weir_log_set_level(next->log.level);
	weir_plane_reconfigure(d->plane, next);
	weir_log_notice("configuration reloaded changes=%zu live=%u", diff->len, live);
	weir_config_diff_free(&diff);
	weir_config_free(&next);
	weir_notify_ready();
}

static void on_signal(struct daemon *d)
{
	struct signalfd_siginfo info;

	while (read(d->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(d);
		else
			d->stop = true;
	}
}

static void on_tick(struct daemon *d)
{
	struct timespec now;
	uint64_t expirations;

	if (read(d->timer_fd, &expirations, sizeof(expirations)) < 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	weir_plane_tick(d->plane);
	if (weir_plane_workers_alive(d->plane))
		weir_notify_watchdog((uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec);
}

static void loop(struct daemon *d)
{
	while (!d->stop) {
		struct epoll_event events[8];
		int n = epoll_wait(d->epoll_fd, events, WEIR_ARRAY_LEN(events), -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == d->signal_fd)
				on_signal(d);
			else if (events[i].data.fd == d->timer_fd)
				on_tick(d);
		}
		/* Half-sent messages time out there, so it is called at every tick as well. */
		weir_control_step(d->control, 0);
	}
}

static void ready(struct daemon *d)
{
	struct weir_plane_status status;

	weir_plane_status(d->plane, &status);
	weir_notify_status("%u ports, %u workers%s", weir_plane_port_count(d->plane),
			   weir_plane_worker_count(d->plane), status.degraded ? ", degraded" : "");
	weir_notify_ready();
	weir_log_notice("ready version=%s ports=%u workers=%u hugepages=%s degraded=%s",
			WEIR_VERSION, weir_plane_port_count(d->plane),
			weir_plane_worker_count(d->plane), status.hugepages ? "yes" : "no",
			status.degraded ? "yes" : "no");
}

int weir_daemon_run(const char *path, const struct weir_config *config, struct weir_diag *diag)
{
	struct daemon d = {
		.path = path, .config = config, .epoll_fd = -1, .signal_fd = -1, .timer_fd = -1};
	int rc;

	weir_log_set_level(config->log.level);
	rc = loop_open(&d, diag);
	rc = rc ?: planes_start(&d, diag);
	if (!rc) {
		rc = watch(&d, weir_control_fd(d.control));
		if (rc)
			weir_fail(diag, rc, "the main loop: %s", strerror(-rc));
	}
	if (!rc) {
		weir_plane_run(d.plane);
		ready(&d);
		loop(&d);
		weir_log_notice("stopping");
		weir_notify_stopping();
	}
	planes_stop(&d);
	loop_close(&d);
	return rc;
}
