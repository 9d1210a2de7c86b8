/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli.h"
#include "weir/base/stdfd.h"

int main(int argc, char **argv)
{
	int code;

	if (weir_stdfd_occupy())
		return CLI_FAILED;
	code = cli_main(argc, argv);
	/* Output that could not be written is a failure like any other. */
	if (fflush(stdout) || ferror(stdout))
		code = cli_fail("standard output: %s", "writing failed") ? CLI_FAILED : code;
	return code;
}
