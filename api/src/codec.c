/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/api/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int weir_msg_check(const struct weir_msg *msg, bool reply)
{
	if (msg->magic != WEIR_PROTO_MAGIC || msg->version != WEIR_PROTO_VERSION)
		return -EPROTO;
	if (msg->flags != (reply ? WEIR_MSG_REPLY : 0) || msg->fd_count > 1)
		return -EPROTO;
	if (!reply && msg->result)
		return -EPROTO;
	if (msg->attr_bytes > WEIR_ATTR_SIZE_MAX || msg->body_bytes > WEIR_BODY_BYTES_MAX)
		return -EMSGSIZE;
	if (msg->body_bytes % 8)
		return -EPROTO;
	return 0;
}

static bool all_zero(const uint8_t *p, size_t bytes)
{
	while (bytes--)
		if (*p++)
			return false;
	return true;
}

int weir_sections_parse(const void *body, size_t bytes, struct weir_sections *out)
{
	struct weir_sections found = {0};
	const uint8_t *p = body;

	while (bytes) {
		struct weir_section head;
		size_t padded;

		if (bytes < sizeof(head))
			return -EPROTO;
		memcpy(&head, p, sizeof(head));
		p += sizeof(head);
		bytes -= sizeof(head);
		if (head.id == WEIR_SEC_NONE || head.id >= WEIR_SEC_COUNT || found.s[head.id].p)
			return -EPROTO;
		padded = ((size_t)head.bytes + 7) & ~(size_t)7;
		if (padded > bytes || !all_zero(p + head.bytes, padded - head.bytes))
			return -EPROTO;
		found.s[head.id].p = p;
		found.s[head.id].bytes = head.bytes;
		p += padded;
		bytes -= padded;
	}
	*out = found;
	return 0;
}

int weir_attr_copy(const void *attr, size_t bytes, union weir_attr *out)
{
	size_t known = bytes < WEIR_ATTR_BYTES ? bytes : WEIR_ATTR_BYTES;

	if (bytes > WEIR_ATTR_SIZE_MAX)
		return -E2BIG;
	if (!all_zero((const uint8_t *)attr + known, bytes - known))
		return -E2BIG;
	memset(out, 0, sizeof(*out));
	memcpy(out, attr, known);
	return 0;
}

int weir_attr_check_end(const union weir_attr *attr, uint32_t attr_end)
{
	return all_zero(attr->bytes + attr_end, WEIR_ATTR_BYTES - attr_end) ? 0 : -EINVAL;
}

void weir_buf_free(struct weir_buf *buf)
{
	free(buf->p);
	memset(buf, 0, sizeof(*buf));
}

void *weir_buf_reserve(struct weir_buf *buf, size_t bytes)
{
	size_t cap = buf->cap ? buf->cap : 256;
	uint8_t *p;

	if (buf->failed)
		return NULL;
	if (bytes <= buf->cap - buf->len)
		return buf->p + buf->len;
	while (cap - buf->len < bytes)
		cap *= 2;
	p = realloc(buf->p, cap);
	if (!p) {
		buf->failed = true;
		return NULL;
	}
	buf->p = p;
	buf->cap = cap;
	return p + buf->len;
}

void weir_buf_append(struct weir_buf *buf, const void *data, size_t bytes)
{
	void *room = weir_buf_reserve(buf, bytes);

	if (!room)
		return;
	if (bytes)
		memcpy(room, data, bytes);
	buf->len += bytes;
}

void *weir_buf_section_room(struct weir_buf *buf, uint32_t id, size_t bytes)
{
	struct weir_section head = {.id = id, .bytes = (uint32_t)bytes};
	size_t padded = (bytes + 7) & ~(size_t)7;
	uint8_t *room = weir_buf_reserve(buf, sizeof(head) + padded);

	if (!room)
		return NULL;
	memcpy(room, &head, sizeof(head));
	memset(room + sizeof(head), 0, padded);
	buf->len += sizeof(head) + padded;
	return room + sizeof(head);
}

void weir_buf_section(struct weir_buf *buf, uint32_t id, const void *data, size_t bytes)
{
	void *room = weir_buf_section_room(buf, id, bytes);

	if (room && bytes)
		memcpy(room, data, bytes);
}
