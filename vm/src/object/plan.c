/* SPDX-License-Identifier: BSD-3-Clause */
/* A plan's end, and carrying it out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weir/base/arena.h"
#include "weir/base/cleanup.h"
#include "weir/vm/object.h"

void weir_plan_free(struct weir_plan **plan)
{
	struct weir_plan *p = *plan;

	if (!p)
		return;
	*plan = NULL;
	for (uint32_t i = 0; i < p->prog_count; i++)
		weir_prog_raw_clear(&p->progs[i].raw);
	weir_btf_free(&p->btf);
	weir_arena_free(&p->arena);
	free(p);
}

int weir_plan_set_sha256(struct weir_plan *plan, const char *hex)
{
	if (strlen(hex) != sizeof(plan->sha256) - 1 ||
	    strspn(hex, "0123456789abcdef") != sizeof(plan->sha256) - 1)
		return -EINVAL;
	memcpy(plan->sha256, hex, sizeof(plan->sha256));
	return 0;
}

static bool type_is_run(uint32_t prog_type)
{
	return prog_type == BPF_PROG_TYPE_XDP || prog_type == BPF_PROG_TYPE_SCHED_CLS ||
	       prog_type == BPF_PROG_TYPE_SCHED_ACT || prog_type == BPF_PROG_TYPE_SOCKET_FILTER;
}

/* Which programs to load: the one asked for with what prog arrays name, or all autoload ones. */
static int select_progs(const struct weir_plan *plan, const char *name, bool *selected,
			struct weir_diag *diag)
{
	bool found = false;

	for (uint32_t i = 0; i < plan->prog_count; i++) {
		selected[i] = name ? !strcmp(plan->progs[i].name, name) : plan->progs[i].autoload;
		found |= selected[i];
	}
	if (name && !found)
		return weir_fail(diag, -ENOENT, "no program '%s' in the object", name);
	for (uint32_t i = 0; name && i < plan->map_count; i++) {
		const struct weir_plan_map *m = &plan->maps[i];

		for (uint32_t k = 0; m->def.type == BPF_MAP_TYPE_PROG_ARRAY && k < m->slot_count;
		     k++)
			selected[m->slots[k].index] = true;
	}
	for (uint32_t i = 0; i < plan->prog_count; i++) {
		const struct weir_plan_prog *p = &plan->progs[i];

		if (selected[i] && !type_is_run(p->raw.type))
			return weir_fail(
				diag, -EINVAL,
				"program '%s': prog-type-unsupported: section '%s' is not one "
				"weir runs; expected xdp, tc, classifier, action or socket",
				p->name, p->section);
	}
	return 0;
}

static int apply_slots(const struct weir_plan *plan, const bool *selected,
		       const struct weir_plan_sink *sink, void *arg, struct weir_diag *diag)
{
	for (uint32_t i = 0; i < plan->map_count; i++) {
		const struct weir_plan_map *m = &plan->maps[i];

		for (uint32_t k = 0; k < m->slot_count; k++) {
			int err;

			if (m->def.type == BPF_MAP_TYPE_PROG_ARRAY && !selected[m->slots[k].index])
				continue;
			if (!sink->set_slot)
				return weir_fail(diag, -ENOTSUP, "map '%s': static values",
						 m->name);
			err = sink->set_slot(arg, plan, i, &m->slots[k], diag);
			if (err)
				return err;
		}
	}
	return 0;
}

static int apply_steps(const struct weir_plan *plan, const bool *selected,
		       const struct weir_plan_sink *sink, void *arg, struct weir_diag *diag)
{
	int err = 0;

	for (uint32_t i = 0; i < plan->map_count && !err; i++)
		err = sink->create_map(arg, plan, i, diag);
	for (uint32_t i = 0; i < plan->map_count && !err; i++) {
		const struct weir_plan_map *m = &plan->maps[i];

		if (m->data)
			err = sink->set_data(arg, plan, i, diag);
		if (!err && m->freeze)
			err = sink->freeze(arg, plan, i, diag);
	}
	for (uint32_t i = 0; i < plan->prog_count && !err; i++)
		if (selected[i])
			err = sink->load_prog(arg, plan, i, diag);
	return err ? err : apply_slots(plan, selected, sink, arg, diag);
}

int weir_plan_apply(const struct weir_plan *plan, const struct weir_plan_apply_opts *opts,
		    const struct weir_plan_sink *sink, void *arg, struct weir_diag *diag)
{
	weir_autofree bool *selected = calloc(plan->prog_count + 1ULL, sizeof(*selected));
	int err;

	if (!selected)
		return -ENOMEM;
	err = select_progs(plan, opts ? opts->program : NULL, selected, diag);
	if (err)
		return err;
	err = apply_steps(plan, selected, sink, arg, diag);
	if (err && sink->abort)
		sink->abort(arg);
	return err;
}
