/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows of bench-programs. */
#ifndef WEIR_BENCH_ROWS_H
#define WEIR_BENCH_ROWS_H

#include "bench.h"

extern const struct workload rows[];
extern const size_t row_count;

#endif
