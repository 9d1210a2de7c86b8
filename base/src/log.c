/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weir/base/bits.h"

#define LOG_LINE_BYTES 2048

static const struct {
	enum weir_log_level level;
	const char *name;
} levels[] = {
	{WEIR_LOG_ERROR, "error"}, {WEIR_LOG_WARNING, "warning"}, {WEIR_LOG_NOTICE, "notice"},
	{WEIR_LOG_INFO, "info"},   {WEIR_LOG_DEBUG, "debug"},
};

static enum weir_log_level threshold = WEIR_LOG_INFO;
static weir_log_sink_fn log_sink;
static void *log_sink_arg;

/* systemd reads "<N>" at the line's start as its priority where stderr is the journal. */
static void stderr_sink(enum weir_log_level level, const char *line, void *arg)
{
	char out[LOG_LINE_BYTES + 64];
	int n;

	if (getenv("JOURNAL_STREAM"))
		n = snprintf(out, sizeof(out), "<%d>%s\n", (int)level, line);
	else
		n = snprintf(out, sizeof(out), "%s: %s\n", weir_log_level_name(level), line);
	if (n > 0 && write(STDERR_FILENO, out, weir_min((size_t)n, sizeof(out) - 1)) < 0)
		return; /* nowhere is left to report it */
}

void weir_log_set_sink(weir_log_sink_fn sink, void *arg)
{
	log_sink = sink;
	log_sink_arg = arg;
}

void weir_log_set_level(enum weir_log_level level)
{
	__atomic_store_n(&threshold, level, __ATOMIC_RELAXED);
}

enum weir_log_level weir_log_get_level(void)
{
	return __atomic_load_n(&threshold, __ATOMIC_RELAXED);
}

const char *weir_log_level_name(enum weir_log_level level)
{
	for (size_t i = 0; i < WEIR_ARRAY_LEN(levels); i++)
		if (levels[i].level == level)
			return levels[i].name;
	return "?";
}

int weir_log_level_parse(const char *name, enum weir_log_level *out)
{
	for (size_t i = 0; i < WEIR_ARRAY_LEN(levels); i++)
		if (!strcmp(levels[i].name, name)) {
			*out = levels[i].level;
			return 0;
		}
	return -EINVAL;
}

void weir_log_write(enum weir_log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_BYTES];
	va_list ap;
	char *p;

	if (level > weir_log_get_level())
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* One event is one line whatever a name or message from outside holds. */
	for (p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	if (log_sink)
		log_sink(level, line, log_sink_arg);
	else
		stderr_sink(level, line, NULL);
}

int weir_log_limit_pass(struct weir_log_limit *limit, uint64_t now_ns, uint32_t burst,
			uint64_t interval_ns, uint32_t *suppressed)
{
	*suppressed = 0;
	if (!limit->window_start_ns || now_ns - limit->window_start_ns >= interval_ns) {
		*suppressed = limit->suppressed;
		limit->window_start_ns = now_ns;
		limit->written = 0;
		limit->suppressed = 0;
	}
	if (limit->written < burst) {
		limit->written++;
		return 1;
	}
	limit->suppressed++;
	return 0;
}
