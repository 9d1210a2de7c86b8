/* SPDX-License-Identifier: BSD-3-Clause */
#include "hostnet.h"

#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "weir/base/cleanup.h"

#define ROUTE_UP     0x1U   /* RTF_UP */
#define ROUTE_REJECT 0x200U /* RTF_REJECT */

/* Iface Destination Gateway Flags RefCnt Use Metric Mask …, numbers in hex. */
static bool default_in_ipv4(const char *proc_net, const char *interface)
{
	weir_autofclose FILE *f = NULL;
	char path[256], line[512], name[64];
	unsigned int dest, flags, mask;

	snprintf(path, sizeof(path), "%s/route", proc_net);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %x %*x %x %*d %*d %*d %x", name, &dest, &flags, &mask) != 4)
			continue;
		if (!strcmp(name, interface) && !dest && !mask && (flags & ROUTE_UP) &&
		    !(flags & ROUTE_REJECT))
			return true;
	}
	return false;
}

/* dest plen source plen gateway metric refcnt use flags device, all hex. */
static bool default_in_ipv6(const char *proc_net, const char *interface)
{
	weir_autofclose FILE *f = NULL;
	char path[256], line[512], name[64], dest[40];
	unsigned int plen, flags;

	snprintf(path, sizeof(path), "%s/ipv6_route", proc_net);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%39s %x %*s %*x %*s %*x %*x %*x %x %63s", dest, &plen, &flags,
			   name) != 4)
			continue;
		if (!strcmp(name, interface) && !plen && strspn(dest, "0") == strlen(dest) &&
		    (flags & ROUTE_UP) && !(flags & ROUTE_REJECT))
			return true;
	}
	return false;
}

bool weir_route_is_default(const char *proc_net, const char *interface)
{
	return default_in_ipv4(proc_net, interface) || default_in_ipv6(proc_net, interface);
}

int weir_pci_interface(const char *sysfs, const char *address, char *out, size_t out_bytes)
{
	char path[512];
	struct dirent *e;
	DIR *dir;
	int rc = -ENOENT;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%.64s/net", sysfs, address);
	dir = opendir(path);
	if (!dir)
		return -ENOENT;
	while (rc && (e = readdir(dir)))
		if (e->d_name[0] != '.' && strlen(e->d_name) < out_bytes) {
			snprintf(out, out_bytes, "%s", e->d_name);
			rc = 0;
		}
	closedir(dir);
	return rc;
}

int weir_interface_mtu(const char *interface, uint32_t *mtu_bytes)
{
	weir_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = {0};

	if (fd < 0)
		return -errno;
	if (strlen(interface) >= sizeof(req.ifr_name))
		return -ENODEV;
	memcpy(req.ifr_name, interface, strlen(interface));
	if (ioctl(fd, SIOCGIFMTU, &req) < 0)
		return -errno;
	*mtu_bytes = (uint32_t)req.ifr_mtu;
	return 0;
}
