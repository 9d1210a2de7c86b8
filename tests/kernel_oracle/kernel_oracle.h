/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The running kernel as an oracle: maps, programs and test runs through bpf(2), for differential
 * tests and fuzzers. No libbpf: what is loaded is exactly the bytes the test holds.
 *
 * Every function returns 0 (or a descriptor) or -errno as the kernel gave it; outputs are untouched
 * on failure. Descriptors are owned by the caller, who closes them. Any thread.
 */
#ifndef WEIR_TESTS_KERNEL_ORACLE_H
#define WEIR_TESTS_KERNEL_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>

/* Largest packet PROG_TEST_RUN gives back; a run's data_out should have room for it. */
#define KERNEL_ORACLE_DATA_MAX 65536

/*
 * Whether bpf(2) loads programs and runs them here. Probes once; `reason` says why not. A TAP test
 * that cannot go on prints "1..0 # SKIP reason" and returns 0: meson takes cmocka's skip() for a
 * failure.
 */
bool kernel_oracle_usable(const char **reason);

/* The host's possible CPUs: a per-CPU value has as many copies, each rounded up to 8 bytes. */
unsigned int kernel_oracle_cpu_count(void);

struct kernel_oracle_map_def {
	const char *name; /* may be NULL; at most 15 bytes of it are used */
	uint32_t type;    /* enum bpf_map_type */
	uint32_t key_bytes;
	uint32_t value_bytes;
	uint32_t max_entries;
	uint32_t flags;
	int inner_map_fd; /* for maps of maps, else ignored */
	int btf_fd;       /* 0 if the map has no BTF */
	uint32_t btf_key_type_id;
	uint32_t btf_value_type_id;
};

/* The map's descriptor. */
int kernel_oracle_map_create(const struct kernel_oracle_map_def *def);
int kernel_oracle_map_freeze(int map_fd);
/* `value` of a per-CPU map holds kernel_oracle_cpu_count() copies. */
int kernel_oracle_map_update(int map_fd, const void *key, const void *value, uint64_t flags);
int kernel_oracle_map_lookup(int map_fd, const void *key, void *value);
int kernel_oracle_map_delete(int map_fd, const void *key);

/* The bytes one look-up copies out: of a per-CPU map, all CPUs' copies. */
size_t kernel_oracle_map_lookup_bytes(const struct kernel_oracle_map_def *def);

/* Called for each entry; nonzero ends the walk and is returned. Key and value last for the call. */
typedef int (*kernel_oracle_entry_fn)(const void *key, const void *value, void *arg);

/* Reads out a whole map. Do not change the map meanwhile: the walk could start anew. */
int kernel_oracle_map_walk(int map_fd, const struct kernel_oracle_map_def *def,
			   kernel_oracle_entry_fn fn, void *arg);

/* A map reference of a program: insns[insn_idx] is the first half of a 64-bit load. */
struct kernel_oracle_fixup {
	uint32_t insn_idx;
	int map_fd;
	bool is_value;      /* loads the address of the map's value, not of the map */
	uint32_t value_off; /* with is_value: bytes into the value */
};

struct kernel_oracle_prog_def {
	const char *name; /* may be NULL */
	uint32_t type;    /* enum bpf_prog_type */
	uint32_t expected_attach_type;
	uint32_t flags; /* BPF_F_XDP_HAS_FRAGS, … */
	const struct bpf_insn *insns;
	uint32_t insn_count;
	const struct kernel_oracle_fixup *fixups;
	uint32_t fixup_count;
	const char *license; /* NULL means "Dual BSD/GPL" */

	/* Optional BTF: needed for callbacks and global functions. */
	int btf_fd;
	const void *func_info;
	uint32_t func_info_rec_bytes;
	uint32_t func_info_count;
	const void *line_info;
	uint32_t line_info_rec_bytes;
	uint32_t line_info_count;

	/* Optional verifier log. A log that does not fit is cut, and changes no result. */
	char *log;
	uint32_t log_bytes;
	uint32_t log_level;
};

/* The program's descriptor. The instructions are copied: the caller's stay as they are. */
int kernel_oracle_prog_load(const struct kernel_oracle_prog_def *def);

int kernel_oracle_btf_load(const void *btf, uint32_t btf_bytes, char *log, uint32_t log_bytes);

struct kernel_oracle_run {
	const void *data_in;
	uint32_t data_in_bytes;
	const void *ctx_in; /* struct xdp_md or struct __sk_buff; may be NULL */
	uint32_t ctx_in_bytes;
	uint32_t flags;

	void *data_out;          /* may be NULL */
	uint32_t data_out_bytes; /* in: room; out: length of the packet (even if it was cut) */
	void *ctx_out;           /* may be NULL */
	uint32_t ctx_out_bytes;  /* in: room; out: what the kernel wrote */
	uint32_t retval;         /* out */
};

/* One run of one packet. -ENOSPC: the packet did not fit data_out; what fits is there. */
int kernel_oracle_prog_run(int prog_fd, struct kernel_oracle_run *run);

#endif
