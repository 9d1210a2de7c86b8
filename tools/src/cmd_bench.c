/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weirctl bench: ns per packet of a program over many distinct packet buffers, so that neither
 * caches nor branch predictors know the next packet. A round runs every buffer once; buffers are
 * restored between rounds, outside the measurement.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "replay.h"
#include "weir/base/bits.h"
#include "weir/vm/skb_frame.h"

#define MIN_BUFFERS 16384U
#define MAX_BYTES   (1U << 30) /* of buffers, twice */
#define HEADROOM    128U       /* what a NIC's buffers have */
#define TAILROOM    64U

const struct cli_option bench_options[] = {
	{"program", 'p', "NAME", "the program to run, where the object has several"},
	{"section", 0, "SEC", "the program's section"},
	{"read", 'r', "IN.pcap", "the capture that packets are taken from, over and over"},
	{"loops", 'n', "N", "rounds over all buffers (default 50)"},
	{"engine", 0, "ENGINE", "interp or jit (default)"},
	{0},
};

struct buffers {
	uint8_t *pristine, *work;
	uint32_t stride; /* of a buffer; not a multiple of 4 KiB, which would alias in the cache */
	uint32_t count;
	uint32_t *len;
};

static void buffers_free(struct buffers *b)
{
	free(b->pristine);
	free(b->work);
	free(b->len);
}

/* Reads the capture once for the sizes, then again round and round until the buffers are full. */
static int buffers_fill(struct buffers *b, const char *path, struct weir_diag *diag)
{
	struct capture in;
	struct frame frame;
	uint32_t packets = 0, longest = 0;
	int more = capture_open(path, diag, &in);

	if (more)
		return more;
	while ((more = capture_next(&in, diag, &frame)) == 1) {
		packets++;
		longest = weir_max(longest, frame.len);
	}
	capture_close(&in);
	if (more < 0)
		return more;
	if (!packets)
		return weir_fail(diag, -EINVAL, "%s: no packet in it", path);
	b->count = weir_max(packets, MIN_BUFFERS);
	b->stride = (uint32_t)weir_align_up(HEADROOM + longest + TAILROOM, WEIR_CACHE_LINE);
	b->stride += b->stride % 4096 ? 0 : WEIR_CACHE_LINE;
	if ((uint64_t)b->count * b->stride > MAX_BYTES)
		return weir_fail(
			diag, -E2BIG,
			"%s: %u buffers for frames of up to %u bytes need %llu MiB, expected at "
			"most %u",
			path, b->count, longest,
			(unsigned long long)((uint64_t)b->count * b->stride >> 20),
			MAX_BYTES >> 20);
	b->pristine = calloc(b->count, b->stride);
	b->work = aligned_alloc(WEIR_CACHE_LINE, (size_t)b->count * b->stride);
	b->len = calloc(b->count, sizeof(*b->len));
	if (!b->pristine || !b->work || !b->len)
		return weir_fail(diag, -ENOMEM, "%u buffers of %u bytes: no memory", b->count,
				 b->stride);
	for (uint32_t i = 0; i < b->count;) {
		if (capture_open(path, diag, &in))
			return -EINVAL;
		while (i < b->count && capture_next(&in, diag, &frame) == 1) {
			memcpy(b->pristine + (size_t)i * b->stride + HEADROOM, frame.bytes,
			       weir_min(frame.len, longest));
			b->len[i++] = weir_min(frame.len, longest);
		}
		capture_close(&in);
	}
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static uint64_t round_xdp(struct replay *r, const struct buffers *b)
{
	struct weir_exec *exec = &r->o->exec[0];
	struct weir_xdp_ctx ctx = {.ingress_ifindex = r->ifindex};
	uint64_t start = now_ns(), sum = 0;

	for (uint32_t i = 0; i < b->count; i++) {
		weir_pkt_init_flat(&ctx.pkt, b->work + (size_t)i * b->stride, b->stride, HEADROOM,
				   b->len[i]);
		sum += weir_code_run(r->code, &ctx, exec);
	}
	r->verdict = (uint32_t)sum; /* keeps the runs from being optimised away */
	return now_ns() - start;
}

static uint64_t round_skb(struct replay *r, const struct buffers *b)
{
	struct weir_exec *exec = &r->o->exec[0];
	struct weir_skb_ctx ctx = {0};
	uint64_t start = now_ns(), sum = 0;

	for (uint32_t i = 0; i < b->count; i++) {
		weir_pkt_init_flat(&ctx.pkt, b->work + (size_t)i * b->stride, b->stride, HEADROOM,
				   b->len[i]);
		weir_skb_ctx_from_frame(&ctx, r->ifindex, 0);
		sum += weir_code_run(r->code, &ctx, exec);
	}
	r->verdict = (uint32_t)sum;
	return now_ns() - start;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int measure(struct cli *cli, struct replay *r, const struct buffers *b, uint32_t loops,
		   const char *name, const char *engine)
{
	uint64_t *ns = calloc(loops, sizeof(*ns));
	double median, min;

	if (!ns)
		return cli_fail("%s", strerror(ENOMEM));
	r->o->exec[0].rcu->ops->online(r->o->rcu, 0);
	for (uint32_t i = 0; i < loops; i++) {
		memcpy(b->work, b->pristine, (size_t)b->count * b->stride);
		ns[i] = r->type == BPF_PROG_TYPE_XDP ? round_xdp(r, b) : round_skb(r, b);
		r->o->rcu->ops->quiescent(r->o->rcu, 0);
	}
	qsort(ns, loops, sizeof(*ns), compare_u64);
	median = (double)ns[loops / 2] / b->count;
	min = (double)ns[0] / b->count;
	free(ns);
	if (cli->json)
		cli_print_json(json_pack("{s:s, s:s, s:f, s:f, s:i, s:i}", "program", name,
					 "engine", engine, "ns_median", median, "ns_min", min,
					 "buffers", (int)b->count, "loops", (int)loops));
	else
		printf("%s %s ns/packet median=%.2f min=%.2f buffers=%u loops=%u\n", name, engine,
		       median, min, b->count, loops);
	return CLI_OK;
}

int cmd_bench(struct cli *cli)
{
	const char *in = cli_option(cli, "read"), *engine = cli_option(cli, "engine");
	struct offline_opts opts = {.log_level = 1};
	WEIR_DIAG_ON_STACK(diag, 1024);
	struct offline *o = NULL;
	struct buffers b = {0};
	struct replay r = {0};
	uint64_t loops;
	uint32_t prog;
	int err;

	if (!in)
		return cli_usage("bench: expected a capture: -r IN.pcap");
	engine = engine ? engine : "jit";
	opts.interp = !strcmp(engine, "interp");
	if (!opts.interp && strcmp(engine, "jit"))
		return cli_usage("--engine %s: expected interp or jit", engine);
	err = cli_number(cli, "loops", 1, 1000000, 50, &loops);
	if (!err)
		err = load_for_replay(cli, &opts, &o, &prog);
	if (!err && (buffers_fill(&b, in, &diag) || replay_init(&r, o, prog)))
		err = cli_fail("%s", diag.buf);
	if (!err)
		err = measure(cli, &r, &b, (uint32_t)loops, o->plan->progs[prog].name, engine);
	buffers_free(&b);
	replay_free(&r);
	offline_free(&o);
	return err;
}
