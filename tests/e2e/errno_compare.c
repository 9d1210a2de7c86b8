/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same mistakes made against the running kernel and against weird ($WEIR_SOCKET): return value
 * (as "descriptor", 0 or -1) and errno must be the same. One TAP line a case; exit 1 on any
 * difference, 77 where the kernel does not permit bpf(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "weir/api/libweir.h"

#define BAD_PTR 0x10ULL
#define LEN(a)  (sizeof(a) / sizeof((a)[0]))

typedef int (*bpf_fn)(int cmd, union bpf_attr *attr, unsigned int size);

static int kernel_bpf(int cmd, union bpf_attr *attr, unsigned int size)
{
	return (int)syscall(SYS_bpf, cmd, attr, size);
}

/* What a case finds ready made, once for each side. */
struct world {
	bpf_fn bpf;
	int hash, array, percpu, prog_array, rdonly, wronly, frozen, prog, tc_prog, btf, file;
	char pin_dir[64];
};

static const struct bpf_insn ret0[] = {
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
	{.code = BPF_JMP | BPF_EXIT},
};

static int map_new(bpf_fn bpf, uint32_t type, uint32_t key, uint32_t value, uint32_t max,
		   uint32_t flags)
{
	union bpf_attr a = {.map_type = type,
			    .key_size = key,
			    .value_size = value,
			    .max_entries = max,
			    .map_flags = flags};

	return bpf(BPF_MAP_CREATE, &a, sizeof(a));
}

static int prog_new(bpf_fn bpf, uint32_t type)
{
	union bpf_attr a = {.prog_type = type,
			    .insns = (uintptr_t)ret0,
			    .insn_cnt = LEN(ret0),
			    .license = (uintptr_t) "GPL"};

	return bpf(BPF_PROG_LOAD, &a, sizeof(a));
}

static const struct {
	struct btf_header h;
	struct btf_type t;
	uint32_t int_data;
	char strings[5];
} small_btf = {
	.h = {.magic = BTF_MAGIC,
	      .version = 1,
	      .hdr_len = sizeof(struct btf_header),
	      .type_len = sizeof(struct btf_type) + 4,
	      .str_off = sizeof(struct btf_type) + 4,
	      .str_len = 5},
	.t = {.name_off = 1, .info = BTF_KIND_INT << 24, .size = 4},
	.int_data = 32,
	.strings = "\0int",
};
#define BTF_BYTES (sizeof(struct btf_header) + sizeof(struct btf_type) + 4 + 5)

static int btf_new(bpf_fn bpf, const void *bytes, uint32_t size)
{
	union bpf_attr a = {.btf = (uintptr_t)bytes, .btf_size = size};

	return bpf(BPF_BTF_LOAD, &a, sizeof(a));
}

static bool world_make(struct world *w, bpf_fn bpf, const char *pin_dir)
{
	union bpf_attr a = {0};

	w->bpf = bpf;
	w->hash = map_new(bpf, BPF_MAP_TYPE_HASH, 4, 8, 2, 0);
	w->array = map_new(bpf, BPF_MAP_TYPE_ARRAY, 4, 8, 2, 0);
	w->percpu = map_new(bpf, BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 2, 0);
	w->prog_array = map_new(bpf, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 2, 0);
	w->rdonly = map_new(bpf, BPF_MAP_TYPE_ARRAY, 4, 8, 2, BPF_F_RDONLY);
	w->wronly = map_new(bpf, BPF_MAP_TYPE_ARRAY, 4, 8, 2, BPF_F_WRONLY);
	w->frozen = map_new(bpf, BPF_MAP_TYPE_ARRAY, 4, 8, 2, 0);
	a.map_fd = (uint32_t)w->frozen;
	bpf(BPF_MAP_FREEZE, &a, sizeof(a));
	w->prog = prog_new(bpf, BPF_PROG_TYPE_XDP);
	w->tc_prog = prog_new(bpf, BPF_PROG_TYPE_SCHED_CLS);
	w->btf = btf_new(bpf, &small_btf, BTF_BYTES);
	w->file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	snprintf(w->pin_dir, sizeof(w->pin_dir), "%s", pin_dir);
	if (w->hash < 0 || w->array < 0 || w->percpu < 0 || w->prog_array < 0 || w->rdonly < 0 ||
	    w->frozen < 0 || w->prog < 0 || w->tc_prog < 0 || w->btf < 0) {
		printf("# %d %d %d %d %d %d prog %d %d btf %d\n", w->hash, w->array, w->percpu,
		       w->prog_array, w->rdonly, w->frozen, w->prog, w->tc_prog, w->btf);
		return false;
	}
	return true;
}

#include "errno_maps.h"
#include "errno_progs.h"

static const struct {
	const char *name;
	int (*fn)(struct world *w);
} cases[] = {
#define C(name) {#name, name},
#include "errno_cases.def"
#undef C
};

static const char *kind(int ret)
{
	return ret < 0 ? "-1" : ret ? "fd" : "0";
}

int main(void)
{
	char dir[] = "/sys/fs/bpf/weir-errno-XXXXXX", path[128];
	struct world kernel, weir;
	int failed = 0;

	/* A bpf file system may be missing: then pins are compared elsewhere. */
	if (!mkdtemp(dir)) {
		printf("1..0 # SKIP no bpf file system at /sys/fs/bpf\n");
		return 77;
	}
	if (!world_make(&kernel, kernel_bpf, dir)) {
		rmdir(dir);
		printf("1..0 # SKIP bpf(2) is not permitted here\n");
		return 77;
	}
	if (!world_make(&weir, weir_bpf, "/errno")) {
		rmdir(dir);
		printf("Bail out! weird refuses what every case needs\n");
		return 1;
	}
	printf("1..%zu\n", LEN(cases));
	for (size_t i = 0; i < LEN(cases); i++) {
		int rk, rw, ek, ew;

		errno = 0;
		rk = cases[i].fn(&kernel);
		ek = rk < 0 ? errno : 0;
		errno = 0;
		rw = cases[i].fn(&weir);
		ew = rw < 0 ? errno : 0;
		if (!strcmp(kind(rk), kind(rw)) && ek == ew) {
			printf("ok %zu - %s\n", i + 1, cases[i].name);
			continue;
		}
		failed++;
		printf("not ok %zu - %s\n# kernel %s %s (%d), weir %s %s (%d)\n", i + 1,
		       cases[i].name, kind(rk), strerror(ek), ek, kind(rw), strerror(ew), ew);
	}
	snprintf(path, sizeof(path), "%s/m", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/p", dir);
	unlink(path);
	rmdir(dir);
	return failed != 0;
}
