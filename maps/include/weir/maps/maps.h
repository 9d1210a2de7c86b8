/* SPDX-License-Identifier: BSD-3-Clause */
/* Making maps of any type. The map itself is used through weir/vm/map.h. */
#ifndef WEIR_MAPS_MAPS_H
#define WEIR_MAPS_MAPS_H

#include "weir/base/diag.h"
#include "weir/vm/map.h"

struct weir_maps_env {
	uint32_t slots;       /* per-CPU values an element: max(possible CPUs, workers + 1) */
	struct weir_rcu *rcu; /* borrowed */
	bool fixed_seed;      /* offline determinism: hash seeds are 0 */
};

/* Linux's checks of a definition for its type, without making anything. 0 or Linux's -errno. */
int weir_map_def_check(const struct weir_map_def *def, struct weir_diag *diag);

/* 0 and *out (owned; weir_map_free), or Linux's -errno (-EINVAL, -E2BIG, -ENOMEM, -EPERM). */
int weir_map_new(const struct weir_maps_env *env, const struct weir_map_def *def,
		 struct weir_diag *diag, struct weir_map **out);
/* Nobody uses it any more (the caller let a grace period pass). */
void weir_map_free(struct weir_map **map);

/* Linux's name of a map type ("percpu_hash") or NULL, and back (0: unknown). */
const char *weir_map_type_name(uint32_t type);
uint32_t weir_map_type_parse(const char *name);

#endif
