/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * YAML text -> a tree of nodes with their places. Only mappings, lists and scalars without tags,
 * anchors and aliases come out; a scalar is text, whose type the schema decides later. Nothing
 * recurses, and depth, number and length of what is kept are bounded before it is kept.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

struct reader {
	struct weir_config_load *load;
	const char *file;
	const char *text;
	size_t len_bytes;
	struct weir_config_node *root;
	struct weir_config_node *open; /* innermost container that is not closed */
	struct weir_config_node *key;  /* in `open`, waiting for its value */
	unsigned int depth;
	unsigned int documents;
	bool stopped; /* an error that leaves no sensible rest */
};

static uint32_t mark_u32(size_t zero_based)
{
	return zero_based >= UINT32_MAX ? UINT32_MAX : (uint32_t)zero_based + 1;
}

static void error_at_event(struct reader *r, const yaml_event_t *event, const char *what,
			   const char *expected)
{
	const struct weir_config_node *at = r->key ? r->key : r->open;

	weir_config_error_at(&r->load->report, at, r->file, mark_u32(event->start_mark.line),
			     mark_u32(event->start_mark.column), "%s, expected %s", what, expected);
}

static void stop(struct reader *r, const yaml_event_t *event, const char *what,
		 const char *expected)
{
	error_at_event(r, event, what, expected);
	r->stopped = true;
}

static struct weir_config_node *node_new(struct reader *r, const yaml_event_t *event)
{
	struct weir_config_node *node;

	if (++r->load->nodes > WEIR_CONFIG_NODES_MAX) {
		stop(r, event, "more than 100000 values", "fewer");
		return NULL;
	}
	node = weir_arena_alloc(r->load->arena, sizeof(*node));
	if (!node) {
		r->load->report.fatal = -ENOMEM;
		r->stopped = true;
		return NULL;
	}
	node->file = r->file;
	node->line = mark_u32(event->start_mark.line);
	node->column = mark_u32(event->start_mark.column);
	return node;
}

static void node_append(struct weir_config_node *parent, struct weir_config_node *node)
{
	node->parent = parent;
	node->index = (uint32_t)parent->children++;
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
}

/* Tags and anchors are refused, and what carries them is read on without them. */
static bool refuse_extras(struct reader *r, const yaml_event_t *event, const yaml_char_t *anchor,
			  const yaml_char_t *tag)
{
	WEIR_DIAG_ON_STACK(what, 256);

	if (tag) {
		weir_diag_printf(&what, "tag ");
		weir_config_quote(&what, (const char *)tag);
		error_at_event(r, event, what.buf, "a value without a tag");
	} else if (anchor) {
		weir_diag_printf(&what, "anchor ");
		weir_config_quote(&what, (const char *)anchor);
		error_at_event(r, event, what.buf, "a value without an anchor");
	}
	return tag || anchor;
}

static char *keep_text(struct reader *r, const yaml_event_t *event)
{
	char *text = weir_arena_alloc(r->load->arena, event->data.scalar.length + 1);

	if (!text) {
		r->load->report.fatal = -ENOMEM;
		r->stopped = true;
		return NULL;
	}
	memcpy(text, event->data.scalar.value, event->data.scalar.length);
	return text;
}

/* Every value weir knows is one short line; anything else would only travel on to harm others. */
static bool text_is_fit(struct reader *r, const yaml_event_t *event)
{
	const unsigned char *s = event->data.scalar.value;
	size_t len = event->data.scalar.length;

	if (len > WEIR_CONFIG_TEXT_MAX_BYTES) {
		WEIR_DIAG_ON_STACK(what, 64);

		weir_diag_printf(&what, "a text of %zu bytes", len);
		error_at_event(r, event, what.buf, "at most 4095");
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (s[i] < 0x20 || s[i] == 0x7f) {
			error_at_event(r, event, "a text with a line break or control character",
				       "one line of printable text");
			return false;
		}
	}
	return true;
}

/* Puts a value where the document has it: behind its key, in its list, or at the top. */
static void place(struct reader *r, struct weir_config_node *node)
{
	if (!r->open) {
		r->root = node;
	} else if (r->open->kind == WEIR_CONFIG_LIST) {
		node_append(r->open, node);
	} else {
		/* The key's node becomes the value's: it has its place among the siblings. */
		struct weir_config_node *key = r->key;

		key->kind = node->kind;
		key->refused |= node->refused;
		key->empty = node->empty;
		key->text = node->text;
		key->line = node->line;
		key->column = node->column;
		r->key = NULL;
	}
}

static const struct weir_config_node *key_twin(const struct weir_config_node *map, const char *key)
{
	const struct weir_config_node *child;

	for (child = map->first; child; child = child->next)
		if (!strcmp(child->key, key))
			return child;
	return NULL;
}

static void on_key(struct reader *r, const yaml_event_t *event)
{
	const struct weir_config_node *twin;
	struct weir_config_node *node;
	bool fit;

	fit = text_is_fit(r, event);
	refuse_extras(r, event, event->data.scalar.anchor, event->data.scalar.tag);
	if (r->open->children >= WEIR_CONFIG_KEYS_MAX) {
		stop(r, event, "a mapping of more than 256 keys", "fewer");
		return;
	}
	node = node_new(r, event);
	if (!node)
		return;
	node->key = fit ? keep_text(r, event) : "?";
	if (!node->key)
		return;
	node->text = "";
	node->refused = !fit;
	node->key_line = node->line;
	node->key_column = node->column;
	twin = key_twin(r->open, node->key);
	if (twin && fit) {
		node->parent = r->open;
		weir_config_error_key(&r->load->report, node,
				      "given twice, expected once (first at %u:%u)", twin->key_line,
				      twin->key_column);
		node->refused = true;
	}
	node_append(r->open, node);
	r->key = node;
}

static void on_scalar(struct reader *r, const yaml_event_t *event)
{
	struct weir_config_node *node;

	if (r->open && r->open->kind == WEIR_CONFIG_MAP && !r->key) {
		on_key(r, event);
		return;
	}
	node = node_new(r, event);
	if (!node)
		return;
	node->kind = WEIR_CONFIG_SCALAR;
	node->text = "";
	node->refused = !text_is_fit(r, event);
	node->refused |= refuse_extras(r, event, event->data.scalar.anchor, event->data.scalar.tag);
	if (!node->refused) {
		node->text = keep_text(r, event);
		if (!node->text)
			return;
		node->empty = !event->data.scalar.length &&
			      event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	}
	place(r, node);
}

static void on_alias(struct reader *r, const yaml_event_t *event)
{
	struct weir_config_node *node;
	WEIR_DIAG_ON_STACK(what, 256);

	weir_diag_printf(&what, "alias ");
	weir_config_quote(&what, (const char *)event->data.alias.anchor);
	if (r->open && r->open->kind == WEIR_CONFIG_MAP && !r->key) {
		stop(r, event, what.buf, "a key");
		return;
	}
	error_at_event(r, event, what.buf, "the value itself");
	node = node_new(r, event);
	if (!node)
		return;
	node->refused = true;
	node->text = "";
	place(r, node);
}

static void on_open(struct reader *r, const yaml_event_t *event, enum weir_config_node_kind kind)
{
	struct weir_config_node *node, *key = r->key;

	if (r->open && r->open->kind == WEIR_CONFIG_MAP && !key) {
		stop(r, event, kind == WEIR_CONFIG_LIST ? "a list as key" : "a mapping as key",
		     "a name");
		return;
	}
	if (++r->depth > WEIR_CONFIG_DEPTH_MAX) {
		stop(r, event, "nested more than 16 deep", "less");
		return;
	}
	if (kind == WEIR_CONFIG_LIST)
		refuse_extras(r, event, event->data.sequence_start.anchor,
			      event->data.sequence_start.tag);
	else
		refuse_extras(r, event, event->data.mapping_start.anchor,
			      event->data.mapping_start.tag);
	node = node_new(r, event);
	if (!node)
		return;
	node->kind = kind;
	place(r, node);
	r->open = key ? key : node;
}

static void on_close(struct reader *r)
{
	r->depth--;
	r->open = r->open->parent;
}

static void on_document(struct reader *r, const yaml_event_t *event)
{
	if (r->documents++)
		stop(r, event, "a second document", "one");
	else if (event->data.document_start.tag_directives.start !=
		 event->data.document_start.tag_directives.end)
		stop(r, event, "a %TAG directive", "none");
}

/* The byte at a place counted in characters; 0 if the text has no such place. */
static char char_at(const struct reader *r, size_t line, size_t column)
{
	const char *s = r->text, *end = r->text + r->len_bytes;

	for (; line && s < end; line--) {
		s = memchr(s, '\n', (size_t)(end - s));
		if (!s)
			return 0;
		s++;
	}
	for (; column && s < end; column--)
		for (s++; s < end && (*s & 0xc0) == 0x80; s++)
			;
	return s < end ? *s : 0;
}

static void error_syntax(struct reader *r, const yaml_parser_t *parser)
{
	const struct weir_config_node *at = r->key ? r->key : r->open;
	size_t line = parser->problem_mark.line, column = parser->problem_mark.column;
	const char *problem = parser->problem ? parser->problem : "unknown error";
	WEIR_DIAG_ON_STACK(context, 256);

	if (parser->error == YAML_MEMORY_ERROR) {
		r->load->report.fatal = -ENOMEM;
		return;
	}
	if (parser->error == YAML_READER_ERROR) {
		/* libyaml gives a byte offset here, not a mark. */
		size_t upto = parser->problem_offset;

		line = column = 0;
		for (size_t i = 0; i < upto && i < r->len_bytes; i++) {
			if (r->text[i] == '\n') {
				line++;
				column = 0;
			} else if ((r->text[i] & 0xc0) != 0x80) {
				column++;
			}
		}
	} else if (char_at(r, line, column) == '\t') {
		weir_config_error_at(&r->load->report, at, r->file, mark_u32(line),
				     mark_u32(column), "a tab, expected spaces");
		return;
	}
	if (parser->context)
		weir_diag_printf(&context, " (%s from %u:%u)", parser->context,
				 mark_u32(parser->context_mark.line),
				 mark_u32(parser->context_mark.column));
	weir_config_error_at(&r->load->report, at, r->file, mark_u32(line), mark_u32(column),
			     "not YAML: %s%s", problem, context.buf);
}

static void on_event(struct reader *r, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT: on_document(r, event); break;
	case YAML_ALIAS_EVENT: on_alias(r, event); break;
	case YAML_SCALAR_EVENT: on_scalar(r, event); break;
	case YAML_SEQUENCE_START_EVENT: on_open(r, event, WEIR_CONFIG_LIST); break;
	case YAML_MAPPING_START_EVENT: on_open(r, event, WEIR_CONFIG_MAP); break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: on_close(r); break;
	default: break;
	}
}

static void read_events(struct reader *r)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool end = false;

	if (!yaml_parser_initialize(&parser)) {
		r->load->report.fatal = -ENOMEM;
		return;
	}
	/* A configuration that is UTF-16 to one reader and noise to another is no use. */
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)r->text, r->len_bytes);
	while (!end && !r->stopped) {
		if (!yaml_parser_parse(&parser, &event)) {
			error_syntax(r, &parser);
			r->stopped = true;
			break;
		}
		on_event(r, &event);
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}

int weir_config_read(struct weir_config_load *load, const char *file, const char *text,
		     size_t len_bytes, struct weir_config_node **out)
{
	struct reader r = {.load = load, .file = file, .text = text, .len_bytes = len_bytes};

	read_events(&r);
	if (load->report.fatal)
		return load->report.fatal;
	if (r.stopped)
		return -EINVAL;
	if (!r.root || (r.root->kind == WEIR_CONFIG_SCALAR && r.root->empty)) {
		/* An empty file, or one of comments alone: all defaults. */
		const yaml_event_t none = {0};

		r.root = node_new(&r, &none);
		if (!r.root)
			return load->report.fatal ? load->report.fatal : -EINVAL;
		r.root->kind = WEIR_CONFIG_MAP;
	}
	if (r.root->kind != WEIR_CONFIG_MAP) {
		weir_config_error_value(&load->report, r.root, "a mapping of keys");
		return -EINVAL;
	}
	*out = r.root;
	return 0;
}
