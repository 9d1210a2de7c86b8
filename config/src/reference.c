/* SPDX-License-Identifier: BSD-3-Clause */
/* The reference text, from the table that reading goes by. */
#include "schema.h"

#include <errno.h>
#include <string.h>

#define PATH_MAX_BYTES 128

/* A cell must not end its row. */
static void print_cell(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void print_default(FILE *out, const struct weir_config_key *key)
{
	if (key->required)
		fputs("*required*", out);
	else if (key->unset)
		print_cell(out, key->unset);
	else if (key->fallback && key->type == WEIR_CONFIG_T_TEXTS)
		fprintf(out, "`[%.*s, %s]`", (int)strcspn(key->fallback, ":"), key->fallback,
			strchr(key->fallback, ':') + 1);
	else if (key->fallback)
		fprintf(out, "`%s`", key->fallback);
	else if (key->type != WEIR_CONFIG_T_SECTION)
		fputs("none", out);
}

static const char *effect_text(enum weir_config_effect effect)
{
	switch (effect) {
	case WEIR_CONFIG_LIVE: return "at once";
	case WEIR_CONFIG_PORT_RESTART: return "restarts the port";
	case WEIR_CONFIG_RESTART: return "needs a restart";
	}
	return "";
}

static void print_row(FILE *out, const struct weir_config_key *key)
{
	WEIR_DIAG_ON_STACK(expected, 512);

	weir_config_expected(&expected, key);
	fprintf(out, "| `%s` | ", key->name);
	print_cell(out, expected.buf);
	fputs(" | ", out);
	print_default(out, key);
	fputs(" | ", out);
	print_cell(out, key->doc);
	/* Of a section, the section's own rows tell. */
	fprintf(out, " | %s |\n", key->section ? "" : effect_text(key->effect));
}

static bool is_list(const struct weir_config_key *key)
{
	return key->type == WEIR_CONFIG_T_LIST || key->type == WEIR_CONFIG_T_WORKERS;
}

static void print_section(FILE *out, const struct weir_config_section *section, const char *path)
{
	fprintf(out, "\n### %s%s%s\n\n%s\n\n", path[0] ? "`" : "", path[0] ? path : "Top level",
		path[0] ? "`" : "", section->doc);
	fputs("| key | value | default | meaning | a change |\n|---|---|---|---|---|\n", out);
	for (size_t i = 0; i < section->len; i++)
		print_row(out, &section->keys[i]);
	for (size_t i = 0; i < section->len; i++) {
		const struct weir_config_key *key = &section->keys[i];
		char below[PATH_MAX_BYTES];

		if (!key->section)
			continue;
		snprintf(below, sizeof(below), "%s%s%s%s", path, path[0] ? "." : "", key->name,
			 is_list(key) ? "[]" : "");
		print_section(out, key->section, below);
	}
}

int weir_config_schema_print(FILE *out)
{
	print_section(out, &weir_config_root_section, "");
	return fflush(out) || ferror(out) ? -EIO : 0;
}
