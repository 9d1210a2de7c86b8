/* SPDX-License-Identifier: BSD-3-Clause */
/* Cases of errno_compare.c: programs, BTF, test runs, pins and links. Included there once. */
static int load_close(struct world *w, union bpf_attr *a, unsigned int size)
{
	int fd = w->bpf(BPF_PROG_LOAD, a, size);

	if (fd >= 0)
		close(fd);
	return fd;
}

static char log_buf[4096];

#define LOAD_CASE(name, ...)                                        \
	CASE(name)                                                  \
	{                                                           \
		union bpf_attr a = {.prog_type = BPF_PROG_TYPE_XDP, \
				    .insns = (uintptr_t)ret0,       \
				    .insn_cnt = LEN(ret0),          \
				    .license = (uintptr_t) "GPL",   \
				    __VA_ARGS__};                   \
		return load_close(w, &a, sizeof(a));                \
	}
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif

LOAD_CASE(load__fine, .prog_flags = 0)
LOAD_CASE(load__no_insns, .insn_cnt = 0)
LOAD_CASE(load__too_many, .insn_cnt = 1000001)
LOAD_CASE(load__null_insns, .insns = 0)
LOAD_CASE(load__bad_insns, .insns = BAD_PTR)
LOAD_CASE(load__null_license, .license = 0)
LOAD_CASE(load__bad_license, .license = BAD_PTR)
LOAD_CASE(load__type_0, .prog_type = 0)
LOAD_CASE(load__type_1000, .prog_type = 1000)
LOAD_CASE(load__flags, .prog_flags = 1U << 30)
LOAD_CASE(load__frags, .prog_flags = 1U << 5)
LOAD_CASE(load__name, .prog_name = "fine")
LOAD_CASE(load__name_bad, .prog_name = "no-good")
LOAD_CASE(load__attach_prog, .attach_prog_fd = 999)
LOAD_CASE(load__attach_prog_file, .attach_prog_fd = (uint32_t)w->file)
LOAD_CASE(load__attach_btf, .attach_btf_id = 1)
LOAD_CASE(load__log_without_level, .log_buf = (uintptr_t)log_buf, .log_size = sizeof(log_buf))
LOAD_CASE(load__log, .log_level = 1, .log_buf = (uintptr_t)log_buf, .log_size = sizeof(log_buf))
LOAD_CASE(load__log_level_only, .log_level = 1)
LOAD_CASE(load__log_size_only, .log_level = 1, .log_size = 128)
LOAD_CASE(load__log_null_size, .log_level = 1, .log_buf = (uintptr_t)log_buf)
LOAD_CASE(load__log_level_16, .log_level = 16, .log_buf = (uintptr_t)log_buf,
	  .log_size = sizeof(log_buf))
LOAD_CASE(load__log_full, .log_level = 2, .log_buf = (uintptr_t)log_buf, .log_size = 8)
LOAD_CASE(load__log_full_fixed, .log_level = 10, .log_buf = (uintptr_t)log_buf, .log_size = 8)
LOAD_CASE(load__log_huge_size, .log_level = 1, .log_buf = (uintptr_t)log_buf,
	  .log_size = 0x7fffffff)
LOAD_CASE(load__func_info_bad_btf, .func_info_cnt = 1, .func_info_rec_size = 8,
	  .func_info = (uintptr_t)value, .prog_btf_fd = 999)
LOAD_CASE(load__func_info_rec_size, .func_info_cnt = 1, .func_info_rec_size = 4,
	  .func_info = (uintptr_t)value, .prog_btf_fd = (uint32_t)w->btf)
LOAD_CASE(load__func_info_type, .func_info_cnt = 1, .func_info_rec_size = 8,
	  .func_info = (uintptr_t)value, .prog_btf_fd = (uint32_t)w->btf)
LOAD_CASE(load__line_info_rec_size, .line_info_cnt = 1, .line_info_rec_size = 4,
	  .line_info = (uintptr_t)value, .prog_btf_fd = (uint32_t)w->btf)

static int load_map_insn(struct world *w, uint8_t src, int32_t imm, int32_t imm2,
			 const int *fd_array)
{
	struct bpf_insn insns[] = {
		{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = src, .imm = imm},
		{.imm = imm2},
		ret0[0],
		ret0[1],
	};
	union bpf_attr a = {.prog_type = BPF_PROG_TYPE_XDP,
			    .insns = (uintptr_t)insns,
			    .insn_cnt = LEN(insns),
			    .license = (uintptr_t) "GPL",
			    .fd_array = (uintptr_t)fd_array};

	return load_close(w, &a, sizeof(a));
}

CASE(load__map_fd)
{
	return load_map_insn(w, 1, w->hash, 0, NULL);
}

CASE(load__map_fd_closed)
{
	return load_map_insn(w, 1, 999, 0, NULL);
}

CASE(load__map_fd_file)
{
	return load_map_insn(w, 1, w->file, 0, NULL);
}

CASE(load__map_fd_prog)
{
	return load_map_insn(w, 1, w->prog, 0, NULL);
}

CASE(load__map_fd_off)
{
	return load_map_insn(w, 1, w->hash, 8, NULL);
}

CASE(load__map_value)
{
	return load_map_insn(w, 2, w->array, 0, NULL);
}

CASE(load__map_value_beyond)
{
	return load_map_insn(w, 2, w->array, 4096, NULL);
}

CASE(load__map_value_of_hash)
{
	return load_map_insn(w, 2, w->hash, 0, NULL);
}

static int load_value_of_one(struct world *w, int32_t off)
{
	int map = map_new(w->bpf, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	int ret = load_map_insn(w, 2, map, off, NULL);

	close(map);
	return ret;
}

CASE(load__map_value_of_one)
{
	return load_value_of_one(w, 7);
}

CASE(load__map_value_of_one_beyond)
{
	return load_value_of_one(w, 8);
}

CASE(load__map_value_of_one_before)
{
	return load_value_of_one(w, -1);
}

CASE(load__map_idx)
{
	return load_map_insn(w, 5, 0, 0, &w->hash);
}

CASE(load__map_idx_closed)
{
	int bad = 999;

	return load_map_insn(w, 5, 0, 0, &bad);
}

CASE(load__map_idx_without_array)
{
	return load_map_insn(w, 5, 0, 0, NULL);
}

CASE(load__ld_imm64_unknown_src)
{
	return load_map_insn(w, 9, 0, 0, NULL);
}

static int btf_close(struct world *w, const void *bytes, uint32_t size)
{
	int fd = btf_new(w->bpf, bytes, size);

	if (fd >= 0)
		close(fd);
	return fd;
}

CASE(btf__fine)
{
	return btf_close(w, &small_btf, BTF_BYTES);
}

CASE(btf__empty)
{
	return btf_close(w, &small_btf, 0);
}

CASE(btf__cut)
{
	return btf_close(w, &small_btf, BTF_BYTES - 1);
}

CASE(btf__null)
{
	return btf_close(w, NULL, 64);
}

CASE(btf__huge)
{
	return btf_close(w, &small_btf, 17 << 20);
}

CASE(btf__bad_magic)
{
	uint8_t copy[BTF_BYTES];

	memcpy(copy, &small_btf, sizeof(copy));
	copy[0] ^= 1;
	return btf_close(w, copy, sizeof(copy));
}

CASE(btf__log_without_level)
{
	union bpf_attr a = {.btf = (uintptr_t)&small_btf,
			    .btf_size = BTF_BYTES,
			    .btf_log_buf = (uintptr_t)log_buf,
			    .btf_log_size = 128};
	int fd = w->bpf(BPF_BTF_LOAD, &a, sizeof(a));

	if (fd >= 0)
		close(fd);
	return fd;
}

static int test_run(struct world *w, int fd, uint32_t in, uint32_t out_size, uint32_t repeat,
		    uint32_t flags)
{
	static uint8_t data[4096], out[4096];
	union bpf_attr a = {.test = {.prog_fd = (uint32_t)fd,
				     .data_size_in = in,
				     .data_in = in ? (uintptr_t)data : 0,
				     .data_size_out = out_size,
				     .data_out = out_size ? (uintptr_t)out : 0,
				     .repeat = repeat,
				     .flags = flags}};

	return w->bpf(BPF_PROG_TEST_RUN, &a, sizeof(a));
}

#define RUN_CASE(name, fd, in, out, repeat, flags)              \
	CASE(name)                                              \
	{                                                       \
		return test_run(w, fd, in, out, repeat, flags); \
	}
RUN_CASE(run__fine, w->prog, 64, 4096, 1, 0)
RUN_CASE(run__no_out, w->prog, 64, 0, 1, 0)
RUN_CASE(run__out_short, w->prog, 64, 10, 1, 0)
RUN_CASE(run__short_packet, w->prog, 13, 4096, 1, 0)
RUN_CASE(run__no_packet, w->prog, 0, 4096, 1, 0)
RUN_CASE(run__tc_short_packet, w->tc_prog, 13, 4096, 1, 0)
RUN_CASE(run__tc, w->tc_prog, 64, 4096, 1, 0)
RUN_CASE(run__flags, w->prog, 64, 4096, 1, 1U << 20)
RUN_CASE(run__map_fd, w->hash, 64, 4096, 1, 0)
RUN_CASE(run__closed, 999, 64, 4096, 1, 0)

CASE(run__ctx_size_without_ctx)
{
	static uint8_t data[64];
	union bpf_attr a = {.test = {.prog_fd = (uint32_t)w->prog,
				     .data_size_in = 64,
				     .data_in = (uintptr_t)data,
				     .ctx_size_in = 8}};

	return w->bpf(BPF_PROG_TEST_RUN, &a, sizeof(a));
}

CASE(run__bad_data)
{
	union bpf_attr a = {
		.test = {.prog_fd = (uint32_t)w->prog, .data_size_in = 64, .data_in = BAD_PTR}};

	return w->bpf(BPF_PROG_TEST_RUN, &a, sizeof(a));
}

static int pin(struct world *w, int fd, const char *name, uint32_t flags)
{
	char path[128];
	union bpf_attr a = {
		.pathname = (uintptr_t)path, .bpf_fd = (uint32_t)fd, .file_flags = flags};

	snprintf(path, sizeof(path), "%s/%s", w->pin_dir, name);
	return w->bpf(BPF_OBJ_PIN, &a, sizeof(a));
}

static int get(struct world *w, const char *name, uint32_t flags)
{
	char path[128];
	union bpf_attr a = {.pathname = (uintptr_t)path, .file_flags = flags};
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->pin_dir, name);
	fd = w->bpf(BPF_OBJ_GET, &a, sizeof(a));
	if (fd >= 0)
		close(fd);
	return fd;
}

CASE(pin__map)
{
	return pin(w, w->hash, "m", 0);
}

CASE(pin__again)
{
	return pin(w, w->hash, "m", 0);
}

CASE(pin__prog)
{
	return pin(w, w->prog, "p", 0);
}

CASE(pin__btf)
{
	return pin(w, w->btf, "b", 0);
}

CASE(pin__file)
{
	return pin(w, w->file, "f", 0);
}

CASE(pin__closed)
{
	return pin(w, 999, "f", 0);
}

CASE(pin__flags)
{
	return pin(w, w->hash, "f", 1);
}

CASE(pin__below_a_pin)
{
	return pin(w, w->hash, "m/x", 0);
}

CASE(pin__null_path)
{
	union bpf_attr a = {.bpf_fd = (uint32_t)w->hash};

	return w->bpf(BPF_OBJ_PIN, &a, sizeof(a));
}

CASE(get__map)
{
	return get(w, "m", 0);
}

CASE(get__map_rdonly)
{
	return get(w, "m", BPF_F_RDONLY);
}

CASE(get__rd_and_wr)
{
	return get(w, "m", BPF_F_RDONLY | BPF_F_WRONLY);
}

CASE(get__prog)
{
	return get(w, "p", 0);
}

CASE(get__prog_rdonly)
{
	return get(w, "p", BPF_F_RDONLY);
}

CASE(get__none)
{
	return get(w, "none", 0);
}

CASE(get__flags)
{
	return get(w, "m", 1);
}

CASE(get__bad_path)
{
	union bpf_attr a = {.pathname = BAD_PTR};

	return w->bpf(BPF_OBJ_GET, &a, sizeof(a));
}

static int link_new(struct world *w, int fd, uint32_t ifindex, uint32_t type, uint32_t flags)
{
	union bpf_attr a = {.link_create = {.prog_fd = (uint32_t)fd,
					    .target_ifindex = ifindex,
					    .attach_type = type,
					    .flags = flags}};

	return w->bpf(BPF_LINK_CREATE, &a, sizeof(a));
}

CASE(link__bad_fd)
{
	return link_new(w, 999, 1, BPF_XDP, 0);
}

CASE(link__map_fd)
{
	return link_new(w, w->hash, 1, BPF_XDP, 0);
}

CASE(link__tc_prog_as_xdp)
{
	return link_new(w, w->tc_prog, 1, BPF_XDP, 0);
}

CASE(link__bad_attach_type)
{
	return link_new(w, w->prog, 1, 1000, 0);
}

CASE(link__no_interface)
{
	return link_new(w, w->prog, 0x7ffffff0, BPF_XDP, 0);
}

CASE(link_detach__map)
{
	union bpf_attr a = {.link_detach = {.link_fd = (uint32_t)w->hash}};

	return w->bpf(BPF_LINK_DETACH, &a, sizeof(a));
}

CASE(link_detach__closed)
{
	union bpf_attr a = {.link_detach = {.link_fd = 999}};

	return w->bpf(BPF_LINK_DETACH, &a, sizeof(a));
}
