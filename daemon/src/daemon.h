/* SPDX-License-Identifier: BSD-3-Clause */
/* weird as a whole: the control plane and the data plane put together. Main thread. */
#ifndef WEIR_DAEMON_DAEMON_H
#define WEIR_DAEMON_DAEMON_H

#include <stdio.h>

#include "weir/base/diag.h"
#include "weir/config/config.h"

void weir_daemon_print_version(FILE *out);
/* Loads, verifies and compiles every object the configuration names. 0 or -errno with text. */
int weir_daemon_check(const struct weir_config *config, struct weir_diag *diag);
/*
 * Runs until SIGTERM or SIGINT. SIGHUP reads `path` again: what can change at once does, the rest
 * is logged as due at the next start. config is borrowed. 0 after a clean stop; -errno with text if
 * it could not start.
 */
int weir_daemon_run(const char *path, const struct weir_config *config, struct weir_diag *diag);

#endif
