/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ethernet frames as tc and socket programs see them. tc programs see L2 with the outer VLAN tag
 * in vlan_*; taps, guards and pcap filters see it in the data. The thread that runs the program.
 */
#ifndef WEIR_VM_SKB_FRAME_H
#define WEIR_VM_SKB_FRAME_H

#include "weir/vm/pkt.h"

#define WEIR_VLAN_TAG_BYTES 4

/* Fills everything but pkt (which the caller has set: data is L2, tags in the data) and hash. */
void weir_skb_ctx_from_frame(struct weir_skb_ctx *ctx, uint32_t ifindex, uint32_t rx_queue);
/* Moves the outer VLAN tag, if there is one, from the data to vlan_*. */
void weir_skb_tag_to_ctx(struct weir_skb_ctx *ctx);
/* Moves it back. What was taken out fits back in; a tag pushed by a program needs head room, and
 * stays in vlan_* without it. */
void weir_skb_tag_to_data(struct weir_skb_ctx *ctx);

#endif
