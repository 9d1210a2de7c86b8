/* SPDX-License-Identifier: BSD-3-Clause */
#include "ir.h"

int jit_optimise(struct jit_prog *prog)
{
	jit_prog_survey(prog);
	return 0;
}
