/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every operation does, as one threaded loop. Included by interp.c (which runs programs) and
 * by interp_checked.c (which also judges every access), so that the two cannot drift. Before it:
 *
 *   INTERP_RUN             the function's name
 *   INTERP_TICK()          before each instruction
 *   INTERP_ACCESS(a, n, w) before n bytes at address a are read (w false) or written
 *   INTERP_CLOBBER()       after a helper call: R1 to R5 hold nothing
 *   INTERP_FRAME(r, fp, n) a frame with n bytes of stack below fp was entered
 *   INTERP_LEAVE(r)        and left
 *   INTERP_FAULT(why, a, n) the run is given up
 */

#define DST       regs[insn->dst_reg]
#define SRC       regs[insn->src_reg]
#define IMM64     ((uint64_t)(int64_t)insn->imm)
#define PTR(addr) ((void *)(uintptr_t)(addr))

#define DISPATCH()                                           \
	do {                                                 \
		INTERP_TICK();                               \
		goto *labels[interp_op_of_code[insn->code]]; \
	} while (0)
#define NEXT()              \
	do {                \
		insn++;     \
		DISPATCH(); \
	} while (0)
#define JUMP(distance)                  \
	do {                            \
		insn += (distance) + 1; \
		DISPATCH();             \
	} while (0)

#define ALU(ID, name)                                                                  \
	op_##ID##32_K : DST = weir_alu_##name##32((uint32_t)DST, (uint32_t)insn->imm); \
	NEXT();                                                                        \
	op_##ID##32_X : DST = weir_alu_##name##32((uint32_t)DST, (uint32_t)SRC);       \
	NEXT();                                                                        \
	op_##ID##64_K : DST = weir_alu_##name##64(DST, IMM64);                         \
	NEXT();                                                                        \
	op_##ID##64_X : DST = weir_alu_##name##64(DST, SRC);                           \
	NEXT();

#define COND(ID, cast32, cast64, cmp)                                              \
	op_##ID##32_K : JUMP(((cast32)DST cmp(cast32) insn->imm) ? insn->off : 0); \
	op_##ID##32_X : JUMP(((cast32)DST cmp(cast32) SRC) ? insn->off : 0);       \
	op_##ID##64_K : JUMP(((cast64)DST cmp(cast64) IMM64) ? insn->off : 0);     \
	op_##ID##64_X : JUMP(((cast64)DST cmp(cast64) SRC) ? insn->off : 0);

#define MEM(SUFFIX, type, stype)                                     \
	op_LDX_##SUFFIX : addr = SRC + (uint64_t)(int64_t)insn->off; \
	INTERP_ACCESS(addr, sizeof(type), false);                    \
	DST = guest_load_##type(PTR(addr));                          \
	NEXT();                                                      \
	op_ST_##SUFFIX : addr = DST + (uint64_t)(int64_t)insn->off;  \
	INTERP_ACCESS(addr, sizeof(type), true);                     \
	guest_store_##type(PTR(addr), (type)IMM64);                  \
	NEXT();                                                      \
	op_STX_##SUFFIX : addr = DST + (uint64_t)(int64_t)insn->off; \
	INTERP_ACCESS(addr, sizeof(type), true);                     \
	guest_store_##type(PTR(addr), (type)SRC);                    \
	NEXT();

#define MEMSX(SUFFIX, type, stype)                                     \
	op_LDXSX_##SUFFIX : addr = SRC + (uint64_t)(int64_t)insn->off; \
	INTERP_ACCESS(addr, sizeof(type), false);                      \
	DST = (uint64_t)(int64_t)(stype)guest_load_##type(PTR(addr));  \
	NEXT();

#define ATOMIC_AT(type)                            \
	addr = DST + (uint64_t)(int64_t)insn->off; \
	INTERP_ACCESS(addr, sizeof(type), true)
#define ATOMIC_BINARY(ID, builtin, bits)                                                 \
	op_ATOMIC_##ID##bits : ATOMIC_AT(uint##bits##_t);                                \
	__atomic_fetch_##builtin((uint##bits##_t *)PTR(addr), (uint##bits##_t)SRC,       \
				 __ATOMIC_SEQ_CST);                                      \
	NEXT();                                                                          \
	op_ATOMIC_FETCH_##ID##bits : ATOMIC_AT(uint##bits##_t);                          \
	SRC = __atomic_fetch_##builtin((uint##bits##_t *)PTR(addr), (uint##bits##_t)SRC, \
				       __ATOMIC_SEQ_CST);                                \
	NEXT();
#define ATOMIC(bits)                                                                      \
	ATOMIC_BINARY(ADD, add, bits)                                                     \
	ATOMIC_BINARY(OR, or, bits)                                                       \
	ATOMIC_BINARY(AND, and, bits)                                                     \
	ATOMIC_BINARY(XOR, xor, bits)                                                     \
	op_ATOMIC_XCHG##bits : ATOMIC_AT(uint##bits##_t);                                 \
	SRC = __atomic_exchange_n((uint##bits##_t *)PTR(addr), (uint##bits##_t)SRC,       \
				  __ATOMIC_SEQ_CST);                                      \
	NEXT();                                                                           \
	op_ATOMIC_CMPXCHG##bits : ATOMIC_AT(uint##bits##_t);                              \
	{                                                                                 \
		uint##bits##_t expected = (uint##bits##_t)regs[0];                        \
                                                                                          \
		__atomic_compare_exchange_n((uint##bits##_t *)PTR(addr), &expected,       \
					    (uint##bits##_t)SRC, false, __ATOMIC_SEQ_CST, \
					    __ATOMIC_SEQ_CST);                            \
		regs[0] = expected;                                                       \
	}                                                                                 \
	NEXT();
#define ORDERED(bits)                                                                         \
	op_LOAD_ACQ##bits : addr = SRC + (uint64_t)(int64_t)insn->off;                        \
	INTERP_ACCESS(addr, bits / 8, false);                                                 \
	DST = __atomic_load_n((uint##bits##_t *)PTR(addr), __ATOMIC_ACQUIRE);                 \
	NEXT();                                                                               \
	op_STORE_REL##bits : ATOMIC_AT(uint##bits##_t);                                       \
	__atomic_store_n((uint##bits##_t *)PTR(addr), (uint##bits##_t)SRC, __ATOMIC_RELEASE); \
	NEXT();

static uint64_t INTERP_RUN(struct interp_run *run, uint64_t r1, const struct weir_prog_low *low)
{
	static const void *const labels[WEIR_OPI_COUNT + 1] = {
#define WEIR_OP(id, code, sub, where, name) [WEIR_OPI_##id] = &&op_##id,
#include "weir/vm/isa.def"
#undef WEIR_OP
		[WEIR_OPI_COUNT] = &&select_row,
	};
	struct weir_exec *exec = run->exec;
	struct interp_frame frames[WEIR_MAX_FRAMES];
	uint8_t stack[WEIR_MAX_FRAMES * WEIR_STACK_BYTES] __attribute__((aligned(16)));
	uint64_t regs[16] = {0}; /* 16: what the fields can hold, though programs have 11 */
	const struct weir_low_subprog *subprog = &low->subprogs[0];
	const struct bpf_insn *insn = low->insns;
	uint32_t depth = 0;
	uint64_t addr;

	regs[1] = r1;
	regs[10] = (uint64_t)(uintptr_t)(stack + sizeof(stack));
	frames[0].fp = regs[10];
	INTERP_FRAME(run, regs[10], subprog->stack_bytes);
	DISPATCH();

select_row:
	/* More than one row has this opcode byte. */
	{
		enum weir_op op = weir_isa_decode(insn);

		if (op == WEIR_OPI_INVALID)
			goto broken;
		goto *labels[op];
	}

	ALU(ADD, add)
	ALU(SUB, sub)
	ALU(MUL, mul)
	ALU(OR, or)
	ALU(AND, and)
	ALU(XOR, xor)
	ALU(LSH, lsh)
	ALU(RSH, rsh)
	ALU(ARSH, arsh)
	ALU(DIV, div)
	ALU(SDIV, sdiv)
	ALU(MOD, mod)
	ALU(SMOD, smod)
op_NEG32:
	DST = (uint32_t)-DST;
	NEXT();
op_NEG64:
	DST = -DST;
	NEXT();
op_MOV32_K:
	DST = (uint32_t)insn->imm;
	NEXT();
op_MOV64_K:
	DST = IMM64;
	NEXT();
op_MOV32_X:
	DST = (uint32_t)SRC;
	NEXT();
op_MOVSX32_8:
	DST = (uint32_t)(int8_t)SRC;
	NEXT();
op_MOVSX32_16:
	DST = (uint32_t)(int16_t)SRC;
	NEXT();
op_MOV64_X:
	DST = SRC;
	NEXT();
op_MOVSX64_8:
	DST = (uint64_t)(int8_t)SRC;
	NEXT();
op_MOVSX64_16:
	DST = (uint64_t)(int16_t)SRC;
	NEXT();
op_MOVSX64_32:
	DST = (uint64_t)(int32_t)SRC;
	NEXT();
op_LE16:
	DST = htole16((uint16_t)DST);
	NEXT();
op_LE32:
	DST = htole32((uint32_t)DST);
	NEXT();
op_LE64:
	DST = htole64(DST);
	NEXT();
op_BE16:
	DST = htobe16((uint16_t)DST);
	NEXT();
op_BE32:
	DST = htobe32((uint32_t)DST);
	NEXT();
op_BE64:
	DST = htobe64(DST);
	NEXT();
op_BSWAP16:
	DST = __builtin_bswap16((uint16_t)DST);
	NEXT();
op_BSWAP32:
	DST = __builtin_bswap32((uint32_t)DST);
	NEXT();
op_BSWAP64:
	DST = __builtin_bswap64(DST);
	NEXT();

	COND(JEQ, uint32_t, uint64_t, ==)
	COND(JNE, uint32_t, uint64_t, !=)
	COND(JGT, uint32_t, uint64_t, >)
	COND(JGE, uint32_t, uint64_t, >=)
	COND(JLT, uint32_t, uint64_t, <)
	COND(JLE, uint32_t, uint64_t, <=)
	COND(JSGT, int32_t, int64_t, >)
	COND(JSGE, int32_t, int64_t, >=)
	COND(JSLT, int32_t, int64_t, <)
	COND(JSLE, int32_t, int64_t, <=)
	COND(JSET, uint32_t, uint64_t, &)
op_JA:
	JUMP(insn->off);
op_JA_LONG:
	JUMP(insn->imm);

op_CALL_HELPER:
	regs[0] = low->calls[insn->imm].fn(regs[1], regs[2], regs[3], regs[4], regs[5], exec);
	INTERP_CLOBBER();
	NEXT();
op_CALL_LOCAL:
	if (depth + 1 >= WEIR_MAX_FRAMES)
		goto too_deep;
	frames[depth].ret = insn + 1;
	frames[depth].subprog = subprog;
	frames[depth].fp = regs[10];
	memcpy(frames[depth].saved, &regs[6], sizeof(frames[depth].saved));
	depth++;
	regs[10] -= subprog->stack_bytes;
	insn += insn->imm + 1;
	subprog = interp_subprog_at(low, (uint32_t)(insn - low->insns));
	INTERP_FRAME(run, regs[10], subprog->stack_bytes);
	DISPATCH();
op_EXIT:
leave_frame:
	INTERP_LEAVE(run);
	if (!depth)
		return regs[0];
	depth--;
	insn = frames[depth].ret;
	subprog = frames[depth].subprog;
	regs[10] = frames[depth].fp;
	memcpy(&regs[6], frames[depth].saved, sizeof(frames[depth].saved));
	DISPATCH();
op_TAIL_CALL : {
	const struct weir_code *code = interp_tail_target(exec, regs[2], (uint32_t)regs[3]);

	if (!code)
		NEXT();
	/*
	 * In the main frame the target takes this loop over. A subprog's frame stays, so
	 * that its caller can be returned to: the target runs in a loop of its own. There
	 * are at most WEIR_MAX_TAIL_CALLS of those.
	 */
	if (depth) {
		regs[0] = INTERP_RUN(run, regs[1], code->low);
		if (run->aborted)
			return 0;
		goto leave_frame;
	}
	low = code->low;
	subprog = &low->subprogs[0];
	insn = low->insns;
	INTERP_LEAVE(run);
	INTERP_FRAME(run, regs[10], subprog->stack_bytes);
	DISPATCH();
}
op_BUDGET:
	if (--exec->trips_left < 0 && weir_exec_budget_expired(exec)) {
		run->aborted = true;
		return 0;
	}
	NEXT();

op_LD_IMM64:
	DST = (uint32_t)insn->imm | (uint64_t)(uint32_t)insn[1].imm << 32;
	insn++;
	NEXT();

	MEM(B, uint8_t, int8_t)
	MEM(H, uint16_t, int16_t)
	MEM(W, uint32_t, int32_t)
	MEM(DW, uint64_t, int64_t)
	MEMSX(B, uint8_t, int8_t)
	MEMSX(H, uint16_t, int16_t)
	MEMSX(W, uint32_t, int32_t)
	ATOMIC(32)
	ATOMIC(64)
	ORDERED(8)
	ORDERED(16)
	ORDERED(32)
	ORDERED(64)

	/* Rewrite leaves none of these in the internal ISA. */
op_MAY_GOTO:
op_CALL_KFUNC:
op_LD_MAP_FD:
op_LD_MAP_VALUE:
op_LD_BTF_ID:
op_LD_FUNC:
op_LD_MAP_IDX:
op_LD_MAP_IDX_VALUE:
op_LD_ABS_B:
op_LD_ABS_H:
op_LD_ABS_W:
op_LD_IND_B:
op_LD_IND_H:
op_LD_IND_W:
broken:
	INTERP_FAULT(WEIR_CHECKED_BAD_INSN, 0, 0);
	goto give_up;
too_deep:
	INTERP_FAULT(WEIR_CHECKED_BAD_CALL, 0, 0);
give_up:
	exec->abort_cause = WEIR_ABORT_INTERNAL;
	run->aborted = true;
	return 0;
}

#undef DST
#undef SRC
#undef IMM64
#undef PTR
#undef DISPATCH
#undef NEXT
#undef JUMP
#undef ALU
#undef COND
#undef MEM
#undef MEMSX
#undef ATOMIC_AT
#undef ATOMIC_BINARY
#undef ATOMIC
#undef ORDERED
