/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "eal_args.h"
#include "weir_test.h"

static void joined(const struct weir_eal_args *args, char *out, size_t bytes)
{
	out[0] = 0;
	for (int i = 0; i < args->count; i++)
		snprintf(out + strlen(out), bytes - strlen(out), "%s%s", i ? " " : "", args->v[i]);
}

static void build(const char *text, bool hugepages, char *out, size_t bytes)
{
	struct weir_eal_host host = {
		.memory_bytes = 1 + (64 << 20),
		.hugepages = hugepages,
		.lcores = "0@(0,1)",
		.file_prefix = "weird-7",
	};
	WEIR_DIAG_ON_STACK(diag, 1024);
	struct weir_config *config = NULL;
	static struct weir_eal_args args;

	if (weir_config_load_string("t.yaml", text, strlen(text), NULL, &diag, &config))
		fail_msg("%s", diag.buf);
	assert_int_equal(weir_eal_args_build(config, &host, &args, NULL), 0);
	joined(&args, out, bytes);
	assert_null(args.v[args.count]);
	weir_eal_args_clear(&args);
	weir_config_free(&config);
}

static void args__virtual_devices_need_no_pci(void **state)
{
	char line[1024];

	build("version: 1\nports:\n  - {name: a, device: net_null0}\n", false, line, sizeof(line));
	assert_string_equal(line, "weird --no-huge --no-shconf -m 65 --no-pci --no-telemetry "
				  "--lcores 0@(0,1) --file-prefix weird-7");
	build("version: 1\nports:\n  - {name: a, device: net_null0}\n", true, line, sizeof(line));
	assert_non_null(strstr(line, "--in-memory -m 65"));
	assert_null(strstr(line, "--no-huge"));
}

static void args__pci_devices_are_the_only_ones(void **state)
{
	char line[1024];

	build("version: 1\nports:\n  - {name: a, device: 0000:03:00.0}\n"
	      "  - {name: b, device: net_null0}\n",
	      true, line, sizeof(line));
	assert_non_null(strstr(line, " -a 0000:03:00.0 "));
	assert_null(strstr(line, "--no-pci"));
	assert_null(strstr(line, "net_null0"));
}

static void devargs__one(const char *text, uint32_t mtu, struct weir_devargs *out)
{
	WEIR_DIAG_ON_STACK(diag, 1024);
	struct weir_config *config = NULL;

	if (weir_config_load_string("/d/t.yaml", text, strlen(text), NULL, &diag, &config))
		fail_msg("%s", diag.buf);
	assert_int_equal(weir_devargs_build(&config->ports.v[0], 0, mtu, out, NULL), 0);
	weir_config_free(&config);
}

static void devargs__forms(void **state)
{
	struct weir_devargs d;

	devargs__one("version: 1\nports:\n  - {name: a, device: 'net_tap0,iface=x,remote=eth7'}\n",
		     0, &d);
	assert_string_equal(d.name, "net_tap0");
	assert_string_equal(d.interface, "eth7");
	devargs__one("version: 1\nports:\n  - {name: a, device: '0000:03:00.0,foo=1'}\n", 0, &d);
	assert_string_equal(d.name, "0000:03:00.0");
	assert_string_equal(d.text, "0000:03:00.0,foo=1");
	devargs__one("version: 1\nports:\n  - name: a\n    pcap: {rx: in.pcap, tx: /o.pcap}\n", 0,
		     &d);
	assert_string_equal(d.text, "net_pcap1000,rx_pcap=/d/in.pcap,tx_pcap=/o.pcap");
}

/* Written out, the driver's slots are what they are; what they cannot hold is known. */
static void devargs__slots_of_a_device(void **state)
{
	struct weir_devargs d;

	devargs__one("version: 1\nports:\n  - {name: a, device: 'net_af_packet0,iface=e'}\n", 0,
		     &d);
	assert_int_equal(d.frame_bytes, 1981);
	devargs__one("version: 1\nports:\n"
		     "  - {name: a, device: 'net_af_packet0,iface=e,framesz=16384'}\n",
		     0, &d);
	assert_int_equal(d.frame_bytes, 16317);
	assert_int_equal(d.room_bytes, 16384);
	devargs__one("version: 1\nports:\n  - {name: a, device: 'net_null0'}\n", 0, &d);
	assert_int_equal(d.frame_bytes, 0);
}

/* Whatever the MTU: a whole frame with two tags leaves a byte of its slot free. */
static void devargs__slots_hold_the_mtu(void **state)
{
	for (uint32_t mtu = 68; mtu <= 60000; mtu += 7) {
		unsigned int slot, block, count;
		struct weir_devargs d;
		const char *at;

		if (mtu % 700 && mtu > 200)
			continue;
		devargs__one("version: 1\nports:\n  - {name: a, interface: veth0}\n", mtu, &d);
		at = strstr(d.text, ",blocksz=");
		assert_non_null(at);
		assert_int_equal(
			sscanf(at, ",blocksz=%u,framesz=%u,framecnt=%u", &block, &slot, &count), 3);
		assert_true(slot - 66 > mtu + 14 + 8);
		assert_true(d.frame_bytes >= mtu + 14 + 8);
		assert_true(d.frame_bytes < slot - 66);
		assert_int_equal(block % slot, 0);
		assert_int_equal(block % 4096, 0);
		assert_true(d.room_bytes >= slot);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(args__virtual_devices_need_no_pci),
		cmocka_unit_test(args__pci_devices_are_the_only_ones),
		cmocka_unit_test(devargs__forms),
		cmocka_unit_test(devargs__slots_of_a_device),
		cmocka_unit_test(devargs__slots_hold_the_mtu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
