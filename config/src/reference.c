/* SPDX-License-Identifier: BSD-3-Clause */
/* The reference as Markdown and as mdoc, from the table that reading goes by. */
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
	case WEIR_CONFIG_PORT_RESTART:
	case WEIR_CONFIG_RESTART: return "at the next start";
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

static void path_below(char *below, const char *path, const struct weir_config_key *key)
{
	snprintf(below, PATH_MAX_BYTES, "%s%s%s%s", path, path[0] ? "." : "", key->name,
		 is_list(key) ? "[]" : "");
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
		path_below(below, path, key);
		print_section(out, key->section, below);
	}
}

/* Running text within a line: `code` becomes bold, and nothing is taken for a request. */
static void print_mdoc_text(FILE *out, const char *text)
{
	bool code = false;

	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '`') {
			fputs(code ? "\\fP" : "\\fB", out);
			code = !code;
		} else if (*text == '\\') {
			fputs("\\e", out);
		} else if (*text == '-' && code) {
			fputs("\\-", out);
		} else {
			fputc(*text, out);
		}
	}
}

static void print_mdoc_default(FILE *out, const struct weir_config_key *key)
{
	if (key->required) {
		fputs("Required.\n", out);
	} else if (key->unset) {
		fputs("Default: ", out);
		print_mdoc_text(out, key->unset);
		fputs(".\n", out);
	} else if (key->fallback && key->type == WEIR_CONFIG_T_TEXTS) {
		fprintf(out, "Default: \\fB[%.*s, %s]\\fP.\n", (int)strcspn(key->fallback, ":"),
			key->fallback, strchr(key->fallback, ':') + 1);
	} else if (key->fallback) {
		fprintf(out, "Default: \\fB%s\\fP.\n", key->fallback);
	}
}

static void print_mdoc_row(FILE *out, const struct weir_config_key *key)
{
	WEIR_DIAG_ON_STACK(expected, 512);

	weir_config_expected(&expected, key);
	fprintf(out, ".It Cm %s\n", key->name);
	print_mdoc_text(out, key->doc);
	fputs("\n.br\nValue: ", out);
	print_mdoc_text(out, expected.buf);
	fputs(".\n", out);
	print_mdoc_default(out, key);
	if (!key->section)
		fprintf(out, "A change: %s.\n", effect_text(key->effect));
}

static void print_mdoc_section(FILE *out, const struct weir_config_section *section,
			       const char *path)
{
	fprintf(out, ".Ss %s\n", path[0] ? path : "Top level");
	print_mdoc_text(out, section->doc);
	fputs("\n.Bl -tag -width Ds\n", out);
	for (size_t i = 0; i < section->len; i++)
		print_mdoc_row(out, &section->keys[i]);
	fputs(".El\n", out);
	for (size_t i = 0; i < section->len; i++) {
		const struct weir_config_key *key = &section->keys[i];
		char below[PATH_MAX_BYTES];

		if (!key->section)
			continue;
		path_below(below, path, key);
		print_mdoc_section(out, key->section, below);
	}
}

int weir_config_schema_print(FILE *out)
{
	print_section(out, &weir_config_root_section, "");
	return fflush(out) || ferror(out) ? -EIO : 0;
}

int weir_config_schema_print_mdoc(FILE *out)
{
	print_mdoc_section(out, &weir_config_root_section, "");
	return fflush(out) || ferror(out) ? -EIO : 0;
}
