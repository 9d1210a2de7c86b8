/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Map commands. The order of checks is Linux's, so that the same mistake gets the same errno.
 *
 * Per-CPU values: bpf(2)'s commands carry those of the host's possible CPUs, as libbpf sizes its
 * buffers; a map may have more slots. An update that gives every CPU the same value gives it to
 * the further slots as well (configuration in a per-CPU map reaches every worker); otherwise they
 * are set to zero (a counter that is set starts from what was given).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define INLINE_CREATE_BYTES (256U << 10)
#define DUMP_BYTES          (128U << 10) /* of one page */
#define DUMP_NS             500000

struct create_job {
	struct job job;
	struct weir_map_def def;
	struct btf_obj *btf; /* holds */
	struct weir_map *map;
	char text[256];
	struct weir_diag diag;
};

static int btf_ids_check(const struct weir_map_def *def, const struct weir_btf *btf)
{
	const struct btf_type *t;

	if (!def->btf_value_type_id || weir_btf_size(btf, def->btf_value_type_id) < 0)
		return -EINVAL;
	if (weir_btf_size(btf, def->btf_value_type_id) != (int64_t)def->value_size)
		return -EINVAL;
	if (def->btf_key_type_id)
		return weir_btf_size(btf, def->btf_key_type_id) == (int64_t)def->key_size ? 0
											  : -EINVAL;
	/* Without a key type: global data only. */
	t = weir_btf_type(btf, def->btf_value_type_id);
	if (def->type != BPF_MAP_TYPE_ARRAY || def->max_entries != 1 || !t ||
	    weir_btf_kind(t) != BTF_KIND_DATASEC)
		return -EINVAL;
	return 0;
}

static int create_def(struct request *rq, struct weir_map_def *def, struct btf_obj **btf)
{
	const union bpf_attr *a = &rq->attr.bpf;
	struct obj *obj;
	int err;

	*def = (struct weir_map_def){
		.type = a->map_type,
		.key_size = a->key_size,
		.value_size = a->value_size,
		.max_entries = a->max_entries,
		.flags = a->map_flags,
		.numa_node = a->numa_node,
		.btf_key_type_id = a->btf_key_type_id,
		.btf_value_type_id = a->btf_value_type_id,
		.map_extra = a->map_extra,
	};
	*btf = NULL;
	if (a->btf_vmlinux_value_type_id || (a->btf_key_type_id && !a->btf_value_type_id))
		return -EINVAL;
	if (a->map_extra || a->map_ifindex || rq->attr.map_create.value_type_btf_obj_fd)
		return weir_fail(&rq->diag, -EINVAL,
				 "map_create: map_extra, map_ifindex and "
				 "value_type_btf_obj_fd must be 0");
	if ((a->map_flags & BPF_F_RDONLY) && (a->map_flags & BPF_F_WRONLY))
		return -EINVAL;
	err = weir_map_def_check(def, &rq->diag);
	if (!err)
		err = weir_obj_name_copy(def->name, a->map_name);
	if (err || !(a->btf_key_type_id || a->btf_value_type_id))
		return err;
	err = weir_slot_obj(rq->conn, a->btf_fd, WEIR_OBJECT_BTF, &obj, NULL);
	if (err)
		return err;
	if (((struct btf_obj *)obj)->kernel)
		return -EACCES;
	err = btf_ids_check(def, ((struct btf_obj *)obj)->btf);
	if (!err)
		*btf = (struct btf_obj *)obj;
	return err;
}

static uint32_t map_rights(const struct weir_map_def *def)
{
	if (def->flags & BPF_F_RDONLY)
		return TOKEN_READ;
	if (def->flags & BPF_F_WRONLY)
		return TOKEN_WRITE;
	return TOKEN_READ | TOKEN_WRITE;
}

/* Takes map. */
static int create_finish(struct request *rq, struct weir_map *map, struct btf_obj *btf)
{
	struct weir_control *c = rq->conn->control;
	struct map_obj *m;
	int err;

	err = weir_map_obj_new(c, rq->conn->client, map, btf, &m);
	if (err)
		return err;
	err = weir_token_reply(rq, &m->obj, map_rights(&m->map->def));
	weir_obj_put(&m->obj); /* the token holds it now */
	return err;
}

static void create_run(struct job *job)
{
	struct create_job *cj = (struct create_job *)job;

	job->result = weir_map_new(&job->control->maps_env, &cj->def, &cj->diag, &cj->map);
}

static void create_done(struct job *job)
{
	struct create_job *cj = (struct create_job *)job;

	if (job->conn) {
		struct request *rq = &job->conn->rq;

		if (!job->result)
			job->result = create_finish(rq, weir_take(cj->map), cj->btf);
		else
			weir_diag_printf(&rq->diag, "%s", cj->text);
		weir_request_finish(job->conn, job->result);
	}
	weir_map_free(&cj->map);
	if (cj->btf)
		weir_obj_put(&cj->btf->obj);
	free(cj);
}

int weir_cmd_map_create(struct request *rq)
{
	struct weir_control *c = rq->conn->control;
	struct create_job *cj;
	struct weir_map_def def;
	struct weir_map *map;
	struct btf_obj *btf;
	uint64_t bytes;
	int err;

	err = create_def(rq, &def, &btf);
	if (err)
		return err;
	bytes = ((uint64_t)def.key_size + def.value_size + 64) * def.max_entries;
	if (def.type == BPF_MAP_TYPE_PERCPU_ARRAY || def.type == BPF_MAP_TYPE_PERCPU_HASH)
		bytes *= c->slots;
	if (bytes > c->limits.memory_bytes - rq->conn->client->user->memory_bytes) {
		weir_denied(c, rq->conn->client, "map memory over the client's limit");
		return weir_fail(&rq->diag, -ENOMEM, "map_create: over the client's memory limit");
	}
	if (bytes <= INLINE_CREATE_BYTES) {
		err = weir_map_new(&c->maps_env, &def, &rq->diag, &map);
		return err ? err : create_finish(rq, map, btf);
	}
	cj = calloc(1, sizeof(*cj));
	if (!cj)
		return -ENOMEM;
	cj->job.run = create_run;
	cj->job.done = create_done;
	cj->def = def;
	cj->btf = btf;
	weir_diag_init(&cj->diag, cj->text, sizeof(cj->text));
	err = weir_loader_submit(c, &cj->job, rq->conn->client, rq->conn);
	if (err) {
		free(cj);
		return err;
	}
	if (btf)
		weir_obj_get(&btf->obj);
	return REQUEST_ASYNC;
}

/* The map of a slot with the rights wanted. A frozen map may not be written. */
static int map_of(struct request *rq, uint32_t slot, uint32_t want, struct map_obj **out)
{
	struct token *token;
	struct obj *obj;
	uint32_t have;
	int err;

	err = weir_slot_obj(rq->conn, slot, WEIR_OBJECT_MAP, &obj, &token);
	if (err)
		return err;
	have = token->rights;
	if (!(rq->conn->client->role & WEIR_ROLE_BIT_ADMIN)) {
		have &= TOKEN_READ;
		if (token->rights & want & ~have)
			weir_denied(rq->conn->control, rq->conn->client, rq->command->name);
	}
	if (__atomic_load_n(&((struct map_obj *)obj)->map->frozen, __ATOMIC_ACQUIRE))
		have &= ~(uint32_t)TOKEN_WRITE;
	if ((have & want) != want)
		return -EPERM;
	*out = (struct map_obj *)obj;
	return 0;
}

static int key_of(const struct request *rq, const struct map_obj *m, const void **key)
{
	if (!rq->in.s[WEIR_SEC_KEY].p || rq->in.s[WEIR_SEC_KEY].bytes != m->map->def.key_size)
		return -EFAULT;
	*key = rq->in.s[WEIR_SEC_KEY].p;
	return 0;
}

static size_t host_value_bytes(const struct weir_control *c, const struct weir_map *map)
{
	size_t stride = (map->def.value_size + (size_t)7) & ~(size_t)7;

	return map->is_per_cpu ? stride * c->possible_cpus : map->def.value_size;
}

/* A value of all slots into the reply, cut to `bytes`. */
static int lookup_reply(struct request *rq, struct weir_map *map, const void *key, uint64_t flags,
			int cpu, size_t bytes)
{
	size_t all = cpu >= 0 ? map->def.value_size : weir_map_value_bytes(map);
	size_t before = rq->out.len;
	uint8_t *room, *value = NULL;
	int err;

	if (all > bytes) {
		value = malloc(all);
		if (!value)
			return -ENOMEM;
	}
	room = weir_buf_section_room(&rq->out, WEIR_SEC_VALUE, bytes);
	err = room ? map->ops->ctl_lookup(map, key, value ? value : room, flags, cpu) : -ENOMEM;
	if (!err && value)
		memcpy(room, value, bytes);
	if (err)
		rq->out.len = before;
	free(value);
	return err;
}

int weir_cmd_map_lookup(struct request *rq)
{
	const union bpf_attr *a = &rq->attr.bpf;
	struct map_obj *m;
	const void *key;
	int err;

	if (a->flags & ~(uint64_t)BPF_F_LOCK)
		return -EINVAL;
	err = map_of(rq, a->map_fd, TOKEN_READ, &m);
	if (!err && (a->flags & BPF_F_LOCK))
		err = -EINVAL; /* no map has a lock in its values */
	if (!err)
		err = key_of(rq, m, &key);
	if (err)
		return err;
	err = lookup_reply(rq, m->map, key, 0, -1, host_value_bytes(rq->conn->control, m->map));
	if (!err && !a->value) {
		rq->out.len = 0;
		err = -EFAULT;
	}
	return err;
}

/* The value of every slot from that of the host's CPUs. */
static int update_expand(struct request *rq, struct weir_map *map, const void *key,
			 const uint8_t *value, uint64_t flags)
{
	size_t stride = (map->def.value_size + (size_t)7) & ~(size_t)7;
	uint32_t cpus = rq->conn->control->possible_cpus;
	bool same = true;
	uint8_t *all;
	int err;

	all = calloc(map->slots, stride);
	if (!all)
		return -ENOMEM;
	memcpy(all, value, stride * cpus);
	for (uint32_t i = 1; i < cpus; i++)
		same &= !memcmp(value, value + i * stride, map->def.value_size);
	for (uint32_t i = cpus; same && i < map->slots; i++)
		memcpy(all + i * stride, value, map->def.value_size);
	err = map->ops->ctl_update(map, key, all, flags, -1);
	free(all);
	return err;
}

static int prog_array_update(struct request *rq, struct map_obj *m, const void *key,
			     const uint8_t *value, uint64_t flags)
{
	struct obj *obj;
	uint32_t index, slot;
	int err;

	/* Linux's order: flags, index, then the descriptor. */
	if (flags != BPF_ANY)
		return -EINVAL;
	memcpy(&index, key, sizeof(index));
	memcpy(&slot, value, sizeof(slot));
	if (index >= m->map->def.max_entries)
		return -E2BIG;
	err = weir_slot_obj(rq->conn, slot, WEIR_OBJECT_PROG, &obj, NULL);
	return err ? err : weir_prog_array_set(m, index, (struct prog_obj *)obj);
}

/*
 * A target that no port has is refused as Linux refuses a device that does not exist. Where the
 * map itself refuses the update, its errno goes first; 1 is the virtual test port.
 */
static int devmap_target_check(struct request *rq, const struct weir_map *map, const void *key,
			       const void *value, uint64_t flags)
{
	struct weir_control *c = rq->conn->control;
	uint32_t index, ifindex, port;

	if (map->def.type != BPF_MAP_TYPE_DEVMAP || (flags != BPF_ANY && flags != BPF_EXIST))
		return 0;
	memcpy(&index, key, sizeof(index));
	memcpy(&ifindex, value, sizeof(ifindex));
	if (index >= map->def.max_entries || ifindex <= 1 ||
	    (c->plane && !weir_plane_port_by_ifindex(c->plane, ifindex, &port)))
		return 0;
	return weir_fail(&rq->diag, -EINVAL, "map %u: no port has the interface index %u", map->id,
			 ifindex);
}

int weir_cmd_map_update(struct request *rq)
{
	const union bpf_attr *a = &rq->attr.bpf;
	const uint8_t *value;
	struct map_obj *m;
	const void *key;
	int err;

	err = map_of(rq, a->map_fd, TOKEN_WRITE, &m);
	if (!err && (a->flags & BPF_F_LOCK))
		err = -EINVAL;
	if (!err)
		err = key_of(rq, m, &key);
	if (err)
		return err;
	value = rq->in.s[WEIR_SEC_VALUE].p;
	if (!value || rq->in.s[WEIR_SEC_VALUE].bytes != host_value_bytes(rq->conn->control, m->map))
		return -EFAULT;
	if (m->progs)
		return prog_array_update(rq, m, key, value, a->flags);
	if (m->map->is_per_cpu && m->map->slots > rq->conn->control->possible_cpus)
		return update_expand(rq, m->map, key, value, a->flags);
	err = devmap_target_check(rq, m->map, key, value, a->flags);
	return err ? err : m->map->ops->ctl_update(m->map, key, value, a->flags, -1);
}

int weir_cmd_map_delete(struct request *rq)
{
	struct map_obj *m;
	const void *key;
	uint32_t index;
	int err;

	err = map_of(rq, rq->attr.bpf.map_fd, TOKEN_WRITE, &m);
	if (!err)
		err = key_of(rq, m, &key);
	if (err)
		return err;
	if (m->progs) {
		memcpy(&index, key, sizeof(index));
		return weir_prog_array_set(m, index, NULL);
	}
	return m->map->ops->ctl_delete(m->map, key);
}

int weir_cmd_map_next_key(struct request *rq)
{
	const union bpf_attr *a = &rq->attr.bpf;
	const void *key = NULL;
	struct map_obj *m;
	void *room;
	int err;

	err = map_of(rq, a->map_fd, TOKEN_READ, &m);
	if (!err && a->key)
		err = key_of(rq, m, &key);
	if (err)
		return err;
	room = weir_buf_section_room(&rq->out, WEIR_SEC_NEXT_KEY, m->map->def.key_size);
	err = room ? m->map->ops->ctl_next_key(m->map, key, room) : -ENOMEM;
	if (!err && !a->next_key)
		err = -EFAULT;
	if (err)
		rq->out.len = 0;
	return err;
}

/* A map frozen already may not be written, so it is EPERM as on Linux. */
int weir_cmd_map_freeze(struct request *rq)
{
	struct map_obj *m;
	int err = map_of(rq, rq->attr.bpf.map_fd, TOKEN_WRITE, &m);

	return err ? err : m->map->ops->ctl_freeze(m->map);
}

/* ---- weir's own: all slots in view ---- */

static int slot_check(struct request *rq, const struct weir_map *map, int cpu)
{
	if (cpu < -1 || (cpu >= 0 && (!map->is_per_cpu || (uint32_t)cpu >= map->slots)))
		return weir_fail(&rq->diag, -EINVAL,
				 "map %u: cpu %d: expected a per-CPU map and 0 to %u", map->id, cpu,
				 map->is_per_cpu ? map->slots - 1 : 0);
	return 0;
}

int weir_cmd_slot_lookup(struct request *rq)
{
	const struct weir_attr_elem *e = &rq->attr.elem;
	struct map_obj *m;
	const void *key;
	int err;

	err = map_of(rq, e->map_fd, TOKEN_READ, &m);
	if (!err)
		err = slot_check(rq, m->map, e->cpu);
	if (!err)
		err = key_of(rq, m, &key);
	if (err)
		return err;
	err = lookup_reply(rq, m->map, key, e->flags, e->cpu,
			   e->cpu >= 0 ? m->map->def.value_size : weir_map_value_bytes(m->map));
	if (err == -ENOENT)
		return weir_fail(&rq->diag, err, "map %u: no element with this key", m->map->id);
	return err;
}

int weir_cmd_slot_update(struct request *rq)
{
	const struct weir_attr_elem *e = &rq->attr.elem;
	const uint8_t *value;
	struct map_obj *m;
	const void *key;
	size_t want;
	int err;

	err = map_of(rq, e->map_fd, TOKEN_WRITE, &m);
	if (!err)
		err = slot_check(rq, m->map, e->cpu);
	if (!err)
		err = key_of(rq, m, &key);
	if (err)
		return err;
	if (m->progs)
		return weir_fail(&rq->diag, -EINVAL,
				 "map %u: a prog array is updated with a program's descriptor",
				 m->map->id);
	want = e->cpu >= 0 ? m->map->def.value_size : weir_map_value_bytes(m->map);
	value = rq->in.s[WEIR_SEC_VALUE].p;
	if (!value || rq->in.s[WEIR_SEC_VALUE].bytes != want)
		return weir_fail(&rq->diag, -EINVAL, "map %u: value: expected %zu bytes, found %u",
				 m->map->id, want, rq->in.s[WEIR_SEC_VALUE].bytes);
	err = devmap_target_check(rq, m->map, key, value, e->flags);
	return err ? err : m->map->ops->ctl_update(m->map, key, value, e->flags, e->cpu);
}

/*
 * Fills a page; the map may change meanwhile, an element that goes away is left out, and so are the
 * empty slots of an object-valued map. *last becomes the last key that was looked at (untouched
 * if none was): the next page goes on behind it, even if this one is empty.
 */
static int dump_fill(struct request *rq, struct weir_map *map, const void *key, uint8_t *page,
		     size_t room, uint8_t *last, bool *looked)
{
	struct weir_attr_dump *d = &rq->attr.dump;
	size_t key_bytes = map->def.key_size, value_bytes = weir_map_value_bytes(map);
	uint64_t until = weir_clock_ns() + DUMP_NS;
	uint8_t *at = page;
	int err;

	while (d->elems < d->max_elems && at + key_bytes + value_bytes <= page + room &&
	       (!*looked || weir_clock_ns() < until)) {
		err = map->ops->ctl_next_key(map, key, at);
		if (err == -ENOENT) {
			d->done = 1;
			break;
		}
		if (!err)
			err = map->ops->ctl_lookup(map, at, at + key_bytes, 0, -1);
		if (err && err != -ENOENT)
			return err;
		memcpy(last, at, key_bytes);
		*looked = true;
		key = last;
		if (err)
			continue;
		at += key_bytes + value_bytes;
		d->elems++;
	}
	d->value_bytes = (uint32_t)value_bytes;
	return 0;
}

int weir_cmd_map_dump(struct request *rq)
{
	struct weir_attr_dump *d = &rq->attr.dump;
	const void *key = NULL;
	struct map_obj *m;
	size_t elem, room;
	uint8_t *page, *last;
	bool looked = false;
	int err;

	err = map_of(rq, d->map_fd, TOKEN_READ, &m);
	if (!err && rq->in.s[WEIR_SEC_KEY].p)
		err = key_of(rq, m, &key);
	if (err)
		return err;
	d->elems = d->done = 0;
	elem = m->map->def.key_size + weir_map_value_bytes(m->map);
	room = weir_max((size_t)DUMP_BYTES, elem);
	page = malloc(room + m->map->def.key_size);
	if (!page)
		return -ENOMEM;
	last = page + room;
	err = dump_fill(rq, m->map, key, page, room, last, &looked);
	if (!err)
		weir_buf_section(&rq->out, WEIR_SEC_VALUE, page, d->elems * elem);
	if (!err && looked)
		weir_buf_section(&rq->out, WEIR_SEC_NEXT_KEY, last, m->map->def.key_size);
	free(page);
	return err;
}
