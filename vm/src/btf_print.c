/* SPDX-License-Identifier: BSD-3-Clause */
/* Types as C writes them, near enough for messages and listings. */
#include "btf_int.h"

/* Pointer chains may be cyclic (nothing in them has a size), so names stop somewhere. */
#define MAX_PARTS 40

static const char *tag_of(uint32_t kind, const struct btf_type *t)
{
	switch (kind) {
	case BTF_KIND_STRUCT: return "struct ";
	case BTF_KIND_UNION: return "union ";
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: return "enum ";
	case BTF_KIND_FWD: return BTF_INFO_KFLAG(t->info) ? "union " : "struct ";
	default: return "";
	}
}

static const char *qualifier_of(uint32_t kind)
{
	switch (kind) {
	case BTF_KIND_VOLATILE: return "volatile ";
	case BTF_KIND_CONST: return "const ";
	default: return "";
	}
}

struct suffix {
	bool is_array;
	uint32_t nelems;
};

void weir_btf_type_print(const struct weir_btf *btf, uint32_t id, struct weir_diag *out)
{
	struct suffix suffixes[MAX_PARTS];
	uint32_t count = 0;
	const struct btf_type *t = weir_btf_type(btf, id);

	for (uint32_t parts = 0; t && parts < MAX_PARTS; parts++) {
		uint32_t kind = weir_btf_kind(t);

		if (kind == BTF_KIND_PTR) {
			suffixes[count++] = (struct suffix){0};
			t = weir_btf_type(btf, t->type);
		} else if (kind == BTF_KIND_ARRAY) {
			suffixes[count++] = (struct suffix){true, btf_array_of(t)->nelems};
			t = weir_btf_type(btf, btf_array_of(t)->type);
		} else if (kind == BTF_KIND_VOLATILE || kind == BTF_KIND_CONST ||
			   kind == BTF_KIND_RESTRICT || kind == BTF_KIND_TYPE_TAG) {
			weir_diag_printf(out, "%s", qualifier_of(kind));
			t = weir_btf_type(btf, t->type);
		} else {
			break;
		}
	}
	if (!t)
		weir_diag_printf(out, "void");
	else if (weir_btf_kind(t) == BTF_KIND_FUNC_PROTO)
		weir_diag_printf(out, "function");
	else
		weir_diag_printf(out, "%s%s", tag_of(weir_btf_kind(t), t),
				 t->name_off ? weir_btf_name(btf, t->name_off) : "(anonymous)");
	/* Inner to outer: pointers first as they were met last; arrays in source order. */
	for (uint32_t i = count; i-- > 0;)
		if (!suffixes[i].is_array)
			weir_diag_printf(out, "%s*", i + 1 == count ? " " : "");
	for (uint32_t i = 0; i < count; i++)
		if (suffixes[i].is_array)
			weir_diag_printf(out, "[%u]", suffixes[i].nelems);
}
