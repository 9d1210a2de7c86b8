/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/reasons.h"

#include <string.h>

static const struct weir_reason_info reason_table[WEIR_REASON_COUNT] = {
	[WEIR_REASON_NONE] = {"none", "", ""},
#define WEIR_REASON(name, id_, title_, hint_) [WEIR_REASON_##name] = {id_, title_, hint_},
#include "weir/vm/reasons.def"
#undef WEIR_REASON
};

const struct weir_reason_info *weir_reason_info(enum weir_reason reason)
{
	if ((unsigned int)reason >= WEIR_REASON_COUNT)
		reason = WEIR_REASON_NONE;
	return &reason_table[reason];
}

enum weir_reason weir_reason_find(const char *id)
{
	for (int i = 1; i < WEIR_REASON_COUNT; i++)
		if (!strcmp(reason_table[i].id, id))
			return (enum weir_reason)i;
	return WEIR_REASON_NONE;
}
