/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packet buffers: one pool for every port, its data room made for the longest frame of any of them,
 * and a few big buffers for what is longer. Main thread.
 */
#include <errno.h>

#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "plane_int.h"
#include "weir/base/bits.h"
#include "weir/base/log.h"

#define ROOM_MIN_BYTES     2048
#define ROOM_MAX_BYTES     (UINT16_MAX - RTE_PKTMBUF_HEADROOM)
#define BUFS_MIN           8191 /* af_xdp alone keeps 2,048 a queue */
#define PAGE_BYTES         4096
#define BUF_OVERHEAD_BYTES 320           /* struct rte_mbuf, the pool's header, alignment */
#define EAL_BASE_BYTES     (24ULL << 20) /* queues, rings and EAL's own tables */

static uint64_t port_bufs(const struct weir_port *port, uint32_t workers)
{
	uint64_t bufs = (uint64_t)port->rx_queues * port->rx_descriptors +
			(uint64_t)workers * port->tx_descriptors;

	/* An endless capture is kept in buffers; a shared TX queue has rings in front of it. */
	bufs += port->records;
	if (port->kind != WEIR_CONFIG_PORT_PCI && workers > 1)
		bufs += (uint64_t)(workers - 1) * WEIR_TX_RING_SLOTS;
	return bufs;
}

/* A buffer does not cross a page of the memory it is in, and without hugepages those are small. */
static uint64_t buf_bytes(uint64_t room)
{
	uint64_t bytes = room + BUF_OVERHEAD_BYTES;

	if (bytes > PAGE_BYTES / 2)
		return weir_align_up(bytes, PAGE_BYTES);
	return PAGE_BYTES / (PAGE_BYTES / bytes);
}

void weir_pool_need(const struct weir_plane *plane, const struct weir_config *config,
		    struct weir_pool_need *out)
{
	uint64_t bufs = (uint64_t)plane->worker_count * (WEIR_POOL_CACHE * 3 / 2 + 4 * WEIR_BURST);
	uint32_t room = ROOM_MIN_BYTES;

	for (uint32_t i = 0; i < plane->port_count; i++) {
		const struct weir_port *port = &plane->ports[i];
		uint32_t frame = port->mtu + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;

		bufs += port_bufs(port, plane->worker_count);
		room = weir_max(room, frame);
		room = weir_max(room, port->dev.room_bytes);
	}
	bufs = weir_max(bufs, (uint64_t)BUFS_MIN);
	/* A ring holds one less than a power of two: that many fill it. */
	bufs = config->eal.mbufs ? config->eal.mbufs
				 : weir_min(weir_pow2_roundup(bufs + 1) - 1, (uint64_t)UINT32_MAX);
	room = (uint32_t)weir_min(weir_align_up(room, 64), (uint64_t)ROOM_MAX_BYTES);
	out->bufs = (uint32_t)bufs;
	out->room_bytes = room;
	out->bytes = bufs * buf_bytes(room + RTE_PKTMBUF_HEADROOM) +
		     WEIR_BIG_BUFS * buf_bytes(WEIR_BIG_ROOM_BYTES) + EAL_BASE_BYTES;
}

int weir_pool_create(struct weir_plane *plane, const struct weir_pool_need *need,
		     struct weir_diag *diag)
{
	plane->room_bytes = need->room_bytes;
	plane->pool = rte_pktmbuf_pool_create("weir-pkts", need->bufs, WEIR_POOL_CACHE, 0,
					      (uint16_t)(need->room_bytes + RTE_PKTMBUF_HEADROOM),
					      SOCKET_ID_ANY);
	if (!plane->pool)
		return weir_fail(diag, -ENOMEM, "a pool of %u packet buffers of %u bytes: %s",
				 need->bufs, need->room_bytes, rte_strerror(rte_errno));
	plane->big_pool = rte_pktmbuf_pool_create("weir-big", WEIR_BIG_BUFS, 0, 0,
						  WEIR_BIG_ROOM_BYTES, SOCKET_ID_ANY);
	if (!plane->big_pool)
		return weir_fail(diag, -ENOMEM, "a pool of %d packet buffers of %d bytes: %s",
				 WEIR_BIG_BUFS, WEIR_BIG_ROOM_BYTES, rte_strerror(rte_errno));
	return 0;
}

uint32_t weir_pool_free(struct weir_plane *plane)
{
	uint32_t leaked = 0;

	if (plane->pool)
		leaked += rte_mempool_in_use_count(plane->pool);
	if (plane->big_pool)
		leaked += rte_mempool_in_use_count(plane->big_pool);
	if (leaked)
		weir_log_error("%u packet buffers are not back after all ports were closed",
			       leaked);
	rte_mempool_free(plane->big_pool);
	rte_mempool_free(plane->pool);
	plane->pool = plane->big_pool = NULL;
	return leaked;
}
