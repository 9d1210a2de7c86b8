/* SPDX-License-Identifier: BSD-3-Clause */
#include "internal.h"

#include <string.h>

#define QUOTE_MAX_BYTES 48
#define WORD_MAX_BYTES  40

/* C1 controls are two bytes in UTF-8; some terminals obey them as they obey ESC. */
static bool is_c1(const unsigned char *s)
{
	return s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f;
}

static void print_escaped(struct weir_diag *diag, const char *text, bool quoted)
{
	const unsigned char *s = (const unsigned char *)text;
	const unsigned char *end = s + QUOTE_MAX_BYTES;

	for (; *s; s++) {
		/* Cut only between characters. */
		if (s >= end && (*s & 0xc0) != 0x80) {
			weir_diag_printf(diag, "...");
			return;
		}
		if (quoted && (*s == '"' || *s == '\\')) {
			weir_diag_printf(diag, "\\%c", *s);
		} else if (*s < 0x20 || *s == 0x7f) {
			weir_diag_printf(diag, "\\x%02x", *s);
		} else if (is_c1(s)) {
			weir_diag_printf(diag, "\\x%02x", s[1]);
			s++;
		} else {
			weir_diag_printf(diag, "%c", *s);
		}
	}
}

void weir_config_quote(struct weir_diag *diag, const char *text)
{
	weir_diag_printf(diag, "\"");
	print_escaped(diag, text, true);
	weir_diag_printf(diag, "\"");
}

/* Recursion is as deep as the document may be: WEIR_CONFIG_DEPTH_MAX. */
void weir_config_path_print(struct weir_diag *diag, const struct weir_config_node *node)
{
	if (!node || !node->parent)
		return;
	weir_config_path_print(diag, node->parent);
	if (!node->key) {
		weir_diag_printf(diag, "[%u]", node->index);
		return;
	}
	if (node->parent->parent)
		weir_diag_printf(diag, ".");
	print_escaped(diag, node->key, false);
}

void weir_config_error_vat(struct weir_config_report *report, const struct weir_config_node *node,
			   const char *file, size_t line, size_t column, const char *fmt,
			   va_list ap)
{
	if (++report->errors > report->max_errors)
		return;
	if (report->diag && report->diag->len_bytes)
		weir_diag_printf(report->diag, "\n");
	weir_diag_printf(report->diag, "%s:%zu:%zu: ", file, line, column);
	if (node && node->parent) {
		weir_config_path_print(report->diag, node);
		weir_diag_printf(report->diag, ": ");
	}
	weir_diag_vprintf(report->diag, fmt, ap);
}

void weir_config_error_at(struct weir_config_report *report, const struct weir_config_node *node,
			  const char *file, size_t line, size_t column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	weir_config_error_vat(report, node, file, line, column, fmt, ap);
	va_end(ap);
}

void weir_config_error(struct weir_config_report *report, const struct weir_config_node *node,
		       const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	weir_config_error_vat(report, node, node->file, node->line, node->column, fmt, ap);
	va_end(ap);
}

void weir_config_error_key(struct weir_config_report *report, const struct weir_config_node *node,
			   const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	weir_config_error_vat(report, node, node->file, node->key_line, node->key_column, fmt, ap);
	va_end(ap);
}

void weir_config_error_value(struct weir_config_report *report, const struct weir_config_node *node,
			     const char *expected)
{
	WEIR_DIAG_ON_STACK(what, 4 * QUOTE_MAX_BYTES + 16);

	if (node->refused)
		return;
	if (node->kind == WEIR_CONFIG_LIST)
		weir_diag_printf(&what, "a list");
	else if (node->kind == WEIR_CONFIG_MAP)
		weir_diag_printf(&what, "a mapping");
	else if (node->empty)
		weir_diag_printf(&what, "nothing");
	else
		weir_config_quote(&what, node->text);
	weir_config_error(report, node, "%s, expected %s", what.buf, expected);
}

const struct weir_config_node *weir_config_place_find(const struct weir_config_places *places,
						      const void *field)
{
	const struct weir_config_place *best = NULL;
	const char *addr = field;

	for (size_t i = 0; i < places->len; i++) {
		const struct weir_config_place *place = &places->v[i];

		if (addr < place->addr || addr >= place->addr + place->size_bytes)
			continue;
		if (!best || place->size_bytes <= best->size_bytes)
			best = place;
	}
	return best ? best->node : NULL;
}

static int compare_places(const void *a, const void *b)
{
	const struct weir_config_place *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->size_bytes < y->size_bytes ? -1 : x->size_bytes > y->size_bytes;
}

void weir_config_places_sort(struct weir_config_places *places)
{
	if (places->len)
		qsort(places->v, places->len, sizeof(*places->v), compare_places);
}

const struct weir_config_node *weir_config_place_exact(const struct weir_config_places *places,
						       const void *field, size_t size_bytes)
{
	const struct weir_config_place key = {.addr = field, .size_bytes = size_bytes};
	const struct weir_config_place *place = NULL;

	if (places->len)
		place = bsearch(&key, places->v, places->len, sizeof(key), compare_places);
	return place ? place->node : NULL;
}

/* Edits that lead from a to b; a swap of neighbours is one. Both shorter than WORD_MAX_BYTES. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX_BYTES + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_up = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t least = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < least)
				least = above[j] + 1;
			if (row[j - 1] + 1 < least)
				least = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    two_up[j - 2] + 1 < least)
				least = two_up[j - 2] + 1;
			row[j] = least;
		}
	}
	return rows[a_len % 3][b_len];
}

const char *weir_config_nearest(const char *word, const char *(*next)(void *arg), void *arg)
{
	const char *best = NULL, *candidate;
	size_t best_distance = 0;

	if (strlen(word) > WORD_MAX_BYTES)
		return NULL;
	while ((candidate = next(arg))) {
		size_t len = strlen(candidate), distance;

		if (len > WORD_MAX_BYTES)
			continue;
		distance = edit_distance(word, candidate);
		/* A third of the letters wrong is still a slip of the pen; more is another word. */
		if (distance > 1 + len / 3 || distance >= len)
			continue;
		if (!best || distance < best_distance) {
			best = candidate;
			best_distance = distance;
		}
	}
	return best;
}
