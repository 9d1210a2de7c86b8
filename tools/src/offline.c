/* SPDX-License-Identifier: BSD-3-Clause */
#include "offline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/vm/interp.h"
#include "weir/vm/rewrite.h"

static const struct {
	uint32_t type;
	const char *name;
} prog_types[] = {
	{BPF_PROG_TYPE_XDP, "xdp"},
	{BPF_PROG_TYPE_SCHED_CLS, "sched_cls"},
	{BPF_PROG_TYPE_SCHED_ACT, "sched_act"},
	{BPF_PROG_TYPE_SOCKET_FILTER, "socket_filter"},
	{BPF_PROG_TYPE_SCHED_CLS, "tc"},
	{BPF_PROG_TYPE_SOCKET_FILTER, "socket"},
};

const char *prog_type_name(uint32_t type)
{
	for (size_t i = 0; i < WEIR_ARRAY_LEN(prog_types); i++)
		if (prog_types[i].type == type)
			return prog_types[i].name;
	return "unsupported";
}

uint32_t prog_type_parse(const char *name)
{
	for (size_t i = 0; i < WEIR_ARRAY_LEN(prog_types); i++)
		if (!strcmp(prog_types[i].name, name))
			return prog_types[i].type;
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static void prog_clear(struct offline_prog *p)
{
	weir_code_free(&p->code);
	weir_prog_low_free(&p->low);
	weir_prog_ok_free(&p->ok);
	free(p->log);
	*p = (struct offline_prog){0};
}

void offline_free(struct offline **offline)
{
	struct offline *o = *offline;

	if (!o)
		return;
	for (uint32_t i = 0; o->progs && i < o->plan->prog_count; i++)
		prog_clear(&o->progs[i]);
	for (uint32_t i = 0; o->maps && i < o->plan->map_count; i++)
		weir_map_free(&o->maps[i]);
	if (o->codemem)
		weir_codemem_free(&o->codemem);
	weir_rcu_single_free(&o->rcu);
	weir_plan_free(&o->plan);
	free(o->progs);
	free(o->maps);
	free(o->exec);
	free(o);
	*offline = NULL;
}

/* A clock that goes on by 1 with every look; there is one look a WEIR_BUDGET_TRIPS trips. */
static uint64_t count_looks(struct weir_exec *exec)
{
	uint64_t *looks = exec->clock_arg;

	return ++*looks;
}

int offline_open(const char *path, const struct offline_opts *opts, struct weir_diag *diag,
		 struct offline **out)
{
	struct offline *o = calloc(1, sizeof(*o));
	int err;

	if (!o)
		return -ENOMEM;
	o->opts = *opts;
	if (!o->opts.slots)
		o->opts.slots = 1;
	err = weir_object_load_file(path, NULL, diag, &o->plan);
	if (err)
		goto fail;
	err = -ENOMEM;
	o->maps = calloc(o->plan->map_count + 1, sizeof(*o->maps));
	o->progs = calloc(o->plan->prog_count + 1, sizeof(*o->progs));
	o->exec = calloc(o->opts.slots, sizeof(*o->exec));
	if (!o->maps || !o->progs || !o->exec || weir_rcu_single_new(&o->rcu))
		goto fail;
	for (uint32_t s = 0; s < o->opts.slots; s++) {
		weir_exec_init(&o->exec[s], s, o->opts.slots, o->rcu);
		o->exec[s].budget_ns = OFFLINE_BUDGET_TRIPS / WEIR_BUDGET_TRIPS;
		o->exec[s].prandom_state = 0x9e3779b97f4a7c15U + s; /* the same in every run */
		o->exec[s].now_ns = count_looks;
		o->exec[s].clock_arg = &o->looks;
	}
	*out = o;
	return 0;
fail:
	offline_free(&o);
	return err;
}

/* The program's raw form with the constants of the plan's frozen maps put in. */
static int raw_with_constants(const struct offline *o, uint32_t i, struct weir_prog_raw *raw)
{
	struct weir_map_ref *maps;

	*raw = o->plan->progs[i].raw;
	maps = calloc(raw->map_count + 1, sizeof(*maps));
	if (!maps)
		return -ENOMEM;
	for (uint32_t m = 0; m < raw->map_count; m++) {
		const struct weir_plan_map *pm = &o->plan->maps[m];

		maps[m] = raw->maps[m];
		if (o->maps[m]) /* creation may add flags */
			maps[m].def = o->maps[m]->def;
		if (o->maps[m] && o->maps[m]->frozen && (o->maps[m]->def.flags & BPF_F_RDONLY_PROG))
			maps[m].const_values = o->maps[m]->values;
		else if (!o->maps[m] && pm->freeze && (pm->def.flags & BPF_F_RDONLY_PROG))
			maps[m].const_values = pm->data;
	}
	raw->maps = maps;
	return 0;
}

int offline_verify(struct offline *o, uint32_t i, uint32_t prog_type)
{
	struct weir_verify_opts opts = {.role = o->opts.role, .log_level = o->opts.log_level};
	struct offline_prog *p = &o->progs[i];
	struct weir_prog_raw raw;
	struct weir_diag log;

	prog_clear(p);
	p->log = malloc(OFFLINE_LOG_BYTES);
	if (!p->log || raw_with_constants(o, i, &raw)) {
		p->err = -ENOMEM;
		return p->err;
	}
	weir_diag_init(&log, p->log, OFFLINE_LOG_BYTES);
	if (prog_type)
		raw.type = prog_type;
	p->err = weir_verify(&raw, &opts, &log, &p->stats, &p->reject, &p->ok);
	free(raw.maps);
	return p->err;
}

static int compile(struct offline *o, uint32_t i, struct weir_diag *diag)
{
	struct offline_prog *p = &o->progs[i];
	uint64_t start = now_ns();
	int err = weir_rewrite(p->ok, o->maps, NULL, diag, &p->low);

	if (err)
		return err;
	if (o->opts.interp)
		return weir_interp_bind(p->low, &p->code);
	if (!o->codemem) {
		err = weir_codemem_new(0, diag, &o->codemem);
		if (err)
			return err;
		start = now_ns();
	}
	err = weir_jit_compile(p->low, o->codemem, NULL, diag, &p->code);
	p->jit_ns = now_ns() - start;
	return err;
}

static int sink_create_map(void *arg, const struct weir_plan *plan, uint32_t i,
			   struct weir_diag *diag)
{
	struct offline *o = arg;
	struct weir_maps_env env = {
		.slots = o->opts.slots,
		.rcu = o->rcu,
		.fixed_seed = true,
	};
	int err = weir_map_new(&env, &plan->maps[i].def, diag, &o->maps[i]);

	if (!err)
		o->maps[i]->btf = plan->btf;
	return err;
}

static int sink_set_data(void *arg, const struct weir_plan *plan, uint32_t i,
			 struct weir_diag *diag)
{
	struct offline *o = arg;
	uint32_t zero = 0;
	int err = o->maps[i]->ops->ctl_update(o->maps[i], &zero, plan->maps[i].data, BPF_ANY, -1);

	return err ? weir_fail(diag, err, "map %s: setting initial data: %s", plan->maps[i].name,
			       strerror(-err))
		   : 0;
}

static int sink_freeze(void *arg, const struct weir_plan *plan, uint32_t i, struct weir_diag *diag)
{
	struct offline *o = arg;
	int err = o->maps[i]->ops->ctl_freeze(o->maps[i]);

	return err ? weir_fail(diag, err, "map %s: freezing: %s", plan->maps[i].name,
			       strerror(-err))
		   : 0;
}

static int sink_load_prog(void *arg, const struct weir_plan *plan, uint32_t i,
			  struct weir_diag *diag)
{
	struct offline *o = arg;
	int err = offline_verify(o, i, 0);

	if (err)
		return weir_fail(diag, err, "%s: refused: %s [%s]", plan->progs[i].name,
				 o->progs[i].reject.message,
				 o->progs[i].reject.reason_id ? o->progs[i].reject.reason_id
							      : strerror(-err));
	return compile(o, i, diag);
}

static int sink_set_slot(void *arg, const struct weir_plan *plan, uint32_t i,
			 const struct weir_plan_slot *slot, struct weir_diag *diag)
{
	struct offline *o = arg;
	int err;

	if (!o->maps[i]->ops->ctl_set_code)
		return weir_fail(diag, -ENOTSUP, "map %s: static values of a %s are not supported",
				 plan->maps[i].name, o->maps[i]->ops->name);
	err = o->maps[i]->ops->ctl_set_code(o->maps[i], slot->key, slot->index + 1,
					    o->progs[slot->index].code);
	return err ? weir_fail(diag, err, "map %s: slot %u: %s", plan->maps[i].name, slot->key,
			       strerror(-err))
		   : 0;
}

int offline_load(struct offline *o, uint32_t main_prog, struct weir_diag *diag)
{
	const struct weir_plan_sink sink = {
		.create_map = sink_create_map,
		.set_data = sink_set_data,
		.freeze = sink_freeze,
		.load_prog = sink_load_prog,
		.set_slot = sink_set_slot,
	};
	struct weir_plan_apply_opts opts = {.program = o->plan->progs[main_prog].name};

	return weir_plan_apply(o->plan, &opts, &sink, o, diag);
}

int offline_find(const struct offline *o, const char *name, const char *section,
		 struct weir_diag *diag)
{
	const struct weir_plan *plan = o->plan;
	int found = -1, matches = 0;

	for (uint32_t i = 0; i < plan->prog_count; i++) {
		if (name && strcmp(plan->progs[i].name, name))
			continue;
		if (section && strcmp(plan->progs[i].section, section))
			continue;
		found = found < 0 ? (int)i : found;
		matches++;
	}
	if (matches == 1)
		return found;
	if (!plan->prog_count)
		return weir_fail(diag, -ENOENT, "the object has no program");
	if (!matches)
		weir_diag_printf(diag, "no program %s%s%s; there %s", name ? name : "",
				 section ? " in section " : "", section ? section : "",
				 plan->prog_count == 1 ? "is" : "are");
	else
		weir_diag_printf(diag, "%d programs; choose one with --program:", matches);
	for (uint32_t i = 0; i < plan->prog_count; i++)
		weir_diag_printf(diag, "%s %s", i ? "," : "", plan->progs[i].name);
	return matches ? -EINVAL : -ENOENT;
}
