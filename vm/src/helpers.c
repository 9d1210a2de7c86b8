/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/helper.h"

#include "helpers.h"
#include "weir/base/bits.h"

#define FN(name)      weir_hf_##name
#define SPECIAL(name) NULL

static const struct weir_helper rows[] = {
#define WEIR_HELPER(nm, types, flag_bits, returns, arguments, bound) \
	{                                                            \
		.id = BPF_FUNC_##nm,                                 \
		.name = "bpf_" #nm,                                  \
		.prog_types = (types),                               \
		.flags = (flag_bits),                                \
		.ret = (returns),                                    \
		.args = arguments,                                   \
		.fn = bound(nm),                                     \
	},
#include "helpers.def"
};

static const char *const names[] = {
#define NAME(nm) [BPF_FUNC_##nm] = "bpf_" #nm
	__BPF_FUNC_MAPPER(NAME)
#undef NAME
};

/* Helpers that Linux got after the headers of Debian 12; the list has been closed since. */
#define FUNC_CGRP_STORAGE_GET    210
#define FUNC_CGRP_STORAGE_DELETE 211

const struct weir_helper *weir_helper_find(uint32_t id)
{
	size_t low = 0, high = WEIR_ARRAY_LEN(rows);

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (rows[mid].id == id)
			return &rows[mid];
		if (rows[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const char *weir_helper_name(uint32_t id)
{
	if (id == BPF_FUNC_unspec)
		return NULL;
	if (id < WEIR_ARRAY_LEN(names))
		return names[id];
	if (id == FUNC_CGRP_STORAGE_GET)
		return "bpf_cgrp_storage_get";
	if (id == FUNC_CGRP_STORAGE_DELETE)
		return "bpf_cgrp_storage_delete";
	return NULL;
}

const struct weir_helper *weir_helper_table(size_t *count)
{
	*count = WEIR_ARRAY_LEN(rows);
	return rows;
}
