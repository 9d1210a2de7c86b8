/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as an object. Seeds: the objects of tests/unit/vm/objects. */
#include "weir/vm/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	WEIR_DIAG_ON_STACK(diag, 1024);
	struct weir_plan *plan = NULL;

	struct weir_object_opts opts = {0};
	struct weir_plan *again = NULL;

	if (weir_object_parse(data, size, "fuzz.o", NULL, &diag, &plan))
		return 0;
	/* CO-RE against its own types. */
	opts.target_btf = plan->btf;
	weir_object_parse(data, size, "fuzz.o", &opts, &diag, &again);
	weir_plan_free(&again);
	weir_plan_free(&plan);
	return 0;
}
