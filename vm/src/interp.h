/* SPDX-License-Identifier: BSD-3-Clause */
/* What both interpreter loops share. */
#ifndef WEIR_VM_SRC_INTERP_H
#define WEIR_VM_SRC_INTERP_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "weir/base/bits.h"
#include "weir/vm/alu.h"
#include "weir/vm/exec.h"
#include "weir/vm/interp_checked.h"
#include "weir/vm/isa.h"
#include "weir/vm/prog.h"

struct interp_frame {
	const struct bpf_insn *ret;
	const struct weir_low_subprog *subprog;
	uint64_t fp;
	uint64_t saved[4]; /* R6 to R9 */
};

struct interp_run {
	struct weir_exec *exec;
	bool aborted;                      /* leave every loop */
	struct weir_interp_checked *check; /* NULL: not checked */
};

/* The row of an opcode byte if there is only one, else WEIR_OPI_COUNT: weir_isa_decode knows. */
extern uint8_t interp_op_of_code[256];

const struct weir_low_subprog *interp_subprog_at(const struct weir_prog_low *low,
						 uint32_t insn_idx);
/* The code a tail call goes to, counted; NULL: none, or too many of them. */
const struct weir_code *interp_tail_target(struct weir_exec *exec, uint64_t map, uint32_t index);
/* What prog.h says a run of low starts with. */
void interp_start_run(struct weir_exec *exec, const struct weir_prog_low *low);

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define INTERP_TSAN 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define INTERP_TSAN 1
#endif

/*
 * A program's plain accesses may race with other workers' by design (map values), and may be
 * unaligned. Under ThreadSanitizer they are relaxed atomics, so that it reports weir's races only.
 */
#ifdef INTERP_TSAN
#define INTERP_DEFINE_GUEST(type)                                          \
	static inline type guest_load_##type(const void *p)                \
	{                                                                  \
		return __atomic_load_n((const type *)p, __ATOMIC_RELAXED); \
	}                                                                  \
	static inline void guest_store_##type(void *p, type v)             \
	{                                                                  \
		__atomic_store_n((type *)p, v, __ATOMIC_RELAXED);          \
	}
#else
#define INTERP_DEFINE_GUEST(type)                              \
	static inline type guest_load_##type(const void *p)    \
	{                                                      \
		type v;                                        \
		memcpy(&v, p, sizeof(v));                      \
		return v;                                      \
	}                                                      \
	static inline void guest_store_##type(void *p, type v) \
	{                                                      \
		memcpy(p, &v, sizeof(v));                      \
	}
#endif
INTERP_DEFINE_GUEST(uint8_t)
INTERP_DEFINE_GUEST(uint16_t)
INTERP_DEFINE_GUEST(uint32_t)
INTERP_DEFINE_GUEST(uint64_t)

#endif
