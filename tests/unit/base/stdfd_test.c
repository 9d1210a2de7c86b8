/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/base/stdfd.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../weir_test.h"

/* In a child, whose standard descriptors nobody misses. */
static int occupied_after_closing(unsigned int closed)
{
	pid_t pid = fork();
	int status, next;
	char c = 'x';

	assert_true(pid >= 0);
	if (!pid) {
		for (int fd = 0; fd < 3; fd++)
			if (closed >> fd & 1)
				close(fd);
		if (weir_stdfd_occupy())
			_exit(1);
		next = open("/dev/null", O_RDWR);
		if (next < 3)
			_exit(2);
		for (int fd = 1; fd < 3; fd++)
			if (closed >> fd & 1 && write(fd, &c, 1) >= 0)
				_exit(3);
		if (closed & 1 && read(0, &c, 1) >= 0)
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void stdfd_occupy__every_set_of_closed_ones(void **state)
{
	for (unsigned int closed = 0; closed < 8; closed++)
		assert_int_equal(occupied_after_closing(closed), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stdfd_occupy__every_set_of_closed_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
