/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TEST_RUN of programs on a __sk_buff: always linear; tc programs see the packet from L2, socket
 * filters from L3, as if it had just come in on the interface.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>

#include "testrun.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/vm/pkt.h"

#define IPV4_BYTES    20
#define IPV6_BYTES    40
#define WIRE_LEN_MAX  65536
#define GSO_SEGS_MAX  65535
#define SKB_BYTES_MAX (TEST_PAGE_BYTES - TEST_SKB_HEADROOM - TEST_TAILROOM)

static bool all_zero(const struct __sk_buff *md, size_t from, size_t to)
{
	const uint8_t *bytes = (const uint8_t *)md;

	for (size_t i = from; i < to; i++)
		if (bytes[i])
			return false;
	return true;
}

#define OFF(f) offsetof(struct __sk_buff, f)
#define END(f) (offsetof(struct __sk_buff, f) + sizeof(((struct __sk_buff *)0)->f))

/* Only mark, priority, the interfaces, cb, time stamps, wire_len and GSO may be given. */
static bool only_settable(const struct __sk_buff *md)
{
	return all_zero(md, 0, OFF(mark)) && all_zero(md, END(mark), OFF(priority)) &&
	       all_zero(md, END(ifindex), OFF(cb)) && all_zero(md, END(cb), OFF(tstamp)) &&
	       all_zero(md, END(gso_segs), OFF(gso_size)) &&
	       all_zero(md, END(gso_size), OFF(hwtstamp)) &&
	       all_zero(md, END(hwtstamp), sizeof(*md));
}

/* The protocol as Linux's eth_type_trans tells it: 802.3 frames are known by what follows. */
static uint16_t protocol_of(const uint8_t *frame, uint32_t bytes)
{
	uint16_t proto = weir_load_u16(frame + 12);

	if (ntohs(proto) >= ETH_P_802_3_MIN)
		return proto;
	if (bytes >= TEST_ETH_BYTES + 2 && weir_load_u16(frame + TEST_ETH_BYTES) == 0xffff)
		return htons(ETH_P_802_3);
	return htons(ETH_P_802_2);
}

/* The test port's address and broadcast address are all zeroes, as the loopback interface's. */
static uint32_t pkt_type_of(const uint8_t *frame)
{
	static const uint8_t own[ETH_ALEN];

	if (!memcmp(frame, own, ETH_ALEN))
		return PACKET_HOST;
	return frame[0] & 1 ? PACKET_MULTICAST : PACKET_OTHERHOST;
}

static int frame_check(const struct weir_test_run_in *in, uint16_t protocol, struct weir_diag *diag)
{
	uint32_t need = protocol == htons(ETH_P_IP)     ? IPV4_BYTES
			: protocol == htons(ETH_P_IPV6) ? IPV6_BYTES
							: 0;

	if (in->data_bytes < TEST_ETH_BYTES + need)
		return weir_fail(diag, -EINVAL,
				 "test run: %u bytes behind an Ethernet header of type 0x%04x, at "
				 "least %u",
				 in->data_bytes - TEST_ETH_BYTES, ntohs(protocol), need);
	return 0;
}

static int ctx_to_skb(const struct __sk_buff *md, struct weir_skb_ctx *skb, struct weir_diag *diag)
{
	uint32_t len = weir_pkt_len(&skb->pkt);

	if (!only_settable(md))
		return weir_fail(
			diag, -EINVAL,
			"test run: a field of the context is set that cannot be: only mark, "
			"priority, ingress_ifindex, ifindex, cb, tstamp, wire_len, gso_segs, "
			"gso_size and hwtstamp can");
	if (md->wire_len && (md->wire_len < len || md->wire_len > WIRE_LEN_MAX))
		return weir_fail(diag, -EINVAL, "test run: wire_len %u, expected %u to %u",
				 md->wire_len, len, WIRE_LEN_MAX);
	if (md->gso_segs > GSO_SEGS_MAX)
		return weir_fail(diag, -EINVAL, "test run: gso_segs %u, at most %u", md->gso_segs,
				 GSO_SEGS_MAX);
	skb->mark = md->mark;
	skb->priority = md->priority;
	skb->ingress_ifindex = md->ingress_ifindex;
	memcpy(skb->cb, md->cb, sizeof(skb->cb));
	skb->tstamp = md->tstamp;
	skb->wire_len = md->wire_len ? md->wire_len : len;
	skb->gso_segs = md->gso_segs;
	skb->gso_size = md->gso_size;
	skb->hwtstamp = md->hwtstamp;
	return 0;
}

static void skb_to_ctx(const struct weir_skb_ctx *skb, struct __sk_buff *md)
{
	md->mark = skb->mark;
	md->priority = skb->priority;
	md->ingress_ifindex = skb->ingress_ifindex;
	md->ifindex = skb->ifindex;
	md->tstamp = skb->tstamp;
	memcpy(md->cb, skb->cb, sizeof(md->cb));
	md->wire_len = skb->wire_len;
	md->gso_segs = skb->gso_segs;
	md->hwtstamp = skb->hwtstamp;
}

/* The packet in buf (a page), as the type of program sees it. */
static int skb_init(const struct weir_test_run_in *in, const struct __sk_buff *md, bool has_ctx,
		    uint8_t *buf, struct weir_skb_ctx *skb, struct weir_diag *diag)
{
	bool is_l2 = in->prog_type != BPF_PROG_TYPE_SOCKET_FILTER;
	int32_t pulled = is_l2 ? 0 : TEST_ETH_BYTES;
	int err;

	*skb = (struct weir_skb_ctx){
		.mac_off = -pulled,
		.net_off = TEST_ETH_BYTES - pulled,
		.protocol = protocol_of(in->data, in->data_bytes),
		.pkt_type = pkt_type_of(in->data),
		.ifindex = md->ifindex > 1 ? md->ifindex : WEIR_TEST_RUN_IFINDEX,
	};
	if (md->ifindex > 1 && !test_rx_queues(in, md->ifindex))
		return weir_fail(diag, -ENODEV, "test run: no interface of index %u", md->ifindex);
	err = frame_check(in, (uint16_t)skb->protocol, diag);
	if (err)
		return err;
	memcpy(buf + TEST_SKB_HEADROOM, in->data, in->data_bytes);
	weir_pkt_init_flat(&skb->pkt, buf, TEST_PAGE_BYTES - TEST_TAILROOM,
			   TEST_SKB_HEADROOM + (uint32_t)pulled, in->data_bytes - (uint32_t)pulled);
	return has_ctx ? ctx_to_skb(md, skb, diag) : 0;
}

int test_run_skb(const struct weir_code *code, struct weir_exec *exec,
		 const struct weir_test_run_in *in, struct weir_test_run_out *out,
		 struct weir_diag *diag)
{
	weir_autofree uint8_t *buf = calloc(1, TEST_PAGE_BYTES);
	struct test_result result;
	struct weir_skb_ctx skb;
	struct __sk_buff md;
	bool has_ctx;
	int err;

	if (!buf)
		return -ENOMEM;
	if (in->cpu)
		return weir_fail(diag, -EINVAL, "test run: a CPU cannot be chosen");
	if (in->data_bytes > SKB_BYTES_MAX)
		return weir_fail(diag, -EINVAL, "test run: packet of %u bytes, at most %u",
				 in->data_bytes, SKB_BYTES_MAX);
	err = test_ctx_in(in, &md, sizeof(md), &has_ctx, diag);
	if (!err)
		err = skb_init(in, &md, has_ctx, buf, &skb, diag);
	if (!err)
		err = test_repeat(code, exec, &skb, in, out);
	if (err)
		return err;
	/* The L2 header that socket filters do not see comes out as zeroes. */
	if (skb.mac_off) {
		skb.pkt.data += skb.mac_off;
		memset(skb.pkt.data, 0, TEST_ETH_BYTES);
	}
	skb_to_ctx(&skb, &md);
	result = (struct test_result){
		.head = skb.pkt.data,
		.head_bytes = weir_pkt_len(&skb.pkt),
		.ctx = has_ctx ? &md : NULL,
		.ctx_bytes = sizeof(md),
	};
	return test_finish(in, &result, out);
}
