/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/unchecked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weir/vm/helper.h"
#include "weir/vm/isa.h"

static weir_helper_fn find_in_table(uint32_t helper_id)
{
	const struct weir_helper *helper = weir_helper_find(helper_id);

	return helper ? helper->fn : NULL;
}

static int compare_subprogs(const void *a, const void *b)
{
	uint32_t x = ((const struct weir_low_subprog *)a)->start;
	uint32_t y = ((const struct weir_low_subprog *)b)->start;

	return x < y ? -1 : x > y;
}

/* Functions start at 0 and where local calls go. */
static void find_subprogs(struct weir_prog_low *low)
{
	uint32_t found = 0;

	low->subprogs[found++].start = 0;
	for (uint32_t i = 0; i < low->insn_count; i++) {
		const struct bpf_insn *insn = &low->insns[i];

		switch (weir_isa_decode(insn)) {
		case WEIR_OPI_LD_IMM64: i++; break;
		case WEIR_OPI_CALL_LOCAL:
			low->subprogs[found++].start = (uint32_t)((int32_t)i + 1 + insn->imm);
			break;
		case WEIR_OPI_TAIL_CALL:
		case WEIR_OPI_BUDGET: low->needs_run_state = true; break;
		default: break;
		}
	}
	qsort(low->subprogs, found, sizeof(*low->subprogs), compare_subprogs);
	for (uint32_t i = 0; i < found; i++) {
		if (low->subprog_count &&
		    low->subprogs[low->subprog_count - 1].start == low->subprogs[i].start)
			continue;
		low->subprogs[low->subprog_count].start = low->subprogs[i].start;
		low->subprogs[low->subprog_count++].stack_bytes = WEIR_STACK_BYTES;
	}
}

static int bind_helpers(struct weir_prog_low *low, weir_helper_fn (*find)(uint32_t helper_id),
			struct weir_diag *diag)
{
	for (uint32_t i = 0; i < low->insn_count; i++) {
		struct bpf_insn *insn = &low->insns[i];
		enum weir_op op = weir_isa_decode(insn);
		weir_helper_fn fn;

		if (op == WEIR_OPI_LD_IMM64)
			i++;
		if (op != WEIR_OPI_CALL_HELPER)
			continue;
		fn = find((uint32_t)insn->imm);
		if (!fn)
			return weir_fail(diag, -EINVAL, "insn %u: no helper %d", i, insn->imm);
		low->calls[low->call_count].fn = fn;
		low->calls[low->call_count].name = weir_helper_name((uint32_t)insn->imm);
		insn->imm = (int32_t)low->call_count++;
	}
	return 0;
}

int weir_low_from_raw_unchecked(const struct bpf_insn *insns, uint32_t insn_count,
				weir_helper_fn (*find)(uint32_t helper_id), struct weir_diag *diag,
				struct weir_prog_low **out)
{
	struct weir_prog_low *low;
	uint32_t bad_idx = 0;
	int err;

	WEIR_DIAG_ON_STACK(why, 128);
	err = weir_isa_check(insns, insn_count, WEIR_ISA_LOW, &why, &bad_idx);
	if (err)
		return weir_fail(diag, err, "insn %u: %s", bad_idx, why.buf);
	low = calloc(1, sizeof(*low));
	if (!low)
		return -ENOMEM;
	low->insn_count = insn_count;
	low->insns = malloc(insn_count * sizeof(*insns));
	low->ok_idx = calloc(insn_count, sizeof(*low->ok_idx));
	/* At most one of each an instruction, and main. */
	low->subprogs = calloc(insn_count + 1, sizeof(*low->subprogs));
	low->calls = calloc(insn_count, sizeof(*low->calls));
	if (!low->insns || !low->ok_idx || !low->subprogs || !low->calls) {
		weir_prog_low_free(&low);
		return -ENOMEM;
	}
	memcpy(low->insns, insns, insn_count * sizeof(*insns));
	for (uint32_t i = 0; i < insn_count; i++)
		low->ok_idx[i] = i;
	find_subprogs(low);
	err = bind_helpers(low, find ? find : find_in_table, diag);
	if (err) {
		weir_prog_low_free(&low);
		return err;
	}
	*out = low;
	return 0;
}
