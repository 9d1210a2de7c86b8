/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The verifier: the only maker of weir_prog_ok. Proves that every path of a program terminates
 * and touches only memory it may; what it cannot prove it rejects, saying where and why.
 * Any thread; several verifications may run at the same time.
 */
#ifndef WEIR_VM_VERIFIER_H
#define WEIR_VM_VERIFIER_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/base/diag.h"
#include "weir/vm/prog.h"
#include "weir/vm/reasons.h"

enum weir_role {
	WEIR_ROLE_ADMIN = 0,         /* root on Linux */
	WEIR_ROLE_LOAD,              /* CAP_BPF + CAP_NET_ADMIN: no pointer leaks */
	WEIR_ROLE_LOAD_UNPRIVILEGED, /* no capability: 4,096 instructions, socket filters only */
};

struct weir_verify_opts {
	enum weir_role role;
	uint32_t
		log_level; /* Linux's bits: 1 the failing path, 2 every instruction, 4 statistics */
	uint64_t states_limit_bytes; /* 0: 256 MiB */
	const bool *cancel; /* read atomically now and then; true: give up with -ECANCELED. NULL:
			       none */
};

/* What a reject says; the log holds the same as text. */
struct weir_reject {
	enum weir_reason reason;
	uint32_t insn_idx;     /* UINT32_MAX: none */
	const char *reason_id; /* static, stable: "packet-out-of-range" */
	char message[256];     /* the one-line cause, Linux's wording */
};

/*
 * Verifies raw (borrowed; copied into the ok). 0 and *out, or
 * -EINVAL/-EACCES/-EPERM/-E2BIG/-ENOMEM/ -EFAULT/-ECANCELED as Linux would for the cause, with
 * *reject filled (NULL: not wanted) and log text. stats (may be NULL) is filled in either case.
 */
int weir_verify(const struct weir_prog_raw *raw, const struct weir_verify_opts *opts,
		struct weir_diag *log, struct weir_verify_stats *stats, struct weir_reject *reject,
		struct weir_prog_ok **out);

#endif
