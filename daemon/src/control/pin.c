/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pins: a directory-like namespace of paths, each holding a reference. Directories exist as long
 * as something is in them. Sorted, so that a directory's pins stand together.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static size_t pin_lower(const struct weir_control *c, const char *path)
{
	size_t lo = 0, hi = c->pins.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(c->pins.v[mid].path, path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct obj *weir_pin_find(struct weir_control *c, const char *path, struct pin **pin)
{
	size_t i = pin_lower(c, path);

	if (i >= c->pins.len || strcmp(c->pins.v[i].path, path))
		return NULL;
	*pin = &c->pins.v[i];
	return c->pins.v[i].obj;
}

/* Is a prefix of the path a pin (no directory), or the path a directory? */
static int pin_check_dirs(struct weir_control *c, const char *path)
{
	char dir[WEIR_PATH_BYTES];
	struct pin *pin;
	size_t len = strlen(path), at;

	for (size_t i = 1; i < len; i++) {
		if (path[i] != '/')
			continue;
		memcpy(dir, path, i);
		dir[i] = '\0';
		if (weir_pin_find(c, dir, &pin))
			return -ENOTDIR;
	}
	memcpy(dir, path, len);
	dir[len] = '/';
	dir[len + 1] = '\0';
	at = pin_lower(c, dir);
	return at < c->pins.len && !strncmp(c->pins.v[at].path, dir, len + 1) ? -EEXIST : 0;
}

int weir_pin_add(struct weir_control *c, const char *path, struct obj *obj, uint32_t uid,
		 uint32_t gid)
{
	struct pin pin = {.obj = obj, .uid = uid, .gid = gid, .mode = 0600}, *found;
	size_t i;
	int err;

	if (weir_pin_find(c, path, &found))
		return -EEXIST;
	err = pin_check_dirs(c, path);
	if (err)
		return err;
	pin.path = strdup(path);
	if (!pin.path || weir_vec_reserve(&c->pins, 1)) {
		free(pin.path);
		return -ENOMEM;
	}
	i = pin_lower(c, path);
	memmove(c->pins.v + i + 1, c->pins.v + i, (c->pins.len - i) * sizeof(pin));
	c->pins.v[i] = pin;
	c->pins.len++;
	weir_obj_get(obj);
	return 0;
}

void weir_pin_remove(struct weir_control *c, struct pin *at)
{
	struct pin pin = *at;
	size_t i = (size_t)(at - c->pins.v);

	memmove(c->pins.v + i, c->pins.v + i + 1, (c->pins.len - i - 1) * sizeof(pin));
	c->pins.len--;
	free(pin.path);
	weir_obj_put(pin.obj);
}

void weir_pin_drop_all(struct weir_control *c)
{
	while (c->pins.len)
		weir_pin_remove(c, &c->pins.v[c->pins.len - 1]);
	weir_vec_free(&c->pins);
}

/*
 * The path of a request: absolute, slashes single, no "." or "..". Room for WEIR_PATH_BYTES; one
 * byte is kept back for the slash of pin_check_dirs().
 */
static int path_read(struct request *rq, char *out)
{
	const char *p = (const char *)rq->in.s[WEIR_SEC_PATH].p;
	size_t bytes = rq->in.s[WEIR_SEC_PATH].bytes, n = 0;

	if (!p)
		return -EFAULT;
	if (!bytes)
		return -ENOENT;
	if (bytes >= WEIR_PATH_BYTES - 2)
		return -ENAMETOOLONG;
	if (memchr(p, '\0', bytes))
		return weir_fail(&rq->diag, -EINVAL, "pin path: a NUL byte is in it");
	for (size_t i = 0; i < bytes;) {
		size_t len = 0;

		if (p[i] == '/') {
			i++;
			continue;
		}
		while (i + len < bytes && p[i + len] != '/')
			len++;
		if ((len == 1 && p[i] == '.') || (len == 2 && p[i] == '.' && p[i + 1] == '.'))
			return weir_fail(&rq->diag, -EINVAL,
					 "pin path: expected no \".\" and no \"..\" in it");
		out[n++] = '/';
		memcpy(out + n, p + i, len);
		n += len;
		i += len;
	}
	if (!n)
		return weir_fail(&rq->diag, -EEXIST, "pin path: the root is a directory");
	out[n] = '\0';
	return 0;
}

int weir_cmd_obj_pin(struct request *rq)
{
	const union bpf_attr *a = &rq->attr.bpf;
	struct client *client = rq->conn->client;
	char path[WEIR_PATH_BYTES];
	struct obj *obj;
	int err;

	if (a->file_flags || *(const uint32_t *)(rq->attr.bytes + 16))
		return -EINVAL;
	err = weir_slot_obj(rq->conn, a->bpf_fd, WEIR_OBJECT_ANY, &obj, NULL);
	if (err == -EBADF || (!err && obj->kind == WEIR_OBJECT_BTF))
		err = -EINVAL; /* Linux tries one kind after the other */
	if (!err)
		err = path_read(rq, path);
	if (!err)
		err = weir_pin_add(rq->conn->control, path, obj, client->uid, client->gid);
	return err;
}

static bool pin_may(const struct pin *pin, const struct client *client, uint32_t want)
{
	uint32_t shift = client->uid == pin->uid ? 6 : client->gid == pin->gid ? 3 : 0;

	return client->role & WEIR_ROLE_BIT_ADMIN || ((pin->mode >> shift) & want) == want;
}

int weir_cmd_obj_get(struct request *rq)
{
	const union bpf_attr *a = &rq->attr.bpf;
	uint32_t rights = TOKEN_READ | TOKEN_WRITE;
	char path[WEIR_PATH_BYTES];
	struct pin *pin;
	struct obj *obj;
	int err;

	if (a->bpf_fd || a->file_flags & ~(uint32_t)(BPF_F_RDONLY | BPF_F_WRONLY) ||
	    *(const uint32_t *)(rq->attr.bytes + 16))
		return -EINVAL;
	if (a->file_flags == (BPF_F_RDONLY | BPF_F_WRONLY))
		return -EINVAL;
	if (a->file_flags & BPF_F_RDONLY)
		rights = TOKEN_READ;
	if (a->file_flags & BPF_F_WRONLY)
		rights = TOKEN_WRITE;
	err = path_read(rq, path);
	if (err)
		return err;
	obj = weir_pin_find(rq->conn->control, path, &pin);
	if (!obj)
		return -ENOENT;
	if (!pin_may(pin, rq->conn->client,
		     (rights & TOKEN_READ ? 4 : 0) | (rights & TOKEN_WRITE ? 2 : 0))) {
		weir_denied(rq->conn->control, rq->conn->client, "a pin it may not open");
		return -EACCES;
	}
	return weir_token_reply(rq, obj, rights);
}

int weir_cmd_unpin(struct request *rq)
{
	struct weir_control *c = rq->conn->control;
	char path[WEIR_PATH_BYTES];
	struct pin *pin;
	int err = path_read(rq, path);

	if (err)
		return err;
	if (!weir_pin_find(c, path, &pin))
		return weir_fail(&rq->diag, -ENOENT, "pin %s: there is none", path);
	weir_pin_remove(c, pin);
	return 0;
}
