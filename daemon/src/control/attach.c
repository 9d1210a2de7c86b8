/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs at ports: weir's own attachments, owned by the daemon, and bpf(2)'s links, which end
 * with their last descriptor unless pinned.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define TCX_INGRESS 46 /* newer than some headers */

_Static_assert((int)WEIR_API_HOOK_XDP == (int)WEIR_HOOK_XDP &&
		       (int)WEIR_API_HOOK_TC == (int)WEIR_HOOK_TC &&
		       (int)WEIR_API_HOOK_TAP == (int)WEIR_HOOK_TAP,
	       "the protocol's hooks are the data plane's");

static int port_read(struct request *rq, uint32_t *index)
{
	struct weir_control *c = rq->conn->control;
	size_t bytes = rq->in.s[WEIR_SEC_PORT].bytes;
	char name[64] = "";

	if (!rq->in.s[WEIR_SEC_PORT].p || !bytes || bytes >= sizeof(name))
		return weir_fail(&rq->diag, -EINVAL, "port: expected a name of 1 to %zu bytes",
				 sizeof(name) - 1);
	memcpy(name, rq->in.s[WEIR_SEC_PORT].p, bytes);
	if (!c->plane)
		return weir_fail(&rq->diag, -ENODEV, "port %s: this weird runs without ports",
				 name);
	if (weir_plane_port_find(c->plane, name, index))
		return weir_fail(&rq->diag, -ENODEV, "port %s: there is none of this name", name);
	return 0;
}

static uint32_t attached_id(struct weir_control *c, const struct weir_attach_spec *spec)
{
	uint32_t count = weir_plane_attachments(c->plane, NULL, 0), id = 0;
	struct weir_attach_info *info = calloc(count + 1, sizeof(*info));

	if (!info)
		return 0;
	count = weir_min(count, weir_plane_attachments(c->plane, info, count));
	for (uint32_t i = 0; i < count; i++)
		if (info[i].spec.port == spec->port && info[i].spec.hook == spec->hook &&
		    info[i].spec.priority == spec->priority)
			id = info[i].prog_id;
	free(info);
	return id;
}

static struct link_obj *link_at(struct weir_control *c, const struct weir_attach_spec *spec)
{
	struct obj_table *t = &c->tables[WEIR_OBJECT_LINK];

	for (size_t i = 0; i < t->objs.len; i++) {
		struct link_obj *l = (struct link_obj *)t->objs.v[i];

		if (l->attached && l->spec.port == spec->port && l->spec.hook == spec->hook &&
		    l->spec.priority == spec->priority)
			return l;
	}
	return NULL;
}

int weir_cmd_attach(struct request *rq)
{
	struct weir_attr_attach *a = &rq->attr.attach;
	struct weir_control *c = rq->conn->control;
	struct weir_attach_spec spec = {.hook = a->hook,
					.priority = a->priority,
					.queues = a->queues ? a->queues : UINT64_MAX,
					.guard = a->flags & WEIR_ATTACH_GUARD};
	struct weir_plane_port_info info = {.name = "?"};
	struct prog_obj *prog = NULL;
	struct link_obj *link;
	struct obj *obj;
	int err;

	if (a->hook >= WEIR_HOOK_COUNT ||
	    a->flags & ~(uint32_t)(WEIR_ATTACH_GUARD | WEIR_ATTACH_ALLOW_STUBS))
		return weir_fail(&rq->diag, -EINVAL, "attach: unknown hook %u or flags 0x%x",
				 a->hook, a->flags);
	if (a->prog_fd != WEIR_SLOT_BADF) {
		err = weir_slot_obj(rq->conn, a->prog_fd, WEIR_OBJECT_PROG, &obj, NULL);
		if (err)
			return weir_fail(&rq->diag, err, "attach: the descriptor is no program's");
		prog = (struct prog_obj *)obj;
	}
	if (prog && prog->stub && !(a->flags & WEIR_ATTACH_ALLOW_STUBS))
		return weir_fail(
			&rq->diag, -EPERM,
			"attach: %s only answers \"not found\" here: allow stubs to attach "
			"all the same",
			prog->stub);
	err = port_read(rq, &spec.port);
	if (err)
		return err;
	link = link_at(c, &spec);
	if (link)
		return weir_fail(&rq->diag, -EBUSY,
				 "attach: the place belongs to link %u of pid %u", link->obj.id,
				 link->obj.pid);
	a->old_id = attached_id(c, &spec);
	err = weir_plane_attach(c->plane, &spec, a->expected_id, prog ? &prog->pp : NULL,
				&rq->diag);
	if (!err) {
		weir_plane_port_info(c->plane, spec.port, &info);
		weir_log_info("%s port=%s hook=%s priority=%u prog=%u old=%u uid=%u pid=%d "
			      "comm=\"%s\"",
			      prog ? "attached" : "detached", info.name,
			      weir_plane_hook_name(spec.hook), spec.priority,
			      prog ? prog->obj.id : 0, a->old_id, rq->conn->client->uid,
			      (int)rq->conn->client->pid, rq->conn->client->comm);
	}
	return err;
}

void weir_link_detach(struct link_obj *link)
{
	struct weir_control *c = link->obj.control;

	if (!link->attached)
		return;
	link->attached = false;
	if (c->plane)
		weir_plane_attach(c->plane, &link->spec, link->prog->obj.id, NULL, NULL);
}

void weir_link_prog_gone(struct weir_control *c, const struct weir_attach_spec *spec)
{
	struct link_obj *link = link_at(c, spec);

	if (link)
		link->attached = false;
}

/* XDP has one place a port, as on Linux; tcx takes the next free one. */
static int link_place(struct weir_control *c, struct link_obj *link, struct weir_diag *diag)
{
	struct weir_attach_spec *spec = &link->spec;
	uint32_t last =
		spec->hook == WEIR_HOOK_XDP ? WEIR_PRIORITY_DEFAULT : WEIR_PRIORITY_DEFAULT + 64;
	int err = -EBUSY;

	for (spec->priority = WEIR_PRIORITY_DEFAULT; spec->priority <= last; spec->priority++) {
		err = weir_plane_attach(c->plane, spec, 0, &link->prog->pp, diag);
		if (err != -EEXIST)
			return err;
	}
	return -EBUSY;
}

static int link_new(struct request *rq, struct prog_obj *prog, uint32_t port)
{
	const union bpf_attr *a = &rq->attr.bpf;
	struct weir_control *c = rq->conn->control;
	struct link_obj *link = calloc(1, sizeof(*link));
	int err;

	if (!link)
		return -ENOMEM;
	link->attach_type = a->link_create.attach_type;
	link->ifindex = a->link_create.target_ifindex;
	link->spec.port = port;
	link->spec.hook = link->attach_type == BPF_XDP ? WEIR_HOOK_XDP : WEIR_HOOK_TC;
	link->spec.queues = UINT64_MAX;
	link->prog = prog;
	err = weir_registry_add(c, &link->obj, WEIR_OBJECT_LINK, rq->conn->client);
	if (err) {
		free(link);
		return err;
	}
	weir_obj_get(&prog->obj);
	err = link_place(c, link, &rq->diag);
	if (!err) {
		link->attached = true;
		err = weir_token_reply(rq, &link->obj, TOKEN_READ | TOKEN_WRITE);
	}
	weir_obj_put(&link->obj);
	return err;
}

int weir_cmd_link_create(struct request *rq)
{
	const union bpf_attr *a = &rq->attr.bpf;
	struct weir_control *c = rq->conn->control;
	struct prog_obj *prog;
	struct obj *obj;
	uint32_t port;
	bool fits;
	int err;

	err = weir_slot_obj(rq->conn, a->link_create.prog_fd, WEIR_OBJECT_PROG, &obj, NULL);
	if (err)
		return err;
	prog = (struct prog_obj *)obj;
	fits = (a->link_create.attach_type == BPF_XDP && prog->pp.type == BPF_PROG_TYPE_XDP) ||
	       (a->link_create.attach_type == TCX_INGRESS &&
		prog->pp.type == BPF_PROG_TYPE_SCHED_CLS);
	if (!fits || a->link_create.flags)
		return weir_fail(&rq->diag, -EINVAL,
				 "link_create: expected attach type %d with an XDP program or %d "
				 "with a tc program, and no flags",
				 BPF_XDP, TCX_INGRESS);
	if (!c->plane || weir_plane_port_by_ifindex(c->plane, a->link_create.target_ifindex, &port))
		/* Linux: XDP says EINVAL, tcx ENODEV. */
		return weir_fail(&rq->diag,
				 a->link_create.attach_type == BPF_XDP && c->plane ? -EINVAL
										   : -ENODEV,
				 "link_create: no port has the interface index %u",
				 a->link_create.target_ifindex);
	return link_new(rq, prog, port);
}

int weir_cmd_link_detach(struct request *rq)
{
	struct obj *obj;
	int err = weir_slot_obj(rq->conn, rq->attr.bpf.link_detach.link_fd, WEIR_OBJECT_LINK, &obj,
				NULL);

	if (!err)
		weir_link_detach((struct link_obj *)obj);
	return err;
}

int weir_cmd_prog_meta(struct request *rq)
{
	struct weir_origin_rec origin;
	struct obj *obj;
	int err;

	err = weir_slot_obj(rq->conn, rq->attr.prog.prog_fd, WEIR_OBJECT_PROG, &obj, NULL);
	if (err)
		return err;
	if (rq->in.s[WEIR_SEC_RECS].bytes != sizeof(origin))
		return -EINVAL;
	memcpy(&origin, rq->in.s[WEIR_SEC_RECS].p, sizeof(origin));
	origin.path[sizeof(origin.path) - 1] = '\0';
	origin.sha256[sizeof(origin.sha256) - 1] = '\0';
	origin.section[sizeof(origin.section) - 1] = '\0';
	((struct prog_obj *)obj)->origin = origin;
	return 0;
}

void weir_control_on_budget_detach(void *arg, uint32_t port, enum weir_hook hook, uint32_t priority,
				   struct weir_plane_prog *prog, struct weir_plane_prog *restored)
{
	struct weir_control *c = *(struct weir_control **)arg;
	struct weir_attach_spec spec = {.port = port, .hook = hook, .priority = priority};
	struct weir_plane_port_info info = {.name = "?"};

	if (!c)
		return;
	weir_plane_port_info(c->plane, port, &info);
	weir_log_error("program detached cause=budget port=%s hook=%s priority=%u prog=%u "
		       "name=\"%s\" restored=%u",
		       info.name, weir_plane_hook_name(hook), priority, prog->id, prog->name,
		       restored ? restored->id : 0);
	weir_link_prog_gone(c, &spec);
}
