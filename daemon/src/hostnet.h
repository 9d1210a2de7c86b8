/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the host's network looks like, as far as taking a device from it needs: default routes,
 * interfaces behind PCI devices, MTUs. Control threads. No DPDK here.
 */
#ifndef WEIR_DAEMON_HOSTNET_H
#define WEIR_DAEMON_HOSTNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Does a default route (IPv4 or IPv6) leave through `interface`? `proc_net` is "/proc/net" but in
 * tests. A file that cannot be read holds no route.
 */
bool weir_route_is_default(const char *proc_net, const char *interface);

/* The kernel interface of a PCI device ("0000:03:00.0"): 0, or -ENOENT. `sysfs` is "/sys". */
int weir_pci_interface(const char *sysfs, const char *address, char *out, size_t out_bytes);

/* 0, -ENODEV (no such interface in this network namespace), or another -errno. */
int weir_interface_mtu(const char *interface, uint32_t *mtu_bytes);

#endif
