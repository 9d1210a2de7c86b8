/* SPDX-License-Identifier: BSD-3-Clause */
#include "env.h"

const char *weir_vtype_name(const struct weir_vreg *reg)
{
	bool or_null = reg->flags & WEIR_VF_OR_NULL;

	switch (reg->type) {
	case WEIR_V_NONE: return "?";
	case WEIR_V_SCALAR: return "scalar";
	case WEIR_V_CTX: return "ctx";
	case WEIR_V_STACK: return "fp";
	case WEIR_V_MAP_PTR: return "map_ptr";
	case WEIR_V_MAP_VALUE: return or_null ? "map_value_or_null" : "map_value";
	case WEIR_V_MAP_KEY: return "map_key";
	case WEIR_V_PKT: return "pkt";
	case WEIR_V_PKT_META: return "pkt_meta";
	case WEIR_V_PKT_END: return "pkt_end";
	case WEIR_V_MEM:
		if (reg->flags & WEIR_VF_RDONLY)
			return or_null ? "rdonly_mem_or_null" : "rdonly_mem";
		return or_null ? "mem_or_null" : "mem";
	case WEIR_V_SOCK: return or_null ? "sock_common_or_null" : "sock_common";
	case WEIR_V_FUNC: return "func";
	}
	return "?";
}
