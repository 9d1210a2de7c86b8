/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The helper table: number, name, prototype, who may call it, and the function itself. One table
 * (src/helpers.def) feeds verifier, rewrite, disassembler and docs.
 */
#ifndef WEIR_VM_HELPER_H
#define WEIR_VM_HELPER_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/vm/prog.h"

/* Argument kinds, with Linux's meaning. A SIZE argument bounds the MEM argument before it. */
enum weir_arg {
	WEIR_ARG_NONE = 0,
	WEIR_ARG_ANYTHING, /* any initialised value; no pointer leak for unprivileged */
	WEIR_ARG_CTX,      /* the program's context, unmodified */
	WEIR_ARG_CONST_MAP_PTR,
	WEIR_ARG_MAP_KEY,      /* key_size readable bytes */
	WEIR_ARG_MAP_VALUE,    /* value_size readable bytes */
	WEIR_ARG_MEM,          /* readable, by the SIZE argument after it */
	WEIR_ARG_MEM_OR_NULL,  /* the same; NULL only with size 0 */
	WEIR_ARG_UNINIT_MEM,   /* writable, by the SIZE argument; need not be initialised */
	WEIR_ARG_SIZE,         /* > 0 and bounded */
	WEIR_ARG_SIZE_OR_ZERO, /* bounded */
	WEIR_ARG_CONST_SIZE_OR_ZERO_ALLOC, /* a constant: the returned memory's size */
	WEIR_ARG_FUNC,                     /* a callback: LD_IMM64 of a subprog */
	WEIR_ARG_STACK_OR_NULL,            /* callback context: any pointer to stack, or 0 */
	WEIR_ARG_CONST_STR, /* a NUL-terminated string in a map of constant contents */
};

enum weir_ret {
	WEIR_RET_INTEGER,
	WEIR_RET_VOID,
	WEIR_RET_MAP_VALUE_OR_NULL,
};

enum weir_helper_flag {
	WEIR_HELPER_CHANGES_PKT = 1 << 0, /* packet pointers are invalid after it */
	WEIR_HELPER_PKT_ACCESS = 1 << 1,  /* its memory arguments may be packet memory */
	WEIR_HELPER_GPL = 1 << 2, /* refused unless the program's license is GPL-compatible */
	WEIR_HELPER_HIDDEN_STUB = 1 << 3, /* answers "not found" only */
	WEIR_HELPER_CAP_BPF = 1 << 4,     /* unknown to WEIR_ROLE_LOAD_UNPRIVILEGED */
	WEIR_HELPER_CAP_PERFMON = 1 << 5, /* unknown to every role but WEIR_ROLE_ADMIN */
};

#define WEIR_FOR_XDP           (1U << BPF_PROG_TYPE_XDP)
#define WEIR_FOR_CLS           (1U << BPF_PROG_TYPE_SCHED_CLS | 1U << BPF_PROG_TYPE_SCHED_ACT)
#define WEIR_FOR_SOCKET_FILTER (1U << BPF_PROG_TYPE_SOCKET_FILTER)
#define WEIR_FOR_ALL           (WEIR_FOR_XDP | WEIR_FOR_CLS | WEIR_FOR_SOCKET_FILTER)

struct weir_helper {
	uint32_t id;         /* BPF_FUNC_* */
	const char *name;    /* "bpf_map_lookup_elem" */
	uint32_t prog_types; /* mask of 1 << enum bpf_prog_type */
	uint32_t flags;      /* enum weir_helper_flag */
	enum weir_ret ret;
	enum weir_arg args[5];
	weir_helper_fn fn; /* NULL: rewrite chooses the code (tail_call, loop, redirect) */
};

/* The row of a helper number, or NULL. Any thread. */
const struct weir_helper *weir_helper_find(uint32_t id);
/* Linux's name for any helper number it has, also those weir refuses ("bpf_sk_fullsock"); or NULL.
 */
const char *weir_helper_name(uint32_t id);
/* All rows; *count of them. */
const struct weir_helper *weir_helper_table(size_t *count);

#endif
