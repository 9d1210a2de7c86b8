/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same objects through libbpf: programs, map definitions, pins and data as it opens them, and,
 * where bpf(2) lets it load them, the very instructions it would load.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>

#include "kernel_bpf.h"
#include "object_util.h"

static uint32_t compared_objects, compared_progs, compared_insns;

static const struct weir_plan_map *map_of(const struct weir_plan *plan, const struct bpf_map *map)
{
	for (uint32_t i = 0; i < plan->map_count; i++)
		if (!strcmp(plan->maps[i].name, bpf_map__name(map)) ||
		    (plan->maps[i].is_global_data &&
		     !strcmp(plan->maps[i].def.name, bpf_map__name(map))))
			return &plan->maps[i];
	fail_msg("libbpf has map %s", bpf_map__name(map));
	return NULL;
}

static void map_compare(const struct weir_plan *plan, const struct bpf_map *map)
{
	const struct weir_plan_map *m = map_of(plan, map);
	size_t size = 0;
	const void *data = bpf_map__initial_value((struct bpf_map *)(uintptr_t)map, &size);

	assert_int_equal(m->def.type, bpf_map__type(map));
	assert_int_equal(m->def.key_size, bpf_map__key_size(map));
	assert_int_equal(m->def.value_size, bpf_map__value_size(map));
	assert_int_equal(m->def.max_entries, bpf_map__max_entries(map));
	assert_int_equal(m->def.flags, bpf_map__map_flags(map));
	assert_true(m->def.map_extra == bpf_map__map_extra(map));
	assert_int_equal(m->pin == WEIR_PIN_BY_NAME, bpf_map__pin_path(map) != NULL);
	if (m->is_global_data) {
		assert_int_equal(size, m->def.value_size);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(((const uint8_t *)data)[i],
					 m->data ? ((const uint8_t *)m->data)[i] : 0);
	}
}

/* libbpf's loaded form has descriptors where the plan has indexes. */
static void insns_compare(const struct weir_plan *plan, struct bpf_object *obj,
			  const struct bpf_program *prog, const struct weir_prog_raw *raw)
{
	const struct bpf_insn *theirs = bpf_program__insns(prog);

	assert_int_equal(bpf_program__insn_cnt(prog), raw->insn_count);
	for (uint32_t i = 0; i < raw->insn_count; i++) {
		struct bpf_insn a = raw->insns[i], b = theirs[i];
		const struct bpf_map *map;

		if (a.code == (BPF_LD | BPF_IMM | BPF_DW) &&
		    (a.src_reg == BPF_PSEUDO_MAP_IDX || a.src_reg == BPF_PSEUDO_MAP_IDX_VALUE)) {
			assert_int_equal(b.src_reg, a.src_reg == BPF_PSEUDO_MAP_IDX
							    ? BPF_PSEUDO_MAP_FD
							    : BPF_PSEUDO_MAP_VALUE);
			bpf_object__for_each_map(map, obj) if (bpf_map__fd(map) == b.imm) break;
			assert_non_null(map);
			assert_ptr_equal(map_of(plan, map), &plan->maps[a.imm]);
			a.src_reg = b.src_reg;
			a.imm = b.imm;
		}
		assert_memory_equal(&a, &b, sizeof(a));
	}
	compared_insns++;
}

static void progs_compare(const struct weir_plan *plan, struct bpf_object *obj, bool loaded)
{
	struct bpf_program *prog;
	uint32_t count = 0;

	bpf_object__for_each_program(prog, obj)
	{
		const struct weir_plan_prog *p = plan_prog(plan, bpf_program__name(prog));
		const char *section = bpf_program__section_name(prog);

		assert_string_equal(p->section, section + (*section == '?'));
		assert_int_equal(p->raw.type, bpf_program__type(prog));
		assert_int_equal(p->autoload, bpf_program__autoload(prog));
		if (p->raw.type == BPF_PROG_TYPE_XDP)
			assert_int_equal(p->raw.expected_attach_type,
					 bpf_program__expected_attach_type(prog));
		if (loaded && p->autoload)
			insns_compare(plan, obj, prog, &p->raw);
		count++;
		compared_progs++;
	}
	assert_int_equal(count, plan->prog_count);
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

static void object_compare(const char *path)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = "/nonexistent");
	struct bpf_object *obj = bpf_object__open_file(path, &opts);
	WEIR_DIAG_ON_STACK(diag, 512);
	struct weir_plan *plan;
	struct bpf_map *map;
	bool loaded;

	/* Sections libbpf does not know by now (SEC("maps")) are tested elsewhere. */
	if (libbpf_get_error(obj))
		return;
	if (weir_object_load_file(path, NULL, &diag, &plan))
		fail_msg("%s", diag.buf);
	bpf_object__for_each_map(map, obj)
	{
		map_compare(plan, map);
		bpf_map__set_pin_path(map, NULL);
	}
	progs_compare(plan, obj, false);
	loaded = !bpf_object__load(obj);
	if (loaded)
		progs_compare(plan, obj, true);
	weir_plan_free(&plan);
	bpf_object__close(obj);
	compared_objects++;
}

static void folder_compare(const char *env)
{
	const char *name = getenv(env);
	DIR *dir = name ? opendir(name) : NULL;
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		char path[PATH_MAX];
		size_t len = strlen(e->d_name);

		if (len < 3 || strcmp(e->d_name + len - 2, ".o"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", name, e->d_name);
		object_compare(path);
	}
	if (dir)
		closedir(dir);
}

static void object_parse__as_libbpf(void **state)
{
	libbpf_set_print(quiet);
	folder_compare("WEIR_TEST_OBJECTS");
	assert_true(compared_objects >= 5);
	folder_compare("WEIR_TEST_PROGS");
	folder_compare("WEIR_TEST_SYSTEM_OBJECTS");
	print_message("# %u objects, %u programs, %u with their final instructions\n",
		      compared_objects, compared_progs, compared_insns);
}

/* CO-RE against another object's types: libbpf patches the same instructions the same way. */
static void object_parse__core_as_libbpf(void **state)
{
	struct weir_plan *target;
	struct weir_object_opts opts = {0};
	LIBBPF_OPTS(bpf_object_open_opts, open_opts);
	const struct bpf_insn *theirs;
	struct bpf_program *prog;
	struct bpf_object *obj;
	struct weir_plan *plan;
	WEIR_DIAG_ON_STACK(diag, 512);
	char path[PATH_MAX], custom[PATH_MAX];

	/* libbpf asks the kernel what it can before it relocates */
	SKIP_WITHOUT_KERNEL_BPF();
	target = object_load("core_target.v3.o");
	opts.target_btf = target->btf;
	snprintf(custom, sizeof(custom), "%s", object_path("core_target.v3.o"));
	snprintf(path, sizeof(path), "%s", object_path("core.v3.o"));
	open_opts.btf_custom_path = custom;
	libbpf_set_print(quiet);
	obj = bpf_object__open_file(path, &open_opts);
	assert_int_equal(libbpf_get_error(obj), 0);
	/* Relocation comes before the load, which may be refused. */
	bpf_object__load(obj);
	if (weir_object_load_file(path, &opts, &diag, &plan))
		fail_msg("%s", diag.buf);
	prog = bpf_object__next_program(obj, NULL);
	theirs = bpf_program__insns(prog);
	assert_int_equal(bpf_program__insn_cnt(prog), plan->progs[0].raw.insn_count);
	for (uint32_t i = 0; i < plan->progs[0].raw.insn_count; i++) {
		struct bpf_insn a = plan->progs[0].raw.insns[i], b = theirs[i];

		if (a.src_reg == BPF_PSEUDO_MAP_IDX_VALUE &&
		    a.code == (BPF_LD | BPF_IMM | BPF_DW)) {
			i++;
			continue;
		}
		if (memcmp(&a, &b, sizeof(a)))
			fail_msg("insn %u: %02x off %d imm %d, libbpf %02x off %d imm %d", i,
				 a.code, a.off, a.imm, b.code, b.off, b.imm);
	}
	weir_plan_free(&plan);
	weir_plan_free(&target);
	bpf_object__close(obj);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(object_parse__as_libbpf),
		cmocka_unit_test(object_parse__core_as_libbpf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
