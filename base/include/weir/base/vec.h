/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Growable arrays: `WEIR_VEC(struct foo) foos = {0};`. The vector owns its buffer, not what its
 * elements point to. One thread at a time.
 */
#ifndef WEIR_BASE_VEC_H
#define WEIR_BASE_VEC_H

#include <stddef.h>
#include <stdlib.h>

#define WEIR_VEC(type)      \
	struct {            \
		type *v;    \
		size_t len; \
		size_t cap; \
	}

int weir_vec_grow(void **v, size_t *cap, size_t need, size_t elem_bytes);

/* Room for `extra` more elements: 0 or -ENOMEM (the vector is as before). */
#define weir_vec_reserve(vec, extra)                                                    \
	((vec)->len + (extra) <= (vec)->cap                                             \
		 ? 0                                                                    \
		 : weir_vec_grow((void **)&(vec)->v, &(vec)->cap, (vec)->len + (extra), \
				 sizeof(*(vec)->v)))

/* Appends a value: 0 or -ENOMEM. */
#define weir_vec_push(vec, value) \
	(weir_vec_reserve(vec, 1) ? -ENOMEM : ((vec)->v[(vec)->len++] = (value), 0))

#define weir_vec_free(vec)                   \
	do {                                 \
		free((vec)->v);              \
		(vec)->v = NULL;             \
		(vec)->len = (vec)->cap = 0; \
	} while (0)

#define weir_vec_foreach(it, vec) for ((it) = (vec)->v; (it) < (vec)->v + (vec)->len; (it)++)

#endif
