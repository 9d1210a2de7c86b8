/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands' functions and options, for the table in commands.c. */
#ifndef WEIRCTL_COMMANDS_H
#define WEIRCTL_COMMANDS_H

#include "cli.h"

extern const struct cli_option verify_options[], run_options[], bench_options[];
extern const struct cli_option map_lookup_options[], map_update_options[];
extern const struct cli_option trace_options[];

struct offline;
struct offline_opts;

/* Loads subject 0's program chosen by --program/--section. An exit code; *o may be set either way.
 */
int load_for_replay(struct cli *cli, const struct offline_opts *opts, struct offline **o,
		    uint32_t *prog);

int cmd_verify(struct cli *cli);
int cmd_run(struct cli *cli);
int cmd_bench(struct cli *cli);

int cmd_status(struct cli *cli);
int cmd_trace(struct cli *cli);
int cmd_port_show(struct cli *cli);
int cmd_port_stats(struct cli *cli);
int cmd_port_drops(struct cli *cli);
int cmd_map_show(struct cli *cli);
int cmd_map_dump(struct cli *cli);
int cmd_map_lookup(struct cli *cli);
int cmd_map_update(struct cli *cli);
int cmd_map_delete(struct cli *cli);

#endif
