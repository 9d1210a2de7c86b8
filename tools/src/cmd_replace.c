/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weirctl prog replace: another program at a place, with the maps of the one before. Everything is
 * loaded before the swap, and the swap expects the program that was seen at the beginning: whatever
 * fails, the old one stays.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "online.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/maps/maps.h"

const struct cli_option prog_replace_options[] = {
	{"program", 'p', "NAME", "the object's program, where it has several"},
	{"hook", 0, "HOOK", "xdp, tc or tap, where the port has several"},
	{"priority", 0, "N", "the place, where the hook has several"},
	{"fresh", 0, "MAP[,MAP…]", "do not keep these maps: begin with empty ones"},
	{"allow-stubs", 0, NULL, "accept helpers that only answer \"not found\""},
	{0},
};

/* The program that is replaced, and its maps. */
struct old_prog {
	struct weir_attach_rec place;
	struct weir_prog_rec *recs;
	struct weir_map_rec *maps; /* all of weird's, then only the old program's */
	uint32_t map_count;
};

static void old_free(struct old_prog *old)
{
	free(old->recs);
	free(old->maps);
}

/* Is name one of the comma-separated words? */
static bool listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (!strncmp(p, name, len) && (!p[len] || p[len] == ','))
			return true;
	return false;
}

static int old_get(struct old_prog *old)
{
	const struct weir_prog_rec *rec = NULL;
	WEIR_DIAG_ON_STACK(diag, 512);
	uint32_t progs, maps, kept = 0;

	if (weir_client_progs(&old->recs, &progs, &diag) ||
	    weir_client_maps(&old->maps, &maps, &diag))
		return cli_fail("%s", diag.buf);
	for (uint32_t i = 0; i < progs; i++)
		if (old->recs[i].id == old->place.prog_id)
			rec = &old->recs[i];
	if (!rec)
		return cli_fail("program %u has gone meanwhile", old->place.prog_id);
	for (uint32_t i = 0; i < maps; i++)
		for (uint32_t k = 0; k < rec->map_count && k < WEIR_ARRAY_LEN(rec->map_ids); k++)
			if (old->maps[i].id == rec->map_ids[k])
				old->maps[kept++] = old->maps[i];
	old->map_count = kept;
	return CLI_OK;
}

/* Every word of --fresh must be a map of the object that could be kept. */
static int check_fresh(const char *fresh, const struct weir_plan *plan)
{
	weir_autofree char *copy = fresh ? strdup(fresh) : NULL;
	weir_autofree const char **names = calloc(plan->map_count + 1, sizeof(*names));
	char *save = NULL;

	if (!names || (fresh && !copy))
		return cli_fail("%s", strerror(ENOMEM));
	for (uint32_t i = 0; i < plan->map_count; i++)
		names[i] = plan->maps[i].name;
	for (char *w = copy ? strtok_r(copy, ",", &save) : NULL; w;
	     w = strtok_r(NULL, ",", &save)) {
		const struct weir_plan_map *found = NULL;
		const char *near = cli_nearest(w, names, plan->map_count);

		for (uint32_t i = 0; i < plan->map_count; i++)
			if (!strcmp(plan->maps[i].name, w))
				found = &plan->maps[i];
		if (!found && near)
			return cli_fail(
				"--fresh %s: the object has no such map; did you mean '%s'?", w,
				near);
		if (!found)
			return cli_fail("--fresh %s: the object has no such map", w);
		if (found->pin == WEIR_PIN_BY_NAME)
			return cli_fail(
				"--fresh %s: it is shared by its pin /weir/%s; 'weirctl pin "
				"delete /weir/%s' ends that",
				w, w, w);
	}
	return CLI_OK;
}

static const char *fate_name(enum online_map_fate fate)
{
	switch (fate) {
	case ONLINE_MAP_NEW: return "new";
	case ONLINE_MAP_KEPT: return "kept";
	case ONLINE_MAP_PINNED: return "pinned";
	}
	return "?";
}

static bool in_plan(const struct weir_plan *plan, const char *name)
{
	for (uint32_t i = 0; i < plan->map_count; i++)
		if (!strcmp(plan->maps[i].def.name, name))
			return true;
	return false;
}

static json_t *fates_json(const struct online_object *o, const struct old_prog *old)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < o->plan->map_count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", o->plan->maps[i].name,
						      "fate", fate_name(o->fates[i])));
	for (uint32_t i = 0; i < old->map_count; i++)
		/* only global data has a dot in its name, and that always starts afresh */
		if (!strchr(old->maps[i].name, '.') && !in_plan(o->plan, old->maps[i].name))
			json_array_append_new(list, json_pack("{s:s, s:s, s:i}", "name",
							      old->maps[i].name, "fate", "dropped",
							      "id", (int)old->maps[i].id));
	return list;
}

static void report(const struct cli *cli, const struct online_object *o, const struct old_prog *old,
		   const char *name, uint32_t id)
{
	const struct weir_attach_rec *a = &old->place;
	json_t *maps = fates_json(o, old);

	if (cli->json) {
		cli_print_json(json_pack("{s:i, s:s, s:i, s:s, s:s, s:s, s:i, s:O}", "id", (int)id,
					 "name", name, "replaced", (int)a->prog_id, "replaced_name",
					 a->prog_name, "port", a->port, "hook",
					 online_hook_name(a->hook), "priority", (int)a->priority,
					 "maps", maps));
	} else {
		printf("program %u (%s) took the place of program %u (%s) at %s/%s/%u\n", id, name,
		       a->prog_id, a->prog_name, a->port, online_hook_name(a->hook), a->priority);
		for (size_t i = 0; i < json_array_size(maps); i++) {
			json_t *row = json_array_get(maps, i);

			printf("  map %-20s %s\n", json_string_value(json_object_get(row, "name")),
			       json_string_value(json_object_get(row, "fate")));
		}
	}
	json_decref(maps);
}

static int swap(struct cli *cli, struct online_object *o, const struct old_prog *old, int prog)
{
	const struct weir_attach_rec *a = &old->place;
	struct weir_client_attach spec = {
		.prog_fd = o->prog_fds[prog],
		.port = a->port,
		.hook = a->hook,
		.priority = a->priority,
		.expected_id = a->prog_id,
		.queues = a->queues,
		.flags = a->guard ? WEIR_ATTACH_GUARD : 0,
	};
	struct weir_object_desc desc = {0};
	WEIR_DIAG_ON_STACK(diag, 512);
	int err;

	if (cli_flag(cli, "allow-stubs"))
		spec.flags |= WEIR_ATTACH_ALLOW_STUBS;
	weir_client_describe(spec.prog_fd, &desc, NULL);
	err = weir_client_attach(&spec, NULL, &diag);
	if (err)
		return cli_fail("%s/%s/%u: program %u stays: %s", a->port,
				online_hook_name(a->hook), a->priority, a->prog_id,
				err == -ENOENT ? "it has been replaced or detached meanwhile"
				: *diag.buf    ? diag.buf
					       : strerror(-err));
	o->committed = true;
	report(cli, o, old, o->plan->progs[prog].name, desc.id);
	return CLI_OK;
}

static int load(struct cli *cli, struct online_object *o, struct old_prog *old, int *prog)
{
	const char *fresh = cli_option(cli, "fresh");
	uint32_t kept = 0;
	int err = online_object_open(o, cli->subject[1]);

	if (!err)
		err = check_fresh(fresh, o->plan);
	if (err)
		return err;
	*prog = online_object_choose(o, cli_option(cli, "program"));
	if (*prog < 0)
		return CLI_FAILED;
	for (uint32_t i = 0; i < old->map_count; i++) {
		bool skip = false;

		/* weird's names are cut to 15 characters, the option's are whole */
		for (uint32_t m = 0; m < o->plan->map_count; m++)
			skip |= !strcmp(o->plan->maps[m].def.name, old->maps[i].name) &&
				listed(fresh, o->plan->maps[m].name);
		if (!skip) {
			struct weir_map_rec swapped = old->maps[kept];

			old->maps[kept++] = old->maps[i];
			old->maps[i] = swapped;
		}
	}
	o->keep = old->maps;
	o->keep_count = kept;
	err = online_object_load(o, *prog);
	return err ? err : online_object_pin(o);
}

int cmd_prog_replace(struct cli *cli)
{
	struct online_object o = {0};
	struct old_prog old = {0};
	uint32_t priority;
	int hook, prog, err = attach_place_options(cli, &hook, &priority, UINT32_MAX);

	if (err)
		return err;
	if (online_connect(cli) || online_find_place(cli->subject[0], hook, priority, &old.place))
		return CLI_FAILED;
	err = old_get(&old);
	if (!err)
		err = load(cli, &o, &old, &prog);
	if (!err)
		err = swap(cli, &o, &old, prog);
	online_object_free(&o);
	old_free(&old);
	return err;
}
