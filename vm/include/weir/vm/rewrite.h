/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lowering: ok + map instances → the internal ISA. Removes dead code, lowers context accesses and
 * LD_ABS/LD_IND, binds maps and helpers, splices in map look-ups, and plants the budget checks.
 */
#ifndef WEIR_VM_REWRITE_H
#define WEIR_VM_REWRITE_H

#include "weir/base/diag.h"
#include "weir/vm/prog.h"

struct weir_rewrite_opts {
	bool no_inline; /* leave map look-ups and small helpers as calls */
};

/*
 * maps[i] is the instance for ok->raw.maps[i]: same definition, else -EINVAL. low borrows the
 * maps. opts may be NULL. 0, -ENOMEM, -EINVAL, -E2BIG (too long after lowering).
 */
int weir_rewrite(const struct weir_prog_ok *ok, struct weir_map *const *maps,
		 const struct weir_rewrite_opts *opts, struct weir_diag *diag,
		 struct weir_prog_low **out);

#endif
