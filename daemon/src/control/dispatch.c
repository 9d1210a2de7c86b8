/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A complete message → its handler. What holds for every command is checked here, by the command
 * table: Linux's rules for attr, sections that make sense, and the role.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

static const struct handler {
	uint32_t cmd;
	weir_handler_fn fn;
	bool hot; /* cannot tell whether a token was closed a moment ago */
} handlers[] = {
	{BPF_MAP_LOOKUP_ELEM, weir_cmd_map_lookup, true},
	{BPF_MAP_UPDATE_ELEM, weir_cmd_map_update, true},
	{BPF_MAP_DELETE_ELEM, weir_cmd_map_delete, true},
	{BPF_MAP_GET_NEXT_KEY, weir_cmd_map_next_key, true},
	{BPF_MAP_CREATE, weir_cmd_map_create},
	{BPF_MAP_FREEZE, weir_cmd_map_freeze},
	{BPF_PROG_LOAD, weir_cmd_prog_load},
	{BPF_BTF_LOAD, weir_cmd_btf_load},
	{BPF_PROG_TEST_RUN, weir_cmd_test_run},
	{BPF_OBJ_PIN, weir_cmd_obj_pin},
	{BPF_OBJ_GET, weir_cmd_obj_get},
	{BPF_LINK_CREATE, weir_cmd_link_create},
	{BPF_LINK_DETACH, weir_cmd_link_detach},
	{BPF_OBJ_GET_INFO_BY_FD, weir_cmd_info},
	{BPF_PROG_GET_NEXT_ID, weir_cmd_next_id},
	{BPF_MAP_GET_NEXT_ID, weir_cmd_next_id},
	{BPF_BTF_GET_NEXT_ID, weir_cmd_next_id},
	{BPF_LINK_GET_NEXT_ID, weir_cmd_next_id},
	{BPF_PROG_GET_FD_BY_ID, weir_cmd_fd_by_id},
	{BPF_MAP_GET_FD_BY_ID, weir_cmd_fd_by_id},
	{BPF_BTF_GET_FD_BY_ID, weir_cmd_fd_by_id},
	{BPF_LINK_GET_FD_BY_ID, weir_cmd_fd_by_id},
	{WEIR_CMD_BIND, weir_token_bind, true},
	{WEIR_CMD_STATUS, weir_cmd_status},
	{WEIR_CMD_WORKER_LIST, weir_cmd_list},
	{WEIR_CMD_PORT_LIST, weir_cmd_port_list},
	{WEIR_CMD_PORT_STATS, weir_cmd_port_list},
	{WEIR_CMD_PORT_DROPS, weir_cmd_port_list},
	{WEIR_CMD_ATTACH, weir_cmd_attach},
	{WEIR_CMD_ATTACH_LIST, weir_cmd_list},
	{WEIR_CMD_PROG_META, weir_cmd_prog_meta},
	{WEIR_CMD_PROG_LIST, weir_cmd_list},
	{WEIR_CMD_MAP_LIST, weir_cmd_list},
	{WEIR_CMD_LINK_LIST, weir_cmd_list},
	{WEIR_CMD_PIN_LIST, weir_cmd_list},
	{WEIR_CMD_UNPIN, weir_cmd_unpin},
	{WEIR_CMD_MAP_LOOKUP, weir_cmd_slot_lookup, true},
	{WEIR_CMD_MAP_UPDATE, weir_cmd_slot_update, true},
	{WEIR_CMD_MAP_DUMP, weir_cmd_map_dump},
	{WEIR_CMD_TRACE, weir_cmd_trace},
};

static const struct handler *handler_find(uint32_t cmd)
{
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (handlers[i].cmd == cmd)
			return &handlers[i];
	return NULL;
}

static int request_check(struct request *rq, const struct weir_msg *msg, const uint8_t *rest)
{
	struct client *client = rq->conn->client;
	int err;

	memset(&rq->attr, 0, sizeof(rq->attr));
	rq->command = weir_command_find(msg->cmd);
	err = weir_sections_parse(rest + weir_pad8(msg->attr_bytes), msg->body_bytes, &rq->in);
	if (err)
		return err;
	err = weir_attr_copy(rest, msg->attr_bytes, &rq->attr);
	if (err)
		return err;
	rq->attr_bytes = msg->attr_bytes;
	if (!rq->command)
		return -EINVAL;
	err = weir_attr_check_end(&rq->attr, rq->command->attr_end);
	if (err)
		return err;
	if (!(client->role & rq->command->role)) {
		weir_denied(rq->conn->control, client, rq->command->name);
		return weir_fail(&rq->diag, -EPERM, "%s: needs the role admin", rq->command->name);
	}
	return 0;
}

void weir_request_dispatch(struct conn *conn)
{
	struct request *rq = &conn->rq;
	const struct handler *h = NULL;
	struct weir_msg msg;
	int result;

	memcpy(&msg, conn->in.p, sizeof(msg));
	rq->conn = conn;
	rq->reply_fd = -1;
	rq->out.len = 0;
	rq->out.failed = false;
	weir_diag_init(&rq->diag, rq->text, sizeof(rq->text));
	result = request_check(rq, &msg, conn->in.p + sizeof(msg));
	if (result == -EPROTO) {
		weir_denied(conn->control, conn->client, "a request whose sections are damaged");
		weir_conn_close(conn, "damaged request");
		return;
	}
	if (!result) {
		h = handler_find(msg.cmd);
		/* What a client closed before it sent this must be gone when it looks. */
		if (h && !h->hot)
			weir_token_reap(conn->control);
		result = h ? h->fn(rq) : -EINVAL;
	}
	if (result != REQUEST_ASYNC)
		weir_request_finish(conn, result);
}
