/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weir's own commands, typed: what bpf(2) has no word for. Linux's commands go through weir_bpf().
 *
 * Any thread (each has its own connection). 0 or -errno, with weird's text in diag (may be NULL);
 * outputs are untouched on failure. Lists are malloc'ed arrays, the caller's to free.
 */
#ifndef WEIR_API_CLIENT_H
#define WEIR_API_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/api/protocol.h"
#include "weir/base/diag.h"

/* The socket of connections made from now on, before $WEIR_SOCKET; NULL: no override. */
int weir_client_set_socket(const char *path);
/* Connects if need be: role, possible CPUs and slots. */
int weir_client_hello(struct weir_attr_hello *out, struct weir_diag *diag);
/* weird's text on the calling thread's last weir_bpf() that failed; "" if it had none. Valid until
 * the thread's next call. */
const char *weir_client_bpf_error(void);
/* What a descriptor refers to. -EINVAL: no object of weird's. */
int weir_client_describe(int fd, struct weir_object_desc *out, struct weir_diag *diag);

int weir_client_status(struct weir_status_rec *out, struct weir_diag *diag);
int weir_client_workers(struct weir_worker_rec **out, uint32_t *count, struct weir_diag *diag);
/* port NULL: all ports. -ENODEV: no such port. */
int weir_client_ports(const char *port, struct weir_port_rec **out, uint32_t *count,
		      struct weir_diag *diag);
int weir_client_port_stats(const char *port, struct weir_port_stats_rec **out, uint32_t *count,
			   struct weir_diag *diag);
int weir_client_port_drops(const char *port, struct weir_drop_rec **out, uint32_t *count,
			   struct weir_diag *diag);

struct weir_client_attach {
	int prog_fd; /* -1: detach */
	const char *port;
	uint32_t hook; /* enum weir_api_hook */
	uint32_t priority;
	uint32_t expected_id; /* program there now; 0: none; UINT32_MAX: any */
	uint64_t queues;      /* 0: all */
	uint32_t flags;       /* WEIR_ATTACH_* */
};
/*
 * Compare-and-swap of PORT/HOOK/PRIORITY; owned by weird, so it stays when this process ends.
 * -EEXIST (0 expected, something is there), -ENOENT (nothing, or another program), -ENODEV,
 * -EINVAL, -EPERM. *old_id (may be NULL): the program that was there.
 */
int weir_client_attach(const struct weir_client_attach *spec, uint32_t *old_id,
		       struct weir_diag *diag);
int weir_client_attachments(struct weir_attach_rec **out, uint32_t *count, struct weir_diag *diag);

/* Says where a program came from, for `prog show`. */
int weir_client_prog_set_origin(int prog_fd, const struct weir_origin_rec *origin,
				struct weir_diag *diag);
int weir_client_progs(struct weir_prog_rec **out, uint32_t *count, struct weir_diag *diag);
int weir_client_maps(struct weir_map_rec **out, uint32_t *count, struct weir_diag *diag);
int weir_client_links(struct weir_link_rec **out, uint32_t *count, struct weir_diag *diag);
int weir_client_pins(struct weir_pin_rec **out, uint32_t *count, struct weir_diag *diag);
int weir_client_unpin(const char *path, struct weir_diag *diag);

/*
 * Elements with all slots in view. cpu -1: desc.slot_value_bytes of value, else one slot's
 * value_size bytes. key has desc.key_size bytes. A per-CPU update with cpu -1 takes every slot's.
 */
int weir_client_map_lookup(int map_fd, const void *key, int cpu, void *value, size_t value_bytes,
			   struct weir_diag *diag);
int weir_client_map_update(int map_fd, const void *key, int cpu, const void *value,
			   size_t value_bytes, uint64_t flags, struct weir_diag *diag);

/* A part of a map's elements: elems times (key, value of all slots), nothing between them. */
struct weir_client_page {
	uint8_t *bytes; /* malloc'ed */
	uint32_t elems;
	uint32_t key_bytes;
	uint32_t value_bytes;
	bool done; /* nothing comes after it */
	/* Where the next page goes on, in bytes; not always an element of this one, which may be
	 * empty and yet not the last. NULL only if done. */
	const uint8_t *last_key;
};
/* after_key NULL: from the beginning. -ENOENT: after_key was deleted meanwhile, start over. */
int weir_client_map_page(int map_fd, const void *after_key, struct weir_client_page *out,
			 struct weir_diag *diag);

/* Lines of bpf_trace_printk since *cursor (0: all that is kept); *text is malloc'ed and
 * terminated, "" if there is nothing new. */
int weir_client_trace(uint64_t *cursor, char **text, uint64_t *lost, struct weir_diag *diag);

#endif
