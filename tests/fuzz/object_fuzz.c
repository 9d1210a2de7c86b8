/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as an object. Seeds: the objects of tests/unit/vm/objects. */
#include "weir/vm/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	WEIR_DIAG_ON_STACK(diag, 1024);
	struct weir_plan *plan = NULL;

	weir_object_parse(data, size, "fuzz.o", NULL, &diag, &plan);
	weir_plan_free(&plan);
	return 0;
}
