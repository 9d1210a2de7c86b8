/* SPDX-License-Identifier: BSD-3-Clause */
/* Any text: a config that differs in nothing from itself, or an error with words. */
#include "weir/config/config.h"

#include <stdint.h>
#include <stdlib.h>

static void expect(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	WEIR_DIAG_ON_STACK(diag, 4096);
	struct weir_config *config = NULL;
	struct weir_config_diff *diff = NULL;
	int err;

	err = weir_config_load_string("f", (const char *)data, size, NULL, &diag, &config);
	expect(!err == !!config);
	expect(!err == !diag.len_bytes);
	if (err)
		return 0;
	expect(!weir_config_diff(config, config, &diff));
	expect(!diff->len);
	for (size_t i = 0; i < config->ports.len; i++)
		weir_config_fail(config, &config->ports.v[i].name, &diag, 0, "x");
	weir_config_diff_free(&diff);
	weir_config_free(&config);
	return 0;
}
