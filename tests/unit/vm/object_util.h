/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the object tests: where objects are, and reading one. */
#ifndef WEIR_TEST_OBJECT_UTIL_H
#define WEIR_TEST_OBJECT_UTIL_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "../weir_test.h"
#include "weir/vm/object.h"

/* The build names its folder of objects in the environment. */
static inline const char *object_path(const char *name)
{
	static char path[PATH_MAX];
	const char *dir = getenv("WEIR_TEST_OBJECTS");

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : ".", name);
	return path;
}

static inline struct weir_plan *object_load(const char *name)
{
	WEIR_DIAG_ON_STACK(diag, 1024);
	struct weir_plan *plan = NULL;

	if (weir_object_load_file(object_path(name), NULL, &diag, &plan))
		fail_msg("%s", diag.buf);
	return plan;
}

static inline uint8_t *object_bytes(const char *name, size_t *size)
{
	FILE *f = fopen(object_path(name), "rb");
	uint8_t *bytes = malloc(1 << 20);

	assert_non_null(f);
	assert_non_null(bytes);
	*size = fread(bytes, 1, 1 << 20, f);
	fclose(f);
	assert_true(*size > 0 && *size < 1 << 20);
	return bytes;
}

static inline const struct weir_plan_map *plan_map(const struct weir_plan *plan, const char *name)
{
	for (uint32_t i = 0; i < plan->map_count; i++)
		if (!strcmp(plan->maps[i].name, name))
			return &plan->maps[i];
	fail_msg("no map %s", name);
	return NULL;
}

static inline const struct weir_plan_prog *plan_prog(const struct weir_plan *plan, const char *name)
{
	for (uint32_t i = 0; i < plan->prog_count; i++)
		if (!strcmp(plan->progs[i].name, name))
			return &plan->progs[i];
	fail_msg("no program %s", name);
	return NULL;
}

#endif
