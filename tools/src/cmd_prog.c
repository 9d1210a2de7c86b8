/* SPDX-License-Identifier: BSD-3-Clause */
/* weirctl prog show|dump. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "offline.h"
#include "online.h"
#include "weir/api/libweir.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/vm/disasm.h"

const struct cli_option prog_dump_options[] = {
	{"jited", 0, NULL, "the machine code, as hex bytes"},
	{0},
};

/* Everything that the programs' records refer to. */
struct surroundings {
	struct weir_attach_rec *places;
	struct weir_map_rec *maps;
	struct weir_pin_rec *pins;
	uint32_t place_count, map_count, pin_count;
};

static void surroundings_free(struct surroundings *s)
{
	free(s->places);
	free(s->maps);
	free(s->pins);
}

static int surroundings_get(struct surroundings *s)
{
	WEIR_DIAG_ON_STACK(diag, 512);

	if (weir_client_attachments(&s->places, &s->place_count, &diag) ||
	    weir_client_maps(&s->maps, &s->map_count, &diag) ||
	    weir_client_pins(&s->pins, &s->pin_count, &diag))
		return cli_fail("%s", diag.buf);
	return CLI_OK;
}

static const char *map_name(const struct surroundings *s, uint32_t id)
{
	for (uint32_t i = 0; i < s->map_count; i++)
		if (s->maps[i].id == id)
			return s->maps[i].name;
	return "?";
}

/* The names of weird's eight counters of verdicts for a program type; NULL ones are not used. */
static const char *verdict_counter(uint32_t type, int i)
{
	static const char *const xdp[8] = {"aborted",  "drop", "pass", "tx",
					   "redirect", NULL,   NULL,   "unknown"};
	static const char *const filter[8] = {"drop", NULL, NULL, NULL, NULL, NULL, NULL, "keep"};
	static const char *const tc[8] = {"ok",     "reclassify", "shot",   "pipe",
					  "stolen", "queued",     "repeat", "other"};

	if (type == BPF_PROG_TYPE_XDP)
		return xdp[i];
	return type == BPF_PROG_TYPE_SOCKET_FILTER ? filter[i] : tc[i];
}

static json_t *place_json(const struct weir_attach_rec *a)
{
	char queues[256];

	online_queues_print(a->queues, queues, sizeof(queues));
	return json_pack("{s:s, s:s, s:i, s:s, s:b, s:I, s:i, s:i}", "port", a->port, "hook",
			 online_hook_name(a->hook), "priority", (int)a->priority, "queues", queues,
			 "guard", a->guard != 0, "since_ns", (json_int_t)a->since_ns, "previous_id",
			 (int)a->previous_id, "link_id", (int)a->link_id);
}

static void hex_of(const uint8_t *bytes, size_t count, char *out)
{
	*out = '\0';
	for (size_t i = 0; i < count; i++)
		out += sprintf(out, "%02x", bytes[i]);
}

static void add_references(json_t *doc, const struct weir_prog_rec *p, const struct surroundings *s)
{
	json_t *places = json_array(), *maps = json_array(), *pins = json_array();
	json_t *verdicts = json_object();

	for (uint32_t i = 0; i < s->place_count; i++)
		if (s->places[i].prog_id == p->id)
			json_array_append_new(places, place_json(&s->places[i]));
	for (uint32_t i = 0; i < p->map_count && i < WEIR_ARRAY_LEN(p->map_ids); i++)
		json_array_append_new(maps, json_pack("{s:i, s:s}", "id", (int)p->map_ids[i],
						      "name", map_name(s, p->map_ids[i])));
	for (uint32_t i = 0; i < s->pin_count; i++)
		if (s->pins[i].kind == WEIR_OBJECT_PROG && s->pins[i].id == p->id)
			json_array_append_new(pins, json_string(s->pins[i].path));
	for (int i = 0; i < 8; i++)
		if (verdict_counter(p->type, i))
			json_object_set_new(verdicts, verdict_counter(p->type, i),
					    json_integer((json_int_t)p->verdicts[i]));
	json_object_set_new(doc, "attached", places);
	json_object_set_new(doc, "maps", maps);
	json_object_set_new(doc, "pins", pins);
	json_object_set_new(doc, "verdicts", verdicts);
}

static json_t *prog_json(const struct weir_prog_rec *p, const struct surroundings *s)
{
	char tag[2 * sizeof(p->tag) + 1];
	json_t *doc;

	hex_of(p->tag, sizeof(p->tag), tag);
	doc = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:I}", "id", (int)p->id,
			"name", p->name, "type", prog_type_name(p->type), "tag", tag, "object",
			p->origin.path, "sha256", p->origin.sha256, "section", p->origin.section,
			"uid", (int)p->uid, "pid", (int)p->pid, "comm", p->comm, "loaded_ns",
			(json_int_t)p->loaded_ns);
	json_object_update_new(
		doc, json_pack("{s:i, s:i, s:i, s:i, s:b, s:b, s:i, s:I, s:I, s:I, s:I, s:I}",
			       "insns", (int)p->insns, "processed", (int)p->verified_insns,
			       "xlated_bytes", (int)p->xlated_bytes, "jited_bytes",
			       (int)p->jited_bytes, "frags", p->has_frags != 0, "gpl_compatible",
			       p->gpl_compatible != 0, "refs", (int)p->refs, "verify_ns",
			       (json_int_t)p->verify_ns, "jit_ns", (json_int_t)p->jit_ns, "runs",
			       (json_int_t)p->runs, "run_ns", (json_int_t)p->run_ns,
			       "budget_overruns", (json_int_t)p->budget_overruns));
	add_references(doc, p, s);
	return doc;
}

static void row_print(const struct weir_prog_rec *p, const struct surroundings *s)
{
	uint32_t said = 0;

	printf("%-5u %-16s %-13s %6u %14" PRIu64 "  ", p->id, p->name, prog_type_name(p->type),
	       p->insns, p->runs);
	for (uint32_t i = 0; i < s->place_count; i++)
		if (s->places[i].prog_id == p->id)
			printf("%s%s/%s/%u", said++ ? ", " : "", s->places[i].port,
			       online_hook_name(s->places[i].hook), s->places[i].priority);
	printf("%s\n", said ? "" : "-");
}

static void places_print(const struct weir_prog_rec *p, const struct surroundings *s)
{
	for (uint32_t i = 0; i < s->place_count; i++) {
		const struct weir_attach_rec *a = &s->places[i];
		char queues[256], since[32];

		if (a->prog_id != p->id)
			continue;
		online_queues_print(a->queues, queues, sizeof(queues));
		online_time_print(a->since_ns, since, sizeof(since));
		printf("  attached  %s/%s/%u, queues %s, since %s%s", a->port,
		       online_hook_name(a->hook), a->priority, queues, since,
		       a->guard ? ", a guard" : "");
		if (a->link_id)
			printf(", by link %u", a->link_id);
		if (a->previous_id)
			printf(", in place of program %u", a->previous_id);
		putchar('\n');
	}
}

static void detail_print(const struct weir_prog_rec *p, const struct surroundings *s)
{
	char loaded[32], tag[2 * sizeof(p->tag) + 1];
	uint32_t said = 0;

	hex_of(p->tag, sizeof(p->tag), tag);
	online_time_print(p->loaded_ns, loaded, sizeof(loaded));
	printf("program %u %s, %s, tag %s\n", p->id, p->name, prog_type_name(p->type), tag);
	printf("  object    %s%s%s\n", *p->origin.path ? p->origin.path : "(not said)",
	       *p->origin.section ? ", section " : "", p->origin.section);
	if (*p->origin.sha256)
		printf("  sha256    %s\n", p->origin.sha256);
	printf("  loaded    %s by user %u, process %u (%s)\n", loaded, p->uid, p->pid, p->comm);
	printf("  verified  %u instructions, %u processed, in %.1f us\n", p->insns,
	       p->verified_insns, (double)p->verify_ns / 1000);
	if (p->jited_bytes)
		printf("  compiled  %u bytes in %.1f us\n", p->jited_bytes,
		       (double)p->jit_ns / 1000);
	places_print(p, s);
	for (uint32_t i = 0; i < s->pin_count; i++)
		if (s->pins[i].kind == WEIR_OBJECT_PROG && s->pins[i].id == p->id)
			printf("  pinned    %s\n", s->pins[i].path);
	for (uint32_t i = 0; i < p->map_count && i < WEIR_ARRAY_LEN(p->map_ids); i++)
		printf("%s%u %s%s", i ? ", " : "  maps      ", p->map_ids[i],
		       map_name(s, p->map_ids[i]), i + 1 == p->map_count ? "\n" : "");
	printf("  runs      %" PRIu64, p->runs);
	if (p->runs && p->run_ns)
		printf(", %.1f ns each", (double)p->run_ns / (double)p->runs);
	if (p->budget_overruns)
		printf(", %" PRIu64 " over the run budget", p->budget_overruns);
	for (int i = 0; i < 8; i++)
		if (p->verdicts[i] && verdict_counter(p->type, i))
			printf("%s%s %" PRIu64, said++ ? ", " : "\n  verdicts  ",
			       verdict_counter(p->type, i), p->verdicts[i]);
	putchar('\n');
}

int cmd_prog_show(struct cli *cli)
{
	weir_autofree struct weir_prog_rec *recs = NULL;
	struct surroundings s = {0};
	WEIR_DIAG_ON_STACK(diag, 512);
	struct weir_prog_rec one;
	uint32_t count = 0;
	int err = CLI_OK;

	if (online_connect(cli))
		return CLI_FAILED;
	if (cli->subject_count)
		err = online_find_prog(cli->subject[0], &one, NULL);
	else if (weir_client_progs(&recs, &count, &diag))
		err = cli_fail("%s", diag.buf);
	if (!err)
		err = surroundings_get(&s);
	if (!err && cli->subject_count) {
		if (cli->json)
			cli_print_json(prog_json(&one, &s));
		else
			detail_print(&one, &s);
	} else if (!err && cli->json) {
		json_t *list = json_array();

		for (uint32_t i = 0; i < count; i++)
			json_array_append_new(list, prog_json(&recs[i], &s));
		cli_print_json(list);
	} else if (!err) {
		printf("%-5s %-16s %-13s %6s %14s  %s\n", "ID", "NAME", "TYPE", "INSNS", "RUNS",
		       "ATTACHED");
		for (uint32_t i = 0; i < count; i++)
			row_print(&recs[i], &s);
	}
	surroundings_free(&s);
	return err;
}

/* A program's code as weird has it. */
struct dump {
	struct bpf_insn *insns;
	struct bpf_line_info *lines;
	struct bpf_func_info *funcs;
	uint8_t *image;
	uint32_t insn_count, line_count, func_count, image_bytes;
	struct weir_btf *btf;
	struct surroundings around;
	char name[32]; /* of imm64_name */
};

static void dump_free(struct dump *d)
{
	free(d->insns);
	free(d->lines);
	free(d->funcs);
	free(d->image);
	weir_btf_free(&d->btf);
	surroundings_free(&d->around);
}

static int prog_info(int fd, struct bpf_prog_info *info)
{
	union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)fd,
					.info_len = sizeof(*info),
					.info = (uintptr_t)info}};

	return weir_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) ? -errno : 0;
}

static int dump_get(struct dump *d, const struct weir_prog_rec *rec, int fd)
{
	struct bpf_prog_info size = {0}, info = {0};
	int err = prog_info(fd, &size);

	if (err)
		return cli_fail("program %u: %s", rec->id, online_why(err));
	d->insns = malloc(size.xlated_prog_len + 1U);
	d->image = malloc(size.jited_prog_len + 1U);
	d->lines = calloc(size.nr_line_info + 1U, sizeof(*d->lines));
	d->funcs = calloc(size.nr_func_info + 1U, sizeof(*d->funcs));
	if (!d->insns || !d->image || !d->lines || !d->funcs)
		return cli_fail("%s", strerror(ENOMEM));
	info.xlated_prog_insns = (uintptr_t)d->insns;
	info.xlated_prog_len = size.xlated_prog_len;
	info.jited_prog_insns = (uintptr_t)d->image;
	info.jited_prog_len = size.jited_prog_len;
	info.line_info = (uintptr_t)d->lines;
	info.nr_line_info = size.nr_line_info;
	info.line_info_rec_size = sizeof(*d->lines);
	info.func_info = (uintptr_t)d->funcs;
	info.nr_func_info = size.nr_func_info;
	info.func_info_rec_size = sizeof(*d->funcs);
	err = prog_info(fd, &info);
	if (err)
		return cli_fail("program %u: %s", rec->id, online_why(err));
	d->insn_count = size.xlated_prog_len / (uint32_t)sizeof(*d->insns);
	d->image_bytes = size.jited_prog_len;
	d->btf = online_btf(rec->btf_id);
	d->line_count = d->btf ? size.nr_line_info : 0;
	d->func_count = d->btf ? size.nr_func_info : 0;
	return surroundings_get(&d->around);
}

/* LD_IMM64 of maps: "map[id:5 name]". */
static const char *imm64_name(void *arg, const struct bpf_insn *insn, uint32_t insn_idx)
{
	struct dump *d = arg;

	if (insn->src_reg != BPF_PSEUDO_MAP_FD && insn->src_reg != BPF_PSEUDO_MAP_VALUE)
		return NULL;
	snprintf(d->name, sizeof(d->name), "map[%d %s]", insn->imm,
		 map_name(&d->around, (uint32_t)insn->imm));
	return d->name;
}

static const char *line_at(const struct dump *d, uint32_t insn, uint32_t *next)
{
	const char *text = NULL;

	while (*next < d->line_count && d->lines[*next].insn_off <= insn) {
		if (d->lines[*next].insn_off == insn)
			text = weir_btf_name(d->btf, d->lines[*next].line_off);
		(*next)++;
	}
	while (text && (*text == ' ' || *text == '\t'))
		text++;
	return text && *text ? text : NULL;
}

static const char *func_at(const struct dump *d, uint32_t insn)
{
	for (uint32_t i = 0; i < d->func_count; i++) {
		const struct btf_type *t = weir_btf_type(d->btf, d->funcs[i].type_id);

		if (d->funcs[i].insn_off == insn && t)
			return weir_btf_name(d->btf, t->name_off);
	}
	return NULL;
}

static void xlated_print(struct dump *d, json_t *list)
{
	const struct weir_disasm_opts opts = {.imm64_name = imm64_name, .arg = d};
	uint32_t next = 0;

	for (uint32_t i = 0; i < d->insn_count;) {
		const char *func = func_at(d, i), *line = line_at(d, i, &next);
		WEIR_DIAG_ON_STACK(text, 256);
		uint32_t slots = weir_disasm_insn(d->insns, d->insn_count, i, &opts, &text);

		if (list) {
			json_t *row = json_pack("{s:i, s:s}", "insn", (int)i, "text", text.buf);

			if (func)
				json_object_set_new(row, "function", json_string(func));
			if (line)
				json_object_set_new(row, "line", json_string(line));
			json_array_append_new(list, row);
		} else {
			if (func)
				printf("%s%s:\n", i ? "\n" : "", func);
			if (line)
				printf("; %s\n", line);
			printf("%4u: %s\n", i, text.buf);
		}
		i += slots ? slots : 1;
	}
}

static void jited_print(const struct dump *d, bool json)
{
	weir_autofree char *hex = NULL;

	if (json) {
		hex = malloc(2 * (size_t)d->image_bytes + 1);
		if (!hex)
			return;
		hex_of(d->image, d->image_bytes, hex);
		cli_print_json(json_pack("{s:i, s:s}", "bytes", (int)d->image_bytes, "hex", hex));
		return;
	}
	for (uint32_t i = 0; i < d->image_bytes; i++) {
		if (i % 16 == 0)
			printf("%6x: ", i);
		printf(" %02x%s", d->image[i], i % 16 == 15 || i + 1 == d->image_bytes ? "\n" : "");
	}
}

int cmd_prog_dump(struct cli *cli)
{
	struct weir_prog_rec rec;
	weir_autoclose int fd = -1;
	struct dump d = {0};
	int err;

	if (online_connect(cli) || online_find_prog(cli->subject[0], &rec, &fd))
		return CLI_FAILED;
	err = dump_get(&d, &rec, fd);
	if (!err && cli_flag(cli, "jited")) {
		if (d.image_bytes)
			jited_print(&d, cli->json);
		else
			err = cli_fail("program %u is interpreted: there is no machine code",
				       rec.id);
	} else if (!err) {
		json_t *list = cli->json ? json_array() : NULL;

		xlated_print(&d, list);
		if (list)
			cli_print_json(list);
	}
	dump_free(&d);
	return err;
}
