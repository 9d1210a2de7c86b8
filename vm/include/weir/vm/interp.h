/* SPDX-License-Identifier: BSD-3-Clause */
/* The interpreter: the reference for what every instruction of the internal ISA does. */
#ifndef WEIR_VM_INTERP_H
#define WEIR_VM_INTERP_H

#include "weir/vm/prog.h"

/* Runs low; ctx in R1, exec as for any code. The run's stack is on the C stack. */
uint64_t weir_interp_run(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low);

/* The interpreter's binding of low (borrowed). 0 or -ENOMEM. */
int weir_interp_bind(const struct weir_prog_low *low, struct weir_code **out);

#endif
