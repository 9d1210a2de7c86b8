/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/skb_frame.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>

#include "weir/base/bits.h"

#define MACS_BYTES (2 * ETH_ALEN)

static uint32_t frame_protocol(const struct weir_skb_ctx *ctx)
{
	if (ctx->pkt.data_end - ctx->pkt.data < ETH_HLEN)
		return 0;
	return weir_load_u16(ctx->pkt.data + MACS_BYTES);
}

void weir_skb_ctx_from_frame(struct weir_skb_ctx *ctx, uint32_t ifindex, uint32_t rx_queue)
{
	struct weir_pkt pkt = ctx->pkt;

	*ctx = (struct weir_skb_ctx){
		.pkt = pkt,
		.net_off = ETH_HLEN,
		.queue_mapping = rx_queue + 1, /* as Linux records the RX queue */
		.ifindex = ifindex,
		.ingress_ifindex = ifindex,
		.wire_len = weir_pkt_len(&pkt),
	};
	ctx->protocol = frame_protocol(ctx);
}

void weir_skb_tag_to_ctx(struct weir_skb_ctx *ctx)
{
	uint8_t *data = ctx->pkt.data;
	uint32_t proto = frame_protocol(ctx);

	if (ctx->vlan_present || (proto != htons(ETH_P_8021Q) && proto != htons(ETH_P_8021AD)) ||
	    ctx->pkt.data_end - data < ETH_HLEN + WEIR_VLAN_TAG_BYTES)
		return;
	ctx->vlan_present = 1;
	ctx->vlan_proto = proto;
	ctx->vlan_tci = ntohs(weir_load_u16(data + MACS_BYTES + 2));
	memmove(data + WEIR_VLAN_TAG_BYTES, data, MACS_BYTES);
	ctx->pkt.data += WEIR_VLAN_TAG_BYTES;
	ctx->pkt.data_meta = ctx->pkt.data;
	ctx->protocol = frame_protocol(ctx);
}

void weir_skb_tag_to_data(struct weir_skb_ctx *ctx)
{
	uint8_t *data;

	if (!ctx->vlan_present || ctx->pkt.data - ctx->pkt.hard_start < WEIR_VLAN_TAG_BYTES)
		return;
	data = ctx->pkt.data -= WEIR_VLAN_TAG_BYTES;
	ctx->pkt.data_meta = data;
	memmove(data, data + WEIR_VLAN_TAG_BYTES, MACS_BYTES);
	weir_store_u16(data + MACS_BYTES, (uint16_t)ctx->vlan_proto);
	weir_store_u16(data + MACS_BYTES + 2, htons((uint16_t)ctx->vlan_tci));
	ctx->vlan_present = 0;
	ctx->protocol = ctx->vlan_proto;
}
