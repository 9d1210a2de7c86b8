/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of weirctl's commands: parsing, help and completion are drawn from it. */
#include "commands.h"

#include "weir/base/bits.h"

const struct cli_command cli_commands[] = {
	{"verify", NULL, "OBJ", 1, 1, "verify an object's programs, without a daemon",
	 verify_options, cmd_verify, NULL},
	{"run", NULL, "OBJ", 1, 1, "replay a capture through a program, without a daemon",
	 run_options, cmd_run, NULL},
	{"bench", NULL, "OBJ", 1, 1, "measure a program over a capture's packets", bench_options,
	 cmd_bench, NULL},
	{"prog", "show", "[PROG]", 0, 1, "list programs, or all about one", NULL, cmd_prog_show,
	 "list"},
	{"prog", "load", "OBJ", 1, 1, "load an object's programs and pin them", prog_load_options,
	 cmd_prog_load, NULL},
	{"prog", "attach", "PROG|OBJ PORT[:QUEUES]", 1, 2, "run a program on a port's packets",
	 prog_attach_options, cmd_prog_attach, NULL},
	{"prog", "detach", "PORT", 1, 1, "stop running a port's program", prog_detach_options,
	 cmd_prog_detach, NULL},
	{"prog", "replace", "PORT OBJ", 2, 2, "put another program in place, keeping the maps",
	 prog_replace_options, cmd_prog_replace, NULL},
	{"prog", "dump", "PROG", 1, 1, "print a program's instructions", prog_dump_options,
	 cmd_prog_dump, NULL},
	{"map", "show", "[MAP]", 0, 1, "list maps, or one", NULL, cmd_map_show, "list"},
	{"map", "dump", "MAP", 1, 1, "print a map's elements", NULL, cmd_map_dump, NULL},
	{"map", "lookup", "MAP KEY", 1, CLI_MAX_SUBJECTS, "print one element", map_lookup_options,
	 cmd_map_lookup, NULL},
	{"map", "update", "MAP KEY VALUE", 2, CLI_MAX_SUBJECTS, "set an element",
	 map_update_options, cmd_map_update, NULL},
	{"map", "delete", "MAP KEY", 1, CLI_MAX_SUBJECTS, "delete an element", NULL, cmd_map_delete,
	 NULL},
	{"pin", "show", "", 0, 0, "list pinned objects", NULL, cmd_pin_show, "list"},
	{"pin", "delete", "/PATH…", 1, CLI_MAX_SUBJECTS, "take pins away", NULL, cmd_pin_delete,
	 NULL},
	{"port", "show", "[PORT]", 0, 1, "list ports, or one", NULL, cmd_port_show, "list"},
	{"port", "stats", "[PORT]", 0, 1, "the ledger: what became of every packet", NULL,
	 cmd_port_stats, NULL},
	{"port", "drops", "[PORT]", 0, 1, "what was lost and why, from wire to wire", NULL,
	 cmd_port_drops, NULL},
	{"status", NULL, "", 0, 0, "the daemon's state", NULL, cmd_status, NULL},
	{"trace", NULL, "", 0, 0, "follow what programs print with bpf_trace_printk", trace_options,
	 cmd_trace, NULL},
	{"completion", NULL, "bash", 1, 1, "print the shell's completion script", NULL,
	 cli_completion, NULL},
};

const size_t cli_command_count = WEIR_ARRAY_LEN(cli_commands);
