/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/interp.h"

#include <errno.h>
#include <stdlib.h>

#include "interp.h"

uint8_t interp_op_of_code[256];

__attribute__((constructor)) static void build_index(void)
{
	memset(interp_op_of_code, WEIR_OPI_COUNT, sizeof(interp_op_of_code));
	for (unsigned int op = 0; op < WEIR_OPI_COUNT; op++) {
		if (weir_op_table[op].sub == -1)
			interp_op_of_code[weir_op_table[op].code] = (uint8_t)op;
	}
}

const struct weir_low_subprog *interp_subprog_at(const struct weir_prog_low *low, uint32_t insn_idx)
{
	uint32_t from = 0, to = low->subprog_count;

	while (to - from > 1) {
		uint32_t mid = from + (to - from) / 2;

		if (low->subprogs[mid].start <= insn_idx)
			from = mid;
		else
			to = mid;
	}
	return &low->subprogs[from];
}

const struct weir_code *interp_tail_target(struct weir_exec *exec, uint64_t map, uint32_t index)
{
	const struct weir_map *array = (const struct weir_map *)(uintptr_t)map;
	const struct weir_code *code;

	if (index >= array->def.max_entries || exec->tail_calls >= WEIR_MAX_TAIL_CALLS)
		return NULL;
	code = __atomic_load_n(&array->tail_slots[index], __ATOMIC_ACQUIRE);
	if (code)
		exec->tail_calls++;
	return code;
}

void interp_start_run(struct weir_exec *exec, const struct weir_prog_low *low)
{
	if (!low->needs_run_state)
		return;
	exec->trips_left = WEIR_BUDGET_TRIPS;
	exec->deadline_ns = 0;
	exec->tail_calls = 0;
}

#define INTERP_TICK()             ((void)0)
#define INTERP_ACCESS(a, n, w)    ((void)0)
#define INTERP_CLOBBER()          ((void)0)
#define INTERP_FRAME(r, fp, size) ((void)0)
#define INTERP_LEAVE(r)           ((void)0)
#define INTERP_FAULT(why, a, n)   ((void)0)
#define INTERP_RUN                interp_loop
#include "interp_body.h"

uint64_t weir_interp_run(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low)
{
	struct interp_run run = {.exec = exec};

	interp_start_run(exec, low);
	return interp_loop(&run, (uint64_t)(uintptr_t)ctx, low);
}

static void release_binding(struct weir_code *code)
{
	free(code);
}

int weir_interp_bind(const struct weir_prog_low *low, struct weir_code **out)
{
	struct weir_code *code = calloc(1, sizeof(*code));

	if (!code)
		return -ENOMEM;
	code->entry = weir_interp_run;
	code->low = low;
	code->release = release_binding;
	*out = code;
	return 0;
}
