/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ownership: a *place* is one attachment. It is immutable but for its overrun counters, holds its
 * program and the one a budget detach would restore, and lives until the grace period after it was
 * replaced. Sets borrow from places: a set is always retired before, or together with, the places
 * it names.
 */
#include "attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/base/vec.h"

struct place {
	struct weir_attach_spec spec;
	struct weir_plane_prog *prog; /* holds */
	struct weir_plane_prog *prev; /* holds; NULL: none */
	uint64_t since_ns;
	/* Times of the last strikes, main thread; the oldest at strike_next. */
	uint64_t strikes_ns[WEIR_BUDGET_STRIKES];
	uint32_t strike_next;
	uint64_t overruns_seen;
	uint32_t slots;
	uint64_t overruns[]; /* written by each slot's worker; any thread reads */
};

struct attach_port {
	struct weir_attach_port_desc desc;
	WEIR_VEC(struct place *) places; /* sorted by hook, then priority; owns */
};

struct weir_attach {
	uint32_t port_count;
	uint32_t slots;
	uint64_t generation;
	struct weir_rcu *rcu;
	struct weir_attach_head *heads;
	struct attach_port *ports;
};

static void place_free(void *arg)
{
	struct place *p = arg;

	p->prog->release(p->prog);
	if (p->prev)
		p->prev->release(p->prev);
	free(p);
}

static struct place *place_new(const struct weir_attach *attach,
			       const struct weir_attach_spec *spec, struct weir_plane_prog *prog,
			       struct weir_plane_prog *prev)
{
	struct place *p = calloc(1, sizeof(*p) + attach->slots * sizeof(p->overruns[0]));
	struct timespec now;

	if (!p)
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	p->spec = *spec;
	p->prog = prog;
	p->prev = prev;
	p->slots = attach->slots;
	p->since_ns = (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
	prog->hold(prog);
	if (prev)
		prev->hold(prev);
	return p;
}

static bool place_on_queue(const struct place *p, uint32_t queue)
{
	return p->spec.queues >> queue & 1;
}

static void entry_fill(struct weir_attach_entry *e, struct place *p)
{
	*e = (struct weir_attach_entry){
		.entry = p->prog->code->entry,
		.low = p->prog->code->low,
		.stats = p->prog->stats,
		.overruns = p->overruns,
		.guard = p->spec.guard,
		.has_frags = p->prog->has_frags,
	};
}

static uint8_t queue_kind(const struct weir_attach_queue *q)
{
	uint32_t others = q->count[WEIR_HOOK_TC] + q->count[WEIR_HOOK_TAP];

	if (!others && !q->count[WEIR_HOOK_XDP])
		return WEIR_ATTACH_NONE;
	return !others && q->count[WEIR_HOOK_XDP] == 1 ? WEIR_ATTACH_XDP_ONE : WEIR_ATTACH_CHAIN;
}

/* Queues first, then every queue's entries, hook after hook, in one block. */
static struct weir_attach_set *set_build(struct weir_attach *attach, uint32_t rx_queues,
					 struct place *const *places, size_t count)
{
	struct weir_attach_set *set;
	struct weir_attach_entry *e;
	size_t entries = 0, head_bytes;

	for (size_t i = 0; i < count; i++)
		for (uint32_t q = 0; q < rx_queues; q++)
			entries += place_on_queue(places[i], q);
	head_bytes = weir_align_up(sizeof(*set) + rx_queues * sizeof(set->queues[0]), 16);
	set = calloc(1, head_bytes + entries * sizeof(*e));
	if (!set)
		return NULL;
	e = (struct weir_attach_entry *)((char *)set + head_bytes);
	for (uint32_t q = 0; q < rx_queues; q++) {
		struct weir_attach_queue *queue = &set->queues[q];

		for (size_t i = 0; i < count; i++) {
			uint32_t hook = places[i]->spec.hook;

			if (!place_on_queue(places[i], q))
				continue;
			if (!queue->count[hook]++)
				queue->chain[hook] = e;
			entry_fill(e++, places[i]);
		}
		queue->kind = queue_kind(queue);
	}
	set->generation = ++attach->generation;
	return set;
}

static void set_publish(struct weir_attach *attach, uint32_t port, struct weir_attach_set *set)
{
	const struct weir_attach_set *old = attach->heads[port].set;

	__atomic_store_n(&attach->heads[port].set, set, __ATOMIC_RELEASE);
	if (old)
		attach->rcu->ops->retire(attach->rcu, free, (void *)old);
}

int weir_attach_new(uint32_t ports, const struct weir_attach_port_desc *descs, uint32_t slots,
		    struct weir_rcu *rcu, struct weir_attach **out)
{
	struct weir_attach *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->rcu = rcu;
	a->slots = slots;
	a->heads = aligned_alloc(64, weir_max(1u, ports) * sizeof(*a->heads));
	a->ports = calloc(weir_max(1u, ports), sizeof(*a->ports));
	if (!a->heads || !a->ports)
		goto err;
	memset(a->heads, 0, weir_max(1u, ports) * sizeof(*a->heads));
	for (a->port_count = 0; a->port_count < ports; a->port_count++) {
		struct attach_port *p = &a->ports[a->port_count];
		struct weir_attach_set *set;

		p->desc = descs[a->port_count];
		set = set_build(a, p->desc.rx_queues, NULL, 0);
		if (!set)
			goto err;
		set_publish(a, a->port_count, set);
	}
	*out = a;
	return 0;
err:
	weir_attach_free(&a);
	return -ENOMEM;
}

void weir_attach_free(struct weir_attach **attach)
{
	struct weir_attach *a = *attach;

	if (!a)
		return;
	for (uint32_t i = 0; i < a->port_count; i++) {
		struct attach_port *p = &a->ports[i];

		free((void *)a->heads[i].set);
		for (size_t k = 0; k < p->places.len; k++)
			place_free(p->places.v[k]);
		weir_vec_free(&p->places);
	}
	free(a->heads);
	free(a->ports);
	free(a);
	*attach = NULL;
}

const struct weir_attach_head *weir_attach_head(const struct weir_attach *attach, uint32_t port)
{
	return &attach->heads[port];
}

const char *weir_plane_hook_name(enum weir_hook hook)
{
	static const char *const names[WEIR_HOOK_COUNT] = {"xdp", "tc", "tap"};

	return (unsigned int)hook < WEIR_HOOK_COUNT ? names[hook] : "?";
}

static const char *prog_kind(uint32_t type)
{
	switch (type) {
	case BPF_PROG_TYPE_XDP: return "XDP program";
	case BPF_PROG_TYPE_SCHED_CLS: return "tc classifier";
	case BPF_PROG_TYPE_SCHED_ACT: return "tc action";
	case BPF_PROG_TYPE_SOCKET_FILTER: return "socket filter";
	default: return "program";
	}
}

static bool hook_takes(const struct weir_attach_spec *spec, uint32_t type)
{
	switch (spec->hook) {
	case WEIR_HOOK_XDP: return type == BPF_PROG_TYPE_XDP && !spec->guard;
	case WEIR_HOOK_TC:
		if (spec->guard)
			return type == BPF_PROG_TYPE_SOCKET_FILTER;
		return type == BPF_PROG_TYPE_SCHED_CLS || type == BPF_PROG_TYPE_SCHED_ACT;
	case WEIR_HOOK_TAP: return type == BPF_PROG_TYPE_SOCKET_FILTER && !spec->guard;
	default: return false;
	}
}

/* As on Linux, what was loaded for a map's entries is judged by another context than a port's. */
static int map_prog_check(const struct weir_plane_prog *prog, struct weir_diag *diag)
{
	const char *map;

	if (prog->type != BPF_PROG_TYPE_XDP)
		return 0;
	switch (prog->expected_attach_type) {
	case BPF_XDP_DEVMAP: map = "device"; break;
	case BPF_XDP_CPUMAP: map = "CPU"; break;
	default: return 0;
	}
	return weir_fail(diag, -EINVAL,
			 "program %s (id %u) was loaded for entries of a %s map, expected one for "
			 "ports (section xdp or xdp.frags)",
			 prog->name, prog->id, map);
}

int weir_plane_hook_check(const struct weir_attach_spec *spec, const struct weir_plane_prog *prog,
			  struct weir_diag *diag)
{
	if (hook_takes(spec, prog->type))
		return map_prog_check(prog, diag);
	return weir_fail(diag, -EINVAL, "%s %s (id %u) does not fit hook %s%s: expected %s",
			 prog_kind(prog->type), prog->name, prog->id,
			 weir_plane_hook_name(spec->hook), spec->guard ? " as a guard" : "",
			 spec->hook == WEIR_HOOK_XDP                  ? "an XDP program"
			 : spec->hook == WEIR_HOOK_TC && !spec->guard ? "a tc program"
								      : "a socket filter");
}

static int spec_check(const struct weir_attach *attach, const struct weir_attach_spec *spec,
		      const struct weir_plane_prog *prog, struct weir_diag *diag)
{
	const struct weir_attach_port_desc *desc;
	uint64_t all;

	if (spec->port >= attach->port_count)
		return weir_fail(diag, -ENODEV, "port %u: there are %u ports", spec->port,
				 attach->port_count);
	desc = &attach->ports[spec->port].desc;
	if (desc->absent)
		return weir_fail(diag, -ENODEV, "port %s is absent", desc->name);
	if ((unsigned int)spec->hook >= WEIR_HOOK_COUNT)
		return weir_fail(diag, -EINVAL, "hook %d is unknown", (int)spec->hook);
	if (prog) {
		int rc = weir_plane_hook_check(spec, prog, diag);

		if (rc)
			return rc;
	}
	if (prog && prog->slots < attach->slots)
		return weir_fail(diag, -EINVAL, "program %s has statistics for %u slots of %u",
				 prog->name, prog->slots, attach->slots);
	all = desc->rx_queues >= 64 ? UINT64_MAX : (1ULL << desc->rx_queues) - 1;
	if (spec->queues != UINT64_MAX && (!spec->queues || (spec->queues & ~all)))
		return weir_fail(diag, -EINVAL,
				 "queues %#llx: port %s has %u RX queues, expected a non-empty "
				 "subset of %#llx",
				 (unsigned long long)spec->queues, desc->name, desc->rx_queues,
				 (unsigned long long)all);
	return 0;
}

/* Index of the place, or where it would go. */
static bool place_find(const struct attach_port *port, enum weir_hook hook, uint32_t priority,
		       size_t *at)
{
	size_t i;

	for (i = 0; i < port->places.len; i++) {
		const struct weir_attach_spec *s = &port->places.v[i]->spec;

		if (s->hook == hook && s->priority == priority) {
			*at = i;
			return true;
		}
		if (s->hook > hook || (s->hook == hook && s->priority > priority))
			break;
	}
	*at = i;
	return false;
}

/*
 * Puts `place` (NULL: nothing) where places[at] is (replace) or in front of it, publishes, and
 * retires what was there. Takes place on success only.
 */
static int places_change(struct weir_attach *attach, uint32_t port_idx, size_t at, bool replace,
			 struct place *place)
{
	struct attach_port *port = &attach->ports[port_idx];
	struct place *old = replace ? port->places.v[at] : NULL;
	weir_autofree struct place **next = NULL;
	struct weir_attach_set *set;
	size_t len = 0;

	if (weir_vec_reserve(&port->places, 1))
		return -ENOMEM;
	next = calloc(port->places.len + 1, sizeof(struct place *));
	if (!next)
		return -ENOMEM;
	for (size_t i = 0; i < at; i++)
		next[len++] = port->places.v[i];
	if (place)
		next[len++] = place;
	for (size_t i = at + replace; i < port->places.len; i++)
		next[len++] = port->places.v[i];
	set = set_build(attach, port->desc.rx_queues, next, len);
	if (!set)
		return -ENOMEM;
	memcpy(port->places.v, next, len * sizeof(struct place *));
	port->places.len = len;
	set_publish(attach, port_idx, set);
	if (old)
		attach->rcu->ops->retire(attach->rcu, place_free, old);
	return 0;
}

static int expected_check(const struct place *old, const struct weir_attach_spec *spec,
			  uint32_t expected_id, bool detach, struct weir_diag *diag)
{
	if (!old && detach && (expected_id == WEIR_ATTACH_ANY || !expected_id))
		return weir_fail(diag, -ENOENT, "no program is attached at %s priority %u",
				 weir_plane_hook_name(spec->hook), spec->priority);
	if (expected_id == WEIR_ATTACH_ANY)
		return 0;
	if (!expected_id && old)
		return weir_fail(diag, -EEXIST, "program %s (id %u) is attached at %s priority %u",
				 old->prog->name, old->prog->id, weir_plane_hook_name(spec->hook),
				 spec->priority);
	if (expected_id && !old)
		return weir_fail(diag, -ENOENT,
				 "no program is attached at %s priority %u, expected id %u",
				 weir_plane_hook_name(spec->hook), spec->priority, expected_id);
	if (expected_id && old->prog->id != expected_id)
		return weir_fail(diag, -ENOENT,
				 "program %s (id %u) is attached at %s priority %u, expected id %u",
				 old->prog->name, old->prog->id, weir_plane_hook_name(spec->hook),
				 spec->priority, expected_id);
	return 0;
}

int weir_attach_change(struct weir_attach *attach, const struct weir_attach_spec *spec,
		       uint32_t expected_id, struct weir_plane_prog *prog, struct weir_diag *diag)
{
	struct place *old = NULL, *place = NULL;
	struct attach_port *port;
	bool there;
	size_t at;
	int rc;

	rc = spec_check(attach, spec, prog, diag);
	if (rc)
		return rc;
	port = &attach->ports[spec->port];
	there = place_find(port, spec->hook, spec->priority, &at);
	if (there)
		old = port->places.v[at];
	rc = expected_check(old, spec, expected_id, !prog, diag);
	if (rc)
		return rc;
	if (prog) {
		place = place_new(attach, spec, prog, old ? old->prog : NULL);
		if (!place)
			return weir_fail(diag, -ENOMEM, "no memory for the attachment");
	}
	rc = places_change(attach, spec->port, at, there, place);
	if (rc) {
		if (place)
			place_free(place);
		return weir_fail(diag, rc, "no memory for the attachment set");
	}
	return 0;
}

uint32_t weir_attach_list(const struct weir_attach *attach, struct weir_attach_info *out,
			  uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < attach->port_count; i++)
		for (size_t k = 0; k < attach->ports[i].places.len; k++, n++) {
			const struct place *p = attach->ports[i].places.v[k];

			if (n >= max)
				continue;
			out[n] = (struct weir_attach_info){
				.spec = p->spec,
				.prog_id = p->prog->id,
				.previous_id = p->prev ? p->prev->id : 0,
				.since_ns = p->since_ns,
			};
			memcpy(out[n].prog_name, p->prog->name, sizeof(out[n].prog_name));
		}
	return n;
}

static uint64_t place_overruns(const struct place *p)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < p->slots; i++)
		sum += __atomic_load_n(&p->overruns[i], __ATOMIC_RELAXED);
	return sum;
}

/* Notes new overruns; true if the window holds enough of them. */
static bool place_struck_out(struct place *p, uint64_t now_ns)
{
	uint64_t total = place_overruns(p), fresh = total - p->overruns_seen;
	uint64_t oldest;

	p->overruns_seen = total;
	for (uint64_t i = 0; i < weir_min(fresh, (uint64_t)WEIR_BUDGET_STRIKES); i++) {
		p->strikes_ns[p->strike_next] = now_ns;
		p->strike_next = (p->strike_next + 1) % WEIR_BUDGET_STRIKES;
	}
	oldest = p->strikes_ns[p->strike_next];
	return fresh && oldest && now_ns - oldest <= WEIR_BUDGET_WINDOW_NS;
}

/* Without memory for the change the program stays for one more scan. */
static void budget_detach(struct weir_attach *attach, uint32_t port_idx, size_t at,
			  weir_attach_budget_fn fn, void *arg)
{
	struct place *old = attach->ports[port_idx].places.v[at];
	struct weir_attach_spec spec = old->spec;
	struct weir_plane_prog *prog = old->prog, *restored = old->prev;
	struct place *place = NULL;

	if (restored) {
		place = place_new(attach, &spec, restored, NULL);
		if (!place)
			return;
	}
	prog->hold(prog);
	if (places_change(attach, port_idx, at, true, place)) {
		if (place)
			place_free(place);
	} else if (fn) {
		fn(arg, port_idx, spec.hook, spec.priority, prog, restored);
	}
	prog->release(prog);
}

void weir_attach_budget_scan(struct weir_attach *attach, uint64_t now_ns, weir_attach_budget_fn fn,
			     void *arg)
{
	for (uint32_t i = 0; i < attach->port_count; i++)
		for (size_t k = attach->ports[i].places.len; k-- > 0;)
			if (place_struck_out(attach->ports[i].places.v[k], now_ns))
				budget_detach(attach, i, k, fn, arg);
}
