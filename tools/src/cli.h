/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weirctl's grammar: `weirctl [-s SOCK] [--json] NOUN VERB SUBJECT… [--option]`. One table of
 * commands (commands.c) makes parsing, help, completion and the manual's synopsis.
 */
#ifndef WEIRCTL_CLI_H
#define WEIRCTL_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "weir/base/diag.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1, /* refused or failed */
	CLI_USAGE = 2,
};

#define CLI_MAX_SUBJECTS 64
#define CLI_MAX_OPTIONS  16

struct cli_option {
	const char *name; /* without "--"; NULL ends the list */
	char letter;      /* 0: none */
	const char *arg;  /* what its argument is called; NULL: a flag */
	const char *help;
};

struct cli;

struct cli_command {
	const char *noun;
	const char *verb;     /* NULL: the noun is the whole command */
	const char *subjects; /* as help shows them: "OBJ", "PORT[:QUEUES]", "[PROG…]" */
	uint8_t min_subjects, max_subjects;
	const char *help;                 /* one line */
	const struct cli_option *options; /* NULL: none */
	int (*run)(struct cli *cli);      /* enum cli_exit */
	const char *alias;                /* another word for the verb ("list" for "show"); NULL */
};

/* The table of commands. */
extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;

/* A parsed command line; strings are argv's. */
struct cli {
	const struct cli_command *command;
	const char *socket; /* NULL: the default */
	bool json;
	const char *subject[CLI_MAX_SUBJECTS];
	int subject_count;
	const char *option_value[CLI_MAX_OPTIONS]; /* by index in command->options; "" for flags */
};

/* Parses and runs; the exit code. */
int cli_main(int argc, char **argv);

/* The option's argument ("" for a flag), or NULL where it was not given. */
const char *cli_option(const struct cli *cli, const char *name);
bool cli_flag(const struct cli *cli, const char *name);
/* A whole number option within [min, max]: 0 with *out set to it or to fallback; CLI_USAGE after
 * a message. */
int cli_number(const struct cli *cli, const char *name, uint64_t min, uint64_t max,
	       uint64_t fallback, uint64_t *out);

/* "weirctl: …" on stderr; return the code they are named after. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Of `count` words the one that was probably meant, or NULL. */
const char *cli_nearest(const char *word, const char *const *words, size_t count);

/* Prints a document and releases it. */
void cli_print_json(json_t *doc);

/* Help and completion, drawn from the table. */
int cli_help(FILE *out, const struct cli_command *command);
int cli_help_noun(FILE *out, const char *noun);
int cli_completion(struct cli *cli);

#endif
