/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What differs between two configs. Values are compared as the text that the table makes of them:
 * the same text means the same value for every type, and it is what the change shows.
 */
#include "schema.h"

#include <errno.h>
#include <string.h>

#define PATH_BYTES  512
#define VALUE_BYTES 1024

struct differ {
	struct weir_arena *arena;
	WEIR_VEC(struct weir_config_change) changes;
	int err;
};

static const char *keep(struct differ *d, const char *text)
{
	const char *copy = weir_arena_strdup(d->arena, text);

	if (!copy)
		d->err = -ENOMEM;
	return copy;
}

static void add(struct differ *d, const struct weir_config_change *change)
{
	if (weir_vec_push(&d->changes, *change))
		d->err = -ENOMEM;
}

/* As text; where it is too long for the buffer, the arena has it whole. */
static const char *value_text(struct differ *d, const struct weir_config_key *key,
			      const void *value)
{
	WEIR_DIAG_ON_STACK(text, VALUE_BYTES);
	struct weir_diag whole = {0};

	weir_config_format_value(&text, key, value);
	if (!weir_diag_truncated(&text))
		return keep(d, text.buf);
	whole.size_bytes = text.needed_bytes + 1;
	whole.buf = weir_arena_alloc(d->arena, whole.size_bytes);
	if (!whole.buf) {
		d->err = -ENOMEM;
		return NULL;
	}
	weir_config_format_value(&whole, key, value);
	return whole.buf;
}

static void diff_section(struct differ *d, const struct weir_config_section *section,
			 const struct weir_config_change *like, const void *old, const void *new);

static void diff_key(struct differ *d, const struct weir_config_key *key,
		     const struct weir_config_change *like, const void *old, const void *new)
{
	struct weir_config_change change = *like;
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s%s%s", like->path, like->path[0] ? "." : "", key->name);
	if (key->type == WEIR_CONFIG_T_SECTION) {
		change.path = path;
		diff_section(d, key->section, &change, old, new);
		return;
	}
	change.from = value_text(d, key, old);
	change.to = value_text(d, key, new);
	if (d->err || !strcmp(change.from, change.to))
		return;
	change.path = keep(d, path);
	change.effect = key->effect;
	if (!change.from[0])
		change.from = NULL;
	if (!change.to[0])
		change.to = NULL;
	add(d, &change);
}

/* Lists whose elements are matched one by one, and names, which they are matched by. */
static bool is_matched_apart(const struct weir_config_section *section,
			     const struct weir_config_key *key)
{
	if (section == &weir_config_root_section)
		return key->section == &weir_config_port_section ||
		       key->section == &weir_config_program_section;
	return key->section == &weir_config_attach_section;
}

static void diff_section(struct differ *d, const struct weir_config_section *section,
			 const struct weir_config_change *like, const void *old, const void *new)
{
	for (size_t i = 0; i < section->len && !d->err; i++) {
		const struct weir_config_key *key = &section->keys[i];

		if (!is_matched_apart(section, key))
			diff_key(d, key, like, (const char *)old + key->offset,
				 (const char *)new + key->offset);
	}
}

static void add_whole(struct differ *d, enum weir_config_change_kind kind,
		      enum weir_config_subject subject, enum weir_config_effect effect,
		      const char *path, const void *elem)
{
	struct weir_config_change change = {
		.kind = kind, .subject = subject, .effect = effect, .path = keep(d, path)};

	if (kind == WEIR_CONFIG_ADDED)
		change.new_elem = elem;
	else
		change.old_elem = elem;
	add(d, &change);
}

static void diff_changed(struct differ *d, enum weir_config_subject subject, const char *path,
			 const struct weir_config_section *section, const void *old,
			 const void *new)
{
	const struct weir_config_change like = {.kind = WEIR_CONFIG_CHANGED,
						.subject = subject,
						.path = path,
						.old_elem = old,
						.new_elem = new};

	diff_section(d, section, &like, old, new);
}

static void diff_ports(struct differ *d, const struct weir_config *old,
		       const struct weir_config *new)
{
	char path[PATH_BYTES];

	for (size_t i = 0; i < old->ports.len; i++) {
		const struct weir_config_port *a = &old->ports.v[i];
		const struct weir_config_port *b = weir_config_port_find(new, a->name);

		snprintf(path, sizeof(path), "ports.%s", a->name);
		if (b)
			diff_changed(d, WEIR_CONFIG_PORT, path, &weir_config_port_section, a, b);
		else
			add_whole(d, WEIR_CONFIG_REMOVED, WEIR_CONFIG_PORT,
				  WEIR_CONFIG_PORT_RESTART, path, a);
	}
	for (size_t i = 0; i < new->ports.len; i++) {
		const struct weir_config_port *b = &new->ports.v[i];

		snprintf(path, sizeof(path), "ports.%s", b->name);
		if (!weir_config_port_find(old, b->name))
			add_whole(d, WEIR_CONFIG_ADDED, WEIR_CONFIG_PORT, WEIR_CONFIG_PORT_RESTART,
				  path, b);
	}
}

static const struct weir_config_attach *attach_twin(const struct weir_config_program *program,
						    const struct weir_config_attach *like)
{
	for (size_t i = 0; program && i < program->attach.len; i++) {
		const struct weir_config_attach *a = &program->attach.v[i];

		if (!strcmp(a->port, like->port) && a->hook == like->hook &&
		    a->priority == like->priority)
			return a;
	}
	return NULL;
}

static void attach_path(char *path, const struct weir_config_program *program,
			const struct weir_config_attach *attach)
{
	snprintf(path, PATH_BYTES, "programs.%s.attach.%s/%s/%u", program->name, attach->port,
		 weir_config_hook_name(attach->hook), attach->priority);
}

/* Either program may be NULL: all the attachments of the other come or go with it. */
static void diff_attaches(struct differ *d, const struct weir_config_program *old,
			  const struct weir_config_program *new)
{
	char path[PATH_BYTES];

	for (size_t i = 0; old && i < old->attach.len; i++) {
		const struct weir_config_attach *a = &old->attach.v[i];
		const struct weir_config_attach *b = attach_twin(new, a);

		attach_path(path, old, a);
		if (b)
			diff_changed(d, WEIR_CONFIG_ATTACHMENT, path, &weir_config_attach_section,
				     a, b);
		else
			add_whole(d, WEIR_CONFIG_REMOVED, WEIR_CONFIG_ATTACHMENT,
				  WEIR_CONFIG_RESTART, path, a);
	}
	for (size_t i = 0; new &&i < new->attach.len; i++) {
		const struct weir_config_attach *b = &new->attach.v[i];

		attach_path(path, new, b);
		if (!attach_twin(old, b))
			add_whole(d, WEIR_CONFIG_ADDED, WEIR_CONFIG_ATTACHMENT, WEIR_CONFIG_RESTART,
				  path, b);
	}
}

static void diff_programs(struct differ *d, const struct weir_config *old,
			  const struct weir_config *new)
{
	char path[PATH_BYTES];

	for (size_t i = 0; i < old->programs.len; i++) {
		const struct weir_config_program *a = &old->programs.v[i];
		const struct weir_config_program *b = weir_config_program_find(new, a->name);

		snprintf(path, sizeof(path), "programs.%s", a->name);
		if (b)
			diff_changed(d, WEIR_CONFIG_PROGRAM, path, &weir_config_program_section, a,
				     b);
		else
			add_whole(d, WEIR_CONFIG_REMOVED, WEIR_CONFIG_PROGRAM, WEIR_CONFIG_RESTART,
				  path, a);
		diff_attaches(d, a, b);
	}
	for (size_t i = 0; i < new->programs.len; i++) {
		const struct weir_config_program *b = &new->programs.v[i];

		if (weir_config_program_find(old, b->name))
			continue;
		snprintf(path, sizeof(path), "programs.%s", b->name);
		add_whole(d, WEIR_CONFIG_ADDED, WEIR_CONFIG_PROGRAM, WEIR_CONFIG_RESTART, path, b);
		diff_attaches(d, NULL, b);
	}
}

static int finish(struct differ *d, struct weir_config_diff **out)
{
	struct weir_config_diff *diff;

	if (d->err)
		return d->err;
	diff = weir_arena_alloc(d->arena, sizeof(*diff));
	if (!diff)
		return -ENOMEM;
	diff->v = weir_arena_memdup(d->arena, d->changes.v, d->changes.len * sizeof(*d->changes.v));
	if (!diff->v)
		return -ENOMEM;
	diff->len = d->changes.len;
	for (size_t i = 0; i < diff->len; i++)
		if (diff->v[i].effect > diff->effect)
			diff->effect = diff->v[i].effect;
	diff->arena = d->arena;
	*out = diff;
	return 0;
}

int weir_config_diff(const struct weir_config *old, const struct weir_config *new,
		     struct weir_config_diff **out)
{
	struct differ d = {0};
	int err;

	err = weir_arena_new(0, &d.arena);
	if (err)
		return err;
	diff_changed(&d, WEIR_CONFIG_SETTING, "", &weir_config_root_section, old, new);
	diff_ports(&d, old, new);
	diff_programs(&d, old, new);
	err = finish(&d, out);
	weir_vec_free(&d.changes);
	if (err)
		weir_arena_free(&d.arena);
	return err;
}

void weir_config_diff_free(struct weir_config_diff **diff)
{
	struct weir_arena *arena;

	if (!*diff)
		return;
	arena = (*diff)->arena;
	weir_arena_free(&arena);
	*diff = NULL;
}
