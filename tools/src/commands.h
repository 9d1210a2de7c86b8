/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands' functions and options, for the table in commands.c. */
#ifndef WEIRCTL_COMMANDS_H
#define WEIRCTL_COMMANDS_H

#include "cli.h"

extern const struct cli_option verify_options[], run_options[], bench_options[];
extern const struct cli_option map_lookup_options[], map_update_options[];
extern const struct cli_option trace_options[];
extern const struct cli_option prog_load_options[], prog_attach_options[], prog_detach_options[];
extern const struct cli_option prog_replace_options[], prog_dump_options[];

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
int cmd_pin_show(struct cli *cli);
int cmd_pin_delete(struct cli *cli);

/* --hook (-1: not given) and --priority. An exit code. */
int attach_place_options(const struct cli *cli, int *hook, uint32_t *priority, uint32_t fallback);
int cmd_prog_load(struct cli *cli);
int cmd_prog_attach(struct cli *cli);
int cmd_prog_detach(struct cli *cli);
int cmd_prog_replace(struct cli *cli);
int cmd_prog_show(struct cli *cli);
int cmd_prog_dump(struct cli *cli);

#endif
