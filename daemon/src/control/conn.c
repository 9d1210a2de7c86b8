/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection: bytes in, one request at a time, bytes out. While a request is being worked on or
 * its reply waits for a slow reader, nothing more is read, so what a client can make weird hold is
 * one request and one reply a connection, within the client's limit of bytes in flight.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

#define READ_CHUNK_BYTES (128U << 10) /* of one event: keeps a step short */
#define FREE_BYTES       (64U << 10)  /* small messages are not charged */
#define BUF_KEEP_BYTES   (64U << 10)

static void conn_want(struct conn *conn, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = conn};

	if (events == conn->events)
		return;
	epoll_ctl(conn->control->epfd, EPOLL_CTL_MOD, conn->fd, &ev);
	conn->events = events;
}

static void conn_update(struct conn *conn)
{
	if (conn->out.len > conn->out_sent)
		conn_want(conn, EPOLLOUT);
	else if (conn->job || conn->paused)
		conn_want(conn, 0); /* a hang-up is reported all the same */
	else
		conn_want(conn, EPOLLIN);
}

static void conn_uncharge(struct conn *conn)
{
	struct conn *other;

	if (!conn->charged_bytes)
		return;
	conn->client->user->bytes_in_flight -= conn->charged_bytes;
	conn->charged_bytes = 0;
	for (other = conn->control->conns; other; other = other->next)
		if (other->paused && other->client->user == conn->client->user) {
			other->paused = false;
			conn_update(other);
		}
}

void weir_conn_close(struct conn *conn, const char *why)
{
	struct weir_control *c = conn->control;

	if (conn->source.dead)
		return;
	if (why)
		weir_log_debug("connection closed pid=%d reason=\"%s\"", (int)conn->client->pid,
			       why);
	if (conn->job) {
		__atomic_store_n(&conn->job->cancel, true, __ATOMIC_RELAXED);
		conn->job->conn = NULL;
	}
	weir_token_unbind_all(conn);
	if (conn->rq.reply_fd >= 0)
		close(conn->rq.reply_fd);
	if (conn->out_fd >= 0)
		close(conn->out_fd);
	if (conn->in_fd >= 0)
		close(conn->in_fd);
	close(conn->fd);
	*conn->at = conn->next;
	if (conn->next)
		conn->next->at = conn->at;
	conn_uncharge(conn);
	weir_buf_free(&conn->in);
	weir_buf_free(&conn->out);
	weir_buf_free(&conn->rq.out);
	c->conn_count--;
	conn->client->user->connections--;
	weir_client_put(c, conn->client);
	conn->source.dead = true;
	conn->source.next_dead = c->dead;
	c->dead = &conn->source;
}

static void conn_send(struct conn *conn)
{
	while (conn->out_sent < conn->out.len) {
		union {
			char buf[CMSG_SPACE(sizeof(int))];
			struct cmsghdr align;
		} control = {0};
		struct iovec iov = {conn->out.p + conn->out_sent, conn->out.len - conn->out_sent};
		struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n;

		if (iov.iov_len > READ_CHUNK_BYTES)
			iov.iov_len = READ_CHUNK_BYTES;
		if (conn->out_fd >= 0) {
			struct cmsghdr *cm = &control.align;

			cm->cmsg_level = SOL_SOCKET;
			cm->cmsg_type = SCM_RIGHTS;
			cm->cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(cm), &conn->out_fd, sizeof(int));
			mh.msg_control = control.buf;
			mh.msg_controllen = sizeof(control.buf);
		}
		n = sendmsg(conn->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)) {
			conn_update(conn);
			return;
		}
		if (n < 0) {
			weir_conn_close(conn, "peer is gone");
			return;
		}
		conn->out_sent += (size_t)n;
		if (conn->out_fd >= 0) {
			close(conn->out_fd);
			conn->out_fd = -1;
		}
		/* One chunk a step: the rest when the socket says so again. */
		if (conn->out_sent < conn->out.len && n >= (ssize_t)READ_CHUNK_BYTES) {
			conn_update(conn);
			return;
		}
	}
	if (conn->closing) {
		weir_conn_close(conn, "refused");
		return;
	}
	conn->out.len = conn->out_sent = 0;
	if (conn->out.cap > BUF_KEEP_BYTES)
		weir_buf_free(&conn->out);
	conn->since_ns = 0;
	conn_uncharge(conn);
	conn_update(conn);
}

static void reply_build(struct conn *conn, uint32_t cmd, uint32_t serial, int32_t result,
			const union weir_attr *attr, const struct weir_buf *body, int fd)
{
	struct weir_msg msg = {.magic = WEIR_PROTO_MAGIC,
			       .version = WEIR_PROTO_VERSION,
			       .flags = WEIR_MSG_REPLY,
			       .serial = serial,
			       .cmd = cmd,
			       .result = result,
			       .attr_bytes = sizeof(*attr),
			       .body_bytes = body ? (uint32_t)body->len : 0,
			       .fd_count = fd >= 0};

	conn->out.len = conn->out_sent = 0;
	conn->out.failed = false;
	weir_buf_append(&conn->out, &msg, sizeof(msg));
	weir_buf_append(&conn->out, attr, sizeof(*attr));
	if (body && body->len)
		weir_buf_append(&conn->out, body->p, body->len);
	conn->out_fd = fd;
}

void weir_request_finish(struct conn *conn, int32_t result)
{
	struct request *rq = &conn->rq;
	struct weir_msg msg;
	int fd = rq->reply_fd;

	rq->reply_fd = -1;
	memcpy(&msg, conn->in.p, sizeof(msg));
	if (result < 0 && rq->diag.len_bytes)
		weir_buf_section(&rq->out, WEIR_SEC_TEXT, rq->text, rq->diag.len_bytes);
	if (rq->out.failed && result >= 0)
		result = -ENOMEM;
	if (result < 0 && fd >= 0) {
		close(fd);
		fd = -1;
	}
	reply_build(conn, msg.cmd, msg.serial, result, &rq->attr, rq->out.failed ? NULL : &rq->out,
		    fd);
	rq->out.len = 0;
	rq->out.failed = false;
	if (rq->out.cap > BUF_KEEP_BYTES)
		weir_buf_free(&rq->out);
	conn->in.len = 0;
	if (conn->in.cap > BUF_KEEP_BYTES)
		weir_buf_free(&conn->in);
	if (conn->in_fd >= 0)
		close(conn->in_fd);
	conn->in_fd = -1;
	conn->have_header = false;
	conn->need = sizeof(struct weir_msg);
	if (conn->out.failed) {
		weir_conn_close(conn, "out of memory");
		return;
	}
	conn->since_ns = weir_clock_ns();
	conn_send(conn);
}

static void take_fds(struct conn *conn, struct msghdr *mh)
{
	struct cmsghdr *cm;

	for (cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		size_t n;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
			if (conn->in_fd < 0)
				conn->in_fd = fd;
			else
				close(fd);
		}
	}
}

/* The header is complete: 0 go on, 1 wait, -errno. */
static int header_accept(struct conn *conn)
{
	struct weir_msg msg;
	struct user *user = conn->client->user;
	uint64_t bytes;
	int err;

	memcpy(&msg, conn->in.p, sizeof(msg));
	err = weir_msg_check(&msg, false);
	if (err)
		return err;
	bytes = weir_msg_rest_bytes(&msg);
	if (bytes > FREE_BYTES && !conn->charged_bytes) {
		uint64_t room = conn->control->limits.bytes_in_flight;

		/* A single message always fits, or it could never be sent. */
		if (user->bytes_in_flight && bytes + user->bytes_in_flight > room) {
			conn->paused = true;
			conn_update(conn);
			return 1;
		}
		conn->charged_bytes = bytes;
		user->bytes_in_flight += bytes;
	}
	conn->have_header = true;
	conn->need = sizeof(msg) + bytes;
	return 0;
}

/* Reads towards conn->need. 1: complete; 0: not yet; -errno: close. */
static int conn_read(struct conn *conn)
{
	union {
		char buf[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	size_t budget = READ_CHUNK_BYTES;

	for (;;) {
		size_t want = conn->need - conn->in.len;
		struct iovec iov;
		struct msghdr mh = {.msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control.buf,
				    .msg_controllen = sizeof(control.buf)};
		ssize_t n;
		int err;

		if (!want && conn->have_header)
			return 1;
		if (!want) {
			err = header_accept(conn);
			if (err)
				return err < 0 ? err : 0;
			continue;
		}
		if (!budget)
			return 0;
		/* Room follows what came, not what was announced. */
		want = weir_min(want, budget);
		iov.iov_base = weir_buf_reserve(&conn->in, want);
		if (!iov.iov_base)
			return -ENOMEM;
		iov.iov_len = want;
		n = recvmsg(conn->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (!n)
			return -ECONNRESET;
		take_fds(conn, &mh);
		if (!conn->since_ns)
			conn->since_ns = weir_clock_ns();
		conn->in.len += (size_t)n;
		budget -= (size_t)n;
	}
}

void weir_conn_event(struct conn *conn, uint32_t events)
{
	int err;

	if (conn->source.dead)
		return;
	if (conn->out.len > conn->out_sent && (events & EPOLLOUT)) {
		conn_send(conn);
		return;
	}
	if (events & (EPOLLHUP | EPOLLERR)) {
		weir_conn_close(conn, "hang-up");
		return;
	}
	if (!(events & EPOLLIN) || conn->job || conn->out.len > conn->out_sent)
		return;
	err = conn_read(conn);
	if (err == 1) {
		conn->since_ns = 0;
		weir_request_dispatch(conn);
		if (!conn->source.dead)
			conn_update(conn);
		return;
	}
	if (err == -EPROTO || err == -EMSGSIZE)
		weir_denied(conn->control, conn->client,
			    err == -EPROTO ? "a message that is no request"
					   : "a message longer than allowed");
	if (err < 0)
		weir_conn_close(conn, strerror(-err));
}

void weir_conn_timeouts(struct weir_control *c, uint64_t now_ns)
{
	struct conn *conn, *next;

	for (conn = c->conns; conn; conn = next) {
		next = conn->next;
		if (!conn->since_ns || conn->job ||
		    now_ns - conn->since_ns < c->limits.message_timeout_ns)
			continue;
		weir_denied(c, conn->client,
			    conn->out.len > conn->out_sent ? "a reply it did not read in time"
							   : "a message it did not finish in time");
		weir_conn_close(conn, "time-out");
	}
}

/* Takes fd. */
static int conn_new(struct weir_control *c, struct client *client, int fd, struct conn **out)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return -ENOMEM;
	ev.data.ptr = conn;
	if (epoll_ctl(c->epfd, EPOLL_CTL_ADD, fd, &ev)) {
		free(conn);
		return -ENOMEM;
	}
	conn->source.kind = SOURCE_CONN;
	conn->control = c;
	conn->client = client;
	conn->fd = fd;
	conn->events = EPOLLIN;
	conn->need = sizeof(struct weir_msg);
	conn->in_fd = conn->out_fd = conn->rq.reply_fd = -1;
	conn->next = c->conns;
	conn->at = &c->conns;
	if (conn->next)
		conn->next->at = &conn->next;
	c->conns = conn;
	c->conn_count++;
	client->user->connections++;
	client->refs++;
	*out = conn;
	return 0;
}

static void conn_hello(struct conn *conn, int32_t result)
{
	union weir_attr attr = {0};

	attr.hello.role = conn->client->role;
	attr.hello.possible_cpus = conn->control->possible_cpus;
	attr.hello.slots = conn->control->slots;
	conn->closing = result < 0;
	reply_build(conn, WEIR_CMD_HELLO, 0, result, &attr, NULL, -1);
	conn_send(conn);
}

static uint32_t role_of(const struct weir_control *c, const struct ucred *cred, int fd)
{
	gid_t groups[256];
	socklen_t len = sizeof(groups);

	if (cred->uid == 0 || cred->uid == geteuid())
		return WEIR_ROLE_BIT_READ | WEIR_ROLE_BIT_ADMIN;
	if (!c->has_read_gid)
		return 0;
	if (cred->gid == c->read_gid)
		return WEIR_ROLE_BIT_READ;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
		return 0;
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		if (groups[i] == c->read_gid)
			return WEIR_ROLE_BIT_READ;
	return 0;
}

static void read_comm(pid_t pid, char comm[16])
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	strcpy(comm, "?");
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(comm, 16, f))
		comm[strcspn(comm, "\n")] = '\0';
	fclose(f);
}

static struct user *user_get(struct weir_control *c, uint32_t uid)
{
	struct user *u;

	for (u = c->users; u; u = u->next)
		if (u->uid == uid) {
			u->refs++;
			return u;
		}
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->uid = uid;
	u->refs = 1;
	u->next = c->users;
	c->users = u;
	return u;
}

static void user_put(struct weir_control *c, struct user *user)
{
	struct user **at = &c->users;

	if (--user->refs)
		return;
	while (*at != user)
		at = &(*at)->next;
	*at = user->next;
	free(user);
}

static int client_get(struct weir_control *c, const struct ucred *cred, uint32_t role,
		      struct client **out)
{
	struct client *cl;

	for (cl = c->clients; cl; cl = cl->next)
		if (cl->uid == cred->uid && cl->pid == cred->pid && cl->role == role) {
			cl->refs++;
			*out = cl;
			return 0;
		}
	cl = calloc(1, sizeof(*cl));
	if (cl)
		cl->user = user_get(c, cred->uid);
	if (!cl || !cl->user) {
		free(cl);
		return -ENOMEM;
	}
	cl->uid = cred->uid;
	cl->gid = cred->gid;
	cl->pid = cred->pid;
	cl->role = role;
	cl->refs = 1;
	read_comm(cred->pid, cl->comm);
	cl->next = c->clients;
	c->clients = cl;
	c->client_count++;
	*out = cl;
	return 0;
}

void weir_client_put(struct weir_control *c, struct client *client)
{
	struct client **at = &c->clients;

	if (--client->refs)
		return;
	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	c->client_count--;
	user_put(c, client->user);
	free(client);
}

void weir_denied(struct weir_control *c, struct client *client, const char *what)
{
	uint32_t suppressed;

	c->denied++;
	if (!weir_log_limit_pass(&client->denials, weir_clock_ns(), 5, 10000000000ULL, &suppressed))
		return;
	weir_log_warning("refused %s uid=%u pid=%d comm=\"%s\" suppressed=%u", what, client->uid,
			 (int)client->pid, client->comm, suppressed);
}

/* Accepts one connection. 0, or -EAGAIN when there is none. */
int weir_conn_accept(struct weir_control *c)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	struct client *client;
	struct conn *conn;
	int32_t verdict = 0;
	uint32_t role;
	int fd;

	fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR ? 0 : -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)) {
		close(fd);
		return 0;
	}
	role = role_of(c, &cred, fd);
	if (client_get(c, &cred, role, &client)) {
		close(fd);
		return 0;
	}
	if (!role) {
		weir_denied(c, client, "a connection: neither root nor in the group that may read");
		verdict = -EPERM;
	} else if (client->user->connections >= c->limits.connections ||
		   c->conn_count >= (role & WEIR_ROLE_BIT_ADMIN
					     ? c->limits.connections_total
					     : c->limits.connections_total / 2)) {
		/* Readers never take what an admin needs to look after things. */
		weir_denied(c, client, "a connection: too many are open");
		verdict = -EUSERS;
	}
	if (conn_new(c, client, fd, &conn))
		close(fd);
	else
		conn_hello(conn, verdict);
	weir_client_put(c, client);
	return 0;
}
