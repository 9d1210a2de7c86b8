/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/interp_checked.h"

#include "interp.h"

#define CLOBBERED 0xdeadc0dedeadc0deULL /* in a register that a call has used up */

static bool in_range(const struct weir_mem_range *range, uint64_t addr, uint32_t size_bytes)
{
	return addr >= range->start && size_bytes <= range->size_bytes &&
	       addr - range->start <= range->size_bytes - size_bytes;
}

static bool may_access(const struct weir_interp_checked *check, uint64_t addr, uint32_t size_bytes,
		       bool write)
{
	for (uint32_t i = weir_min(check->stack_count, WEIR_CHECKED_MAX_STACKS); i-- > 0;) {
		if (in_range(&check->stacks[i], addr, size_bytes))
			return true;
	}
	for (uint32_t i = 0; i < check->range_count; i++) {
		if (in_range(&check->ranges[i], addr, size_bytes) &&
		    (!write || check->ranges[i].writable))
			return true;
	}
	return check->may_access && check->may_access(check->arg, addr, size_bytes, write);
}

static void set_fault(struct interp_run *run, const struct weir_prog_low *low,
		      const struct bpf_insn *insn, enum weir_checked_fault why, uint64_t addr,
		      uint32_t size_bytes)
{
	run->aborted = true;
	run->check->fault = why;
	run->check->fault_low = low;
	run->check->fault_idx = (uint32_t)(insn - low->insns);
	run->check->fault_addr = addr;
	run->check->fault_bytes = size_bytes;
}

/* An instruction may run: inside the program, complete, within the limit. */
static enum weir_checked_fault tick(struct weir_interp_checked *check,
				    const struct weir_prog_low *low, const struct bpf_insn *insn)
{
	uint64_t idx = (uint64_t)(insn - low->insns);

	check->insns_run++;
	if (check->insn_limit && check->insns_run > check->insn_limit)
		return WEIR_CHECKED_TOO_LONG;
	if (idx >= low->insn_count)
		return WEIR_CHECKED_BAD_INSN;
	switch (weir_isa_decode(insn)) {
	case WEIR_OPI_INVALID: return WEIR_CHECKED_BAD_INSN;
	case WEIR_OPI_LD_IMM64:
		return idx + 1 < low->insn_count ? WEIR_CHECKED_OK : WEIR_CHECKED_BAD_INSN;
	case WEIR_OPI_CALL_HELPER:
		return (uint32_t)insn->imm < low->call_count ? WEIR_CHECKED_OK
							     : WEIR_CHECKED_BAD_CALL;
	default: return WEIR_CHECKED_OK;
	}
}

static void push_stack(struct weir_interp_checked *check, uint64_t fp, uint32_t stack_bytes)
{
	uint32_t i = check->stack_count++;

	/* Without a place in the list a frame's accesses are refused. */
	if (i < WEIR_CHECKED_MAX_STACKS)
		check->stacks[i] = (struct weir_mem_range){
			.start = fp - stack_bytes, .size_bytes = stack_bytes, .writable = true};
}

#define INTERP_FAULT(why, a, n) set_fault(run, low, insn, why, a, n)
#define INTERP_TICK()                                                       \
	do {                                                                \
		enum weir_checked_fault why_ = tick(run->check, low, insn); \
                                                                            \
		if (why_ != WEIR_CHECKED_OK) {                              \
			INTERP_FAULT(why_, 0, 0);                           \
			return 0;                                           \
		}                                                           \
	} while (0)
#define INTERP_ACCESS(a, n, w)                                                                    \
	do {                                                                                      \
		if (!may_access(run->check, a, n, w)) {                                           \
			INTERP_FAULT((w) ? WEIR_CHECKED_BAD_WRITE : WEIR_CHECKED_BAD_READ, a, n); \
			return 0;                                                                 \
		}                                                                                 \
	} while (0)
#define INTERP_CLOBBER()                        \
	do {                                    \
		for (int r_ = 1; r_ <= 5; r_++) \
			regs[r_] = CLOBBERED;   \
	} while (0)
#define INTERP_FRAME(r, fp, size) push_stack((r)->check, fp, size)
#define INTERP_LEAVE(r)           ((r)->check->stack_count--)
#define INTERP_RUN                interp_checked_loop
#include "interp_body.h"

uint64_t weir_interp_run_checked(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low,
				 struct weir_interp_checked *check)
{
	struct interp_run run = {.exec = exec, .check = check};

	check->fault = WEIR_CHECKED_OK;
	check->fault_low = NULL;
	check->fault_idx = 0;
	check->insns_run = 0;
	check->stack_count = 0;
	interp_start_run(exec, low);
	return interp_checked_loop(&run, (uint64_t)(uintptr_t)ctx, low);
}
