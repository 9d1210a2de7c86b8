/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What goes over weird's control socket.
 *
 * A SOCK_STREAM unix socket. The daemon speaks first (WEIR_CMD_HELLO as a reply), then the client
 * sends one request at a time and the daemon answers it. Both directions use one framing:
 *
 *   struct weir_msg, attr_bytes of attr (padded to 8), body_bytes of sections
 *
 * A section is struct weir_section, `bytes` of data, zeros up to a multiple of 8. Numbers are in
 * host byte order: both ends are on one machine.
 *
 * attr follows bpf(2)'s rules: it is as long as the client's, what the daemon does not know must
 * be zero (else E2BIG), what the client does not have counts as zero. Pointer fields carry 0 (was
 * NULL) or 1; what they point to is a section. Descriptor fields carry a slot of the connection,
 * or WEIR_SLOT_BADF / WEIR_SLOT_NOT_OBJECT; so do instructions and map values that hold
 * descriptors. Which fields those are stands in one table, src/commands.def.
 *
 * An object's descriptor is a reference token: one end of a SOCK_SEQPACKET pair whose other end
 * the daemon keeps. Nothing is sent over it; its last close drops the reference. A request may
 * carry one token by SCM_RIGHTS (WEIR_CMD_BIND); a reply at most one (a new object).
 */
#ifndef WEIR_API_PROTOCOL_H
#define WEIR_API_PROTOCOL_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#define WEIR_PROTO_MAGIC    0x52494557U /* "WEIR" */
#define WEIR_PROTO_VERSION  1
#define WEIR_SOCKET_DEFAULT "/run/weir/control.sock"

#define WEIR_ATTR_BYTES       168         /* sizeof(union bpf_attr) of Linux 6.18 */
#define WEIR_ATTR_SIZE_MAX    4096        /* bpf(2) takes no longer attr */
#define WEIR_BODY_BYTES_MAX   (48U << 20) /* 1M instructions with line info and their BTF */
#define WEIR_INSNS_MAX        1000000
#define WEIR_PATH_BYTES       256
#define WEIR_PRIORITY_DEFAULT 50 /* where weirctl and links attach unless told otherwise */

#define WEIR_MSG_REPLY 1 /* weir_msg.flags */

struct weir_msg {
	uint32_t magic;
	uint16_t version;
	uint16_t flags;
	uint32_t serial; /* chosen by the client, repeated in the reply */
	uint32_t cmd;    /* enum bpf_cmd or enum weir_cmd */
	int32_t result;  /* reply: what the call returns, or -errno; request: 0 */
	uint32_t attr_bytes;
	uint32_t body_bytes;
	uint32_t fd_count; /* descriptors passed with the first byte: 0 or 1 */
};

struct weir_section {
	uint32_t id; /* enum weir_section_id */
	uint32_t bytes;
};

enum weir_section_id {
	WEIR_SEC_NONE = 0,
	WEIR_SEC_KEY,
	WEIR_SEC_VALUE,
	WEIR_SEC_NEXT_KEY,
	WEIR_SEC_INSNS,
	WEIR_SEC_LICENSE,
	WEIR_SEC_FUNC_INFO,
	WEIR_SEC_LINE_INFO,
	WEIR_SEC_FD_ARRAY, /* slots, u32 each */
	WEIR_SEC_BTF,
	WEIR_SEC_LOG,
	WEIR_SEC_DATA,
	WEIR_SEC_CTX,
	WEIR_SEC_PATH,
	WEIR_SEC_INFO,
	/* What an info's pointers point to, in the order of struct bpf_prog_info and friends. */
	WEIR_SEC_INFO_XLATED,
	WEIR_SEC_INFO_JITED,
	WEIR_SEC_INFO_MAP_IDS,
	WEIR_SEC_INFO_NAME,
	WEIR_SEC_INFO_BTF,
	WEIR_SEC_INFO_FUNCS,
	WEIR_SEC_INFO_LINES,
	WEIR_SEC_DESC, /* struct weir_object_desc of the passed descriptor */
	WEIR_SEC_RECS, /* an array of the command's record */
	WEIR_SEC_TEXT, /* an error's text or the command's; not terminated */
	WEIR_SEC_PORT, /* a port's name */
	WEIR_SEC_COUNT,
};

#define WEIR_SLOT_FIRST      1U
#define WEIR_SLOT_BADF       UINT32_MAX       /* not an open descriptor: EBADF */
#define WEIR_SLOT_NOT_OBJECT (UINT32_MAX - 1) /* open, but no object of weird's: EINVAL */
#define WEIR_SLOT_STALE      (UINT32_MAX - 2) /* a token of a weird that is gone: ESTALE */

enum weir_role_bits {
	WEIR_ROLE_BIT_READ = 1,  /* lists, statistics */
	WEIR_ROLE_BIT_ADMIN = 2, /* everything */
};

/* weir's own commands; Linux's are enum bpf_cmd. Numbers are never reused. */
enum weir_cmd {
	WEIR_CMD_HELLO = 0x10000, /* first message of a connection, from the daemon */
	WEIR_CMD_BIND,            /* token → slot; the descriptor comes with the request */
	WEIR_CMD_STATUS,
	WEIR_CMD_WORKER_LIST,
	WEIR_CMD_PORT_LIST,
	WEIR_CMD_PORT_STATS,
	WEIR_CMD_PORT_DROPS,
	WEIR_CMD_ATTACH,
	WEIR_CMD_ATTACH_LIST,
	WEIR_CMD_PROG_META,
	WEIR_CMD_PROG_LIST,
	WEIR_CMD_MAP_LIST,
	WEIR_CMD_LINK_LIST,
	WEIR_CMD_PIN_LIST,
	WEIR_CMD_UNPIN,
	WEIR_CMD_MAP_LOOKUP, /* typed: one slot's value or all slots' */
	WEIR_CMD_MAP_UPDATE,
	WEIR_CMD_MAP_DUMP,
	WEIR_CMD_TRACE,
	WEIR_CMD_END,
};

/* attr of any command: Linux's, what is newer than this system's <linux/bpf.h>, and weir's own. */
union weir_attr {
	union bpf_attr bpf;
	uint8_t bytes[WEIR_ATTR_BYTES];
	struct {
		uint8_t before[140];
		uint32_t log_true_size;
		int32_t prog_token_fd;
		uint32_t fd_array_cnt;
		uint64_t signature;
		uint32_t signature_size;
		int32_t keyring_id;
	} prog_load;
	struct {
		uint8_t before[72];
		int32_t value_type_btf_obj_fd;
		int32_t map_token_fd;
		uint64_t excl_prog_hash;
		uint32_t excl_prog_hash_size;
	} map_create;
	struct {
		uint8_t before[28];
		uint32_t log_true_size;
		uint32_t flags;
		int32_t token_fd;
	} btf_load;
	struct weir_attr_hello {
		uint32_t role;          /* enum weir_role_bits */
		uint32_t possible_cpus; /* values a per-CPU element has in bpf(2)'s commands */
		uint32_t slots;         /* values it has in weir's commands */
		uint32_t zero;
	} hello;
	struct weir_attr_attach {
		uint32_t prog_fd; /* WEIR_SLOT_BADF: detach */
		uint32_t hook;    /* enum weir_api_hook */
		uint32_t priority;
		uint32_t expected_id; /* program there now; 0: none; UINT32_MAX: any */
		uint64_t queues;      /* bit mask of RX queues; 0: all */
		uint32_t flags;       /* WEIR_ATTACH_* */
		uint32_t old_id;      /* out: the program that was there */
	} attach;                     /* port in WEIR_SEC_PORT */
	struct weir_attr_prog {
		uint32_t prog_fd;
	} prog; /* PROG_META: WEIR_SEC_RECS holds struct weir_origin_rec */
	struct weir_attr_list {
		uint32_t first_id; /* records from this id on */
	} list;
	struct weir_attr_elem {
		uint32_t map_fd;
		int32_t cpu; /* slot number, or -1: all slots' values */
		uint64_t flags;
	} elem;
	struct weir_attr_dump {
		uint32_t map_fd;
		uint32_t max_elems;   /* in: at most so many */
		uint32_t elems;       /* out */
		uint32_t value_bytes; /* out: bytes of one element's value(s) */
		uint32_t done;        /* out: 1 after the last element */
	} dump; /* WEIR_SEC_KEY in: continue after it; WEIR_SEC_VALUE out: key, value, key, …;
		 * WEIR_SEC_NEXT_KEY out: what to continue after */
	struct weir_attr_trace {
		uint64_t cursor; /* in: 0 or the last reply's; out */
		uint64_t lost;   /* out: lines dropped since weird started */
	} trace;                 /* WEIR_SEC_TEXT out: whole lines */
};

#define WEIR_ATTACH_GUARD       1 /* a socket filter at tc: 0 drops */
#define WEIR_ATTACH_ALLOW_STUBS 2 /* helpers that only answer "not found" are accepted */

enum weir_api_hook { WEIR_API_HOOK_XDP, WEIR_API_HOOK_TC, WEIR_API_HOOK_TAP };

enum weir_object_kind {
	WEIR_OBJECT_NONE = 0,
	WEIR_OBJECT_PROG,
	WEIR_OBJECT_MAP,
	WEIR_OBJECT_BTF,
	WEIR_OBJECT_LINK,
	WEIR_OBJECT_ANY, /* in the command table only */
};

/* What a client needs to know of an object it holds a token of. */
struct weir_object_desc {
	uint32_t slot;
	uint32_t kind; /* enum weir_object_kind */
	uint32_t id;
	uint32_t map_type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t value_bytes;      /* an element's value as bpf(2) transfers it */
	uint32_t slot_value_bytes; /* an element's value for all slots */
};

/* Records of the list commands. Text is NUL-terminated. Times are CLOCK_REALTIME nanoseconds. */
struct weir_status_rec {
	char version[32];
	char dpdk_version[64];
	char reasons[512]; /* one a line: why degraded */
	uint64_t started_ns;
	uint32_t pid;
	uint32_t slots;
	uint32_t possible_cpus;
	uint32_t workers;
	uint32_t ports;
	uint32_t eal_running, hugepages, degraded, jit;
	uint32_t progs, maps, btfs, links, pins, tokens, clients, connections;
	uint64_t map_bytes;
	uint64_t mbufs_total, mbufs_free, mbufs_in_use;
	uint64_t jobs_done, jobs_queued;
	uint64_t denied; /* refused connections and requests for want of rights or by a limit */
};

struct weir_worker_rec {
	uint32_t index, slot, cpu, zero;
	uint64_t loops, packets, bursts, idle_sleeps;
};

struct weir_port_rec {
	char name[64];
	char device[128];
	char state[16];
	char mac[24];
	uint32_t index, ifindex, rx_queues, tx_queues, mtu, required;
};

/* The ledger; see struct weir_ledger in the daemon and docs/ARCHITECTURE.md for the equations. */
struct weir_port_stats_rec {
	char name[64];
	uint64_t rx, rx_bytes, injected, cloned;
	uint64_t drop, aborted, pass, tx, redirect, in_flight;
	uint64_t own_tx, redirected_in, from_kernel, passed_in;
	uint64_t sent, sent_bytes, tx_full, tx_error, out_in_flight;
	uint64_t to_kernel, kernel_full, to_port, pass_dropped;
	uint64_t drop_prog, drop_guard, drop_too_long, drop_no_target;
	uint64_t aborted_prog, aborted_budget, aborted_code;
	uint64_t linearised, head_grown;
	uint64_t nic_missed, nic_no_mbuf, nic_error;
};

/* One cause of loss, in the order from wire to wire. */
struct weir_drop_rec {
	char port[64];
	char cause[32];  /* stable: "nic-missed", "prog", "tx-full", … */
	char where[16];  /* "wire", "in", "pass", "out" */
	char detail[96]; /* program or explanation */
	uint64_t packets;
};

struct weir_attach_rec {
	char port[64];
	char prog_name[16];
	uint32_t ifindex;
	uint32_t hook;
	uint32_t priority;
	uint32_t prog_id;
	uint64_t queues;
	uint64_t since_ns;
	uint32_t previous_id; /* what a run-budget detach restores; 0: none */
	uint32_t guard;
	uint32_t link_id; /* 0: owned by the daemon */
	uint32_t zero;
};

struct weir_origin_rec {
	char path[WEIR_PATH_BYTES];
	char sha256[65];
	char section[63];
};

struct weir_prog_rec {
	uint32_t id, type;
	char name[16];
	uint8_t tag[8];
	uint32_t uid, pid;
	char comm[16]; /* of the process that loaded it; "weird" for the configuration's */
	struct weir_origin_rec origin;
	uint64_t loaded_ns;
	uint32_t insns, verified_insns; /* as loaded; processed by the verifier */
	uint32_t xlated_bytes, jited_bytes;
	uint32_t map_count;
	uint32_t map_ids[64]; /* the first 64 */
	uint32_t btf_id, has_frags, gpl_compatible, refs;
	uint64_t runs, run_ns, verdicts[8], budget_overruns;
	uint64_t verify_ns, jit_ns;
};

struct weir_map_rec {
	uint32_t id, type;
	char name[16];
	uint32_t key_size, value_size, max_entries, flags;
	uint32_t btf_id, btf_key_type_id, btf_value_type_id;
	uint32_t frozen, is_per_cpu, refs;
	uint64_t bytes, elems, created_ns;
	uint32_t uid, pid;
};

struct weir_link_rec {
	uint32_t id, prog_id, ifindex, hook, priority, attached;
	char port[64];
	uint32_t uid, pid;
};

struct weir_pin_rec {
	char path[WEIR_PATH_BYTES];
	uint32_t kind, id, uid, gid, mode, zero;
};

#endif
