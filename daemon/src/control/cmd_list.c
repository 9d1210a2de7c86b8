/* SPDX-License-Identifier: BSD-3-Clause */
/* What there is: status, workers, objects, pins, attachments. Lists come in pages by id. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define PAGE_RECS 64 /* of one reply: a page is well under a step */

#ifndef WEIR_VERSION
#define WEIR_VERSION "unknown"
#endif

static void copy_text(char *to, size_t bytes, const char *from)
{
	snprintf(to, bytes, "%s", from);
}

static void status_plane(const struct weir_control *c, struct weir_status_rec *s)
{
	struct weir_plane_status ps = {0};
	struct weir_plane_mbufs mbufs = {0};

	if (!c->plane)
		return;
	weir_plane_status(c->plane, &ps);
	weir_plane_mbufs(c->plane, &mbufs);
	copy_text(s->dpdk_version, sizeof(s->dpdk_version), ps.dpdk_version);
	copy_text(s->reasons, sizeof(s->reasons), ps.reasons);
	s->eal_running = ps.eal_running;
	s->hugepages = ps.hugepages;
	s->degraded = ps.degraded;
	s->ports = weir_plane_port_count(c->plane);
	s->workers = weir_plane_worker_count(c->plane);
	s->mbufs_total = mbufs.total;
	s->mbufs_free = mbufs.free_count;
	s->mbufs_in_use = mbufs.in_use;
}

int weir_cmd_status(struct request *rq)
{
	struct weir_control *c = rq->conn->control;
	struct weir_status_rec s = {
		.started_ns = c->started_ns,
		.pid = (uint32_t)getpid(),
		.slots = c->slots,
		.possible_cpus = c->possible_cpus,
		.jit = c->codemem != NULL,
		.progs = weir_registry_count(c, WEIR_OBJECT_PROG),
		.maps = weir_registry_count(c, WEIR_OBJECT_MAP),
		.btfs = weir_registry_count(c, WEIR_OBJECT_BTF),
		.links = weir_registry_count(c, WEIR_OBJECT_LINK),
		.pins = (uint32_t)c->pins.len,
		.tokens = c->token_count,
		.clients = c->client_count,
		.connections = c->conn_count,
		.map_bytes = c->map_bytes,
		.denied = c->denied,
	};

	copy_text(s.version, sizeof(s.version), WEIR_VERSION);
	pthread_mutex_lock(&c->loader.lock);
	s.jobs_done = c->loader.done_count;
	s.jobs_queued = c->loader.queued;
	pthread_mutex_unlock(&c->loader.lock);
	status_plane(c, &s);
	weir_buf_section(&rq->out, WEIR_SEC_RECS, &s, sizeof(s));
	return 0;
}

static void prog_rec(const struct prog_obj *p, struct weir_prog_rec *r)
{
	r->id = p->obj.id;
	r->type = p->pp.type;
	memcpy(r->name, p->pp.name, sizeof(r->name));
	memcpy(r->tag, p->tag, sizeof(r->tag));
	r->uid = p->obj.uid;
	r->pid = p->obj.pid;
	memcpy(r->comm, p->obj.comm, sizeof(r->comm));
	r->origin = p->origin;
	r->loaded_ns = p->obj.created_ns;
	r->insns = p->ok->raw.insn_count;
	r->verified_insns = p->ok->stats.processed_insns;
	r->xlated_bytes = r->insns * (uint32_t)sizeof(struct bpf_insn);
	r->jited_bytes = p->jited ? (uint32_t)p->code->image_bytes : 0;
	r->map_count = p->map_count;
	for (uint32_t i = 0; i < p->map_count && i < WEIR_ARRAY_LEN(r->map_ids); i++)
		r->map_ids[i] = p->maps[i]->obj.id;
	r->btf_id = p->btf ? p->btf->obj.id : 0;
	r->has_frags = p->pp.has_frags;
	r->gpl_compatible = p->gpl_compatible;
	r->refs = p->obj.refs;
	r->verify_ns = p->verify_ns;
	r->jit_ns = p->jit_ns;
	for (uint32_t i = 0; i < p->pp.slots; i++) {
		const struct weir_plane_prog_stats *s = &p->pp.stats[i];

		r->runs += __atomic_load_n(&s->runs, __ATOMIC_RELAXED);
		r->run_ns += __atomic_load_n(&s->run_ns, __ATOMIC_RELAXED);
		r->budget_overruns += __atomic_load_n(&s->budget_overruns, __ATOMIC_RELAXED);
		for (int v = 0; v < 8; v++)
			r->verdicts[v] += __atomic_load_n(&s->verdicts[v], __ATOMIC_RELAXED);
	}
}

static void map_rec(const struct map_obj *m, struct weir_map_rec *r)
{
	const struct weir_map *map = m->map;

	r->id = m->obj.id;
	r->type = map->def.type;
	memcpy(r->name, map->def.name, sizeof(r->name));
	r->key_size = map->def.key_size;
	r->value_size = map->def.value_size;
	r->max_entries = map->def.max_entries;
	r->flags = map->def.flags;
	r->btf_id = m->btf ? m->btf->obj.id : 0;
	r->btf_key_type_id = map->def.btf_key_type_id;
	r->btf_value_type_id = map->def.btf_value_type_id;
	r->frozen = map->frozen;
	r->is_per_cpu = map->is_per_cpu;
	r->refs = m->obj.refs;
	r->bytes = map->region_bytes;
	r->elems = map->ops->ctl_count ? map->ops->ctl_count(m->map) : 0;
	r->created_ns = m->obj.created_ns;
	r->uid = m->obj.uid;
	r->pid = m->obj.pid;
}

static void link_rec(const struct weir_control *c, const struct link_obj *l,
		     struct weir_link_rec *r)
{
	struct weir_plane_port_info info = {0};

	r->id = l->obj.id;
	r->prog_id = l->prog->obj.id;
	r->ifindex = l->ifindex;
	r->hook = l->spec.hook;
	r->priority = l->spec.priority;
	r->attached = l->attached;
	r->uid = l->obj.uid;
	r->pid = l->obj.pid;
	if (c->plane && !weir_plane_port_info(c->plane, l->spec.port, &info))
		copy_text(r->port, sizeof(r->port), info.name);
}

static void object_page(struct request *rq, enum weir_object_kind kind, size_t rec_bytes)
{
	struct weir_control *c = rq->conn->control;
	uint32_t id = rq->attr.list.first_id, n = 0;
	struct weir_buf recs = {0};
	struct obj *obj;

	while ((obj = weir_registry_from(c, kind, id)) && n++ < PAGE_RECS) {
		void *r = weir_buf_reserve(&recs, rec_bytes);

		if (!r)
			break;
		memset(r, 0, rec_bytes);
		switch (kind) {
		case WEIR_OBJECT_PROG: prog_rec((struct prog_obj *)obj, r); break;
		case WEIR_OBJECT_MAP: map_rec((struct map_obj *)obj, r); break;
		default: link_rec(c, (struct link_obj *)obj, r); break;
		}
		recs.len += rec_bytes;
		id = obj->id + 1;
	}
	rq->attr.list.first_id = obj ? id : 0;
	weir_buf_section(&rq->out, WEIR_SEC_RECS, recs.p, recs.len);
	weir_buf_free(&recs);
}

static void pin_page(struct request *rq)
{
	struct weir_control *c = rq->conn->control;
	uint32_t at = rq->attr.list.first_id, n = 0;
	struct weir_buf recs = {0};

	for (; at < c->pins.len && n < PAGE_RECS; at++, n++) {
		const struct pin *pin = &c->pins.v[at];
		struct weir_pin_rec r = {.kind = pin->obj->kind,
					 .id = pin->obj->id,
					 .uid = pin->uid,
					 .gid = pin->gid,
					 .mode = pin->mode};

		copy_text(r.path, sizeof(r.path), pin->path);
		weir_buf_append(&recs, &r, sizeof(r));
	}
	rq->attr.list.first_id = at < c->pins.len ? at : 0;
	weir_buf_section(&rq->out, WEIR_SEC_RECS, recs.p, recs.len);
	weir_buf_free(&recs);
}

static void worker_page(struct request *rq)
{
	struct weir_control *c = rq->conn->control;
	uint32_t count = c->plane ? weir_plane_worker_count(c->plane) : 0;
	struct weir_buf recs = {0};

	for (uint32_t i = 0; i < count; i++) {
		struct weir_plane_worker_info info;
		struct weir_worker_rec r = {0};

		if (weir_plane_worker_info(c->plane, i, &info))
			continue;
		r = (struct weir_worker_rec){info.index,  info.slot,       info.cpu,
					     0,           info.loops,      info.packets,
					     info.bursts, info.idle_sleeps};
		weir_buf_append(&recs, &r, sizeof(r));
	}
	rq->attr.list.first_id = 0;
	weir_buf_section(&rq->out, WEIR_SEC_RECS, recs.p, recs.len);
	weir_buf_free(&recs);
}

static uint32_t link_id_at(const struct weir_control *c, const struct weir_attach_spec *spec)
{
	const struct obj_table *t = &c->tables[WEIR_OBJECT_LINK];

	for (size_t i = 0; i < t->objs.len; i++) {
		const struct link_obj *l = (const struct link_obj *)t->objs.v[i];

		if (l->attached && l->spec.port == spec->port && l->spec.hook == spec->hook &&
		    l->spec.priority == spec->priority)
			return l->obj.id;
	}
	return 0;
}

static void attach_page(struct request *rq)
{
	struct weir_control *c = rq->conn->control;
	uint32_t count = c->plane ? weir_plane_attachments(c->plane, NULL, 0) : 0;
	struct weir_attach_info *info = calloc(count + 1, sizeof(*info));
	struct weir_buf recs = {0};

	if (info && count)
		count = weir_min(count, weir_plane_attachments(c->plane, info, count));
	for (uint32_t i = 0; info && i < count; i++) {
		struct weir_plane_port_info port = {0};
		struct weir_attach_rec r = {.hook = info[i].spec.hook,
					    .priority = info[i].spec.priority,
					    .prog_id = info[i].prog_id,
					    .queues = info[i].spec.queues,
					    .since_ns = info[i].since_ns,
					    .previous_id = info[i].previous_id,
					    .guard = info[i].spec.guard,
					    .link_id = link_id_at(c, &info[i].spec)};

		weir_plane_port_info(c->plane, info[i].spec.port, &port);
		copy_text(r.port, sizeof(r.port), port.name);
		memcpy(r.prog_name, info[i].prog_name, sizeof(r.prog_name));
		r.ifindex = port.ifindex;
		weir_buf_append(&recs, &r, sizeof(r));
	}
	rq->attr.list.first_id = 0;
	weir_buf_section(&rq->out, WEIR_SEC_RECS, recs.p, recs.len);
	weir_buf_free(&recs);
	free(info);
}

int weir_cmd_list(struct request *rq)
{
	switch (rq->command->cmd) {
	case WEIR_CMD_PROG_LIST:
		object_page(rq, WEIR_OBJECT_PROG, sizeof(struct weir_prog_rec));
		break;
	case WEIR_CMD_MAP_LIST:
		object_page(rq, WEIR_OBJECT_MAP, sizeof(struct weir_map_rec));
		break;
	case WEIR_CMD_LINK_LIST:
		object_page(rq, WEIR_OBJECT_LINK, sizeof(struct weir_link_rec));
		break;
	case WEIR_CMD_PIN_LIST: pin_page(rq); break;
	case WEIR_CMD_WORKER_LIST: worker_page(rq); break;
	default: attach_page(rq); break;
	}
	return 0;
}
