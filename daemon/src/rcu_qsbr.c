/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Concurrency: `lock` guards the queue of retired objects and is taken by control threads only;
 * readers touch nothing but their own counter in rte_rcu_qsbr. Tokens are taken under the lock, so
 * the queue is ordered by token and its head is always the first to be due.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_rcu_qsbr.h>

#include "rcu_qsbr.h"
#include "weir/base/bits.h"

struct retired {
	struct retired *next;
	uint64_t token;
	void (*fn)(void *arg);
	void *arg;
};

struct rcu_qsbr {
	struct weir_rcu rcu;
	struct rte_rcu_qsbr *v; /* owns */
	pthread_mutex_t lock;
	struct retired *head;  /* lock */
	struct retired **tail; /* lock */
	uint32_t waiting;      /* lock */
};

static struct rcu_qsbr *from_rcu(struct weir_rcu *rcu)
{
	return weir_container_of(rcu, struct rcu_qsbr, rcu);
}

static void qsbr_online(struct weir_rcu *rcu, uint32_t slot)
{
	rte_rcu_qsbr_thread_online(from_rcu(rcu)->v, slot);
}

static void qsbr_offline(struct weir_rcu *rcu, uint32_t slot)
{
	rte_rcu_qsbr_thread_offline(from_rcu(rcu)->v, slot);
}

static void qsbr_quiescent(struct weir_rcu *rcu, uint32_t slot)
{
	rte_rcu_qsbr_quiescent(from_rcu(rcu)->v, slot);
}

/* A reader may have lost its CPU: the waiter gives its own away instead of spinning. */
static void wait_token(struct rcu_qsbr *q, uint64_t token)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000};

	while (rte_rcu_qsbr_check(q->v, token, false) == 0)
		nanosleep(&pause, NULL);
}

static void qsbr_synchronize(struct weir_rcu *rcu)
{
	struct rcu_qsbr *q = from_rcu(rcu);

	wait_token(q, rte_rcu_qsbr_start(q->v));
}

static int qsbr_retire(struct weir_rcu *rcu, void (*fn)(void *arg), void *arg)
{
	struct rcu_qsbr *q = from_rcu(rcu);
	struct retired *r = calloc(1, sizeof(*r));

	if (!r) {
		/* The object is unpublished already: nobody could undo that, so wait here. */
		qsbr_synchronize(rcu);
		fn(arg);
		return 0;
	}
	r->fn = fn;
	r->arg = arg;
	pthread_mutex_lock(&q->lock);
	r->token = rte_rcu_qsbr_start(q->v);
	*q->tail = r;
	q->tail = &r->next;
	q->waiting++;
	pthread_mutex_unlock(&q->lock);
	return 0;
}

static const struct weir_rcu_ops qsbr_ops = {
	.online = qsbr_online,
	.offline = qsbr_offline,
	.quiescent = qsbr_quiescent,
	.retire = qsbr_retire,
	.synchronize = qsbr_synchronize,
};

/* The first retired object if it is due; taken off the queue. */
static struct retired *take_due(struct rcu_qsbr *q)
{
	struct retired *r;

	pthread_mutex_lock(&q->lock);
	r = q->head;
	if (r && rte_rcu_qsbr_check(q->v, r->token, false) == 1) {
		q->head = r->next;
		if (!q->head)
			q->tail = &q->head;
		q->waiting--;
	} else {
		r = NULL;
	}
	pthread_mutex_unlock(&q->lock);
	return r;
}

uint32_t weir_rcu_qsbr_drain(struct weir_rcu *rcu)
{
	struct rcu_qsbr *q = from_rcu(rcu);
	struct retired *r;
	uint32_t waiting;

	/* A callback may retire more, so the lock is not held over it. */
	while ((r = take_due(q))) {
		r->fn(r->arg);
		free(r);
	}
	pthread_mutex_lock(&q->lock);
	waiting = q->waiting;
	pthread_mutex_unlock(&q->lock);
	return waiting;
}

struct rte_rcu_qsbr *weir_rcu_qsbr_raw(struct weir_rcu *rcu)
{
	return from_rcu(rcu)->v;
}

int weir_rcu_qsbr_new(uint32_t slots, struct weir_rcu **out)
{
	struct rcu_qsbr *q;
	size_t bytes;

	if (!slots)
		return -EINVAL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	bytes = weir_align_up(rte_rcu_qsbr_get_memsize(slots), WEIR_CACHE_LINE);
	q->v = aligned_alloc(WEIR_CACHE_LINE, bytes);
	if (!q->v) {
		free(q);
		return -ENOMEM;
	}
	memset(q->v, 0, bytes);
	rte_rcu_qsbr_init(q->v, slots);
	for (uint32_t i = 0; i < slots; i++)
		rte_rcu_qsbr_thread_register(q->v, i);
	pthread_mutex_init(&q->lock, NULL);
	q->tail = &q->head;
	q->rcu.ops = &qsbr_ops;
	*out = &q->rcu;
	return 0;
}

void weir_rcu_qsbr_free(struct weir_rcu **rcu)
{
	struct rcu_qsbr *q;

	if (!*rcu)
		return;
	q = from_rcu(*rcu);
	while (weir_rcu_qsbr_drain(*rcu))
		qsbr_synchronize(*rcu);
	pthread_mutex_destroy(&q->lock);
	free(q->v);
	free(q);
	*rcu = NULL;
}
