/* SPDX-License-Identifier: BSD-3-Clause */
/* weird: arguments, and which of its ways it takes. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "daemon.h"
#include "weir/base/diag.h"
#include "weir/base/log.h"
#include "weir/base/stdfd.h"
#include "weir/config/config.h"

enum {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
};

static const char usage[] =
	"usage: weird -c FILE           run in the foreground\n"
	"       weird --check -c FILE   check the file; load, verify and compile what it names\n"
	"       weird --version | --help\n";

struct args {
	const char *config;
	bool check, version, help;
};

/* False: wrong usage, already said. */
static bool args_parse(int argc, char **argv, struct args *args)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (c) {
		case 'c': args->config = optarg; break;
		case 'k': args->check = true; break;
		case 'V': args->version = true; break;
		case 'h': args->help = true; break;
		default: fputs(usage, stderr); return false;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "weird: unexpected argument '%s'\n%s", argv[optind], usage);
		return false;
	}
	if (!args->config && !args->version && !args->help) {
		fprintf(stderr, "weird: -c FILE is missing\n%s", usage);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	WEIR_DIAG_ON_STACK(diag, 16384);
	struct weir_config *config = NULL;
	struct args args = {0};
	int rc;

	if (weir_stdfd_occupy())
		return EXIT_REFUSED;
	if (!args_parse(argc, argv, &args))
		return EXIT_USAGE;
	if (args.help) {
		fputs(usage, stdout);
		return EXIT_DONE;
	}
	if (args.version) {
		weir_daemon_print_version(stdout);
		return EXIT_DONE;
	}
	prctl(PR_SET_NAME, "weird/main");
	rc = weir_config_load(args.config, NULL, &diag, &config);
	if (!rc)
		rc = args.check ? weir_daemon_check(config, &diag)
				: weir_daemon_run(args.config, config, &diag);
	weir_config_free(&config);
	if (rc) {
		fprintf(stderr, "%s\n", diag.buf[0] ? diag.buf : strerror(-rc));
		return EXIT_REFUSED;
	}
	if (args.check)
		printf("%s: ok\n", args.config);
	return EXIT_DONE;
}
