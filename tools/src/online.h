/* SPDX-License-Identifier: BSD-3-Clause */
/* What weirctl's online commands share: finding objects, loading them into weird, text. */
#ifndef WEIRCTL_ONLINE_H
#define WEIRCTL_ONLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli.h"
#include "map_text.h"
#include "weir/api/client.h"
#include "weir/vm/object.h"

/* Sets the socket of -s and shakes hands. CLI_OK, or CLI_FAILED after a message. */
int online_connect(struct cli *cli);

/* "xdp", "tc", "tap"; -1 after a message. */
int online_hook_parse(const char *text);
const char *online_hook_name(uint32_t hook);
/* "PORT" or "PORT:QUEUES" ("0-3", "0,2"): name into port, mask into queues (0: all). An exit code.
 */
int online_port_parse(const char *text, char port[64], uint64_t *queues);
/* "1-3,7" of a mask; "all" for 0 and UINT64_MAX. */
void online_queues_print(uint64_t queues, char *out, size_t size);
/* An age or a time of CLOCK_REALTIME nanoseconds, for people. */
void online_time_print(uint64_t ns, char *out, size_t size);

/* The record named by id, name or /pin; candidates or the nearest name are said where it is not
 * one. A descriptor too if fd is not NULL. An exit code. */
int online_find_prog(const char *text, struct weir_prog_rec *out, int *fd);
int online_find_map(const char *text, struct weir_map_rec *out, int *fd);
/* The BTF of an id, parsed; NULL where there is none or it may not be read. */
struct weir_btf *online_btf(uint32_t btf_id);

/* weird's text on the last weir_bpf() of this thread that failed, or what errno says. */
const char *online_why(int err);

/* What became of each map of a loaded object. */
enum online_map_fate {
	ONLINE_MAP_NEW,
	ONLINE_MAP_KEPT,   /* taken from the program that is replaced */
	ONLINE_MAP_PINNED, /* found at its pin */
};

/*
 * An object in weird: descriptors of its maps and programs, closed by online_object_free. Until
 * online_object_commit nothing of it outlives this process.
 */
struct online_object {
	struct weir_plan *plan;
	char path[512];
	int *map_fds;
	enum online_map_fate *fates;
	int *prog_fds;
	int btf_fd;
	/* Maps of the same name are taken from here where their definition fits; borrowed. */
	const struct weir_map_rec *keep;
	uint32_t keep_count;
	uint32_t type;   /* 0: as the sections say */
	uint32_t pinned; /* pins made here are those of maps [0, pinned) with fate NEW */
	bool committed;
};

/* Reads the file. An exit code, after messages; the object is to be freed either way. */
int online_object_open(struct online_object *object, const char *path);
/* The index of the program called name, or (NULL) of the only one that no prog array of the
 * object holds; -1 after a message that lists what there is. */
int online_object_choose(const struct online_object *object, const char *name);
/* Loads program `prog` and what prog arrays name (-1: all programs) into weird. An exit code. */
int online_object_load(struct online_object *object, int prog);
/* Makes the pins that the object's maps ask for; undone by online_object_free unless the caller
 * sets `committed` afterwards. An exit code. */
int online_object_pin(struct online_object *object);
void online_object_free(struct online_object *object);

/* A place that a program is attached at; the one that port, hook (-1: any) and priority
 * (UINT32_MAX: any) leave. An exit code: none and several are told with what there is. */
int online_find_place(const char *port, int hook, uint32_t priority, struct weir_attach_rec *out);
/* CLI_OK if there is such a port; else the nearest is named. */
int online_check_port(const char *port);

#endif
