/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Worker threads: which queues each serves, how it reaches the ports it has no queue of, and the
 * loop.
 *
 * A worker belongs to execution slot = its index. It is online in RCU while it polls and offline
 * whenever it sleeps. Orders come by one relaxed word; everything else it reads was written before
 * it was started, or is an atomic of its own.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

#include "plane_int.h"
#include "rcu_qsbr.h"
#include "weir/base/bits.h"
#include "weir/base/log.h"

#define PAUSE_NS 1000000

static void worker_sleep(struct weir_worker *w, uint64_t ns)
{
	const struct timespec t = {.tv_sec = (time_t)(ns / 1000000000ULL),
				   .tv_nsec = (long)(ns % 1000000000ULL)};

	rte_rcu_qsbr_thread_offline(w->rcu, w->slot);
	nanosleep(&t, NULL);
	rte_rcu_qsbr_thread_online(w->rcu, w->slot);
}

/* Sleeps once nothing has come for long enough; the clock is read in empty loops only. */
static void worker_idle(struct weir_worker *w, uint64_t *idle_since)
{
	uint64_t after = __atomic_load_n(&w->idle_after_cycles, __ATOMIC_RELAXED);
	uint64_t now = rte_rdtsc();

	if (!*idle_since)
		*idle_since = now;
	if (after == UINT64_MAX || now - *idle_since < after) {
		rte_pause();
		return;
	}
	weir_stat_add(&w->idle_sleeps, 1);
	worker_sleep(w, __atomic_load_n(&w->idle_sleep_ns, __ATOMIC_RELAXED));
}

static uint32_t worker_poll(struct weir_worker *w)
{
	struct rte_mbuf *pkts[WEIR_BURST];
	uint32_t found = 0;

	for (uint32_t i = 0; i < w->rxq_count; i++) {
		struct weir_port *port = w->rxqs[i].port;
		uint16_t n;

		n = rte_eth_rx_burst(port->port_id, w->rxqs[i].queue, pkts, WEIR_BURST);
		if (!n)
			continue;
		weir_burst(w, port, w->rxqs[i].queue, pkts, n);
		weir_stat_add(&w->bursts, 1);
		found += n;
	}
	if (found)
		weir_stat_add(&w->packets, found);
	return found;
}

static void worker_loop(struct weir_worker *w)
{
	uint64_t idle_since = 0;
	uint32_t order, found;

	rte_rcu_qsbr_thread_online(w->rcu, w->slot);
	while ((order = __atomic_load_n(&w->order, __ATOMIC_RELAXED)) != WEIR_WORKER_QUIT) {
		/* Released: who sees the loop counted sees what the loop did. */
		__atomic_store_n(&w->loops, w->loops + 1, __ATOMIC_RELEASE);
		found = 0;
		if (order == WEIR_WORKER_RUN)
			found = worker_poll(w);
		if (w->tx_ring_count)
			found += weir_tx_rings_empty(w);
		rte_rcu_qsbr_quiescent(w->rcu, w->slot);
		if (weir_likely(found))
			idle_since = 0;
		else if (order == WEIR_WORKER_RUN)
			worker_idle(w, &idle_since);
		else if (order == WEIR_WORKER_PAUSE)
			worker_sleep(w, PAUSE_NS);
	}
	rte_rcu_qsbr_thread_offline(w->rcu, w->slot);
}

static void *worker_main(void *arg)
{
	struct weir_worker *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "weird/w%u", w->index);
	pthread_setname_np(pthread_self(), name);
	prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
	/* Registered threads have a place in the pool's caches. */
	w->register_err = rte_thread_register() ? -rte_errno : 0;
	__atomic_store_n(&w->ready, 1, __ATOMIC_RELEASE);
	if (w->register_err)
		return NULL;
	worker_loop(w);
	rte_thread_unregister();
	return NULL;
}

/* --- wiring ------------------------------------------------------------------------------- */

static int rxq_add(struct weir_worker *w, struct weir_port *port, uint16_t queue)
{
	struct weir_rxq *v = realloc(w->rxqs, (w->rxq_count + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	v[w->rxq_count++] = (struct weir_rxq){.port = port, .queue = queue};
	w->rxqs = v;
	return 0;
}

static int tx_ring_add(struct weir_worker *w, struct rte_ring *ring, uint32_t port)
{
	struct weir_tx_ring *v = realloc(w->tx_rings, (w->tx_ring_count + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	v[w->tx_ring_count++] = (struct weir_tx_ring){.ring = ring, .port = port};
	w->tx_rings = v;
	return 0;
}

/* Worker i has TX queue i; those beyond the last queue send through a ring to a worker that has. */
static int wire_tx(struct weir_plane *plane, struct weir_port *port, struct weir_diag *diag)
{
	for (uint32_t i = 0; i < plane->worker_count; i++) {
		struct weir_worker *owner = &plane->workers[i % port->tx_queues];
		struct weir_out *out = &plane->workers[i].out[port->index];
		char name[RTE_RING_NAMESIZE];

		out->queue = i < port->tx_queues ? (int32_t)i : -1;
		if (out->queue >= 0)
			continue;
		snprintf(name, sizeof(name), "weir-tx-%u-%u", port->index, i);
		out->ring = rte_ring_create(name, WEIR_TX_RING_SLOTS, SOCKET_ID_ANY,
					    RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!out->ring || tx_ring_add(owner, out->ring, port->index))
			return weir_fail(diag, -ENOMEM,
					 "port %s: %u TX queues for %u workers, and no memory for "
					 "a ring between them: %s",
					 port->name, port->tx_queues, plane->worker_count,
					 rte_strerror(rte_errno));
	}
	return 0;
}

int weir_workers_wire(struct weir_plane *plane, const struct weir_config *config,
		      struct weir_diag *diag)
{
	uint32_t next = 0;

	for (uint32_t p = 0; p < plane->port_count; p++) {
		const struct weir_config_numbers *chosen = &config->ports.v[p].workers;
		struct weir_port *port = &plane->ports[p];
		int rc;

		if (!port->present)
			continue;
		for (uint16_t q = 0; q < port->rx_queues; q++) {
			uint32_t w = chosen->len ? chosen->v[q % chosen->len]
						 : next++ % plane->worker_count;

			if (w >= plane->worker_count)
				return weir_fail(diag, -EINVAL, "port %s: worker %u of %u",
						 port->name, w, plane->worker_count);
			if (rxq_add(&plane->workers[w], port, q))
				return weir_fail(diag, -ENOMEM, "no memory for queues");
		}
		rc = wire_tx(plane, port, diag);
		if (rc)
			return rc;
	}
	return 0;
}

/* --- life --------------------------------------------------------------------------------- */

static bool host_port_exists(void *host, uint32_t ifindex)
{
	return weir_plane_ifindex_find(host, ifindex) >= 0;
}

static void host_trace(void *host, struct weir_exec *exec, const char *line, size_t len)
{
	weir_trace_ring_put(weir_container_of(exec, struct weir_worker, exec)->trace, line, len);
}

static const struct weir_host_ops host_ops = {
	.port_exists = host_port_exists,
	.trace = host_trace,
};

void weir_workers_idle_policy(struct weir_plane *plane, const struct weir_config *config)
{
	uint64_t after = config->idle.sleep_after_ns, cycles = UINT64_MAX;

	if (after != WEIR_CONFIG_NEVER_NS)
		cycles = (uint64_t)((double)after * (double)rte_get_tsc_hz() / 1e9);
	for (uint32_t i = 0; i < plane->worker_count; i++) {
		__atomic_store_n(&plane->workers[i].idle_after_cycles, cycles, __ATOMIC_RELAXED);
		__atomic_store_n(&plane->workers[i].idle_sleep_ns, config->idle.sleep_ns,
				 __ATOMIC_RELAXED);
	}
}

/* CPUs of the file, else one each where enough are left over for everything else. */
static void choose_cpus(struct weir_plane *plane, const struct weir_config *config)
{
	cpu_set_t set;
	int cpu = -1;
	bool spread;

	CPU_ZERO(&set);
	spread = !sched_getaffinity(0, sizeof(set), &set) &&
		 (uint32_t)CPU_COUNT(&set) >= plane->worker_count + 2;
	for (uint32_t i = 0; i < plane->worker_count; i++) {
		uint32_t asked = config->workers.v[i].cpu;

		plane->workers[i].cpu = -1;
		if (asked != WEIR_CONFIG_ANY_CPU) {
			plane->workers[i].cpu = (int32_t)asked;
			continue;
		}
		if (!spread)
			continue;
		/* The first CPU is left to the main thread and the host. */
		for (int skip = i == 0 ? 2 : 1; skip; skip--)
			do
				cpu++;
			while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &set));
		plane->workers[i].cpu = cpu < CPU_SETSIZE ? cpu : -1;
	}
}

static void worker_init(struct weir_plane *plane, struct weir_worker *w,
			const struct weir_config *config)
{
	w->rcu = weir_rcu_qsbr_raw(plane->rcu);
	weir_exec_init(&w->exec, w->slot, plane->opts.slots, plane->rcu);
	w->exec.budget_ns = config->run_budget_ns;
	w->exec.host_ops = &host_ops;
	w->exec.host = plane;
	w->xdp.pkt.ops = &weir_mbuf_pkt_ops;
}

static int worker_start(struct weir_worker *w, struct weir_diag *diag)
{
	const struct timespec pause = {.tv_nsec = 100000};
	pthread_attr_t attr;
	sigset_t all, old;
	cpu_set_t cpus;
	int rc;

	pthread_attr_init(&attr);
	if (w->cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET(w->cpu, &cpus);
		pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	}
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = pthread_create(&w->thread, &attr, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (rc)
		return weir_fail(diag, -rc, "worker %u on CPU %d: %s", w->index, w->cpu,
				 strerror(rc));
	w->has_thread = true;
	while (!__atomic_load_n(&w->ready, __ATOMIC_ACQUIRE))
		nanosleep(&pause, NULL);
	if (w->register_err)
		return weir_fail(diag, w->register_err, "worker %u: EAL takes no more threads: %s",
				 w->index, strerror(-w->register_err));
	return 0;
}

int weir_workers_start(struct weir_plane *plane, const struct weir_config *config,
		       struct weir_diag *diag)
{
	choose_cpus(plane, config);
	weir_workers_idle_policy(plane, config);
	for (uint32_t i = 0; i < plane->worker_count; i++) {
		int rc;

		worker_init(plane, &plane->workers[i], config);
		rc = worker_start(&plane->workers[i], diag);
		if (rc)
			return rc;
	}
	return 0;
}

void weir_workers_order(struct weir_plane *plane, enum weir_worker_order order)
{
	for (uint32_t i = 0; i < plane->worker_count; i++)
		__atomic_store_n(&plane->workers[i].order, order, __ATOMIC_RELAXED);
}

void weir_workers_join(struct weir_plane *plane)
{
	for (uint32_t i = 0; i < plane->worker_count; i++)
		if (plane->workers[i].has_thread) {
			pthread_join(plane->workers[i].thread, NULL);
			plane->workers[i].has_thread = false;
		}
}

void weir_workers_free(struct weir_plane *plane)
{
	for (uint32_t i = 0; i < plane->worker_count; i++) {
		struct weir_worker *w = &plane->workers[i];

		for (uint32_t p = 0; p < plane->port_count; p++)
			rte_ring_free(w->out[p].ring);
		free(w->out);
		free(w->rxqs);
		free(w->tx_rings);
		free(w->trace);
	}
	free(plane->workers);
	plane->workers = NULL;
	plane->worker_count = 0;
}
