/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scope-bound cleanup. `weir_autofree char *p = NULL;` frees p when it leaves its scope;
 * `weir_take(p)` hands ownership on and leaves NULL (or -1) behind.
 */
#ifndef WEIR_BASE_CLEANUP_H
#define WEIR_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void weir_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void weir_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void weir_cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define weir_cleanup(fn) __attribute__((cleanup(fn)))
#define weir_autofree    weir_cleanup(weir_cleanup_free)
#define weir_autoclose   weir_cleanup(weir_cleanup_close)
#define weir_autofclose  weir_cleanup(weir_cleanup_fclose)

#define weir_take(p)                       \
	({                                 \
		__typeof__(p) take_ = (p); \
		(p) = NULL;                \
		take_;                     \
	})
#define weir_take_fd(fd)          \
	({                        \
		int take_ = (fd); \
		(fd) = -1;        \
		take_;            \
	})

#endif
