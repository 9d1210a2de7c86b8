/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as a classic filter; what converts runs on a packet whose edges the sanitizer guards.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit/vm/hand_ok.h"
#include "weir/base/bits.h"
#include "weir/vm/cbpf.h"
#include "weir/vm/exec.h"
#include "weir/vm/interp.h"
#include "weir/vm/pkt.h"
#include "weir/vm/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const struct weir_prog_raw *raw)
{
	struct weir_prog_ok *ok = hand_ok(raw->type, raw->insns, raw->insn_count, 1U << 6, NULL, 0);
	struct weir_skb_ctx skb = {.net_off = 14};
	uint8_t *packet = calloc(1, 60);
	struct weir_prog_low *low;
	struct weir_exec exec;

	if (!packet || weir_rewrite(ok, NULL, NULL, NULL, &low))
		abort(); /* what converts must lower */
	weir_pkt_init_flat(&skb.pkt, packet, 60, 0, 60);
	weir_exec_init(&exec, 0, 1, NULL);
	weir_interp_run(&skb, &exec, low);
	weir_prog_low_free(&low);
	weir_prog_ok_free(&ok);
	free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t count = (uint32_t)(size / sizeof(struct sock_filter));
	struct sock_filter *filter = malloc(weir_max(size, (size_t)1));
	struct weir_prog_raw raw;
	WEIR_DIAG_ON_STACK(diag, 256);

	if (!filter)
		return 0;
	memcpy(filter, data, size);
	if (!weir_cbpf_convert(filter, count, "fuzz", &diag, &raw)) {
		run(&raw);
		weir_prog_raw_clear(&raw);
	}
	free(filter);
	return 0;
}
