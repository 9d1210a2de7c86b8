/* SPDX-License-Identifier: BSD-3-Clause */
/* Iteration by id, descriptors by id, and OBJ_GET_INFO_BY_FD. */
#include <errno.h>
#include <string.h>

#include "internal.h"

static enum weir_object_kind kind_of_cmd(uint32_t cmd)
{
	switch (cmd) {
	case BPF_PROG_GET_NEXT_ID:
	case BPF_PROG_GET_FD_BY_ID: return WEIR_OBJECT_PROG;
	case BPF_MAP_GET_NEXT_ID:
	case BPF_MAP_GET_FD_BY_ID: return WEIR_OBJECT_MAP;
	case BPF_BTF_GET_NEXT_ID:
	case BPF_BTF_GET_FD_BY_ID: return WEIR_OBJECT_BTF;
	default: return WEIR_OBJECT_LINK;
	}
}

int weir_cmd_next_id(struct request *rq)
{
	union bpf_attr *a = &rq->attr.bpf;
	struct obj *obj;

	if (a->start_id >= INT32_MAX)
		return -EINVAL;
	obj = weir_registry_from(rq->conn->control, kind_of_cmd(rq->command->cmd), a->start_id + 1);
	if (!obj)
		return -ENOENT;
	a->next_id = obj->id;
	return 0;
}

int weir_cmd_fd_by_id(struct request *rq)
{
	const union bpf_attr *a = &rq->attr.bpf;
	enum weir_object_kind kind = kind_of_cmd(rq->command->cmd);
	uint32_t rights = TOKEN_READ | TOKEN_WRITE;
	struct obj *obj;

	if (kind == WEIR_OBJECT_MAP) {
		if (a->open_flags & ~(uint32_t)(BPF_F_RDONLY | BPF_F_WRONLY) ||
		    a->open_flags == (BPF_F_RDONLY | BPF_F_WRONLY))
			return -EINVAL;
		if (a->open_flags & BPF_F_RDONLY)
			rights = TOKEN_READ;
		if (a->open_flags & BPF_F_WRONLY)
			rights = TOKEN_WRITE;
	} else if (a->open_flags) {
		return -EINVAL;
	}
	obj = weir_registry_find(rq->conn->control, kind, a->prog_id);
	return obj ? weir_token_reply(rq, obj, rights) : -ENOENT;
}

/* Copies up to *cap units of what there is; *cap becomes how much there is. */
static void info_array(struct request *rq, uint32_t section, uint64_t ptr, uint32_t *cap,
		       const void *from, uint32_t count, size_t unit)
{
	uint32_t n = weir_min(*cap, count);

	*cap = count;
	if (n && ptr)
		weir_buf_section(&rq->out, section, from, n * unit);
}

/* What the verifier accepted, maps by id, as Linux shows it. */
static int info_xlated(struct request *rq, const struct prog_obj *p, struct bpf_prog_info *info)
{
	uint32_t total = p->ok->raw.insn_count * (uint32_t)sizeof(struct bpf_insn);
	uint32_t n = weir_min(info->xlated_prog_len, total) / (uint32_t)sizeof(struct bpf_insn);
	struct bpf_insn *room;

	info->xlated_prog_len = total;
	if (!n || !info->xlated_prog_insns)
		return 0;
	room = weir_buf_section_room(&rq->out, WEIR_SEC_INFO_XLATED, n * sizeof(*room));
	if (!room)
		return -ENOMEM;
	memcpy(room, p->ok->raw.insns, n * sizeof(*room));
	for (uint32_t i = 0; i < n; i++) {
		if (room[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		if (room[i].src_reg == BPF_PSEUDO_MAP_IDX ||
		    room[i].src_reg == BPF_PSEUDO_MAP_IDX_VALUE) {
			room[i].src_reg = room[i].src_reg == BPF_PSEUDO_MAP_IDX
						  ? BPF_PSEUDO_MAP_FD
						  : BPF_PSEUDO_MAP_VALUE;
			room[i].imm = (int32_t)p->maps[room[i].imm]->obj.id;
		}
		i++;
	}
	return 0;
}

static int rec_size_check(uint32_t count, uint32_t rec_bytes, uint32_t expect)
{
	return (count || rec_bytes) && rec_bytes != expect ? -EINVAL : 0;
}

static int info_lines(struct request *rq, const struct weir_prog_raw *raw,
		      struct bpf_prog_info *info)
{
	uint32_t funcs = weir_min(info->nr_func_info, raw->func_count);
	uint32_t lines = weir_min(info->nr_line_info, raw->line_count);
	struct bpf_line_info *room;

	info_array(rq, WEIR_SEC_INFO_FUNCS, info->func_info, &info->nr_func_info, raw->funcs, funcs,
		   sizeof(struct bpf_func_info));
	info->nr_func_info = raw->func_count;
	info->nr_line_info = raw->line_count;
	info->func_info_rec_size = sizeof(struct bpf_func_info);
	info->line_info_rec_size = sizeof(struct bpf_line_info);
	if (!lines || !info->line_info)
		return 0;
	room = weir_buf_section_room(&rq->out, WEIR_SEC_INFO_LINES, lines * sizeof(*room));
	if (!room)
		return -ENOMEM;
	for (uint32_t i = 0; i < lines; i++)
		room[i] = (struct bpf_line_info){.insn_off = raw->lines[i].insn_idx,
						 .file_name_off = raw->lines[i].file_off,
						 .line_off = raw->lines[i].line_off,
						 .line_col = raw->lines[i].line << 10 |
							     (raw->lines[i].col & 0x3ff)};
	return 0;
}

static int prog_info(struct request *rq, const struct prog_obj *p, struct bpf_prog_info *info)
{
	uint32_t ids[64];
	int err;

	err = rec_size_check(info->nr_func_info, info->func_info_rec_size,
			     sizeof(struct bpf_func_info));
	if (!err)
		err = rec_size_check(info->nr_line_info, info->line_info_rec_size,
				     sizeof(struct bpf_line_info));
	if (err)
		return err;
	info->type = p->pp.type;
	info->id = p->obj.id;
	info->load_time = p->obj.created_ns - (weir_realtime_ns() - weir_clock_ns());
	info->created_by_uid = p->obj.uid;
	info->gpl_compatible = p->gpl_compatible;
	info->btf_id = p->btf ? p->btf->obj.id : 0;
	info->verified_insns = p->ok->stats.processed_insns;
	memcpy(info->tag, p->tag, sizeof(info->tag));
	memcpy(info->name, p->ok->raw.name, sizeof(info->name));
	info->run_cnt = info->run_time_ns = 0;
	for (uint32_t i = 0; i < p->pp.slots; i++) {
		info->run_cnt += __atomic_load_n(&p->pp.stats[i].runs, __ATOMIC_RELAXED);
		info->run_time_ns += __atomic_load_n(&p->pp.stats[i].run_ns, __ATOMIC_RELAXED);
	}
	for (uint32_t i = 0; i < p->map_count; i++)
		ids[i] = p->maps[i]->obj.id;
	info_array(rq, WEIR_SEC_INFO_MAP_IDS, info->map_ids, &info->nr_map_ids, ids, p->map_count,
		   sizeof(ids[0]));
	info_array(rq, WEIR_SEC_INFO_JITED, info->jited_prog_insns, &info->jited_prog_len,
		   p->code->image, p->jited ? (uint32_t)p->code->image_bytes : 0, 1);
	err = info_xlated(rq, p, info);
	return err ? err : info_lines(rq, &p->ok->raw, info);
}

static int map_info(struct request *rq, const struct map_obj *m, struct bpf_map_info *info)
{
	const struct weir_map_def *def = &m->map->def;

	memset(info, 0, sizeof(*info));
	info->type = def->type;
	info->id = m->obj.id;
	info->key_size = def->key_size;
	info->value_size = def->value_size;
	info->max_entries = def->max_entries;
	info->map_flags = def->flags;
	info->map_extra = def->map_extra;
	memcpy(info->name, def->name, sizeof(info->name));
	if (m->btf) {
		info->btf_id = m->btf->obj.id;
		info->btf_key_type_id = def->btf_key_type_id;
		info->btf_value_type_id = def->btf_value_type_id;
	}
	return 0;
}

static int btf_info(struct request *rq, const struct btf_obj *b, struct bpf_btf_info *info)
{
	size_t bytes, name_bytes = strlen(b->name) + 1;
	const void *data = weir_btf_bytes(b->btf, &bytes);
	uint32_t cap = info->name_len;

	if (!info->name != !info->name_len)
		return -EINVAL;
	info_array(rq, WEIR_SEC_INFO_BTF, info->btf, &info->btf_size, data, (uint32_t)bytes, 1);
	info->id = b->obj.id;
	info->kernel_btf = b->kernel;
	info_array(rq, WEIR_SEC_INFO_NAME, info->name, &cap, b->name, (uint32_t)name_bytes, 1);
	if (info->name && info->name_len < name_bytes)
		return -ENOSPC;
	info->name_len = (uint32_t)name_bytes - 1;
	return 0;
}

static int link_info(struct request *rq, const struct link_obj *l, struct bpf_link_info *info)
{
	memset(info, 0, sizeof(*info));
	info->id = l->obj.id;
	info->prog_id = l->prog->obj.id;
	if (l->spec.hook == WEIR_HOOK_XDP) {
		info->type = BPF_LINK_TYPE_XDP;
		info->xdp.ifindex = l->attached ? l->ifindex : 0;
	} else {
		/* BPF_LINK_TYPE_TCX, newer than some headers: {ifindex, attach_type} */
		uint32_t tcx[2] = {l->attached ? l->ifindex : 0, l->attach_type};

		info->type = 11;
		memcpy(&info->xdp, tcx, sizeof(info->xdp) < 8 ? sizeof(info->xdp) : 8);
	}
	return 0;
}

int weir_cmd_info(struct request *rq)
{
	union {
		struct bpf_prog_info prog;
		struct bpf_map_info map;
		struct bpf_btf_info btf;
		struct bpf_link_info link;
		uint8_t bytes[sizeof(struct bpf_prog_info)];
	} info = {0};
	static const uint32_t sizes[] = {[WEIR_OBJECT_PROG] = sizeof(struct bpf_prog_info),
					 [WEIR_OBJECT_MAP] = sizeof(struct bpf_map_info),
					 [WEIR_OBJECT_BTF] = sizeof(struct bpf_btf_info),
					 [WEIR_OBJECT_LINK] = sizeof(struct bpf_link_info)};
	union bpf_attr *a = &rq->attr.bpf;
	uint32_t given = a->info.info_len;
	const uint8_t *p = rq->in.s[WEIR_SEC_INFO].p;
	struct obj *obj;
	int err;

	err = weir_slot_obj(rq->conn, a->info.bpf_fd, WEIR_OBJECT_ANY, &obj, NULL);
	if (err)
		return err == -EBADF ? -EBADFD : err; /* this command alone, on Linux */
	if (given > WEIR_ATTR_SIZE_MAX)
		return -E2BIG;
	if (given && (!p || rq->in.s[WEIR_SEC_INFO].bytes != given))
		return -EFAULT;
	for (uint32_t i = sizes[obj->kind]; i < given; i++)
		if (p[i])
			return -E2BIG;
	given = weir_min(given, sizes[obj->kind]);
	if (given)
		memcpy(info.bytes, p, given);
	switch (obj->kind) {
	case WEIR_OBJECT_PROG: err = prog_info(rq, (struct prog_obj *)obj, &info.prog); break;
	case WEIR_OBJECT_MAP: err = map_info(rq, (struct map_obj *)obj, &info.map); break;
	case WEIR_OBJECT_BTF: err = btf_info(rq, (struct btf_obj *)obj, &info.btf); break;
	default: err = link_info(rq, (struct link_obj *)obj, &info.link); break;
	}
	if (err) {
		rq->out.len = 0;
		return err;
	}
	weir_buf_section(&rq->out, WEIR_SEC_INFO, info.bytes, given);
	a->info.info_len = given;
	return 0;
}
