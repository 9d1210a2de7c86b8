/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weir's verdict on every object of the corpus against what Linux said of it (manifest.txt).
 * usage: differential_manifest MANIFEST OBJECTS_DIR
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "weir/base/cleanup.h"
#include "weir/vm/object.h"
#include "weir/vm/verifier.h"

static uint32_t cases, failures;

static void report(bool ok, const char *file, const char *text)
{
	printf("%s %u - %s: %s\n", ok ? "ok" : "not ok", ++cases, file, text);
	failures += !ok;
}

static void check(const char *dir, const char *file, const char *program, bool accept)
{
	struct weir_verify_opts opts = {.role = WEIR_ROLE_ADMIN};
	struct weir_reject reject = {};
	struct weir_prog_ok *ok = NULL;
	struct weir_plan *plan = NULL;
	WEIR_DIAG_ON_STACK(diag, 500);
	char path[4096];
	int err = -ENOENT;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	/* An object that cannot even be read (a call to itself, say) is refused, too. */
	if (weir_object_load_file(path, NULL, &diag, &plan)) {
		report(!accept, file, diag.buf);
		return;
	}
	for (uint32_t i = 0; i < plan->prog_count; i++) {
		struct weir_prog_raw *raw = &plan->progs[i].raw;

		if (strcmp(plan->progs[i].name, program))
			continue;
		for (uint32_t m = 0; m < raw->map_count; m++)
			if (plan->maps[m].freeze && (plan->maps[m].def.flags & BPF_F_RDONLY_PROG))
				raw->maps[m].const_values = plan->maps[m].data;
		err = weir_verify(raw, &opts, NULL, NULL, &reject, &ok);
		weir_prog_ok_free(&ok);
	}
	report(err == -ENOENT ? false : accept == !err, file,
	       err == -ENOENT ? "no such program"
	       : err          ? reject.message
			      : "accepted");
	weir_plan_free(&plan);
}

int main(int argc, char **argv)
{
	weir_autofclose FILE *f = NULL;
	char line[512], file[128], program[128], verdict[32];

	if (argc != 3 || !(f = fopen(argv[1], "re"))) {
		fprintf(stderr, "usage: %s MANIFEST OBJECTS_DIR\n", argv[0]);
		return 2;
	}
	while (fgets(line, sizeof(line), f))
		if (line[0] != '#' &&
		    sscanf(line, "%127s %127s %*31s %31s", file, program, verdict) == 3)
			check(argv[2], file, program, !strcmp(verdict, "accept"));
	printf("1..%u\n", cases);
	return failures || !cases;
}
