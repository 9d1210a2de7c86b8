/* SPDX-License-Identifier: BSD-3-Clause */
/* Why the verifier refuses programs: one row a cause in reasons.def. Any thread; constant. */
#ifndef WEIR_VM_REASONS_H
#define WEIR_VM_REASONS_H

enum weir_reason {
	WEIR_REASON_NONE = 0,
#define WEIR_REASON(name, id, title, hint) WEIR_REASON_##name,
#include "weir/vm/reasons.def"
#undef WEIR_REASON
	WEIR_REASON_COUNT,
};

struct weir_reason_info {
	const char *id;    /* stable: "packet-out-of-range" */
	const char *title; /* what it means, one clause */
	const char *hint;  /* what to do about it */
};

/* The row of a reason; of "none" ("none", "", "") for a number that is no reason. */
const struct weir_reason_info *weir_reason_info(enum weir_reason reason);
/* By stable id; WEIR_REASON_NONE if there is none. */
enum weir_reason weir_reason_find(const char *id);

#endif
