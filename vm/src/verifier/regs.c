/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "env.h"

int weir_reg_check_src(struct weir_env *env, uint32_t regno)
{
	if (weir_env_reg(env, regno)->type == WEIR_V_NONE) {
		env->bad_reg = regno;
		return weir_reject(env, -EACCES, WEIR_REASON_UNINIT_REG, "R%u !read_ok", regno);
	}
	return 0;
}

int weir_reg_check_dst(struct weir_env *env, uint32_t regno)
{
	if (regno == BPF_REG_10)
		return weir_reject(env, -EACCES, WEIR_REASON_FRAME_POINTER,
				   "frame pointer is read only");
	return 0;
}

bool weir_reg_is_leak(const struct weir_env *env, const struct weir_vreg *reg)
{
	return !env->perfmon && weir_vreg_is_ptr(reg);
}

/*
 * Two registers with one id hold the same value on every run that gets here, because the id is new
 * here and only copies inherit it. Constants need no id: copies of them are equal anyway.
 */
void weir_reg_link(struct weir_env *env, struct weir_vreg *src)
{
	if (src->type != WEIR_V_SCALAR || weir_scalar_is_const(&src->v))
		return;
	/* A register that is base + constant starts a family of its own. */
	if (!src->id || (src->id & WEIR_ID_ADD_CONST)) {
		src->id = ++env->id_gen;
		src->off = 0;
	}
}

void weir_reg_clobber_caller_saved(struct weir_env *env)
{
	for (uint32_t i = BPF_REG_0; i <= BPF_REG_5; i++)
		weir_vreg_set_none(weir_env_reg(env, i));
}
