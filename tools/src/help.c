/* SPDX-License-Identifier: BSD-3-Clause */
/* Help and shell completion, drawn from the table of commands. */
#include <string.h>

#include "cli.h"

static void print_command_line(FILE *out, const struct cli_command *c)
{
	char line[128];

	snprintf(line, sizeof(line), "%s%s%s %s", c->noun, c->verb ? " " : "",
		 c->verb ? c->verb : "", c->subjects);
	fprintf(out, "  %-44s %s\n", line, c->help);
}

static void print_options(FILE *out, const struct cli_command *c)
{
	const struct cli_option *o = c->options;

	for (; o && o->name; o++) {
		char line[64], letter[8] = "    ";

		if (o->letter)
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		snprintf(line, sizeof(line), "%s--%s%s%s", letter, o->name, o->arg ? " " : "",
			 o->arg ? o->arg : "");
		fprintf(out, "  %-30s %s\n", line, o->help);
	}
}

int cli_help(FILE *out, const struct cli_command *command)
{
	if (command) {
		fprintf(out, "weirctl %s%s%s %s\n%s\n", command->noun, command->verb ? " " : "",
			command->verb ? command->verb : "", command->subjects, command->help);
		if (command->alias)
			fprintf(out, "'%s' says the same as '%s'.\n", command->alias,
				command->verb);
		if (command->options)
			fputs("\nOptions:\n", out);
		print_options(out, command);
		fputs("\nEverywhere: -s SOCK, --json, --help.\n", out);
		return CLI_OK;
	}
	fputs("weirctl [-s SOCK] [--json] NOUN VERB SUBJECT… [--option]\n\n", out);
	for (size_t i = 0; i < cli_command_count; i++)
		print_command_line(out, &cli_commands[i]);
	fputs("\nA noun alone lists; unique beginnings of words are enough; objects are named by "
	      "id, "
	      "name or /pin.\n"
	      "'weirctl help NOUN VERB' tells a command's options. Exit codes: 0 done, 1 refused "
	      "or "
	      "failed, 2 wrong usage.\n",
	      out);
	return CLI_OK;
}

int cli_help_noun(FILE *out, const char *noun)
{
	size_t n = 0;

	for (size_t i = 0; i < cli_command_count; i++)
		if (!strncmp(cli_commands[i].noun, noun, strlen(noun))) {
			print_command_line(out, &cli_commands[i]);
			n++;
		}
	return n ? CLI_OK : cli_usage("unknown command '%s'; 'weirctl help' lists them", noun);
}

/* A bash function that offers nouns, the noun's verbs, the command's options, then files. */
int cli_completion(struct cli *cli)
{
	if (strcmp(cli->subject[0], "bash"))
		return cli_usage("completion '%s': expected bash", cli->subject[0]);
	puts("# bash completion of weirctl; made by: weirctl completion bash\n"
	     "_weirctl() {\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} noun=${COMP_WORDS[1]} verb=${COMP_WORDS[2]}\n"
	     "\tlocal words=\n"
	     "\tif [ \"$COMP_CWORD\" -eq 1 ]; then");
	printf("\t\twords='");
	for (size_t i = 0; i < cli_command_count; i++)
		if (!i || strcmp(cli_commands[i].noun, cli_commands[i - 1].noun))
			printf("%s ", cli_commands[i].noun);
	puts("help'\n\telse\n\t\tcase \"$noun $verb\" in");
	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];

		printf("\t\t'%s %s'*) words='--json", c->noun, c->verb ? c->verb : "");
		for (const struct cli_option *o = c->options; o && o->name; o++)
			printf(" --%s", o->name);
		puts("' ;;");
	}
	puts("\t\tesac\n\t\tif [ \"$COMP_CWORD\" -eq 2 ]; then\n\t\t\tcase $noun in");
	for (size_t i = 0; i < cli_command_count; i++) {
		if (!cli_commands[i].verb ||
		    (i && !strcmp(cli_commands[i].noun, cli_commands[i - 1].noun)))
			continue;
		printf("\t\t\t%s) words='", cli_commands[i].noun);
		for (size_t k = i;
		     k < cli_command_count && !strcmp(cli_commands[k].noun, cli_commands[i].noun);
		     k++)
			printf("%s ", cli_commands[k].verb);
		puts("' ;;");
	}
	puts("\t\t\tesac\n\t\tfi\n\tfi\n"
	     "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	     "}\n"
	     "complete -o default -F _weirctl weirctl");
	return CLI_OK;
}
