/* SPDX-License-Identifier: BSD-3-Clause */
/* Map helpers through the map type's own operations; rewrite binds these directly where it can. */
#include <errno.h>

#include "helpers.h"
#include "weir/base/bits.h"
#include "weir/vm/exec.h"
#include "weir/vm/map.h"

static struct weir_map *map_of(uint64_t r)
{
	return (struct weir_map *)(uintptr_t)r;
}

static const void *ptr_of(uint64_t r)
{
	return (const void *)(uintptr_t)r;
}

WEIR_HELPER_FUNC(weir_hf_map_lookup_elem)
{
	struct weir_map *map = map_of(r1);

	if (!map->ops->prog_lookup)
		return 0;
	return (uintptr_t)map->ops->prog_lookup(map, ptr_of(r2), exec);
}

WEIR_HELPER_FUNC(weir_hf_map_update_elem)
{
	struct weir_map *map = map_of(r1);

	if (!map->ops->prog_update)
		return (uint64_t)-EOPNOTSUPP;
	return (uint64_t)(int64_t)map->ops->prog_update(map, ptr_of(r2), ptr_of(r3), r4, exec);
}

WEIR_HELPER_FUNC(weir_hf_map_delete_elem)
{
	struct weir_map *map = map_of(r1);

	if (!map->ops->prog_delete)
		return (uint64_t)-EOPNOTSUPP;
	return (uint64_t)(int64_t)map->ops->prog_delete(map, ptr_of(r2), exec);
}
