/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "weir/base/bits.h"

static const struct cli_option no_options[] = {{0}};

static const struct cli_option *options_of(const struct cli_command *c)
{
	return c->options ? c->options : no_options;
}

static void say(const char *fmt, va_list ap)
{
	fputs("weirctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int cli_fail(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	return CLI_FAILED;
}

int cli_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	return CLI_USAGE;
}

void cli_print_json(json_t *doc)
{
	json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(doc);
}

/* Edit distance, one row at a time; words longer than the row are no candidates. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64], len_b = strlen(b);

	if (len_b >= WEIR_ARRAY_LEN(row))
		return SIZE_MAX;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 1; j <= len_b; j++) {
			size_t best = diagonal + (a[i] != b[j - 1]);

			diagonal = row[j];
			best = weir_min(best, row[j] + 1);
			row[j] = weir_min(best, row[j - 1] + 1);
		}
	}
	return row[len_b];
}

const char *cli_nearest(const char *word, const char *const *words, size_t count)
{
	size_t best = strlen(word) / 2 + 2;
	const char *found = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(word, words[i]);

		if (d < best) {
			best = d;
			found = words[i];
		}
	}
	return found;
}

const char *cli_option(const struct cli *cli, const char *name)
{
	const struct cli_option *o = options_of(cli->command);

	for (int i = 0; o[i].name; i++)
		if (!strcmp(o[i].name, name))
			return cli->option_value[i];
	return NULL;
}

bool cli_flag(const struct cli *cli, const char *name)
{
	return cli_option(cli, name) != NULL;
}

int cli_number(const struct cli *cli, const char *name, uint64_t min, uint64_t max,
	       uint64_t fallback, uint64_t *out)
{
	const char *text = cli_option(cli, name);
	unsigned long long v;
	char *end;

	if (!text) {
		*out = fallback;
		return 0;
	}
	errno = 0;
	v = strtoull(text, &end, 0);
	if (!*text || *end || *text == '-' || errno || v < min || v > max)
		return cli_usage("--%s %s: expected a whole number from %llu to %llu", name, text,
				 (unsigned long long)min, (unsigned long long)max);
	*out = v;
	return 0;
}

static bool starts(const char *word, const char *prefix)
{
	return !strncmp(word, prefix, strlen(prefix));
}

/* Collects the table's words at a position: nouns (noun NULL) or the verbs of a noun. */
static size_t words_at(const char *noun, const char **words, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];
		const char *mine[2] = {noun ? c->verb : c->noun, noun ? c->alias : NULL};

		if (noun && strcmp(noun, c->noun))
			continue;
		for (int k = 0; k < 2 && mine[k]; k++) {
			bool known = false;

			for (size_t j = 0; j < n; j++)
				known |= !strcmp(words[j], mine[k]);
			if (!known && n < max)
				words[n++] = mine[k];
		}
	}
	return n;
}

/* The one word that is `word` or starts with it; NULL after a message. */
static const char *complete_word(const char *what, const char *word, const char *const *words,
				 size_t count)
{
	const char *found = NULL, *near;
	char candidates[256] = "";

	for (size_t i = 0; i < count; i++)
		if (!strcmp(words[i], word))
			return words[i];
	for (size_t i = 0; i < count; i++) {
		if (!starts(words[i], word))
			continue;
		snprintf(candidates + strlen(candidates), sizeof(candidates) - strlen(candidates),
			 "%s%s", found ? ", " : "", words[i]);
		found = found ? "" : words[i];
	}
	if (found && *found)
		return found;
	if (found) {
		cli_usage("%s '%s' is ambiguous: %s", what, word, candidates);
		return NULL;
	}
	near = cli_nearest(word, words, count);
	if (near)
		cli_usage("unknown %s '%s'; did you mean '%s'?", what, word, near);
	else
		cli_usage("unknown %s '%s'; 'weirctl help' lists them", what, word);
	return NULL;
}

static const struct cli_command *find_command(const char *noun, const char *verb)
{
	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];

		if (strcmp(c->noun, noun))
			continue;
		if (!c->verb || !strcmp(c->verb, verb) || (c->alias && !strcmp(c->alias, verb)))
			return c;
	}
	return NULL;
}

/* Resolves NOUN [VERB]; *used is how many words it took. NULL after a message. */
static const struct cli_command *resolve(int count, char **words, int *used)
{
	const char *known[128], *noun, *verb;
	size_t n = words_at(NULL, known, WEIR_ARRAY_LEN(known));
	const struct cli_command *c;

	noun = complete_word("command", words[0], known, n);
	if (!noun)
		return NULL;
	c = find_command(noun, "show");
	*used = 1;
	if (c && !c->verb)
		return c;
	if (count < 2)
		return c; /* a noun alone lists */
	n = words_at(noun, known, WEIR_ARRAY_LEN(known));
	verb = complete_word(noun, words[1], known, n);
	if (!verb)
		return NULL;
	*used = 2;
	return find_command(noun, verb);
}

static int option_index(const struct cli_command *c, const char *word, size_t len, char letter)
{
	const struct cli_option *o = options_of(c);

	for (int i = 0; o[i].name; i++)
		if (letter ? o[i].letter == letter
			   : strlen(o[i].name) == len && !strncmp(o[i].name, word, len))
			return i;
	return -1;
}

static int unknown_option(const struct cli_command *c, const char *word)
{
	const struct cli_option *o = options_of(c);
	const char *names[CLI_MAX_OPTIONS], *near;
	size_t n = 0;

	for (; o[n].name; n++)
		names[n] = o[n].name;
	near = word[1] == '-' ? cli_nearest(word + 2, names, n) : NULL;
	if (near)
		return cli_usage("unknown option '%s'; did you mean '--%s'?", word, near);
	return cli_usage("unknown option '%s'; 'weirctl help %s%s%s' lists them", word, c->noun,
			 c->verb ? " " : "", c->verb ? c->verb : "");
}

/* Takes argv[*at] as an option of the command. */
static int take_option(struct cli *cli, int argc, char **argv, int *at)
{
	const char *word = argv[*at], *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) : strlen(word);
	bool is_long = word[1] == '-';
	const struct cli_option *o;
	int i;

	i = is_long ? option_index(cli->command, word + 2, len - 2, 0)
		    : option_index(cli->command, NULL, 0, word[1]);
	if (i < 0 || (!is_long && word[2] && !options_of(cli->command)[i].arg))
		return unknown_option(cli->command, word);
	o = &options_of(cli->command)[i];
	if (cli->option_value[i])
		return cli_usage("--%s is given twice", o->name);
	if (!o->arg) {
		if (eq)
			return cli_usage("--%s takes no argument", o->name);
		cli->option_value[i] = "";
		return 0;
	}
	if (is_long && eq)
		cli->option_value[i] = eq + 1;
	else if (!is_long && word[2])
		cli->option_value[i] = word + 2;
	else if (*at + 1 < argc)
		cli->option_value[i] = argv[++*at];
	else
		return cli_usage("--%s: expected %s after it", o->name, o->arg);
	return 0;
}

/* Options that every command has: 1 taken, 0 not one of them, < 0 usage error. */
static int take_global(struct cli *cli, int argc, char **argv, int *at, bool *help)
{
	const char *word = argv[*at];

	if (!strcmp(word, "--json")) {
		cli->json = true;
	} else if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
		*help = true;
	} else if (!strcmp(word, "-s") || !strcmp(word, "--socket")) {
		if (*at + 1 >= argc) {
			cli_usage("%s: expected a socket's path after it", word);
			return -1;
		}
		cli->socket = argv[++*at];
	} else {
		return 0;
	}
	return 1;
}

static int check_subjects(const struct cli *cli)
{
	const struct cli_command *c = cli->command;

	if (cli->subject_count < c->min_subjects)
		return cli_usage("expected %s: weirctl %s%s%s %s", c->subjects, c->noun,
				 c->verb ? " " : "", c->verb ? c->verb : "", c->subjects);
	if (cli->subject_count > c->max_subjects)
		return cli_usage("'%s' is one word too many: weirctl %s%s%s %s",
				 cli->subject[c->max_subjects], c->noun, c->verb ? " " : "",
				 c->verb ? c->verb : "", c->subjects);
	return 0;
}

/* Global options may stand before the noun, where the command is not known yet. */
static int skip_to_noun(struct cli *cli, int argc, char **argv, bool *help)
{
	int at = 1, took;

	for (; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
		if (!strcmp(argv[at], "--version")) {
			printf("weirctl %s\n", WEIR_VERSION);
			return 0;
		}
		took = take_global(cli, argc, argv, &at, help);
		if (took < 0)
			return -1;
		if (!took) {
			cli_usage("unknown option '%s' before the command", argv[at]);
			return -1;
		}
	}
	return at;
}

static int parse_rest(struct cli *cli, int argc, char **argv, int at, bool *help)
{
	bool only_subjects = false;
	int err, took;

	for (; at < argc; at++) {
		const char *word = argv[at];

		if (!only_subjects && !strcmp(word, "--")) {
			only_subjects = true;
			continue;
		}
		/* -5 is a number: keys and values may be negative, no option starts so. */
		if (!only_subjects && word[0] == '-' && word[1] &&
		    !isdigit((unsigned char)word[1])) {
			took = take_global(cli, argc, argv, &at, help);
			if (took < 0)
				return CLI_USAGE;
			if (took)
				continue;
			err = take_option(cli, argc, argv, &at);
			if (err)
				return err;
			continue;
		}
		if (cli->subject_count == CLI_MAX_SUBJECTS)
			return cli_usage("more than %d words", CLI_MAX_SUBJECTS);
		cli->subject[cli->subject_count++] = word;
	}
	return 0;
}

int cli_main(int argc, char **argv)
{
	struct cli cli = {0};
	bool help = false;
	int at, used, err;

	at = skip_to_noun(&cli, argc, argv, &help);
	if (at <= 0)
		return at < 0 ? CLI_USAGE : CLI_OK;
	if (at == argc)
		return cli_help(help ? stdout : stderr, NULL) || help ? CLI_OK : CLI_USAGE;
	if (!strcmp(argv[at], "help")) {
		if (at + 1 == argc)
			return cli_help(stdout, NULL);
		if (at + 2 == argc && !find_command(argv[at + 1], ""))
			return cli_help_noun(stdout, argv[at + 1]);
		cli.command = resolve(argc - at - 1, argv + at + 1, &used);
		return cli.command ? cli_help(stdout, cli.command) : CLI_USAGE;
	}
	/* `weirctl NOUN --help` is about the noun */
	if (at + 2 == argc && (!strcmp(argv[at + 1], "--help") || !strcmp(argv[at + 1], "-h")) &&
	    !find_command(argv[at], ""))
		return cli_help_noun(stdout, argv[at]);
	/* a noun with options but without a verb lists, too */
	used = at + 1 < argc && argv[at + 1][0] == '-' ? 1 : argc - at;
	cli.command = resolve(used, argv + at, &used);
	if (!cli.command)
		return CLI_USAGE;
	err = parse_rest(&cli, argc, argv, at + used, &help);
	if (help)
		return cli_help(stdout, cli.command);
	if (!err)
		err = check_subjects(&cli);
	return err ? err : cli.command->run(&cli);
}
