/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/object.h"

#include <errno.h>

#include "object_util.h"

static void object_parse__maps_of_every_kind(void **state)
{
	struct weir_plan *plan = object_load("everything.v3.o");
	const struct weir_plan_map *m = plan_map(plan, "flows_with_a_rather_long_name");

	assert_int_equal(m->def.type, BPF_MAP_TYPE_HASH);
	assert_int_equal(m->def.key_size, 8);
	assert_int_equal(m->def.value_size, 8);
	assert_int_equal(m->def.max_entries, 128);
	assert_int_equal(m->pin, WEIR_PIN_BY_NAME);
	assert_string_equal(m->def.name, "flows_with_a_ra");
	m = plan_map(plan, "counters");
	assert_int_equal(m->def.value_size, 16);
	assert_int_equal(m->def.flags, BPF_F_RDONLY);
	assert_int_equal(m->pin, WEIR_PIN_NONE);
	weir_plan_free(&plan);
	assert_null(plan);
}

static void object_parse__static_values(void **state)
{
	struct weir_plan *plan = object_load("everything.v3.o");
	const struct weir_plan_map *m = plan_map(plan, "jumps");

	assert_int_equal(m->slot_count, 2);
	assert_int_equal(m->slots[0].key, 1);
	assert_int_equal(m->slots[1].key, 3);
	assert_string_equal(plan->progs[m->slots[1].index].name, "xdp_second");
	assert_int_equal(m->def.value_size, 4);
	m = plan_map(plan, "outer");
	assert_int_equal(m->slot_count, 2);
	assert_string_equal(plan->maps[m->slots[0].index].name, "inner_b");
	assert_string_equal(plan->maps[m->slots[1].index].name, "inner_a");
	assert_int_equal(m->slots[1].key, 2);
	assert_string_equal(plan->maps[m->inner_map].name, "outer.inner");
	assert_int_equal(plan->maps[m->inner_map].def.max_entries, 2);
	weir_plan_free(&plan);
}

static void object_parse__global_data(void **state)
{
	struct weir_plan *plan = object_load("everything.v3.o");
	const struct weir_plan_map *m = plan_map(plan, ".rodata");
	uint32_t table[4];

	assert_true(m->is_global_data && m->freeze);
	assert_int_equal(m->def.flags & BPF_F_RDONLY_PROG, BPF_F_RDONLY_PROG);
	assert_string_equal(m->def.name, "everythi.rodata");
	assert_int_equal(*(const uint32_t *)m->data, 7);
	m = plan_map(plan, ".rodata.table");
	memcpy(table, m->data, sizeof(table));
	assert_int_equal(table[3], 4);
	m = plan_map(plan, ".data.more");
	assert_false(m->freeze);
	assert_true(*(const uint64_t *)m->data == 0x1122334455667788);
	m = plan_map(plan, ".bss");
	assert_null(m->data);
	assert_true(m->is_global_data);
	/* The section's size in BTF is the ELF's. */
	assert_int_equal(weir_btf_size(plan->btf, m->def.btf_value_type_id), m->def.value_size);
	weir_plan_free(&plan);
}

/* Every call ends at a function's start and every map reference at a map of the plan. */
static void prog_check(const struct weir_plan *plan, const struct weir_prog_raw *raw)
{
	for (uint32_t i = 0; i < raw->insn_count; i++) {
		const struct bpf_insn *insn = &raw->insns[i];
		int64_t to = (int64_t)i + insn->imm + 1;
		bool found = false;

		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg != BPF_PSEUDO_FUNC) {
			if (insn->src_reg)
				assert_in_range(insn->imm, 0, plan->map_count - 1);
			i++;
			continue;
		}
		if (!(insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) &&
		    insn->code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		for (uint32_t f = 0; f < raw->func_count; f++)
			found |= raw->funcs[f].insn_idx == to;
		assert_true(found);
		i += insn->code == (BPF_LD | BPF_IMM | BPF_DW);
	}
}

static void object_parse__called_functions_are_appended(void **state)
{
	static const char *const names[] = {"everything.v2.o", "everything.v3.o",
					    "everything.v4.o"};

	for (size_t i = 0; i < 3; i++) {
		struct weir_plan *plan = object_load(names[i]);

		assert_int_equal(plan->prog_count, 5);
		assert_int_equal(plan_prog(plan, "xdp_first")->raw.func_count, 4);
		assert_int_equal(plan_prog(plan, "xdp_second")->raw.func_count, 3);
		assert_int_equal(plan_prog(plan, "xdp_frags")->raw.func_count, 1);
		for (uint32_t p = 0; p < plan->prog_count; p++) {
			assert_true(plan->progs[p].raw.line_count > 0);
			prog_check(plan, &plan->progs[p].raw);
		}
		weir_plan_free(&plan);
	}
}

static void object_parse__program_types(void **state)
{
	struct weir_plan *plan = object_load("everything.v3.o");
	const struct weir_plan_prog *p = plan_prog(plan, "xdp_frags");

	assert_int_equal(p->raw.type, BPF_PROG_TYPE_XDP);
	assert_int_equal(p->raw.flags, BPF_F_XDP_HAS_FRAGS);
	assert_string_equal(p->raw.license, "GPL");
	p = plan_prog(plan, "tc_not_loaded");
	assert_int_equal(p->raw.type, BPF_PROG_TYPE_SCHED_CLS);
	assert_false(p->autoload);
	assert_string_equal(p->section, "tc");
	assert_int_equal(plan_prog(plan, "filter")->raw.type, BPF_PROG_TYPE_SOCKET_FILTER);
	weir_plan_free(&plan);
}

static void object_parse__hidden_function_is_static(void **state)
{
	struct weir_plan *plan = object_load("everything.v3.o");
	uint32_t id = weir_btf_find(plan->btf, "hidden_in_text", BTF_KIND_FUNC);

	assert_int_equal(BTF_INFO_VLEN(weir_btf_type(plan->btf, id)->info), BTF_FUNC_STATIC);
	id = weir_btf_find(plan->btf, "global_in_text", BTF_KIND_FUNC);
	assert_int_equal(BTF_INFO_VLEN(weir_btf_type(plan->btf, id)->info), BTF_FUNC_GLOBAL);
	weir_plan_free(&plan);
}

static void object_parse__without_debug_information(void **state)
{
	struct weir_plan *plan = object_load("tiny.v3.o");

	assert_null(plan->btf);
	assert_int_equal(plan_prog(plan, "tiny")->raw.func_count, 0);
	assert_int_equal(plan_map(plan, ".bss")->def.value_size, 4);
	weir_plan_free(&plan);
}

static void object_parse__legacy_maps_and_names(void **state)
{
	struct weir_plan *plan = object_load("legacy.v3.o");

	assert_int_equal(plan->map_count, 2);
	assert_int_equal(plan_map(plan, "first")->def.flags, BPF_F_NO_PREALLOC);
	assert_int_equal(plan_map(plan, "second")->def.value_size, 12);
	assert_int_equal(plan_prog(plan, "ingress")->raw.type, BPF_PROG_TYPE_SCHED_CLS);
	assert_int_equal(plan_prog(plan, "probe")->raw.type, BPF_PROG_TYPE_KPROBE);
	weir_plan_free(&plan);
}

static void object_parse__weak_externs_are_absent(void **state)
{
	struct weir_plan *plan = object_load("externs.v3.o");
	const struct weir_prog_raw *raw = &plan_prog(plan, "uses")->raw;
	uint32_t loads = 0, poisoned = 0;

	for (uint32_t i = 0; i < raw->insn_count; i++) {
		const struct bpf_insn *insn = &raw->insns[i];

		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW))
			loads += !insn[0].imm && !insn[1].imm && !insn->src_reg;
		if (insn->code == (BPF_JMP | BPF_CALL))
			poisoned += insn->imm >= 2002000000 && !insn->src_reg;
	}
	assert_int_equal(loads, 1);
	assert_int_equal(poisoned, 1);
	weir_plan_free(&plan);
}

/* libbpf refuses these; they are functions like those of .text. */
static void object_parse__static_function_in_program_section(void **state)
{
	struct weir_plan *plan = object_load("static_section.v3.o");
	const struct weir_prog_raw *raw;

	assert_int_equal(plan->prog_count, 2);
	raw = &plan_prog(plan, "entry")->raw;
	assert_int_equal(raw->func_count, 3);
	prog_check(plan, raw);
	raw = &plan_prog(plan, "other")->raw;
	assert_int_equal(raw->func_count, 2);
	prog_check(plan, raw);
	weir_plan_free(&plan);
}

/* Without a target the object's own types are the target: what clang wrote stays. */
static void object_parse__core_against_own_types(void **state)
{
	struct weir_plan *plan = object_load("core.v3.o");
	const struct weir_prog_raw *raw = &plan_prog(plan, "reads")->raw;
	bool has_offset = false;

	for (uint32_t i = 0; i < raw->insn_count; i++)
		has_offset |= raw->insns[i].code == (BPF_LDX | BPF_MEM | BPF_W) &&
			      raw->insns[i].off == offsetof(struct xdp_md, rx_queue_index);
	assert_true(has_offset);
	weir_plan_free(&plan);
}

static void section_parse__table(void **state)
{
	static const struct {
		const char *name;
		uint32_t type, attach, flags;
	} rows[] = {
		{"xdp", BPF_PROG_TYPE_XDP, BPF_XDP, 0},
		{"xdp.frags", BPF_PROG_TYPE_XDP, BPF_XDP, BPF_F_XDP_HAS_FRAGS},
		{"xdp/devmap", BPF_PROG_TYPE_XDP, BPF_XDP_DEVMAP, 0},
		{"xdp.frags/cpumap", BPF_PROG_TYPE_XDP, BPF_XDP_CPUMAP, BPF_F_XDP_HAS_FRAGS},
		{"tc", BPF_PROG_TYPE_SCHED_CLS, 0, 0},
		{"?tcx/egress", BPF_PROG_TYPE_SCHED_CLS, 47, 0},
		{"classifier/ingress", BPF_PROG_TYPE_SCHED_CLS, 0, 0},
		{"action", BPF_PROG_TYPE_SCHED_ACT, 0, 0},
		{"socket", BPF_PROG_TYPE_SOCKET_FILTER, 0, 0},
		{"kprobe/x", BPF_PROG_TYPE_KPROBE, 0, 0},
	};
	uint32_t type, attach, flags;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(weir_section_parse(rows[i].name, &type, &attach, &flags), 0);
		assert_int_equal(type, rows[i].type);
		assert_int_equal(attach, rows[i].attach);
		assert_int_equal(flags, rows[i].flags);
	}
	assert_int_equal(weir_section_parse("from-netdev", &type, &attach, &flags), -EINVAL);
}

/* A sink that writes down what it is told, and may fail at a step. */
struct script {
	char text[2048];
	const char *fail_at;
};

static int script_add(void *arg, const char *step, const char *name)
{
	struct script *s = arg;
	size_t len = strlen(s->text);

	snprintf(s->text + len, sizeof(s->text) - len, "%s %s\n", step, name);
	return s->fail_at && !strcmp(s->fail_at, step) ? -EIO : 0;
}

static int sink_create(void *arg, const struct weir_plan *plan, uint32_t i, struct weir_diag *diag)
{
	return script_add(arg, "create", plan->maps[i].name);
}

static int sink_data(void *arg, const struct weir_plan *plan, uint32_t i, struct weir_diag *diag)
{
	return script_add(arg, "data", plan->maps[i].name);
}

static int sink_freeze(void *arg, const struct weir_plan *plan, uint32_t i, struct weir_diag *diag)
{
	return script_add(arg, "freeze", plan->maps[i].name);
}

static int sink_prog(void *arg, const struct weir_plan *plan, uint32_t i, struct weir_diag *diag)
{
	return script_add(arg, "load", plan->progs[i].name);
}

static int sink_slot(void *arg, const struct weir_plan *plan, uint32_t i,
		     const struct weir_plan_slot *slot, struct weir_diag *diag)
{
	return script_add(arg, "slot", plan->maps[i].name);
}

static void sink_abort(void *arg)
{
	script_add(arg, "abort", "");
}

static const struct weir_plan_sink sink = {
	.create_map = sink_create,
	.set_data = sink_data,
	.freeze = sink_freeze,
	.load_prog = sink_prog,
	.set_slot = sink_slot,
	.abort = sink_abort,
};

static void plan_apply__order(void **state)
{
	struct weir_plan *plan = object_load("everything.v3.o");
	struct script s = {0};
	const char *load, *slot;

	assert_int_equal(weir_plan_apply(plan, NULL, &sink, &s, NULL), 0);
	load = strstr(s.text, "load xdp_first");
	slot = strstr(s.text, "slot jumps");
	assert_non_null(load);
	assert_non_null(slot);
	assert_true(strstr(s.text, "create outer") < strstr(s.text, "data .rodata"));
	assert_true(strstr(s.text, "freeze .rodata\n") < load);
	assert_true(load < slot);
	assert_null(strstr(s.text, "tc_not_loaded"));
	assert_null(strstr(s.text, "abort"));
	weir_plan_free(&plan);
}

static void plan_apply__one_program_and_what_it_may_jump_to(void **state)
{
	struct weir_plan *plan = object_load("everything.v3.o");
	struct weir_plan_apply_opts opts = {.program = "filter"};
	struct script s = {0};

	assert_int_equal(weir_plan_apply(plan, &opts, &sink, &s, NULL), 0);
	assert_non_null(strstr(s.text, "load filter"));
	assert_non_null(strstr(s.text, "load xdp_second"));
	assert_null(strstr(s.text, "load xdp_first"));
	opts.program = "nothing";
	assert_int_equal(weir_plan_apply(plan, &opts, &sink, &s, NULL), -ENOENT);
	weir_plan_free(&plan);
}

static void plan_apply__failure_aborts(void **state)
{
	struct weir_plan *plan = object_load("everything.v3.o");
	struct script s = {.fail_at = "freeze"};

	assert_int_equal(weir_plan_apply(plan, NULL, &sink, &s, NULL), -EIO);
	assert_non_null(strstr(s.text, "abort"));
	assert_null(strstr(s.text, "load"));
	weir_plan_free(&plan);
}

static void plan_apply__unsupported_type_names_section(void **state)
{
	struct weir_plan *plan = object_load("legacy.v3.o");
	struct weir_plan_apply_opts opts = {.program = "ingress"};
	struct script s = {0};
	WEIR_DIAG_ON_STACK(diag, 512);

	assert_int_equal(weir_plan_apply(plan, NULL, &sink, &s, &diag), -EINVAL);
	assert_non_null(strstr(diag.buf, "prog-type-unsupported"));
	assert_non_null(strstr(diag.buf, "kprobe/some_function"));
	assert_string_equal(s.text, "");
	assert_int_equal(weir_plan_apply(plan, &opts, &sink, &s, NULL), 0);
	weir_plan_free(&plan);
}

static void plan_set_sha256__only_a_hash(void **state)
{
	struct weir_plan *plan = object_load("tiny.v3.o");
	char hex[65];

	memset(hex, 'a', 64);
	hex[64] = '\0';
	assert_int_equal(weir_plan_set_sha256(plan, hex), 0);
	assert_string_equal(plan->sha256, hex);
	hex[3] = 'G';
	assert_int_equal(weir_plan_set_sha256(plan, hex), -EINVAL);
	assert_int_equal(weir_plan_set_sha256(plan, "abc"), -EINVAL);
	weir_plan_free(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(object_parse__maps_of_every_kind),
		cmocka_unit_test(object_parse__static_values),
		cmocka_unit_test(object_parse__global_data),
		cmocka_unit_test(object_parse__called_functions_are_appended),
		cmocka_unit_test(object_parse__program_types),
		cmocka_unit_test(object_parse__hidden_function_is_static),
		cmocka_unit_test(object_parse__without_debug_information),
		cmocka_unit_test(object_parse__legacy_maps_and_names),
		cmocka_unit_test(object_parse__weak_externs_are_absent),
		cmocka_unit_test(object_parse__static_function_in_program_section),
		cmocka_unit_test(object_parse__core_against_own_types),
		cmocka_unit_test(section_parse__table),
		cmocka_unit_test(plan_apply__order),
		cmocka_unit_test(plan_apply__one_program_and_what_it_may_jump_to),
		cmocka_unit_test(plan_apply__failure_aborts),
		cmocka_unit_test(plan_apply__unsupported_type_names_section),
		cmocka_unit_test(plan_set_sha256__only_a_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
