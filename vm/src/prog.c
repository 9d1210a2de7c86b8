/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/prog.h"

#include <stdlib.h>
#include <string.h>

void weir_prog_raw_clear(struct weir_prog_raw *raw)
{
	free(raw->insns);
	free(raw->maps);
	free(raw->funcs);
	free(raw->lines);
	memset(raw, 0, sizeof(*raw));
}

void weir_prog_ok_free(struct weir_prog_ok **ok)
{
	struct weir_prog_ok *p = *ok;

	if (!p)
		return;
	*ok = NULL;
	/* The names belong to the ok (see weir_subprog); the struct keeps them as const. */
	for (uint32_t i = 0; p->subprogs && i < p->subprog_count; i++)
		free((char *)(uintptr_t)p->subprogs[i].name);
	free(p->subprogs);
	free(p->aux);
	weir_prog_raw_clear(&p->raw);
	free(p);
}

void weir_prog_low_free(struct weir_prog_low **low)
{
	struct weir_prog_low *p = *low;

	if (!p)
		return;
	*low = NULL;
	free(p->insns);
	free(p->ok_idx);
	free(p->subprogs);
	free(p->calls);
	free(p->maps);
	free(p);
}

void weir_code_free(struct weir_code **code)
{
	struct weir_code *p = *code;

	if (!p)
		return;
	*code = NULL;
	p->release(p);
}
