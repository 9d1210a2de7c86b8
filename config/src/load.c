/* SPDX-License-Identifier: BSD-3-Clause */
/* Files and drop-ins in, a config out; the config's life, places and look-ups. */
#include "internal.h"

#include "weir/base/cleanup.h"
#include "weir/config/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 256 /* the main one and its drop-ins */

struct source {
	const char *file;
	const char *text; /* borrowed, or of the arena */
	size_t len_bytes;
	struct weir_config_node *root;
};

static void report_begin_line(struct weir_diag *diag)
{
	if (diag && diag->len_bytes)
		weir_diag_printf(diag, "\n");
}

static int fail_file(struct weir_diag *diag, int err, const char *file, const char *what)
{
	report_begin_line(diag);
	return weir_fail(diag, err, "%s: %s%s%s", file, what, err == -EFBIG ? "" : ": ",
			 err == -EFBIG ? "" : strerror(-err));
}

static int read_all(int fd, struct weir_arena *arena, struct source *out)
{
	size_t cap = WEIR_CONFIG_FILE_MAX_BYTES + 1, len = 0;
	weir_autofree char *buf = malloc(cap);

	if (!buf)
		return -ENOMEM;
	while (len < cap) {
		ssize_t n = read(fd, buf + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
	}
	if (len == cap)
		return -EFBIG;
	out->text = weir_arena_memdup(arena, buf, len);
	out->len_bytes = len;
	return out->text ? 0 : -ENOMEM;
}

static int read_source(struct weir_config_load *load, struct source *src)
{
	weir_autoclose int fd = open(src->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int err;

	if (fd < 0)
		return fail_file(load->report.diag, -errno, src->file, "cannot open");
	err = read_all(fd, load->arena, src);
	if (err)
		return fail_file(load->report.diag, err, src->file,
				 err == -EFBIG ? "larger than 1 MiB, expected less"
					       : "cannot read");
	return 0;
}

/* weir.yaml -> weir.d */
static char *drop_in_dir(struct weir_arena *arena, const char *path)
{
	size_t len = strlen(path);
	char *dir = weir_arena_alloc(arena, len + sizeof(".d"));

	if (!dir)
		return NULL;
	if (len > 5 && !strcmp(path + len - 5, ".yaml") && path[len - 6] != '/')
		len -= 5;
	memcpy(dir, path, len);
	memcpy(dir + len, ".d", sizeof(".d"));
	return dir;
}

static int is_drop_in(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && !strcmp(entry->d_name + len - 5, ".yaml");
}

/* Bytes, not the locale's order: the same files give the same config everywhere. */
static int compare_entries(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int keep_drop_ins(struct weir_config_load *load, const char *dir, struct dirent **entries,
			 int n_entries, struct source *sources, size_t *n_sources)
{
	for (int i = 0; i < n_entries; i++) {
		const char *name = entries[i]->d_name;
		char *file = weir_arena_alloc(load->arena, strlen(dir) + strlen(name) + 2);

		if (!file)
			return -ENOMEM;
		if (*n_sources == FILES_MAX) {
			report_begin_line(load->report.diag);
			return weir_fail(load->report.diag, -EINVAL,
					 "%s: more than %d files, expected fewer", dir,
					 FILES_MAX - 1);
		}
		sprintf(file, "%s/%s", dir, name);
		sources[(*n_sources)++].file = file;
	}
	return 0;
}

static int find_drop_ins(struct weir_config_load *load, struct source *sources, size_t *n_sources)
{
	char *dir = drop_in_dir(load->arena, sources[0].file);
	struct dirent **entries;
	int n, err;

	if (!dir)
		return -ENOMEM;
	n = scandir(dir, &entries, is_drop_in, compare_entries);
	if (n < 0) {
		err = -errno;
		if (err == -ENOENT || err == -ENOTDIR)
			return 0;
		return fail_file(load->report.diag, err, dir, "cannot list");
	}
	err = keep_drop_ins(load, dir, entries, n, sources, n_sources);
	while (n--)
		free(entries[n]);
	free(entries);
	return err;
}

static struct weir_config_node *child_of(struct weir_config_node *map, const char *key)
{
	struct weir_config_node *child;

	for (child = map->first; child; child = child->next)
		if (!strcmp(child->key, key))
			return child;
	return NULL;
}

static void move_children(struct weir_config_node *to, struct weir_config_node *from)
{
	if (!from->first)
		return;
	if (to->last)
		to->last->next = from->first;
	else
		to->first = from->first;
	to->last = from->last;
	to->children += from->children;
}

static bool is_appended(const struct weir_config_node *node)
{
	return !strcmp(node->key, "ports") || !strcmp(node->key, "programs");
}

/*
 * A drop-in's tree into the main one. Nodes keep their own parents, so that a path in a message is
 * the path in the file the message names. Both trees were decoded without an error before.
 */
static void merge(struct weir_config_node *to, struct weir_config_node *from)
{
	struct weir_config_node *child, *next, *twin;

	for (child = from->first; child; child = next) {
		next = child->next;
		child->next = NULL;
		twin = child_of(to, child->key);
		if (!twin) {
			struct weir_config_node alone = {
				.first = child, .last = child, .children = 1};

			move_children(to, &alone);
		} else if (from->parent == NULL && is_appended(child)) {
			twin->kind = WEIR_CONFIG_LIST;
			move_children(twin, child);
		} else if (twin->kind == WEIR_CONFIG_MAP && child->kind == WEIR_CONFIG_MAP) {
			merge(twin, child);
		} else if (twin->kind == WEIR_CONFIG_MAP && child->empty) {
			continue; /* `log:` alone says nothing, and takes nothing back */
		} else {
			struct weir_config_node *after = twin->next;

			*twin = *child;
			twin->next = after;
		}
	}
}

static int load_result(struct weir_config_load *load)
{
	struct weir_config_report *report = &load->report;

	if (report->fatal)
		return report->fatal;
	if (report->errors > report->max_errors)
		weir_diag_printf(report->diag, "\n%u more errors",
				 report->errors - report->max_errors);
	return report->errors ? -EINVAL : 0;
}

static struct weir_config *config_new(struct weir_config_load *load)
{
	struct weir_config *config = weir_arena_alloc(load->arena, sizeof(*config));

	if (!config)
		load->report.fatal = -ENOMEM;
	load->places.len = 0;
	return config;
}

/* Each file is read and checked for itself first, then the sum of all. */
static int build(struct weir_config_load *load, struct source *sources, size_t n_sources,
		 struct weir_config **out)
{
	struct weir_config *config = NULL;

	for (size_t i = 0; i < n_sources; i++) {
		struct source *src = &sources[i];

		if (weir_config_read(load, src->file, src->text, src->len_bytes, &src->root))
			continue;
		config = config_new(load);
		if (config)
			weir_config_decode(load, src->root, config);
	}
	if (load_result(load))
		return load->report.fatal ? load->report.fatal : -EINVAL;
	if (n_sources > 1) {
		for (size_t i = 1; i < n_sources; i++)
			merge(sources[0].root, sources[i].root);
		config = config_new(load);
		if (config)
			weir_config_decode(load, sources[0].root, config);
	}
	if (config && !load->report.errors && !load->report.fatal)
		weir_config_check(load, config);
	if (load_result(load))
		return load->report.fatal ? load->report.fatal : -EINVAL;
	*out = config;
	return 0;
}

static int finish(struct weir_config_load *load, struct weir_config *config,
		  struct weir_config **out)
{
	config->store = weir_arena_alloc(load->arena, sizeof(*config->store));
	if (!config->store)
		return -ENOMEM;
	config->store->arena = load->arena;
	config->store->places = load->places;
	*out = config;
	return 0;
}

static int load_sources(const char *path, const struct source *text,
			const struct weir_config_opts *opts, struct weir_diag *diag,
			struct weir_config **out)
{
	struct weir_config_load load = {.report.diag = diag};
	struct source sources[FILES_MAX] = {0};
	struct weir_config *config;
	size_t n = 1;
	int err;

	load.report.max_errors =
		opts && opts->max_errors ? opts->max_errors : WEIR_CONFIG_ERRORS_MAX;
	err = weir_arena_new(0, &load.arena);
	if (err)
		return err;
	if (text)
		sources[0] = *text;
	sources[0].file = weir_arena_strdup(load.arena, path);
	if (!sources[0].file)
		err = -ENOMEM;
	if (!err && !text) {
		if (!opts || !opts->no_drop_ins)
			err = find_drop_ins(&load, sources, &n);
		for (size_t i = 0; !err && i < n; i++)
			err = read_source(&load, &sources[i]);
	}
	if (!err)
		err = build(&load, sources, n, &config);
	if (!err)
		err = finish(&load, config, out);
	if (err) {
		weir_vec_free(&load.places);
		weir_arena_free(&load.arena);
	}
	return err;
}

int weir_config_load(const char *path, const struct weir_config_opts *opts, struct weir_diag *diag,
		     struct weir_config **out)
{
	return load_sources(path, NULL, opts, diag, out);
}

int weir_config_load_string(const char *name, const char *text, size_t len_bytes,
			    const struct weir_config_opts *opts, struct weir_diag *diag,
			    struct weir_config **out)
{
	const struct source src = {.text = text, .len_bytes = len_bytes};

	if (len_bytes > WEIR_CONFIG_FILE_MAX_BYTES)
		return fail_file(diag, -EFBIG, name, "larger than 1 MiB, expected less");
	return load_sources(name, &src, opts, diag, out);
}

void weir_config_free(struct weir_config **config)
{
	struct weir_arena *arena;

	if (!*config)
		return;
	/* The config itself lives in the arena. */
	arena = (*config)->store->arena;
	weir_vec_free(&(*config)->store->places);
	weir_arena_free(&arena);
	*config = NULL;
}

int weir_config_fail(const struct weir_config *config, const void *field, struct weir_diag *diag,
		     int err, const char *fmt, ...)
{
	const struct weir_config_node *node = weir_config_place_find(&config->store->places, field);
	struct weir_config_report report = {.diag = diag, .max_errors = 1};
	va_list ap;

	va_start(ap, fmt);
	if (node) {
		weir_config_error_vat(&report, node, node->file, node->line, node->column, fmt, ap);
	} else {
		report_begin_line(diag);
		weir_diag_printf(diag, "%s: ", config->loc.file);
		weir_diag_vprintf(diag, fmt, ap);
	}
	va_end(ap);
	return err;
}

struct weir_config_loc weir_config_locate(const struct weir_config *config, const void *field)
{
	const struct weir_config_node *node = weir_config_place_find(&config->store->places, field);
	struct weir_config_loc loc = {.file = config->loc.file};

	if (node)
		loc = (struct weir_config_loc){node->file, node->line, node->column};
	return loc;
}

const struct weir_config_port *weir_config_port_find(const struct weir_config *config,
						     const char *name)
{
	for (size_t i = 0; i < config->ports.len; i++)
		if (!strcmp(config->ports.v[i].name, name))
			return &config->ports.v[i];
	return NULL;
}

const struct weir_config_program *weir_config_program_find(const struct weir_config *config,
							   const char *name)
{
	for (size_t i = 0; i < config->programs.len; i++)
		if (!strcmp(config->programs.v[i].name, name))
			return &config->programs.v[i];
	return NULL;
}

/* A regular file at DIR/NAME: 0 and *out, -ENOENT, or -ENOMEM. */
static int try_object(const char *dir, size_t dir_len, const char *name, char **out)
{
	weir_autofree char *path = NULL;
	struct stat st;

	if (asprintf(&path, "%.*s%s", (int)dir_len, dir, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return -ENOENT;
	*out = weir_take(path);
	return 0;
}

int weir_config_object_find(const struct weir_config *config,
			    const struct weir_config_program *program, struct weir_diag *diag,
			    char **out)
{
	const struct weir_config_strings *dirs = &config->directories.programs;
	const char *file = program->loc.file, *slash = strrchr(file, '/');
	WEIR_DIAG_ON_STACK(tried, 1024);
	int err;

	if (program->object[0] == '/') {
		err = try_object("", 0, program->object, out);
	} else {
		size_t dir_len = slash ? (size_t)(slash - file) + 1 : 0;

		err = try_object(file, dir_len, program->object, out);
		weir_diag_printf(&tried, " in %.*s", slash ? (int)(slash - file) : 1,
				 slash ? file : ".");
		for (size_t i = 0; err == -ENOENT && i < dirs->len; i++) {
			WEIR_DIAG_ON_STACK(dir, 4200);

			weir_diag_printf(&dir, "%s/", dirs->v[i]);
			err = try_object(dir.buf, dir.len_bytes, program->object, out);
			weir_diag_printf(&tried, ", %s", dirs->v[i]);
		}
	}
	if (err == -ENOENT)
		weir_config_fail(config, &program->object, diag, err,
				 "\"%s\", expected a file that exists%s", program->object,
				 tried.buf);
	return err;
}
