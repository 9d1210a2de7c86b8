/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/api/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"

/* A call with its body being built; slots and sections go in before client_call(). */
struct client_call {
	struct weir_conn *conn;
	struct weir_call call;
	union weir_attr attr;
};

struct client_input {
	int fd; /* its slot goes into attr's first word; -1: none */
	bool has_fd;
	const union weir_attr *attr;
	struct {
		uint32_t id;
		const void *p;
		size_t bytes;
	} sections[3];
};

static int fail(struct weir_diag *diag, int err, const struct weir_call *call)
{
	const char *text = NULL;
	int bytes = 0;

	if (call) {
		text = (const char *)call->sections.s[WEIR_SEC_TEXT].p;
		bytes = (int)call->sections.s[WEIR_SEC_TEXT].bytes;
	}
	if (text && bytes)
		return weir_fail(diag, err, "%.*s", bytes, text);
	return weir_fail(diag, err, "%s", strerror(-err));
}

static int call_once(uint32_t cmd, const struct client_input *in, struct client_call *c)
{
	uint32_t slot;
	int err;

	memset(c, 0, sizeof(*c));
	err = weir_conn_get(&c->conn);
	if (err)
		return err;
	c->conn->body.len = 0;
	c->conn->body.failed = false;
	if (in->attr)
		c->attr = *in->attr;
	if (in->has_fd) {
		err = weir_conn_slot(c->conn, in->fd, &slot);
		if (err)
			return err;
		memcpy(c->attr.bytes, &slot, sizeof(slot));
	}
	for (size_t i = 0; i < 3 && in->sections[i].id; i++)
		weir_buf_section(&c->conn->body, in->sections[i].id, in->sections[i].p,
				 in->sections[i].bytes);
	c->call = (struct weir_call){
		.cmd = cmd, .attr = c->attr.bytes, .attr_bytes = sizeof(c->attr), .fd = -1};
	err = weir_conn_call(c->conn, &c->call);
	if (!err && c->call.reply_fd >= 0)
		close(c->call.reply_fd);
	return err;
}

static int client_call(uint32_t cmd, const struct client_input *in, struct client_call *c,
		       struct weir_diag *diag)
{
	int err = call_once(cmd, in, c);

	if (err == -EPIPE)
		err = call_once(cmd, in, c);
	if (err)
		return fail(diag, err == -EPIPE ? -ECONNRESET : err, NULL);
	return c->call.result < 0 ? fail(diag, c->call.result, &c->call) : 0;
}

int weir_client_set_socket(const char *path)
{
	return weir_conn_set_path(path);
}

int weir_client_hello(struct weir_attr_hello *out, struct weir_diag *diag)
{
	struct weir_conn *conn;
	int err = weir_conn_get(&conn);

	if (err)
		return fail(diag, err, NULL);
	*out = conn->hello;
	return 0;
}

const char *weir_client_bpf_error(void)
{
	struct weir_conn *conn;

	return weir_conn_get(&conn) ? "" : conn->error;
}

int weir_client_describe(int fd, struct weir_object_desc *out, struct weir_diag *diag)
{
	const struct weir_object_desc *desc;
	struct weir_conn *conn;
	uint32_t slot;
	int err = weir_conn_get(&conn);

	if (!err)
		err = weir_conn_slot(conn, fd, &slot);
	if (!err && slot >= WEIR_SLOT_STALE)
		err = slot == WEIR_SLOT_BADF ? -EBADF : slot == WEIR_SLOT_STALE ? -ESTALE : -EINVAL;
	if (err)
		return fail(diag, err, NULL);
	desc = weir_conn_desc(conn, slot);
	if (!desc)
		return fail(diag, -EINVAL, NULL);
	*out = *desc;
	return 0;
}

/* One list: records of rec_bytes each, of all pages. */
static int client_list(uint32_t cmd, const char *port, size_t rec_bytes, void **out,
		       uint32_t *count, struct weir_diag *diag)
{
	struct weir_buf all = {0};
	union weir_attr attr = {0};

	do {
		struct client_input in = {.attr = &attr};
		struct client_call c;
		size_t bytes;
		int err;

		if (port) {
			in.sections[0].id = WEIR_SEC_PORT;
			in.sections[0].p = port;
			in.sections[0].bytes = strlen(port);
		}
		err = client_call(cmd, &in, &c, diag);
		if (err) {
			weir_buf_free(&all);
			return err;
		}
		bytes = c.call.sections.s[WEIR_SEC_RECS].bytes;
		if (bytes % rec_bytes) {
			weir_buf_free(&all);
			return weir_fail(diag, -EPROTO, "weird has another version: restart it");
		}
		weir_buf_append(&all, c.call.sections.s[WEIR_SEC_RECS].p, bytes);
		/* The reply's first_id is where the next page starts; 0 after the last. */
		attr.list.first_id = c.call.reply.list.first_id;
	} while (attr.list.first_id);
	if (!weir_buf_reserve(&all, 1)) {
		weir_buf_free(&all);
		return fail(diag, -ENOMEM, NULL);
	}
	*out = all.p;
	*count = (uint32_t)(all.len / rec_bytes);
	return 0;
}

int weir_client_status(struct weir_status_rec *out, struct weir_diag *diag)
{
	struct client_input in = {0};
	struct client_call c;
	int err = client_call(WEIR_CMD_STATUS, &in, &c, diag);

	if (err)
		return err;
	if (c.call.sections.s[WEIR_SEC_RECS].bytes != sizeof(*out))
		return weir_fail(diag, -EPROTO, "weird has another version: restart it");
	memcpy(out, c.call.sections.s[WEIR_SEC_RECS].p, sizeof(*out));
	return 0;
}

#define DEFINE_LIST(fn, cmd, rec)                                                             \
	int fn(struct rec **out, uint32_t *count, struct weir_diag *diag)                     \
	{                                                                                     \
		return client_list(cmd, NULL, sizeof(struct rec), (void **)out, count, diag); \
	}
#define DEFINE_PORT_LIST(fn, cmd, rec)                                                        \
	int fn(const char *port, struct rec **out, uint32_t *count, struct weir_diag *diag)   \
	{                                                                                     \
		return client_list(cmd, port, sizeof(struct rec), (void **)out, count, diag); \
	}
DEFINE_LIST(weir_client_workers, WEIR_CMD_WORKER_LIST, weir_worker_rec)
DEFINE_LIST(weir_client_attachments, WEIR_CMD_ATTACH_LIST, weir_attach_rec)
DEFINE_LIST(weir_client_progs, WEIR_CMD_PROG_LIST, weir_prog_rec)
DEFINE_LIST(weir_client_maps, WEIR_CMD_MAP_LIST, weir_map_rec)
DEFINE_LIST(weir_client_links, WEIR_CMD_LINK_LIST, weir_link_rec)
DEFINE_LIST(weir_client_pins, WEIR_CMD_PIN_LIST, weir_pin_rec)
DEFINE_PORT_LIST(weir_client_ports, WEIR_CMD_PORT_LIST, weir_port_rec)
DEFINE_PORT_LIST(weir_client_port_stats, WEIR_CMD_PORT_STATS, weir_port_stats_rec)
DEFINE_PORT_LIST(weir_client_port_drops, WEIR_CMD_PORT_DROPS, weir_drop_rec)

int weir_client_attach(const struct weir_client_attach *spec, uint32_t *old_id,
		       struct weir_diag *diag)
{
	union weir_attr attr = {.attach = {.hook = spec->hook,
					   .priority = spec->priority,
					   .expected_id = spec->expected_id,
					   .queues = spec->queues,
					   .flags = spec->flags}};
	struct client_input in = {
		.fd = spec->prog_fd,
		.has_fd = true,
		.attr = &attr,
		.sections = {{WEIR_SEC_PORT, spec->port, strlen(spec->port)}},
	};
	struct client_call c;
	int err = client_call(WEIR_CMD_ATTACH, &in, &c, diag);

	if (!err && old_id)
		*old_id = c.call.reply.attach.old_id;
	return err;
}

int weir_client_prog_set_origin(int prog_fd, const struct weir_origin_rec *origin,
				struct weir_diag *diag)
{
	struct client_input in = {.fd = prog_fd,
				  .has_fd = true,
				  .sections = {{WEIR_SEC_RECS, origin, sizeof(*origin)}}};
	struct client_call c;

	return client_call(WEIR_CMD_PROG_META, &in, &c, diag);
}

int weir_client_unpin(const char *path, struct weir_diag *diag)
{
	struct client_input in = {.sections = {{WEIR_SEC_PATH, path, strlen(path)}}};
	struct client_call c;

	return client_call(WEIR_CMD_UNPIN, &in, &c, diag);
}

int weir_client_map_lookup(int map_fd, const void *key, int cpu, void *value, size_t value_bytes,
			   struct weir_diag *diag)
{
	union weir_attr attr = {.elem = {.cpu = cpu}};
	struct client_input in = {.fd = map_fd, .has_fd = true, .attr = &attr};
	struct weir_object_desc desc;
	struct client_call c;
	int err = weir_client_describe(map_fd, &desc, diag);

	if (err)
		return err;
	in.sections[0].id = WEIR_SEC_KEY;
	in.sections[0].p = key;
	in.sections[0].bytes = desc.key_size;
	err = client_call(WEIR_CMD_MAP_LOOKUP, &in, &c, diag);
	if (err)
		return err;
	if (c.call.sections.s[WEIR_SEC_VALUE].bytes != value_bytes)
		return weir_fail(diag, -EINVAL, "the value has %u bytes, not %zu",
				 c.call.sections.s[WEIR_SEC_VALUE].bytes, value_bytes);
	memcpy(value, c.call.sections.s[WEIR_SEC_VALUE].p, value_bytes);
	return 0;
}

int weir_client_map_update(int map_fd, const void *key, int cpu, const void *value,
			   size_t value_bytes, uint64_t flags, struct weir_diag *diag)
{
	union weir_attr attr = {.elem = {.cpu = cpu, .flags = flags}};
	struct client_input in = {.fd = map_fd, .has_fd = true, .attr = &attr};
	struct weir_object_desc desc;
	struct client_call c;
	int err = weir_client_describe(map_fd, &desc, diag);

	if (err)
		return err;
	in.sections[0].id = WEIR_SEC_KEY;
	in.sections[0].p = key;
	in.sections[0].bytes = desc.key_size;
	in.sections[1].id = WEIR_SEC_VALUE;
	in.sections[1].p = value;
	in.sections[1].bytes = value_bytes;
	return client_call(WEIR_CMD_MAP_UPDATE, &in, &c, diag);
}

int weir_client_map_page(int map_fd, const void *after_key, struct weir_client_page *out,
			 struct weir_diag *diag)
{
	union weir_attr attr = {.dump = {.max_elems = UINT32_MAX}};
	struct client_input in = {.fd = map_fd, .has_fd = true, .attr = &attr};
	struct weir_object_desc desc;
	struct client_call c;
	const uint8_t *last;
	size_t bytes;
	uint8_t *copy;
	int err = weir_client_describe(map_fd, &desc, diag);

	if (err)
		return err;
	if (after_key) {
		in.sections[0].id = WEIR_SEC_KEY;
		in.sections[0].p = after_key;
		in.sections[0].bytes = desc.key_size;
	}
	err = client_call(WEIR_CMD_MAP_DUMP, &in, &c, diag);
	if (err)
		return err;
	bytes = c.call.sections.s[WEIR_SEC_VALUE].bytes;
	if (bytes != (size_t)c.call.reply.dump.elems *
			     (desc.key_size + (size_t)c.call.reply.dump.value_bytes))
		return fail(diag, -EPROTO, NULL);
	last = c.call.sections.s[WEIR_SEC_NEXT_KEY].p;
	if (last ? c.call.sections.s[WEIR_SEC_NEXT_KEY].bytes != desc.key_size
		 : !c.call.reply.dump.done)
		return fail(diag, -EPROTO, NULL);
	copy = malloc(bytes + desc.key_size + 1);
	if (!copy)
		return fail(diag, -ENOMEM, NULL);
	if (bytes)
		memcpy(copy, c.call.sections.s[WEIR_SEC_VALUE].p, bytes);
	if (last)
		memcpy(copy + bytes, last, desc.key_size);
	out->bytes = copy;
	out->last_key = last ? copy + bytes : NULL;
	out->elems = c.call.reply.dump.elems;
	out->key_bytes = desc.key_size;
	out->value_bytes = c.call.reply.dump.value_bytes;
	out->done = c.call.reply.dump.done;
	return 0;
}

int weir_client_trace(uint64_t *cursor, char **text, uint64_t *lost, struct weir_diag *diag)
{
	union weir_attr attr = {.trace = {.cursor = *cursor}};
	struct client_input in = {.attr = &attr};
	struct client_call c;
	const char *lines;
	char *copy;
	int err = client_call(WEIR_CMD_TRACE, &in, &c, diag);

	if (err)
		return err;
	lines = (const char *)c.call.sections.s[WEIR_SEC_TEXT].p;
	copy = strndup(lines ? lines : "", c.call.sections.s[WEIR_SEC_TEXT].bytes);
	if (!copy)
		return fail(diag, -ENOMEM, NULL);
	*text = copy;
	*cursor = c.call.reply.trace.cursor;
	if (lost)
		*lost = c.call.reply.trace.lost;
	return 0;
}
