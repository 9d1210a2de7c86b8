/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reference tokens: the daemon's end of a SOCK_SEQPACKET pair for every object descriptor that a
 * client holds. Its end hung up means that the last copy of the client's end was closed, whoever
 * had it. The daemon's end is shut down for reading, so nobody can send over it or fill it.
 *
 * A token that comes back over a connection is known by inode and socket cookie; the cookie of a
 * dead socket is never given out again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static int socket_identity(int fd, uint64_t *cookie, uint64_t *ino)
{
	socklen_t len = sizeof(*cookie);
	struct stat st;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &len) || fstat(fd, &st))
		return -errno;
	*ino = st.st_ino;
	return 0;
}

/* Takes fd. */
static void token_free(struct token *t)
{
	struct weir_control *c = t->obj->control;
	struct binding *b;

	weir_vec_foreach (b, &t->bindings)
		b->conn->slots.v[b->slot] = NULL;
	weir_vec_free(&t->bindings);
	epoll_ctl(c->token_epfd, EPOLL_CTL_DEL, t->fd, NULL);
	close(t->fd);
	*t->at = t->next;
	if (t->next)
		t->next->at = t->at;
	c->token_count--;
	t->client->user->tokens--;
	weir_client_put(c, t->client);
	weir_obj_put(t->obj);
	t->source.dead = true;
	t->source.next_dead = c->dead;
	c->dead = &t->source;
}

/* *theirs is the client's end, the caller's. */
static int token_new(struct weir_control *c, struct client *client, struct obj *obj,
		     uint32_t rights, int *theirs, struct token **out)
{
	struct epoll_event ev = {.events = 0}; /* hang-up is always reported */
	struct token *t;
	int pair[2], err;

	if (client->user->tokens >= c->limits.objects) {
		weir_denied(c, client, "more object descriptors than its limit");
		return -EMFILE;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair)) {
		err = errno == EMFILE || errno == ENFILE ? -ENFILE : -errno;
		free(t);
		return err;
	}
	err = socket_identity(pair[1], &t->cookie, &t->ino);
	ev.data.ptr = t;
	if (!err &&
	    (shutdown(pair[0], SHUT_RD) || epoll_ctl(c->token_epfd, EPOLL_CTL_ADD, pair[0], &ev)))
		err = -errno;
	if (err) {
		close(pair[0]);
		close(pair[1]);
		free(t);
		return err;
	}
	t->source.kind = SOURCE_TOKEN;
	t->fd = pair[0];
	t->obj = obj;
	weir_obj_get(obj);
	t->rights = rights;
	t->client = client;
	client->refs++;
	client->user->tokens++;
	c->token_count++;
	t->next = c->tokens;
	t->at = &c->tokens;
	if (t->next)
		t->next->at = &t->next;
	c->tokens = t;
	*theirs = pair[1];
	*out = t;
	return 0;
}

/* Puts the token into a free slot of the connection. */
static int token_bind(struct conn *conn, struct token *t, uint32_t *slot)
{
	struct binding b = {.conn = conn};
	struct binding *it;

	weir_vec_foreach (it, &t->bindings)
		if (it->conn == conn) {
			*slot = it->slot;
			return 0;
		}
	if (weir_vec_reserve(&t->bindings, 1) || weir_vec_reserve(&conn->slots, 2))
		return -ENOMEM;
	if (!conn->slots.len)
		conn->slots.v[conn->slots.len++] = NULL;
	for (b.slot = WEIR_SLOT_FIRST; b.slot < conn->slots.len && conn->slots.v[b.slot];)
		b.slot++;
	if (b.slot == conn->slots.len)
		conn->slots.len++;
	conn->slots.v[b.slot] = t;
	t->bindings.v[t->bindings.len++] = b;
	*slot = b.slot;
	return 0;
}

void weir_token_unbind_all(struct conn *conn)
{
	for (size_t i = WEIR_SLOT_FIRST; i < conn->slots.len; i++) {
		struct token *t = conn->slots.v[i];

		for (size_t k = 0; t && k < t->bindings.len; k++)
			if (t->bindings.v[k].conn == conn) {
				t->bindings.v[k] = t->bindings.v[--t->bindings.len];
				break;
			}
	}
	weir_vec_free(&conn->slots);
}

void weir_obj_describe(const struct weir_control *c, const struct obj *obj,
		       struct weir_object_desc *desc)
{
	desc->kind = obj->kind;
	desc->id = obj->id;
	if (obj->kind == WEIR_OBJECT_MAP) {
		const struct weir_map *map = ((const struct map_obj *)obj)->map;
		uint32_t stride = (map->def.value_size + 7U) & ~7U;

		desc->map_type = map->def.type;
		desc->key_size = map->def.key_size;
		desc->value_size = map->def.value_size;
		desc->slot_value_bytes = (uint32_t)weir_map_value_bytes(map);
		desc->value_bytes =
			map->is_per_cpu ? stride * c->possible_cpus : map->def.value_size;
	}
}

int weir_token_reply(struct request *rq, struct obj *obj, uint32_t rights)
{
	struct weir_control *c = rq->conn->control;
	struct weir_object_desc desc = {0};
	struct token *t = NULL;
	int fd = -1, err;

	err = token_new(c, rq->conn->client, obj, rights, &fd, &t);
	if (err)
		return err;
	err = token_bind(rq->conn, t, &desc.slot);
	if (err) {
		close(fd);
		token_free(t);
		return err;
	}
	weir_obj_describe(c, obj, &desc);
	weir_buf_section(&rq->out, WEIR_SEC_DESC, &desc, sizeof(desc));
	rq->reply_fd = fd;
	return 0;
}

int weir_token_bind(struct request *rq)
{
	struct weir_object_desc desc = {0};
	uint64_t cookie, ino;
	struct token *t;
	int err;

	if (rq->conn->in_fd < 0)
		return -EBADF;
	if (socket_identity(rq->conn->in_fd, &cookie, &ino))
		return -EINVAL;
	for (t = rq->conn->control->tokens; t; t = t->next)
		if (t->cookie == cookie && t->ino == ino)
			break;
	if (!t)
		return -EINVAL;
	err = token_bind(rq->conn, t, &desc.slot);
	if (err)
		return err;
	weir_obj_describe(rq->conn->control, t->obj, &desc);
	weir_buf_section(&rq->out, WEIR_SEC_DESC, &desc, sizeof(desc));
	return 0;
}

void weir_token_reap(struct weir_control *c)
{
	struct epoll_event ev[64];
	int n;

	do {
		n = epoll_wait(c->token_epfd, ev, 64, 0);
		for (int i = 0; i < n; i++) {
			struct token *t = ev[i].data.ptr;

			if (!t->source.dead && (ev[i].events & (EPOLLHUP | EPOLLERR)))
				token_free(t);
		}
	} while (n == 64);
}

void weir_token_drop_all(struct weir_control *c)
{
	while (c->tokens)
		token_free(c->tokens);
}

int weir_slot_obj(struct conn *conn, uint32_t slot, enum weir_object_kind kind, struct obj **obj,
		  struct token **token)
{
	struct token *t;

	if (slot == WEIR_SLOT_STALE)
		return -ESTALE;
	if (slot == WEIR_SLOT_NOT_OBJECT)
		return -EINVAL;
	if (slot < WEIR_SLOT_FIRST || slot >= conn->slots.len)
		return -EBADF;
	t = conn->slots.v[slot];
	if (!t)
		return -EBADF;
	if (kind != WEIR_OBJECT_ANY && t->obj->kind != kind)
		return -EINVAL;
	*obj = t->obj;
	if (token)
		*token = t;
	return 0;
}
