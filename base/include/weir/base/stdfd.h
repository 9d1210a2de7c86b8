/* SPDX-License-Identifier: BSD-3-Clause */
/* The three standard descriptors. */
#ifndef WEIR_BASE_STDFD_H
#define WEIR_BASE_STDFD_H

/*
 * Occupies descriptors 0, 1 and 2 where the caller of the process left them closed: the next thing
 * opened, a socket or a file to be written, would otherwise get the number, and what is printed
 * would go into it. They are opened the wrong way round, so that using them fails as if closed.
 *
 * To be called first in main(), before other threads. 0, or -errno of open().
 */
int weir_stdfd_occupy(void);

#endif
