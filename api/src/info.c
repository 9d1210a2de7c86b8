/* SPDX-License-Identifier: BSD-3-Clause */
#include "info.h"

#include <errno.h>
#include <string.h>

#define PROG_OFF(f) offsetof(struct bpf_prog_info, f)
#define BTF_OFF(f)  offsetof(struct bpf_btf_info, f)

/* Where an info holds the pointer and the capacity that belong to a section. */
static const struct info_pointer {
	uint32_t kind;
	uint32_t section;
	uint32_t ptr_off;
	uint32_t len_off;
	uint32_t unit_off; /* 0: the unit below */
	uint32_t unit;
} pointers[] = {
	{WEIR_OBJECT_PROG, WEIR_SEC_INFO_JITED, PROG_OFF(jited_prog_insns),
	 PROG_OFF(jited_prog_len), 0, 1},
	{WEIR_OBJECT_PROG, WEIR_SEC_INFO_XLATED, PROG_OFF(xlated_prog_insns),
	 PROG_OFF(xlated_prog_len), 0, 1},
	{WEIR_OBJECT_PROG, WEIR_SEC_INFO_MAP_IDS, PROG_OFF(map_ids), PROG_OFF(nr_map_ids), 0, 4},
	{WEIR_OBJECT_PROG, WEIR_SEC_INFO_FUNCS, PROG_OFF(func_info), PROG_OFF(nr_func_info),
	 PROG_OFF(func_info_rec_size), 0},
	{WEIR_OBJECT_PROG, WEIR_SEC_INFO_LINES, PROG_OFF(line_info), PROG_OFF(nr_line_info),
	 PROG_OFF(line_info_rec_size), 0},
	{WEIR_OBJECT_BTF, WEIR_SEC_INFO_BTF, BTF_OFF(btf), BTF_OFF(btf_size), 0, 1},
	{WEIR_OBJECT_BTF, WEIR_SEC_INFO_NAME, BTF_OFF(name), BTF_OFF(name_len), 0, 1},
};

static uint32_t u32_at(const uint8_t *info, uint32_t off)
{
	uint32_t v;

	memcpy(&v, info + off, sizeof(v));
	return v;
}

static int pointer_write(const struct info_pointer *ip, const uint8_t *user_info,
			 const struct weir_call *call)
{
	size_t bytes = call->sections.s[ip->section].bytes;
	uint64_t room, to;

	memcpy(&to, user_info + ip->ptr_off, sizeof(to));
	room = (uint64_t)u32_at(user_info, ip->len_off) *
	       (ip->unit_off ? u32_at(user_info, ip->unit_off) : ip->unit);
	if (bytes > room)
		return -EPROTO;
	return weir_user_write(to, call->sections.s[ip->section].p, bytes) == bytes ? 0 : -EFAULT;
}

int weir_info_write(const union weir_attr *user, const struct weir_object_desc *desc,
		    const struct weir_call *call)
{
	uint64_t to = user->bpf.info.info;
	size_t bytes = call->sections.s[WEIR_SEC_INFO].bytes;
	uint8_t info[sizeof(struct bpf_prog_info)] = {0};
	int err = 0;

	if (bytes > user->bpf.info.info_len || !desc)
		return -EPROTO;
	/* The pointers are the caller's own: read before they are overwritten. */
	weir_user_read(info, to,
		       user->bpf.info.info_len < sizeof(info) ? user->bpf.info.info_len
							      : sizeof(info));
	for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]) && !err; i++)
		if (pointers[i].kind == desc->kind && call->sections.s[pointers[i].section].p)
			err = pointer_write(&pointers[i], info, call);
	if (err)
		return err;
	return weir_user_write(to, call->sections.s[WEIR_SEC_INFO].p, bytes) == bytes ? 0 : -EFAULT;
}
