/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the classic BPF converter: the check, apart from the translation. */
#ifndef WEIR_VM_SRC_CBPF_H
#define WEIR_VM_SRC_CBPF_H

#include <stdbool.h>

#include "weir/vm/cbpf.h"

/* A load of the packet's surroundings rather than of its bytes? */
bool cbpf_is_ancillary(const struct sock_filter *insn);
/* Linux's conditions on a whole filter. 0 or -EINVAL with the place. */
int cbpf_check(const struct sock_filter *filter, uint32_t count, struct weir_diag *diag);

#endif
