/* SPDX-License-Identifier: BSD-3-Clause */
#include "packets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/base/cleanup.h"

#define MAGIC_US      0xa1b2c3d4U
#define MAGIC_NS      0xa1b23c4dU
#define LINK_ETHERNET 1
#define FILE_HEADER   24
#define RECORD_HEADER 16
#define FRAME_MAX     262144

static uint32_t word(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, 4);
	return v;
}

static uint8_t *read_all(const char *path, size_t *size)
{
	weir_autofclose FILE *f = fopen(path, "re");
	uint8_t *bytes = NULL;
	long end;

	if (!f || fseek(f, 0, SEEK_END) || (end = ftell(f)) < 0)
		return NULL;
	rewind(f);
	bytes = malloc((size_t)end + 1);
	*size = bytes ? fread(bytes, 1, (size_t)end, f) : 0;
	return bytes;
}

int packets_read(const char *path, struct packets *out)
{
	size_t size = 0, at = FILE_HEADER;
	struct packets p = {.file = read_all(path, &size)};
	uint32_t magic, len;

	if (!p.file)
		return -ENOENT;
	magic = size >= FILE_HEADER ? word(p.file) : 0;
	if ((magic != MAGIC_US && magic != MAGIC_NS) || word(p.file + 20) != LINK_ETHERNET) {
		free(p.file);
		return -EINVAL;
	}
	p.v = calloc(size / RECORD_HEADER + 1, sizeof(*p.v));
	if (!p.v) {
		free(p.file);
		return -ENOMEM;
	}
	while (at + RECORD_HEADER <= size) {
		len = word(p.file + at + 8);
		if (len > FRAME_MAX || at + RECORD_HEADER + len > size)
			break;
		p.v[p.count++] = (struct packet){
			.bytes = p.file + at + RECORD_HEADER,
			.len = len,
			.ns = word(p.file + at) * 1000000000ULL +
			      word(p.file + at + 4) * (magic == MAGIC_US ? 1000ULL : 1ULL),
		};
		at += RECORD_HEADER + len;
	}
	*out = p;
	return 0;
}

void packets_clear(struct packets *packets)
{
	free(packets->file);
	free(packets->v);
	*packets = (struct packets){0};
}
