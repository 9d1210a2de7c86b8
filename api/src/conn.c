/* SPDX-License-Identifier: BSD-3-Clause */
#include "conn.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IN_KEEP_BYTES (1U << 20) /* a larger buffer is given back after its reply */

/* The list and the path; every fork takes it, so that a child finds it consistent. */
static pthread_mutex_t conns_lock = PTHREAD_MUTEX_INITIALIZER;
static struct weir_conn *conns;
static char *path_override;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t conn_key;
static __thread struct weir_conn *mine __attribute__((tls_model("initial-exec")));

static int cookie_of(int fd, uint64_t *cookie)
{
	socklen_t len = sizeof(*cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &len) ? -errno : 0;
}

static void conn_close(struct weir_conn *conn)
{
	uint64_t cookie;

	/* Whoever reused our descriptor's number keeps it. */
	if (conn->fd >= 0 && !cookie_of(conn->fd, &cookie) && cookie == conn->cookie)
		close(conn->fd);
	conn->fd = -1;
	free(conn->bound);
	conn->bound = NULL;
	conn->bound_cap = 0;
}

static void conn_free(struct weir_conn *conn)
{
	conn_close(conn);
	free(conn->slot_of_fd);
	weir_buf_free(&conn->in);
	weir_buf_free(&conn->body);
	free(conn);
}

static void fork_prepare(void)
{
	pthread_mutex_lock(&conns_lock);
}

static void fork_parent(void)
{
	pthread_mutex_unlock(&conns_lock);
}

/* The parent's connections are not ours: as long as we hold them, weird sees no end of them. */
static void fork_child(void)
{
	struct weir_conn *c = conns, *next;

	for (; c; c = next) {
		next = c->next;
		if (c == mine)
			conn_close(c);
		else
			conn_free(c);
	}
	conns = mine;
	if (mine)
		mine->next = NULL;
	pthread_mutex_unlock(&conns_lock);
}

static void thread_exit(void *arg)
{
	struct weir_conn *conn = arg, **at;

	pthread_mutex_lock(&conns_lock);
	for (at = &conns; *at; at = &(*at)->next)
		if (*at == conn) {
			*at = conn->next;
			break;
		}
	pthread_mutex_unlock(&conns_lock);
	mine = NULL;
	conn_free(conn);
}

static void init_once(void)
{
	pthread_key_create(&conn_key, thread_exit);
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

int weir_conn_set_path(const char *path)
{
	char *copy = path ? strdup(path) : NULL;

	if (path && !copy)
		return -ENOMEM;
	pthread_mutex_lock(&conns_lock);
	free(path_override);
	path_override = copy;
	pthread_mutex_unlock(&conns_lock);
	return 0;
}

static int socket_address(struct sockaddr_un *addr)
{
	const char *path;
	int err = 0;

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	pthread_mutex_lock(&conns_lock);
	path = path_override ? path_override : getenv("WEIR_SOCKET");
	if (!path || !*path)
		path = WEIR_SOCKET_DEFAULT;
	if (strlen(path) >= sizeof(addr->sun_path))
		err = -ENAMETOOLONG;
	else
		strcpy(addr->sun_path, path);
	pthread_mutex_unlock(&conns_lock);
	return err;
}

/* Closes what a message brought beside the one descriptor that may come. */
static void take_fds(struct msghdr *mh, int *out)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (*out < 0)
				*out = fd;
			else
				close(fd);
		}
	}
}

/* Reads until conn->in holds `need` bytes. 0, -ECONNRESET, -ENOMEM. */
static int read_until(struct weir_conn *conn, size_t need, int *fd)
{
	while (conn->in.len < need) {
		union {
			char buf[CMSG_SPACE(4 * sizeof(int))];
			struct cmsghdr align;
		} control;
		struct iovec iov;
		struct msghdr mh = {.msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control.buf,
				    .msg_controllen = sizeof(control.buf)};
		ssize_t n;

		iov.iov_base = weir_buf_reserve(&conn->in, need - conn->in.len);
		if (!iov.iov_base)
			return -ENOMEM;
		/* Not beyond what was asked for unless it is the first read of a message: one
		 * request has one reply, so what is there belongs to it. */
		iov.iov_len = conn->in.cap - conn->in.len;
		n = recvmsg(conn->fd, &mh, MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -ECONNRESET;
		take_fds(&mh, fd);
		conn->in.len += (size_t)n;
	}
	return 0;
}

/* One message from weird. *fd is what came with it, the caller's also on failure. */
static int read_message(struct weir_conn *conn, struct weir_msg *msg, int *fd)
{
	int err;

	if (conn->in.cap > IN_KEEP_BYTES)
		weir_buf_free(&conn->in);
	conn->in.len = 0;
	conn->in.failed = false;
	if (!weir_buf_reserve(&conn->in, 4096))
		return -ENOMEM;
	err = read_until(conn, sizeof(*msg), fd);
	if (err)
		return err;
	memcpy(msg, conn->in.p, sizeof(*msg));
	err = weir_msg_check(msg, true);
	if (err)
		return -EPROTO;
	err = read_until(conn, sizeof(*msg) + weir_msg_rest_bytes(msg), fd);
	if (err)
		return err;
	if (conn->in.len != sizeof(*msg) + weir_msg_rest_bytes(msg) ||
	    (msg->fd_count == 1) != (*fd >= 0))
		return -EPROTO;
	return 0;
}

static int connect_to(struct weir_conn *conn)
{
	struct sockaddr_un addr;
	struct weir_msg msg;
	union weir_attr hello;
	int fd = -1, err;

	err = socket_address(&addr);
	if (err)
		return err;
	conn->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (conn->fd < 0)
		return -errno;
	err = cookie_of(conn->fd, &conn->cookie);
	if (err)
		return err;
	while (connect(conn->fd, (struct sockaddr *)&addr, sizeof(addr)))
		if (errno != EINTR)
			return errno == EACCES ? -EPERM : -errno;
	conn->pid = getpid();
	err = read_message(conn, &msg, &fd);
	if (fd >= 0)
		close(fd);
	if (err)
		return err;
	if (msg.cmd != WEIR_CMD_HELLO)
		return -EPROTO;
	if (msg.result)
		return msg.result < 0 ? msg.result : -EPROTO;
	err = weir_attr_copy(conn->in.p + sizeof(msg), msg.attr_bytes, &hello);
	if (err)
		return -EPROTO;
	conn->hello = hello.hello;
	return 0;
}

static int conn_new(struct weir_conn **out)
{
	struct weir_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return -ENOMEM;
	conn->fd = -1;
	if (pthread_setspecific(conn_key, conn)) {
		free(conn);
		return -ENOMEM;
	}
	pthread_mutex_lock(&conns_lock);
	conn->next = conns;
	conns = conn;
	mine = conn;
	pthread_mutex_unlock(&conns_lock);
	*out = conn;
	return 0;
}

int weir_conn_get(struct weir_conn **out)
{
	struct weir_conn *conn;
	uint64_t cookie;
	int err;

	pthread_once(&once, init_once);
	conn = mine;
	if (!conn) {
		err = conn_new(&conn);
		if (err)
			return err;
	}
	/* A child of a bare clone() never ran the fork handler. */
	if (conn->fd >= 0 &&
	    (conn->pid != getpid() || cookie_of(conn->fd, &cookie) || cookie != conn->cookie))
		conn_close(conn);
	if (conn->fd < 0) {
		err = connect_to(conn);
		if (err) {
			conn_close(conn);
			return err;
		}
	}
	*out = conn;
	return 0;
}

/* Sends all of iov; *sent tells whether anything left. */
static int send_all(struct weir_conn *conn, struct iovec *iov, int count, int fd, bool *sent)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr mh = {0};

	while (count) {
		ssize_t n;

		mh.msg_iov = iov;
		mh.msg_iovlen = (size_t)count;
		mh.msg_control = NULL;
		mh.msg_controllen = 0;
		if (fd >= 0 && !*sent) {
			struct cmsghdr *c = &control.align;

			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(c), &fd, sizeof(fd));
			mh.msg_control = control.buf;
			mh.msg_controllen = sizeof(control.buf);
		}
		n = sendmsg(conn->fd, &mh, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		*sent = true;
		while (count && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			count--;
		}
		if (count) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static int call_send(struct weir_conn *conn, const struct weir_call *call)
{
	static const uint8_t zeros[8];
	struct weir_msg msg = {.magic = WEIR_PROTO_MAGIC,
			       .version = WEIR_PROTO_VERSION,
			       .serial = ++conn->serial,
			       .cmd = call->cmd,
			       .attr_bytes = call->attr_bytes,
			       .body_bytes = (uint32_t)conn->body.len,
			       .fd_count = call->fd >= 0};
	struct iovec iov[4] = {
		{&msg, sizeof(msg)},
		{(void *)(uintptr_t)call->attr, call->attr_bytes},
		{(void *)(uintptr_t)zeros, weir_pad8(call->attr_bytes) - call->attr_bytes},
		{conn->body.p, conn->body.len},
	};
	bool sent = false;
	int err = send_all(conn, iov, 4, call->fd, &sent);

	/* EBADF: the descriptor to pass was closed since it was looked at. */
	if (err == -EBADF || err == -ENOMEM || err == -ENOBUFS || err == -ETOOMANYREFS)
		return err;
	if (err)
		return sent ? -ECONNRESET : -EPIPE;
	return 0;
}

int weir_conn_call(struct weir_conn *conn, struct weir_call *call)
{
	struct weir_msg msg;
	const uint8_t *attr;
	int err;

	call->reply_fd = -1;
	if (conn->body.failed)
		return -ENOMEM;
	if (conn->body.len > WEIR_BODY_BYTES_MAX)
		return -E2BIG;
	err = call_send(conn, call);
	if (!err)
		err = read_message(conn, &msg, &call->reply_fd);
	if (!err && (msg.serial != conn->serial || msg.cmd != call->cmd))
		err = -EPROTO;
	attr = conn->in.p + sizeof(msg);
	if (!err && (weir_attr_copy(attr, msg.attr_bytes, &call->reply) ||
		     weir_sections_parse(attr + weir_pad8(msg.attr_bytes), msg.body_bytes,
					 &call->sections)))
		err = -EPROTO;
	if (err) {
		if (call->reply_fd >= 0)
			close(call->reply_fd);
		call->reply_fd = -1;
		conn_close(conn);
		return err;
	}
	call->result = msg.result;
	return 0;
}

void weir_conn_set_error(struct weir_conn *conn, const struct weir_call *call)
{
	size_t bytes = call->sections.s[WEIR_SEC_TEXT].bytes;

	if (bytes >= sizeof(conn->error))
		bytes = sizeof(conn->error) - 1;
	if (bytes)
		memcpy(conn->error, call->sections.s[WEIR_SEC_TEXT].p, bytes);
	conn->error[bytes] = '\0';
}

const struct weir_object_desc *weir_conn_desc(const struct weir_conn *conn, uint32_t slot)
{
	if (slot >= conn->bound_cap || !conn->bound[slot].cookie)
		return NULL;
	return &conn->bound[slot].desc;
}

#define SLOT_HINTS_MAX 65536U /* descriptor numbers beyond it are searched for */

static void hint_set(struct weir_conn *conn, int fd, uint32_t slot)
{
	uint32_t cap = conn->slot_of_fd_cap ? conn->slot_of_fd_cap : 64, *hints;

	if ((uint32_t)fd >= SLOT_HINTS_MAX)
		return;
	while (cap <= (uint32_t)fd)
		cap *= 2;
	if (cap != conn->slot_of_fd_cap) {
		hints = realloc(conn->slot_of_fd, cap * sizeof(*hints));
		if (!hints)
			return;
		memset(hints + conn->slot_of_fd_cap, 0,
		       (cap - conn->slot_of_fd_cap) * sizeof(*hints));
		conn->slot_of_fd = hints;
		conn->slot_of_fd_cap = cap;
	}
	conn->slot_of_fd[fd] = slot;
}

static int bound_set(struct weir_conn *conn, uint64_t cookie, const struct weir_object_desc *desc)
{
	uint32_t cap = conn->bound_cap ? conn->bound_cap : 16;
	struct weir_bound *bound;

	if (desc->slot < WEIR_SLOT_FIRST || desc->slot > 1U << 24)
		return -EPROTO;
	while (cap <= desc->slot)
		cap *= 2;
	if (cap != conn->bound_cap) {
		bound = realloc(conn->bound, cap * sizeof(*bound));
		if (!bound)
			return -ENOMEM;
		memset(bound + conn->bound_cap, 0, (cap - conn->bound_cap) * sizeof(*bound));
		conn->bound = bound;
		conn->bound_cap = cap;
	}
	conn->bound[desc->slot].cookie = cookie;
	conn->bound[desc->slot].desc = *desc;
	return 0;
}

int weir_conn_remember(struct weir_conn *conn, int fd, const struct weir_object_desc *desc)
{
	uint64_t cookie;
	int err = cookie_of(fd, &cookie);

	if (!err)
		err = bound_set(conn, cookie, desc);
	if (!err)
		hint_set(conn, fd, desc->slot);
	return err;
}

/* Is this what is left of a token whose weird is gone? */
static bool is_hung_up(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

static bool may_be_token(int fd)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len))
		return false;
	len = sizeof(int);
	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) && domain == AF_UNIX &&
	       type == SOCK_SEQPACKET;
}

static int conn_bind(struct weir_conn *conn, int fd, uint64_t cookie, uint32_t *slot)
{
	struct weir_call call = {.cmd = WEIR_CMD_BIND, .fd = fd};
	struct weir_object_desc desc;
	struct weir_buf body = conn->body;
	int err;

	if (!may_be_token(fd)) {
		*slot = WEIR_SLOT_NOT_OBJECT;
		return 0;
	}
	memset(&conn->body, 0, sizeof(conn->body));
	err = weir_conn_call(conn, &call);
	conn->body = body;
	if (err == -EBADF) {
		*slot = WEIR_SLOT_BADF;
		return -EPIPE; /* the connection was closed with it: start over */
	}
	if (err)
		return err;
	if (call.reply_fd >= 0)
		close(call.reply_fd);
	if (call.result < 0) {
		*slot = is_hung_up(fd) ? WEIR_SLOT_STALE : WEIR_SLOT_NOT_OBJECT;
		return call.result == -EINVAL ? 0 : call.result;
	}
	if (call.sections.s[WEIR_SEC_DESC].bytes != sizeof(desc))
		return -EPROTO;
	memcpy(&desc, call.sections.s[WEIR_SEC_DESC].p, sizeof(desc));
	err = bound_set(conn, cookie, &desc);
	if (err)
		return err;
	hint_set(conn, fd, desc.slot);
	*slot = desc.slot;
	return 0;
}

int weir_conn_slot(struct weir_conn *conn, int fd, uint32_t *slot)
{
	uint64_t cookie;
	uint32_t hint;
	int err;

	err = fd < 0 ? -EBADF : cookie_of(fd, &cookie);
	if (err) {
		*slot = err == -EBADF ? WEIR_SLOT_BADF : WEIR_SLOT_NOT_OBJECT;
		return 0;
	}
	hint = (uint32_t)fd < conn->slot_of_fd_cap ? conn->slot_of_fd[fd] : 0;
	if (hint && hint < conn->bound_cap && conn->bound[hint].cookie == cookie) {
		*slot = hint;
		return 0;
	}
	for (uint32_t i = WEIR_SLOT_FIRST; i < conn->bound_cap; i++)
		if (conn->bound[i].cookie == cookie) {
			hint_set(conn, fd, i);
			*slot = i;
			return 0;
		}
	return conn_bind(conn, fd, cookie, slot);
}
