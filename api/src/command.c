/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/api/command.h"

#define BYTES_OF(f)   sizeof(((union bpf_attr *)0)->f)
#define OFF_OF(f)     offsetof(union bpf_attr, f)
#define END(f)        (OFF_OF(f) + BYTES_OF(f))
#define END_AT(bytes) (bytes)
#define ADMIN         WEIR_ROLE_BIT_ADMIN
#define READ          WEIR_ROLE_BIT_READ

/* clang-format off */
#define FDS(...)     {__VA_ARGS__}
#define IN(...)	     {__VA_ARGS__}
#define OUT(...)     {__VA_ARGS__}
#define RESULTS(...) {__VA_ARGS__}
#define FIELD(f)     {OFF_OF(f), BYTES_OF(f), 0}
#define OPTIONAL(f)  {OFF_OF(f), BYTES_OF(f), 1}
#define RAW_FIELD(off, bytes) {off, bytes, 0}
#define KEY(f)	     {WEIR_SEC_KEY, WEIR_LEN_KEY, OFF_OF(f), 0, 0}
#define NEXT_KEY(f)  {WEIR_SEC_NEXT_KEY, WEIR_LEN_KEY, OFF_OF(f), 0, 0}
#define VALUE(f)     {WEIR_SEC_VALUE, WEIR_LEN_VALUE, OFF_OF(f), 0, 0}
#define COUNTED(sec, f, count, unit) \
	{WEIR_SEC_##sec, WEIR_LEN_FIELD, OFF_OF(f), OFF_OF(count), unit}
#define SIZED(sec, f, count, size) \
	{WEIR_SEC_##sec, WEIR_LEN_FIELDS, OFF_OF(f), OFF_OF(count), OFF_OF(size)}
#define STRING(sec, f, max) {WEIR_SEC_##sec, WEIR_LEN_STRING, OFF_OF(f), 0, max}
#define SPECIAL(sec, f)	    {WEIR_SEC_##sec, WEIR_LEN_SPECIAL, OFF_OF(f), 0, 0}

static const struct weir_command commands[] = {
#define COMMAND(number, text, end, least, bits, fd_fields, in_list, out_list, result_fields) \
	{.cmd = number, .name = text, .attr_end = end, .role = least, .flags = bits, \
	 .fds = fd_fields, .in = in_list, .out = out_list, .results = result_fields},
#include "commands.def"
#undef COMMAND
};
/* clang-format on */

const struct weir_command *weir_command_find(uint32_t cmd)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].cmd == cmd)
			return &commands[i];
	return NULL;
}

const struct weir_command *weir_command_table(size_t *count)
{
	*count = sizeof(commands) / sizeof(commands[0]);
	return commands;
}

const char *weir_command_name(uint32_t cmd)
{
	const struct weir_command *c = weir_command_find(cmd);

	return c ? c->name : "?";
}
