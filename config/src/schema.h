/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table that reading, checking, comparing and the reference are drawn from: a row for each
 * key of each section.
 */
#ifndef WEIR_CONFIG_SCHEMA_H
#define WEIR_CONFIG_SCHEMA_H

#include "internal.h"

enum weir_config_type {
	WEIR_CONFIG_T_BOOL,     /* bool */
	WEIR_CONFIG_T_UINT,     /* uint32_t, min to max */
	WEIR_CONFIG_T_COUNT,    /* uint64_t, min to max */
	WEIR_CONFIG_T_SIZE,     /* uint64_t, bytes */
	WEIR_CONFIG_T_DURATION, /* uint64_t, nanoseconds */
	WEIR_CONFIG_T_MODE,     /* uint32_t, permission bits */
	WEIR_CONFIG_T_ENUM,     /* an enum of int's size */
	WEIR_CONFIG_T_QUEUES,   /* uint64_t, a bit a queue */
	WEIR_CONFIG_T_TEXT,     /* const char *, of a format */
	WEIR_CONFIG_T_TEXTS,    /* struct weir_config_strings; one text or a list */
	WEIR_CONFIG_T_NUMBERS,  /* struct weir_config_numbers; a list */
	WEIR_CONFIG_T_SECTION,  /* a struct that begins with its loc */
	WEIR_CONFIG_T_LIST,     /* {v, len} of such structs */
	WEIR_CONFIG_T_WORKERS,  /* struct weir_config_workers: a number or a list */
};

struct weir_config_word {
	const char *name; /* NULL ends a table */
	int value;
};

struct weir_config_format {
	const char *expected;
	bool (*is_valid)(const char *text);
	bool is_file; /* joined with the directory of the config file, and checked so */
};

struct weir_config_key {
	const char *name;
	enum weir_config_type type;
	enum weir_config_effect effect;
	bool required;
	bool appends; /* a drop-in adds to the list, where it replaces other values */
	uint16_t offset;
	uint64_t min, max;    /* of the value; of the number of entries for a list */
	const char *fallback; /* the default as one would write it; NULL: empty, NULL or 0 */
	const char *unset;    /* what a missing default means, for the reference */
	const char *word;     /* stands for word_value (or for an empty list or section) */
	uint64_t word_value;
	const struct weir_config_word *words;
	const struct weir_config_format *format;
	const struct weir_config_section *section;
	const char *doc;
};

struct weir_config_section {
	const char *doc;
	const struct weir_config_key *keys;
	size_t len;
	size_t size_bytes; /* of the struct */
};

extern const struct weir_config_section weir_config_root_section;
extern const struct weir_config_section weir_config_port_section;
extern const struct weir_config_section weir_config_program_section;
extern const struct weir_config_section weir_config_attach_section;

extern const struct weir_config_word weir_config_hook_words[];
extern const struct weir_config_word weir_config_prog_type_words[];

/* Whether a valid device is a PCI address; the length of address or name, up to the arguments. */
bool weir_config_device_is_pci(const char *device, size_t *len_bytes);

/* value.c: text forms, both ways. Parsers answer false for what is not of the form. */
bool weir_config_parse_number(const char *text, uint64_t *out);
bool weir_config_parse_size(const char *text, uint64_t *out_bytes);
bool weir_config_parse_duration(const char *text, uint64_t *out_ns);
bool weir_config_parse_mode(const char *text, uint32_t *out);
bool weir_config_parse_bool(const char *text, bool *out);
bool weir_config_parse_queues(const char *text, uint64_t *out);
void weir_config_format_size(struct weir_diag *diag, uint64_t bytes);
void weir_config_format_duration(struct weir_diag *diag, uint64_t ns);
void weir_config_format_queues(struct weir_diag *diag, uint64_t queues);

/* What the row's value may be, as in "expected …". */
void weir_config_expected(struct weir_diag *diag, const struct weir_config_key *key);
/* The value of a row as one would write it. */
void weir_config_format_value(struct weir_diag *diag, const struct weir_config_key *key,
			      const void *value);

#endif
