/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weir_bpf(): attr and the memory behind it → a message, by the command table; and back.
 *
 * Descriptors become slots; what is no object becomes a marker, so that weird reports it in
 * Linux's order of checks. Memory that cannot be read is left out, with the same effect.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "info.h"
#include "weir/api/command.h"
#include "weir/api/libweir.h"

#define LD_IMM64         (BPF_LD | BPF_IMM | BPF_DW)
#define PSEUDO_MAP_FD    1
#define PSEUDO_MAP_VALUE 2
#define PSEUDO_MAP_IDX   5
#define PSEUDO_IDX_VALUE 6
#define FD_ARRAY_MAX     1024U

struct bpf_request {
	struct weir_conn *conn;
	const struct weir_command *command;
	union weir_attr user; /* as the caller wrote it */
	union weir_attr wire; /* descriptors as slots, pointers as 0 or 1 */
	uint32_t attr_bytes;
	const struct weir_object_desc *desc; /* of the first descriptor; may be NULL */
	struct weir_object_desc desc_copy;   /* binding another one may move the connection's */
};

static uint32_t get_u32(const union weir_attr *attr, uint32_t off)
{
	uint32_t v;

	memcpy(&v, attr->bytes + off, sizeof(v));
	return v;
}

static uint64_t get_u64(const union weir_attr *attr, uint32_t off)
{
	uint64_t v;

	memcpy(&v, attr->bytes + off, sizeof(v));
	return v;
}

static void put_u32(union weir_attr *attr, uint32_t off, uint32_t v)
{
	memcpy(attr->bytes + off, &v, sizeof(v));
}

static void put_u64(union weir_attr *attr, uint32_t off, uint64_t v)
{
	memcpy(attr->bytes + off, &v, sizeof(v));
}

static bool map_holds_fds(const struct weir_object_desc *desc)
{
	switch (desc->map_type) {
	case BPF_MAP_TYPE_PROG_ARRAY:
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
	case BPF_MAP_TYPE_CGROUP_ARRAY:
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH_OF_MAPS: return true;
	default: return false;
	}
}

/* Bytes behind a pointer; more than a message can hold counts as unreadable. */
static size_t payload_bytes(const struct bpf_request *rq, const struct weir_payload *pl)
{
	uint64_t bytes = 0;

	switch (pl->rule) {
	case WEIR_LEN_KEY: bytes = rq->desc ? rq->desc->key_size : 0; break;
	case WEIR_LEN_VALUE: bytes = rq->desc ? rq->desc->value_bytes : 0; break;
	case WEIR_LEN_FIELD: bytes = (uint64_t)get_u32(&rq->user, pl->len_off) * pl->unit; break;
	case WEIR_LEN_FIELDS:
		bytes = (uint64_t)get_u32(&rq->user, pl->len_off) * get_u32(&rq->user, pl->unit);
		break;
	case WEIR_LEN_STRING: bytes = pl->unit; break;
	default: break;
	}
	return bytes <= WEIR_BODY_BYTES_MAX ? (size_t)bytes : 0;
}

/* Appends a section read from the caller's memory; NULL (and no section) if it can't be read. */
static uint8_t *section_read(struct bpf_request *rq, uint32_t id, uint64_t from, size_t bytes)
{
	struct weir_buf *body = &rq->conn->body;
	size_t before = body->len;
	uint8_t *room = weir_buf_section_room(body, id, bytes);

	if (room && weir_user_read(room, from, bytes) == bytes)
		return room;
	body->len = before;
	return NULL;
}

static void string_read(struct bpf_request *rq, const struct weir_payload *pl, uint64_t from)
{
	char text[WEIR_PATH_BYTES];
	size_t max = pl->unit < sizeof(text) ? pl->unit : sizeof(text);
	size_t n = weir_user_read(text, from, max);
	size_t len = strnlen(text, n);

	/* Cut off by unreadable memory before its end: as good as unreadable. */
	if (n < max && len == n)
		return;
	weir_buf_section(&rq->conn->body, pl->section, text, len);
}

/* The room may move while slots are bound: it is found again by its offset. */
static int translate_insns(struct bpf_request *rq, size_t room_off, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct bpf_insn insn;
		uint8_t *at = rq->conn->body.p + room_off + i * sizeof(insn);
		uint32_t slot;
		int err;

		memcpy(&insn, at, sizeof(insn));
		if (insn.code != LD_IMM64)
			continue;
		i++;
		if (insn.src_reg != PSEUDO_MAP_FD && insn.src_reg != PSEUDO_MAP_VALUE)
			continue;
		err = weir_conn_slot(rq->conn, insn.imm, &slot);
		if (err)
			return err;
		insn.imm = (int32_t)slot;
		memcpy(rq->conn->body.p + room_off + (i - 1) * sizeof(insn), &insn, sizeof(insn));
	}
	return 0;
}

static uint32_t fd_array_count(const struct bpf_request *rq)
{
	uint32_t count = rq->user.prog_load.fd_array_cnt, insn_cnt = rq->user.bpf.insn_cnt;

	if (count || insn_cnt > WEIR_INSNS_MAX)
		return count;
	for (uint32_t i = 0; i < insn_cnt; i++) {
		struct bpf_insn insn;
		uint64_t at = rq->user.bpf.insns + (uint64_t)i * sizeof(insn);

		if (weir_user_read(&insn, at, sizeof(insn)) != sizeof(insn))
			return 0;
		if (insn.code != LD_IMM64)
			continue;
		i++;
		if ((insn.src_reg == PSEUDO_MAP_IDX || insn.src_reg == PSEUDO_IDX_VALUE) &&
		    (uint32_t)insn.imm < FD_ARRAY_MAX && (uint32_t)insn.imm >= count)
			count = (uint32_t)insn.imm + 1;
	}
	return count;
}

static int fd_array_read(struct bpf_request *rq, uint64_t from)
{
	uint32_t count = fd_array_count(rq);
	uint32_t fds[FD_ARRAY_MAX];

	if (count > FD_ARRAY_MAX)
		return -E2BIG;
	if (!count || weir_user_read(fds, from, count * sizeof(fds[0])) != count * sizeof(fds[0]))
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		int err = weir_conn_slot(rq->conn, (int)fds[i], &fds[i]);

		if (err)
			return err;
	}
	weir_buf_section(&rq->conn->body, WEIR_SEC_FD_ARRAY, fds, count * sizeof(fds[0]));
	return 0;
}

static int payload_read(struct bpf_request *rq, const struct weir_payload *pl)
{
	uint64_t from = get_u64(&rq->user, pl->ptr_off);
	size_t bytes;
	uint8_t *room;

	if (!from)
		return 0;
	if (pl->rule == WEIR_LEN_STRING) {
		string_read(rq, pl, from);
		return 0;
	}
	if (pl->section == WEIR_SEC_FD_ARRAY)
		return fd_array_read(rq, from);
	if (pl->section == WEIR_SEC_INFO)
		bytes = rq->user.bpf.info.info_len <= WEIR_ATTR_SIZE_MAX
				? rq->user.bpf.info.info_len
				: 0;
	else
		bytes = payload_bytes(rq, pl);
	room = bytes ? section_read(rq, pl->section, from, bytes) : NULL;
	if (room && pl->section == WEIR_SEC_INSNS)
		return translate_insns(rq, (size_t)(room - rq->conn->body.p),
				       bytes / sizeof(struct bpf_insn));
	if (room && pl->rule == WEIR_LEN_VALUE && map_holds_fds(rq->desc) && bytes == 4) {
		uint32_t slot;
		int32_t fd, err;

		memcpy(&fd, room, sizeof(fd));
		err = weir_conn_slot(rq->conn, fd, &slot);
		if (err)
			return err;
		memcpy(room, &slot, sizeof(slot));
	}
	return 0;
}

static int request_build(struct bpf_request *rq)
{
	const struct weir_command *c = rq->command;
	const struct weir_field *f;
	const struct weir_payload *pl;
	int err;

	rq->wire = rq->user;
	rq->conn->body.len = 0;
	rq->conn->body.failed = false;
	for (f = c->fds; f < c->fds + 4 && f->bytes; f++) {
		uint32_t slot;

		if (f->optional && !get_u32(&rq->user, f->off))
			continue;
		err = weir_conn_slot(rq->conn, (int)get_u32(&rq->user, f->off), &slot);
		if (err)
			return err;
		put_u32(&rq->wire, f->off, slot);
	}
	rq->desc = NULL;
	if (c->fds[0].bytes)
		rq->desc = weir_conn_desc(rq->conn, get_u32(&rq->wire, c->fds[0].off));
	if (rq->desc) {
		rq->desc_copy = *rq->desc;
		rq->desc = &rq->desc_copy;
	}
	for (pl = c->in; pl < c->in + 6 && pl->section; pl++) {
		err = payload_read(rq, pl);
		if (err)
			return err;
		put_u64(&rq->wire, pl->ptr_off, get_u64(&rq->user, pl->ptr_off) != 0);
	}
	for (pl = c->out; pl < c->out + 3 && pl->section; pl++)
		put_u64(&rq->wire, pl->ptr_off, get_u64(&rq->user, pl->ptr_off) != 0);
	return 0;
}

static int payload_write(const struct bpf_request *rq, const struct weir_payload *pl,
			 const struct weir_call *call)
{
	uint64_t to = get_u64(&rq->user, pl->ptr_off);
	size_t bytes = call->sections.s[pl->section].bytes;

	if (!call->sections.s[pl->section].p)
		return 0;
	if (pl->section == WEIR_SEC_INFO)
		return weir_info_write(&rq->user, rq->desc, call);
	/* Never past what the caller said is there. */
	if (bytes > payload_bytes(rq, pl))
		return -EPROTO;
	return weir_user_write(to, call->sections.s[pl->section].p, bytes) == bytes ? 0 : -EFAULT;
}

/* Everything the kernel would have written; the first failure is the call's. */
static int reply_apply(const struct bpf_request *rq, const struct weir_call *call, uint64_t attr)
{
	const struct weir_command *c = rq->command;
	const struct weir_payload *pl;
	const struct weir_field *f;
	int err = 0;

	for (pl = c->out; pl < c->out + 3 && pl->section && !err; pl++)
		err = payload_write(rq, pl, call);
	for (f = c->results; f < c->results + 4 && f->bytes && !err; f++) {
		/* Logs' true sizes are newer than many callers: only where they have the field. */
		if ((c->flags & WEIR_COMMAND_SIZED_RESULTS) && rq->attr_bytes < f->off + f->bytes)
			continue;
		if (!memcmp(call->reply.bytes + f->off, rq->user.bytes + f->off, f->bytes))
			continue;
		if (weir_user_write(attr + f->off, call->reply.bytes + f->off, f->bytes) !=
		    f->bytes)
			err = -EFAULT;
	}
	return err;
}

static int reply_take(struct bpf_request *rq, struct weir_call *call, uint64_t attr)
{
	struct weir_object_desc desc;
	int err = reply_apply(rq, call, attr);

	if (!err && call->result >= 0 && (rq->command->flags & WEIR_COMMAND_RETURNS_FD)) {
		if (call->reply_fd < 0 || call->sections.s[WEIR_SEC_DESC].bytes != sizeof(desc))
			return -EPROTO;
		memcpy(&desc, call->sections.s[WEIR_SEC_DESC].p, sizeof(desc));
		err = weir_conn_remember(rq->conn, call->reply_fd, &desc);
		if (!err) {
			err = call->reply_fd;
			call->reply_fd = -1;
			return err;
		}
	}
	return err ? err : call->result;
}

static int bpf_once(struct bpf_request *rq, uint64_t attr, bool *again)
{
	struct weir_call call = {.cmd = rq->command->cmd,
				 .attr = rq->wire.bytes,
				 .attr_bytes = rq->attr_bytes,
				 .fd = -1};
	int err;

	err = weir_conn_get(&rq->conn);
	if (err)
		return err;
	err = request_build(rq);
	if (!err)
		err = weir_conn_call(rq->conn, &call);
	*again = err == -EPIPE;
	if (err)
		return err;
	if (call.result < 0)
		weir_conn_set_error(rq->conn, &call);
	err = reply_take(rq, &call, attr);
	if (call.reply_fd >= 0)
		close(call.reply_fd);
	return err;
}

static int bpf_call(uint32_t cmd, uint64_t attr, uint32_t size)
{
	struct bpf_request rq = {0};
	uint8_t raw[WEIR_ATTR_SIZE_MAX];
	bool again = false;
	int err;

	if (size > sizeof(raw))
		return -E2BIG;
	if (weir_user_read(raw, attr, size) != size)
		return -EFAULT;
	err = weir_attr_copy(raw, size, &rq.user);
	if (err)
		return err;
	rq.attr_bytes = size < WEIR_ATTR_BYTES ? size : WEIR_ATTR_BYTES;
	rq.command = cmd < WEIR_CMD_HELLO ? weir_command_find(cmd) : NULL;
	if (!rq.command)
		return -EINVAL;
	err = weir_attr_check_end(&rq.user, rq.command->attr_end);
	if (err)
		return err;
	err = bpf_once(&rq, attr, &again);
	if (again) /* weird closed an idle connection, or was restarted */
		err = bpf_once(&rq, attr, &again);
	return err == -EPIPE ? -ECONNRESET : err;
}

int weir_bpf(int cmd, union bpf_attr *attr, unsigned int size)
{
	int ret = bpf_call((uint32_t)cmd, (uintptr_t)attr, size);

	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}
