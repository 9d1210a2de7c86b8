/* SPDX-License-Identifier: BSD-3-Clause */
/* weirctl pin show|delete. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "online.h"
#include "weir/base/cleanup.h"

static const char *kind_name(uint32_t kind)
{
	switch (kind) {
	case WEIR_OBJECT_PROG: return "prog";
	case WEIR_OBJECT_MAP: return "map";
	case WEIR_OBJECT_BTF: return "btf";
	case WEIR_OBJECT_LINK: return "link";
	default: return "?";
	}
}

int cmd_pin_show(struct cli *cli)
{
	weir_autofree struct weir_pin_rec *recs = NULL;
	WEIR_DIAG_ON_STACK(diag, 512);
	uint32_t count;
	json_t *list;

	if (online_connect(cli))
		return CLI_FAILED;
	if (weir_client_pins(&recs, &count, &diag))
		return cli_fail("%s", diag.buf);
	list = json_array();
	if (!cli->json)
		printf("%-5s %-5s %-6s %-6s %-5s %s\n", "KIND", "ID", "UID", "GID", "MODE", "PATH");
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_pin_rec *p = &recs[i];

		if (cli->json)
			json_array_append_new(list,
					      json_pack("{s:s, s:s, s:i, s:i, s:i, s:i}", "path",
							p->path, "kind", kind_name(p->kind), "id",
							(int)p->id, "uid", (int)p->uid, "gid",
							(int)p->gid, "mode", (int)p->mode));
		else
			printf("%-5s %-5u %-6u %-6u %04o  %s\n", kind_name(p->kind), p->id, p->uid,
			       p->gid, p->mode, p->path);
	}
	if (cli->json)
		cli_print_json(json_incref(list));
	json_decref(list);
	return CLI_OK;
}

static int explain_missing(const char *path)
{
	weir_autofree struct weir_pin_rec *recs = NULL;
	weir_autofree const char **names = NULL;
	const char *near = NULL;
	uint32_t count;

	if (!weir_client_pins(&recs, &count, NULL))
		names = calloc(count + 1, sizeof(*names));
	for (uint32_t i = 0; names && i < count; i++)
		names[i] = recs[i].path;
	if (names)
		near = cli_nearest(path, names, count);
	if (near)
		return cli_fail("%s: nothing is pinned there; did you mean '%s'?", path, near);
	return cli_fail("%s: nothing is pinned there", path);
}

int cmd_pin_delete(struct cli *cli)
{
	WEIR_DIAG_ON_STACK(diag, 512);
	int err;

	if (online_connect(cli))
		return CLI_FAILED;
	for (int i = 0; i < cli->subject_count; i++) {
		err = weir_client_unpin(cli->subject[i], &diag);
		if (err == -ENOENT)
			return explain_missing(cli->subject[i]);
		if (err)
			return cli_fail("%s: %s", cli->subject[i],
					*diag.buf ? diag.buf : strerror(-err));
	}
	return CLI_OK;
}
