/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carrying a plan out over the socket, as libbpf does against the kernel: BTF, maps (pinned ones
 * reused), data, programs, slots. Everything is a descriptor of this process until the end, so
 * a failure anywhere leaves nothing behind.
 */
#include <errno.h>
#include <sha2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "offline.h"
#include "online.h"
#include "weir/api/libweir.h"
#include "weir/base/cleanup.h"
#include "weir/maps/maps.h"

#define PIN_FOLDER                                                                     \
	"/weir" /* where LIBBPF_PIN_BY_NAME pins; weird's namespace, not a file system \
		 */
#define LOG_BYTES (1U << 20)

static int call(int cmd, union bpf_attr *attr)
{
	int r = weir_bpf(cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

const char *online_why(int err)
{
	const char *text = weir_client_bpf_error();

	return *text ? text : strerror(err < 0 ? -err : err);
}

static int map_info(int fd, struct bpf_map_info *info)
{
	union bpf_attr attr = {
		.info = {.bpf_fd = (uint32_t)fd,
			 .info_len = sizeof(*info),
			 .info = (uintptr_t)info},
	};

	*info = (struct bpf_map_info){0};
	return call(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static void print_def(struct weir_diag *diag, const char *what, uint32_t type, uint32_t key,
		      uint32_t value, uint32_t entries, uint32_t flags)
{
	const char *name = weir_map_type_name(type);

	weir_diag_printf(diag,
			 "\n  %s: type %s, key %u bytes, value %u bytes, max_entries %u, flags %#x",
			 what, name ? name : "?", key, value, entries, flags);
}

/* Is the map behind fd one that the object may use as its own? Both definitions are said if not. */
static int check_compatible(int fd, const struct weir_plan_map *pm, const char *where,
			    struct weir_diag *diag)
{
	struct bpf_map_info info;
	int err = map_info(fd, &info);

	if (err)
		return weir_fail(diag, err, "map %s: %s: %s", pm->name, where, online_why(err));
	/* creation adds this flag to them */
	if (info.type == BPF_MAP_TYPE_DEVMAP || info.type == BPF_MAP_TYPE_DEVMAP_HASH)
		info.map_flags = (info.map_flags & ~(uint32_t)BPF_F_RDONLY_PROG) |
				 (pm->def.flags & BPF_F_RDONLY_PROG);
	if (info.type == pm->def.type && info.key_size == pm->def.key_size &&
	    info.value_size == pm->def.value_size && info.max_entries == pm->def.max_entries &&
	    info.map_flags == pm->def.flags)
		return 0;
	weir_diag_printf(diag, "map %s: %s is of another definition", pm->name, where);
	print_def(diag, "there", info.type, info.key_size, info.value_size, info.max_entries,
		  info.map_flags);
	print_def(diag, "object", pm->def.type, pm->def.key_size, pm->def.value_size,
		  pm->def.max_entries, pm->def.flags);
	return -EINVAL;
}

static int load_btf(struct online_object *o, struct weir_diag *diag)
{
	union bpf_attr attr = {0};
	size_t size;

	o->btf_fd = -1;
	if (!o->plan->btf)
		return 0;
	attr.btf = (uintptr_t)weir_btf_bytes(o->plan->btf, &size);
	attr.btf_size = (uint32_t)size;
	o->btf_fd = call(BPF_BTF_LOAD, &attr);
	if (o->btf_fd >= 0)
		return 0;
	return weir_fail(diag, o->btf_fd, "BTF: %s", online_why(o->btf_fd));
}

/*
 * The map of that name among those to keep; -1: none. Global data starts afresh, and so does a prog
 * array that the object fills itself: kept, it would lead the new program into the old one's.
 */
static int find_kept(struct online_object *o, const struct weir_plan_map *pm)
{
	for (uint32_t i = 0; !pm->is_global_data && !pm->slot_count && i < o->keep_count; i++)
		if (!strcmp(o->keep[i].name, pm->def.name))
			return (int)i;
	return -1;
}

static int reuse_kept(struct online_object *o, uint32_t i, int kept, struct weir_diag *diag)
{
	union bpf_attr attr = {.map_id = o->keep[kept].id};
	weir_autoclose int fd = call(BPF_MAP_GET_FD_BY_ID, &attr);
	int err;

	if (fd < 0)
		return weir_fail(diag, fd, "map %s: keeping: %s", o->plan->maps[i].name,
				 online_why(fd));
	err = check_compatible(fd, &o->plan->maps[i], "the running program's map", diag);
	if (err)
		return err;
	o->map_fds[i] = weir_take_fd(fd);
	o->fates[i] = ONLINE_MAP_KEPT;
	return 0;
}

static int create_new(struct online_object *o, uint32_t i, struct weir_diag *diag)
{
	const struct weir_plan_map *pm = &o->plan->maps[i];
	union bpf_attr attr = {
		.map_type = pm->def.type,
		.key_size = pm->def.key_size,
		.value_size = pm->def.value_size,
		.max_entries = pm->def.max_entries,
		.map_flags = pm->def.flags,
		.numa_node = pm->def.numa_node,
		.map_extra = pm->def.map_extra,
	};
	int fd;

	memcpy(attr.map_name, pm->def.name, sizeof(attr.map_name) - 1);
	if (o->btf_fd >= 0 && (pm->def.btf_key_type_id || pm->def.btf_value_type_id)) {
		attr.btf_fd = (uint32_t)o->btf_fd;
		attr.btf_key_type_id = pm->def.btf_key_type_id;
		attr.btf_value_type_id = pm->def.btf_value_type_id;
	}
	fd = call(BPF_MAP_CREATE, &attr);
	if (fd < 0 && attr.btf_fd) {
		/* as libbpf: some types take no BTF */
		attr.btf_fd = attr.btf_key_type_id = attr.btf_value_type_id = 0;
		fd = call(BPF_MAP_CREATE, &attr);
	}
	if (fd < 0)
		return weir_fail(diag, fd, "map %s: %s", pm->name, online_why(fd));
	o->map_fds[i] = fd;
	return 0;
}

static void pin_path(const struct weir_plan_map *pm, char pin[WEIR_PATH_BYTES])
{
	snprintf(pin, WEIR_PATH_BYTES, PIN_FOLDER "/%s", pm->name);
}

static int sink_create_map(void *arg, const struct weir_plan *plan, uint32_t i,
			   struct weir_diag *diag)
{
	struct online_object *o = arg;
	const struct weir_plan_map *pm = &plan->maps[i];
	char pin[WEIR_PATH_BYTES];
	union bpf_attr attr = {.pathname = (uintptr_t)pin};
	int fd, kept = find_kept(o, pm);

	if (kept >= 0)
		return reuse_kept(o, i, kept, diag);
	if (pm->pin != WEIR_PIN_BY_NAME)
		return create_new(o, i, diag);
	pin_path(pm, pin);
	fd = call(BPF_OBJ_GET, &attr);
	if (fd == -ENOENT)
		return create_new(o, i, diag);
	if (fd < 0)
		return weir_fail(diag, fd, "%s: %s", pin, online_why(fd));
	o->map_fds[i] = fd;
	o->fates[i] = ONLINE_MAP_PINNED;
	return check_compatible(fd, pm, pin, diag);
}

static int sink_set_data(void *arg, const struct weir_plan *plan, uint32_t i,
			 struct weir_diag *diag)
{
	struct online_object *o = arg;
	uint32_t zero = 0;
	union bpf_attr attr = {
		.map_fd = (uint32_t)o->map_fds[i],
		.key = (uintptr_t)&zero,
		.value = (uintptr_t)plan->maps[i].data,
	};
	int err = call(BPF_MAP_UPDATE_ELEM, &attr);

	return err ? weir_fail(diag, err, "map %s: initial data: %s", plan->maps[i].name,
			       online_why(err))
		   : 0;
}

static int sink_freeze(void *arg, const struct weir_plan *plan, uint32_t i, struct weir_diag *diag)
{
	struct online_object *o = arg;
	union bpf_attr attr = {.map_fd = (uint32_t)o->map_fds[i]};
	int err = call(BPF_MAP_FREEZE, &attr);

	return err ? weir_fail(diag, err, "map %s: freezing: %s", plan->maps[i].name,
			       online_why(err))
		   : 0;
}

/* The plan's map indices become descriptors, as a client of bpf(2) sends them. */
static struct bpf_insn *insns_with_fds(const struct online_object *o,
				       const struct weir_prog_raw *raw)
{
	struct bpf_insn *insns = malloc(raw->insn_count * sizeof(*insns));

	if (!insns)
		return NULL;
	memcpy(insns, raw->insns, raw->insn_count * sizeof(*insns));
	for (uint32_t k = 0; k < raw->insn_count; k++) {
		if (insns[k].code != (BPF_LD | BPF_DW | BPF_IMM))
			continue;
		if (insns[k].src_reg == BPF_PSEUDO_MAP_IDX ||
		    insns[k].src_reg == BPF_PSEUDO_MAP_IDX_VALUE) {
			insns[k].src_reg = insns[k].src_reg == BPF_PSEUDO_MAP_IDX
						   ? BPF_PSEUDO_MAP_FD
						   : BPF_PSEUDO_MAP_VALUE;
			insns[k].imm = o->map_fds[insns[k].imm];
		}
		k++;
	}
	return insns;
}

/* struct weir_line_info without the split column is the wire's bpf_line_info. */
static void *wire_lines(const struct weir_prog_raw *raw)
{
	struct bpf_line_info *lines = calloc(raw->line_count + 1, sizeof(*lines));

	for (uint32_t i = 0; lines && i < raw->line_count; i++)
		lines[i] = (struct bpf_line_info){
			.insn_off = raw->lines[i].insn_idx,
			.file_name_off = raw->lines[i].file_off,
			.line_off = raw->lines[i].line_off,
			.line_col = raw->lines[i].line << 10 | (raw->lines[i].col & 0x3ff),
		};
	return lines;
}

static void fill_load_attr(const struct online_object *o, const struct weir_plan_prog *pp,
			   const struct bpf_insn *insns, const void *lines, char *log,
			   union bpf_attr *attr)
{
	const struct weir_prog_raw *raw = &pp->raw;

	*attr = (union bpf_attr){
		.prog_type = o->type ? o->type : raw->type,
		.expected_attach_type = o->type ? 0 : raw->expected_attach_type,
		.insn_cnt = raw->insn_count,
		.insns = (uintptr_t)insns,
		.license = (uintptr_t)raw->license,
		.prog_flags = raw->flags,
		.log_level = 1,
		.log_size = LOG_BYTES,
		.log_buf = (uintptr_t)log,
	};
	memcpy(attr->prog_name, raw->name, sizeof(attr->prog_name) - 1);
	if (o->btf_fd < 0 || !raw->func_count)
		return;
	attr->prog_btf_fd = (uint32_t)o->btf_fd;
	attr->func_info = (uintptr_t)raw->funcs;
	attr->func_info_cnt = raw->func_count;
	attr->func_info_rec_size = sizeof(struct bpf_func_info);
	attr->line_info = (uintptr_t)lines;
	attr->line_info_cnt = raw->line_count;
	attr->line_info_rec_size = sizeof(struct bpf_line_info);
}

_Static_assert(sizeof(struct weir_func_info) == sizeof(struct bpf_func_info), "same on the wire");

static int sink_load_prog(void *arg, const struct weir_plan *plan, uint32_t i,
			  struct weir_diag *diag)
{
	struct online_object *o = arg;
	const struct weir_plan_prog *pp = &plan->progs[i];
	weir_autofree struct bpf_insn *insns = insns_with_fds(o, &pp->raw);
	weir_autofree void *lines = wire_lines(&pp->raw);
	weir_autofree char *log = calloc(1, LOG_BYTES);
	struct weir_origin_rec origin = {0};
	union bpf_attr attr;
	int fd;

	if (!insns || !lines || !log)
		return weir_fail(diag, -ENOMEM, "%s: no memory", pp->name);
	fill_load_attr(o, pp, insns, lines, log, &attr);
	fd = call(BPF_PROG_LOAD, &attr);
	if (fd < 0) {
		fputs(log, stderr);
		return weir_fail(diag, fd, "%s: refused: %s", pp->name, online_why(fd));
	}
	o->prog_fds[i] = fd;
	snprintf(origin.path, sizeof(origin.path), "%.*s", (int)sizeof(origin.path) - 1, o->path);
	memcpy(origin.sha256, plan->sha256, sizeof(origin.sha256));
	snprintf(origin.section, sizeof(origin.section), "%s", pp->section);
	return weir_client_prog_set_origin(fd, &origin, diag);
}

static int sink_set_slot(void *arg, const struct weir_plan *plan, uint32_t i,
			 const struct weir_plan_slot *slot, struct weir_diag *diag)
{
	struct online_object *o = arg;
	uint32_t value = (uint32_t)(plan->maps[i].def.type == BPF_MAP_TYPE_PROG_ARRAY
					    ? o->prog_fds[slot->index]
					    : o->map_fds[slot->index]);
	union bpf_attr attr = {
		.map_fd = (uint32_t)o->map_fds[i],
		.key = (uintptr_t)&slot->key,
		.value = (uintptr_t)&value,
	};
	int err;

	if (o->fates[i] != ONLINE_MAP_NEW)
		return 0; /* what is in it stays */
	err = call(BPF_MAP_UPDATE_ELEM, &attr);
	return err ? weir_fail(diag, err, "map %s: slot %u: %s", plan->maps[i].name, slot->key,
			       online_why(err))
		   : 0;
}

int online_object_open(struct online_object *o, const char *path)
{
	weir_autofree char *real = realpath(path, NULL);
	WEIR_DIAG_ON_STACK(diag, 4096);
	char hash[SHA256_DIGEST_STRING_LENGTH];

	o->btf_fd = -1;
	snprintf(o->path, sizeof(o->path), "%s", real ? real : path);
	if (weir_object_load_file(path, NULL, &diag, &o->plan))
		return cli_fail("%s", diag.buf);
	if (!SHA256File(path, hash) || weir_plan_set_sha256(o->plan, hash))
		return cli_fail("%s: %s", path, strerror(errno));
	o->map_fds = malloc((o->plan->map_count + 1) * sizeof(int));
	o->prog_fds = malloc((o->plan->prog_count + 1) * sizeof(int));
	o->fates = calloc(o->plan->map_count + 1, sizeof(*o->fates));
	if (!o->map_fds || !o->prog_fds || !o->fates)
		return cli_fail("%s", strerror(ENOMEM));
	memset(o->map_fds, -1, (o->plan->map_count + 1) * sizeof(int));
	memset(o->prog_fds, -1, (o->plan->prog_count + 1) * sizeof(int));
	return CLI_OK;
}

/* Is the program only there for a prog array? */
static bool is_tail(const struct weir_plan *plan, uint32_t prog)
{
	for (uint32_t m = 0; m < plan->map_count; m++) {
		const struct weir_plan_map *pm = &plan->maps[m];

		for (uint32_t s = 0; pm->def.type == BPF_MAP_TYPE_PROG_ARRAY && s < pm->slot_count;
		     s++)
			if (pm->slots[s].index == prog)
				return true;
	}
	return false;
}

int online_object_choose(const struct online_object *o, const char *name)
{
	const struct weir_plan *plan = o->plan;
	WEIR_DIAG_ON_STACK(names, 1024);
	int found = -1, count = 0;

	/* The only one is meant, even if its own prog array names it. */
	if (!name && plan->prog_count == 1)
		return 0;
	for (uint32_t i = 0; i < plan->prog_count; i++) {
		weir_diag_printf(&names, "%s%s", i ? ", " : "", plan->progs[i].name);
		if (name ? strcmp(plan->progs[i].name, name)
			 : !plan->progs[i].autoload || is_tail(plan, i))
			continue;
		found = (int)i;
		count++;
	}
	if (count == 1)
		return found;
	if (!plan->prog_count)
		cli_fail("%s: there is no program in it", o->path);
	else if (name)
		cli_fail("%s: no program '%s'; there is %s", o->path, name, names.buf);
	else
		cli_fail("%s: %u programs; choose one with --program: %s", o->path,
			 plan->prog_count, names.buf);
	return -1;
}

int online_object_load(struct online_object *o, int prog)
{
	const struct weir_plan_sink sink = {
		.create_map = sink_create_map,
		.set_data = sink_set_data,
		.freeze = sink_freeze,
		.load_prog = sink_load_prog,
		.set_slot = sink_set_slot,
	};
	const struct weir_plan_apply_opts opts = {
		.program = prog < 0 ? NULL : o->plan->progs[prog].name,
	};
	WEIR_DIAG_ON_STACK(diag, 4096);

	if (load_btf(o, &diag) || weir_plan_apply(o->plan, &opts, &sink, o, &diag))
		return cli_fail("%s: %s", o->path, diag.buf);
	return CLI_OK;
}

int online_object_pin(struct online_object *o)
{
	for (; o->pinned < o->plan->map_count; o->pinned++) {
		const struct weir_plan_map *pm = &o->plan->maps[o->pinned];
		char pin[WEIR_PATH_BYTES];
		union bpf_attr attr = {
			.pathname = (uintptr_t)pin,
			.bpf_fd = (uint32_t)o->map_fds[o->pinned],
		};
		int err;

		if (pm->pin != WEIR_PIN_BY_NAME || o->fates[o->pinned] != ONLINE_MAP_NEW)
			continue;
		pin_path(pm, pin);
		err = call(BPF_OBJ_PIN, &attr);
		if (err)
			return cli_fail("map %s: pinning at %s: %s", pm->name, pin,
					online_why(err));
	}
	return CLI_OK;
}

static void unpin(struct online_object *o)
{
	for (uint32_t i = 0; i < o->pinned; i++) {
		char pin[WEIR_PATH_BYTES];

		if (o->plan->maps[i].pin != WEIR_PIN_BY_NAME || o->fates[i] != ONLINE_MAP_NEW)
			continue;
		pin_path(&o->plan->maps[i], pin);
		weir_client_unpin(pin, NULL);
	}
}

void online_object_free(struct online_object *o)
{
	if (!o->plan)
		return;
	if (!o->committed)
		unpin(o);
	for (uint32_t i = 0; o->map_fds && i < o->plan->map_count; i++)
		weir_cleanup_close(&o->map_fds[i]);
	for (uint32_t i = 0; o->prog_fds && i < o->plan->prog_count; i++)
		weir_cleanup_close(&o->prog_fds[i]);
	weir_cleanup_close(&o->btf_fd);
	free(o->map_fds);
	free(o->prog_fds);
	free(o->fates);
	weir_plan_free(&o->plan);
}
