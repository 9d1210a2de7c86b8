/* SPDX-License-Identifier: BSD-3-Clause */
/* Redirect helpers only note the target; whoever acts on the verdict looks it up. */
#include <linux/pkt_cls.h>

#include "helpers.h"
#include "weir/vm/exec.h"
#include "weir/vm/map.h"

#define MISS_ACTION_MASK 3ULL /* low flag bits: the verdict where the map has no target */

WEIR_HELPER_FUNC(weir_hf_redirect_xdp)
{
	if (r2)
		return XDP_ABORTED;
	exec->redirect = (struct weir_redirect){.target_ifindex = (uint32_t)r1};
	return XDP_REDIRECT;
}

WEIR_HELPER_FUNC(weir_hf_redirect_skb)
{
	if (r2 & ~(uint64_t)BPF_F_INGRESS)
		return TC_ACT_SHOT;
	exec->redirect = (struct weir_redirect){.target_ifindex = (uint32_t)r1, .flags = r2};
	return TC_ACT_REDIRECT;
}

/*
 * A packet has one target: BPF_F_BROADCAST and BPF_F_EXCLUDE_INGRESS are refused as every map but
 * a device map refuses them on Linux, so that no program believes in copies that nobody makes.
 */
WEIR_HELPER_FUNC(weir_hf_redirect_map)
{
	struct weir_map *map = (struct weir_map *)(uintptr_t)r1;
	uint32_t key = (uint32_t)r2, target = 0;
	const uint32_t *value;

	if (r3 & ~MISS_ACTION_MASK)
		return XDP_ABORTED;
	value = map->ops->prog_lookup ? map->ops->prog_lookup(map, &key, exec) : NULL;
	if (value)
		target = __atomic_load_n(value, __ATOMIC_RELAXED);
	if (!target) {
		/* The last look-up decides, also where it fails. */
		exec->redirect = (struct weir_redirect){0};
		return r3;
	}
	exec->redirect = (struct weir_redirect){
		.target_ifindex = target,
		.map_id = map->id,
		.map_key = key,
	};
	return XDP_REDIRECT;
}
