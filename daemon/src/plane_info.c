/* SPDX-License-Identifier: BSD-3-Clause */
/* What the control plane asks the data plane about. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_version.h>

#include "plane_int.h"
#include "weir/base/bits.h"

uint32_t weir_plane_port_count(struct weir_plane *plane)
{
	return plane->port_count;
}

int weir_plane_port_info(struct weir_plane *plane, uint32_t index, struct weir_plane_port_info *out)
{
	const struct weir_port *port;

	if (index >= plane->port_count)
		return -ENODEV;
	port = &plane->ports[index];
	*out = (struct weir_plane_port_info){
		.index = index,
		.ifindex = port->ifindex,
		.rx_queues = port->rx_queues,
		.tx_queues = port->tx_queues,
		.mtu = port->mtu,
		.required = port->required,
	};
	snprintf(out->name, sizeof(out->name), "%s", port->name);
	snprintf(out->device, sizeof(out->device), "%.127s", port->dev.text);
	snprintf(out->state, sizeof(out->state), "%s", port->state);
	snprintf(out->mac, sizeof(out->mac), "%02x:%02x:%02x:%02x:%02x:%02x", port->mac[0],
		 port->mac[1], port->mac[2], port->mac[3], port->mac[4], port->mac[5]);
	return 0;
}

int weir_plane_port_find(struct weir_plane *plane, const char *name, uint32_t *index)
{
	for (uint32_t i = 0; i < plane->port_count; i++)
		if (!strcmp(plane->ports[i].name, name)) {
			*index = i;
			return 0;
		}
	return -ENODEV;
}

int weir_plane_port_by_ifindex(struct weir_plane *plane, uint32_t ifindex, uint32_t *index)
{
	int32_t found = weir_plane_ifindex_find(plane, ifindex);

	if (found < 0)
		return -ENODEV;
	*index = (uint32_t)found;
	return 0;
}

int weir_plane_ledger(struct weir_plane *plane, uint32_t index, struct weir_ledger *out)
{
	struct rte_eth_stats stats;

	if (index >= plane->port_count)
		return -ENODEV;
	weir_ledger_sum(&plane->rows[index], plane->row_count, plane->port_count, out);
	if (plane->ports[index].started &&
	    !rte_eth_stats_get(plane->ports[index].port_id, &stats)) {
		out->nic_missed = stats.imissed;
		out->nic_no_mbuf = stats.rx_nombuf;
		out->nic_error = stats.ierrors;
	}
	return 0;
}

void weir_plane_mbufs(struct weir_plane *plane, struct weir_plane_mbufs *out)
{
	*out = (struct weir_plane_mbufs){0};
	if (!plane->pool)
		return;
	out->total = plane->pool->size;
	out->free_count = rte_mempool_avail_count(plane->pool);
	out->in_use = out->total - out->free_count;
}

uint32_t weir_plane_worker_count(struct weir_plane *plane)
{
	return plane->worker_count;
}

int weir_plane_worker_info(struct weir_plane *plane, uint32_t index,
			   struct weir_plane_worker_info *out)
{
	const struct weir_worker *w;

	if (index >= plane->worker_count)
		return -ENODEV;
	w = &plane->workers[index];
	*out = (struct weir_plane_worker_info){
		.index = index,
		.slot = w->slot,
		.cpu = (uint32_t)w->cpu,
		.loops = __atomic_load_n(&w->loops, __ATOMIC_RELAXED),
		.packets = __atomic_load_n(&w->packets, __ATOMIC_RELAXED),
		.bursts = __atomic_load_n(&w->bursts, __ATOMIC_RELAXED),
		.idle_sleeps = __atomic_load_n(&w->idle_sleeps, __ATOMIC_RELAXED),
	};
	return 0;
}

int weir_plane_attach(struct weir_plane *plane, const struct weir_attach_spec *spec,
		      uint32_t expected_id, struct weir_plane_prog *prog, struct weir_diag *diag)
{
	if (!plane->attach)
		return weir_fail(diag, -ENODEV, "the data plane has stopped");
	return weir_attach_change(plane->attach, spec, expected_id, prog, diag);
}

uint32_t weir_plane_attachments(struct weir_plane *plane, struct weir_attach_info *out,
				uint32_t max)
{
	return plane->attach ? weir_attach_list(plane->attach, out, max) : 0;
}

void weir_plane_status(struct weir_plane *plane, struct weir_plane_status *out)
{
	*out = (struct weir_plane_status){
		.eal_running = plane->eal_running,
		.hugepages = plane->hugepages,
		.degraded = plane->ports_missing,
	};
	snprintf(out->reasons, sizeof(out->reasons), "%s", plane->degraded);
	if (plane->eal_running)
		snprintf(out->dpdk_version, sizeof(out->dpdk_version), "%s", rte_version());
}
