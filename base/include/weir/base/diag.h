/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bounded text for a caller: error messages and verifier logs.
 *
 * A diag borrows the caller's buffer and never writes past it; the text is always terminated.
 * Functions take a `struct weir_diag *` that may be NULL (no text wanted). What did not fit is
 * counted in `needed_bytes`, so that a caller can tell truncation (Linux's ENOSPC rule).
 * One thread at a time.
 */
#ifndef WEIR_BASE_DIAG_H
#define WEIR_BASE_DIAG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct weir_diag {
	char *buf;           /* borrowed; NULL only if size_bytes is 0 */
	size_t size_bytes;   /* of buf, the terminator included */
	size_t len_bytes;    /* text held now, without the terminator */
	size_t needed_bytes; /* text that was written in all, without the terminator */
};

#define WEIR_DIAG_ON_STACK(name, bytes) \
	char name##_buf[bytes] = "";    \
	struct weir_diag name = {.buf = name##_buf, .size_bytes = sizeof(name##_buf)}

void weir_diag_init(struct weir_diag *diag, char *buf, size_t size_bytes);
void weir_diag_reset(struct weir_diag *diag);
/* Appends; does nothing for a NULL diag. */
void weir_diag_printf(struct weir_diag *diag, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void weir_diag_vprintf(struct weir_diag *diag, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/* Drops the text behind the first `len_bytes` bytes (a mark the caller took from len_bytes). */
void weir_diag_truncate(struct weir_diag *diag, size_t len_bytes);
bool weir_diag_truncated(const struct weir_diag *diag);
/* Appends the message and returns `err`, so that `return weir_fail(diag, -EINVAL, "…")` reads well.
 */
int weir_fail(struct weir_diag *diag, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
