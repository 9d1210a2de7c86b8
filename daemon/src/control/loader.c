/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loader thread: what takes longer than the main thread may. One job at a time; the next is
 * the first of the client that has waited longest since it was last served, so one client's queue
 * holds up nobody else's. A job whose client has gone is told to give up, and its result is
 * thrown away.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "internal.h"

static struct job *pick(struct loader *l)
{
	struct job **at, **best = NULL, *job;
	uint64_t best_served = UINT64_MAX;

	for (at = &l->queue; *at; at = &(*at)->next) {
		uint64_t served = (*at)->client ? (*at)->client->last_served : 0;

		if (served < best_served) {
			best = at;
			best_served = served;
		}
	}
	if (!best)
		return NULL;
	job = *best;
	*best = job->next;
	job->next = NULL;
	if (job->client)
		job->client->last_served = ++l->served;
	l->queued--;
	return job;
}

static void *loader_main(void *arg)
{
	struct loader *l = arg;
	struct job *job, **at;
	uint64_t one = 1;

	pthread_setname_np(pthread_self(), "weird/load0");
	pthread_mutex_lock(&l->lock);
	for (;;) {
		job = pick(l);
		if (!job && l->stop)
			break;
		if (!job) {
			pthread_cond_wait(&l->wake, &l->lock);
			continue;
		}
		l->running = job;
		pthread_mutex_unlock(&l->lock);
		if (__atomic_load_n(&job->cancel, __ATOMIC_RELAXED))
			job->result = -ECANCELED;
		else
			job->run(job);
		pthread_mutex_lock(&l->lock);
		l->running = NULL;
		l->done_count++;
		for (at = &l->finished; *at;)
			at = &(*at)->next;
		*at = job;
		if (write(l->eventfd, &one, sizeof(one)) < 0)
			weir_log_error("loader cannot wake main errno=%d", errno);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

int weir_loader_start(struct loader *l)
{
	int err;

	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, NULL);
	l->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->eventfd < 0)
		return -errno;
	err = pthread_create(&l->thread, NULL, loader_main, l);
	if (err) {
		close(l->eventfd);
		l->eventfd = -1;
		return -err;
	}
	l->started = true;
	return 0;
}

void weir_loader_stop(struct loader *l)
{
	struct job *job;

	if (!l->started)
		return;
	pthread_mutex_lock(&l->lock);
	for (job = l->queue; job; job = job->next)
		if (job->client)
			__atomic_store_n(&job->cancel, true, __ATOMIC_RELAXED);
	if (l->running && l->running->client)
		__atomic_store_n(&l->running->cancel, true, __ATOMIC_RELAXED);
	l->stop = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	l->started = false;
}

int weir_loader_submit(struct weir_control *c, struct job *job, struct client *client,
		       struct conn *conn)
{
	struct loader *l = &c->loader;
	struct job **at;

	if (!l->started)
		return -ESHUTDOWN;
	if (client && client->jobs >= c->limits.queued_jobs) {
		weir_denied(c, client, "more loads and test runs at a time than its limit");
		return -EAGAIN;
	}
	job->control = c;
	job->client = client;
	job->conn = conn;
	if (client) {
		client->jobs++;
		client->refs++;
	}
	if (conn)
		conn->job = job;
	pthread_mutex_lock(&l->lock);
	for (at = &l->queue; *at;)
		at = &(*at)->next;
	*at = job;
	l->queued++;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	return 0;
}

void weir_loader_finish(struct weir_control *c)
{
	struct loader *l = &c->loader;
	struct job *list, *next;
	uint64_t count;

	if (read(l->eventfd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		weir_log_error("loader eventfd errno=%d", errno);
	pthread_mutex_lock(&l->lock);
	list = l->finished;
	l->finished = NULL;
	pthread_mutex_unlock(&l->lock);
	for (; list; list = next) {
		struct client *client = list->client;

		next = list->next;
		if (list->conn)
			list->conn->job = NULL;
		list->done(list);
		if (client) {
			client->jobs--;
			weir_client_put(c, client);
		}
	}
}
