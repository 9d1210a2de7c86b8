/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading the conformance suites' ELF programs: one executable section, a function `main`. */
#ifndef WEIR_TESTS_ELF_MAIN_H
#define WEIR_TESTS_ELF_MAIN_H

#include <stddef.h>
#include <stdint.h>

#include "weir/base/diag.h"

struct bytes { /* as WEIR_VEC(uint8_t) */
	uint8_t *v;
	size_t len;
	size_t cap;
};

/*
 * Replaces an ET_REL, EM_BPF file by its instructions, main's first, with the calls between its
 * functions resolved. 0, -EINVAL with text, -ENOMEM.
 */
int elf_main(struct bytes *file, struct weir_diag *diag);

#endif
