/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket's path: a stale socket is replaced, a live one never. A lock file beside it
 * would outlive crashes as well; connecting tells for sure whether somebody listens. Between the
 * look and listen() the folder is locked: two that start at once would take each other's socket,
 * which nobody listens on yet, for a stale one.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"
#include "weir/base/cleanup.h"

/* 0: nobody listens there (what was left is removed); -EADDRINUSE; -EEXIST: no socket. */
static int path_clear(const struct sockaddr_un *addr, struct weir_diag *diag)
{
	weir_autoclose int fd = -1;
	struct stat st;

	if (lstat(addr->sun_path, &st))
		return errno == ENOENT ? 0
				       : weir_fail(diag, -errno, "control socket %s: %s",
						   addr->sun_path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return weir_fail(diag, -EEXIST,
				 "control socket %s: something that is no socket "
				 "is there",
				 addr->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return weir_fail(diag, -errno, "control socket: %s", strerror(errno));
	if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) || errno == EAGAIN)
		return weir_fail(diag, -EADDRINUSE,
				 "control socket %s: another weird listens there", addr->sun_path);
	if (errno != ECONNREFUSED)
		return weir_fail(diag, -errno, "control socket %s: %s", addr->sun_path,
				 strerror(errno));
	weir_log_notice("stale control socket removed path=\"%s\"", addr->sun_path);
	if (unlink(addr->sun_path) && errno != ENOENT)
		return weir_fail(diag, -errno, "control socket %s: %s", addr->sun_path,
				 strerror(errno));
	return 0;
}

static int socket_own(const char *path, uint32_t mode, const char *group, struct weir_diag *diag)
{
	struct group *gr = getgrnam(group ? group : "weir");

	if (group && !gr)
		return weir_fail(diag, -EINVAL, "control socket: there is no group \"%s\"", group);
	if (gr && lchown(path, (uid_t)-1, gr->gr_gid)) {
		if (group)
			return weir_fail(diag, -errno,
					 "control socket %s: cannot give it to group "
					 "%s: %s",
					 path, group, strerror(errno));
		weir_log_notice("control socket stays with the own group path=\"%s\"", path);
	}
	if (chmod(path, mode))
		return weir_fail(diag, -errno, "control socket %s: %s", path, strerror(errno));
	return 0;
}

/*
 * Locks the folder until *out is closed. Anybody who can read it could hold the lock, so the wait
 * is bounded.
 */
static int folder_lock(const char *path, struct weir_diag *diag, int *out)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	weir_autoclose int fd = -1;
	char buf[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *folder;

	strcpy(buf, path);
	folder = dirname(buf);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return weir_fail(diag, -errno, "control socket %s: folder %s: %s", path, folder,
				 strerror(errno));
	for (int tries = 200; flock(fd, LOCK_EX | LOCK_NB); tries--) {
		if (errno != EWOULDBLOCK || !tries)
			return weir_fail(diag, -errno,
					 "control socket %s: cannot lock folder %s: %s", path,
					 folder, strerror(errno));
		nanosleep(&pause, NULL);
	}
	*out = weir_take_fd(fd);
	return 0;
}

int weir_socket_listen(const char *path, uint32_t mode, const char *group, struct weir_diag *diag,
		       int *out)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	weir_autoclose int lock = -1;
	weir_autoclose int fd = -1;
	mode_t mask;
	int err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return weir_fail(diag, -ENAMETOOLONG,
				 "control socket %s: expected at most %zu bytes, found %zu", path,
				 sizeof(addr.sun_path) - 1, strlen(path));
	strcpy(addr.sun_path, path);
	err = folder_lock(path, diag, &lock);
	if (err)
		return err;
	err = path_clear(&addr, diag);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return weir_fail(diag, -errno, "control socket: %s", strerror(errno));
	/* Nobody else may connect before owner and mode are set. */
	mask = umask(0177);
	err = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
	umask(mask);
	if (err)
		return weir_fail(diag, err, "control socket %s: %s", path, strerror(-err));
	err = socket_own(path, mode, group, diag);
	if (!err && listen(fd, 128))
		err = weir_fail(diag, -errno, "control socket %s: %s", path, strerror(errno));
	if (err) {
		unlink(path);
		return err;
	}
	*out = weir_take_fd(fd);
	return 0;
}
