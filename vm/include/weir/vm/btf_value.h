/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values typed by BTF, for people: bytes → events (from which a tool makes JSON) or C-like text,
 * and text → bytes. Any thread.
 *
 * Text that parses (blanks are free between tokens):
 *   integers     12, -3, 0x1f; true/false for bool; 'a' for one-byte integers
 *   enums        by name or number
 *   char arrays  "text" (\n \t \0 \\ \" \xNN), the rest is zero; other arrays {1, 2} or [1, 2], the
 *                rest is zero
 *   structs      {.a = 1, .b = 2}, {a=1,b=2} or by order {1, 2}; what is not named is zero; the
 *                outermost braces may be left out
 *   addresses    10.0.0.1 for anything of 4 bytes, 2001:db8::1 of 16, 02:00:00:00:00:01 of 6: the
 *                bytes in network order
 * What weir_btf_value_print writes parses back to the same values.
 */
#ifndef WEIR_VM_BTF_VALUE_H
#define WEIR_VM_BTF_VALUE_H

#include "weir/vm/btf.h"

enum weir_btf_event_kind {
	WEIR_BTF_STRUCT_BEGIN, /* structs and unions: members follow, each with a name */
	WEIR_BTF_STRUCT_END,
	WEIR_BTF_ARRAY_BEGIN, /* elements follow, without names */
	WEIR_BTF_ARRAY_END,
	WEIR_BTF_SIGNED,
	WEIR_BTF_UNSIGNED,
	WEIR_BTF_POINTER, /* v.u64 */
	WEIR_BTF_BOOL,    /* v.u64, 0 or 1 */
	WEIR_BTF_FLOAT,
	WEIR_BTF_ENUM,    /* text, or NULL if no name has the value; v.i64 */
	WEIR_BTF_STRING,  /* char array up to its first zero byte; text, printable */
	WEIR_BTF_ADDRESS, /* __be32, struct in_addr, in6_addr: text */
	WEIR_BTF_HEX,     /* 128-bit integers: text, "0x…" */
};

struct weir_btf_event {
	enum weir_btf_event_kind kind;
	const char *name; /* of the member or variable; "" if anonymous; NULL outside structs */
	uint32_t type_id;
	const char *text; /* valid during the call */
	union {
		int64_t i64;
		uint64_t u64;
		double f64;
	} v;
};

/* A non-zero return ends the walk and is its result. */
typedef int (*weir_btf_event_fn)(void *arg, const struct weir_btf_event *event);

/*
 * Walks a value of type id. -EINVAL: the type has no size; -EMSGSIZE: fewer bytes than its size;
 * -E2BIG: more than 4M events (hostile types).
 */
int weir_btf_value_walk(const struct weir_btf *btf, uint32_t id, const void *bytes,
			size_t size_bytes, weir_btf_event_fn fn, void *arg);

/* Appends "{.a = 1, .name = "x"}"; errors as weir_btf_value_walk. */
int weir_btf_value_print(const struct weir_btf *btf, uint32_t id, const void *bytes,
			 size_t size_bytes, struct weir_diag *out);

/*
 * Parses all of text as a value of type id into out, whose size must be the type's. 0; -EINVAL with
 * text that says the column, what was expected and found; -ERANGE for a number that does not fit;
 * -ENOMEM.
 */
int weir_btf_value_parse(const struct weir_btf *btf, uint32_t id, const char *text,
			 struct weir_diag *diag, void *out, size_t out_bytes);

#endif
