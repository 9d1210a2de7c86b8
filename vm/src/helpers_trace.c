/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bpf_trace_printk: Linux's subset of printf, at most three arguments, formatted piece by piece;
 * the host gets the line.
 *
 * The format and its arguments come from the program. Arguments that Linux would follow as
 * addresses (%s, %pks, %pus, %pI4, …) are printed as numbers: weir has no memory it could read
 * without knowing its bounds.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helpers.h"
#include "weir/base/bits.h"
#include "weir/vm/exec.h"

#define LINE_BYTES 1024
#define ARGS_MAX   3
#define WIDTH_MAX  4096
#define FORMAT_MAX 1023

struct line {
	char text[LINE_BYTES];
	size_t len; /* as if there were room: the helper's return value */
};

static void put(struct line *line, const char *s, size_t len)
{
	if (line->len < sizeof(line->text) - 1)
		memcpy(line->text + line->len, s,
		       weir_min(len, sizeof(line->text) - 1 - line->len));
	line->len += len;
}

/* One conversion as the program wrote it, reduced to what is allowed. */
struct conv {
	bool zero, plus, minus, space, is_long;
	uint32_t width;
	char kind; /* d u x X c, p: an address */
};

static void put_number(struct line *line, const struct conv *c, uint64_t v)
{
	char spec[16], out[WIDTH_MAX + 32];
	int n;

	snprintf(spec, sizeof(spec), "%%%s%s%s%s*ll%c", c->zero ? "0" : "", c->plus ? "+" : "",
		 c->minus ? "-" : "", c->space ? " " : "", c->kind);
	if (!c->is_long)
		v = c->kind == 'd' ? (uint64_t)(int64_t)(int32_t)v : (uint32_t)v;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n = snprintf(out, sizeof(out), spec, (int)c->width, (unsigned long long)v);
#pragma GCC diagnostic pop
	if (n > 0)
		put(line, out, weir_min((size_t)n, sizeof(out) - 1));
}

static void put_conv(struct line *line, const struct conv *c, uint64_t v)
{
	char out[WIDTH_MAX + 32];
	int n;

	switch (c->kind) {
	case 'c':
		n = snprintf(out, sizeof(out), c->minus ? "%-*c" : "%*c", (int)c->width, (int)v);
		put(line, out, weir_min((size_t)n, sizeof(out) - 1));
		break;
	case 'p':
		n = snprintf(out, sizeof(out), "%016llx", (unsigned long long)v);
		put(line, out, (size_t)n);
		break;
	default: put_number(line, c, v); break;
	}
}

static bool ends_word(char c)
{
	return !c || isspace((unsigned char)c) || ispunct((unsigned char)c);
}

/* What follows "%p": how many characters belong to it, or -EINVAL. */
static int address_suffix(const char *s)
{
	if (ends_word(s[0]))
		return 0;
	if ((s[0] == 'k' || s[0] == 'u') && s[1] == 's')
		return ends_word(s[2]) ? 2 : -EINVAL;
	if (strchr("KxsSB", s[0]))
		return 1;
	if ((s[0] == 'i' || s[0] == 'I') && (s[1] == '4' || s[1] == '6'))
		return 2;
	return -EINVAL;
}

/* Parses the conversion behind '%' at s: how many characters it has, or -EINVAL. */
static int conv_parse(const char *s, struct conv *c)
{
	const char *start = s;
	int n;

	*c = (struct conv){0};
	for (; *s && strchr("0+- ", *s); s++) {
		c->zero |= *s == '0';
		c->plus |= *s == '+';
		c->minus |= *s == '-';
		c->space |= *s == ' ';
	}
	for (; isdigit((unsigned char)*s); s++)
		c->width = weir_min(c->width * 10 + (uint32_t)(*s - '0'), (uint32_t)WIDTH_MAX);
	if (*s == 'p') {
		c->kind = 'p';
		n = address_suffix(s + 1);
		return n < 0 ? n : (int)(s + 1 - start) + n;
	}
	if (*s == 's') {
		c->kind = 'p';
		return ends_word(s[1]) ? (int)(s + 1 - start) : -EINVAL;
	}
	if (*s == 'c') {
		c->kind = 'c';
		return (int)(s + 1 - start);
	}
	for (n = 0; n < 2 && *s == 'l'; n++, s++)
		c->is_long = true;
	if (!*s || !strchr("iduxX", *s))
		return -EINVAL;
	c->kind = *s == 'i' ? 'd' : *s;
	return (int)(s + 1 - start);
}

static int format(struct line *line, const char *fmt, size_t len, const uint64_t args[ARGS_MAX])
{
	uint32_t used = 0;
	struct conv c;

	for (size_t i = 0; i < len; i++) {
		unsigned char ch = (unsigned char)fmt[i];
		int n;

		if (ch < 0x80 && !isprint(ch) && !isspace(ch))
			return -EINVAL;
		if (ch != '%' || fmt[i + 1] == '%') {
			put(line, fmt + i, 1);
			i += ch == '%';
			continue;
		}
		if (used == ARGS_MAX)
			return -EINVAL;
		n = conv_parse(fmt + i + 1, &c);
		if (n < 0)
			return n;
		put_conv(line, &c, args[used++]);
		i += (size_t)n;
	}
	return 0;
}

WEIR_HELPER_FUNC(weir_hf_trace_printk)
{
	const char *given = (const char *)(uintptr_t)r1;
	const uint64_t args[ARGS_MAX] = {r3, r4, r5};
	size_t len = strnlen(given, (uint32_t)r2), kept;
	char fmt[FORMAT_MAX + 1];
	struct line line = {.len = 0};
	int err;

	if (len == (uint32_t)r2 || len > FORMAT_MAX)
		return (uint64_t)-EINVAL;
	/* A copy: what lies in a map may change while it is read. */
	memcpy(fmt, given, len);
	fmt[len] = 0;
	err = format(&line, fmt, len, args);
	if (err)
		return (uint64_t)(int64_t)err;
	if (exec->host_ops && exec->host_ops->trace) {
		kept = weir_min(line.len, sizeof(line.text) - 1);
		if (kept && line.text[kept - 1] == '\n')
			kept--;
		line.text[kept] = 0;
		exec->host_ops->trace(exec->host, exec, line.text, kept);
	}
	return line.len;
}
