/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/base/diag.h"

#include <stdio.h>

void weir_diag_init(struct weir_diag *diag, char *buf, size_t size_bytes)
{
	diag->buf = buf;
	diag->size_bytes = size_bytes;
	weir_diag_reset(diag);
}

void weir_diag_reset(struct weir_diag *diag)
{
	diag->len_bytes = 0;
	diag->needed_bytes = 0;
	if (diag->size_bytes)
		diag->buf[0] = '\0';
}

void weir_diag_vprintf(struct weir_diag *diag, const char *fmt, va_list ap)
{
	char none[1];
	size_t room;
	char *at;
	int n;

	if (!diag)
		return;
	room = diag->size_bytes ? diag->size_bytes - diag->len_bytes : 0;
	at = room ? diag->buf + diag->len_bytes : none;
	n = vsnprintf(at, room, fmt, ap);
	if (n < 0)
		return;
	diag->needed_bytes += (size_t)n;
	if (room)
		diag->len_bytes += (size_t)n < room ? (size_t)n : room - 1;
}

void weir_diag_printf(struct weir_diag *diag, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	weir_diag_vprintf(diag, fmt, ap);
	va_end(ap);
}

void weir_diag_truncate(struct weir_diag *diag, size_t len_bytes)
{
	if (!diag || len_bytes >= diag->len_bytes)
		return;
	diag->needed_bytes -= diag->len_bytes - len_bytes;
	diag->len_bytes = len_bytes;
	diag->buf[len_bytes] = '\0';
}

bool weir_diag_truncated(const struct weir_diag *diag)
{
	return diag && diag->needed_bytes > diag->len_bytes;
}

int weir_fail(struct weir_diag *diag, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	weir_diag_vprintf(diag, fmt, ap);
	va_end(ap);
	return err;
}
