/* SPDX-License-Identifier: BSD-3-Clause */
/* The control plane's life: making it, one step of it, and its end. */
#include "control.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"
#include "weir/base/cleanup.h"
#include "weir/config/config.h"

#define STEP_NS      1000000
#define TIMEOUT_NS   250000000 /* between two looks for messages that are late */
#define BATCH_EVENTS 32

static uint64_t clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

uint64_t weir_clock_ns(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

uint64_t weir_realtime_ns(void)
{
	return clock_read(CLOCK_REALTIME);
}

/* As libbpf counts them: the last number of "0-3" or "0,2-5", plus one. */
uint32_t weir_possible_cpus(void)
{
	weir_autofclose FILE *f = fopen("/sys/devices/system/cpu/possible", "re");
	uint32_t last = 0, n = 0;
	int ch;

	while (f && (ch = fgetc(f)) != EOF) {
		if (ch >= '0' && ch <= '9')
			n = n * 10 + (uint32_t)(ch - '0');
		else
			n = 0;
		last = weir_max(last, n);
	}
	if (f)
		return last + 1;
	return (uint32_t)weir_max(sysconf(_SC_NPROCESSORS_CONF), 1L);
}

static void limits_fill(struct weir_control_limits *l)
{
	struct sysinfo si;

	if (!l->connections)
		l->connections = 256;
	if (!l->connections_total)
		l->connections_total = 2048;
	if (!l->objects)
		l->objects = 4096;
	if (!l->bytes_in_flight)
		l->bytes_in_flight = 64U << 20;
	if (!l->message_timeout_ns)
		l->message_timeout_ns = 10000000000ULL;
	if (!l->insns)
		l->insns = 4000000;
	if (!l->queued_jobs)
		l->queued_jobs = 64;
	if (!l->memory_bytes)
		l->memory_bytes =
			sysinfo(&si) ? 1ULL << 32 : (uint64_t)si.totalram * si.mem_unit / 2;
}

/* Every token is a descriptor here: the soft limit of 1024 is soon reached. */
static void descriptors_raise(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur == r.rlim_max)
		return;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r))
		weir_log_notice("descriptor limit stays at its soft value errno=%d", errno);
}

static int source_add(struct weir_control *c, struct source *s, enum source_kind kind, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};

	s->kind = kind;
	return epoll_ctl(c->epfd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int sources_open(struct weir_control *c, struct weir_diag *diag)
{
	int err;

	c->epfd = epoll_create1(EPOLL_CLOEXEC);
	c->token_epfd = epoll_create1(EPOLL_CLOEXEC);
	err = c->epfd < 0 || c->token_epfd < 0 ? -errno : 0;
	if (!err)
		err = source_add(c, &c->listen_source, SOURCE_LISTEN, c->listen_fd);
	if (!err)
		err = source_add(c, &c->tokens_source, SOURCE_TOKENS, c->token_epfd);
	if (!err)
		err = weir_loader_start(&c->loader);
	if (!err)
		err = source_add(c, &c->loader_source, SOURCE_LOADER, c->loader.eventfd);
	return err ? weir_fail(diag, err, "control plane: %s", strerror(-err)) : 0;
}

static const char *path_choose(const char *given)
{
	const char *env = getenv("WEIR_SOCKET");

	if (given)
		return given;
	return env && *env ? env : WEIR_SOCKET_DEFAULT;
}

static int socket_open(struct weir_control *c, const struct weir_control_opts *opts,
		       struct weir_diag *diag)
{
	const char *path = path_choose(opts->socket_path);
	struct group *gr = getgrnam(opts->socket_group ? opts->socket_group : "weir");
	struct stat st;
	int err;

	if (gr) {
		c->has_read_gid = true;
		c->read_gid = gr->gr_gid;
	}
	c->socket_path = strdup(path);
	if (!c->socket_path)
		return -ENOMEM;
	err = weir_socket_listen(path, opts->socket_mode ? opts->socket_mode : 0660,
				 opts->socket_group, diag, &c->listen_fd);
	if (!err && !stat(path, &st))
		c->socket_ino = st.st_ino;
	return err;
}

static int control_fill(struct weir_control *c, const struct weir_control_opts *opts,
			struct weir_diag *diag)
{
	int err;

	c->limits = opts->limits;
	if (!c->limits.insns && opts->config)
		c->limits.insns = opts->config->limits.instructions;
	limits_fill(&c->limits);
	c->slots = opts->slots;
	c->test_slot = opts->test_slot;
	c->possible_cpus = weir_min(weir_possible_cpus(), opts->slots);
	c->rcu = opts->rcu;
	c->plane = opts->plane;
	c->maps_env = (struct weir_maps_env){.slots = opts->slots, .rcu = opts->rcu};
	c->started_ns = weir_realtime_ns();
	err = weir_trace_new(&c->trace);
	if (!err && !opts->no_jit && weir_jit_supported())
		err = weir_codemem_new(0, diag, &c->codemem);
	return err;
}

int weir_control_new(const struct weir_control_opts *opts, struct weir_diag *diag,
		     struct weir_control **out)
{
	struct weir_control *c;
	int err;

	if (!opts->rcu || opts->test_slot >= opts->slots)
		return weir_fail(diag, -EINVAL,
				 "control plane: expected an RCU and a test slot "
				 "below %u, found %u",
				 opts->slots, opts->test_slot);
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->epfd = c->token_epfd = c->listen_fd = c->loader.eventfd = -1;
	descriptors_raise();
	err = control_fill(c, opts, diag);
	if (!err)
		err = socket_open(c, opts, diag);
	if (!err)
		err = sources_open(c, diag);
	if (err) {
		weir_control_stop(&c);
		return err;
	}
	weir_log_info("control socket open path=\"%s\"", c->socket_path);
	*out = c;
	return 0;
}

int weir_control_fd(const struct weir_control *control)
{
	return control->epfd;
}

static void dead_free(struct weir_control *c)
{
	struct source *s, *next;

	for (s = c->dead; s; s = next) {
		next = s->next_dead;
		free(s);
	}
	c->dead = NULL;
}

static void listen_event(struct weir_control *c)
{
	uint32_t suppressed;
	int err = weir_conn_accept(c);

	if (!err || err == -EAGAIN)
		return;
	/* Out of descriptors: the backlog waits; level-triggered, so breathe. */
	if (weir_log_limit_pass(&c->accept_limit, weir_clock_ns(), 1, 10000000000ULL, &suppressed))
		weir_log_error("connection not accepted errno=%d suppressed=%u", -err, suppressed);
	epoll_ctl(c->epfd, EPOLL_CTL_DEL, c->listen_fd, NULL);
	c->listen_paused = true;
}

static void timers(struct weir_control *c)
{
	uint64_t now = weir_clock_ns();

	if (now - c->last_timeouts_ns < TIMEOUT_NS)
		return;
	c->last_timeouts_ns = now;
	weir_conn_timeouts(c, now);
	if (c->listen_paused && c->listen_fd >= 0 &&
	    !source_add(c, &c->listen_source, SOURCE_LISTEN, c->listen_fd))
		c->listen_paused = false;
}

static void event_handle(struct weir_control *c, const struct epoll_event *ev)
{
	struct source *s = ev->data.ptr;

	if (s->dead)
		return;
	switch (s->kind) {
	case SOURCE_LISTEN: listen_event(c); break;
	case SOURCE_LOADER: weir_loader_finish(c); break;
	case SOURCE_TOKENS: weir_token_reap(c); break;
	case SOURCE_CONN: weir_conn_event((struct conn *)s, ev->events); break;
	default: break;
	}
}

int weir_control_step(struct weir_control *c, int timeout_ms)
{
	struct epoll_event ev[BATCH_EVENTS];
	uint64_t start;
	int n;

	n = epoll_wait(c->epfd, ev, BATCH_EVENTS, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	start = weir_clock_ns();
	/* What is left over is ready still, behind what others have waiting. */
	for (int i = 0; i < n; i++) {
		event_handle(c, &ev[i]);
		if (weir_clock_ns() - start > STEP_NS * 3 / 4)
			break;
	}
	timers(c);
	if (c->collect_wanted)
		weir_registry_collect(c);
	dead_free(c);
	return 0;
}

void weir_control_close_socket(struct weir_control *c)
{
	struct stat st;

	if (c->listen_fd >= 0) {
		/* Somebody may have put another weird's socket there. */
		if (!stat(c->socket_path, &st) && st.st_ino == c->socket_ino)
			unlink(c->socket_path);
		close(c->listen_fd);
		c->listen_fd = -1;
	}
	while (c->conns)
		weir_conn_close(c->conns, "weird stops");
}

static void links_drop(struct weir_control *c)
{
	struct obj_table *t = &c->tables[WEIR_OBJECT_LINK];

	for (size_t i = 0; i < t->objs.len; i++)
		((struct link_obj *)t->objs.v[i])->attached = false;
}

void weir_control_stop(struct weir_control **control)
{
	struct weir_control *c = *control;

	if (!c)
		return;
	weir_control_close_socket(c);
	weir_loader_stop(&c->loader);
	if (c->loader.eventfd >= 0)
		weir_loader_finish(c);
	c->stopping = true;
	links_drop(c); /* the data plane has stopped */
	weir_token_drop_all(c);
	weir_pin_drop_all(c);
	weir_registry_collect(c);
	if (c->loader.eventfd >= 0)
		weir_loader_finish(c);
	dead_free(c);
	for (int k = WEIR_OBJECT_PROG; k < WEIR_OBJECT_ANY; k++) {
		if (c->tables[k].objs.len)
			weir_log_warning("objects left at the end kind=%d count=%zu", k,
					 c->tables[k].objs.len);
		weir_vec_free(&c->tables[k].objs);
	}
	weir_codemem_free(&c->codemem);
	weir_trace_free(&c->trace);
	weir_cleanup_close(&c->epfd);
	weir_cleanup_close(&c->token_epfd);
	weir_cleanup_close(&c->loader.eventfd);
	free(c->socket_path);
	free(c);
	*control = NULL;
}

void weir_control_on_trace(void *arg, uint32_t slot, const char *line, size_t len_bytes)
{
	struct weir_control *c = *(struct weir_control **)arg;

	if (c)
		weir_trace_add(&c->trace, line, len_bytes);
}
