/* SPDX-License-Identifier: BSD-3-Clause */
/* The program compiled for this machine from the same source. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "refmap.h"

/* What native/linux/bpf.h makes of both contexts. */
struct native_ctx {
	unsigned long data;
	unsigned long data_end;
};

struct native {
	uint32_t (*run)(void *ctx);
	struct refmap *map;
};

_Noreturn void bench_load_failed(void);
_Noreturn void bench_load_failed(void)
{
	fprintf(stderr, "a frame is shorter than what the filter reads\n");
	abort();
}

static void native_close(void *self)
{
	struct native *native = self;

	refmap_free(native->map);
	free(native);
}

static int native_open(const struct made_from *from, struct weir_diag *diag, void **out)
{
	struct native *native = calloc(1, sizeof(*native));

	if (!native)
		return -ENOMEM;
	native->run = from->work->native;
	if (from->work->native_map) {
		native->map = refmap_of_plan(from);
		if (!native->map) {
			free(native);
			return weir_fail(diag, -ENOMEM, "no memory for the map");
		}
		*(struct refmap **)from->work->native_map = native->map;
	}
	*out = native;
	return 0;
}

static uint64_t native_pass(void *self, const struct packets *packets)
{
	uint32_t (*run)(void *ctx) = ((struct native *)self)->run;
	struct native_ctx ctx;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < packets->count; i++) {
		ctx.data = (unsigned long)packets->at[i].data;
		ctx.data_end = (unsigned long)packets->at[i].data_end;
		sum += (uint64_t)run(&ctx) * (i + 1);
	}
	return sum;
}

static uint32_t native_judge(void *self, const struct packet *packet)
{
	struct native_ctx ctx = {(unsigned long)packet->data, (unsigned long)packet->data_end};

	return ((struct native *)self)->run(&ctx);
}

const struct contender contender_native = {
	.name = "native",
	.open = native_open,
	.pass = native_pass,
	.judge = native_judge,
	.close = native_close,
};
