/* SPDX-License-Identifier: BSD-3-Clause */
/* A running data plane for tests: config text in, programs as C functions, captures made here. */
#ifndef WEIR_TESTS_PLANE_FIXTURE_H
#define WEIR_TESTS_PLANE_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "plane.h"
#include "weir/vm/exec.h"
#include "weir/vm/pkt.h"
#include "weir_test.h"

#define TEST_SLOTS 8

struct test_prog {
	struct weir_plane_prog p;
	struct weir_code code;
	int held;
};

struct test_plane {
	char dir[64]; /* of captures and config; removed at the end */
	struct weir_config *config;
	struct weir_plane *plane;
	int errors; /* lines of level error that weird logged */
	int budget_detaches;
	uint32_t budget_restored;
};

int test_plane_setup(void **state);
int test_plane_teardown(void **state);
/* 0 or what weir_plane_start() returned, with its text in `why` (256 bytes; may be NULL). */
int test_plane_start(struct test_plane *t, char *why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The prog lives until the test ends. */
struct test_prog *test_prog_new(uint32_t id, uint32_t type, weir_entry_fn entry);
void test_attach(struct test_plane *t, uint32_t port, enum weir_hook hook, uint32_t priority,
		 uint32_t expected_id, struct test_prog *prog);
/* Ticks for so long. */
void test_run_ms(struct test_plane *t, uint32_t ms);
/* Ticks until the port's capture ended and nothing is in flight. */
void test_run_to_end(struct test_plane *t, uint32_t port);
/* Stops, checks every port's ledger, and that no buffer and no program is left behind. */
void test_stop(struct test_plane *t);
struct weir_ledger test_ledger(struct test_plane *t, uint32_t port);
uint64_t test_prog_runs(const struct test_prog *prog);

struct test_packet {
	uint32_t len;
	uint8_t bytes[65535];
};
/* Appends an Ethernet frame of `len` bytes whose bytes count on from `seed` behind the header. */
void test_pcap_create(const char *path);
void test_pcap_append(const char *path, const void *bytes, uint32_t len);
/* Reads the index-th record; false: there is none. */
bool test_pcap_read(const char *path, uint32_t index, struct test_packet *out);

#endif
