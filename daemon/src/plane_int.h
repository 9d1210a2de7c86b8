/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data plane's own structures. Each field names the thread that writes it; without a word it is
 * the main thread before the workers start, and constant afterwards.
 */
#ifndef WEIR_DAEMON_PLANE_INT_H
#define WEIR_DAEMON_PLANE_INT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "attach.h"
#include "eal_args.h"
#include "ledger.h"
#include "pcap_scan.h"
#include "plane.h"
#include "trace.h"
#include "weir/vm/exec.h"
#include "weir/vm/pkt.h"

#define WEIR_BURST          32
#define WEIR_TX_RING_SLOTS  1024
#define WEIR_POOL_CACHE     512
#define WEIR_BIG_BUFS       128 /* for packets longer than the pool's data room */
#define WEIR_BIG_ROOM_BYTES UINT16_MAX
#define WEIR_IFINDEX_BASE   (1U << 24) /* ports without a kernel interface count from here */

struct weir_port {
	uint32_t index;
	uint16_t port_id; /* DPDK's */
	bool present;
	bool started;
	bool probed;      /* by us: to be removed at the end */
	bool odd_packets; /* the driver may hand over segments, tags beside the data, cut frames */
	bool cold_data;   /* packets are written by a device, not by the driver's copy */
	char name[64];
	char state[16]; /* main */
	struct weir_devargs dev;
	enum weir_config_port_kind kind;
	uint32_t ifindex;
	uint32_t mtu;
	uint32_t rx_max_bytes;          /* the driver cuts longer ones */
	uint32_t tx_max_bytes;          /* longer ones cannot be sent */
	uint32_t tx_segments_max_bytes; /* the same for packets of several segments */
	uint16_t rx_queues, tx_queues;
	uint16_t rx_descriptors, tx_descriptors;
	bool required, promiscuous;
	uint8_t mac[6];
	int32_t pass_to;  /* port index; -1: dropped */
	bool finite;      /* a capture that ends */
	uint64_t records; /* of a finite source */
	const struct weir_attach_head *head;
};

/* How a worker sends to a port: over its own queue, or a ring to the worker that has one. */
struct weir_out {
	int32_t queue;         /* -1: none of its own */
	struct rte_ring *ring; /* single producer (this worker), single consumer (the owner) */
};

struct weir_rxq {
	struct weir_port *port;
	uint16_t queue;
};

struct weir_tx_ring {
	struct rte_ring *ring;
	uint32_t port;
};

enum weir_worker_order {
	WEIR_WORKER_PAUSE,
	WEIR_WORKER_RUN,
	WEIR_WORKER_DRAIN, /* no RX; rings are emptied */
	WEIR_WORKER_QUIT,
};

struct weir_plane;

/* Written by the worker alone unless said otherwise. */
struct weir_worker {
	_Alignas(64) struct weir_exec exec;
	struct weir_xdp_ctx
		xdp; /* what does not change from packet to packet is set once a burst */
	struct weir_plane *plane;
	struct rte_rcu_qsbr *rcu;
	struct weir_ledger_row *rows; /* one a port */
	struct weir_out *out;         /* [port] */
	struct weir_rxq *rxqs;
	struct weir_tx_ring *tx_rings; /* the ones it empties */
	struct weir_trace_ring *trace;
	uint32_t rxq_count, tx_ring_count;
	uint32_t index, slot;
	int32_t cpu; /* -1: not pinned */
	pthread_t thread;
	bool has_thread;
	uint64_t idle_after_cycles; /* main may change it: read relaxed; UINT64_MAX: never */
	uint64_t idle_sleep_ns;     /* same */

	_Alignas(64) uint32_t order; /* enum weir_worker_order; main, relaxed */
	_Alignas(64) uint64_t loops; /* these four: any thread reads, relaxed */
	uint64_t packets, bursts, idle_sleeps;
	int32_t register_err; /* of rte_thread_register; release/acquire by `ready` */
	uint32_t ready;
	/* main thread's */
	uint64_t loops_seen;
	uint64_t loops_seen_ns;
	bool stuck_logged;
};

struct weir_port_by_ifindex {
	uint32_t ifindex;
	uint32_t port;
};

struct weir_plane {
	struct weir_rcu *rcu;       /* owns */
	struct weir_attach *attach; /* owns */
	struct weir_plane_opts opts;
	struct weir_port *ports;
	uint32_t port_count;
	struct weir_worker *workers;
	uint32_t worker_count;
	uint32_t row_count;           /* of workers, stopped or not */
	struct weir_ledger_row *rows; /* [worker][port] */
	struct rte_mempool *pool;
	struct rte_mempool *big_pool;
	uint32_t room_bytes; /* a pool buffer's data room beyond the headroom */
	/* Open addressing; the mask is a power of two less one. */
	struct weir_port_by_ifindex *ifindexes;
	uint32_t ifindex_mask;
	bool eal_running, hugepages, running;
	char file_prefix[32];
	bool ports_missing; /* main */
	char degraded[512]; /* one reason a line; main */
	uint64_t drain_ns;
	uint64_t link_checked_ns; /* main */
};

/* eal.c */
int weir_eal_start(struct weir_plane *plane, const struct weir_config *config, uint64_t need_bytes,
		   struct weir_diag *diag);
void weir_eal_stop(struct weir_plane *plane);
/* The first warning or error EAL or a driver logged since weir_eal_error_clear(); "" if none. */
const char *weir_eal_error(void);
void weir_eal_error_clear(void);
/* Appends a line to the status. */
void weir_plane_degrade(struct weir_plane *plane, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* pool.c: sizes before EAL, pools after. */
struct weir_pool_need {
	uint32_t bufs;
	uint32_t room_bytes;
	uint64_t bytes;
};
/* Workers' and ports' shapes are known (weir_port_plan). */
void weir_pool_need(const struct weir_plane *plane, const struct weir_config *config,
		    struct weir_pool_need *out);
int weir_pool_create(struct weir_plane *plane, const struct weir_pool_need *need,
		     struct weir_diag *diag);
/* After the ports were closed: every buffer must be back. Logs and returns how many are not. */
uint32_t weir_pool_free(struct weir_plane *plane);

/* port.c */
/* Before EAL: what the port will be, its text for DPDK, whether it may be taken. */
int weir_port_plan(struct weir_port *port, const struct weir_config *config, uint32_t idx,
		   struct weir_diag *diag);
/* After EAL: probe and look at it. -ENODEV: not there. */
int weir_port_open(struct weir_plane *plane, struct weir_port *port,
		   const struct weir_config_port *cfg, struct weir_diag *diag);
int weir_port_start(struct weir_plane *plane, struct weir_port *port, struct weir_diag *diag);
void weir_port_stop(struct weir_port *port);
void weir_port_close(struct weir_port *port);
/* Main thread, now and then: a source that ended, an interface that went away. */
void weir_port_watch(struct weir_plane *plane, struct weir_port *port);

/* worker.c */
/* Gives RX queues and TX queues to workers and makes the rings between them. */
int weir_workers_wire(struct weir_plane *plane, const struct weir_config *config,
		      struct weir_diag *diag);
int weir_workers_start(struct weir_plane *plane, const struct weir_config *config,
		       struct weir_diag *diag);
void weir_workers_order(struct weir_plane *plane, enum weir_worker_order order);
void weir_workers_join(struct weir_plane *plane);
void weir_workers_free(struct weir_plane *plane);
void weir_workers_idle_policy(struct weir_plane *plane, const struct weir_config *config);

/* burst.c: judges and sends `n` packets of one queue. */
void weir_burst(struct weir_worker *worker, struct weir_port *port, uint16_t queue,
		struct rte_mbuf **pkts, uint16_t n);

/* skb.c: the tc and tap hooks. */
enum weir_verdict {
	WEIR_VERDICT_ABORTED, /* XDP's numbers */
	WEIR_VERDICT_DROP,
	WEIR_VERDICT_PASS,
	WEIR_VERDICT_TX,
	WEIR_VERDICT_REDIRECT,
	WEIR_VERDICT_COUNT,
};

/* Per burst, on the worker's stack. */
struct weir_judged {
	struct rte_mbuf *pkts[WEIR_VERDICT_COUNT][WEIR_BURST];
	uint16_t count[WEIR_VERDICT_COUNT];
	uint32_t target[WEIR_BURST];        /* ifindex, beside pkts[REDIRECT] */
	struct rte_mbuf *freed[WEIR_BURST]; /* drops and aborts that go back in one copy */
	uint16_t freed_count;
	uint16_t unknown; /* of the aborts: verdicts XDP does not have */
	/* Of the drops and aborts, what was not the program's plain answer. */
	uint16_t guard, too_long, no_target, budget, code, linearised;
	bool overrun; /* the last run was over the budget */
	uint64_t bytes;
};

enum weir_verdict weir_skb_judge(struct weir_worker *worker, struct weir_port *port, uint16_t queue,
				 const struct weir_attach_queue *chain, struct rte_mbuf **pkt,
				 struct weir_judged *judged);
/* Why the last run of the entry ended early (enum weir_abort), noted with its place. */
uint32_t weir_run_cause(struct weir_worker *worker, const struct weir_attach_entry *entry);

static inline void weir_judged_abort(struct weir_judged *judged, uint32_t cause)
{
	if (cause == WEIR_ABORT_BUDGET) {
		judged->budget++;
		judged->overrun = true;
	} else if (cause) {
		judged->code++;
	}
}

/* Counters with one writer and readers on any thread. */
static inline void weir_stat_set(uint64_t *to, uint64_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELAXED);
}

static inline void weir_stat_add(uint64_t *to, uint64_t n)
{
	__atomic_store_n(to, *to + n, __ATOMIC_RELAXED);
}

/* mbuf_pkt.c */
extern const struct weir_pkt_ops weir_mbuf_pkt_ops;
/* Makes *pkt one segment with at least the headroom drivers leave: 0, -EMSGSIZE, -ENOMEM. */
int weir_mbuf_linearise(struct weir_plane *plane, struct rte_mbuf **pkt);

static inline void weir_pkt_from_mbuf(struct weir_pkt *pkt, struct rte_mbuf *m)
{
	uint8_t *data = (uint8_t *)m->buf_addr + m->data_off;

	pkt->data = data;
	pkt->data_end = data + m->data_len;
	pkt->data_meta = data;
	pkt->hard_start = m->buf_addr;
	pkt->hard_end = (uint8_t *)m->buf_addr + m->buf_len;
	pkt->rest_len = m->pkt_len - m->data_len;
	pkt->backend = m;
}

/* Where the program left the packet; the segments behind the first are as they are. */
static inline void weir_pkt_to_mbuf(const struct weir_pkt *pkt, struct rte_mbuf *m)
{
	m->data_off = (uint16_t)(pkt->data - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)(pkt->data_end - pkt->data);
	m->pkt_len = m->data_len + pkt->rest_len;
}

/* One segment, unshared, of our pool: it can go back without another look. */
static inline bool weir_mbuf_is_plain(const struct rte_mbuf *m, const struct rte_mempool *pool)
{
	return m->nb_segs == 1 && rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m) &&
	       m->pool == pool;
}

/* tx.c */
enum weir_out_kind {
	WEIR_OUT_TX,
	WEIR_OUT_REDIRECT,
	WEIR_OUT_PASS,
};
/* Takes the packets. */
void weir_tx_send(struct weir_worker *worker, uint32_t port, enum weir_out_kind kind,
		  struct rte_mbuf **pkts, uint16_t n);
/* Sends what other workers left for the ports whose queues this worker has. Packets moved. */
uint32_t weir_tx_rings_empty(struct weir_worker *worker);
void weir_mbufs_free(struct weir_plane *plane, struct rte_mbuf **pkts, uint16_t n);

/* The port of an ifindex that is there, or -1. Any thread. */
int32_t weir_plane_ifindex_find(const struct weir_plane *plane, uint32_t ifindex);

uint64_t weir_now_ns(void);

#endif
