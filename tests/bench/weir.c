/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weir, interpreted and compiled: object, verifier, rewrite, JIT as weirctl's offline half does it.
 * Each run sets what all contenders set, the packet's bounds; what weird sets besides for each
 * packet shows in the data path's rows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "offline.h"
#include "weir/vm/interp.h"
#include "weir/vm/pkt.h"

struct weir {
	struct offline *offline;
	struct weir_code *interp;     /* owned; NULL: compiled */
	const struct weir_code *code; /* what runs */
	uint64_t (*pass)(struct weir *w, const struct packets *packets);
};

/*
 * Each engine has a call site of its own: a branch that has had two targets is predicted later than
 * one that always goes to the same place, and in weird a port's program is called from one place.
 * The empty statements differ, lest the compiler folds the functions into one.
 */
static inline __attribute__((always_inline)) uint64_t loop_xdp(struct weir *w,
							       const struct packets *packets)
{
	const struct weir_code code = *w->code;
	struct weir_exec *exec = &w->offline->exec[0];
	struct weir_xdp_ctx ctx = {.ingress_ifindex = 1};
	uint64_t sum = 0;

	for (uint32_t i = 0; i < packets->count; i++) {
		ctx.pkt.data = packets->at[i].data;
		ctx.pkt.data_end = packets->at[i].data_end;
		sum += (uint64_t)(uint32_t)weir_code_run(&code, &ctx, exec) * (i + 1);
	}
	return sum;
}

static inline __attribute__((always_inline)) uint64_t loop_skb(struct weir *w,
							       const struct packets *packets)
{
	const struct weir_code code = *w->code;
	struct weir_exec *exec = &w->offline->exec[0];
	struct weir_skb_ctx ctx = {.net_off = 14, .ingress_ifindex = 1, .ifindex = 1};
	uint64_t sum = 0;

	for (uint32_t i = 0; i < packets->count; i++) {
		ctx.pkt.data = packets->at[i].data;
		ctx.pkt.data_end = packets->at[i].data_end;
		sum += (uint64_t)(uint32_t)weir_code_run(&code, &ctx, exec) * (i + 1);
	}
	return sum;
}

static uint64_t interp_xdp(struct weir *w, const struct packets *packets)
{
	__asm__ volatile("# interp_xdp");
	return loop_xdp(w, packets);
}

static uint64_t interp_skb(struct weir *w, const struct packets *packets)
{
	__asm__ volatile("# interp_skb");
	return loop_skb(w, packets);
}

static uint64_t jit_xdp(struct weir *w, const struct packets *packets)
{
	__asm__ volatile("# jit_xdp");
	return loop_xdp(w, packets);
}

static uint64_t jit_skb(struct weir *w, const struct packets *packets)
{
	__asm__ volatile("# jit_skb");
	return loop_skb(w, packets);
}

static int fill_flows(struct offline *o)
{
	uint8_t key[FLOW_KEY_BYTES];
	const uint64_t zero = 0;
	uint32_t m = 0;

	while (o->plan->maps[m].is_global_data)
		m++;
	for (uint32_t i = 0; i < FLOW_COUNT; i++) {
		int err;

		flow_key(i, key);
		err = o->maps[m]->ops->ctl_update(o->maps[m], key, &zero, BPF_ANY, -1);
		if (err)
			return err;
	}
	return 0;
}

static void weir_close(void *self)
{
	struct weir *w = self;

	weir_code_free(&w->interp);
	offline_free(&w->offline);
	free(w);
}

static int open_engine(const struct made_from *from, bool interp, struct weir_diag *diag,
		       void **out)
{
	const struct offline_opts opts = {.slots = 2};
	struct weir *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	err = offline_open(from->object_path, &opts, diag, &w->offline);
	if (!err)
		err = offline_load(w->offline, 0, diag);
	if (!err && from->work->fill_flows)
		err = fill_flows(w->offline);
	if (!err && interp)
		err = weir_interp_bind(w->offline->progs[0].low, &w->interp);
	if (err) {
		weir_close(w);
		return err;
	}
	w->code = interp ? w->interp : w->offline->progs[0].code;
	if (from->plan->progs[0].raw.type == BPF_PROG_TYPE_XDP)
		w->pass = interp ? interp_xdp : jit_xdp;
	else
		w->pass = interp ? interp_skb : jit_skb;
	*out = w;
	return 0;
}

static int interp_open(const struct made_from *from, struct weir_diag *diag, void **out)
{
	return open_engine(from, true, diag, out);
}

static int jit_open(const struct made_from *from, struct weir_diag *diag, void **out)
{
	return open_engine(from, false, diag, out);
}

static uint64_t weir_pass(void *self, const struct packets *packets)
{
	struct weir *w = self;
	uint64_t sum;

	w->offline->rcu->ops->online(w->offline->rcu, 0);
	sum = w->pass(w, packets);
	w->offline->rcu->ops->offline(w->offline->rcu, 0);
	return sum;
}

static const void *weir_image(void *self, size_t *size_bytes)
{
	const struct weir_code *code = ((struct weir *)self)->code;

	*size_bytes = code->image_bytes;
	return code->image;
}

const struct contender contender_weir_interp = {
	.name = "weir interp",
	.open = interp_open,
	.pass = weir_pass,
	.close = weir_close,
};

const struct contender contender_weir_jit = {
	.name = "weir jit",
	.open = jit_open,
	.pass = weir_pass,
	.image = weir_image,
	.close = weir_close,
};
