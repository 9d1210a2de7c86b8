/* SPDX-License-Identifier: BSD-3-Clause */
/* Texts that must load and texts that must be refused in exactly these words. */
#ifndef WEIR_CONFIG_TEST_H
#define WEIR_CONFIG_TEST_H

#include "weir/config/config.h"

#include <errno.h>
#include <stdio.h>

#include "../weir_test.h"

static inline struct weir_config *take_named(const char *name, const char *text)
{
	static char buf[65536];
	struct weir_config *config = NULL;
	struct weir_diag diag;
	int err;

	weir_diag_init(&diag, buf, sizeof(buf));
	err = weir_config_load_string(name, text, strlen(text), NULL, &diag, &config);
	if (err)
		fail_msg("refused (%d): %s", err, buf);
	assert_string_equal(buf, "");
	assert_non_null(config);
	return config;
}

static inline struct weir_config *take(const char *text)
{
	return take_named("f", text);
}

static inline void taken(const char *text)
{
	struct weir_config *config = take(text);

	weir_config_free(&config);
	assert_null(config);
}

/* `expected` holds all lines. */
static inline void refused(const char *text, const char *expected)
{
	static char buf[65536];
	struct weir_config *config = NULL;
	struct weir_diag diag;

	weir_diag_init(&diag, buf, sizeof(buf));
	assert_int_equal(weir_config_load_string("f", text, strlen(text), NULL, &diag, &config),
			 -EINVAL);
	assert_string_equal(buf, expected);
	assert_null(config);
}

#endif
