/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages to and from bytes. Nothing here allocates more than it was told to, and nothing trusts
 * a length it has not compared with what is there. One thread at a time.
 */
#ifndef WEIR_API_CODEC_H
#define WEIR_API_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/api/protocol.h"

/* Checks a header's numbers: 0; -EPROTO (magic, version, direction, fd_count); -EMSGSIZE. */
int weir_msg_check(const struct weir_msg *msg, bool reply);

static inline uint32_t weir_pad8(uint32_t bytes)
{
	return (bytes + 7U) & ~7U;
}

/* Bytes that follow a checked header. */
static inline size_t weir_msg_rest_bytes(const struct weir_msg *msg)
{
	return (size_t)weir_pad8(msg->attr_bytes) + msg->body_bytes;
}

/* The sections of a message, by id; they point into the body. */
struct weir_sections {
	struct {
		const uint8_t *p; /* NULL: not there */
		uint32_t bytes;
	} s[WEIR_SEC_COUNT];
};

/*
 * 0; -EPROTO: a section that is cut off, unknown, there twice, or padded with anything but zeros.
 * *out is written only on success and borrows body.
 */
int weir_sections_parse(const void *body, size_t bytes, struct weir_sections *out);

/*
 * Linux's rules for an attr of `bytes` as received, for a command whose fields end at attr_end:
 * -E2BIG for non-zero bytes behind WEIR_ATTR_BYTES (or a size past WEIR_ATTR_SIZE_MAX), else 0 and
 * *out zero-extended. weir_attr_check_end: -EINVAL for non-zero bytes from attr_end on.
 */
int weir_attr_copy(const void *attr, size_t bytes, union weir_attr *out);
int weir_attr_check_end(const union weir_attr *attr, uint32_t attr_end);

/* A growing byte buffer; zero-initialised is empty. */
struct weir_buf {
	uint8_t *p;
	size_t len;
	size_t cap;
	bool failed; /* out of memory: what came later was not appended */
};

void weir_buf_free(struct weir_buf *buf);
/* Room for `bytes` more at p + len, or NULL. */
void *weir_buf_reserve(struct weir_buf *buf, size_t bytes);
void weir_buf_append(struct weir_buf *buf, const void *data, size_t bytes);
/* Appends a section with its header and padding. */
void weir_buf_section(struct weir_buf *buf, uint32_t id, const void *data, size_t bytes);
/* Appends a section's header and room for its bytes (zeroed), and returns the room, or NULL. */
void *weir_buf_section_room(struct weir_buf *buf, uint32_t id, size_t bytes);

#endif
