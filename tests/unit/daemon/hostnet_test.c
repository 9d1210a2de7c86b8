/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "hostnet.h"
#include "weir_test.h"

static char dir[64];

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/weir-hostnet-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -r '%s'", dir);
	return system(cmd);
}

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

#define HEAD "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"

static void route__default_of_ipv4(void **state)
{
	put("route", HEAD "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
			  "eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
			  "eth2\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n");
	assert_true(weir_route_is_default(dir, "eth0"));
	assert_false(weir_route_is_default(dir, "eth1"));
	assert_false(weir_route_is_default(dir, "eth2"));
	assert_false(weir_route_is_default(dir, "eth"));
}

static void route__default_of_ipv6(void **state)
{
	put("ipv6_route",
	    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
	    "fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth3\n"
	    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
	    "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
	    "fe800000000000000000000000000000 40 00000000000000000000000000000000 00 "
	    "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth4\n");
	assert_true(weir_route_is_default(dir, "eth3"));
	assert_false(weir_route_is_default(dir, "eth4"));
	assert_false(weir_route_is_default(dir, "lo"));
}

static void route__no_files_no_route(void **state)
{
	assert_false(weir_route_is_default(dir, "eth0"));
	put("route", "garbage\n\n\x01\xff");
	assert_false(weir_route_is_default(dir, "eth0"));
}

static void pci__interface(void **state)
{
	char path[256], name[16];

	assert_int_equal(weir_pci_interface(dir, "0000:03:00.0", name, sizeof(name)), -ENOENT);
	snprintf(path, sizeof(path), "mkdir -p '%s/bus/pci/devices/0000:03:00.0/net/enp3s0'", dir);
	assert_int_equal(system(path), 0);
	assert_int_equal(weir_pci_interface(dir, "0000:03:00.0", name, sizeof(name)), 0);
	assert_string_equal(name, "enp3s0");
}

static void interface__mtu(void **state)
{
	uint32_t mtu = 0;

	assert_int_equal(weir_interface_mtu("lo", &mtu), 0);
	assert_true(mtu >= 1500);
	assert_int_equal(weir_interface_mtu("nosuch0", &mtu), -ENODEV);
	assert_int_equal(weir_interface_mtu("a-name-that-is-far-too-long", &mtu), -ENODEV);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(route__default_of_ipv4),   CASE(route__default_of_ipv6),
		CASE(route__no_files_no_route), CASE(pci__interface),
		CASE(interface__mtu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
