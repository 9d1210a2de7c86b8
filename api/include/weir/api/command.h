/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of commands: one row a command, drawn from src/commands.def. libweir translates and
 * transfers by it, the daemon checks and dispatches by it. Read-only; any thread.
 */
#ifndef WEIR_API_COMMAND_H
#define WEIR_API_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/api/protocol.h"

/* How long the memory behind a pointer field is. */
enum weir_len_rule {
	WEIR_LEN_NONE = 0,
	WEIR_LEN_KEY,     /* the map's key_size */
	WEIR_LEN_VALUE,   /* the map's value_bytes, as bpf(2) transfers values */
	WEIR_LEN_FIELD,   /* the u32 at len_off, times unit bytes */
	WEIR_LEN_FIELDS,  /* the u32 at len_off times the u32 at unit */
	WEIR_LEN_STRING,  /* a NUL-terminated string of at most unit bytes, the NUL included */
	WEIR_LEN_SPECIAL, /* by the instructions (fd_array) or the info's kind */
};

struct weir_payload {
	uint8_t section; /* enum weir_section_id; 0 ends the list */
	uint8_t rule;    /* enum weir_len_rule */
	uint16_t ptr_off;
	uint16_t len_off;
	uint16_t unit;
};

struct weir_field {
	uint16_t off;      /* in attr */
	uint16_t bytes;    /* 0 ends the list */
	uint16_t optional; /* descriptors: 0 means none */
};

#define WEIR_COMMAND_RETURNS_FD    1
#define WEIR_COMMAND_SIZED_RESULTS 2 /* results only where the caller's attr has them */

struct weir_command {
	uint32_t cmd;
	const char *name;
	uint16_t attr_end;        /* attr bytes from here on must be zero (EINVAL) */
	uint8_t role;             /* enum weir_role_bits: the least that may send it */
	uint8_t flags;            /* WEIR_COMMAND_* */
	struct weir_field fds[4]; /* 32-bit fields that hold a descriptor */
	struct weir_payload in[6];
	struct weir_payload out[3];
	struct weir_field results[4]; /* attr fields the kernel writes */
};

/* NULL: no such command (EINVAL). */
const struct weir_command *weir_command_find(uint32_t cmd);
const struct weir_command *weir_command_table(size_t *count);
const char *weir_command_name(uint32_t cmd); /* "?" for unknown ones */

#endif
