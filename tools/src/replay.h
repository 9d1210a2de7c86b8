/* SPDX-License-Identifier: BSD-3-Clause */
/* Running a program on a packet of a capture. One thread. */
#ifndef WEIRCTL_REPLAY_H
#define WEIRCTL_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "capture.h"
#include "offline.h"

#define REPLAY_HEADROOM 256 /* as XDP has it on Linux */
#define REPLAY_TAILROOM 3520

/* A packet and its surroundings while a program runs on it. */
struct replay {
	struct offline *o;
	const struct weir_code *code;
	uint32_t type;
	uint32_t ifindex, rx_queue;
	uint8_t *buf; /* REPLAY_HEADROOM + len + REPLAY_TAILROOM, owned */
	size_t buf_bytes;
	/* after replay_run */
	uint32_t verdict;
	uint32_t abort_cause;
	const uint8_t *out;
	uint32_t out_len;
	struct weir_redirect redirect;
};

int replay_init(struct replay *r, struct offline *o, uint32_t prog);
void replay_free(struct replay *r);
/* Runs the program on a copy of the frame, on execution slot `slot`. 0 or -ENOMEM. */
int replay_run(struct replay *r, const struct frame *frame, uint32_t slot);
/* "drop", "pass", "tx"…; for unknown verdicts what becomes of the packet. Static. */
const char *verdict_name(uint32_t prog_type, uint32_t verdict, uint32_t abort_cause);
/* Does the packet go on (and so into the output)? */
bool verdict_keeps(uint32_t prog_type, uint32_t verdict, uint32_t abort_cause);

#endif
