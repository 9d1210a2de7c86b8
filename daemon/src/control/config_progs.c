/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The programs of the configuration: objects read, maps made or found by pin, programs loaded
 * and attached, on the main thread before the workers run. A failure takes everything back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "weir/base/cleanup.h"
#include "weir/config/config.h"
#include "weir/vm/object.h"

/* One program of the file being carried out. */
struct carrier {
	struct weir_control *c;
	const struct weir_config_program *program;
	struct btf_obj *btf;
	struct map_obj **maps;   /* by plan index */
	struct prog_obj **progs; /* by plan index */
	uint32_t map_count, prog_count;
	struct weir_origin_rec origin;
	WEIR_VEC(const char *) pins; /* made here; paths borrowed from the pins */
};

static const char *pin_path(const struct carrier *k, const struct weir_plan_map *pm, char buf[],
			    size_t bytes)
{
	for (size_t i = 0; i < k->program->maps.len; i++)
		if (!strcmp(k->program->maps.v[i].name, pm->name))
			return k->program->maps.v[i].pin;
	if (pm->pin != WEIR_PIN_BY_NAME)
		return NULL;
	snprintf(buf, bytes, "/weir/%s", pm->name); /* as weirctl does */
	return buf;
}

static int reuse_check(const struct weir_map_def *have, const struct weir_map_def *want,
		       const char *path, struct weir_diag *diag)
{
	if (have->type == want->type && have->key_size == want->key_size &&
	    have->value_size == want->value_size && have->max_entries == want->max_entries &&
	    have->flags == want->flags)
		return 0;
	return weir_fail(
		diag, -EINVAL,
		"map pinned at %s: expected type %u key %u value %u entries %u flags 0x%x, "
		"found type %u key %u value %u entries %u flags 0x%x",
		path, want->type, want->key_size, want->value_size, want->max_entries, want->flags,
		have->type, have->key_size, have->value_size, have->max_entries, have->flags);
}

static int map_pin(struct carrier *k, const char *path, struct map_obj *m, struct weir_diag *diag)
{
	struct pin *pin;
	int err = weir_pin_add(k->c, path, &m->obj, geteuid(), getegid());

	if (!err && weir_pin_find(k->c, path, &pin))
		err = weir_vec_push(&k->pins, pin->path);
	return err ? weir_fail(diag, err, "pin %s: %s", path, strerror(-err)) : 0;
}

static int carry_map(void *arg, const struct weir_plan *plan, uint32_t idx, struct weir_diag *diag)
{
	const struct weir_plan_map *pm = &plan->maps[idx];
	struct weir_map_def def = pm->def;
	struct carrier *k = arg;
	char buf[WEIR_PATH_BYTES];
	const char *path = pin_path(k, pm, buf, sizeof(buf));
	bool typed = def.btf_key_type_id || def.btf_value_type_id;
	struct weir_map *map;
	struct pin *pin;
	struct obj *obj = path ? weir_pin_find(k->c, path, &pin) : NULL;
	int err;

	if (obj && obj->kind != WEIR_OBJECT_MAP)
		return weir_fail(diag, -EINVAL, "pin %s: expected a map", path);
	if (obj) {
		err = reuse_check(&((struct map_obj *)obj)->map->def, &def, path, diag);
		if (err)
			return err;
		weir_obj_get(obj);
		k->maps[idx] = (struct map_obj *)obj;
		return 0;
	}
	err = weir_map_new(&k->c->maps_env, &def, diag, &map);
	if (!err)
		err = weir_map_obj_new(k->c, NULL, map, typed ? k->btf : NULL, &k->maps[idx]);
	return err || !path ? err : map_pin(k, path, k->maps[idx], diag);
}

static int carry_data(void *arg, const struct weir_plan *plan, uint32_t idx, struct weir_diag *diag)
{
	struct weir_map *map = ((struct carrier *)arg)->maps[idx]->map;
	const uint32_t key = 0;

	return map->ops->ctl_update(map, &key, plan->maps[idx].data, BPF_ANY, -1);
}

static int carry_freeze(void *arg, const struct weir_plan *plan, uint32_t idx,
			struct weir_diag *diag)
{
	struct weir_map *map = ((struct carrier *)arg)->maps[idx]->map;

	return map->ops->ctl_freeze(map);
}

/* The plan's raw with the program's own maps only; the build owns copies. */
static int raw_copy(struct carrier *k, const struct weir_prog_raw *from, struct prog_build *b)
{
	struct weir_map_ref *maps = b->raw.maps;

	b->raw = *from;
	b->raw.maps = maps;
	b->raw.map_count = 0;
	b->raw.funcs = NULL;
	b->raw.lines = NULL;
	b->raw.btf = from->btf && k->btf ? k->btf->btf : NULL;
	b->raw.insns = malloc((from->insn_count + 1) * sizeof(*from->insns));
	b->raw.funcs = malloc((from->func_count + 1) * sizeof(*from->funcs));
	b->raw.lines = malloc((from->line_count + 1) * sizeof(*from->lines));
	if (!b->raw.insns || !b->raw.funcs || !b->raw.lines)
		return -ENOMEM;
	if (from->insn_count)
		memcpy(b->raw.insns, from->insns, from->insn_count * sizeof(*from->insns));
	if (from->func_count)
		memcpy(b->raw.funcs, from->funcs, from->func_count * sizeof(*from->funcs));
	if (from->line_count)
		memcpy(b->raw.lines, from->lines, from->line_count * sizeof(*from->lines));
	for (uint32_t i = 0; i < from->insn_count; i++) {
		struct bpf_insn *insn = &b->raw.insns[i];
		int idx;

		if (insn->code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		i++;
		if (insn->src_reg != BPF_PSEUDO_MAP_IDX &&
		    insn->src_reg != BPF_PSEUDO_MAP_IDX_VALUE)
			continue;
		if ((uint32_t)insn->imm >= k->map_count)
			return -EINVAL;
		idx = weir_prog_map_use(b, k->maps[insn->imm]);
		if (idx < 0)
			return idx;
		insn->imm = idx;
	}
	if (b->raw.btf) {
		weir_obj_get(&k->btf->obj);
		b->prog->btf = k->btf;
	}
	return 0;
}

static uint32_t config_type(enum weir_config_prog_type type, uint32_t from_section)
{
	switch (type) {
	case WEIR_CONFIG_PROG_XDP: return BPF_PROG_TYPE_XDP;
	case WEIR_CONFIG_PROG_SCHED_CLS: return BPF_PROG_TYPE_SCHED_CLS;
	case WEIR_CONFIG_PROG_SCHED_ACT: return BPF_PROG_TYPE_SCHED_ACT;
	case WEIR_CONFIG_PROG_SOCKET_FILTER: return BPF_PROG_TYPE_SOCKET_FILTER;
	default: return from_section;
	}
}

static int carry_prog(void *arg, const struct weir_plan *plan, uint32_t idx, struct weir_diag *diag)
{
	const struct weir_plan_prog *pp = &plan->progs[idx];
	struct carrier *k = arg;
	struct prog_build b = {
		.codemem = k->c->codemem, .slots = k->c->slots, .verify = {.log_level = 1}};
	size_t mark = diag ? diag->len_bytes : 0;
	int err = weir_prog_build_init(&b);

	if (!err)
		err = raw_copy(k, &pp->raw, &b);
	b.raw.type = config_type(k->program->type, b.raw.type);
	if (!err) {
		weir_diag_printf(diag, "program '%s': ", pp->name);
		err = weir_prog_build(&b, diag);
		if (!err)
			weir_diag_truncate(diag, mark);
	}
	if (!err)
		err = weir_prog_register(k->c, NULL, b.prog);
	if (!err) {
		k->progs[idx] = b.prog;
		k->progs[idx]->origin = k->origin;
		snprintf(k->progs[idx]->origin.section, sizeof(k->origin.section), "%s",
			 pp->section);
		b.prog = NULL;
	}
	weir_prog_build_clear(&b);
	return err;
}

static int carry_slot(void *arg, const struct weir_plan *plan, uint32_t idx,
		      const struct weir_plan_slot *slot, struct weir_diag *diag)
{
	struct carrier *k = arg;

	if (!k->maps[idx]->progs)
		return weir_fail(diag, -ENOTSUP, "map '%s': maps of maps are not there",
				 plan->maps[idx].name);
	if (slot->index >= k->prog_count || !k->progs[slot->index])
		return weir_fail(diag, -EINVAL, "map '%s': its program %u is not loaded",
				 plan->maps[idx].name, slot->index);
	return weir_prog_array_set(k->maps[idx], slot->key, k->progs[slot->index]);
}

static void carry_abort(void *arg)
{
}

static const struct weir_plan_sink sink = {
	.create_map = carry_map,
	.set_data = carry_data,
	.freeze = carry_freeze,
	.load_prog = carry_prog,
	.set_slot = carry_slot,
	.abort = carry_abort, /* carrier_clear() does it */
};

static void carrier_clear(struct carrier *k, bool undo)
{
	struct pin *pin;

	for (size_t i = 0; undo && i < k->pins.len; i++)
		if (weir_pin_find(k->c, k->pins.v[i], &pin))
			weir_pin_remove(k->c, pin);
	for (uint32_t i = 0; i < k->prog_count; i++)
		if (k->progs[i])
			weir_obj_put(&k->progs[i]->obj);
	for (uint32_t i = 0; i < k->map_count; i++)
		if (k->maps[i])
			weir_obj_put(&k->maps[i]->obj);
	if (k->btf)
		weir_obj_put(&k->btf->obj);
	weir_vec_free(&k->pins);
	free(k->progs);
	free(k->maps);
}

static int carrier_btf(struct carrier *k, const struct weir_plan *plan, struct weir_diag *diag)
{
	const void *bytes;
	size_t size;
	int err;

	if (!plan->btf)
		return 0;
	bytes = weir_btf_bytes(plan->btf, &size);
	k->btf = calloc(1, sizeof(*k->btf));
	if (!k->btf)
		return -ENOMEM;
	err = weir_btf_parse(bytes, size, diag, &k->btf->btf);
	if (!err)
		err = weir_registry_add(k->c, &k->btf->obj, WEIR_OBJECT_BTF, NULL);
	if (err) {
		weir_btf_free(&k->btf->btf);
		free(k->btf);
		k->btf = NULL;
	}
	return err;
}

/* The plan's program that the file means. */
static int prog_choose(const struct weir_config_program *p, const struct weir_plan *plan,
		       struct weir_diag *diag, uint32_t *out)
{
	uint32_t found = UINT32_MAX;

	for (uint32_t i = 0; i < plan->prog_count; i++) {
		const struct weir_plan_prog *pp = &plan->progs[i];

		if (p->program ? strcmp(pp->name, p->program) != 0
			       : p->section && strcmp(pp->section, p->section) != 0)
			continue;
		if (found != UINT32_MAX)
			return weir_fail(diag, -EINVAL,
					 "expected `program`, because more than one fits ('%s' and "
					 "'%s')",
					 plan->progs[found].name, pp->name);
		found = i;
	}
	if (found == UINT32_MAX && p->program)
		return weir_fail(diag, -ENOENT, "no program '%s'", p->program);
	if (found == UINT32_MAX && p->section)
		return weir_fail(diag, -ENOENT, "no program in section '%s'", p->section);
	if (found == UINT32_MAX)
		return weir_fail(diag, -ENOENT, "there is no program in it");
	*out = found;
	return 0;
}

/* Without a data plane (--check) all that can be said without one. */
static int attach_one(struct weir_control *c, const struct weir_config_program *p,
		      const struct weir_config_attach *a, struct prog_obj *prog,
		      struct weir_diag *diag)
{
	struct weir_attach_spec spec = {
		.hook = (enum weir_hook)a->hook,
		.priority = a->priority,
		.queues = a->queues,
		.guard = prog->pp.type == BPF_PROG_TYPE_SOCKET_FILTER &&
			 a->hook == WEIR_CONFIG_HOOK_TC,
	};
	int err;

	if (prog->stub && !p->allow_stubs)
		return weir_fail(diag, -EPERM,
				 "%s only answers \"not found\" here: expected allow-stubs: true",
				 prog->stub);
	err = weir_plane_hook_check(&spec, &prog->pp, diag);
	if (err || !c->plane)
		return err;
	err = weir_plane_port_find(c->plane, a->port, &spec.port);
	if (err)
		return weir_fail(diag, err, "there is no port '%s'", a->port);
	return weir_plane_attach(c->plane, &spec, 0, &prog->pp, diag);
}

static void detach_from(struct weir_control *c, const struct weir_config_program *p, size_t count)
{
	while (c->plane && count--) {
		const struct weir_config_attach *a = &p->attach.v[count];
		struct weir_attach_spec spec = {.hook = (enum weir_hook)a->hook,
						.priority = a->priority,
						.queues = a->queues};

		if (!weir_plane_port_find(c->plane, a->port, &spec.port))
			weir_plane_attach(c->plane, &spec, WEIR_ATTACH_ANY, NULL, NULL);
	}
}

/* *field is what of the file a failure is about. */
static int attach_all(struct weir_control *c, const struct weir_config *config,
		      const struct weir_config_program *p, struct prog_obj *prog,
		      struct weir_diag *diag, const void **field)
{
	for (size_t i = 0; i < p->attach.len; i++) {
		WEIR_DIAG_ON_STACK(why, 512);
		int err = attach_one(c, p, &p->attach.v[i], prog, &why);

		/* A port that may be absent takes its programs with it. */
		if (err == -ENODEV && !config->ports.v[p->attach.v[i].port_idx].required) {
			weir_log_warning("program not attached, its port is absent program=%s "
					 "port=%s",
					 p->name, p->attach.v[i].port);
			continue;
		}
		if (err) {
			detach_from(c, p, i);
			*field = &p->attach.v[i];
			return weir_fail(diag, err, "cannot attach: %s",
					 why.len_bytes ? why_buf : strerror(-err));
		}
	}
	return 0;
}

static int program_carry(struct weir_control *c, const struct weir_config *config,
			 const struct weir_config_program *p, const struct weir_plan *plan,
			 const char *path, struct weir_diag *diag, const void **field)
{
	struct carrier k = {.c = c, .program = p};
	struct weir_plan_apply_opts apply = {0};
	uint32_t chosen = 0;
	int err;

	err = prog_choose(p, plan, diag, &chosen);
	if (err)
		return err;
	k.maps = calloc(plan->map_count + 1, sizeof(struct map_obj *));
	k.progs = calloc(plan->prog_count + 1, sizeof(struct prog_obj *));
	k.map_count = plan->map_count;
	k.prog_count = plan->prog_count;
	snprintf(k.origin.path, sizeof(k.origin.path), "%s", path);
	snprintf(k.origin.sha256, sizeof(k.origin.sha256), "%s", plan->sha256);
	apply.program = plan->progs[chosen].name;
	err = k.maps && k.progs ? carrier_btf(&k, plan, diag) : -ENOMEM;
	if (!err)
		err = weir_plan_apply(plan, &apply, &sink, &k, diag);
	if (!err && p->pin)
		err = weir_pin_add(c, p->pin, &k.progs[chosen]->obj, geteuid(), getegid());
	if (!err)
		err = attach_all(c, config, p, k.progs[chosen], diag, field);
	if (err && p->pin) {
		struct pin *pin;

		if (weir_pin_find(c, p->pin, &pin) == &k.progs[chosen]->obj && k.progs[chosen])
			weir_pin_remove(c, pin);
	}
	carrier_clear(&k, err != 0);
	return err;
}

static int program_load(struct weir_control *c, const struct weir_config *config,
			const struct weir_config_program *p, struct weir_diag *diag)
{
	WEIR_DIAG_ON_STACK(why, 8192);
	weir_autofree char *path = NULL;
	struct weir_plan *plan = NULL;
	const void *field = p;
	int err;

	err = weir_config_object_find(config, p, diag, &path);
	if (err)
		return err;
	err = weir_object_load_file(path, NULL, &why, &plan);
	if (err)
		return weir_config_fail(config, p, diag, err, "%s: %s", path, why_buf);
	err = program_carry(c, config, p, plan, path, &why, &field);
	weir_plan_free(&plan);
	if (err)
		return weir_config_fail(config, field, diag, err, "%s: %s", path,
					why.len_bytes ? why_buf : strerror(-err));
	return 0;
}

int weir_control_load_config_programs(struct weir_control *c, const struct weir_config *config,
				      struct weir_diag *diag)
{
	for (size_t i = 0; i < config->programs.len; i++) {
		const struct weir_config_program *p = &config->programs.v[i];
		int err = program_load(c, config, p, diag);

		if (err) {
			while (c->plane && i--)
				detach_from(c, &config->programs.v[i],
					    config->programs.v[i].attach.len);
			return err;
		}
		weir_log_info("program loaded name=%s object=%s attachments=%zu", p->name,
			      p->object, p->attach.len);
	}
	return 0;
}

int weir_control_check_config_programs(const struct weir_config *config, struct weir_diag *diag)
{
	struct weir_control *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->epfd = c->token_epfd = c->listen_fd = c->loader.eventfd = -1;
	c->slots = 1;
	err = weir_rcu_single_new(&c->rcu);
	c->maps_env = (struct weir_maps_env){.slots = 1, .rcu = c->rcu};
	if (!err && weir_jit_supported())
		err = weir_codemem_new(0, diag, &c->codemem);
	for (size_t i = 0; !err && i < config->programs.len; i++)
		err = program_load(c, config, &config->programs.v[i], diag);
	c->stopping = true;
	weir_pin_drop_all(c);
	weir_registry_collect(c);
	for (int k = WEIR_OBJECT_PROG; k < WEIR_OBJECT_ANY; k++)
		weir_vec_free(&c->tables[k].objs);
	weir_codemem_free(&c->codemem);
	weir_rcu_single_free(&c->rcu);
	free(c);
	return err;
}
