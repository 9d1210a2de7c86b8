/* SPDX-License-Identifier: BSD-3-Clause */
/* weirctl map show|dump|lookup|update|delete. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "online.h"
#include "weir/api/libweir.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/maps/maps.h"

const struct cli_option map_lookup_options[] = {
	{"cpu", 0, "N", "one CPU's value of a per-CPU map"},
	{0},
};

const struct cli_option map_update_options[] = {
	{"cpu", 0, "N", "write one CPU's value only (default: all CPUs')"},
	{"noexist", 0, NULL, "only if the key is not there"},
	{"exist", 0, NULL, "only if the key is there"},
	{0},
};

/* A map opened for work on its elements. */
struct open_map {
	struct weir_map_rec rec;
	struct weir_object_desc desc;
	struct weir_btf *btf;
	struct map_shape shape;
	int fd;
};

static void close_map(struct open_map *m)
{
	weir_cleanup_close(&m->fd);
	weir_btf_free(&m->btf);
}

static int open_map(struct cli *cli, struct open_map *m)
{
	WEIR_DIAG_ON_STACK(diag, 512);

	*m = (struct open_map){.fd = -1};
	if (online_connect(cli) || online_find_map(cli->subject[0], &m->rec, &m->fd))
		return CLI_FAILED;
	if (weir_client_describe(m->fd, &m->desc, &diag))
		return cli_fail("map %s: %s", cli->subject[0], diag.buf);
	m->btf = online_btf(m->rec.btf_id);
	m->shape = (struct map_shape){
		.btf = m->btf,
		.key_type = m->btf ? m->rec.btf_key_type_id : 0,
		.value_type = m->btf ? m->rec.btf_value_type_id : 0,
		.key_size = m->rec.key_size,
		.value_size = m->rec.value_size,
		.index_key = map_type_has_index(m->rec.type),
		.id_value = map_type_has_ids(m->rec.type),
	};
	if (m->rec.is_per_cpu)
		m->shape.slots =
			m->desc.slot_value_bytes / (uint32_t)weir_align_up(m->rec.value_size, 8);
	return CLI_OK;
}

static json_t *map_json(const struct weir_map_rec *m)
{
	const char *type = weir_map_type_name(m->type);

	return json_pack("{s:i, s:s, s:s, s:i, s:i, s:I, s:i, s:I, s:I, s:b, s:i, s:i}", "id",
			 (int)m->id, "name", m->name, "type", type ? type : "?", "key_bytes",
			 (int)m->key_size, "value_bytes", (int)m->value_size, "max_entries",
			 (json_int_t)m->max_entries, "flags", (int)m->flags, "elements",
			 (json_int_t)m->elems, "memory_bytes", (json_int_t)m->bytes, "frozen",
			 m->frozen, "refs", (int)m->refs, "uid", (int)m->uid);
}

static void map_print(const struct weir_map_rec *m)
{
	const char *type = weir_map_type_name(m->type);

	printf("%-5u %-16s %-13s %4u %6u %10" PRIu64 " %10u %12" PRIu64 "%s\n", m->id, m->name,
	       type ? type : "?", m->key_size, m->value_size, m->elems, m->max_entries, m->bytes,
	       m->frozen ? "  frozen" : "");
}

int cmd_map_show(struct cli *cli)
{
	weir_autofree struct weir_map_rec *recs = NULL;
	WEIR_DIAG_ON_STACK(diag, 512);
	struct weir_map_rec one;
	uint32_t count = 1;
	json_t *list;

	if (online_connect(cli))
		return CLI_FAILED;
	if (cli->subject_count && online_find_map(cli->subject[0], &one, NULL))
		return CLI_FAILED;
	if (!cli->subject_count && weir_client_maps(&recs, &count, &diag))
		return cli_fail("%s", diag.buf);
	list = json_array();
	if (!cli->json)
		printf("%-5s %-16s %-13s %4s %6s %10s %10s %12s\n", "ID", "NAME", "TYPE", "KEY",
		       "VALUE", "ELEMENTS", "MAX", "BYTES");
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_map_rec *m = cli->subject_count ? &one : &recs[i];

		if (cli->json)
			json_array_append_new(list, map_json(m));
		else
			map_print(m);
	}
	if (cli->json)
		cli_print_json(json_incref(list));
	json_decref(list);
	return CLI_OK;
}

static void dump_page(const struct open_map *m, const struct weir_client_page *page, json_t *list)
{
	for (uint32_t i = 0; i < page->elems; i++) {
		const uint8_t *key =
			page->bytes + (size_t)i * (page->key_bytes + page->value_bytes);

		if (list)
			json_array_append_new(list,
					      map_elem_json(&m->shape, key, key + page->key_bytes));
		else
			map_elem_print(&m->shape, key, key + page->key_bytes);
	}
}

/* Pages until the end. A map that changes all the time may lead back to its beginning. */
static int dump_pages(struct cli *cli, const struct open_map *m, json_t *list)
{
	weir_autofree uint8_t *last = malloc(m->rec.key_size + 1U);
	uint64_t total = 0, limit = 2 * (uint64_t)m->rec.max_entries + 1;
	WEIR_DIAG_ON_STACK(diag, 512);
	bool done = false, begun = false;

	if (!last)
		return cli_fail("%s", strerror(ENOMEM));
	while (!done && total <= limit) {
		struct weir_client_page page = {0};

		if (weir_client_map_page(m->fd, begun ? last : NULL, &page, &diag))
			return cli_fail("map %s: %s", cli->subject[0], diag.buf);
		dump_page(m, &page, list);
		total += page.elems;
		done = page.done;
		if (!done)
			memcpy(last, page.last_key, page.key_bytes);
		begun = true;
		free(page.bytes);
	}
	if (!done)
		return cli_fail("map %s: it changes faster than it is read; %llu elements shown",
				cli->subject[0], (unsigned long long)total);
	return CLI_OK;
}

int cmd_map_dump(struct cli *cli)
{
	json_t *list = cli->json ? json_array() : NULL;
	struct open_map m;
	int err = open_map(cli, &m);

	if (!err)
		err = dump_pages(cli, &m, list);
	if (!err && list)
		cli_print_json(json_incref(list));
	json_decref(list);
	close_map(&m);
	return err;
}

static int parse_cpu(const struct cli *cli, const struct open_map *m, int *cpu)
{
	uint64_t n;
	int err;

	*cpu = -1;
	if (!cli_option(cli, "cpu"))
		return 0;
	if (!m->shape.slots)
		return cli_usage("--cpu: map %s is not per-CPU", m->rec.name);
	err = cli_number(cli, "cpu", 0, m->shape.slots - 1, 0, &n);
	*cpu = (int)n;
	return err;
}

/* Subjects 1… as a key; *used counts words. */
static int parse_key(const struct cli *cli, const struct open_map *m, void *key, int *used)
{
	WEIR_DIAG_ON_STACK(diag, 512);

	if (map_bytes_parse(m->shape.btf, m->shape.key_type, m->shape.key_size, cli->subject + 1,
			    cli->subject_count - 1, used, &diag, key))
		return cli_usage("key: %s", diag.buf);
	return 0;
}

static int too_many(const struct cli *cli, int used)
{
	if (1 + used < cli->subject_count)
		return cli_usage("'%s' is one word too many", cli->subject[1 + used]);
	return 0;
}

int cmd_map_lookup(struct cli *cli)
{
	weir_autofree uint8_t *key = NULL, *value = NULL;
	WEIR_DIAG_ON_STACK(diag, 512);
	struct open_map m;
	struct map_shape shape;
	int cpu, used, err = open_map(cli, &m);
	size_t bytes;

	if (err)
		return err;
	key = calloc(1, m.rec.key_size + 8);
	value = calloc(1, m.desc.slot_value_bytes + (size_t)m.rec.value_size + 8);
	err = key && value ? parse_cpu(cli, &m, &cpu) : cli_fail("%s", strerror(ENOMEM));
	if (!err)
		err = parse_key(cli, &m, key, &used);
	if (!err)
		err = too_many(cli, used);
	if (!err) {
		shape = m.shape;
		bytes = cpu >= 0 || !shape.slots ? m.rec.value_size : m.desc.slot_value_bytes;
		if (cpu >= 0)
			shape.slots = 0;
		if (weir_client_map_lookup(m.fd, key, cpu, value, bytes, &diag))
			err = cli_fail("map %s: %s", m.rec.name, diag.buf);
		else if (cli->json)
			cli_print_json(map_elem_json(&shape, key, value));
		else
			map_elem_print(&shape, key, value);
	}
	close_map(&m);
	return err;
}

static uint64_t update_flags(const struct cli *cli)
{
	return cli_flag(cli, "noexist") ? BPF_NOEXIST
	       : cli_flag(cli, "exist") ? BPF_EXIST
					: BPF_ANY;
}

/* A prog array's value is a program, by id, name or /pin. */
static int update_prog(struct cli *cli, const struct open_map *m, uint8_t *key)
{
	weir_autoclose int fd = -1;
	struct weir_prog_rec rec;
	union bpf_attr attr;
	int used, err = parse_key(cli, m, key, &used);

	if (err)
		return err;
	if (cli->subject_count != 2 + used)
		return cli_usage("map %s: expected a key and a program", m->rec.name);
	if (online_find_prog(cli->subject[1 + used], &rec, &fd))
		return CLI_FAILED;
	attr = (union bpf_attr){
		.map_fd = (uint32_t)m->fd,
		.key = (uintptr_t)key,
		.value = (uintptr_t)&fd,
		.flags = update_flags(cli),
	};
	if (weir_bpf(BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)))
		return cli_fail("map %s: %s", m->rec.name, online_why(errno));
	return CLI_OK;
}

static int update(struct cli *cli, struct open_map *m, uint8_t *key, uint8_t *value)
{
	uint64_t flags = update_flags(cli);
	size_t stride = weir_align_up(m->rec.value_size, 8), bytes = m->rec.value_size;
	WEIR_DIAG_ON_STACK(diag, 512);
	int cpu, used, used_value, err = parse_cpu(cli, m, &cpu);

	if (!err)
		err = parse_key(cli, m, key, &used);
	if (err)
		return err;
	if (map_bytes_parse(m->shape.btf, m->shape.value_type, m->rec.value_size,
			    cli->subject + 1 + used, cli->subject_count - 1 - used, &used_value,
			    &diag, value))
		return cli_usage("value: %s", diag.buf);
	err = too_many(cli, used + used_value);
	if (err)
		return err;
	if (m->shape.slots && cpu < 0) {
		for (uint32_t s = 1; s < m->shape.slots; s++)
			memcpy(value + s * stride, value, m->rec.value_size);
		bytes = m->desc.slot_value_bytes;
	}
	if (weir_client_map_update(m->fd, key, cpu, value, bytes, flags, &diag))
		return cli_fail("map %s: %s", m->rec.name, diag.buf);
	return CLI_OK;
}

int cmd_map_update(struct cli *cli)
{
	weir_autofree uint8_t *key = NULL, *value = NULL;
	struct open_map m;
	int err = open_map(cli, &m);

	if (err)
		return err;
	key = calloc(1, m.rec.key_size + 8);
	value = calloc(1, m.desc.slot_value_bytes + (size_t)m.rec.value_size + 8);
	if (!key || !value)
		err = cli_fail("%s", strerror(ENOMEM));
	else if (m.rec.type == BPF_MAP_TYPE_PROG_ARRAY)
		err = update_prog(cli, &m, key);
	else
		err = update(cli, &m, key, value);
	close_map(&m);
	return err;
}

int cmd_map_delete(struct cli *cli)
{
	weir_autofree uint8_t *key = NULL;
	union bpf_attr attr = {0};
	struct open_map m;
	int used, err = open_map(cli, &m);

	if (err)
		return err;
	key = calloc(1, m.rec.key_size + 8);
	err = key ? parse_key(cli, &m, key, &used) : cli_fail("%s", strerror(ENOMEM));
	if (!err)
		err = too_many(cli, used);
	if (!err) {
		attr.map_fd = (uint32_t)m.fd;
		attr.key = (uintptr_t)key;
		if (weir_bpf(BPF_MAP_DELETE_ELEM, &attr, sizeof(attr)))
			err = cli_fail("map %s: %s", m.rec.name,
				       errno == ENOENT ? "no such key" : online_why(errno));
	}
	close_map(&m);
	return err;
}
