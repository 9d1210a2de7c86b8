/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Objects by kind and id, their references, and what happens at the last one. Ids count up and
 * are not used again while weird runs, so an id in a log line or a compare-and-swap stays the
 * object it was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define INLINE_FREE_BYTES (4U << 20) /* unmapping more takes too long for the main thread */
#define INLINE_FREE_INSNS 65536

static struct obj_table *table_of(struct weir_control *c, enum weir_object_kind kind)
{
	return &c->tables[kind];
}

/* Index of the first object with an id >= id. */
static size_t table_lower(const struct obj_table *t, uint32_t id)
{
	size_t lo = 0, hi = t->objs.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->objs.v[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int weir_registry_add(struct weir_control *c, struct obj *obj, enum weir_object_kind kind,
		      struct client *client)
{
	struct obj_table *t = table_of(c, kind);

	if (t->next_id >= INT32_MAX || weir_vec_push(&t->objs, obj))
		return -ENOMEM;
	/* BTF 1 is weird's own types, which clients find by that number. */
	obj->id = t->next_id ? t->next_id : kind == WEIR_OBJECT_BTF ? 2 : 1;
	t->next_id = obj->id + 1;
	obj->kind = kind;
	obj->refs = 1;
	obj->control = c;
	obj->created_ns = weir_realtime_ns();
	strcpy(obj->comm, "weird");
	obj->client = client;
	if (client) {
		client->refs++;
		obj->uid = client->uid;
		obj->gid = client->gid;
		obj->pid = (uint32_t)client->pid;
		memcpy(obj->comm, client->comm, sizeof(obj->comm));
	}
	return 0;
}

struct obj *weir_registry_from(struct weir_control *c, enum weir_object_kind kind, uint32_t id)
{
	struct obj_table *t = table_of(c, kind);
	size_t i = table_lower(t, id);

	return i < t->objs.len ? t->objs.v[i] : NULL;
}

struct obj *weir_registry_find(struct weir_control *c, enum weir_object_kind kind, uint32_t id)
{
	struct obj *obj = weir_registry_from(c, kind, id);

	return obj && obj->id == id ? obj : NULL;
}

uint32_t weir_registry_count(const struct weir_control *c, enum weir_object_kind kind)
{
	return (uint32_t)c->tables[kind].objs.len;
}

static void registry_remove(struct obj *obj)
{
	struct obj_table *t = table_of(obj->control, obj->kind);
	size_t i = table_lower(t, obj->id);

	if (i >= t->objs.len || t->objs.v[i] != obj)
		return;
	memmove(t->objs.v + i, t->objs.v + i + 1, (t->objs.len - i - 1) * sizeof(*t->objs.v));
	t->objs.len--;
}

int weir_obj_charge(struct obj *obj, uint64_t bytes)
{
	struct user *user = obj->client ? obj->client->user : NULL;

	if (!user)
		return 0;
	if (bytes > obj->control->limits.memory_bytes - user->memory_bytes) {
		weir_denied(obj->control, obj->client, "memory over its limit");
		return -ENOMEM;
	}
	obj->charged_bytes += bytes;
	user->memory_bytes += bytes;
	return 0;
}

void weir_obj_get(struct obj *obj)
{
	obj->refs++;
}

/* Freeing a large region is the loader's work. */
struct free_job {
	struct job job;
	struct weir_map *map; /* these may be NULL */
	struct weir_code *code;
	struct weir_prog_low *low;
	struct weir_prog_ok *ok;
};

static void free_job_run(struct job *job)
{
	struct free_job *fj = (struct free_job *)job;

	weir_map_free(&fj->map);
	weir_code_free(&fj->code);
	weir_prog_low_free(&fj->low);
	weir_prog_ok_free(&fj->ok);
}

static void free_job_done(struct job *job)
{
	free(job);
}

/* By the loader if it is large and the loader is there, else now. Takes what parts points to. */
static void parts_free(struct weir_control *c, const struct free_job *parts, bool large)
{
	struct free_job now = *parts, *fj = large ? malloc(sizeof(*fj)) : NULL;

	if (fj) {
		*fj = *parts;
		fj->job = (struct job){.run = free_job_run, .done = free_job_done};
		if (!weir_loader_submit(c, &fj->job, NULL, NULL))
			return;
		free(fj);
	}
	free_job_run(&now.job);
}

static void map_instance_free(struct weir_control *c, struct weir_map *map)
{
	const struct free_job parts = {.map = map};

	parts_free(c, &parts, map->region_bytes > INLINE_FREE_BYTES);
}

static void map_destroy(struct map_obj *m)
{
	struct weir_control *c = m->obj.control;

	c->map_bytes -= m->map->region_bytes;
	for (uint32_t i = 0; m->progs && i < m->map->def.max_entries; i++)
		if (m->progs[i]) {
			m->progs[i]->obj.inner--;
			weir_obj_put(&m->progs[i]->obj);
		}
	c->prog_arrays -= m->progs != NULL;
	free(m->progs);
	map_instance_free(c, m->map);
	if (m->btf)
		weir_obj_put(&m->btf->obj);
	free(m);
}

void weir_prog_obj_free(struct prog_obj *prog)
{
	const struct free_job parts = {.code = prog->code, .low = prog->low, .ok = prog->ok};

	/* What was never registered has no control; it is of one thread's making alone. */
	parts_free(prog->obj.control, &parts,
		   prog->obj.id && prog->ok->raw.insn_count > INLINE_FREE_INSNS);
	for (uint32_t i = 0; i < prog->map_count; i++) {
		if (prog->obj.id)
			prog->maps[i]->obj.inner--;
		weir_obj_put(&prog->maps[i]->obj);
	}
	free(prog->maps);
	free(prog->pp.stats);
	if (prog->btf)
		weir_obj_put(&prog->btf->obj);
	free(prog);
}

static void link_destroy(struct link_obj *link)
{
	weir_link_detach(link);
	if (link->prog)
		weir_obj_put(&link->prog->obj);
	free(link);
}

static void btf_destroy(struct btf_obj *b)
{
	weir_btf_free(&b->btf);
	free(b);
}

void weir_obj_put(struct obj *obj)
{
	struct client *client = obj->client;
	struct weir_control *c = obj->control;

	c->collect_wanted = true;
	if (--obj->refs)
		return;
	registry_remove(obj);
	if (client)
		client->user->memory_bytes -= obj->charged_bytes;
	switch (obj->kind) {
	case WEIR_OBJECT_PROG: weir_prog_obj_free((struct prog_obj *)obj); break;
	case WEIR_OBJECT_MAP: map_destroy((struct map_obj *)obj); break;
	case WEIR_OBJECT_BTF: btf_destroy((struct btf_obj *)obj); break;
	case WEIR_OBJECT_LINK: link_destroy((struct link_obj *)obj); break;
	default: break;
	}
	if (client)
		weir_client_put(c, client);
}

static void put_after_grace(void *arg)
{
	weir_obj_put(arg);
}

void weir_obj_put_rcu(struct obj *obj)
{
	struct weir_rcu *rcu = obj->control->rcu;

	/* At the end nobody runs retired callbacks any more, and no worker runs. */
	if (!obj->control->stopping && !rcu->ops->retire(rcu, put_after_grace, obj))
		return;
	rcu->ops->synchronize(rcu);
	weir_obj_put(obj);
}

int weir_map_obj_new(struct weir_control *c, struct client *client, struct weir_map *map,
		     struct btf_obj *btf, struct map_obj **out)
{
	struct map_obj *m = calloc(1, sizeof(*m));
	int err = m ? 0 : -ENOMEM;

	if (!err && map->def.type == BPF_MAP_TYPE_PROG_ARRAY) {
		m->progs = calloc(map->def.max_entries, sizeof(struct prog_obj *));
		err = m->progs ? 0 : -ENOMEM;
	}
	if (!err)
		err = weir_registry_add(c, &m->obj, WEIR_OBJECT_MAP, client);
	if (err) {
		if (m)
			free(m->progs);
		free(m);
		map_instance_free(c, map);
		return err;
	}
	m->map = map;
	map->id = m->obj.id;
	c->prog_arrays += m->progs != NULL;
	m->btf = btf;
	if (btf) {
		weir_obj_get(&btf->obj);
		map->btf = btf->btf;
	}
	c->map_bytes += map->region_bytes;
	err = weir_obj_charge(&m->obj, map->region_bytes);
	if (err) {
		weir_obj_put(&m->obj);
		return err;
	}
	*out = m;
	return 0;
}

bool weir_prog_array_compatible(struct map_obj *map, uint32_t type, bool frags)
{
	if (!map->owned) {
		map->owned = true;
		map->owner_type = type;
		map->owner_frags = frags;
		return true;
	}
	return map->owner_type == type && map->owner_frags == frags;
}

int weir_prog_array_set(struct map_obj *map, uint32_t index, struct prog_obj *prog)
{
	struct prog_obj *old;
	int err;

	if (index >= map->map->def.max_entries)
		return -E2BIG;
	old = map->progs[index];
	if (!prog && !old)
		return -ENOENT;
	if (prog && !weir_prog_array_compatible(map, prog->pp.type, prog->pp.has_frags))
		return -EINVAL;
	err = map->map->ops->ctl_set_code(map->map, index, prog ? prog->obj.id : 0,
					  prog ? prog->code : NULL);
	if (err)
		return err;
	if (prog) {
		weir_obj_get(&prog->obj);
		prog->obj.inner++;
	}
	map->progs[index] = prog;
	if (old) {
		old->obj.inner--;
		weir_obj_put_rcu(&old->obj);
	}
	return 0;
}

struct mark_stack {
	WEIR_VEC(struct obj *) objs;
	bool failed;
};

static void mark(struct mark_stack *stack, struct obj *obj)
{
	if (obj->marked)
		return;
	obj->marked = true;
	if (weir_vec_push(&stack->objs, obj))
		stack->failed = true;
}

static void mark_roots(struct weir_control *c, struct mark_stack *stack, enum weir_object_kind kind)
{
	struct obj_table *t = &c->tables[kind];

	for (size_t i = 0; i < t->objs.len; i++)
		t->objs.v[i]->marked = false;
	for (size_t i = 0; i < t->objs.len; i++)
		if (t->objs.v[i]->refs > t->objs.v[i]->inner)
			mark(stack, t->objs.v[i]);
}

static void mark_reachable(struct mark_stack *stack)
{
	while (stack->objs.len) {
		struct obj *obj = stack->objs.v[--stack->objs.len];
		struct prog_obj *p = (struct prog_obj *)obj;
		struct map_obj *m = (struct map_obj *)obj;

		if (obj->kind == WEIR_OBJECT_PROG)
			for (uint32_t i = 0; i < p->map_count; i++)
				mark(stack, &p->maps[i]->obj);
		else if (m->progs)
			for (uint32_t i = 0; i < m->map->def.max_entries; i++)
				if (m->progs[i])
					mark(stack, &m->progs[i]->obj);
	}
}

void weir_registry_collect(struct weir_control *c)
{
	struct obj_table *t = &c->tables[WEIR_OBJECT_MAP];
	struct mark_stack stack = {0};

	c->collect_wanted = false;
	if (!c->prog_arrays)
		return;
	mark_roots(c, &stack, WEIR_OBJECT_PROG);
	mark_roots(c, &stack, WEIR_OBJECT_MAP);
	mark_reachable(&stack);
	weir_vec_free(&stack.objs);
	/* Emptying one may free maps: look again from the start after each. */
	for (size_t i = 0; !stack.failed && i < t->objs.len; i++) {
		struct map_obj *m = (struct map_obj *)t->objs.v[i];
		bool emptied = false;

		if (m->obj.marked || !m->progs)
			continue;
		weir_obj_get(&m->obj);
		for (uint32_t k = 0; k < m->map->def.max_entries; k++)
			if (m->progs[k])
				emptied |= !weir_prog_array_set(m, k, NULL);
		weir_obj_put(&m->obj);
		if (emptied)
			i = (size_t)-1;
	}
	c->collect_wanted = false;
}
