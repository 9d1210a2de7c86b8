/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One program, several ways to run it, the same packets: what main.c and the contenders share.
 * One thread.
 */
#ifndef WEIR_BENCH_H
#define WEIR_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/vm/object.h"

struct refmap;

#define HEADROOM 128U /* what a NIC's buffers have */

/* Packet buffers, each with a frame of its own place in memory. */
struct packet {
	uint8_t *data;
	uint8_t *data_end;
};

struct packets {
	uint8_t *memory;
	uint32_t stride; /* bytes from buffer to buffer */
	uint32_t count;
	uint32_t distinct; /* different frames */
	struct packet *at;
};

/* Frames of a capture, round and round, into `count` buffers. want: takes a frame or not; NULL:
 * all. 0 or -errno with text. */
int packets_load(const char *path, uint32_t count, bool (*want)(const uint8_t *frame, uint32_t len),
		 struct weir_diag *diag, struct packets *out);
void packets_free(struct packets *packets);

/* A row: a program and the work it does. */
struct workload {
	const char *name;
	const char *object; /* file name without .bpf.o */
	uint32_t (*native)(void *ctx);
	void *native_map; /* the program's map variable, NULL: none */
	bool (*want)(const uint8_t *frame, uint32_t len);
	bool fill_flows; /* the map holds the 64k flows of the frames */
	/* Largest ratios that pass; 0: none was set. */
	double native_goal, rte_goal;
};

/* Everything a contender is made from. The plans are of the same source, for cpu v3 and v2. */
struct made_from {
	const struct workload *work;
	const char *object_path;
	const struct weir_plan *plan, *plan_v2;
};

/* Entry i of the flow table: a 5-tuple as hash_lookup.bpf.c packs it. */
#define FLOW_COUNT     65536U
#define FLOW_KEY_BYTES 16U
void flow_key(uint32_t i, uint8_t key[FLOW_KEY_BYTES]);

struct contender {
	const char *name;
	bool is_kernel; /* runs some of the packets, each many times */
	/* 0 and *out, or -errno and why not; then the row shows "cannot". */
	int (*open)(const struct made_from *from, struct weir_diag *diag, void **out);
	/* Runs every packet once. The sum of verdicts, each times its packet's index plus one. */
	uint64_t (*pass)(void *self, const struct packets *packets);
	/* One packet's verdict; the kernel's way to be compared. */
	uint32_t (*judge)(void *self, const struct packet *packet);
	/* The machine code, NULL if there is none to show. */
	const void *(*image)(void *self, size_t *size_bytes);
	void (*close)(void *self);
};

extern const struct contender contender_native, contender_kernel, contender_rte_bpf,
	contender_weir_interp, contender_weir_jit;

/* The kernel alone: CPU time of some of the packets, `repeat` runs each, ns per run; of the program
 * and of one that returns at once. 0 or -errno. */
int kernel_time(void *self, const struct packets *packets, uint32_t repeat, double *program_ns,
		double *trivial_ns);

/* CPU time of this thread. */
uint64_t cpu_ns(void);

/* The map of the plan that programs call helpers on (no global data), or NULL. */
const struct weir_plan_map *plan_helper_map(const struct weir_plan *plan);
/* A map of the bench's own for it, with what the workload wants in it. */
struct refmap *refmap_of_plan(const struct made_from *from);

#endif
