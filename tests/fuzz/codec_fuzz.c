/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as a message of the control socket: header, attr, sections within bounds. */
#include <stdlib.h>
#include <string.h>

#include "weir/api/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_sections sections;
	union weir_attr attr;
	struct weir_msg msg;
	uint8_t sum = 0;

	if (size < sizeof(msg))
		return 0;
	memcpy(&msg, data, sizeof(msg));
	if (weir_msg_check(&msg, msg.flags & WEIR_MSG_REPLY) ||
	    weir_msg_rest_bytes(&msg) > size - sizeof(msg))
		return 0;
	data += sizeof(msg);
	if (weir_attr_copy(data, msg.attr_bytes, &attr))
		return 0;
	data += weir_pad8(msg.attr_bytes);
	if (weir_sections_parse(data, msg.body_bytes, &sections))
		return 0;
	/* Everything a section says it has is there to read. */
	for (int i = 0; i < WEIR_SEC_COUNT; i++)
		for (uint32_t k = 0; k < sections.s[i].bytes; k++)
			sum ^= sections.s[i].p[k];
	__asm__ volatile("" : : "r"(sum)); /* not optimised away */
	return 0;
}
