/* SPDX-License-Identifier: BSD-3-Clause */
#include "replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weir/base/bits.h"
#include "weir/vm/skb_frame.h"

int replay_init(struct replay *r, struct offline *o, uint32_t prog)
{
	*r = (struct replay){
		.o = o,
		.code = o->progs[prog].code,
		.type = o->plan->progs[prog].raw.type,
		.ifindex = 1, /* the virtual test port */
	};
	for (uint32_t s = 0; s < o->opts.slots; s++)
		o->exec[s].clock_ns = weir_exec_clock_fixed;
	return 0;
}

void replay_free(struct replay *r)
{
	free(r->buf);
	r->buf = NULL;
}

static void run_xdp(struct replay *r, struct weir_exec *exec, struct weir_pkt *pkt)
{
	struct weir_xdp_ctx ctx = {
		.pkt = *pkt,
		.ingress_ifindex = r->ifindex,
		.rx_queue_index = r->rx_queue,
	};

	r->verdict = (uint32_t)weir_code_run(r->code, &ctx, exec);
	*pkt = ctx.pkt;
}

static void run_skb(struct replay *r, struct weir_exec *exec, struct weir_pkt *pkt,
		    const struct frame *frame)
{
	struct weir_skb_ctx ctx = {.pkt = *pkt};

	weir_skb_ctx_from_frame(&ctx, r->ifindex, r->rx_queue);
	ctx.wire_len = frame->wire_len;
	if (r->type != BPF_PROG_TYPE_SOCKET_FILTER)
		weir_skb_tag_to_ctx(&ctx);
	r->verdict = (uint32_t)weir_code_run(r->code, &ctx, exec);
	weir_skb_tag_to_data(&ctx);
	*pkt = ctx.pkt;
}

int replay_run(struct replay *r, const struct frame *frame, uint32_t slot)
{
	size_t need = REPLAY_HEADROOM + (size_t)frame->len + REPLAY_TAILROOM;
	struct weir_exec *exec = &r->o->exec[slot];
	struct weir_pkt pkt;

	if (need > r->buf_bytes) {
		uint8_t *buf = realloc(r->buf, need);

		if (!buf)
			return -ENOMEM;
		r->buf = buf;
		r->buf_bytes = need;
	}
	memset(r->buf, 0, REPLAY_HEADROOM);
	memcpy(r->buf + REPLAY_HEADROOM, frame->bytes, frame->len);
	memset(r->buf + REPLAY_HEADROOM + frame->len, 0, REPLAY_TAILROOM);
	weir_pkt_init_flat(&pkt, r->buf, (uint32_t)need, REPLAY_HEADROOM, frame->len);
	exec->fixed_ns = frame->rel_ns;
	exec->abort_cause = WEIR_ABORT_NONE;
	exec->redirect = (struct weir_redirect){0};
	exec->rcu->ops->online(exec->rcu, slot);
	if (r->type == BPF_PROG_TYPE_XDP)
		run_xdp(r, exec, &pkt);
	else
		run_skb(r, exec, &pkt, frame);
	exec->rcu->ops->quiescent(exec->rcu, slot);
	r->abort_cause = exec->abort_cause;
	r->redirect = exec->redirect;
	r->out = pkt.data;
	r->out_len = (uint32_t)(pkt.data_end - pkt.data);
	return 0;
}

const char *verdict_name(uint32_t type, uint32_t verdict, uint32_t abort_cause)
{
	static const char *const xdp[] = {"aborted", "drop", "pass", "tx", "redirect"};
	static const char *const tc[] = {"ok",     "reclassify", "shot",     "pipe", "stolen",
					 "queued", "repeat",     "redirect", "trap"};

	if (abort_cause)
		return "aborted";
	if (type == BPF_PROG_TYPE_XDP)
		return verdict < WEIR_ARRAY_LEN(xdp) ? xdp[verdict] : "aborted";
	if (type == BPF_PROG_TYPE_SOCKET_FILTER)
		return verdict ? "keep" : "drop";
	return verdict < WEIR_ARRAY_LEN(tc) ? tc[verdict] : "unspec";
}

bool verdict_keeps(uint32_t type, uint32_t verdict, uint32_t abort_cause)
{
	if (abort_cause)
		return false;
	if (type == BPF_PROG_TYPE_XDP)
		return verdict >= XDP_PASS && verdict <= XDP_REDIRECT;
	if (type == BPF_PROG_TYPE_SOCKET_FILTER)
		return verdict != 0;
	return verdict != 2 && verdict != 4 && verdict != 8; /* shot, stolen, trap */
}
