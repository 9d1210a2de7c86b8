/* SPDX-License-Identifier: BSD-3-Clause */
/* weirctl prog load|attach|detach: programs come to ports and leave them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "capture.h"
#include "commands.h"
#include "offline.h"
#include "online.h"
#include "weir/api/libweir.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/vm/cbpf.h"

#define FILTER_LOG_BYTES (1U << 16)

const struct cli_option prog_load_options[] = {
	{"program", 'p', "NAME", "load this program only (default: all)"},
	{"pin", 0, "/PATH", "pin it there (default: /weir/ and its name)"},
	{"type", 0, "TYPE", "load as this type: xdp, sched_cls, sched_act, socket_filter"},
	{0},
};

const struct cli_option prog_attach_options[] = {
	{"program", 'p', "NAME", "the object's program, where it has several"},
	{"filter", 0, "EXPR", "instead of a program: a pcap expression; what does not match drops"},
	{"hook", 0, "HOOK", "xdp, tc or tap (default: by the program's type)"},
	{"priority", 0, "N", "place in the hook's order, low first (default 50)"},
	{"replace", 0, NULL, "take the place of the program that is there"},
	{"expect", 0, "ID", "attach only if this program is there (0: none)"},
	{"type", 0, "TYPE", "load an object as this type"},
	{"allow-stubs", 0, NULL, "accept helpers that only answer \"not found\""},
	{0},
};

const struct cli_option prog_detach_options[] = {
	{"hook", 0, "HOOK", "xdp, tc or tap, where the port has several"},
	{"priority", 0, "N", "the place, where the hook has several"},
	{0},
};

int attach_place_options(const struct cli *cli, int *hook, uint32_t *priority, uint32_t fallback)
{
	const char *name = cli_option(cli, "hook");
	uint64_t n;
	int err = cli_number(cli, "priority", 0, UINT32_MAX - 1, fallback, &n);

	*priority = (uint32_t)n;
	*hook = -1;
	if (err || !name)
		return err;
	*hook = online_hook_parse(name);
	return *hook < 0 ? CLI_USAGE : CLI_OK;
}

static int parse_type(const struct cli *cli, uint32_t *type)
{
	const char *name = cli_option(cli, "type");

	*type = name ? prog_type_parse(name) : 0;
	if (name && !*type)
		return cli_usage("--type %s: expected xdp, sched_cls, sched_act or socket_filter",
				 name);
	return CLI_OK;
}

static int pin_prog(int fd, const char *path)
{
	union bpf_attr attr = {.pathname = (uintptr_t)path, .bpf_fd = (uint32_t)fd};

	if (!weir_bpf(BPF_OBJ_PIN, &attr, sizeof(attr)))
		return CLI_OK;
	if (errno == EEXIST)
		return cli_fail("%s: something is pinned there; --pin chooses another path", path);
	return cli_fail("%s: pinning: %s", path, online_why(errno));
}

/* Pins all loaded programs, or none. */
static int pin_progs(const struct online_object *o, const char *path, json_t *list)
{
	char pin[WEIR_PATH_BYTES];
	uint32_t i;
	int err = CLI_OK;

	for (i = 0; i < o->plan->prog_count && !err; i++) {
		struct weir_object_desc desc;

		if (o->prog_fds[i] < 0)
			continue;
		snprintf(pin, sizeof(pin), "/weir/%s", o->plan->progs[i].name);
		err = pin_prog(o->prog_fds[i], path ? path : pin);
		if (err || weir_client_describe(o->prog_fds[i], &desc, NULL))
			continue;
		json_array_append_new(list,
				      json_pack("{s:i, s:s, s:s}", "id", (int)desc.id, "name",
						o->plan->progs[i].name, "pin", path ? path : pin));
	}
	if (!err)
		return CLI_OK;
	for (size_t k = 0; k < json_array_size(list); k++)
		weir_client_unpin(
			json_string_value(json_object_get(json_array_get(list, k), "pin")), NULL);
	return err;
}

int cmd_prog_load(struct cli *cli)
{
	const char *name = cli_option(cli, "program"), *pin = cli_option(cli, "pin");
	struct online_object o = {0};
	json_t *list = json_array();
	int prog = -1, err = parse_type(cli, &o.type);

	if (!err)
		err = online_connect(cli);
	if (!err)
		err = online_object_open(&o, cli->subject[0]);
	if (!err && (name || pin || o.plan->prog_count < 2)) {
		prog = online_object_choose(&o, name);
		err = prog < 0 ? CLI_FAILED : CLI_OK;
	}
	if (!err)
		err = online_object_load(&o, prog);
	if (!err && prog >= 0)
		/* what its prog arrays name is held by them */
		for (uint32_t i = 0; i < o.plan->prog_count; i++)
			if (i != (uint32_t)prog && o.prog_fds[i] >= 0) {
				close(o.prog_fds[i]);
				o.prog_fds[i] = -1;
			}
	if (!err)
		err = online_object_pin(&o);
	if (!err)
		err = pin_progs(&o, pin, list);
	o.committed = !err;
	for (size_t k = 0; !err && !cli->json && k < json_array_size(list); k++) {
		json_t *row = json_array_get(list, k);

		printf("loaded %s as program %lld, pinned at %s\n",
		       json_string_value(json_object_get(row, "name")),
		       (long long)json_integer_value(json_object_get(row, "id")),
		       json_string_value(json_object_get(row, "pin")));
	}
	if (!err && cli->json)
		cli_print_json(json_incref(list));
	json_decref(list);
	online_object_free(&o);
	return err;
}

static uint32_t hook_of_type(uint32_t type)
{
	switch (type) {
	case BPF_PROG_TYPE_XDP: return WEIR_API_HOOK_XDP;
	case BPF_PROG_TYPE_SOCKET_FILTER: return WEIR_API_HOOK_TAP;
	default: return WEIR_API_HOOK_TC;
	}
}

static int explain_attach(const struct weir_client_attach *spec, int err,
			  const struct weir_diag *diag)
{
	struct weir_attach_rec there;

	if (err == -EEXIST &&
	    !online_find_place(spec->port, (int)spec->hook, spec->priority, &there))
		return cli_fail("%s/%s/%u: program %u (%s) is attached there; --replace takes its "
				"place, --priority chooses another one",
				spec->port, online_hook_name(spec->hook), spec->priority,
				there.prog_id, there.prog_name);
	return cli_fail("%s/%s/%u: %s", spec->port, online_hook_name(spec->hook), spec->priority,
			*diag->buf ? diag->buf : strerror(-err));
}

/* Attaches and says so. */
static int attach(struct cli *cli, struct weir_client_attach *spec, const char *name)
{
	WEIR_DIAG_ON_STACK(diag, 512);
	struct weir_object_desc desc = {0};
	uint32_t old = 0;
	int err;

	weir_client_describe(spec->prog_fd, &desc, NULL);
	err = weir_client_attach(spec, &old, &diag);
	if (err)
		return explain_attach(spec, err, &diag);
	if (cli->json) {
		cli_print_json(
			json_pack("{s:i, s:s, s:s, s:s, s:i, s:b, s:i}", "id", (int)desc.id, "name",
				  name, "port", spec->port, "hook", online_hook_name(spec->hook),
				  "priority", (int)spec->priority, "guard",
				  (spec->flags & WEIR_ATTACH_GUARD) != 0, "replaced", (int)old));
		return CLI_OK;
	}
	printf("program %u (%s) attached at %s/%s/%u", desc.id, name, spec->port,
	       online_hook_name(spec->hook), spec->priority);
	if (old)
		printf(" in place of program %u", old);
	putchar('\n');
	return CLI_OK;
}

/* A path of a file: has a slash not at its beginning or ends in ".o", and is no pin. */
static bool names_object(const char *text)
{
	size_t len = strlen(text);
	struct stat st;

	if (len > 2 && !strcmp(text + len - 2, ".o"))
		return true;
	return *text == '/' ? !stat(text, &st) && S_ISREG(st.st_mode) : strchr(text, '/') != NULL;
}

static int load_filter(const char *expression, int *fd)
{
	weir_autofree struct sock_filter *classic = NULL;
	weir_autofree char *log = calloc(1, FILTER_LOG_BYTES);
	struct weir_origin_rec origin = {0};
	WEIR_DIAG_ON_STACK(diag, 1024);
	struct weir_prog_raw raw;
	union bpf_attr attr;
	void *insns = NULL;
	uint32_t count;

	if (!log)
		return cli_fail("%s", strerror(ENOMEM));
	if (capture_filter_compile(expression, &diag, &insns, &count))
		return cli_fail("%s", diag.buf);
	classic = insns;
	if (weir_cbpf_convert(classic, count, "filter", &diag, &raw))
		return cli_fail("filter '%s': %s", expression, diag.buf);
	attr = (union bpf_attr){
		.prog_type = raw.type,
		.insn_cnt = raw.insn_count,
		.insns = (uintptr_t)raw.insns,
		.license = (uintptr_t)raw.license,
		.log_level = 1,
		.log_size = FILTER_LOG_BYTES,
		.log_buf = (uintptr_t)log,
		.prog_name = "filter",
	};
	*fd = weir_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
	weir_prog_raw_clear(&raw);
	if (*fd < 0) {
		fputs(log, stderr);
		return cli_fail("filter '%s': refused: %s", expression, online_why(errno));
	}
	snprintf(origin.path, sizeof(origin.path), "filter: %s", expression);
	if (weir_client_prog_set_origin(*fd, &origin, &diag))
		return cli_fail("%s", diag.buf);
	return CLI_OK;
}

static int attach_filter(struct cli *cli, struct weir_client_attach *spec, int hook)
{
	weir_autoclose int fd = -1;
	int err;

	if (hook == WEIR_API_HOOK_XDP)
		return cli_usage("--filter: expected --hook tc (what does not match drops) or tap");
	err = load_filter(cli_option(cli, "filter"), &fd);
	if (err)
		return err;
	spec->prog_fd = fd;
	spec->hook = hook < 0 ? (uint32_t)WEIR_API_HOOK_TC : (uint32_t)hook;
	if (spec->hook == WEIR_API_HOOK_TC)
		spec->flags |= WEIR_ATTACH_GUARD;
	return attach(cli, spec, "filter");
}

static int attach_object(struct cli *cli, struct weir_client_attach *spec, int hook)
{
	struct online_object o = {0};
	int prog = -1, err = parse_type(cli, &o.type);
	uint32_t type;

	if (!err)
		err = online_object_open(&o, cli->subject[0]);
	if (!err) {
		prog = online_object_choose(&o, cli_option(cli, "program"));
		err = prog < 0 ? CLI_FAILED : online_object_load(&o, prog);
	}
	if (!err)
		err = online_object_pin(&o);
	if (!err) {
		type = o.type ? o.type : o.plan->progs[prog].raw.type;
		spec->prog_fd = o.prog_fds[prog];
		spec->hook = hook < 0 ? hook_of_type(type) : (uint32_t)hook;
		if (type == BPF_PROG_TYPE_SOCKET_FILTER && spec->hook == WEIR_API_HOOK_TC)
			spec->flags |= WEIR_ATTACH_GUARD;
		err = attach(cli, spec, o.plan->progs[prog].name);
	}
	o.committed = !err;
	online_object_free(&o);
	return err;
}

static int attach_loaded(struct cli *cli, struct weir_client_attach *spec, int hook)
{
	weir_autoclose int fd = -1;
	struct weir_prog_rec rec;

	if (cli_option(cli, "program") || cli_option(cli, "type"))
		return cli_usage("--program and --type: expected an object file, not '%s'",
				 cli->subject[0]);
	if (online_find_prog(cli->subject[0], &rec, &fd))
		return CLI_FAILED;
	spec->prog_fd = fd;
	spec->hook = hook < 0 ? hook_of_type(rec.type) : (uint32_t)hook;
	if (rec.type == BPF_PROG_TYPE_SOCKET_FILTER && spec->hook == WEIR_API_HOOK_TC)
		spec->flags |= WEIR_ATTACH_GUARD;
	return attach(cli, spec, rec.name);
}

static int expected_id(const struct cli *cli, uint32_t *id)
{
	uint64_t n;
	int err = cli_number(cli, "expect", 0, UINT32_MAX - 1, 0, &n);

	*id = cli_flag(cli, "replace") ? UINT32_MAX : (uint32_t)n;
	if (!err && cli_flag(cli, "replace") && cli_option(cli, "expect"))
		return cli_usage("--replace and --expect: expected one of them");
	return err;
}

int cmd_prog_attach(struct cli *cli)
{
	bool filter = cli_option(cli, "filter") != NULL;
	struct weir_client_attach spec = {.prog_fd = -1};
	char port[64];
	int hook, err;

	if (cli->subject_count != (filter ? 1 : 2))
		return cli_usage(filter ? "--filter: expected a port alone: weirctl prog attach "
					  "PORT --filter EXPR"
					: "expected a program and a port: weirctl prog attach "
					  "PROG|OBJ PORT[:QUEUES]");
	err = attach_place_options(cli, &hook, &spec.priority, WEIR_PRIORITY_DEFAULT);
	if (!err)
		err = expected_id(cli, &spec.expected_id);
	if (!err)
		err = online_port_parse(cli->subject[filter ? 0 : 1], port, &spec.queues);
	if (err)
		return err;
	spec.port = port;
	if (cli_flag(cli, "allow-stubs"))
		spec.flags |= WEIR_ATTACH_ALLOW_STUBS;
	if (online_connect(cli) || online_check_port(port))
		return CLI_FAILED;
	if (filter)
		return attach_filter(cli, &spec, hook);
	return names_object(cli->subject[0]) ? attach_object(cli, &spec, hook)
					     : attach_loaded(cli, &spec, hook);
}

int cmd_prog_detach(struct cli *cli)
{
	struct weir_client_attach spec = {.prog_fd = -1, .port = cli->subject[0]};
	WEIR_DIAG_ON_STACK(diag, 512);
	struct weir_attach_rec there;
	int hook, err = attach_place_options(cli, &hook, &spec.priority, UINT32_MAX);

	if (err)
		return err;
	if (online_connect(cli) || online_find_place(spec.port, hook, spec.priority, &there))
		return CLI_FAILED;
	spec.hook = there.hook;
	spec.priority = there.priority;
	spec.expected_id = there.prog_id;
	err = weir_client_attach(&spec, NULL, &diag);
	if (err)
		return explain_attach(&spec, err, &diag);
	if (cli->json)
		cli_print_json(json_pack("{s:i, s:s, s:s, s:s, s:i}", "id", (int)there.prog_id,
					 "name", there.prog_name, "port", there.port, "hook",
					 online_hook_name(there.hook), "priority",
					 (int)there.priority));
	else
		printf("program %u (%s) detached from %s/%s/%u\n", there.prog_id, there.prog_name,
		       there.port, online_hook_name(there.hook), there.priority);
	return CLI_OK;
}
