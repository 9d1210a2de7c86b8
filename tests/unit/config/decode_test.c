/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_test.h"

#define PORT "ports:\n- name: a\n  device: net_null0\n"
#define PROG PORT "programs:\n- name: p\n  object: p.o\n"

static void decode__defaults(void **state)
{
	struct weir_config *c = take(PROG "  attach: [{port: a}]\n");
	const struct weir_config_port *port = &c->ports.v[0];

	assert_int_equal(c->version, 1);
	assert_int_equal(c->log.level, WEIR_LOG_INFO);
	assert_null(c->control.socket);
	assert_null(c->control.group);
	assert_int_equal(c->control.mode, 0660);
	assert_int_equal(c->eal.memory_bytes, 0);
	assert_int_equal(c->eal.hugepages, WEIR_CONFIG_HUGEPAGES_AUTO);
	assert_int_equal(c->eal.main_cpu, WEIR_CONFIG_ANY_CPU);
	assert_int_equal(c->eal.mbufs, 0);
	assert_int_equal(c->eal.log_level, WEIR_LOG_WARNING);
	assert_int_equal(c->eal.extra_args.len, 0);
	assert_int_equal(c->workers.len, 1);
	assert_int_equal(c->workers.v[0].cpu, WEIR_CONFIG_ANY_CPU);
	assert_int_equal(c->idle.sleep_after_ns, 10000000);
	assert_int_equal(c->idle.sleep_ns, 250000);
	assert_int_equal(c->run_budget_ns, 1000000);
	assert_int_equal(c->drain_ns, 200000000);
	assert_null(c->directories.state);
	assert_int_equal(c->directories.programs.len, 2);
	assert_string_equal(c->directories.programs.v[0], "/etc/weir/programs");
	assert_string_equal(c->directories.programs.v[1], "/usr/lib/weir/programs");
	assert_int_equal(c->limits.connections, 256);
	assert_int_equal(c->limits.objects, 4096);
	assert_int_equal(c->limits.in_flight_bytes, 64 << 20);
	assert_int_equal(c->limits.memory_bytes, 4ULL << 30);
	assert_int_equal(c->limits.instructions, 4000000);
	assert_true(port->required);
	assert_false(port->take_over);
	assert_true(port->promiscuous);
	assert_int_equal(port->kind, WEIR_CONFIG_PORT_VDEV);
	assert_int_equal(port->rx_queues, 1);
	assert_int_equal(port->tx_queues, 0);
	assert_int_equal(port->rx_descriptors, 1024);
	assert_int_equal(port->tx_descriptors, 1024);
	assert_int_equal(port->mtu_bytes, 0);
	assert_int_equal(port->workers.len, 0);
	assert_null(port->pass.to);
	assert_null(port->interface);
	assert_null(port->tap.interface);
	assert_int_equal(c->programs.v[0].type, WEIR_CONFIG_PROG_AUTO);
	assert_false(c->programs.v[0].allow_stubs);
	assert_int_equal(c->programs.v[0].attach.v[0].hook, WEIR_CONFIG_HOOK_XDP);
	assert_int_equal(c->programs.v[0].attach.v[0].priority, 50);
	assert_true(c->programs.v[0].attach.v[0].queues == WEIR_CONFIG_ALL_QUEUES);
	weir_config_free(&c);
}

/* What YAML's own guess would make numbers and booleans of. */
static void decode__types_come_from_the_schema(void **state)
{
	struct weir_config *c =
		take("control: {mode: 0640, group: off, socket: 010}\n"
		     "eal: {extra-args: [12:34:56, ~, null, 1e3, yes]}\n"
		     "ports:\n- {name: on, device: 0000:03:00.0, rx-queues: \"4\"}\n"
		     "- {name: 'null', interface: 1_0}\n"
		     "programs:\n- {name: no, object: 0x10, program: 'true'}\n");

	assert_int_equal(c->control.mode, 0640);
	assert_string_equal(c->control.group, "off");
	assert_string_equal(c->control.socket, "010");
	assert_string_equal(c->eal.extra_args.v[0], "12:34:56");
	assert_string_equal(c->eal.extra_args.v[1], "~");
	assert_string_equal(c->eal.extra_args.v[2], "null");
	assert_string_equal(c->eal.extra_args.v[3], "1e3");
	assert_string_equal(c->eal.extra_args.v[4], "yes");
	assert_string_equal(c->ports.v[0].name, "on");
	assert_string_equal(c->ports.v[0].device, "0000:03:00.0");
	assert_int_equal(c->ports.v[0].kind, WEIR_CONFIG_PORT_PCI);
	assert_int_equal(c->ports.v[0].rx_queues, 4);
	assert_string_equal(c->ports.v[1].name, "null");
	assert_string_equal(c->ports.v[1].interface, "1_0");
	assert_string_equal(c->programs.v[0].name, "no");
	assert_string_equal(c->programs.v[0].object, "0x10");
	assert_string_equal(c->programs.v[0].program, "true");
	weir_config_free(&c);
}

static void decode__values(void **state)
{
	struct weir_config *c = take(
		"log:\n  level: error\n"
		"eal: {memory: 1 GiB, hugepages: require, main-cpu: 0, mbufs: 8192}\n"
		"workers: [{cpu: 3}, {}, {cpu: any}]\n"
		"idle: {sleep-after: never, sleep: 50us}\n"
		"run-budget: 10us\ndrain: 0s\n"
		"limits: {connections: 1, objects: 2, in-flight: 64KiB, memory: 1MiB, "
		"instructions: 5000}\n"
		"ports:\n- name: a\n  pcap: {rx: x.pcap, infinite: yes}\n  mtu: 9000\n"
		"  promiscuous: off\n  required: false\n  take-over: true\n  tx-queues: 2\n"
		"  workers: [2, 0]\n  pass: {to: b}\n"
		"- {name: b, tap: {interface: weir0}, pass: drop, workers: auto}\n"
		"programs:\n- name: p\n  object: p.o\n  section: tc\n  type: sched_cls\n  pin: /p\n"
		"  allow-stubs: true\n  attach: [{port: b, queues: all, priority: 7}]\n"
		"  maps: [{name: m, pin: /x/m}]\n");

	assert_int_equal(c->log.level, WEIR_LOG_ERROR);
	assert_int_equal(c->eal.memory_bytes, 1 << 30);
	assert_int_equal(c->eal.hugepages, WEIR_CONFIG_HUGEPAGES_REQUIRE);
	assert_int_equal(c->eal.main_cpu, 0);
	assert_int_equal(c->eal.mbufs, 8192);
	assert_int_equal(c->workers.len, 3);
	assert_int_equal(c->workers.v[0].cpu, 3);
	assert_int_equal(c->workers.v[1].cpu, WEIR_CONFIG_ANY_CPU);
	assert_int_equal(c->workers.v[2].cpu, WEIR_CONFIG_ANY_CPU);
	assert_true(c->idle.sleep_after_ns == WEIR_CONFIG_NEVER_NS);
	assert_int_equal(c->idle.sleep_ns, 50000);
	assert_int_equal(c->run_budget_ns, 10000);
	assert_int_equal(c->drain_ns, 0);
	assert_int_equal(c->limits.in_flight_bytes, 65536);
	assert_int_equal(c->limits.instructions, 5000);
	assert_int_equal(c->ports.len, 2);
	assert_int_equal(c->ports.v[0].kind, WEIR_CONFIG_PORT_PCAP);
	assert_int_equal(c->ports.v[0].pcap.rx.len, 1);
	assert_true(c->ports.v[0].pcap.infinite);
	assert_int_equal(c->ports.v[0].mtu_bytes, 9000);
	assert_false(c->ports.v[0].promiscuous);
	assert_false(c->ports.v[0].required);
	assert_true(c->ports.v[0].take_over);
	assert_int_equal(c->ports.v[0].tx_queues, 2);
	assert_int_equal(c->ports.v[0].workers.len, 2);
	assert_int_equal(c->ports.v[0].workers.v[0], 2);
	assert_string_equal(c->ports.v[0].pass.to, "b");
	assert_int_equal(c->ports.v[0].pass.port_idx, 1);
	assert_int_equal(c->ports.v[1].kind, WEIR_CONFIG_PORT_TAP);
	assert_null(c->ports.v[1].pass.to);
	assert_int_equal(c->ports.v[1].workers.len, 0);
	assert_string_equal(c->programs.v[0].section, "tc");
	assert_string_equal(c->programs.v[0].pin, "/p");
	assert_true(c->programs.v[0].allow_stubs);
	assert_int_equal(c->programs.v[0].attach.v[0].port_idx, 1);
	assert_int_equal(c->programs.v[0].attach.v[0].hook, WEIR_CONFIG_HOOK_TC);
	assert_int_equal(c->programs.v[0].attach.v[0].priority, 7);
	assert_string_equal(c->programs.v[0].maps.v[0].pin, "/x/m");
	weir_config_free(&c);
}

static void decode__relative_files(void **state)
{
	struct weir_config *c =
		take_named("/etc/weir/weir.yaml",
			   "control: {socket: s}\ndirectories: {state: /s, programs: p}\n"
			   "ports:\n- name: a\n  pcap: {rx: [x, /y], tx: d/z}\n");

	assert_string_equal(c->control.socket, "/etc/weir/s");
	assert_string_equal(c->directories.state, "/s");
	assert_int_equal(c->directories.programs.len, 1);
	assert_string_equal(c->directories.programs.v[0], "/etc/weir/p");
	assert_string_equal(c->ports.v[0].pcap.rx.v[0], "/etc/weir/x");
	assert_string_equal(c->ports.v[0].pcap.rx.v[1], "/y");
	assert_string_equal(c->ports.v[0].pcap.tx, "/etc/weir/d/z");
	assert_int_equal(c->ports.v[0].rx_queues, 2);
	weir_config_free(&c);
}

static void decode__empty_values(void **state)
{
	taken("log:\nports:\nprograms:\neal: {extra-args: }\n");
	refused("version:\n", "f:1:9: version: nothing, expected 1");
	refused("control: {socket: }\n",
		"f:1:19: control.socket: nothing, expected a path of at most 107 bytes");
	refused("control: {socket: ''}\n",
		"f:1:19: control.socket: \"\", expected a path of at most 107 bytes");
}

static void decode__unknown_keys(void **state)
{
	refused("verison: 1\n", "f:1:1: verison: unknown key, expected \"version\"");
	refused(PORT "  rx-queue: 4\n",
		"f:4:3: ports[0].rx-queue: unknown key, expected \"rx-queues\"");
	refused("log: {colour: red}\n", "f:1:7: log.colour: unknown key, expected level");
	refused("idle: {quux: 1}\n",
		"f:1:8: idle.quux: unknown key, expected one of sleep-after, sleep");
	refused("Version: 1\n", "f:1:1: Version: unknown key, expected \"version\"");
}

static void decode__missing_keys(void **state)
{
	refused("ports:\n  - device: net_null0\n",
		"f:2:5: ports[0]: no name, expected a name: a-z, then a-z, 0-9, _ . -, at most 31 "
		"characters");
	refused("programs:\n- name: p\n", "f:2:3: programs[0]: no object, expected a path");
	refused(PORT "  pass: {}\n", "f:4:9: ports[0].pass: no to, expected the name of a port");
	refused("programs: [{}]\n", "f:1:12: programs[0]: no name, expected a name: a-z, then a-z, "
				    "0-9, _ . -, at most 63 "
				    "characters\n"
				    "f:1:12: programs[0]: no object, expected a path");
}

static void decode__wrong_kinds(void **state)
{
	refused("log: info\n", "f:1:6: log: \"info\", expected a mapping of keys");
	refused("ports: {a: b}\n", "f:1:8: ports: a mapping, expected a list of mappings");
	refused("ports: [a]\n", "f:1:9: ports[0]: \"a\", expected a mapping of keys");
	refused("version: [1]\n", "f:1:10: version: a list, expected 1");
	refused(PORT "  pass: b\n",
		"f:4:9: ports[0].pass: \"b\", expected a mapping of keys, or drop");
	refused(PORT "  workers: 1\n", "f:4:12: ports[0].workers: \"1\", expected a list of whole "
				       "numbers from 0 to 126, or auto");
	refused("eal: {extra-args: {a: b}}\n", "f:1:19: eal.extra-args: a mapping, expected an "
					       "argument of EAL, or a list of such");
	refused("eal: {extra-args: [[a]]}\n", "f:1:20: eal.extra-args[0]: a list, expected an "
					      "argument of EAL, or a list of such");
}

static void decode__numbers(void **state)
{
	static const char *const bad[] = {"four",
					  "0",
					  "65",
					  "-1",
					  "+4",
					  "04",
					  "0x4",
					  "4.0",
					  "1_0",
					  "4 ",
					  "18446744073709551617"};

	taken(PORT "  rx-queues: 1\n");
	taken(PORT "  rx-queues: 64\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char text[256], expected[256];

		sprintf(text, PORT "  rx-queues: '%s'\n", bad[i]);
		sprintf(expected,
			"f:4:14: ports[0].rx-queues: \"%s\", expected a whole number from 1 to 64",
			bad[i]);
		refused(text, expected);
	}
	refused(PORT "  mtu: 67\n", "f:4:8: ports[0].mtu: \"67\", expected a whole number from 68 "
				    "to 65535, or auto");
	refused("version: 2\n", "f:1:10: version: \"2\", expected 1");
	refused("workers: 0\n",
		"f:1:10: workers: \"0\", expected a whole number from 1 to 127 or a "
		"list of mappings (cpu)");
	refused("workers: []\n",
		"f:1:10: workers: a list, expected a whole number from 1 to 127 or "
		"a list of mappings (cpu)");
	taken("workers: 127\n");
}

static void decode__units(void **state)
{
	static const char *const expected = " with its unit (B, KiB, MiB, GiB, TiB), or auto";
	static const char *const bad[] = {"64",
					  "64M",
					  "64MB",
					  "64mib",
					  "1.5GiB",
					  "15MiB",
					  "2TiB",
					  "99999999999TiB",
					  "18446744073709551615TiB",
					  "MiB"};

	taken("eal: {memory: 64MiB}\n");
	taken("eal: {memory: 16777216B}\n");
	taken("eal: {memory: 1TiB}\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char text[256], message[256];

		sprintf(text, "eal: {memory: %s}\n", bad[i]);
		sprintf(message, "f:1:15: eal.memory: \"%s\", expected a size from 16MiB to 1TiB%s",
			bad[i], expected);
		refused(text, message);
	}
	refused("drain: 200\n",
		"f:1:8: drain: \"200\", expected a duration from 0ns to 10s with its "
		"unit (ns, us, ms, s)");
	refused("run-budget: 1m\n",
		"f:1:13: run-budget: \"1m\", expected a duration from 10us to 1s "
		"with its unit (ns, us, ms, s)");
	refused("run-budget: 9us\n",
		"f:1:13: run-budget: \"9us\", expected a duration from 10us to 1s "
		"with its unit (ns, us, ms, s)");
	taken("run-budget: 1000ms\n");
}

static void decode__words_and_modes(void **state)
{
	refused("log: {level: warn}\n", "f:1:14: log.level: \"warn\", expected error, warning, "
					"notice, info or debug");
	refused("eal: {hugepages: yes}\n",
		"f:1:18: eal.hugepages: \"yes\", expected auto, require or never");
	refused(PORT "  required: maybe\n",
		"f:4:13: ports[0].required: \"maybe\", expected true or false");
	refused("control: {mode: 888}\n",
		"f:1:17: control.mode: \"888\", expected an octal mode such as 0660");
	refused("control: {mode: 4755}\n",
		"f:1:17: control.mode: \"4755\", expected an octal mode such as 0660");
	taken("control: {mode: 0o600}\n");
	taken("control: {mode: 777}\n");
}

static void decode__queues(void **state)
{
	static const char *const bad[] = {"64", "3-1", "0-", "-3", "0,,1", "0,", "a", "0-1-2"};
	struct weir_config *c = take(
		"ports: [{name: a, device: net_null0, rx-queues: 64}]\n"
		"programs:\n- {name: p, object: p.o, attach: [{port: a, queues: \"0,2-4,63\"}]}\n"
		"- {name: q, object: p.o, attach: [{port: a, queues: 0-63, hook: tc}]}\n");

	assert_true(c->programs.v[0].attach.v[0].queues == (0x1dULL | 1ULL << 63));
	assert_true(c->programs.v[1].attach.v[0].queues == UINT64_MAX);
	weir_config_free(&c);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char text[256], message[256];

		sprintf(text, PROG "  attach: [{port: a, queues: '%s'}]\n", bad[i]);
		sprintf(message,
			"f:7:30: programs[0].attach[0].queues: \"%s\", expected queues from 0 to "
			"63 "
			"such as 0-3 or 0,2, or all",
			bad[i]);
		refused(text, message);
	}
}

static void decode__names(void **state)
{
	static const char *const bad[] = {"Wan", "0a", "a/b",
					  "a b", "-a", "abcdefghijklmnopqrstuvwxyz012345"};

	taken("ports: [{name: a.b_c-9, device: net_null0}]\n");
	taken("ports: [{name: abcdefghijklmnopqrstuvwxyz01234, device: net_null0}]\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char text[256], message[256];

		sprintf(text, "ports: [{name: %s, device: net_null0}]\n", bad[i]);
		sprintf(message,
			"f:1:16: ports[0].name: \"%s\", expected a name: a-z, then a-z, 0-9, _ . "
			"-, at "
			"most 31 characters",
			bad[i]);
		refused(text, message);
	}
}

/* Texts that become EAL's arguments must not bring further ones. */
static void decode__device_texts(void **state)
{
	static const char *const good[] = {"0000:03:00.0",  "03:00.1",   "0000:03:00.0,rxq=2",
					   "10000:e1:00.7", "net_ring0", "net_null0,size=64"};
	static const char *const bad[] = {
		"0000:03:00.8", "0000:03:00",       "3:0.0", "null0", "net_",
		"net_null0,",   "net_null0 --huge", "../x"};
	char text[256], message[512];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		sprintf(text, "ports: [{name: a, device: '%s'}]\n", good[i]);
		taken(text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		sprintf(text, "ports: [{name: a, device: '%s'}]\n", bad[i]);
		sprintf(message,
			"f:1:27: ports[0].device: \"%s\", expected a PCI address such as "
			"0000:03:00.0 "
			"or a DPDK device such as net_null0,size=64",
			bad[i]);
		refused(text, message);
	}
	refused("ports: [{name: a, interface: 'eth0,x=1'}]\n",
		"f:1:30: ports[0].interface: \"eth0,x=1\", expected the name of an interface: at "
		"most "
		"15 of a-z, A-Z, 0-9, _ . - + @");
	refused("ports: [{name: a, pcap: {tx: 'x,tx_iface=lo'}}]\n",
		"f:1:30: ports[0].pcap.tx: \"x,tx_iface=lo\", expected a path without , [ ]");
	refused("ports: [{name: a, interface: abcdefghijklmnop}]\n",
		"f:1:30: ports[0].interface: \"abcdefghijklmnop\", expected the name of an "
		"interface: "
		"at most 15 of a-z, A-Z, 0-9, _ . - + @");
}

static void decode__pins(void **state)
{
	static const char *const bad[] = {"x", "/", "//x", "/x/", "/../x", "/x/.", "/x/.."};
	char text[256], message[512];

	taken(PROG "  pin: /...\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		sprintf(text, PROG "  pin: %s\n", bad[i]);
		sprintf(message,
			"f:7:8: programs[0].pin: \"%s\", expected an absolute path without . and "
			".., "
			"at most 255 bytes",
			bad[i]);
		refused(text, message);
	}
}

static void decode__errors_together(void **state)
{
	char text[2048] = "ports:\n", expected[8192] = "";

	refused("verison: 1\nlog: {level: loud}\nports:\n  - name: A\n    mtu: x\n",
		"f:1:1: verison: unknown key, expected \"version\"\n"
		"f:2:14: log.level: \"loud\", expected error, warning, notice, info or debug\n"
		"f:4:11: ports[0].name: \"A\", expected a name: a-z, then a-z, 0-9, _ . -, at most "
		"31 "
		"characters\n"
		"f:5:10: ports[0].mtu: \"x\", expected a whole number from 68 to 65535, or auto");
	for (unsigned int i = 0; i < 25; i++) {
		sprintf(text + strlen(text), "- {name: p%u, mtu: x}\n", i);
		if (i < 20)
			sprintf(expected + strlen(expected),
				"f:%u:%u: ports[%u].mtu: \"x\", expected a whole number from 68 to "
				"65535, or auto\n",
				i + 2, i < 10 ? 19 : 20, i);
	}
	strcat(expected, "5 more errors");
	refused(text, expected);
}

static void decode__fields_know_their_place(void **state)
{
	struct weir_config *c = take("workers: 3\n" PORT "  mtu: 1500\n  workers: [0, 2]\n");
	const struct weir_config_port *port = &c->ports.v[0];
	struct weir_config_loc loc = weir_config_locate(c, &port->mtu_bytes);
	WEIR_DIAG_ON_STACK(diag, 512);

	assert_string_equal(loc.file, "f");
	assert_int_equal(loc.line, 5);
	assert_int_equal(loc.column, 8);
	assert_int_equal(port->loc.line, 3);
	assert_int_equal(port->loc.column, 3);
	assert_int_equal(c->log.loc.line, 0);
	assert_int_equal(weir_config_fail(c, &port->device, &diag, -ENODEV, "no such %s", "device"),
			 -ENODEV);
	weir_config_fail(c, port, &diag, -1, "b");
	weir_config_fail(c, &port->rx_queues, &diag, -1, "c");
	weir_config_fail(c, &port->workers.v[1], &diag, -1, "d");
	weir_config_fail(c, &c->log.level, &diag, -1, "e");
	weir_config_fail(c, &c->workers.v[2], &diag, -1, "g");
	weir_config_fail(c, &loc, &diag, -1, "h");
	assert_string_equal(diag.buf, "f:4:11: ports[0].device: no such device\n"
				      "f:3:3: ports[0]: b\n"
				      "f:3:3: ports[0]: c\n"
				      "f:6:16: ports[0].workers[1]: d\n"
				      "f:1:1: e\n"
				      "f:1:10: workers: g\n"
				      "f: h");
	weir_config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decode__defaults),
		cmocka_unit_test(decode__types_come_from_the_schema),
		cmocka_unit_test(decode__values),
		cmocka_unit_test(decode__relative_files),
		cmocka_unit_test(decode__empty_values),
		cmocka_unit_test(decode__unknown_keys),
		cmocka_unit_test(decode__missing_keys),
		cmocka_unit_test(decode__wrong_kinds),
		cmocka_unit_test(decode__numbers),
		cmocka_unit_test(decode__units),
		cmocka_unit_test(decode__words_and_modes),
		cmocka_unit_test(decode__queues),
		cmocka_unit_test(decode__names),
		cmocka_unit_test(decode__device_texts),
		cmocka_unit_test(decode__pins),
		cmocka_unit_test(decode__errors_together),
		cmocka_unit_test(decode__fields_know_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
