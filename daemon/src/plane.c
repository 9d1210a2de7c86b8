/* SPDX-License-Identifier: BSD-3-Clause */
/* The data plane's life: start, run, tick, stop. Main thread. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plane_int.h"
#include "rcu_qsbr.h"
#include "weir/base/bits.h"
#include "weir/base/log.h"

#define LINK_CHECK_NS 200000000ULL
#define STUCK_NS      1000000000ULL
#define DRAIN_STEP_NS 200000

uint64_t weir_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

void weir_plane_degrade(struct weir_plane *plane, const char *fmt, ...)
{
	size_t len = strlen(plane->degraded);
	va_list ap;

	if (len && len + 1 < sizeof(plane->degraded)) {
		plane->degraded[len++] = '\n';
		plane->degraded[len] = 0;
	}
	va_start(ap, fmt);
	vsnprintf(plane->degraded + len, sizeof(plane->degraded) - len, fmt, ap);
	va_end(ap);
}

/* An optional port that cannot be had is reported and left out; a required one ends the start. */
static int port_absent(struct weir_plane *plane, struct weir_port *port, int rc,
		       struct weir_diag *why, struct weir_diag *diag)
{
	if (port->required)
		return weir_fail(diag, rc, "%s", why->buf);
	weir_log_warning("optional port is absent: %s", why->buf);
	weir_plane_degrade(plane, "port %s is absent", port->name);
	plane->ports_missing = true;
	weir_port_stop(port);
	weir_port_close(port);
	port->present = false;
	snprintf(port->state, sizeof(port->state), "absent");
	return 0;
}

static int ports_plan(struct weir_plane *plane, const struct weir_config *config,
		      struct weir_diag *diag)
{
	for (uint32_t i = 0; i < plane->port_count; i++) {
		WEIR_DIAG_ON_STACK(why, 1024);
		int rc = weir_port_plan(&plane->ports[i], config, i, &why);

		/* A refusal is a mistake in the file, required or not. */
		if (rc == -EPERM || rc == -EINVAL)
			return weir_fail(diag, rc, "%s", why.buf);
		if (rc)
			rc = port_absent(plane, &plane->ports[i], rc, &why, diag);
		if (rc)
			return rc;
	}
	return 0;
}

static int ports_each(struct weir_plane *plane, const struct weir_config *config, bool start,
		      struct weir_diag *diag)
{
	for (uint32_t i = 0; i < plane->port_count; i++) {
		struct weir_port *port = &plane->ports[i];
		WEIR_DIAG_ON_STACK(why, 1024);
		int rc;

		if (!port->present)
			continue;
		rc = start ? weir_port_start(plane, port, &why)
			   : weir_port_open(plane, port, &config->ports.v[i], &why);
		if (rc)
			rc = port_absent(plane, port, rc, &why, diag);
		if (rc)
			return rc;
	}
	return 0;
}

static int workers_new(struct weir_plane *plane, uint32_t count, struct weir_diag *diag)
{
	size_t row_bytes = (size_t)count * plane->port_count * sizeof(*plane->rows);

	plane->workers = aligned_alloc(WEIR_CACHE_LINE, count * sizeof(*plane->workers));
	plane->rows = aligned_alloc(WEIR_CACHE_LINE, row_bytes);
	if (!plane->workers || !plane->rows)
		return weir_fail(diag, -ENOMEM, "no memory for %u workers", count);
	memset(plane->workers, 0, count * sizeof(*plane->workers));
	memset(plane->rows, 0, row_bytes);
	plane->row_count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct weir_worker *w = &plane->workers[i];

		w->plane = plane;
		w->index = w->slot = i;
		w->rows = &plane->rows[(size_t)i * plane->port_count];
		plane->worker_count++;
		w->out = calloc(plane->port_count, sizeof(*w->out));
		w->trace = aligned_alloc(WEIR_CACHE_LINE, sizeof(*w->trace));
		if (w->trace)
			memset(w->trace, 0, sizeof(*w->trace));
		if (!w->out || !w->trace)
			return weir_fail(diag, -ENOMEM, "no memory for %u workers", count);
	}
	return 0;
}

static int ifindexes_new(struct weir_plane *plane, struct weir_diag *diag)
{
	uint32_t size = (uint32_t)weir_pow2_roundup(plane->port_count * 2 + 1);

	plane->ifindexes = calloc(size, sizeof(*plane->ifindexes));
	if (!plane->ifindexes)
		return weir_fail(diag, -ENOMEM, "no memory for %u ports", plane->port_count);
	plane->ifindex_mask = size - 1;
	for (uint32_t i = 0; i < plane->port_count; i++) {
		uint32_t at = plane->ports[i].ifindex & plane->ifindex_mask;

		if (!plane->ports[i].present)
			continue;
		while (plane->ifindexes[at].ifindex)
			at = (at + 1) & plane->ifindex_mask;
		plane->ifindexes[at].ifindex = plane->ports[i].ifindex;
		plane->ifindexes[at].port = i;
	}
	return 0;
}

int32_t weir_plane_ifindex_find(const struct weir_plane *plane, uint32_t ifindex)
{
	uint32_t at = ifindex & plane->ifindex_mask;

	if (!ifindex || !plane->ifindexes)
		return -1;
	for (; plane->ifindexes[at].ifindex; at = (at + 1) & plane->ifindex_mask)
		if (plane->ifindexes[at].ifindex == ifindex)
			return (int32_t)plane->ifindexes[at].port;
	return -1;
}

static int attach_new(struct weir_plane *plane, struct weir_diag *diag)
{
	struct weir_attach_port_desc descs[WEIR_CONFIG_MAX_PORTS];
	int rc;

	for (uint32_t i = 0; i < plane->port_count; i++) {
		descs[i].name = plane->ports[i].name;
		descs[i].rx_queues = plane->ports[i].rx_queues;
		descs[i].absent = !plane->ports[i].present;
	}
	rc = weir_attach_new(plane->port_count, descs, plane->opts.slots, plane->rcu,
			     &plane->attach);
	if (rc)
		return weir_fail(diag, rc, "no memory for attachments");
	for (uint32_t i = 0; i < plane->port_count; i++)
		plane->ports[i].head = weir_attach_head(plane->attach, i);
	return 0;
}

/* A packet passed to a port that is absent is dropped and counted so. */
static void pass_targets_check(struct weir_plane *plane)
{
	for (uint32_t i = 0; i < plane->port_count; i++) {
		struct weir_port *port = &plane->ports[i];

		if (port->pass_to >= 0 && !plane->ports[port->pass_to].present) {
			weir_log_warning(
				"packets passed are dropped: their target is absent port=%s "
				"pass_to=%s",
				port->name, plane->ports[port->pass_to].name);
			port->pass_to = -1;
		}
	}
}

static int plane_start_ports(struct weir_plane *plane, const struct weir_config *config,
			     struct weir_diag *diag)
{
	struct weir_pool_need need;
	int rc;

	plane->port_count = (uint32_t)config->ports.len;
	plane->ports = calloc(plane->port_count, sizeof(*plane->ports));
	if (!plane->ports)
		return weir_fail(diag, -ENOMEM, "no memory for %u ports", plane->port_count);
	if (config->workers.len + 1 > plane->opts.slots)
		return weir_fail(diag, -EINVAL, "%zu workers for %u execution slots",
				 config->workers.len, plane->opts.slots);
	rc = ports_plan(plane, config, diag);
	if (!rc)
		rc = workers_new(plane, (uint32_t)config->workers.len, diag);
	if (rc)
		return rc;
	weir_pool_need(plane, config, &need);
	rc = weir_eal_start(plane, config, need.bytes, diag);
	rc = rc ?: weir_pool_create(plane, &need, diag);
	rc = rc ?: ports_each(plane, config, false, diag);
	rc = rc ?: ports_each(plane, config, true, diag);
	rc = rc ?: weir_workers_wire(plane, config, diag);
	rc = rc ?: ifindexes_new(plane, diag);
	rc = rc ?: attach_new(plane, diag);
	if (rc)
		return rc;
	pass_targets_check(plane);
	return weir_workers_start(plane, config, diag);
}

int weir_plane_start(const struct weir_config *config, const struct weir_plane_opts *opts,
		     struct weir_diag *diag, struct weir_plane **out)
{
	struct weir_plane *plane = calloc(1, sizeof(*plane));
	int rc;

	if (!plane)
		return weir_fail(diag, -ENOMEM, "no memory for the data plane");
	plane->opts = *opts;
	plane->drain_ns = config->drain_ns;
	rc = weir_rcu_qsbr_new(opts->slots, &plane->rcu);
	if (rc)
		weir_fail(diag, rc, "no memory for %u execution slots", opts->slots);
	else if (config->ports.len)
		rc = plane_start_ports(plane, config, diag);
	else
		rc = attach_new(plane, diag);
	if (rc) {
		weir_plane_free(&plane);
		return rc;
	}
	*out = plane;
	return 0;
}

void weir_plane_run(struct weir_plane *plane)
{
	plane->running = true;
	weir_workers_order(plane, WEIR_WORKER_RUN);
}

void weir_plane_reconfigure(struct weir_plane *plane, const struct weir_config *config)
{
	plane->drain_ns = config->drain_ns;
	if (!plane->worker_count)
		return;
	weir_workers_idle_policy(plane, config);
	for (uint32_t i = 0; i < plane->worker_count; i++)
		__atomic_store_n(&plane->workers[i].exec.budget_ns, config->run_budget_ns,
				 __ATOMIC_RELAXED);
}

struct weir_rcu *weir_plane_rcu(struct weir_plane *plane)
{
	return plane->rcu;
}

static void budget_detached(void *arg, uint32_t port, enum weir_hook hook, uint32_t priority,
			    struct weir_plane_prog *prog, struct weir_plane_prog *restored)
{
	struct weir_plane *plane = arg;

	/* One event, one line: who is told writes it. */
	if (plane->opts.on_budget_detach) {
		plane->opts.on_budget_detach(plane->opts.arg, port, hook, priority, prog, restored);
		return;
	}
	weir_log_error("program detached cause=budget port=%s hook=%s priority=%u prog=%u "
		       "name=\"%s\" restored=%u",
		       plane->ports[port].name, weir_plane_hook_name(hook), priority, prog->id,
		       prog->name, restored ? restored->id : 0);
}

/* A worker that does not loop is within one burst: programs are bounded, drivers should be. */
static void watch_worker(struct weir_worker *w, uint64_t now_ns)
{
	uint64_t loops = __atomic_load_n(&w->loops, __ATOMIC_RELAXED);

	if (loops != w->loops_seen || !w->loops_seen_ns) {
		if (w->stuck_logged)
			weir_log_notice("worker goes on worker=%u", w->index);
		w->loops_seen = loops;
		w->loops_seen_ns = now_ns;
		w->stuck_logged = false;
	} else if (now_ns - w->loops_seen_ns > STUCK_NS && !w->stuck_logged) {
		weir_log_error("worker has not finished a burst for a second worker=%u cpu=%d",
			       w->index, w->cpu);
		w->stuck_logged = true;
	}
}

static void trace_pass_on(struct weir_plane *plane, struct weir_worker *w)
{
	char line[WEIR_TRACE_LINE_MAX + 1];
	int len;

	/* A tick's worth; a program that traces every packet waits for the next. */
	for (int i = 0; i < 64 && (len = weir_trace_ring_get(w->trace, line)) >= 0; i++) {
		if (plane->opts.on_trace)
			plane->opts.on_trace(plane->opts.arg, w->slot, line, (size_t)len);
		else
			weir_log_info("trace slot=%u %s", w->slot, line);
	}
}

void weir_plane_tick(struct weir_plane *plane)
{
	uint64_t now_ns = weir_now_ns();

	weir_rcu_qsbr_drain(plane->rcu);
	if (!plane->eal_running)
		return;
	weir_attach_budget_scan(plane->attach, now_ns, budget_detached, plane);
	for (uint32_t i = 0; i < plane->worker_count; i++) {
		watch_worker(&plane->workers[i], now_ns);
		trace_pass_on(plane, &plane->workers[i]);
	}
	if (now_ns - plane->link_checked_ns < LINK_CHECK_NS)
		return;
	plane->link_checked_ns = now_ns;
	for (uint32_t i = 0; i < plane->port_count; i++)
		weir_port_watch(plane, &plane->ports[i]);
}

bool weir_plane_workers_alive(struct weir_plane *plane)
{
	for (uint32_t i = 0; i < plane->worker_count; i++)
		if (plane->workers[i].stuck_logged)
			return false;
	return true;
}

/* --- stop --------------------------------------------------------------------------------- */

static bool rings_empty(const struct weir_plane *plane)
{
	for (uint32_t i = 0; i < plane->worker_count; i++)
		for (uint32_t k = 0; k < plane->workers[i].tx_ring_count; k++)
			if (!rte_ring_empty(plane->workers[i].tx_rings[k].ring))
				return false;
	return true;
}

/* Every worker began `more` loops after the order, so each burst begun before it is done. */
static bool loops_passed(const struct weir_plane *plane, const uint64_t *from, uint64_t more)
{
	for (uint32_t i = 0; i < plane->worker_count; i++)
		if (__atomic_load_n(&plane->workers[i].loops, __ATOMIC_ACQUIRE) - from[i] < more)
			return false;
	return true;
}

static void drain(struct weir_plane *plane)
{
	const struct timespec step = {.tv_nsec = DRAIN_STEP_NS};
	uint64_t from[WEIR_CONFIG_MAX_WORKERS], end = weir_now_ns() + plane->drain_ns;

	for (uint32_t i = 0; i < plane->worker_count; i++)
		from[i] = __atomic_load_n(&plane->workers[i].loops, __ATOMIC_ACQUIRE);
	weir_workers_order(plane, WEIR_WORKER_DRAIN);
	while (!(loops_passed(plane, from, 2) && rings_empty(plane)) && weir_now_ns() < end)
		nanosleep(&step, NULL);
}

/* What the time did not suffice for is counted, so that the ledger stays exact. */
static void rings_discard(struct weir_plane *plane)
{
	for (uint32_t i = 0; i < plane->worker_count; i++)
		for (uint32_t k = 0; k < plane->workers[i].tx_ring_count; k++) {
			const struct weir_tx_ring *from = &plane->workers[i].tx_rings[k];
			void *m;

			while (!rte_ring_sc_dequeue(from->ring, &m)) {
				rte_pktmbuf_free(m);
				plane->workers[i].rows[from->port].v.tx_full++;
			}
		}
}

static void ledger_log(struct weir_plane *plane, uint32_t index)
{
	struct weir_ledger l;
	const char *wrong;

	if (weir_plane_ledger(plane, index, &l))
		return;
	wrong = weir_ledger_check(&l);
	weir_log_notice(
		"ledger port=%s rx=%llu drop=%llu aborted=%llu pass=%llu tx=%llu redirect=%llu "
		"in_flight=%llu own_tx=%llu redirected_in=%llu passed_in=%llu sent=%llu "
		"tx_full=%llu "
		"tx_error=%llu nic_missed=%llu nic_no_mbuf=%llu nic_error=%llu balance=%s",
		plane->ports[index].name, (unsigned long long)l.rx, (unsigned long long)l.drop,
		(unsigned long long)l.aborted, (unsigned long long)l.pass, (unsigned long long)l.tx,
		(unsigned long long)l.redirect, (unsigned long long)l.in_flight,
		(unsigned long long)l.own_tx, (unsigned long long)l.redirected_in,
		(unsigned long long)l.passed_in, (unsigned long long)l.sent,
		(unsigned long long)l.tx_full, (unsigned long long)l.tx_error,
		(unsigned long long)l.nic_missed, (unsigned long long)l.nic_no_mbuf,
		(unsigned long long)l.nic_error, wrong ? wrong : "exact");
}

void weir_plane_stop(struct weir_plane *p)
{
	if (p->running)
		drain(p);
	weir_workers_order(p, WEIR_WORKER_QUIT);
	weir_workers_join(p);
	rings_discard(p);
	if (p->running)
		for (uint32_t i = 0; i < p->port_count; i++)
			ledger_log(p, i);
	p->running = false;
	for (uint32_t i = 0; i < p->port_count; i++)
		weir_port_stop(&p->ports[i]);
	for (uint32_t i = 0; i < p->port_count; i++)
		weir_port_close(&p->ports[i]);
	weir_workers_free(p);
	weir_attach_free(&p->attach);
	/* Nobody is online any more but TEST_RUN, which ends by itself. */
	while (weir_rcu_qsbr_drain(p->rcu))
		p->rcu->ops->synchronize(p->rcu);
	if (p->eal_running)
		weir_pool_free(p);
	weir_eal_stop(p);
}

void weir_plane_free(struct weir_plane **plane)
{
	struct weir_plane *p = *plane;

	if (!p)
		return;
	if (p->rcu)
		weir_plane_stop(p);
	weir_rcu_qsbr_free(&p->rcu);
	free(p->ifindexes);
	free(p->rows);
	free(p->ports);
	free(p);
	*plane = NULL;
}
