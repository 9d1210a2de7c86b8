/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/base/stdfd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int weir_stdfd_occupy(void)
{
	/* From below, because open() takes the lowest free number. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return -errno;
	}
	return 0;
}
