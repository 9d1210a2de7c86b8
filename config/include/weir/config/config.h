/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration of weird: YAML text in, one checked, immutable model out.
 *
 * A `struct weir_config` and all that hangs off it live in one arena that weir_config_free()
 * releases; every string and array below is borrowed from it. Nothing in the model changes after a
 * load, so any number of threads may read it. Loading, freeing and diffing may block and allocate:
 * control threads only.
 *
 * Where a key may be left out, its default is in the model. The text forms (units, words, ranges)
 * are those of weir_config_schema_print(). "auto" is kept as 0 where 0 is no legal value, so that
 * the daemon chooses.
 */
#ifndef WEIR_CONFIG_CONFIG_H
#define WEIR_CONFIG_CONFIG_H

#include "weir/base/diag.h"
#include "weir/base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define WEIR_CONFIG_MAX_WORKERS   127 /* DPDK's lcores in Debian's build, less the main one */
#define WEIR_CONFIG_MAX_RX_QUEUES 64  /* a set of queues is a uint64_t */
#define WEIR_CONFIG_MAX_PORTS     256
#define WEIR_CONFIG_MAX_PROGRAMS  1024
#define WEIR_CONFIG_ANY_CPU       UINT32_MAX
#define WEIR_CONFIG_ALL_QUEUES    UINT64_MAX
#define WEIR_CONFIG_NEVER_NS      UINT64_MAX

/*
 * Where an element began in its file; lines and columns count from 1, columns in characters. line
 * is 0 for an element that no file mentions (all defaults).
 */
struct weir_config_loc {
	const char *file;
	uint32_t line;
	uint32_t column;
};

struct weir_config_strings {
	const char *const *v;
	size_t len;
};

struct weir_config_numbers {
	const uint32_t *v;
	size_t len;
};

struct weir_config_log {
	struct weir_config_loc loc;
	enum weir_log_level level;
};

struct weir_config_control {
	struct weir_config_loc loc;
	/* NULL: /run/weir/control.sock for root, $XDG_RUNTIME_DIR/weir/control.sock for others. */
	const char *socket;
	uint32_t mode;     /* permission bits of the socket */
	const char *group; /* of the socket, and what may read; NULL: the daemon's own */
};

enum weir_config_hugepages {
	WEIR_CONFIG_HUGEPAGES_AUTO,    /* use them where there are any, else warn and go without */
	WEIR_CONFIG_HUGEPAGES_REQUIRE, /* do not start without */
	WEIR_CONFIG_HUGEPAGES_NEVER,
};

struct weir_config_eal {
	struct weir_config_loc loc;
	uint64_t memory_bytes; /* 0: auto, from the mbufs that the ports need */
	enum weir_config_hugepages hugepages;
	uint32_t main_cpu; /* WEIR_CONFIG_ANY_CPU: wherever the scheduler puts it */
	uint32_t mbufs;    /* of the packet pool; 0: auto, from queues and descriptors */
	enum weir_log_level log_level;
	struct weir_config_strings extra_args; /* appended to EAL's arguments as they are */
};

struct weir_config_worker {
	struct weir_config_loc loc;
	uint32_t cpu; /* WEIR_CONFIG_ANY_CPU: not pinned by the file */
};

struct weir_config_workers {
	const struct weir_config_worker *v; /* worker i is v[i] */
	size_t len;                         /* 1 to WEIR_CONFIG_MAX_WORKERS */
};

struct weir_config_idle {
	struct weir_config_loc loc;
	uint64_t sleep_after_ns; /* without a packet; WEIR_CONFIG_NEVER_NS: poll for ever */
	uint64_t sleep_ns;       /* each sleep */
};

struct weir_config_directories {
	struct weir_config_loc loc;
	const char *state; /* NULL: /var/lib/weir for root, else below $XDG_RUNTIME_DIR/weir */
	struct weir_config_strings programs; /* searched in order, see weir_config_object_find() */
};

/* For each client (a uid; connections of one process count together). */
struct weir_config_limits {
	struct weir_config_loc loc;
	uint32_t connections;
	uint32_t objects; /* programs, maps, BTF, links */
	uint64_t in_flight_bytes;
	uint64_t memory_bytes; /* of maps and programs */
	uint64_t instructions; /* of programs that wait for the verifier or are in it */
};

enum weir_config_port_kind {
	WEIR_CONFIG_PORT_PCI,       /* device: a PCI address, then perhaps ",key=value" */
	WEIR_CONFIG_PORT_VDEV,      /* device: a DPDK virtual device, e.g. "net_null0,size=64" */
	WEIR_CONFIG_PORT_PCAP,      /* pcap */
	WEIR_CONFIG_PORT_TAP,       /* tap */
	WEIR_CONFIG_PORT_INTERFACE, /* interface, through af_packet */
};

struct weir_config_pcap {
	struct weir_config_loc loc;
	/* One RX queue a file. Paths are joined with the config file's directory and comma-free. */
	struct weir_config_strings rx;
	const char *tx; /* NULL: what is sent is counted and dropped */
	bool infinite;  /* replay for ever */
};

struct weir_config_tap {
	struct weir_config_loc loc;
	const char *interface; /* of the kernel interface that is made; NULL if there is no tap */
};

/* What becomes of a packet that XDP_PASS or a tc verdict lets through. */
struct weir_config_pass {
	struct weir_config_loc loc;
	const char *to;    /* name of a port; NULL: dropped, and counted as dropped by the config */
	uint32_t port_idx; /* of `to`, in weir_config.ports */
};

struct weir_config_port {
	struct weir_config_loc loc;
	const char *name;                /* unique, [a-z][a-z0-9_.-]*, at most 31 bytes */
	enum weir_config_port_kind kind; /* which of the four below is meant */
	const char *device;              /* NULL unless PCI or VDEV */
	struct weir_config_pcap pcap;
	struct weir_config_tap tap;
	const char *interface; /* NULL unless INTERFACE */

	bool required;  /* false: may be absent at start, the status is then degraded */
	bool take_over; /* may take the device that carries the default route */
	bool promiscuous;
	uint32_t rx_queues;      /* 1 to WEIR_CONFIG_MAX_RX_QUEUES */
	uint32_t tx_queues;      /* 0: auto, one a worker as far as the device has them */
	uint32_t rx_descriptors; /* per queue */
	uint32_t tx_descriptors;
	uint32_t mtu_bytes;                 /* 0: auto, what the device has */
	struct weir_config_numbers workers; /* RX queue q is served by v[q % len]; len 0: auto */
	struct weir_config_pass pass;
};

enum weir_config_hook {
	WEIR_CONFIG_HOOK_XDP,
	WEIR_CONFIG_HOOK_TC,
	WEIR_CONFIG_HOOK_TAP,
};

enum weir_config_prog_type {
	WEIR_CONFIG_PROG_AUTO, /* by the program's section in the object */
	WEIR_CONFIG_PROG_XDP,
	WEIR_CONFIG_PROG_SCHED_CLS,
	WEIR_CONFIG_PROG_SCHED_ACT,
	WEIR_CONFIG_PROG_SOCKET_FILTER,
};

/* Lives at PORT/HOOK/PRIORITY, which is unique in a config. */
struct weir_config_attach {
	struct weir_config_loc loc;
	const char *port;
	uint32_t port_idx; /* in weir_config.ports */
	uint64_t queues;   /* bit q: RX queue q; WEIR_CONFIG_ALL_QUEUES where none is named */
	enum weir_config_hook hook; /* where none is given: by the type where that is, else xdp */
	uint32_t priority;          /* the lower runs first */
	uint32_t order;             /* of the text, over all programs */
};

struct weir_config_attaches {
	const struct weir_config_attach *v;
	size_t len;
};

struct weir_config_map {
	struct weir_config_loc loc;
	const char *name; /* in the object */
	const char *pin;  /* absolute path in weir's pin namespace */
};

struct weir_config_maps {
	const struct weir_config_map *v;
	size_t len;
};

struct weir_config_program {
	struct weir_config_loc loc;
	const char *name;    /* unique, as a port's, at most 63 bytes */
	const char *object;  /* as written; weir_config_object_find() finds the file */
	const char *program; /* function name; NULL: by section, or the object's only program */
	const char *section; /* never set together with program */
	enum weir_config_prog_type type;
	const char *pin; /* NULL, or where the program is pinned */
	struct weir_config_attaches attach;
	struct weir_config_maps maps;
	bool allow_stubs; /* attach although helpers are missing */
};

struct weir_config_ports {
	const struct weir_config_port *v;
	size_t len;
};

struct weir_config_programs {
	const struct weir_config_program *v;
	size_t len;
};

struct weir_config_store;

struct weir_config {
	struct weir_config_loc loc; /* file: the main one */
	uint32_t version;           /* 1 */
	struct weir_config_log log;
	struct weir_config_control control;
	struct weir_config_eal eal;
	struct weir_config_workers workers;
	struct weir_config_idle idle;
	uint64_t run_budget_ns; /* of one run of a program over one packet */
	uint64_t drain_ns;      /* how long a stop waits for packets in flight */
	struct weir_config_directories directories;
	struct weir_config_limits limits;
	struct weir_config_ports ports;
	struct weir_config_programs programs;
	struct weir_config_store *store; /* the library's own: arena and places */
};

/* NULL stands for all zeros. */
struct weir_config_opts {
	bool no_drop_ins;    /* read the named file alone */
	uint32_t max_errors; /* reported before the rest is only counted; 0: 20 */
};

/*
 * Reads `path` and then, in lexical order of their names, the files *.yaml of the directory beside
 * it that has its name with ".d" for ".yaml" (weir.yaml: weir.d). A drop-in's settings replace
 * earlier ones; its ports and programs are added.
 *
 * On failure *out is untouched and diag holds one line an error, `file:line:col: path: what,
 * expected what`, without a newline after the last. -EINVAL: the text is wrong; -EFBIG: a file over
 * 1 MiB; -ENOMEM; else what open(2) or read(2) said.
 */
int weir_config_load(const char *path, const struct weir_config_opts *opts, struct weir_diag *diag,
		     struct weir_config **out);

/* The same for text in memory, without drop-ins. `name` stands for the path in messages and for
 * relative paths in the text. Neither is kept. */
int weir_config_load_string(const char *name, const char *text, size_t len_bytes,
			    const struct weir_config_opts *opts, struct weir_diag *diag,
			    struct weir_config **out);

/* Takes the config; NULL is fine; *config is NULL afterwards. */
void weir_config_free(struct weir_config **config);

/*
 * Appends `file:line:col: path: text` to diag (a line of its own if diag holds text already) and
 * returns err. `field` is the address of anything in the model: an element, a field, an entry of a
 * list. What the file left out is reported at the element that holds it.
 */
int weir_config_fail(const struct weir_config *config, const void *field, struct weir_diag *diag,
		     int err, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The place of a field, by the same rule. */
struct weir_config_loc weir_config_locate(const struct weir_config *config, const void *field);

/* By name; NULL if there is none. */
const struct weir_config_port *weir_config_port_find(const struct weir_config *config,
						     const char *name);
const struct weir_config_program *weir_config_program_find(const struct weir_config *config,
							   const char *name);

/*
 * The file of a program's object: an absolute path as it is, else the first that exists of the
 * directory of the config file that names the program, and directories.programs. *out is the
 * caller's to free(). -ENOENT (diag names the places tried), -ENOMEM.
 */
int weir_config_object_find(const struct weir_config *config,
			    const struct weir_config_program *program, struct weir_diag *diag,
			    char **out);

const char *weir_config_hook_name(enum weir_config_hook hook);
const char *weir_config_prog_type_name(enum weir_config_prog_type type);

enum weir_config_change_kind {
	WEIR_CONFIG_ADDED,
	WEIR_CONFIG_REMOVED,
	WEIR_CONFIG_CHANGED,
};

enum weir_config_subject {
	WEIR_CONFIG_SETTING,    /* a top-level key, or one of a section */
	WEIR_CONFIG_PORT,       /* matched by name */
	WEIR_CONFIG_PROGRAM,    /* matched by name */
	WEIR_CONFIG_ATTACHMENT, /* matched by program and PORT/HOOK/PRIORITY */
};

/* What it takes to make a change true, the mildest first. */
enum weir_config_effect {
	WEIR_CONFIG_LIVE,         /* at once, without touching a packet */
	WEIR_CONFIG_PORT_RESTART, /* no more than a restart of the port; weird does not do that yet
				   */
	WEIR_CONFIG_RESTART,      /* weird has to be restarted */
};

struct weir_config_change {
	enum weir_config_change_kind kind;
	enum weir_config_subject subject;
	enum weir_config_effect effect;
	const char *path;     /* "log.level", "ports.wan.mtu", "programs.fw.attach.wan/xdp/50" */
	const char *from;     /* value as text; NULL where there was none */
	const char *to;       /* value as text; NULL where there is none */
	const void *old_elem; /* borrowed from old: port, program or attach; NULL if none */
	const void *new_elem; /* borrowed from new */
};

struct weir_config_diff {
	const struct weir_config_change *v;
	size_t len;
	enum weir_config_effect effect; /* the strongest of all; LIVE if there is none */
	struct weir_arena *arena;       /* owned; holds v and the texts */
};

/*
 * What leads from old to new: settings, ports removed, changed and added, then programs and
 * their attachments. A changed key is one change. Both configs must outlive the diff. 0 or -ENOMEM.
 */
int weir_config_diff(const struct weir_config *old, const struct weir_config *new,
		     struct weir_config_diff **out);
void weir_config_diff_free(struct weir_config_diff **diff);

/* Writes the reference of every key as Markdown. 0 or -EIO. */
int weir_config_schema_print(FILE *out);
/* The same as sections of a manual page (mdoc). */
int weir_config_schema_print_mdoc(FILE *out);

#endif
