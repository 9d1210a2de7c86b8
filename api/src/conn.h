/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread's own connection to weird, and the tokens it has bound there.
 *
 * Every thread that calls libweir has one connection, so replies cannot be taken by another
 * thread; a child process makes its own. The descriptor may be closed under us (a program that
 * closes all descriptors), or its number reused: its socket cookie is compared before each use.
 */
#ifndef WEIR_API_SRC_CONN_H
#define WEIR_API_SRC_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "weir/api/codec.h"
#include "weir/api/protocol.h"

struct weir_bound {
	uint64_t cookie; /* of the token; 0: the slot is free */
	struct weir_object_desc desc;
};

struct weir_conn {
	int fd;
	uint64_t cookie; /* of fd */
	pid_t pid;       /* that made the connection */
	uint32_t serial;
	struct weir_attr_hello hello;
	struct weir_bound *bound; /* by slot */
	uint32_t bound_cap;
	uint32_t *slot_of_fd; /* a hint: the slot a descriptor number had last */
	uint32_t slot_of_fd_cap;
	struct weir_buf in;
	struct weir_buf body;   /* of the request being built; callers reset it */
	char error[512];        /* weird's text on the last bpf(2) call that failed */
	struct weir_conn *next; /* list of the process's connections */
};

struct weir_call {
	uint32_t cmd;
	const void *attr;
	uint32_t attr_bytes;
	int fd; /* passed with the request; -1: none */
	/* Reply; sections are valid until the connection's next call. */
	int32_t result;
	union weir_attr reply;
	struct weir_sections sections;
	int reply_fd; /* owned by the caller; -1: none */
};

/* The calling thread's connection, made if need be. 0 or -errno. */
int weir_conn_get(struct weir_conn **out);
/*
 * Sends the call with conn->body and waits for the reply. 0 (the outcome is call->result), or:
 * -EPIPE: nothing of it reached weird, the caller may start over on a new connection;
 * -ECONNRESET: weird went away in the middle; -EPROTO; -ENOMEM. Then the connection is closed.
 */
int weir_conn_call(struct weir_conn *conn, struct weir_call *call);
/* The connection's slot of an object descriptor, bound if need be; WEIR_SLOT_BADF and its kin
 * where it is none. 0, or what weir_conn_call() says. Uses conn->body's end only. */
int weir_conn_slot(struct weir_conn *conn, int fd, uint32_t *slot);
/* What is known of a bound slot, or NULL. */
const struct weir_object_desc *weir_conn_desc(const struct weir_conn *conn, uint32_t slot);
/* Remembers a token that a reply brought. */
int weir_conn_remember(struct weir_conn *conn, int fd, const struct weir_object_desc *desc);
void weir_conn_set_error(struct weir_conn *conn, const struct weir_call *call);
/* Overrides $WEIR_SOCKET for the process (NULL: no more). For connections made later. */
int weir_conn_set_path(const char *path);

/* Memory of the caller of bpf(2), which may be no memory: as many bytes as could be copied. */
size_t weir_user_read(void *to, uint64_t from, size_t bytes);
size_t weir_user_write(uint64_t to, const void *from, size_t bytes);

#endif
