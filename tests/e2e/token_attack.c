/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What another user can do with descriptors it is handed: root makes objects, becomes `nobody`, and
 * tries to reopen, map, truncate, punch and write each of them. One line an attempt that worked
 * though it must not; exit 1 then. argv: uid to become.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weir/api/libweir.h"

static int failures, attempts;

static void must_fail(const char *what, int fd, long ret)
{
	attempts++;
	if (ret < 0)
		return;
	failures++;
	printf("descriptor %d: %s worked\n", fd, what);
}

static void attack(int fd)
{
	char path[64], byte = 'x';
	void *p;
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	must_fail("reopen for writing", fd, again);
	again = open(path, O_RDONLY | O_CLOEXEC);
	must_fail("reopen for reading", fd, again);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	must_fail("mmap for reading", fd, p == MAP_FAILED ? -1 : 0);
	if (p != MAP_FAILED)
		must_fail("mprotect to writable", fd, mprotect(p, 4096, PROT_READ | PROT_WRITE));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must_fail("mmap for writing", fd, p == MAP_FAILED ? -1 : 0);
	must_fail("ftruncate", fd, ftruncate(fd, 0));
	must_fail("fallocate", fd,
		  fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	must_fail("write", fd, write(fd, &byte, 1));
	must_fail("pwrite", fd, pwrite(fd, &byte, 1, 0));
	must_fail("send", fd, send(fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT));
	must_fail("recv", fd, recv(fd, &byte, 1, MSG_DONTWAIT) > 0 ? 0 : -1);
	must_fail("fchmod", fd, fchmod(fd, 0777));
}

static int map_new(uint32_t type, uint32_t key, uint32_t flags)
{
	union bpf_attr a = {.map_type = type,
			    .key_size = key,
			    .value_size = 8,
			    .max_entries = 4,
			    .map_flags = flags};

	return weir_bpf(BPF_MAP_CREATE, &a, sizeof(a));
}

int main(int argc, char **argv)
{
	uid_t uid = argc > 1 ? (uid_t)atoi(argv[1]) : 65534;
	uint64_t value = 1;
	uint32_t key = 0;
	int fds[3];

	fds[0] = map_new(BPF_MAP_TYPE_ARRAY, 4, 0);
	fds[1] = map_new(BPF_MAP_TYPE_HASH, 4, 0);
	fds[2] = map_new(BPF_MAP_TYPE_ARRAY, 4, BPF_F_MMAPABLE);
	if (fds[0] < 0 || fds[1] < 0) {
		perror("map_create");
		return 2;
	}
	if (setgroups(0, NULL) || setgid(uid) || setuid(uid)) {
		perror("setuid");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	/* The connections this process has as well, whatever their numbers are. */
	for (int fd = 3; fd < 64; fd++) {
		int type;
		socklen_t len = sizeof(type);

		if (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) && type == SOCK_SEQPACKET)
			attack(fd);
	}
	/* A child of the new user has a connection of its own, which is refused. */
	if (!fork()) {
		union bpf_attr a = {.map_fd = (uint32_t)fds[0],
				    .key = (uintptr_t)&key,
				    .value = (uintptr_t)&value};

		_exit(weir_bpf(BPF_MAP_UPDATE_ELEM, &a, sizeof(a)) == -1 && errno == EPERM ? 0 : 1);
	}
	{
		int status = 1;

		wait(&status);
		must_fail("update as the other user", fds[0], status ? 0 : -1);
	}
	printf("attempts %d\n", attempts);
	return failures != 0;
}
