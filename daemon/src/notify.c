/* SPDX-License-Identifier: BSD-3-Clause */
#include "notify.h"

#include <stdarg.h>
#include <stdio.h>

#include <systemd/sd-daemon.h>

void weir_notify_ready(void)
{
	sd_notify(0, "READY=1");
}

void weir_notify_reloading(void)
{
	sd_notify(0, "RELOADING=1");
}

void weir_notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void weir_notify_status(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sd_notifyf(0, "STATUS=%s", text);
}

void weir_notify_watchdog(uint64_t now_ns)
{
	static uint64_t interval_ns, last_ns;
	static int asked;
	uint64_t usec = 0;

	if (!asked) {
		asked = 1;
		if (sd_watchdog_enabled(0, &usec) > 0)
			interval_ns = usec * 500;
	}
	if (!interval_ns || now_ns - last_ns < interval_ns)
		return;
	last_ns = now_ns;
	sd_notify(0, "WATCHDOG=1");
}
