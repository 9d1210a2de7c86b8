/* SPDX-License-Identifier: BSD-3-Clause */
#include "eal_args.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/base/bits.h"
#include "weir/base/cleanup.h"

/* af_packet: what TPACKET_V2 puts in front of an Ethernet frame in its slot. */
#define AF_PACKET_FRAME_HEAD_BYTES 66
#define AF_PACKET_BLOCK_BYTES      (1U << 17)
#define AF_PACKET_SLOT_BYTES       2048 /* the driver's default */
#define AF_PACKET_BLOCKS           32
#define FRAME_OVERHEAD_BYTES       (14 + 2 * 4) /* Ethernet and two VLAN tags */

static int arg_add(struct weir_eal_args *args, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int arg_add(struct weir_eal_args *args, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (args->count == WEIR_EAL_ARGS_MAX)
		return -E2BIG;
	va_start(ap, fmt);
	n = vasprintf(&args->v[args->count], fmt, ap);
	va_end(ap);
	if (n < 0) {
		args->v[args->count] = NULL;
		return -ENOMEM;
	}
	args->count++;
	return 0;
}

static int args_memory(const struct weir_eal_host *host, struct weir_eal_args *args)
{
	unsigned long long megabytes = (host->memory_bytes + (1 << 20) - 1) >> 20;
	int rc = 0;

	/* --no-huge and --in-memory exclude each other. */
	if (host->hugepages)
		rc = arg_add(args, "--in-memory");
	else
		rc = arg_add(args, "--no-huge") ?: arg_add(args, "--no-shconf");
	return rc ?: arg_add(args, "-m") ?: arg_add(args, "%llu", megabytes);
}

/* Without an allow list EAL would take every device that is bound to a user-space driver. */
static int args_devices(const struct weir_config *config, struct weir_eal_args *args)
{
	bool pci = false;
	int rc = 0;

	for (size_t i = 0; !rc && i < config->ports.len; i++) {
		const struct weir_config_port *port = &config->ports.v[i];

		if (port->kind != WEIR_CONFIG_PORT_PCI)
			continue;
		pci = true;
		rc = arg_add(args, "-a") ?: arg_add(args, "%s", port->device);
	}
	return rc || pci ? rc : arg_add(args, "--no-pci");
}

int weir_eal_args_build(const struct weir_config *config, const struct weir_eal_host *host,
			struct weir_eal_args *args, struct weir_diag *diag)
{
	int rc;

	memset(args, 0, sizeof(*args));
	rc = arg_add(args, "weird") ?: args_memory(host, args) ?: args_devices(config, args);
	rc = rc ?: arg_add(args, "--no-telemetry");
	rc = rc ?: arg_add(args, "--lcores") ?: arg_add(args, "%s", host->lcores);
	rc = rc ?: arg_add(args, "--file-prefix") ?: arg_add(args, "%s", host->file_prefix);
	for (size_t i = 0; !rc && i < config->eal.extra_args.len; i++)
		rc = arg_add(args, "%s", config->eal.extra_args.v[i]);
	return rc ? weir_fail(diag, rc, "EAL's arguments do not fit") : 0;
}

void weir_eal_args_clear(struct weir_eal_args *args)
{
	for (int i = 0; i < args->count; i++)
		free(args->v[i]);
	memset(args, 0, sizeof(*args));
}

uint64_t weir_hugepages_free_bytes(const char *sysfs)
{
	char path[512];
	uint64_t sum = 0;
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/kernel/mm/hugepages", sysfs);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((e = readdir(dir))) {
		weir_autofclose FILE *f = NULL;
		unsigned long long kilobytes, pages;

		if (sscanf(e->d_name, "hugepages-%llukB", &kilobytes) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/kernel/mm/hugepages/%.64s/free_hugepages", sysfs,
			 e->d_name);
		f = fopen(path, "re");
		if (f && fscanf(f, "%llu", &pages) == 1)
			sum += pages * kilobytes * 1024;
	}
	closedir(dir);
	return sum;
}

uint64_t weir_memory_available_bytes(const char *meminfo)
{
	weir_autofclose FILE *f = fopen(meminfo, "re");
	unsigned long long kilobytes;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1)
			return kilobytes * 1024;
	return UINT64_MAX;
}

static bool text_add(struct weir_devargs *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static bool text_add(struct weir_devargs *out, const char *fmt, ...)
{
	size_t len = strlen(out->text);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out->text + len, sizeof(out->text) - len, fmt, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < sizeof(out->text) - len;
}

static bool devargs_pcap(const struct weir_config_port *port, uint32_t idx,
			 struct weir_devargs *out)
{
	bool ok = true;

	snprintf(out->name, sizeof(out->name), "net_pcap%u", 1000 + idx);
	ok = text_add(out, "%s", out->name);
	for (size_t i = 0; i < port->pcap.rx.len; i++)
		ok = ok && text_add(out, ",rx_pcap=%s", port->pcap.rx.v[i]);
	if (port->pcap.tx)
		ok = ok && text_add(out, ",tx_pcap=%s", port->pcap.tx);
	if (port->pcap.infinite)
		ok = ok && text_add(out, ",infinite_rx=1");
	return ok;
}

/*
 * The driver's default slots hold 1,982 bytes and the kernel cuts what is longer without a word.
 * Slots are made so that a frame of the MTU always leaves a byte free: a full one was cut.
 */
static bool devargs_interface(const struct weir_config_port *port, uint32_t idx, uint32_t mtu,
			      struct weir_devargs *out)
{
	uint32_t slot = (uint32_t)weir_pow2_roundup(mtu + FRAME_OVERHEAD_BYTES + 1 +
						    AF_PACKET_FRAME_HEAD_BYTES);
	uint32_t block;

	slot = weir_max(slot, 2048u);
	block = weir_max(slot, AF_PACKET_BLOCK_BYTES);
	snprintf(out->name, sizeof(out->name), "net_af_packet%u", 1000 + idx);
	snprintf(out->interface, sizeof(out->interface), "%s", port->interface);
	out->frame_bytes = slot - AF_PACKET_FRAME_HEAD_BYTES - 1;
	out->room_bytes = slot;
	return text_add(out, "%s,iface=%s,qpairs=%u,blocksz=%u,framesz=%u,framecnt=%u", out->name,
			port->interface, port->rx_queues, block, slot,
			AF_PACKET_BLOCKS * (block / slot));
}

static bool is_af_packet(const char *device)
{
	return !strncmp(device, "net_af_packet", 13) || !strncmp(device, "eth_af_packet", 13);
}

/* The same driver by its own arguments: what its slots hold is then what it can take whole. */
static void devargs_find_slots(struct weir_devargs *out)
{
	const char *at = strstr(out->text, ",framesz=");
	unsigned long slot = at ? strtoul(at + 9, NULL, 10) : AF_PACKET_SLOT_BYTES;

	if (!is_af_packet(out->text) || slot > UINT16_MAX || slot <= AF_PACKET_FRAME_HEAD_BYTES)
		return;
	out->frame_bytes = (uint32_t)slot - AF_PACKET_FRAME_HEAD_BYTES - 1;
	out->room_bytes = (uint32_t)slot;
}

/* Devices that name a kernel interface: taking that one away matters as much as taking a NIC. */
static void devargs_find_interface(struct weir_devargs *out)
{
	static const char *const keys[] = {
		"iface=", "remote=", "rx_iface=", "tx_iface=", "rx_iface_in="};
	const char *p = out->text;

	while ((p = strchr(p, ','))) {
		p++;
		for (size_t i = 0; i < WEIR_ARRAY_LEN(keys); i++) {
			size_t n = strlen(keys[i]);

			if (!strncmp(p, keys[i], n))
				snprintf(out->interface, sizeof(out->interface), "%.*s",
					 (int)weir_min(strcspn(p + n, ","), (size_t)63), p + n);
		}
	}
}

int weir_devargs_build(const struct weir_config_port *port, uint32_t port_idx, uint32_t mtu_bytes,
		       struct weir_devargs *out, struct weir_diag *diag)
{
	bool ok = true;

	memset(out, 0, sizeof(*out));
	switch (port->kind) {
	case WEIR_CONFIG_PORT_PCI:
	case WEIR_CONFIG_PORT_VDEV:
		ok = text_add(out, "%s", port->device) &&
		     strcspn(port->device, ",") < sizeof(out->name);
		if (ok)
			snprintf(out->name, sizeof(out->name), "%.*s",
				 (int)strcspn(port->device, ","), port->device);
		devargs_find_interface(out);
		devargs_find_slots(out);
		break;
	case WEIR_CONFIG_PORT_PCAP: ok = devargs_pcap(port, port_idx, out); break;
	case WEIR_CONFIG_PORT_TAP:
		snprintf(out->name, sizeof(out->name), "net_tap%u", 1000 + port_idx);
		ok = text_add(out, "%s,iface=%s", out->name, port->tap.interface);
		break;
	case WEIR_CONFIG_PORT_INTERFACE:
		if (strchr(port->interface, ','))
			return weir_fail(diag, -EINVAL, "interface %s: a name without a comma",
					 port->interface);
		ok = devargs_interface(port, port_idx, mtu_bytes, out);
		break;
	default: return weir_fail(diag, -EINVAL, "port %s is of no known kind", port->name);
	}
	return ok ? 0
		  : weir_fail(diag, -E2BIG, "port %s: the device's text is too long", port->name);
}
