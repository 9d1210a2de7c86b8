/* SPDX-License-Identifier: BSD-3-Clause */
/* BTF: header, strings and the shape of every type; btf_resolve.c follows the ids. */
#include "weir/vm/btf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "btf_int.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"

#define BTF_MAX_BYTES (64U << 20)

static const char *const kind_names[NR_BTF_KINDS] = {
	"void", "int",     "pointer",  "array",    "struct",   "union",  "enum",
	"fwd",  "typedef", "volatile", "const",    "restrict", "func",   "func_proto",
	"var",  "datasec", "float",    "decl_tag", "type_tag", "enum64",
};

static int header_check(const struct btf_header *h, size_t size, struct weir_diag *diag)
{
	uint64_t body;

	if (h->magic == __builtin_bswap16(BTF_MAGIC))
		return weir_fail(diag, -EINVAL, "BTF: big-endian; only little-endian is read");
	if (h->magic != BTF_MAGIC)
		return weir_fail(diag, -EINVAL, "BTF: magic: expected 0x%x, found 0x%x", BTF_MAGIC,
				 h->magic);
	if (h->version != BTF_VERSION)
		return weir_fail(diag, -EINVAL, "BTF: version: expected 1, found %u", h->version);
	if (h->flags)
		return weir_fail(diag, -EINVAL, "BTF: flags: expected 0, found 0x%x", h->flags);
	if (h->hdr_len < sizeof(*h) || h->hdr_len > size || h->hdr_len % 4)
		return weir_fail(diag, -EINVAL, "BTF: header length: expected %zu to %zu, found %u",
				 sizeof(*h), size, h->hdr_len);
	body = size - h->hdr_len;
	if (h->type_off % 4)
		return weir_fail(diag, -EINVAL, "BTF: type section at unaligned offset %u",
				 h->type_off);
	if ((uint64_t)h->type_off + h->type_len > body)
		return weir_fail(diag, -EINVAL,
				 "BTF: type section [%u, +%u) is outside the %llu bytes there are",
				 h->type_off, h->type_len, (unsigned long long)body);
	if ((uint64_t)h->str_off + h->str_len > body)
		return weir_fail(
			diag, -EINVAL,
			"BTF: string section [%u, +%u) is outside the %llu bytes there are",
			h->str_off, h->str_len, (unsigned long long)body);
	if (!h->str_len || h->str_len - 1 > BTF_MAX_NAME_OFFSET)
		return weir_fail(diag, -EINVAL,
				 "BTF: string section: expected 1 to %u bytes, found %u",
				 BTF_MAX_NAME_OFFSET + 1, h->str_len);
	return 0;
}

/* Bytes behind struct btf_type, or -1 for an unknown kind. */
static int64_t extra_bytes(const struct btf_type *t)
{
	uint64_t vlen = BTF_INFO_VLEN(t->info);

	switch (weir_btf_kind(t)) {
	case BTF_KIND_INT: return 4;
	case BTF_KIND_ARRAY: return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return (int64_t)(vlen * sizeof(struct btf_member));
	case BTF_KIND_ENUM: return (int64_t)(vlen * sizeof(struct btf_enum));
	case BTF_KIND_ENUM64: return (int64_t)(vlen * sizeof(struct btf_enum64));
	case BTF_KIND_FUNC_PROTO: return (int64_t)(vlen * sizeof(struct btf_param));
	case BTF_KIND_VAR: return sizeof(struct btf_var);
	case BTF_KIND_DATASEC: return (int64_t)(vlen * sizeof(struct btf_var_secinfo));
	case BTF_KIND_DECL_TAG: return sizeof(struct btf_decl_tag);
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG: return 0;
	default: return -1;
	}
}

static int types_index(struct weir_btf *btf, uint32_t start, uint32_t end, bool count_only,
		       struct weir_diag *diag)
{
	uint32_t off = start;
	uint32_t id = 1;

	for (; off < end; id++) {
		const struct btf_type *t = (const struct btf_type *)(btf->bytes + off);
		int64_t extra;

		if (end - off < sizeof(*t))
			return weir_fail(diag, -EINVAL,
					 "BTF: type %u at offset %u: expected %zu bytes, found %u",
					 id, off - start, sizeof(*t), end - off);
		extra = extra_bytes(t);
		if (extra < 0)
			return weir_fail(diag, -EINVAL,
					 "BTF: type %u at offset %u: unknown kind %u", id,
					 off - start, weir_btf_kind(t));
		if ((uint64_t)extra > end - off - sizeof(*t))
			return weir_fail(
				diag, -EINVAL,
				"BTF: type %u (%s) at offset %u: needs %lld bytes behind it, "
				"found %zu",
				id, kind_names[weir_btf_kind(t)], off - start, (long long)extra,
				end - off - sizeof(*t));
		if (id > BTF_MAX_TYPE)
			return weir_fail(diag, -E2BIG, "BTF: more than %u types", BTF_MAX_TYPE);
		if (!count_only)
			btf->type_offs[id] = off;
		off += (uint32_t)(sizeof(*t) + (size_t)extra);
	}
	btf->type_count = id - 1;
	return 0;
}

static int load(struct weir_btf *btf, struct weir_diag *diag)
{
	const struct btf_header *h = (const struct btf_header *)btf->bytes;
	uint32_t start, end;
	int err;

	err = header_check(h, btf->size_bytes, diag);
	if (err)
		return err;
	btf->strs = (const char *)btf->bytes + h->hdr_len + h->str_off;
	btf->strs_bytes = h->str_len;
	if (btf->strs[0] || btf->strs[btf->strs_bytes - 1])
		return weir_fail(diag, -EINVAL,
				 "BTF: string section: expected a zero byte at its %s",
				 btf->strs[0] ? "start" : "end");
	for (uint32_t i = sizeof(*h); i < h->hdr_len; i++)
		if (btf->bytes[i])
			return weir_fail(diag, -E2BIG, "BTF: header: unknown field at byte %u", i);
	start = h->hdr_len + h->type_off;
	end = start + h->type_len;
	err = types_index(btf, start, end, true, diag);
	if (err)
		return err;
	btf->type_offs = calloc(btf->type_count + 1ULL, sizeof(*btf->type_offs));
	btf->sizes = calloc(btf->type_count + 1ULL, sizeof(*btf->sizes));
	if (!btf->type_offs || !btf->sizes)
		return -ENOMEM;
	err = types_index(btf, start, end, false, diag);
	return err ? err : btf_resolve(btf, diag);
}

int weir_btf_parse(const void *bytes, size_t size_bytes, struct weir_diag *diag,
		   struct weir_btf **out)
{
	weir_cleanup(weir_btf_free) struct weir_btf *btf = NULL;
	int err;

	if (size_bytes < sizeof(struct btf_header))
		return weir_fail(diag, -EINVAL, "BTF: header: expected %zu bytes, found %zu",
				 sizeof(struct btf_header), size_bytes);
	if (size_bytes > BTF_MAX_BYTES)
		return weir_fail(diag, -E2BIG, "BTF: %zu bytes, at most %u are read", size_bytes,
				 BTF_MAX_BYTES);
	btf = calloc(1, sizeof(*btf));
	if (!btf)
		return -ENOMEM;
	btf->bytes = malloc(size_bytes);
	if (!btf->bytes)
		return -ENOMEM;
	memcpy(btf->bytes, bytes, size_bytes);
	btf->size_bytes = size_bytes;
	err = load(btf, diag);
	if (err)
		return err;
	*out = weir_take(btf);
	return 0;
}

void weir_btf_free(struct weir_btf **btf)
{
	if (!*btf)
		return;
	free((*btf)->bytes);
	free((*btf)->type_offs);
	free((*btf)->sizes);
	free(*btf);
	*btf = NULL;
}

const void *weir_btf_bytes(const struct weir_btf *btf, size_t *size_bytes)
{
	*size_bytes = btf->size_bytes;
	return btf->bytes;
}

uint32_t weir_btf_type_count(const struct weir_btf *btf)
{
	return btf->type_count;
}

const struct btf_type *weir_btf_type(const struct weir_btf *btf, uint32_t id)
{
	if (!id || id > btf->type_count)
		return NULL;
	return (const struct btf_type *)(btf->bytes + btf->type_offs[id]);
}

const char *weir_btf_name(const struct weir_btf *btf, uint32_t name_off)
{
	return name_off < btf->strs_bytes ? btf->strs + name_off : "<bad name>";
}

const struct btf_type *weir_btf_skip_mods(const struct weir_btf *btf, uint32_t id, uint32_t *out_id)
{
	const struct btf_type *t = weir_btf_type(btf, id);

	/* Terminates: the parser refused cycles of modifiers. */
	while (t) {
		switch (weir_btf_kind(t)) {
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_CONST:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG: id = t->type; break;
		default: goto done;
		}
		t = weir_btf_type(btf, id);
	}
done:
	if (out_id)
		*out_id = id;
	return t;
}

int64_t weir_btf_size(const struct weir_btf *btf, uint32_t id)
{
	return id && id <= btf->type_count ? btf->sizes[id] : -EINVAL;
}

uint32_t weir_btf_find(const struct weir_btf *btf, const char *name, uint32_t kind)
{
	for (uint32_t id = 1; id <= btf->type_count; id++) {
		const struct btf_type *t = weir_btf_type(btf, id);

		if (weir_btf_kind(t) == kind && !strcmp(weir_btf_name(btf, t->name_off), name))
			return id;
	}
	return 0;
}
