/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as BTF; what parses is printed, and its values too. */
#include <stdlib.h>

#include "weir/vm/btf_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	WEIR_DIAG_ON_STACK(diag, 1024);
	static const uint8_t value[4096];
	struct weir_btf *btf;

	if (weir_btf_parse(data, size, &diag, &btf))
		return 0;
	for (uint32_t id = 0; id <= weir_btf_type_count(btf) && id < 64; id++) {
		uint8_t out[64];
		int64_t bytes = weir_btf_size(btf, id);

		weir_btf_type_print(btf, id, &diag);
		weir_btf_value_print(btf, id, value, sizeof(value), &diag);
		if (bytes >= 0 && bytes <= 64)
			weir_btf_value_parse(btf, id, "{1,{2,x=3},\"a\"}", NULL, out,
					     (size_t)bytes);
	}
	weir_btf_free(&btf);
	return 0;
}
