/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel_oracle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "weir/base/cleanup.h"

#define LOAD_RETRIES 5 /* the verifier gives EAGAIN when a signal interrupts it */

static int sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	long result = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return result < 0 ? -errno : (int)result;
}

static uint64_t ptr_to_u64(const void *ptr)
{
	return (uintptr_t)ptr;
}

static void copy_name(char *name, const char *from)
{
	if (from)
		snprintf(name, BPF_OBJ_NAME_LEN, "%s", from);
}

/* First CPU number behind the highest of a list such as "0-3,8-11". */
static unsigned int count_of_list(const char *list)
{
	unsigned int count = 0;
	char *end;

	while (*list) {
		unsigned long number = strtoul(list, &end, 10);

		if (end == list)
			break;
		if (number + 1 > count)
			count = number + 1;
		list = *end ? end + 1 : end;
	}
	return count;
}

unsigned int kernel_oracle_cpu_count(void)
{
	weir_autofclose FILE *f = fopen("/sys/devices/system/cpu/possible", "re");
	char line[256];
	unsigned int count = f && fgets(line, sizeof(line), f) ? count_of_list(line) : 0;
	long configured;

	if (count)
		return count;
	configured = sysconf(_SC_NPROCESSORS_CONF);
	return configured > 0 ? configured : 1;
}

int kernel_oracle_map_create(const struct kernel_oracle_map_def *def)
{
	union bpf_attr attr = {
		.map_type = def->type,
		.key_size = def->key_bytes,
		.value_size = def->value_bytes,
		.max_entries = def->max_entries,
		.map_flags = def->flags,
		.inner_map_fd = def->inner_map_fd,
		.btf_fd = def->btf_fd,
		.btf_key_type_id = def->btf_key_type_id,
		.btf_value_type_id = def->btf_value_type_id,
	};

	copy_name(attr.map_name, def->name);
	return sys_bpf(BPF_MAP_CREATE, &attr);
}

int kernel_oracle_map_freeze(int map_fd)
{
	union bpf_attr attr = {.map_fd = map_fd};

	return sys_bpf(BPF_MAP_FREEZE, &attr);
}

int kernel_oracle_map_update(int map_fd, const void *key, const void *value, uint64_t flags)
{
	union bpf_attr attr = {.map_fd = map_fd, .flags = flags};

	attr.key = ptr_to_u64(key);
	attr.value = ptr_to_u64(value);
	return sys_bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

int kernel_oracle_map_lookup(int map_fd, const void *key, void *value)
{
	union bpf_attr attr = {.map_fd = map_fd};

	attr.key = ptr_to_u64(key);
	attr.value = ptr_to_u64(value);
	return sys_bpf(BPF_MAP_LOOKUP_ELEM, &attr);
}

int kernel_oracle_map_delete(int map_fd, const void *key)
{
	union bpf_attr attr = {.map_fd = map_fd};

	attr.key = ptr_to_u64(key);
	return sys_bpf(BPF_MAP_DELETE_ELEM, &attr);
}

static int map_next_key(int map_fd, const void *key, void *next)
{
	union bpf_attr attr = {.map_fd = map_fd};

	attr.key = ptr_to_u64(key);
	attr.next_key = ptr_to_u64(next);
	return sys_bpf(BPF_MAP_GET_NEXT_KEY, &attr);
}

size_t kernel_oracle_map_lookup_bytes(const struct kernel_oracle_map_def *def)
{
	switch (def->type) {
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		return ((size_t)def->value_bytes + 7) / 8 * 8 * kernel_oracle_cpu_count();
	default: return def->value_bytes;
	}
}

int kernel_oracle_map_walk(int map_fd, const struct kernel_oracle_map_def *def,
			   kernel_oracle_entry_fn fn, void *arg)
{
	weir_autofree char *key = calloc(1, def->key_bytes + 1);
	weir_autofree char *next = calloc(1, def->key_bytes + 1);
	weir_autofree char *value = calloc(1, kernel_oracle_map_lookup_bytes(def) + 1);
	const void *from = NULL;
	int err;

	if (!key || !next || !value)
		return -ENOMEM;
	while (!(err = map_next_key(map_fd, from, next))) {
		err = kernel_oracle_map_lookup(map_fd, next, value);
		/* A prog array lists its empty slots too. */
		if (err && err != -ENOENT)
			return err;
		if (!err)
			err = fn(next, value, arg);
		else
			err = 0;
		if (err)
			return err;
		memcpy(key, next, def->key_bytes);
		from = key;
	}
	return err == -ENOENT ? 0 : err;
}

static int apply_fixups(const struct kernel_oracle_prog_def *def, struct bpf_insn *insns)
{
	for (uint32_t i = 0; i < def->fixup_count; i++) {
		const struct kernel_oracle_fixup *fixup = &def->fixups[i];
		struct bpf_insn *insn = insns + fixup->insn_idx;

		if (fixup->insn_idx + 1 >= def->insn_count ||
		    insn->code != (BPF_LD | BPF_DW | BPF_IMM))
			return -EINVAL;
		insn[0].src_reg = fixup->is_value ? BPF_PSEUDO_MAP_VALUE : BPF_PSEUDO_MAP_FD;
		insn[0].imm = fixup->map_fd;
		insn[1].imm = fixup->is_value ? (int32_t)fixup->value_off : 0;
	}
	return 0;
}

static void fill_load_attr(const struct kernel_oracle_prog_def *def, const struct bpf_insn *insns,
			   union bpf_attr *attr)
{
	attr->prog_type = def->type;
	attr->expected_attach_type = def->expected_attach_type;
	attr->prog_flags = def->flags;
	attr->insns = ptr_to_u64(insns);
	attr->insn_cnt = def->insn_count;
	attr->license = ptr_to_u64(def->license ? def->license : "Dual BSD/GPL");
	attr->prog_btf_fd = def->btf_fd;
	attr->func_info = ptr_to_u64(def->func_info);
	attr->func_info_rec_size = def->func_info_rec_bytes;
	attr->func_info_cnt = def->func_info_count;
	attr->line_info = ptr_to_u64(def->line_info);
	attr->line_info_rec_size = def->line_info_rec_bytes;
	attr->line_info_cnt = def->line_info_count;
	copy_name(attr->prog_name, def->name);
	if (def->log && def->log_bytes) {
		attr->log_buf = ptr_to_u64(def->log);
		attr->log_size = def->log_bytes;
		attr->log_level = def->log_level ? def->log_level : 1;
		def->log[0] = '\0';
	}
}

static int load_with_retry(union bpf_attr *attr)
{
	int fd = -EAGAIN;

	for (int i = 0; i < LOAD_RETRIES && fd == -EAGAIN; i++)
		fd = sys_bpf(BPF_PROG_LOAD, attr);
	return fd;
}

int kernel_oracle_prog_load(const struct kernel_oracle_prog_def *def)
{
	size_t bytes = (size_t)def->insn_count * sizeof(*def->insns);
	weir_autofree struct bpf_insn *insns = malloc(bytes + 1);
	union bpf_attr attr = {};
	int err, fd;

	if (!insns)
		return -ENOMEM;
	if (bytes)
		memcpy(insns, def->insns, bytes);
	err = apply_fixups(def, insns);
	if (err)
		return err;
	fill_load_attr(def, insns, &attr);
	fd = load_with_retry(&attr);
	if (fd == -ENOSPC && attr.log_buf) {
		/* The log was too long, which says nothing about the program: ask without it. */
		attr.log_buf = attr.log_size = attr.log_level = 0;
		fd = load_with_retry(&attr);
	}
	return fd;
}

int kernel_oracle_btf_load(const void *btf, uint32_t btf_bytes, char *log, uint32_t log_bytes)
{
	union bpf_attr attr = {.btf = ptr_to_u64(btf), .btf_size = btf_bytes};

	if (log && log_bytes) {
		attr.btf_log_buf = ptr_to_u64(log);
		attr.btf_log_size = log_bytes;
		attr.btf_log_level = 1;
		log[0] = '\0';
	}
	return sys_bpf(BPF_BTF_LOAD, &attr);
}

int kernel_oracle_prog_run(int prog_fd, struct kernel_oracle_run *run)
{
	union bpf_attr attr = {};
	int err;

	attr.test.prog_fd = prog_fd;
	attr.test.data_in = ptr_to_u64(run->data_in);
	attr.test.data_size_in = run->data_in_bytes;
	attr.test.data_out = ptr_to_u64(run->data_out);
	attr.test.data_size_out = run->data_out ? run->data_out_bytes : 0;
	attr.test.ctx_in = ptr_to_u64(run->ctx_in);
	attr.test.ctx_size_in = run->ctx_in_bytes;
	attr.test.ctx_out = ptr_to_u64(run->ctx_out);
	attr.test.ctx_size_out = run->ctx_out ? run->ctx_out_bytes : 0;
	attr.test.flags = run->flags;
	attr.test.repeat = 1;
	err = sys_bpf(BPF_PROG_TEST_RUN, &attr);
	if (err && err != -ENOSPC)
		return err;
	run->data_out_bytes = attr.test.data_size_out;
	run->ctx_out_bytes = attr.test.ctx_size_out;
	run->retval = attr.test.retval;
	return err;
}

static const char *probe(void)
{
	static char text[128];
	static const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct kernel_oracle_prog_def def = {
		.type = BPF_PROG_TYPE_XDP, .insns = pass, .insn_count = 2};
	char frame[64] = "";
	struct kernel_oracle_run run = {.data_in = frame, .data_in_bytes = sizeof(frame)};
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	weir_autoclose int fd = -1;
	int err;

	/* Kernels before 5.11 charge maps to this limit; newer ones do not care. */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	fd = kernel_oracle_prog_load(&def);
	if (fd < 0) {
		snprintf(text, sizeof(text), "bpf(2) refuses PROG_LOAD: %s", strerror(-fd));
		return text;
	}
	err = kernel_oracle_prog_run(fd, &run);
	if (err || run.retval != XDP_PASS) {
		snprintf(text, sizeof(text), "bpf(2) refuses PROG_TEST_RUN: %s", strerror(-err));
		return text;
	}
	return NULL;
}

bool kernel_oracle_usable(const char **reason)
{
	static const char *why;
	static bool probed;

	if (!probed) {
		why = probe();
		probed = true;
	}
	if (why && reason)
		*reason = why;
	return !why;
}
