/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One event, one log line: a message and `key=value` fields. Any thread; never from a worker's
 * packet path.
 *
 * The sink is stderr in logfmt by default ("<level>" prefixes where stderr is the journal);
 * a program may install its own. Repeats of one call site are rate-limited by
 * weir_log_limited(), which reports how many were suppressed.
 */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdarg.h>
#include <stdint.h>

enum weir_log_level {
	WEIR_LOG_ERROR = 3, /* syslog's numbers */
	WEIR_LOG_WARNING = 4,
	WEIR_LOG_NOTICE = 5,
	WEIR_LOG_INFO = 6,
	WEIR_LOG_DEBUG = 7,
};

typedef void (*weir_log_sink_fn)(enum weir_log_level level, const char *line, void *arg);

/* NULL restores the default. Call before threads start. */
void weir_log_set_sink(weir_log_sink_fn sink, void *arg);
void weir_log_set_level(enum weir_log_level level);
enum weir_log_level weir_log_get_level(void);
const char *weir_log_level_name(enum weir_log_level level);
/* Parses "error", "warning", "notice", "info", "debug"; 0 or -EINVAL. */
int weir_log_level_parse(const char *name, enum weir_log_level *out);

void weir_log_write(enum weir_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define weir_log_error(...)   weir_log_write(WEIR_LOG_ERROR, __VA_ARGS__)
#define weir_log_warning(...) weir_log_write(WEIR_LOG_WARNING, __VA_ARGS__)
#define weir_log_notice(...)  weir_log_write(WEIR_LOG_NOTICE, __VA_ARGS__)
#define weir_log_info(...)    weir_log_write(WEIR_LOG_INFO, __VA_ARGS__)
#define weir_log_debug(...)   weir_log_write(WEIR_LOG_DEBUG, __VA_ARGS__)

/* Per call site: at most `burst` lines in `interval_ns`; later ones are counted. */
struct weir_log_limit {
	uint64_t window_start_ns;
	uint32_t written;
	uint32_t suppressed;
};

/* Returns 1 if the line may be written now, and sets *suppressed to what was dropped before it. */
int weir_log_limit_pass(struct weir_log_limit *limit, uint64_t now_ns, uint32_t burst,
			uint64_t interval_ns, uint32_t *suppressed);

#endif
