/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/base/vec.h"

#include <errno.h>
#include <stdint.h>

int weir_vec_grow(void **v, size_t *cap, size_t need, size_t elem_bytes)
{
	size_t want = *cap ? *cap : 8;
	size_t bytes;
	void *p;

	while (want < need) {
		if (want > SIZE_MAX / 2)
			return -ENOMEM;
		want *= 2;
	}
	if (__builtin_mul_overflow(want, elem_bytes, &bytes))
		return -ENOMEM;
	p = realloc(*v, bytes);
	if (!p)
		return -ENOMEM;
	*v = p;
	*cap = want;
	return 0;
}
