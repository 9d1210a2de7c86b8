/* SPDX-License-Identifier: BSD-3-Clause */
/* A port before EAL runs: what the file asks for, what the host says to it. Main thread. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hostnet.h"
#include "plane_int.h"
#include "weir/base/bits.h"
#include "weir/base/log.h"

#define MTU_DEFAULT_BYTES 1500
#define MTU_PCAP_MAX      9710 /* longer frames come in segments and are joined when needed */
#define FRAME_HEAD_BYTES  14
#define VLAN_TAG_BYTES    4

static int plan_interface(struct weir_port *port, const struct weir_config *config,
			  const struct weir_config_port *cfg, struct weir_diag *diag)
{
	uint32_t mtu;
	int rc;

	rc = weir_interface_mtu(cfg->interface, &mtu);
	if (rc)
		return weir_config_fail(config, &cfg->interface, diag, rc,
					"interface %s: %s, expected one of this network namespace",
					cfg->interface, strerror(-rc));
	if (cfg->mtu_bytes > mtu)
		return weir_config_fail(config, &cfg->mtu_bytes, diag, -EINVAL,
					"%u bytes, but interface %s has %u", cfg->mtu_bytes,
					cfg->interface, mtu);
	port->mtu = mtu;
	/* The receive slots must hold a whole frame, a buffer a whole slot. */
	if (mtu > 60000)
		return weir_config_fail(
			config, &cfg->interface, diag, -EINVAL,
			"interface %s has an MTU of %u bytes, expected at most 60000",
			cfg->interface, mtu);
	return 0;
}

static int plan_pcap(struct weir_port *port, const struct weir_config *config,
		     const struct weir_config_port *cfg, struct weir_diag *diag)
{
	uint32_t longest = 0;

	for (size_t i = 0; i < cfg->pcap.rx.len; i++) {
		WEIR_DIAG_ON_STACK(why, 512);
		struct weir_pcap_scan scan;
		int rc;

		rc = weir_pcap_scan(cfg->pcap.rx.v[i], &why, &scan);
		if (rc)
			return weir_config_fail(config, &cfg->pcap.rx.v[i], diag, rc, "%s",
						why.buf);
		if (cfg->pcap.infinite && !scan.records)
			return weir_config_fail(config, &cfg->pcap.rx.v[i], diag, -EINVAL,
						"%s holds no packet to repeat", cfg->pcap.rx.v[i]);
		port->records += scan.records;
		longest = weir_max(longest, scan.longest_bytes);
	}
	/* A port that only writes has no end to reach. */
	port->finite = cfg->pcap.rx.len && !cfg->pcap.infinite;
	port->mtu = cfg->mtu_bytes ? cfg->mtu_bytes : MTU_DEFAULT_BYTES;
	if (longest > FRAME_HEAD_BYTES)
		port->mtu = weir_max(port->mtu,
				     weir_min(longest - FRAME_HEAD_BYTES, (uint32_t)MTU_PCAP_MAX));
	return 0;
}

/* A driver whose slots are smaller than a frame cuts it without a word: better not at all. */
static int check_slots(const struct weir_port *port, const struct weir_config *config,
		       const struct weir_config_port *cfg, struct weir_diag *diag)
{
	uint32_t mtu = port->mtu, need;

	if (!port->dev.frame_bytes)
		return 0;
	if (cfg->kind == WEIR_CONFIG_PORT_VDEV)
		weir_interface_mtu(port->dev.interface, &mtu);
	need = mtu + FRAME_HEAD_BYTES + VLAN_TAG_BYTES;
	if (port->dev.frame_bytes >= need)
		return 0;
	return weir_config_fail(config, &cfg->device, diag, -EINVAL,
				"port %s: frames of %s have up to %u bytes, its slots hold %u; "
				"expected a larger framesz, or the short form interface:",
				cfg->name, port->dev.interface, need, port->dev.frame_bytes);
}

/* Taking the device that the host is reached through cuts off whoever configures it. */
static int check_default_route(const struct weir_port *port, const struct weir_config *config,
			       const struct weir_config_port *cfg, struct weir_diag *diag)
{
	char interface[64];

	snprintf(interface, sizeof(interface), "%s", port->dev.interface);
	if (cfg->kind == WEIR_CONFIG_PORT_PCI)
		weir_pci_interface("/sys", port->dev.name, interface, sizeof(interface));
	if (!interface[0] || cfg->take_over || !weir_route_is_default("/proc/net", interface))
		return 0;
	return weir_config_fail(config, cfg, diag, -EPERM,
				"port %s: %s carries the default route of this host; expected "
				"another device, or take-over: true",
				cfg->name, interface);
}

/* All but the one virtual device that is known to make plain packets, and NICs, where scatter and
 * VLAN stripping stay off. */
static bool has_odd_packets(const struct weir_config_port *cfg)
{
	if (cfg->kind == WEIR_CONFIG_PORT_VDEV)
		return strncmp(cfg->device, "net_null", 8);
	return cfg->kind != WEIR_CONFIG_PORT_PCI;
}

int weir_port_plan(struct weir_port *port, const struct weir_config *config, uint32_t idx,
		   struct weir_diag *diag)
{
	const struct weir_config_port *cfg = &config->ports.v[idx];
	int rc = 0;

	memset(port, 0, sizeof(*port));
	port->index = idx;
	port->kind = cfg->kind;
	port->required = cfg->required;
	port->promiscuous = cfg->promiscuous;
	port->rx_queues = (uint16_t)cfg->rx_queues;
	port->tx_queues = (uint16_t)cfg->tx_queues;
	port->rx_descriptors = (uint16_t)weir_min(cfg->rx_descriptors, (uint32_t)UINT16_MAX);
	port->tx_descriptors = (uint16_t)weir_min(cfg->tx_descriptors, (uint32_t)UINT16_MAX);
	port->mtu = cfg->mtu_bytes ? cfg->mtu_bytes : MTU_DEFAULT_BYTES;
	port->pass_to = cfg->pass.to ? (int32_t)cfg->pass.port_idx : -1;
	port->odd_packets = has_odd_packets(cfg);
	port->rx_max_bytes = UINT32_MAX;
	port->cold_data = cfg->kind == WEIR_CONFIG_PORT_PCI;
	port->ifindex = WEIR_IFINDEX_BASE + idx;
	port->tx_max_bytes = port->tx_segments_max_bytes = UINT32_MAX;
	port->port_id = UINT16_MAX; /* none yet */
	snprintf(port->name, sizeof(port->name), "%s", cfg->name);
	snprintf(port->state, sizeof(port->state), "absent");
	if (cfg->kind == WEIR_CONFIG_PORT_INTERFACE)
		rc = plan_interface(port, config, cfg, diag);
	else if (cfg->kind == WEIR_CONFIG_PORT_PCAP)
		rc = plan_pcap(port, config, cfg, diag);
	if (rc)
		return rc;
	rc = weir_devargs_build(cfg, idx, port->mtu, &port->dev, diag);
	if (rc)
		return rc;
	if (port->dev.frame_bytes)
		port->rx_max_bytes = port->dev.frame_bytes;
	rc = check_slots(port, config, cfg, diag);
	if (rc)
		return rc;
	port->present = true; /* as far as can be seen before EAL */
	return check_default_route(port, config, cfg, diag);
}
