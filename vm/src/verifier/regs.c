/* SPDX-License-Identifier: BSD-3-Clause */
/* Registers as instructions use them. */
#include "env.h"

const char *reg_type_name(const struct weir_vreg *reg)
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
	case WEIR_V_SOCK: return or_null ? "sock_common_or_null" : "sock_common";
	case WEIR_V_FUNC: return "func";
	default: return or_null ? "mem_or_null" : "mem";
	}
}

int reg_check_read(struct weir_env *env, uint32_t regno)
{
	if (env_reg(env, regno)->type == WEIR_V_NONE)
		return weir_reject(env, -EACCES, WEIR_REASON_UNINIT_REG, "R%u !read_ok", regno);
	return 0;
}

int reg_check_write(struct weir_env *env, uint32_t regno)
{
	if (regno == BPF_REG_10)
		return weir_reject(env, -EACCES, WEIR_REASON_FRAME_POINTER,
				   "frame pointer is read only");
	return 0;
}

/* Would showing this register to the outside tell an address to a loader who may not know it? */
bool reg_leaks(const struct weir_env *env, const struct weir_vreg *reg)
{
	return !env->perfmon && weir_vreg_is_ptr(reg);
}

void reg_clobber_caller_saved(struct weir_env *env)
{
	for (uint32_t r = BPF_REG_0; r <= BPF_REG_5; r++)
		weir_vreg_set_none(env_reg(env, r));
}

/* The packet may have moved: its addresses are numbers without meaning now. */
void reg_forget_packets(struct weir_env *env)
{
	weir_vstate_each_reg(env->cur, reg, {
		if (weir_vreg_is_pkt(reg) || reg->type == WEIR_V_PKT_END) {
			if (env->perfmon)
				weir_vreg_set_unknown(reg);
			else
				weir_vreg_set_none(reg);
		}
	});
}
