/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytecode → internal ISA without a verifier, for tests of the engines alone. In a library of its
 * own (vm_unchecked_dep) that weird and weirctl never link.
 */
#ifndef WEIR_VM_UNCHECKED_H
#define WEIR_VM_UNCHECKED_H

#include "weir/base/diag.h"
#include "weir/vm/prog.h"

/*
 * Takes the shape of insns as weir_isa_check() knows it at WEIR_ISA_LOW (nothing of Linux's
 * contexts or maps; TAIL_CALL and BUDGET are allowed). A helper call's imm is a helper number,
 * which find() turns into a function (NULL: no such helper; find NULL: weir_helper_find). Every
 * function gets the whole 512-byte stack. 0; -EINVAL with text; -ENOMEM.
 */
int weir_low_from_raw_unchecked(const struct bpf_insn *insns, uint32_t insn_count,
				weir_helper_fn (*find)(uint32_t helper_id), struct weir_diag *diag,
				struct weir_prog_low **out);

#endif
