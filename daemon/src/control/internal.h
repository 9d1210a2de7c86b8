/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the control plane share. Everything belongs to the main thread, except a
 * job between submit and done, which is the loader's, and what says otherwise.
 *
 * References: an object lives while something holds it: a token, a pin, an attachment, a link, a
 * prog array's element, a program (its maps and BTF), a job. The last put removes it.
 */
#ifndef WEIR_DAEMON_CONTROL_INTERNAL_H
#define WEIR_DAEMON_CONTROL_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control.h"
#include "weir/api/codec.h"
#include "weir/api/command.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/base/diag.h"
#include "weir/base/log.h"
#include "weir/base/vec.h"
#include "weir/jit/jit.h"
#include "weir/maps/maps.h"
#include "weir/vm/btf.h"
#include "weir/vm/prog.h"
#include "weir/vm/verifier.h"

#include "../plane.h"

#define ENOTSUPP 524 /* Linux's own, which leaks to user space in bpf(2) */

struct client;
struct conn;
struct token;

/* ---- objects ---- */

struct obj {
	enum weir_object_kind kind;
	uint32_t id;
	uint32_t refs;
	uint32_t inner; /* of refs: those of programs to maps and of prog arrays to programs */
	bool marked;    /* reached, while collecting */
	uint64_t charged_bytes; /* of its client's memory */
	struct client *client;  /* charged for it; NULL: weird itself */
	uint32_t uid, gid, pid;
	char comm[16];
	uint64_t created_ns; /* CLOCK_REALTIME */
	struct weir_control *control;
};

struct btf_obj {
	struct obj obj;
	struct weir_btf *btf;
	bool kernel; /* weird's own */
	char name[16];
};

struct prog_obj;

struct map_obj {
	struct obj obj;
	struct weir_map *map;
	struct btf_obj *btf;
	struct prog_obj **progs; /* prog arrays: what each element holds a reference of */
	/* A prog array's owner, fixed by the first program that uses it or is put into it. */
	bool owned;
	uint32_t owner_type;
	bool owner_frags;
};

struct prog_obj {
	struct obj obj;
	struct weir_plane_prog pp; /* id, code, statistics, as the data plane sees it */
	struct weir_prog_ok *ok;
	struct weir_prog_low *low;
	struct weir_code *code;
	struct map_obj **maps;
	uint32_t map_count;
	struct btf_obj *btf;
	uint8_t tag[8];
	struct weir_origin_rec origin;
	uint64_t verify_ns, jit_ns;
	bool gpl_compatible;
	bool jited;
	const char *stub; /* static; a helper it calls that only answers "not found"; or NULL */
};

struct link_obj {
	struct obj obj;
	struct prog_obj *prog;
	struct weir_attach_spec spec;
	uint32_t attach_type;
	uint32_t ifindex;
	bool attached;
};

/* Objects of a kind, by id, ascending. */
struct obj_table {
	WEIR_VEC(struct obj *) objs;
	uint32_t next_id;
};

struct pin {
	char *path;
	struct obj *obj;
	uint32_t uid, gid, mode;
};

int weir_registry_add(struct weir_control *c, struct obj *obj, enum weir_object_kind kind,
		      struct client *client);
struct obj *weir_registry_find(struct weir_control *c, enum weir_object_kind kind, uint32_t id);
/* The first object with an id >= id; NULL: none. */
struct obj *weir_registry_from(struct weir_control *c, enum weir_object_kind kind, uint32_t id);
uint32_t weir_registry_count(const struct weir_control *c, enum weir_object_kind kind);
void weir_obj_get(struct obj *obj);
void weir_obj_put(struct obj *obj);
/* Puts after a grace period: what workers may still be running. */
void weir_obj_put_rcu(struct obj *obj);
/* Empties prog arrays that no token, pin, link, attachment or job reaches: a program and the array
 * it is in and calls through hold each other. */
void weir_registry_collect(struct weir_control *c);
/* Charges an object's memory to its client, which its end gives back. 0, or -ENOMEM: too much. */
int weir_obj_charge(struct obj *obj, uint64_t bytes);
/* Takes ownership of a map just made; charges it. 0 or -errno (map freed). */
int weir_map_obj_new(struct weir_control *c, struct client *client, struct weir_map *map,
		     struct btf_obj *btf, struct map_obj **out);
void weir_prog_obj_free(struct prog_obj *prog); /* what has been filled in so far */
struct obj *weir_pin_find(struct weir_control *c, const char *path, struct pin **pin);
int weir_pin_add(struct weir_control *c, const char *path, struct obj *obj, uint32_t uid,
		 uint32_t gid);
void weir_pin_remove(struct weir_control *c, struct pin *pin);
void weir_pin_drop_all(struct weir_control *c);
/* Puts a program (NULL: none) into a prog array's element. 0 or Linux's -errno. */
int weir_prog_array_set(struct map_obj *map, uint32_t index, struct prog_obj *prog);
/* May this program use or be in that prog array? Fixes the owner at first use. */
bool weir_prog_array_compatible(struct map_obj *map, uint32_t type, bool frags);

/* ---- clients, connections, tokens ---- */

/* What a user id has now; the limits are by user, so that more processes get no more. */
struct user {
	uint32_t uid;
	uint32_t refs; /* clients */
	uint32_t connections, tokens;
	uint64_t bytes_in_flight, memory_bytes, insns; /* insns: queued or being verified */
	struct user *next;
};

/* A process of a user, for as long as it has a connection or something it made lives. */
struct client {
	struct user *user;
	uint32_t uid, gid;
	pid_t pid;
	char comm[16];
	uint32_t role; /* enum weir_role_bits */
	uint32_t refs; /* connections, objects, tokens, jobs */
	uint32_t jobs;
	uint64_t last_served; /* under the loader's lock */
	struct weir_log_limit denials;
	struct client *next;
};

enum source_kind { SOURCE_LISTEN, SOURCE_LOADER, SOURCE_TOKENS, SOURCE_CONN, SOURCE_TOKEN };

/* First member of everything in the epoll sets. */
struct source {
	enum source_kind kind;
	bool dead; /* closed; freed when the current batch of events is done */
	struct source *next_dead;
};

#define TOKEN_READ  1
#define TOKEN_WRITE 2

struct binding {
	struct conn *conn;
	uint32_t slot;
};

struct token {
	struct source source;
	int fd;          /* our end */
	uint64_t cookie; /* of the client's end */
	uint64_t ino;
	struct obj *obj;
	uint32_t rights; /* TOKEN_* */
	struct client *client;
	WEIR_VEC(struct binding) bindings;
	struct token *next, **at; /* list of all */
};

struct job;

struct request {
	struct conn *conn;
	const struct weir_command *command;
	union weir_attr attr; /* as received; results are written into it */
	uint32_t attr_bytes;
	struct weir_sections in; /* borrows the connection's buffer */
	struct weir_buf out;     /* sections of the reply */
	int reply_fd;            /* goes with the reply; -1: none */
	struct weir_diag diag;
	char text[1024];
};

struct conn {
	struct source source;
	struct weir_control *control;
	struct client *client;
	int fd;
	uint32_t events; /* as registered */
	/* Input: header and rest in one buffer. */
	struct weir_buf in;
	size_t need; /* bytes of the message; header only until that is complete */
	bool have_header;
	bool paused; /* waits until the client's bytes in flight allow it */
	uint64_t charged_bytes;
	int in_fd;         /* passed with the request being read; -1: none */
	uint64_t since_ns; /* when the message or the reply began; 0: idle */
	/* Output. */
	struct weir_buf out;
	size_t out_sent;
	int out_fd;
	bool closing; /* close after the output */
	struct request rq;
	struct job *job;                /* being done by the loader for this connection */
	WEIR_VEC(struct token *) slots; /* [0] is never used */
	struct conn *next, **at;
};

int weir_conn_accept(struct weir_control *c);
void weir_conn_event(struct conn *conn, uint32_t events);
void weir_conn_close(struct conn *conn, const char *why);
void weir_conn_timeouts(struct weir_control *c, uint64_t now_ns);
void weir_client_put(struct weir_control *c, struct client *client);
/* Logs once (rate-limited) that a client was refused something. */
void weir_denied(struct weir_control *c, struct client *client, const char *what);

/* Makes a token for obj, bound on conn; rq's reply carries it. 0 or -errno. */
int weir_token_reply(struct request *rq, struct obj *obj, uint32_t rights);
int weir_token_bind(struct request *rq); /* WEIR_CMD_BIND */
void weir_token_unbind_all(struct conn *conn);
/* Drops tokens whose last copy was closed. */
void weir_token_reap(struct weir_control *c);
void weir_token_drop_all(struct weir_control *c);
/* The object in a slot: 0 or Linux's -errno. kind ANY takes all. token may be NULL. */
int weir_slot_obj(struct conn *conn, uint32_t slot, enum weir_object_kind kind, struct obj **obj,
		  struct token **token);
void weir_obj_describe(const struct weir_control *c, const struct obj *obj,
		       struct weir_object_desc *desc);

/* ---- requests ---- */

#define REQUEST_ASYNC INT32_MIN /* a job answers it */

typedef int (*weir_handler_fn)(struct request *rq);

void weir_request_dispatch(struct conn *conn);
/* Sends the reply; the request is over. */
void weir_request_finish(struct conn *conn, int32_t result);

int weir_cmd_map_create(struct request *rq);
int weir_cmd_map_lookup(struct request *rq);
int weir_cmd_map_update(struct request *rq);
int weir_cmd_map_delete(struct request *rq);
int weir_cmd_map_next_key(struct request *rq);
int weir_cmd_map_freeze(struct request *rq);
int weir_cmd_slot_lookup(struct request *rq);
int weir_cmd_slot_update(struct request *rq);
int weir_cmd_map_dump(struct request *rq);
int weir_cmd_prog_load(struct request *rq);
int weir_cmd_btf_load(struct request *rq);
int weir_cmd_test_run(struct request *rq);
int weir_cmd_obj_pin(struct request *rq);
int weir_cmd_obj_get(struct request *rq);
int weir_cmd_next_id(struct request *rq);
int weir_cmd_fd_by_id(struct request *rq);
int weir_cmd_info(struct request *rq);
int weir_cmd_link_create(struct request *rq);
int weir_cmd_link_detach(struct request *rq);
int weir_cmd_status(struct request *rq);
int weir_cmd_list(struct request *rq);
int weir_cmd_port_list(struct request *rq);
int weir_cmd_attach(struct request *rq);
int weir_cmd_prog_meta(struct request *rq);
int weir_cmd_unpin(struct request *rq);
int weir_cmd_trace(struct request *rq);

/* Copies a NUL-terminated object name by Linux's rules. 0 or -EINVAL. */
int weir_obj_name_copy(char to[16], const char from[16]);
/* Linux's log rules: checks level, size and pointer. 0 or -EINVAL. */
int weir_log_attr_check(uint32_t level, uint64_t ptr, uint32_t size);
/* Puts log text into rq's reply by those rules; 0 or -ENOSPC. */
int weir_log_reply(struct request *rq, uint32_t level, uint32_t size, const struct weir_diag *log,
		   uint32_t *true_size);
#define WEIR_LOG_BYTES_MAX (16U << 20) /* kept of one log */
#define WEIR_LOG_FIXED     8           /* log_level: keep the beginning, not the end */

void weir_link_detach(struct link_obj *link);
void weir_link_prog_gone(struct weir_control *c, const struct weir_attach_spec *spec);

/* ---- loading a program ---- */

/* Verifies, lowers and compiles; loader thread (or main, for the configuration's). Fills prog's
 * ok, low, code, times and pp; maps must be set. 0 or -errno with log text. */
struct prog_build {
	struct weir_prog_raw raw; /* owned; cleared by the build */
	struct weir_verify_opts verify;
	struct weir_codemem *codemem; /* NULL: interpreter */
	uint32_t slots;
	struct prog_obj *prog; /* being made */
	struct weir_verify_stats stats;
	struct weir_reject reject;
};
#define WEIR_PROG_MAPS_MAX 64 /* Linux's MAX_USED_MAPS */
int weir_prog_build_init(struct prog_build *build);
void weir_prog_build_clear(struct prog_build *build); /* what it still owns */
/* The index of a map among the program's, added if it is new; -E2BIG. */
int weir_prog_map_use(struct prog_build *build, struct map_obj *map);
int weir_prog_build(struct prog_build *build, struct weir_diag *log);
/* Registers a built program: sets its id, statistics and hooks. 0 or -errno. */
int weir_prog_register(struct weir_control *c, struct client *client, struct prog_obj *prog);
/* Linux's program tag over instructions with map references blanked. */
void weir_prog_tag(const struct bpf_insn *insns, uint32_t count, uint8_t tag[8]);
bool weir_license_is_gpl(const char *license);
/* Line and function info of PROG_LOAD into raw. 0 or Linux's -errno. */
int weir_prog_infos_read(const struct request *rq, const struct weir_btf *btf,
			 struct weir_prog_raw *raw, struct weir_diag *log);

/* ---- the loader thread ---- */

struct job {
	void (*run)(struct job *job);  /* loader thread */
	void (*done)(struct job *job); /* main thread; frees it */
	struct client *client;         /* holds; NULL: weird's own work */
	struct conn *conn;             /* NULL once it is gone: throw the result away */
	bool cancel;                   /* atomic; set by main */
	int result;
	struct weir_control *control;
	struct job *next;
};

struct loader {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *queue, *finished; /* under lock */
	struct job *running;
	bool stop;
	int eventfd;
	uint64_t served, done_count, queued; /* under lock */
	bool started;
};

int weir_loader_start(struct loader *loader);
void weir_loader_stop(struct loader *loader); /* runs what is queued without a client */
/* Main thread. -EAGAIN: the client has too many queued. The job is the caller's on failure. */
int weir_loader_submit(struct weir_control *c, struct job *job, struct client *client,
		       struct conn *conn);
void weir_loader_finish(struct weir_control *c); /* done() of what is finished */

/* ---- the rest ---- */

struct trace_ring {
	pthread_mutex_t lock; /* the loader writes too */
	char *text;           /* TRACE_BYTES, whole lines, wraps */
	uint64_t head;        /* bytes ever written */
	uint64_t tail;        /* start of the oldest whole line */
	uint64_t lost;
};
int weir_trace_new(struct trace_ring *trace);
void weir_trace_free(struct trace_ring *trace);
void weir_trace_add(struct trace_ring *trace, const char *line, size_t len_bytes);

/* Binds and listens. *out is the listening descriptor. */
int weir_socket_listen(const char *path, uint32_t mode, const char *group, struct weir_diag *diag,
		       int *out);
uint64_t weir_clock_ns(void); /* monotonic */
uint64_t weir_realtime_ns(void);

struct weir_control {
	int epfd, token_epfd, listen_fd;
	struct source listen_source, loader_source, tokens_source;
	struct source *dead;
	char *socket_path;
	uint64_t socket_ino; /* of our socket file: a later one is not ours to unlink */
	gid_t read_gid;
	bool has_read_gid;
	struct weir_control_limits limits;
	uint32_t slots, test_slot, possible_cpus;
	struct weir_rcu *rcu;
	struct weir_plane *plane;
	struct weir_maps_env maps_env;
	struct weir_codemem *codemem; /* NULL: no JIT */
	struct obj_table tables[WEIR_OBJECT_ANY];
	WEIR_VEC(struct pin) pins; /* by path, ascending */
	struct client *clients;
	struct user *users;
	uint32_t client_count;
	struct conn *conns;
	uint32_t conn_count;
	struct token *tokens;
	uint32_t token_count;
	uint64_t map_bytes;
	uint32_t prog_arrays; /* how many maps are */
	bool collect_wanted;  /* something let go since the last collection */
	bool stopping;
	struct loader loader;
	struct trace_ring trace;
	uint64_t started_ns;
	uint64_t denied;
	uint64_t last_timeouts_ns;
	struct weir_log_limit accept_limit;
	bool listen_paused; /* out of descriptors */
};

#endif
