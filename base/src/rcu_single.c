/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RCU with one reader, the caller: an object retired while the reader may hold it is freed at the
 * reader's next quiescent state. One thread at a time, so nothing here is atomic.
 */
#include <errno.h>
#include <stdlib.h>

#include "weir/base/bits.h"
#include "weir/base/rcu.h"
#include "weir/base/vec.h"

struct retired {
	void (*fn)(void *arg);
	void *arg;
};

struct rcu_single {
	struct weir_rcu rcu;
	WEIR_VEC(struct retired) retired;
};

static void single_drain(struct rcu_single *s)
{
	/* A callback may retire more: those run as well. */
	for (size_t i = 0; i < s->retired.len; i++)
		s->retired.v[i].fn(s->retired.v[i].arg);
	s->retired.len = 0;
}

static void single_online(struct weir_rcu *rcu, uint32_t slot)
{
}

static void single_quiescent(struct weir_rcu *rcu, uint32_t slot)
{
	single_drain(weir_container_of(rcu, struct rcu_single, rcu));
}

static void single_synchronize(struct weir_rcu *rcu)
{
	single_drain(weir_container_of(rcu, struct rcu_single, rcu));
}

static int single_retire(struct weir_rcu *rcu, void (*fn)(void *arg), void *arg)
{
	struct rcu_single *s = weir_container_of(rcu, struct rcu_single, rcu);
	struct retired r = {.fn = fn, .arg = arg};

	return weir_vec_push(&s->retired, r);
}

static const struct weir_rcu_ops single_ops = {
	.online = single_online,
	.offline = single_quiescent,
	.quiescent = single_quiescent,
	.retire = single_retire,
	.synchronize = single_synchronize,
};

int weir_rcu_single_new(struct weir_rcu **out)
{
	struct rcu_single *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->rcu.ops = &single_ops;
	*out = &s->rcu;
	return 0;
}

void weir_rcu_single_free(struct weir_rcu **rcu)
{
	struct rcu_single *s;

	if (!*rcu)
		return;
	s = weir_container_of(*rcu, struct rcu_single, rcu);
	single_drain(s);
	weir_vec_free(&s->retired);
	free(s);
	*rcu = NULL;
}
