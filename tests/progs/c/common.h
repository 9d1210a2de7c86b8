/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The verifier corpus: a file holds one program; built with -DOFFENCE it is that program's bad
 * twin, which differs only where PICK chooses.
 */
#ifndef CORPUS_COMMON_H
#define CORPUS_COMMON_H

#include "net.h"
#include <linux/pkt_cls.h>

#ifdef OFFENCE
#define PICK(good, bad) bad
#else
#define PICK(good, bad) good
#endif

#define LICENSE_DUAL char LICENSE[] SEC("license") = "Dual BSD/GPL"

#endif
