/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports as DPDK has them: probe, configure, start, watch, close. Main thread.
 *
 * EAL and the drivers take much for granted and complain in their log only; so every step is
 * checked here, and the driver's last complaint is part of the message.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "plane_int.h"
#include "weir/base/bits.h"
#include "weir/base/log.h"

#define FRAME_OVERHEAD_BYTES (RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN)
#define PCAP_SNAP_BYTES      65535
#define PCAP_JOINED_BYTES    0x3f00 /* the driver cuts segments that are longer together */

/* rc: what DPDK returned; its drivers are free in their choice, so 0 and -1 stand for -ENODEV. */
static int dpdk_fail(struct weir_port *port, struct weir_diag *diag, int rc, const char *what)
{
	const char *why = weir_eal_error();

	rc = rc < -1 ? rc : -ENODEV;
	return weir_fail(diag, rc, "port %s: device %s %s: %s", port->name, port->dev.name, what,
			 why[0] ? why : strerror(-rc));
}

static int probe(struct weir_port *port, struct weir_diag *diag)
{
	int rc;

	weir_eal_error_clear();
	/* PCI devices were probed by EAL's start, from the allow list. */
	if (port->kind != WEIR_CONFIG_PORT_PCI) {
		rc = rte_dev_probe(port->dev.text);
		if (rc)
			return dpdk_fail(port, diag, -ENODEV, "cannot be made");
		port->probed = true;
	}
	rc = rte_eth_dev_get_port_by_name(port->dev.name, &port->port_id);
	if (rc)
		return dpdk_fail(port, diag, -ENODEV,
				 port->kind == WEIR_CONFIG_PORT_PCI
					 ? "is not there, or not bound to vfio-pci"
					 : "made no port");
	return 0;
}

/* Drivers whose TX queue i leads where RX queue i comes from, or that demand equal numbers. */
static bool queues_come_in_pairs(const char *driver)
{
	static const char *const drivers[] = {"net_tap", "net_ring", "net_af_packet"};

	for (size_t i = 0; i < WEIR_ARRAY_LEN(drivers); i++)
		if (!strcmp(driver, drivers[i]))
			return true;
	return false;
}

static int choose_queues(const struct weir_plane *plane, struct weir_port *port,
			 const struct rte_eth_dev_info *info, struct weir_diag *diag)
{
	uint32_t want = port->tx_queues;

	if (port->rx_queues > info->max_rx_queues)
		return weir_fail(diag, -EINVAL, "port %s: %u RX queues wanted, device %s has %u",
				 port->name, port->rx_queues, port->dev.name, info->max_rx_queues);
	if (want > info->max_tx_queues)
		return weir_fail(diag, -EINVAL, "port %s: %u TX queues wanted, device %s has %u",
				 port->name, want, port->dev.name, info->max_tx_queues);
	if (!info->max_tx_queues)
		return weir_fail(diag, -EINVAL,
				 "port %s: %u workers may send to it, device %s has 0 TX queues",
				 port->name, plane->worker_count, port->dev.name);
	if (queues_come_in_pairs(info->driver_name)) {
		if (want && want != port->rx_queues)
			return weir_fail(diag, -EINVAL,
					 "port %s: %u TX queues wanted, driver %s demands as many "
					 "as RX queues (%u)",
					 port->name, want, info->driver_name, port->rx_queues);
		want = port->rx_queues;
	}
	if (!want)
		want = weir_min(plane->worker_count, (uint32_t)info->max_tx_queues);
	port->tx_queues = (uint16_t)want;
	return 0;
}

static void choose_tx_max(struct weir_port *port, const struct rte_eth_dev_info *info)
{
	if (port->kind == WEIR_CONFIG_PORT_PCI || info->if_index)
		port->tx_max_bytes = port->mtu + FRAME_OVERHEAD_BYTES;
	if (!strcmp(info->driver_name, "net_pcap")) {
		port->tx_max_bytes = PCAP_SNAP_BYTES;
		port->tx_segments_max_bytes = PCAP_JOINED_BYTES;
	} else if (port->kind == WEIR_CONFIG_PORT_PCI &&
		   !(info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS)) {
		port->tx_segments_max_bytes = 0;
	}
}

static int configure(struct weir_port *port, const struct weir_config_port *cfg,
		     const struct rte_eth_dev_info *info, struct weir_diag *diag)
{
	struct rte_eth_conf conf = {0};
	int rc;

	if (port->rx_queues > 1 && info->flow_type_rss_offloads &&
	    port->kind != WEIR_CONFIG_PORT_TAP) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			info->flow_type_rss_offloads &
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
	}
	conf.txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (port->kind == WEIR_CONFIG_PORT_PCI && cfg->mtu_bytes)
		conf.rxmode.mtu = cfg->mtu_bytes;
	rc = rte_eth_dev_configure(port->port_id, port->rx_queues, port->tx_queues, &conf);
	if (rc)
		return dpdk_fail(port, diag, rc, "refuses the configuration");
	if (cfg->mtu_bytes && port->kind != WEIR_CONFIG_PORT_PCAP) {
		rc = rte_eth_dev_set_mtu(port->port_id, (uint16_t)cfg->mtu_bytes);
		if (rc && rc != -ENOTSUP)
			return dpdk_fail(port, diag, rc, "refuses the MTU");
	}
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->port_id, &port->rx_descriptors,
					      &port->tx_descriptors);
	return rc ? dpdk_fail(port, diag, rc, "refuses the number of descriptors") : 0;
}

int weir_port_open(struct weir_plane *plane, struct weir_port *port,
		   const struct weir_config_port *cfg, struct weir_diag *diag)
{
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	int rc;

	rc = probe(port, diag);
	if (rc)
		return rc;
	rc = rte_eth_dev_info_get(port->port_id, &info);
	if (rc)
		return dpdk_fail(port, diag, rc, "says nothing about itself");
	rc = choose_queues(plane, port, &info, diag);
	if (rc)
		return rc;
	if (info.if_index)
		port->ifindex = info.if_index;
	choose_tx_max(port, &info);
	rc = configure(port, cfg, &info, diag);
	if (rc)
		return rc;
	if (!rte_eth_macaddr_get(port->port_id, &mac))
		memcpy(port->mac, mac.addr_bytes, sizeof(port->mac));
	return 0;
}

int weir_port_start(struct weir_plane *plane, struct weir_port *port, struct weir_diag *diag)
{
	int rc, socket = rte_eth_dev_socket_id(port->port_id);

	weir_eal_error_clear();
	/* A failed queue set-up ends here: some drivers crash when started after one. */
	for (uint16_t q = 0; q < port->rx_queues; q++) {
		rc = rte_eth_rx_queue_setup(port->port_id, q, port->rx_descriptors,
					    (unsigned int)socket, NULL, plane->pool);
		if (rc)
			return dpdk_fail(port, diag, rc, "refuses an RX queue");
	}
	for (uint16_t q = 0; q < port->tx_queues; q++) {
		rc = rte_eth_tx_queue_setup(port->port_id, q, port->tx_descriptors,
					    (unsigned int)socket, NULL);
		if (rc)
			return dpdk_fail(port, diag, rc, "refuses a TX queue");
	}
	rc = rte_eth_dev_start(port->port_id);
	if (rc)
		return dpdk_fail(port, diag, rc, "does not start");
	port->started = true;
	snprintf(port->state, sizeof(port->state), "up");
	if (port->promiscuous) {
		rc = rte_eth_promiscuous_enable(port->port_id);
		if (rc && rc != -ENOTSUP)
			return dpdk_fail(port, diag, rc, "does not become promiscuous");
	}
	return 0;
}

/* What a software ring still holds belongs to the pool; nobody received it. */
static void empty_rx(struct weir_port *port)
{
	struct rte_mbuf *pkts[WEIR_BURST];
	uint16_t n;

	if (strncmp(port->dev.name, "net_ring", 8))
		return;
	for (uint16_t q = 0; q < port->rx_queues; q++)
		while ((n = rte_eth_rx_burst(port->port_id, q, pkts, WEIR_BURST)))
			rte_pktmbuf_free_bulk(pkts, n);
}

void weir_port_stop(struct weir_port *port)
{
	if (!port->started)
		return;
	empty_rx(port);
	rte_eth_dev_stop(port->port_id);
	port->started = false;
}

void weir_port_close(struct weir_port *port)
{
	struct rte_eth_dev_info info = {0};

	if (!port->present || !rte_eth_dev_is_valid_port(port->port_id))
		return;
	rte_eth_dev_info_get(port->port_id, &info);
	rte_eth_dev_close(port->port_id);
	if (port->probed && info.device)
		rte_dev_remove(info.device);
	port->present = false;
}

static void watch_finite(struct weir_port *port)
{
	struct rte_eth_stats stats;

	if (!strcmp(port->state, "ended") || rte_eth_stats_get(port->port_id, &stats))
		return;
	if (stats.ipackets + stats.ierrors + stats.rx_nombuf < port->records)
		return;
	snprintf(port->state, sizeof(port->state), "ended");
	weir_log_notice("the capture was read to its end port=%s packets=%llu", port->name,
			(unsigned long long)port->records);
}

static void watch_interface(struct weir_plane *plane, struct weir_port *port)
{
	struct rte_eth_link link = {0};
	char name[IF_NAMESIZE];

	if (port->ifindex < WEIR_IFINDEX_BASE && !if_indextoname(port->ifindex, name)) {
		if (!strcmp(port->state, "absent"))
			return;
		snprintf(port->state, sizeof(port->state), "absent");
		weir_log_error("the interface is gone port=%s ifindex=%u", port->name,
			       port->ifindex);
		weir_plane_degrade(plane, "port %s: its interface is gone", port->name);
		plane->ports_missing = true;
		return;
	}
	if (rte_eth_link_get_nowait(port->port_id, &link) || !strcmp(port->state, "absent"))
		return;
	snprintf(port->state, sizeof(port->state), "%s", link.link_status ? "up" : "down");
}

void weir_port_watch(struct weir_plane *plane, struct weir_port *port)
{
	if (!port->started)
		return;
	if (port->finite)
		watch_finite(port);
	else
		watch_interface(plane, port);
}
