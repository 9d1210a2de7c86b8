/* SPDX-License-Identifier: BSD-3-Clause */
/* Hostile TEST_RUN requests: sizes, contexts and limits against a program that moves every edge. */
#include <stdlib.h>
#include <string.h>

#include "../unit/vm/hand_ok.h"
#include "weir/base/bits.h"
#include "weir/vm/interp.h"
#include "weir/vm/rewrite.h"
#include "weir/vm/testrun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The head of an input; the context and the packet are what follows it. */
struct head {
	uint32_t type, data_bytes, ctx_bytes, data_out_max, ctx_out_max;
	int32_t meta, front, back, off, len;
	uint8_t want_data, want_ctx, repeat, flags;
};

static const uint32_t types[] = {BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SCHED_CLS,
				 BPF_PROG_TYPE_SOCKET_FILTER};

static struct weir_prog_low *program(uint32_t type, const struct head *h)
{
	int32_t len = 1 + (int32_t)((uint32_t)h->len % 32);
	const struct bpf_insn xdp[] = {MOV(6, 1),
				       MOVK(2, h->meta),
				       CALL(BPF_FUNC_xdp_adjust_meta),
				       MOV(1, 6),
				       MOVK(2, h->front),
				       CALL(BPF_FUNC_xdp_adjust_head),
				       MOV(1, 6),
				       MOVK(2, h->back),
				       CALL(BPF_FUNC_xdp_adjust_tail),
				       MOV(1, 6),
				       MOVK(2, h->off),
				       MOV(3, 10),
				       ALUK(BPF_ADD, 3, -32),
				       MOVK(4, len),
				       CALL(BPF_FUNC_xdp_load_bytes),
				       MOV(1, 6),
				       MOVK(2, h->off),
				       MOV(3, 10),
				       ALUK(BPF_ADD, 3, -32),
				       MOVK(4, len),
				       CALL(BPF_FUNC_xdp_store_bytes),
				       EXIT};
	const struct bpf_insn skb[] = {MOV(6, 1),
				       MOVK(2, h->off),
				       MOV(3, 10),
				       ALUK(BPF_ADD, 3, -32),
				       MOVK(4, len),
				       MOVK(5, h->meta & 3),
				       CALL(BPF_FUNC_skb_load_bytes_relative),
				       MOVK(7, h->back),
				       I(BPF_LD | BPF_IND | BPF_W, 0, 7, 0, h->front),
				       EXIT};
	struct weir_prog_ok *ok = type == BPF_PROG_TYPE_XDP
					  ? hand_ok(type, xdp, WEIR_ARRAY_LEN(xdp), 0, NULL, 0)
					  : hand_ok(type, skb, WEIR_ARRAY_LEN(skb), 0, NULL, 0);
	struct weir_prog_low *low;

	if (weir_rewrite(ok, NULL, NULL, NULL, &low))
		abort();
	weir_prog_ok_free(&ok);
	return low;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t packet[90000];
	struct weir_test_run_in in = {.data = packet};
	struct weir_test_run_out out = {0};
	struct weir_prog_low *low;
	struct weir_code *code;
	struct weir_exec exec;
	struct head h;

	if (size < sizeof(h))
		return 0;
	memcpy(&h, data, sizeof(h));
	in.prog_type = types[h.type % 3];
	in.data_bytes = h.data_bytes % (sizeof(packet) + 1);
	in.ctx_bytes = weir_min(h.ctx_bytes, (uint32_t)(size - sizeof(h)));
	in.ctx = in.ctx_bytes ? data + sizeof(h) : NULL;
	in.data_out_max = h.data_out_max;
	in.ctx_out_max = h.ctx_out_max;
	in.want_data_out = h.want_data & 1;
	in.want_ctx_out = h.want_ctx & 1;
	in.repeat = h.repeat % 4;
	in.flags = h.flags & 4 ? h.flags : 0;
	low = program(in.prog_type, &h);
	weir_exec_init(&exec, 0, 1, NULL);
	if (weir_interp_bind(low, &code))
		abort();
	weir_test_run(code, &exec, &in, &out, NULL);
	weir_test_run_clear(&out);
	weir_code_free(&code);
	weir_prog_low_free(&low);
	return 0;
}
