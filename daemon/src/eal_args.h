/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What EAL is started with and how devices are named to it, as text. No DPDK here: tested without.
 */
#ifndef WEIR_DAEMON_EAL_ARGS_H
#define WEIR_DAEMON_EAL_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/base/diag.h"
#include "weir/config/config.h"

#define WEIR_EAL_ARGS_MAX 600 /* a device a port, and what the file adds */

struct weir_eal_args {
	char *v[WEIR_EAL_ARGS_MAX + 1]; /* owns; NULL at the end */
	int count;
};

struct weir_eal_host {
	uint64_t memory_bytes; /* to ask for */
	bool hugepages;
	const char *lcores; /* "0@(0,1)": the main thread and the CPUs it may use */
	const char *file_prefix;
};

/* 0, -ENOMEM, -E2BIG. args is cleared by weir_eal_args_clear() in either case. */
int weir_eal_args_build(const struct weir_config *config, const struct weir_eal_host *host,
			struct weir_eal_args *args, struct weir_diag *diag);
void weir_eal_args_clear(struct weir_eal_args *args);

/* Free hugepages of all sizes, in bytes. `sysfs` is "/sys" but in tests. */
uint64_t weir_hugepages_free_bytes(const char *sysfs);
/* MemAvailable of `meminfo` ("/proc/meminfo"); UINT64_MAX if it cannot be read. */
uint64_t weir_memory_available_bytes(const char *meminfo);

struct weir_devargs {
	char name[64];        /* what DPDK calls the port */
	char text[4096];      /* for rte_dev_probe or -a; the name first */
	char interface[64];   /* kernel interface the device uses or takes; "" if none */
	uint32_t frame_bytes; /* af_packet: longest frame that arrives whole; 0: no such limit */
	uint32_t room_bytes;  /* data room that the driver demands beyond the headroom; 0: the MTU's
			       */
};

/* mtu_bytes: the kernel interface's, for kinds that have one. 0, -EINVAL, -E2BIG. */
int weir_devargs_build(const struct weir_config_port *port, uint32_t port_idx, uint32_t mtu_bytes,
		       struct weir_devargs *out, struct weir_diag *diag);

#endif
