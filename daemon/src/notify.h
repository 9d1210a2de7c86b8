/* SPDX-License-Identifier: BSD-3-Clause */
/* What the service manager is told (sd_notify). Nothing happens where none listens. Main thread. */
#ifndef WEIR_DAEMON_NOTIFY_H
#define WEIR_DAEMON_NOTIFY_H

#include <stdint.h>

void weir_notify_ready(void);
void weir_notify_reloading(void);
void weir_notify_stopping(void);
void weir_notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Kicks the watchdog if one is asked for and half of its time has passed since the last kick. */
void weir_notify_watchdog(uint64_t now_ns);

#endif
