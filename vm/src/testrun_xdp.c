/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * XDP's TEST_RUN. The first segment is what the context's data_end says, at most what a page leaves
 * beside head and tail room; what is behind it lies in up to 17 page-sized fragments. They are
 * consecutive in memory here: all but the last are always full.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "testrun.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/vm/pkt.h"

struct frags {
	uint8_t bytes[TEST_XDP_FRAGS_MAX * TEST_PAGE_BYTES];
};

static void split(const struct weir_pkt *pkt, uint32_t off, uint32_t len, uint32_t *head)
{
	uint32_t first = (uint32_t)(pkt->data_end - pkt->data);

	*head = off >= first ? 0 : weir_min(len, first - off);
}

static int frags_load(const struct weir_pkt *pkt, uint32_t off, void *to, uint32_t len)
{
	const struct frags *frags = pkt->backend;
	uint32_t first = (uint32_t)(pkt->data_end - pkt->data), head;

	split(pkt, off, len, &head);
	memcpy(to, pkt->data + off, head);
	memcpy((uint8_t *)to + head, frags->bytes + (off + head - first), len - head);
	return 0;
}

static int frags_store(struct weir_pkt *pkt, uint32_t off, const void *from, uint32_t len)
{
	struct frags *frags = pkt->backend;
	uint32_t first = (uint32_t)(pkt->data_end - pkt->data), head;

	split(pkt, off, len, &head);
	memmove(pkt->data + off, from, head);
	memcpy(frags->bytes + (off + head - first), (const uint8_t *)from + head, len - head);
	return 0;
}

/* Grows within the last fragment's page; shrinks from the end, into the first segment at last. */
static int frags_adjust_tail(struct weir_pkt *pkt, int32_t delta)
{
	struct frags *frags = pkt->backend;
	uint32_t less = 0, from_rest;

	if (delta >= 0) {
		uint32_t room =
			(TEST_PAGE_BYTES - pkt->rest_len % TEST_PAGE_BYTES) % TEST_PAGE_BYTES;

		if ((uint32_t)delta > room)
			return -EINVAL;
		memset(frags->bytes + pkt->rest_len, 0, (uint32_t)delta);
		pkt->rest_len += (uint32_t)delta;
		return 0;
	}
	less = 0U - (uint32_t)delta;
	if ((int64_t)less > (int64_t)weir_pkt_len(pkt) - WEIR_PKT_MIN_BYTES)
		return -EINVAL;
	from_rest = weir_min(less, pkt->rest_len);
	pkt->rest_len -= from_rest;
	pkt->data_end -= less - from_rest;
	return 0;
}

static const struct weir_pkt_ops frags_ops = {
	.load = frags_load,
	.store = frags_store,
	.adjust_tail = frags_adjust_tail,
};

static int md_check(const struct weir_test_run_in *in, const struct xdp_md *md,
		    struct weir_diag *diag)
{
	uint32_t queues;

	if (md->data_meta)
		return weir_fail(diag, -EINVAL, "test run: data_meta is %u, must be 0",
				 md->data_meta);
	if (md->data_end > in->data_bytes || md->data > md->data_end)
		return weir_fail(diag, -EINVAL,
				 "test run: data %u and data_end %u of a packet of %u bytes",
				 md->data, md->data_end, in->data_bytes);
	if (md->data % 4 || md->data > WEIR_PKT_META_MAX ||
	    md->data > TEST_XDP_HEADROOM - TEST_XDP_FRAME)
		return weir_fail(diag, -EINVAL, "test run: %u bytes of metadata", md->data);
	if (in->data_bytes - md->data < TEST_ETH_BYTES)
		return weir_fail(diag, -EINVAL,
				 "test run: %u bytes behind the metadata, at least %u",
				 in->data_bytes - md->data, TEST_ETH_BYTES);
	if (md->egress_ifindex)
		return weir_fail(diag, -EINVAL, "test run: egress_ifindex cannot be set");
	if (!md->ingress_ifindex)
		return md->rx_queue_index ? weir_fail(diag, -EINVAL,
						      "test run: rx_queue_index without "
						      "ingress_ifindex")
					  : 0;
	queues = test_rx_queues(in, md->ingress_ifindex);
	if (!queues)
		return weir_fail(diag, -ENODEV, "test run: no interface of index %u",
				 md->ingress_ifindex);
	if (md->rx_queue_index >= queues)
		return weir_fail(diag, -EINVAL, "test run: rx_queue_index %u of %u queues",
				 md->rx_queue_index, queues);
	return 0;
}

/* Lays the packet out in buf (a page) and frags. */
static int layout(const struct weir_test_run_in *in, const struct xdp_md *md, bool has_ctx,
		  uint8_t *buf, struct frags *frags, struct weir_xdp_ctx *xdp,
		  struct weir_diag *diag)
{
	uint32_t meta = md->data, headroom = TEST_XDP_HEADROOM - meta;
	uint32_t most = TEST_PAGE_BYTES - headroom - TEST_TAILROOM;
	uint32_t linear = weir_min(has_ctx ? md->data_end : in->data_bytes, most);
	uint32_t rest = in->data_bytes - linear;

	if (rest > sizeof(frags->bytes))
		return weir_fail(diag, -ENOMEM,
				 "test run: %u bytes behind the first segment, at most %zu", rest,
				 sizeof(frags->bytes));
	memcpy(buf + headroom, in->data, linear);
	memcpy(frags->bytes, (const uint8_t *)in->data + linear, rest);
	xdp->pkt = (struct weir_pkt){
		.hard_start = buf + TEST_XDP_FRAME,
		.data_meta = buf + headroom,
		.data = buf + headroom + meta,
		.data_end = buf + headroom + linear,
		.hard_end = buf + TEST_PAGE_BYTES - TEST_TAILROOM,
		.rest_len = rest,
		.has_frags = rest > 0,
		.ops = &frags_ops,
		.backend = frags,
	};
	xdp->ingress_ifindex = md->ingress_ifindex ? md->ingress_ifindex : WEIR_TEST_RUN_IFINDEX;
	xdp->rx_queue_index = md->rx_queue_index;
	return 0;
}

int test_run_xdp(const struct weir_code *code, struct weir_exec *exec,
		 const struct weir_test_run_in *in, struct weir_test_run_out *out,
		 struct weir_diag *diag)
{
	weir_autofree uint8_t *buf = calloc(1, TEST_PAGE_BYTES + sizeof(struct frags));
	struct frags *frags = (struct frags *)(buf + TEST_PAGE_BYTES);
	struct weir_xdp_ctx xdp = {0};
	struct test_result result;
	struct xdp_md md;
	bool has_ctx;
	int err;

	if (!buf)
		return -ENOMEM;
	if (in->attach_type == BPF_XDP_DEVMAP || in->attach_type == BPF_XDP_CPUMAP)
		return weir_fail(diag, -EINVAL,
				 "test run: programs for devmap and cpumap entries "
				 "cannot be run");
	err = test_ctx_in(in, &md, sizeof(md), &has_ctx, diag);
	if (!err)
		err = md_check(in, &md, diag);
	if (!err)
		err = layout(in, &md, has_ctx, buf, frags, &xdp, diag);
	if (!err)
		err = test_repeat(code, exec, &xdp, in, out);
	if (err)
		return err;
	md.data = (uint32_t)(xdp.pkt.data - xdp.pkt.data_meta);
	md.data_end = (uint32_t)(xdp.pkt.data_end - xdp.pkt.data_meta);
	result = (struct test_result){
		.head = xdp.pkt.data_meta,
		.head_bytes = md.data_end,
		.rest = frags->bytes,
		.rest_bytes = xdp.pkt.rest_len,
		.ctx = has_ctx ? &md : NULL,
		.ctx_bytes = sizeof(md),
	};
	/* The fragments alone do not fit: Linux gives up without a word about the packet. */
	if (in->want_data_out && in->data_out_max && in->data_out_max < xdp.pkt.rest_len)
		return -ENOSPC;
	return test_finish(in, &result, out);
}
