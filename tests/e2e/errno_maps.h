/* SPDX-License-Identifier: BSD-3-Clause */
/* Cases of errno_compare.c: attr, maps, ids and info. Included there once. */
/* ---- cases: each makes one call (after what leads to it) and returns its result ---- */

static uint32_t k0, k1 = 1, k9 = 9;
static uint64_t value[256];

static int elem(struct world *w, int cmd, int fd, const void *key, const void *val, uint64_t flags)
{
	union bpf_attr a = {.map_fd = (uint32_t)fd,
			    .key = (uintptr_t)key,
			    .value = (uintptr_t)val,
			    .flags = flags};

	return w->bpf(cmd, &a, sizeof(a));
}

#define CASE(name) static int name(struct world *w)
#define ELEM_CASE(name, cmd, fd, key, val, flags)                                    \
	CASE(name)                                                                   \
	{                                                                            \
		return elem(w, cmd, fd, key, (const void *)(uintptr_t)(val), flags); \
	}
#define BAD ((const void *)(uintptr_t)BAD_PTR)

ELEM_CASE(lookup__missing_key, BPF_MAP_LOOKUP_ELEM, w->hash, &k9, value, 0)
ELEM_CASE(lookup__array_out_of_range, BPF_MAP_LOOKUP_ELEM, w->array, &k9, value, 0)
ELEM_CASE(lookup__array, BPF_MAP_LOOKUP_ELEM, w->array, &k0, value, 0)
ELEM_CASE(lookup__percpu, BPF_MAP_LOOKUP_ELEM, w->percpu, &k1, value, 0)
ELEM_CASE(lookup__bad_flags, BPF_MAP_LOOKUP_ELEM, w->array, &k0, value, 8)
ELEM_CASE(lookup__lock_without_lock, BPF_MAP_LOOKUP_ELEM, w->array, &k0, value, 4)
ELEM_CASE(lookup__closed_fd, BPF_MAP_LOOKUP_ELEM, 999, &k0, value, 0)
ELEM_CASE(lookup__negative_fd, BPF_MAP_LOOKUP_ELEM, -1, &k0, value, 0)
ELEM_CASE(lookup__file, BPF_MAP_LOOKUP_ELEM, w->file, &k0, value, 0)
ELEM_CASE(lookup__prog_fd, BPF_MAP_LOOKUP_ELEM, w->prog, &k0, value, 0)
ELEM_CASE(lookup__null_key, BPF_MAP_LOOKUP_ELEM, w->array, NULL, value, 0)
ELEM_CASE(lookup__bad_key, BPF_MAP_LOOKUP_ELEM, w->array, BAD, value, 0)
ELEM_CASE(lookup__null_value, BPF_MAP_LOOKUP_ELEM, w->array, &k0, NULL, 0)
ELEM_CASE(lookup__bad_value, BPF_MAP_LOOKUP_ELEM, w->array, &k0, BAD, 0)
ELEM_CASE(lookup__missing_key_bad_value, BPF_MAP_LOOKUP_ELEM, w->hash, &k9, BAD, 0)
ELEM_CASE(lookup__wronly, BPF_MAP_LOOKUP_ELEM, w->wronly, &k0, value, 0)
ELEM_CASE(lookup__frozen, BPF_MAP_LOOKUP_ELEM, w->frozen, &k0, value, 0)
ELEM_CASE(lookup__prog_array_empty, BPF_MAP_LOOKUP_ELEM, w->prog_array, &k0, value, 0)
ELEM_CASE(update__array, BPF_MAP_UPDATE_ELEM, w->array, &k0, value, 0)
ELEM_CASE(update__array_noexist, BPF_MAP_UPDATE_ELEM, w->array, &k0, value, BPF_NOEXIST)
ELEM_CASE(update__array_exist, BPF_MAP_UPDATE_ELEM, w->array, &k0, value, BPF_EXIST)
ELEM_CASE(update__array_out_of_range, BPF_MAP_UPDATE_ELEM, w->array, &k9, value, 0)
ELEM_CASE(update__array_bad_flags, BPF_MAP_UPDATE_ELEM, w->array, &k0, value, 99)
ELEM_CASE(update__array_lock, BPF_MAP_UPDATE_ELEM, w->array, &k0, value, 4)
ELEM_CASE(update__hash_exist_missing, BPF_MAP_UPDATE_ELEM, w->hash, &k9, value, BPF_EXIST)
ELEM_CASE(update__hash_bad_flags, BPF_MAP_UPDATE_ELEM, w->hash, &k9, value, 3)
ELEM_CASE(update__percpu, BPF_MAP_UPDATE_ELEM, w->percpu, &k0, value, 0)
ELEM_CASE(update__percpu_out_of_range, BPF_MAP_UPDATE_ELEM, w->percpu, &k9, value, 0)
ELEM_CASE(update__null_value, BPF_MAP_UPDATE_ELEM, w->hash, &k0, NULL, 0)
ELEM_CASE(update__null_key, BPF_MAP_UPDATE_ELEM, w->hash, NULL, value, 0)
ELEM_CASE(update__rdonly, BPF_MAP_UPDATE_ELEM, w->rdonly, &k0, value, 0)
ELEM_CASE(update__frozen, BPF_MAP_UPDATE_ELEM, w->frozen, &k0, value, 0)
ELEM_CASE(update__file, BPF_MAP_UPDATE_ELEM, w->file, &k0, value, 0)
ELEM_CASE(update__prog_array, BPF_MAP_UPDATE_ELEM, w->prog_array, &k0, &w->prog, 0)
ELEM_CASE(update__prog_array_map_fd, BPF_MAP_UPDATE_ELEM, w->prog_array, &k0, &w->hash, 0)
ELEM_CASE(update__prog_array_file, BPF_MAP_UPDATE_ELEM, w->prog_array, &k0, &w->file, 0)
ELEM_CASE(update__prog_array_closed, BPF_MAP_UPDATE_ELEM, w->prog_array, &k0, &(int){999}, 0)
ELEM_CASE(update__prog_array_other_type, BPF_MAP_UPDATE_ELEM, w->prog_array, &k1, &w->tc_prog, 0)
ELEM_CASE(update__prog_array_range, BPF_MAP_UPDATE_ELEM, w->prog_array, &k9, &w->prog, 0)
ELEM_CASE(update__prog_array_noexist, BPF_MAP_UPDATE_ELEM, w->prog_array, &k0, &w->prog, 1)
ELEM_CASE(lookup__prog_array, BPF_MAP_LOOKUP_ELEM, w->prog_array, &k0, value, 0)
ELEM_CASE(delete__prog_array, BPF_MAP_DELETE_ELEM, w->prog_array, &k0, 0, 0)
ELEM_CASE(delete__prog_array_empty, BPF_MAP_DELETE_ELEM, w->prog_array, &k0, 0, 0)
ELEM_CASE(delete__prog_array_range, BPF_MAP_DELETE_ELEM, w->prog_array, &k9, 0, 0)
ELEM_CASE(delete__array, BPF_MAP_DELETE_ELEM, w->array, &k0, 0, 0)
ELEM_CASE(delete__hash_missing, BPF_MAP_DELETE_ELEM, w->hash, &k9, 0, 0)
ELEM_CASE(delete__with_value, BPF_MAP_DELETE_ELEM, w->hash, &k9, value, 0)
ELEM_CASE(delete__frozen, BPF_MAP_DELETE_ELEM, w->frozen, &k0, 0, 0)
ELEM_CASE(next_key__empty_hash, BPF_MAP_GET_NEXT_KEY, w->hash, NULL, value, 0)
ELEM_CASE(next_key__array_first, BPF_MAP_GET_NEXT_KEY, w->array, NULL, value, 0)
ELEM_CASE(next_key__array_last, BPF_MAP_GET_NEXT_KEY, w->array, &k1, value, 0)
ELEM_CASE(next_key__array_beyond, BPF_MAP_GET_NEXT_KEY, w->array, &k9, value, 0)
ELEM_CASE(next_key__null_next, BPF_MAP_GET_NEXT_KEY, w->array, NULL, NULL, 0)
ELEM_CASE(next_key__bad_key, BPF_MAP_GET_NEXT_KEY, w->array, BAD, value, 0)
ELEM_CASE(next_key__with_flags, BPF_MAP_GET_NEXT_KEY, w->array, NULL, value, 1)
ELEM_CASE(next_key__wronly, BPF_MAP_GET_NEXT_KEY, w->wronly, NULL, value, 0)
ELEM_CASE(next_key__prog_array, BPF_MAP_GET_NEXT_KEY, w->prog_array, NULL, value, 0)

CASE(update__hash_full)
{
	int map = map_new(w->bpf, BPF_MAP_TYPE_HASH, 4, 8, 2, 0), ret = 0;

	for (uint32_t i = 0; i < 3 && !ret; i++)
		ret = elem(w, BPF_MAP_UPDATE_ELEM, map, &i, value, 0);
	close(map);
	return ret;
}

CASE(update__hash_noexist_there)
{
	int map = map_new(w->bpf, BPF_MAP_TYPE_HASH, 4, 8, 2, 0), ret;

	elem(w, BPF_MAP_UPDATE_ELEM, map, &k0, value, 0);
	ret = elem(w, BPF_MAP_UPDATE_ELEM, map, &k0, value, BPF_NOEXIST);
	close(map);
	return ret;
}

static int create_close(struct world *w, union bpf_attr *a, unsigned int size)
{
	int fd = w->bpf(BPF_MAP_CREATE, a, size);

	if (fd >= 0)
		close(fd);
	return fd;
}

#define CREATE_CASE(name, ...)                         \
	CASE(name)                                     \
	{                                              \
		union bpf_attr a = {__VA_ARGS__};      \
		return create_close(w, &a, sizeof(a)); \
	}
#define MAP(type, key, val, max, flags)                                                          \
	.map_type = BPF_MAP_TYPE_##type, .key_size = key, .value_size = val, .max_entries = max, \
	.map_flags = flags

CREATE_CASE(create__hash, MAP(HASH, 4, 4, 1, 0))
CREATE_CASE(create__no_entries, MAP(HASH, 4, 4, 0, 0))
CREATE_CASE(create__no_key, MAP(HASH, 0, 4, 1, 0))
CREATE_CASE(create__no_value, MAP(HASH, 4, 0, 1, 0))
CREATE_CASE(create__array_key_8, MAP(ARRAY, 8, 4, 1, 0))
CREATE_CASE(create__array_no_value, MAP(ARRAY, 4, 0, 1, 0))
CREATE_CASE(create__array_huge_value, MAP(ARRAY, 4, 0x7fffffff, 1, 0))
CREATE_CASE(create__array_huge, MAP(ARRAY, 4, 8, 0xffffffff, 0))
CREATE_CASE(create__percpu_huge_value, MAP(PERCPU_ARRAY, 4, 40000, 1, 0))
CREATE_CASE(create__hash_huge_key, MAP(HASH, 1 << 20, 8, 1, 0))
CREATE_CASE(create__hash_huge_value, MAP(HASH, 4, 0x7fffffff, 1, 0))
CREATE_CASE(create__prog_array_value_8, MAP(PROG_ARRAY, 4, 8, 1, 0))
CREATE_CASE(create__prog_array_flags, MAP(PROG_ARRAY, 4, 4, 1, BPF_F_RDONLY_PROG))
CREATE_CASE(create__type_0, .map_type = 0, .key_size = 4, .value_size = 4, .max_entries = 1)
CREATE_CASE(create__type_1000, .map_type = 1000, .key_size = 4, .value_size = 4, .max_entries = 1)
CREATE_CASE(create__unknown_flag, MAP(ARRAY, 4, 4, 1, 1U << 31))
CREATE_CASE(create__array_no_prealloc, MAP(ARRAY, 4, 4, 1, BPF_F_NO_PREALLOC))
CREATE_CASE(create__hash_no_prealloc, MAP(HASH, 4, 4, 1, BPF_F_NO_PREALLOC))
CREATE_CASE(create__hash_mmapable, MAP(HASH, 4, 4, 1, BPF_F_MMAPABLE))
CREATE_CASE(create__rd_and_wr, MAP(ARRAY, 4, 4, 1, BPF_F_RDONLY | BPF_F_WRONLY))
CREATE_CASE(create__rd_and_wr_prog, MAP(ARRAY, 4, 4, 1, BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG))
CREATE_CASE(create__numa_without_flag, MAP(ARRAY, 4, 4, 1, 0), .numa_node = 1)
CREATE_CASE(create__map_extra, MAP(ARRAY, 4, 4, 1, 0), .map_extra = 1)
CREATE_CASE(create__name, MAP(ARRAY, 4, 4, 1, 0), .map_name = "a_b.C9")
CREATE_CASE(create__name_bad, MAP(ARRAY, 4, 4, 1, 0), .map_name = "a b")
CREATE_CASE(create__name_unterminated, MAP(ARRAY, 4, 4, 1, 0), .map_name = "0123456789abcdef")
CREATE_CASE(create__ifindex, MAP(ARRAY, 4, 4, 1, 0), .map_ifindex = 12345)
CREATE_CASE(create__btf_bad_fd, MAP(ARRAY, 4, 4, 1, 0), .btf_fd = 999, .btf_key_type_id = 1,
	    .btf_value_type_id = 1)
CREATE_CASE(create__btf_file, MAP(ARRAY, 4, 4, 1, 0), .btf_fd = (uint32_t)w->file,
	    .btf_key_type_id = 1, .btf_value_type_id = 1)
CREATE_CASE(create__btf, MAP(ARRAY, 4, 4, 1, 0), .btf_fd = (uint32_t)w->btf, .btf_key_type_id = 1,
	    .btf_value_type_id = 1)
CREATE_CASE(create__btf_hash, MAP(HASH, 4, 4, 1, 0), .btf_fd = (uint32_t)w->btf,
	    .btf_key_type_id = 1, .btf_value_type_id = 1)
CREATE_CASE(create__btf_size_differs, MAP(ARRAY, 4, 8, 1, 0), .btf_fd = (uint32_t)w->btf,
	    .btf_key_type_id = 1, .btf_value_type_id = 1)
CREATE_CASE(create__btf_no_such_type, MAP(ARRAY, 4, 4, 1, 0), .btf_fd = (uint32_t)w->btf,
	    .btf_key_type_id = 1, .btf_value_type_id = 7)
CREATE_CASE(create__btf_key_only, MAP(ARRAY, 4, 4, 1, 0), .btf_fd = (uint32_t)w->btf,
	    .btf_key_type_id = 1)
CREATE_CASE(create__btf_value_only, MAP(ARRAY, 4, 4, 1, 0), .btf_fd = (uint32_t)w->btf,
	    .btf_value_type_id = 1)
CREATE_CASE(create__btf_prog_array, MAP(PROG_ARRAY, 4, 4, 1, 0), .btf_fd = (uint32_t)w->btf,
	    .btf_key_type_id = 1, .btf_value_type_id = 1)

CASE(create__short_attr)
{
	union bpf_attr a = {MAP(ARRAY, 4, 4, 1, 0)};

	return create_close(w, &a, 20);
}

CASE(create__long_zero_attr)
{
	uint8_t raw[512] = {0};
	union bpf_attr a = {MAP(ARRAY, 4, 4, 1, 0)};

	memcpy(raw, &a, sizeof(a));
	return create_close(w, (union bpf_attr *)raw, sizeof(raw));
}

CASE(create__long_nonzero_attr)
{
	uint8_t raw[512] = {0};
	union bpf_attr a = {MAP(ARRAY, 4, 4, 1, 0)};

	memcpy(raw, &a, sizeof(a));
	raw[500] = 1;
	return create_close(w, (union bpf_attr *)raw, sizeof(raw));
}

CASE(create__field_of_no_use)
{
	uint8_t raw[168] = {0};
	union bpf_attr a = {MAP(ARRAY, 4, 4, 1, 0)};

	memcpy(raw, &a, sizeof(a));
	raw[120] = 1;
	return create_close(w, (union bpf_attr *)raw, sizeof(raw));
}

CASE(attr__over_a_page)
{
	static uint8_t raw[8192];

	return w->bpf(BPF_MAP_CREATE, (union bpf_attr *)raw, 4097);
}

CASE(attr__null)
{
	return w->bpf(BPF_MAP_CREATE, NULL, 16);
}

CASE(attr__bad_pointer)
{
	return w->bpf(BPF_MAP_CREATE, (union bpf_attr *)(uintptr_t)BAD_PTR, 16);
}

CASE(attr__size_0)
{
	union bpf_attr a = {0};

	return w->bpf(BPF_MAP_CREATE, &a, 0);
}

CASE(cmd__unknown)
{
	union bpf_attr a = {0};

	return w->bpf(9999, &a, sizeof(a));
}

CASE(cmd__negative)
{
	union bpf_attr a = {0};

	return w->bpf(-1, &a, sizeof(a));
}

static int freeze(struct world *w, int fd)
{
	union bpf_attr a = {.map_fd = (uint32_t)fd};

	return w->bpf(BPF_MAP_FREEZE, &a, sizeof(a));
}

CASE(freeze__again)
{
	return freeze(w, w->frozen);
}

CASE(freeze__file)
{
	return freeze(w, w->file);
}

CASE(freeze__rdonly)
{
	return freeze(w, w->rdonly);
}

CASE(freeze__hash)
{
	int map = map_new(w->bpf, BPF_MAP_TYPE_HASH, 4, 8, 2, 0), ret = freeze(w, map);

	close(map);
	return ret;
}

static int next_id(struct world *w, int cmd, uint32_t start, uint32_t flags)
{
	union bpf_attr a = {.start_id = start, .open_flags = flags};

	return w->bpf(cmd, &a, sizeof(a));
}

CASE(next_id__prog)
{
	return next_id(w, BPF_PROG_GET_NEXT_ID, 0, 0);
}

CASE(next_id__map_last)
{
	return next_id(w, BPF_MAP_GET_NEXT_ID, 0x7ffffffe, 0);
}

CASE(next_id__map_beyond)
{
	return next_id(w, BPF_MAP_GET_NEXT_ID, 0x7fffffff, 0);
}

CASE(next_id__flags)
{
	return next_id(w, BPF_MAP_GET_NEXT_ID, 0, 1);
}

CASE(fd_by_id__none)
{
	union bpf_attr a = {.map_id = 0x7ffffff0};

	return w->bpf(BPF_MAP_GET_FD_BY_ID, &a, sizeof(a));
}

CASE(fd_by_id__zero)
{
	union bpf_attr a = {.prog_id = 0};

	return w->bpf(BPF_PROG_GET_FD_BY_ID, &a, sizeof(a));
}

CASE(fd_by_id__bad_flags)
{
	union bpf_attr a = {.map_id = 1, .open_flags = 1};

	return w->bpf(BPF_MAP_GET_FD_BY_ID, &a, sizeof(a));
}

CASE(fd_by_id__rd_and_wr)
{
	union bpf_attr a = {.map_id = 0x7ffffff0, .open_flags = BPF_F_RDONLY | BPF_F_WRONLY};

	return w->bpf(BPF_MAP_GET_FD_BY_ID, &a, sizeof(a));
}

CASE(fd_by_id__prog_flags)
{
	union bpf_attr a = {.prog_id = 1, .open_flags = BPF_F_RDONLY};

	return w->bpf(BPF_PROG_GET_FD_BY_ID, &a, sizeof(a));
}

static int info(struct world *w, int fd, void *buf, uint32_t len)
{
	union bpf_attr a = {
		.info = {.bpf_fd = (uint32_t)fd, .info_len = len, .info = (uintptr_t)buf}};

	return w->bpf(BPF_OBJ_GET_INFO_BY_FD, &a, sizeof(a));
}

#define INFO_CASE(name, fd, buf, len)            \
	CASE(name)                               \
	{                                        \
		static uint8_t zeros[8192];      \
		memset(zeros, 0, sizeof(zeros)); \
		return info(w, fd, buf, len);    \
	}
INFO_CASE(info__map, w->hash, zeros, 80)
INFO_CASE(info__map_short, w->hash, zeros, 4)
INFO_CASE(info__map_long_zero, w->hash, zeros, 4096)
INFO_CASE(info__map_over_a_page, w->hash, zeros, 4097)
INFO_CASE(info__map_null, w->hash, NULL, 80)
INFO_CASE(info__size_0, w->hash, zeros, 0)
INFO_CASE(info__prog, w->prog, zeros, 232)
INFO_CASE(info__btf, w->btf, zeros, 32)
INFO_CASE(info__file, w->file, zeros, 80)
INFO_CASE(info__closed, 999, zeros, 80)

CASE(info__map_long_nonzero)
{
	static uint8_t raw[512];

	raw[500] = 1;
	return info(w, w->hash, raw, sizeof(raw));
}

CASE(info__prog_rec_size)
{
	struct bpf_prog_info pi = {.func_info_rec_size = 4};

	return info(w, w->prog, &pi, sizeof(pi));
}

CASE(info__btf_name_without_len)
{
	static char name[8];
	struct bpf_btf_info bi = {.name = (uintptr_t)name};

	return info(w, w->btf, &bi, sizeof(bi));
}
