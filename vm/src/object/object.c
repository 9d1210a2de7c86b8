/* SPDX-License-Identifier: BSD-3-Clause */
/* The way through the reader: ELF, BTF, functions, maps, programs. */
#include "weir/vm/object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "object_int.h"
#include "weir/base/cleanup.h"

#define MAX_OBJECT_BYTES (256U << 20)

static int license_read(struct obj *o)
{
	const struct obj_sec *s = obj_sec_find(o, "license");
	size_t bytes = s && s->data ? strnlen((const char *)s->data, s->size_bytes) : 0;
	char *license = weir_arena_alloc(o->plan->arena, bytes + 1);

	if (!license)
		return -ENOMEM;
	if (bytes)
		memcpy(license, s->data, bytes);
	o->plan->license = license;
	return 0;
}

static int maps_hand_over(struct obj *o)
{
	o->plan->maps = weir_arena_calloc(o->plan->arena, o->maps.len, sizeof(*o->plan->maps));
	if (!o->plan->maps)
		return -ENOMEM;
	if (o->maps.len)
		memcpy(o->plan->maps, o->maps.v, o->maps.len * sizeof(*o->maps.v));
	o->plan->map_count = (uint32_t)o->maps.len;
	return 0;
}

static int object_read(struct obj *o, uint8_t *bytes, size_t size_bytes)
{
	int err = obj_elf_read(o, bytes, size_bytes);

	if (!err)
		err = license_read(o);
	if (!err)
		err = obj_btf_read(o);
	if (!err)
		err = obj_ext_read(o);
	if (!err)
		err = obj_funcs_read(o);
	if (!err)
		err = obj_maps_read(o);
	if (!err)
		err = obj_maps_slots(o);
	for (uint32_t i = 0; !err && i < o->func_count; i++)
		if (o->funcs[i].prog_idx >= 0)
			err = obj_prog_assemble(o, &o->funcs[i]);
	return err ? err : maps_hand_over(o);
}

int weir_object_parse(const void *bytes, size_t size_bytes, const char *display_name,
		      const struct weir_object_opts *opts, struct weir_diag *diag,
		      struct weir_plan **out)
{
	weir_cleanup(weir_arena_free) struct weir_arena *scratch = NULL;
	weir_cleanup(weir_plan_free) struct weir_plan *plan = NULL;
	struct obj o = {.name = display_name, .opts = opts, .diag = diag};
	uint8_t *copy;
	int err;

	if (size_bytes > MAX_OBJECT_BYTES)
		return obj_fail(&o, -E2BIG, "%zu bytes, at most %u are read", size_bytes,
				MAX_OBJECT_BYTES);
	plan = calloc(1, sizeof(*plan));
	if (!plan || weir_arena_new(0, &plan->arena) || weir_arena_new(0, &scratch))
		return -ENOMEM;
	o.plan = plan;
	o.scratch = scratch;
	/* A copy: aligned, and nobody changes it while it is being read. */
	copy = weir_arena_memdup(scratch, bytes, size_bytes);
	if (!copy)
		return -ENOMEM;
	err = object_read(&o, copy, size_bytes);
	weir_vec_free(&o.maps);
	weir_vec_free(&o.places);
	if (err)
		return err;
	*out = weir_take(plan);
	return 0;
}

static int file_read(const char *path, struct weir_diag *diag, uint8_t **out, size_t *out_bytes)
{
	weir_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	weir_autofree uint8_t *bytes = NULL;
	size_t have = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return weir_fail(diag, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return weir_fail(diag, -EINVAL, "%s: not a regular file", path);
	if (st.st_size > MAX_OBJECT_BYTES)
		return weir_fail(diag, -E2BIG, "%s: %lld bytes, at most %u are read", path,
				 (long long)st.st_size, MAX_OBJECT_BYTES);
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes)
		return -ENOMEM;
	while (have < (size_t)st.st_size) {
		ssize_t n = read(fd, bytes + have, (size_t)st.st_size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return weir_fail(diag, -errno, "%s: %s", path, strerror(errno));
		if (!n)
			break; /* it shrank: what there is decides */
		have += (size_t)n;
	}
	*out = weir_take(bytes);
	*out_bytes = have;
	return 0;
}

int weir_object_load_file(const char *path, const struct weir_object_opts *opts,
			  struct weir_diag *diag, struct weir_plan **out)
{
	weir_autofree uint8_t *bytes = NULL;
	size_t size_bytes = 0;
	int err;

	err = file_read(path, diag, &bytes, &size_bytes);
	return err ? err : weir_object_parse(bytes, size_bytes, path, opts, diag, out);
}
