/* SPDX-License-Identifier: BSD-3-Clause */
#include "trio.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/vm/interp.h"
#include "weir/vm/rewrite.h"

static const char *const engine_names[] = {"interpreted", "compiled"};

#define WHY(t, ...) snprintf((t)->why, sizeof((t)->why), __VA_ARGS__)

void trio_setup_thread(void)
{
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	cpu_set_t cpus;

	setrlimit(RLIMIT_MEMLOCK, &all);
	CPU_ZERO(&cpus);
	CPU_SET(weir_max(sched_getcpu(), 0), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

int trio_new(struct weir_codemem *codemem, bool linux_too, struct trio **out)
{
	struct trio *t = calloc(1, sizeof(*t));
	uint32_t slots = kernel_oracle_cpu_count();

	if (!t)
		return -ENOMEM;
	if (weir_rcu_single_new(&t->rcu)) {
		free(t);
		return -ENOMEM;
	}
	t->codemem = codemem;
	t->linux_too = linux_too;
	for (int e = 0; e < TRIO_ENGINES; e++)
		weir_exec_init(&t->exec[e], 0, slots, t->rcu);
	*out = t;
	return 0;
}

static void prog_clear(struct trio_prog *p)
{
	for (int e = 0; e < TRIO_ENGINES; e++) {
		weir_code_free(&p->code[e]);
		weir_prog_low_free(&p->low[e]);
	}
	weir_prog_ok_free(&p->ok);
	if (p->fd >= 0)
		close(p->fd);
	*p = (struct trio_prog){.fd = -1};
}

void trio_drop_progs(struct trio *t)
{
	for (uint32_t i = 0; i < t->prog_count; i++)
		prog_clear(&t->progs[i]);
	t->prog_count = 0;
}

void trio_free(struct trio **trio)
{
	struct trio *t = *trio;

	if (!t)
		return;
	/* Before the programs: slots of prog arrays point to them. */
	for (uint32_t m = 0; m < t->map_count; m++) {
		for (int e = 0; e < TRIO_ENGINES; e++)
			if (t->maps[e][m])
				weir_map_free(&t->maps[e][m]);
		if (t->map_fds[m] >= 0)
			close(t->map_fds[m]);
	}
	trio_drop_progs(t);
	weir_rcu_single_free(&t->rcu);
	free(t);
	*trio = NULL;
}

static int kernel_map_new(struct trio *t, const struct weir_map_def *def)
{
	char name[BPF_OBJ_NAME_LEN] = "";

	/* Linux takes letters, digits, '_' and '.' */
	snprintf(name, sizeof(name), "%s", def->name);
	return kernel_oracle_map_create(&(struct kernel_oracle_map_def){
		.name = name,
		.type = def->type,
		.key_bytes = def->key_size,
		.value_bytes = def->value_size,
		.max_entries = def->max_entries,
		.flags = def->flags,
	});
}

int trio_map_add(struct trio *t, const struct weir_map_def *def)
{
	struct weir_maps_env env = {
		.slots = kernel_oracle_cpu_count(), .rcu = t->rcu, .fixed_seed = true};
	uint32_t m = t->map_count;
	WEIR_DIAG_ON_STACK(diag, 200);
	int err;

	if (m == TRIO_MAPS)
		return -E2BIG;
	t->map_fds[m] = -1;
	t->defs[m] = *def;
	t->map_count++;
	for (int e = 0; e < TRIO_ENGINES; e++) {
		err = weir_map_new(&env, def, &diag, &t->maps[e][m]);
		if (err) {
			WHY(t, "map %s: %s", def->name, diag.buf);
			return err;
		}
	}
	if (t->linux_too) {
		t->map_fds[m] = kernel_map_new(t, def);
		if (t->map_fds[m] < 0) {
			WHY(t, "map %s: Linux says %s", def->name, strerror(-t->map_fds[m]));
			return t->map_fds[m];
		}
	}
	return (int)m;
}

static void *spread_value(const struct weir_map *map, const void *value)
{
	size_t stride = weir_align_up(map->def.value_size, 8);
	uint8_t *all = calloc(map->slots, stride);

	for (uint32_t s = 0; all && s < map->slots; s++)
		memcpy(all + s * stride, value, map->def.value_size);
	return all;
}

int trio_map_set(struct trio *t, uint32_t m, const void *key, const void *value, uint64_t flags)
{
	struct weir_map *map = t->maps[TRIO_INTERP][m];
	weir_autofree void *spread = map->is_per_cpu ? spread_value(map, value) : NULL;
	int err[TRIO_ENGINES], linux_err;

	if (spread)
		value = spread;
	for (int e = 0; e < TRIO_ENGINES; e++)
		err[e] = t->maps[e][m]->ops->ctl_update(t->maps[e][m], key, value, flags, -1);
	linux_err =
		t->linux_too ? kernel_oracle_map_update(t->map_fds[m], key, value, flags) : err[0];
	if (err[0] == err[1] && err[0] == linux_err)
		return err[0];
	WHY(t, "map %s: update gives %d, %d; Linux %d", t->defs[m].name, err[0], err[1], linux_err);
	return -EIO;
}

int trio_map_freeze(struct trio *t, uint32_t m)
{
	int err = 0;

	for (int e = 0; !err && e < TRIO_ENGINES; e++)
		err = t->maps[e][m]->ops->ctl_freeze(t->maps[e][m]);
	if (!err && t->linux_too)
		err = kernel_oracle_map_freeze(t->map_fds[m]);
	if (!err && (t->defs[m].flags & BPF_F_RDONLY_PROG))
		t->const_values[m] = t->maps[TRIO_INTERP][m]->values;
	if (err)
		WHY(t, "map %s: freezing: %s", t->defs[m].name, strerror(-err));
	return err;
}

int trio_slot_set(struct trio *t, uint32_t m, uint32_t key, uint32_t prog)
{
	struct trio_prog *p = &t->progs[prog];
	int err = 0;

	for (int e = 0; !err && e < TRIO_ENGINES; e++)
		if (p->code[e])
			err = t->maps[e][m]->ops->ctl_set_code(t->maps[e][m], key, prog + 1,
							       p->code[e]);
	if (!err && t->linux_too)
		err = kernel_oracle_map_update(t->map_fds[m], &key, &p->fd, BPF_ANY);
	if (err)
		WHY(t, "map %s: slot %u: %s", t->defs[m].name, key, strerror(-err));
	return err;
}

/* Per-CPU values become the sum of their 64-bit words (only one CPU's copy changes). */
static void sum_slots(const struct weir_map *map, uint8_t *value)
{
	size_t stride = weir_align_up(map->def.value_size, 8);

	for (uint32_t s = 1; map->is_per_cpu && s < map->slots; s++)
		for (size_t at = 0; at < stride; at += 8) {
			uint64_t a, b;

			memcpy(&a, value + at, 8);
			memcpy(&b, value + s * stride + at, 8);
			a += b;
			memcpy(value + at, &a, 8);
		}
}

static size_t compared_bytes(const struct weir_map *map)
{
	return map->is_per_cpu ? weir_align_up(map->def.value_size, 8) : map->def.value_size;
}

static int count_entry(const void *key, const void *value, void *arg)
{
	++*(uint64_t *)arg;
	return 0;
}

static bool element_same(struct trio *t, uint32_t m, const void *key, uint8_t *a, uint8_t *b)
{
	struct weir_map *map = t->maps[TRIO_INTERP][m], *other = t->maps[TRIO_JIT][m];
	int err = map->ops->ctl_lookup(map, key, a, 0, -1), err2;
	const char *who = "compiled";

	sum_slots(map, a);
	err2 = other->ops->ctl_lookup(other, key, b, 0, -1);
	if (!err2)
		sum_slots(map, b);
	if (!err && !err2 && !memcmp(a, b, compared_bytes(map))) {
		if (!t->linux_too)
			return true;
		who = "Linux";
		err2 = kernel_oracle_map_lookup(t->map_fds[m], key, b);
		if (!err2)
			sum_slots(map, b);
		if (!err2 && !memcmp(a, b, compared_bytes(map)))
			return true;
	}
	int n = WHY(t, "map %s key ", map->def.name);
	for (uint32_t i = 0; i < map->def.key_size && n < 200; i++)
		n += snprintf(t->why + n, sizeof(t->why) - (size_t)n, "%02x",
			      ((const uint8_t *)key)[i]);
	n += snprintf(t->why + n, sizeof(t->why) - (size_t)n, ": errors %d, %d;", err, err2);
	for (size_t i = 0; i < compared_bytes(map); i++)
		if (a[i] != b[i]) {
			snprintf(t->why + n, sizeof(t->why) - (size_t)n,
				 " value byte %zu: interpreted %02x, %s %02x", i, a[i], who, b[i]);
			break;
		}
	return false;
}

bool trio_map_same(struct trio *t, uint32_t m)
{
	struct weir_map *map = t->maps[TRIO_INTERP][m], *jit = t->maps[TRIO_JIT][m];
	weir_autofree uint8_t *a = malloc(weir_map_value_bytes(map) + 8);
	weir_autofree uint8_t *b = malloc(weir_map_value_bytes(map) + 8);
	uint8_t key[512], next[512];
	uint64_t count = 0, jit_count, linux_count = 0;
	struct kernel_oracle_map_def def = {.type = map->def.type,
					    .key_bytes = map->def.key_size,
					    .value_bytes = map->def.value_size};
	int err;

	if (map->tail_slots || map->def.type == BPF_MAP_TYPE_DEVMAP || map->def.key_size > 512)
		return true; /* holds what no program writes */
	for (err = map->ops->ctl_next_key(map, NULL, next); !err;
	     err = map->ops->ctl_next_key(map, key, next)) {
		memcpy(key, next, map->def.key_size);
		count++;
		if (!element_same(t, m, key, a, b))
			return false;
	}
	jit_count = jit->ops->ctl_count(jit);
	if (map->def.type == BPF_MAP_TYPE_ARRAY || map->def.type == BPF_MAP_TYPE_PERCPU_ARRAY)
		return true;
	if (t->linux_too)
		kernel_oracle_map_walk(t->map_fds[m], &def, count_entry, &linux_count);
	else
		linux_count = count;
	if (count == jit_count && count == linux_count)
		return true;
	WHY(t, "map %s: %llu entries interpreted, %llu compiled, Linux %llu", map->def.name,
	    (unsigned long long)count, (unsigned long long)jit_count,
	    (unsigned long long)linux_count);
	return false;
}

static int kernel_load(struct trio *t, const struct weir_prog_raw *raw, char *log,
		       uint32_t log_bytes)
{
	struct kernel_oracle_fixup fixups[256];
	struct kernel_oracle_prog_def def = {
		.name = raw->name,
		.type = raw->type,
		.expected_attach_type = raw->expected_attach_type,
		.flags = raw->flags,
		.insns = raw->insns,
		.insn_count = raw->insn_count,
		.fixups = fixups,
		.license = raw->license,
		.log = log,
		.log_bytes = log_bytes,
		.log_level = log ? 1 : 0,
	};

	for (uint32_t i = 0; i < raw->insn_count; i++) {
		const struct bpf_insn *insn = &raw->insns[i];
		bool is_value = insn->src_reg == BPF_PSEUDO_MAP_IDX_VALUE;

		if (insn->code != (BPF_LD | BPF_DW | BPF_IMM))
			continue;
		if ((is_value || insn->src_reg == BPF_PSEUDO_MAP_IDX) &&
		    (uint32_t)insn->imm < t->map_count && i + 1 < raw->insn_count) {
			if (def.fixup_count == WEIR_ARRAY_LEN(fixups))
				return -E2BIG;
			fixups[def.fixup_count++] = (struct kernel_oracle_fixup){
				.insn_idx = i,
				.map_fd = t->map_fds[insn->imm],
				.is_value = is_value,
				.value_off = (uint32_t)insn[1].imm,
			};
		}
		i++;
	}
	return kernel_oracle_prog_load(&def);
}

int trio_linux_verdict(struct trio *t, const struct weir_prog_raw *raw, char *log,
		       uint32_t log_bytes)
{
	int fd = kernel_load(t, raw, log, log_bytes);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int make_codes(struct trio *t, struct trio_prog *p)
{
	WEIR_DIAG_ON_STACK(diag, 300);
	int err;

	for (int e = 0; e < TRIO_ENGINES; e++) {
		err = weir_rewrite(p->ok, t->maps[e], NULL, &diag, &p->low[e]);
		if (!err && e == TRIO_INTERP)
			err = weir_interp_bind(p->low[e], &p->code[e]);
		else if (!err && weir_jit_supported())
			err = weir_jit_compile(p->low[e], t->codemem, NULL, &diag, &p->code[e]);
		if (err) {
			WHY(t, "%s: %s (%d)", engine_names[e], diag.buf, err);
			return err;
		}
	}
	return 0;
}

int trio_prog_add(struct trio *t, const struct weir_prog_raw *raw, int *weir_err, int *linux_err,
		  struct weir_reject *reject, struct weir_diag *log)
{
	struct weir_verify_opts opts = {.role = WEIR_ROLE_ADMIN};
	struct weir_map_ref refs[TRIO_MAPS];
	struct weir_prog_raw with = *raw;
	struct trio_prog *p;
	int err;

	if (t->prog_count == TRIO_PROGS)
		return -E2BIG;
	p = &t->progs[t->prog_count];
	*p = (struct trio_prog){.fd = -1};
	for (uint32_t m = 0; m < t->map_count; m++)
		refs[m] = (struct weir_map_ref){.def = t->maps[0][m]->def,
						.const_values = t->const_values[m]};
	with.maps = refs;
	with.map_count = t->map_count;
	*weir_err = weir_verify(&with, &opts, log, NULL, reject, &p->ok);
	*linux_err = 0;
	if (t->linux_too) {
		p->fd = kernel_load(t, raw, NULL, 0);
		*linux_err = weir_min(p->fd, 0);
	}
	err = *weir_err || *linux_err ? -EACCES : make_codes(t, p);
	if (err) {
		prog_clear(p);
		return err;
	}
	return (int)t->prog_count++;
}

/* One engine's answer against what is already known; 1 with why if they differ. */
static int compare(struct trio *t, int engine, int err, const struct weir_test_run_out *out,
		   int ref_err, const char *ref_name, uint32_t ref_retval, const uint8_t *ref_data,
		   uint32_t ref_bytes)
{
	if (err != ref_err) {
		WHY(t, "%s: error %d; %s %d", engine_names[engine], err, ref_name, ref_err);
		return 1;
	}
	if (err)
		return 0;
	if (out->retval != ref_retval) {
		WHY(t, "%s: verdict %u (0x%x); %s %u (0x%x)", engine_names[engine], out->retval,
		    out->retval, ref_name, ref_retval, ref_retval);
		return 1;
	}
	if (out->data_bytes != ref_bytes) {
		WHY(t, "%s: %u bytes; %s %u", engine_names[engine], out->data_bytes, ref_name,
		    ref_bytes);
		return 1;
	}
	for (uint32_t i = 0; i < out->data_copied; i++)
		if (out->data[i] != ref_data[i]) {
			WHY(t, "%s: packet byte %u is %02x; %s %02x", engine_names[engine], i,
			    out->data[i], ref_name, ref_data[i]);
			return 1;
		}
	return 0;
}

static int engine_run(struct trio *t, uint32_t prog, int e, const struct trio_run *run,
		      struct weir_test_run_out *out)
{
	struct weir_exec *exec = &t->exec[e];
	struct weir_test_run_in in = {
		.prog_type = run->prog_type,
		.attach_type = run->attach_type,
		.data = run->data,
		.data_bytes = run->data_bytes,
		.ctx = run->ctx,
		.ctx_bytes = run->ctx_bytes,
		.want_data_out = true,
		.repeat = 1,
	};

	if (run->now_ns) {
		exec->clock_ns = weir_exec_clock_fixed;
		exec->fixed_ns = run->now_ns;
	}
	if (run->seed)
		exec->prandom_state = run->seed;
	return weir_test_run(t->progs[prog].code[e], exec, &in, out, NULL);
}

int trio_run(struct trio *t, uint32_t prog, const struct trio_run *run, uint32_t *retval)
{
	static uint8_t data[KERNEL_ORACLE_DATA_MAX + 8192];
	struct kernel_oracle_run kernel = {
		.data_in = run->data,
		.data_in_bytes = run->data_bytes,
		.ctx_in = run->ctx,
		.ctx_in_bytes = run->ctx_bytes,
		.data_out = data,
		.data_out_bytes = sizeof(data),
	};
	struct weir_test_run_out out[TRIO_ENGINES] = {};
	bool with_linux = t->linux_too && !run->without_linux;
	int err, err2, result = 0;

	err = engine_run(t, prog, TRIO_INTERP, run, &out[TRIO_INTERP]);
	if (t->progs[prog].code[TRIO_JIT]) {
		err2 = engine_run(t, prog, TRIO_JIT, run, &out[TRIO_JIT]);
		result = compare(t, TRIO_JIT, err2, &out[TRIO_JIT], err, engine_names[TRIO_INTERP],
				 out[TRIO_INTERP].retval, out[TRIO_INTERP].data,
				 out[TRIO_INTERP].data_bytes);
	}
	if (!result && with_linux) {
		err2 = kernel_oracle_prog_run(t->progs[prog].fd, &kernel);
		result = compare(t, TRIO_INTERP, err, &out[TRIO_INTERP], err2, "Linux",
				 kernel.retval, data, kernel.data_out_bytes);
	}
	if (retval)
		*retval = out[TRIO_INTERP].retval;
	for (int e = 0; e < TRIO_ENGINES; e++)
		weir_test_run_clear(&out[e]);
	return result ? result : err;
}
