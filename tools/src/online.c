/* SPDX-License-Identifier: BSD-3-Clause */
#include "online.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "weir/api/libweir.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/maps/maps.h"

static const char *const hooks[] = {"xdp", "tc", "tap"};

int online_connect(struct cli *cli)
{
	WEIR_DIAG_ON_STACK(diag, 1024);
	struct weir_attr_hello hello;
	const char *socket = cli->socket ? cli->socket : getenv("WEIR_SOCKET");
	int err;

	if (cli->socket)
		weir_client_set_socket(cli->socket);
	err = weir_client_hello(&hello, &diag);
	if (!err)
		return CLI_OK;
	socket = socket ? socket : "/run/weir/control.sock";
	if (err == -ENOENT || err == -ECONNREFUSED)
		return cli_fail("%s: no weird answers there (%s); is it running? Another socket is "
				"named by -s SOCK or WEIR_SOCKET",
				socket, strerror(-err));
	return cli_fail("%s: %s", socket, *diag.buf ? diag.buf : strerror(-err));
}

int online_hook_parse(const char *text)
{
	for (size_t i = 0; i < WEIR_ARRAY_LEN(hooks); i++)
		if (!strcmp(hooks[i], text))
			return (int)i;
	cli_usage("--hook %s: expected xdp, tc or tap", text);
	return -1;
}

const char *online_hook_name(uint32_t hook)
{
	return hook < WEIR_ARRAY_LEN(hooks) ? hooks[hook] : "?";
}

static int parse_queues(const char *text, uint64_t *queues)
{
	const char *p = text;

	*queues = 0;
	while (*p) {
		unsigned long from, to;
		char *end;

		from = to = strtoul(p, &end, 10);
		if (end == p)
			return -1;
		if (*end == '-') {
			p = end + 1;
			to = strtoul(p, &end, 10);
			if (end == p)
				return -1;
		}
		if (from > to || to > 63 || (*end && *end != ','))
			return -1;
		for (unsigned long q = from; q <= to; q++)
			*queues |= 1ULL << q;
		p = *end ? end + 1 : end;
		if (*end == ',' && !*p)
			return -1;
	}
	return *queues ? 0 : -1;
}

int online_port_parse(const char *text, char port[64], uint64_t *queues)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	*queues = 0;
	if (!len || len > 63)
		return cli_usage("port '%s': expected PORT or PORT:QUEUES", text);
	if (colon && parse_queues(colon + 1, queues))
		return cli_usage("'%s': expected queues like 0-3 or 0,2 after the port", text);
	memcpy(port, text, len);
	port[len] = '\0';
	return CLI_OK;
}

void online_queues_print(uint64_t queues, char *out, size_t size)
{
	size_t at = 0;

	if (!queues || queues == UINT64_MAX) {
		snprintf(out, size, "all");
		return;
	}
	*out = '\0';
	for (unsigned int q = 0; q < 64; q++) {
		unsigned int last = q;

		if (!(queues >> q & 1))
			continue;
		while (last < 63 && (queues >> (last + 1) & 1))
			last++;
		at += (size_t)snprintf(out + at, size - at, "%s%u", at ? "," : "", q);
		if (last > q && at < size)
			at += (size_t)snprintf(out + at, size - at, "-%u", last);
		if (at >= size)
			return;
		q = last;
	}
}

void online_time_print(uint64_t ns, char *out, size_t size)
{
	time_t s = (time_t)(ns / 1000000000U);
	struct tm tm;

	if (!ns || !localtime_r(&s, &tm) || !strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(out, size, "-");
}

/* What a lookup needs to know of an object, whatever its kind. */
struct named {
	uint32_t id;
	const char *name;
	/* Attached, or used by an attached program. A program that was replaced is kept, not live,
	 * beside its successor, and often has the same name. */
	bool live;
};

static int fd_of(int cmd, union bpf_attr *attr)
{
	int fd = weir_bpf(cmd, attr, sizeof(*attr));

	return fd < 0 ? -errno : fd;
}

/* The descriptor at a pin, with what it is; -1 after a message. */
static int open_pin(const char *path, uint32_t kind, struct weir_object_desc *desc)
{
	union bpf_attr attr = {.pathname = (uintptr_t)path};
	int fd = fd_of(BPF_OBJ_GET, &attr);

	if (fd < 0) {
		cli_fail("%s: %s", path,
			 fd == -ENOENT ? "nothing is pinned there" : online_why(fd));
		return -1;
	}
	if (weir_client_describe(fd, desc, NULL) || desc->kind != kind) {
		cli_fail("%s: a %s is pinned there, expected a %s", path,
			 desc->kind == WEIR_OBJECT_MAP    ? "map"
			 : desc->kind == WEIR_OBJECT_PROG ? "program"
							  : "different object",
			 kind == WEIR_OBJECT_MAP ? "map" : "program");
		close(fd);
		return -1;
	}
	return fd;
}

/* Objects' names are cut to 15 characters; text may have the whole of what was cut. */
static bool has_name(const char *name, const char *text)
{
	return !strcmp(name, text) ||
	       (strlen(name) == BPF_OBJ_NAME_LEN - 1 && !strncmp(name, text, BPF_OBJ_NAME_LEN - 1));
}

/* The index of the one object that text names by id or name; -1 after a message. */
static int pick(const char *what, const char *text, const struct named *all, uint32_t count)
{
	weir_autofree const char **names = calloc(count + 1, sizeof(*names));
	char *end, candidates[256] = "";
	uint32_t found = 0, live = 0;
	int at = -1, at_live = -1;
	const char *near;
	unsigned long id = strtoul(text, &end, 10);

	for (uint32_t i = 0; *text && !*end && i < count; i++)
		if (all[i].id == id)
			return (int)i;
	for (uint32_t i = 0; names && i < count; i++) {
		size_t used = strlen(candidates);

		names[i] = all[i].name;
		if (!has_name(all[i].name, text))
			continue;
		snprintf(candidates + used, sizeof(candidates) - used, "%s%u", found++ ? ", " : "",
			 all[i].id);
		at = (int)i;
		if (all[i].live) {
			at_live = at;
			live++;
		}
	}
	if (found == 1)
		return at;
	if (live == 1)
		return at_live;
	near = names && !found ? cli_nearest(text, names, count) : NULL;
	if (found)
		cli_fail("%s '%s' is ambiguous: ids %s", what, text, candidates);
	else if (near)
		cli_fail("no %s '%s'; did you mean '%s'?", what, text, near);
	else
		cli_fail("no %s '%s'; 'weirctl %s' lists them", what, text,
			 *what == 'm' ? "map" : "prog");
	return -1;
}

/* Fills names[] of recs and marks what is attached. */
static int name_progs(const struct weir_prog_rec *recs, uint32_t count, struct named *names)
{
	weir_autofree struct weir_attach_rec *places = NULL;
	WEIR_DIAG_ON_STACK(diag, 512);
	uint32_t place_count;

	if (weir_client_attachments(&places, &place_count, &diag))
		return cli_fail("%s", diag.buf);
	for (uint32_t i = 0; i < count; i++) {
		names[i] = (struct named){recs[i].id, recs[i].name, false};
		for (uint32_t k = 0; k < place_count; k++)
			names[i].live |= places[k].prog_id == recs[i].id;
	}
	return CLI_OK;
}

static int name_maps(const struct weir_map_rec *recs, uint32_t count, struct named *names)
{
	weir_autofree struct weir_prog_rec *progs = NULL;
	weir_autofree struct named *named_progs = NULL;
	WEIR_DIAG_ON_STACK(diag, 512);
	uint32_t prog_count;

	if (weir_client_progs(&progs, &prog_count, &diag))
		return cli_fail("%s", diag.buf);
	named_progs = calloc(prog_count + 1, sizeof(*named_progs));
	if (!named_progs)
		return cli_fail("%s", strerror(ENOMEM));
	if (name_progs(progs, prog_count, named_progs))
		return CLI_FAILED;
	for (uint32_t i = 0; i < count; i++)
		names[i] = (struct named){recs[i].id, recs[i].name, false};
	for (uint32_t p = 0; p < prog_count; p++)
		for (uint32_t m = 0; named_progs[p].live && m < progs[p].map_count &&
				     m < WEIR_ARRAY_LEN(progs[p].map_ids);
		     m++)
			for (uint32_t i = 0; i < count; i++)
				names[i].live |= recs[i].id == progs[p].map_ids[m];
	return CLI_OK;
}

#define ID_TEXT_BYTES 16

/* If text names a pin, opens it and lets text be the object's id, written to `id`. */
static int follow_pin(const char **text, uint32_t kind, char id[ID_TEXT_BYTES], int *pin)
{
	struct weir_object_desc desc;

	if (**text != '/')
		return CLI_OK;
	*pin = open_pin(*text, kind, &desc);
	if (*pin < 0)
		return CLI_FAILED;
	snprintf(id, ID_TEXT_BYTES, "%u", desc.id);
	*text = id;
	return CLI_OK;
}

/* A descriptor of the object found: the pin's, taken, or one by id. */
static int hand_over(int get_by_id, uint32_t id, const char *what, int *pin, int *fd)
{
	union bpf_attr attr = {.start_id = id}; /* prog_id and map_id are the same field */

	*fd = *pin >= 0 ? weir_take_fd(*pin) : fd_of(get_by_id, &attr);
	return *fd < 0 ? cli_fail("%s %u: %s", what, id, online_why(*fd)) : CLI_OK;
}

int online_find_prog(const char *text, struct weir_prog_rec *out, int *fd)
{
	weir_autofree struct weir_prog_rec *recs = NULL;
	weir_autofree struct named *names = NULL;
	WEIR_DIAG_ON_STACK(diag, 512);
	weir_autoclose int pin = -1;
	char id[ID_TEXT_BYTES];
	uint32_t count;
	int at;

	if (follow_pin(&text, WEIR_OBJECT_PROG, id, &pin))
		return CLI_FAILED;
	if (weir_client_progs(&recs, &count, &diag))
		return cli_fail("%s", diag.buf);
	names = calloc(count + 1, sizeof(*names));
	if (!names)
		return cli_fail("%s", strerror(ENOMEM));
	if (name_progs(recs, count, names))
		return CLI_FAILED;
	at = pick("program", text, names, count);
	if (at < 0)
		return CLI_FAILED;
	*out = recs[at];
	return fd ? hand_over(BPF_PROG_GET_FD_BY_ID, out->id, "program", &pin, fd) : CLI_OK;
}

int online_find_map(const char *text, struct weir_map_rec *out, int *fd)
{
	weir_autofree struct weir_map_rec *recs = NULL;
	weir_autofree struct named *names = NULL;
	WEIR_DIAG_ON_STACK(diag, 512);
	weir_autoclose int pin = -1;
	char id[ID_TEXT_BYTES];
	uint32_t count;
	int at;

	if (follow_pin(&text, WEIR_OBJECT_MAP, id, &pin))
		return CLI_FAILED;
	if (weir_client_maps(&recs, &count, &diag))
		return cli_fail("%s", diag.buf);
	names = calloc(count + 1, sizeof(*names));
	if (!names)
		return cli_fail("%s", strerror(ENOMEM));
	if (name_maps(recs, count, names))
		return CLI_FAILED;
	at = pick("map", text, names, count);
	if (at < 0)
		return CLI_FAILED;
	*out = recs[at];
	return fd ? hand_over(BPF_MAP_GET_FD_BY_ID, out->id, "map", &pin, fd) : CLI_OK;
}

struct weir_btf *online_btf(uint32_t btf_id)
{
	union bpf_attr attr = {.btf_id = btf_id};
	struct bpf_btf_info info = {0};
	weir_autofree void *bytes = NULL;
	weir_autoclose int fd = -1;
	struct weir_btf *btf = NULL;

	if (!btf_id)
		return NULL;
	fd = fd_of(BPF_BTF_GET_FD_BY_ID, &attr);
	if (fd < 0)
		return NULL;
	for (int round = 0; round < 2; round++) {
		attr = (union bpf_attr){.info = {.bpf_fd = (uint32_t)fd,
						 .info_len = sizeof(info),
						 .info = (uintptr_t)&info}};
		if (weir_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)))
			return NULL;
		if (round)
			break;
		bytes = malloc(info.btf_size);
		if (!bytes)
			return NULL;
		info = (struct bpf_btf_info){.btf = (uintptr_t)bytes, .btf_size = info.btf_size};
	}
	if (weir_btf_parse(bytes, info.btf_size, NULL, &btf))
		return NULL;
	return btf;
}

int online_check_port(const char *port)
{
	weir_autofree struct weir_port_rec *recs = NULL;
	weir_autofree const char **names = NULL;
	WEIR_DIAG_ON_STACK(diag, 512);
	const char *near;
	uint32_t count;

	if (weir_client_ports(NULL, &recs, &count, &diag))
		return cli_fail("%s", diag.buf);
	names = calloc(count + 1, sizeof(*names));
	for (uint32_t i = 0; names && i < count; i++) {
		names[i] = recs[i].name;
		if (!strcmp(recs[i].name, port))
			return CLI_OK;
	}
	near = names ? cli_nearest(port, names, count) : NULL;
	if (near)
		return cli_fail("no port '%s'; did you mean '%s'?", port, near);
	return cli_fail("no port '%s'; %s", port,
			count ? "'weirctl port' lists them" : "this weird has none");
}

int online_find_place(const char *port, int hook, uint32_t priority, struct weir_attach_rec *out)
{
	weir_autofree struct weir_attach_rec *recs = NULL;
	WEIR_DIAG_ON_STACK(diag, 512);
	WEIR_DIAG_ON_STACK(places, 512);
	uint32_t count, matches = 0, found = 0;

	if (online_check_port(port))
		return CLI_FAILED;
	if (weir_client_attachments(&recs, &count, &diag))
		return cli_fail("%s", diag.buf);
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_attach_rec *r = &recs[i];

		if (strcmp(r->port, port))
			continue;
		weir_diag_printf(&places, "%s%s/%u (%s, id %u)", places.len_bytes ? ", " : "",
				 online_hook_name(r->hook), r->priority, r->prog_name, r->prog_id);
		if ((hook >= 0 && r->hook != (uint32_t)hook) ||
		    (priority != UINT32_MAX && r->priority != priority))
			continue;
		found = i;
		matches++;
	}
	if (matches == 1) {
		*out = recs[found];
		return CLI_OK;
	}
	if (!places.len_bytes)
		return cli_fail("port %s: nothing is attached", port);
	if (!matches)
		return cli_fail("port %s: nothing is attached there; there is %s", port,
				places.buf);
	return cli_fail("port %s: choose with --hook and --priority: %s", port, places.buf);
}
