/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_test.h"

#define NULLS(n0, n1)                           \
	"- {name: " n0 ", device: net_null0}\n" \
	"- {name: " n1 ", device: net_null1}\n"
#define AB   "ports:\n" NULLS("a", "b")
#define PROG AB "programs:\n- name: p\n  object: p.o\n"

static void check_port__exactly_one_device(void **state)
{
	refused("ports:\n- name: a\n",
		"f:2:3: ports[0]: no device, expected exactly one of device, "
		"pcap, tap, interface");
	refused("ports:\n- {name: a, device: net_null0, interface: eth0}\n",
		"f:2:3: ports[0]: device and interface, expected exactly one of device, pcap, tap, "
		"interface");
	refused("ports:\n- {name: a, tap: {interface: t}, pcap: {tx: x}}\n",
		"f:2:3: ports[0]: pcap and tap, expected exactly one of device, pcap, tap, "
		"interface");
}

static void check_port__pcap(void **state)
{
	refused("ports:\n- {name: a, pcap: {infinite: true}}\n",
		"f:2:19: ports[0].pcap: neither rx nor tx, expected at least one");
	refused("ports:\n- {name: a, rx-queues: 3, pcap: {rx: [x, y]}}\n",
		"f:2:24: ports[0].rx-queues: 3, expected 2, the number of files in pcap.rx");
	taken("ports:\n- {name: a, rx-queues: 2, pcap: {rx: [x, y]}}\n");
	taken("ports:\n- {name: a, pcap: {rx: [x, x]}}\n");
	refused("ports:\n- {name: a, pcap: {rx: x, tx: x}}\n",
		"f:2:31: ports[0].pcap.tx: file \"x\" given twice, expected another than the one "
		"replayed (first at 2:24)");
	refused("ports:\n- {name: a, pcap: {tx: x}}\n- {name: b, pcap: {tx: x}}\n",
		"f:3:24: ports[1].pcap.tx: file \"x\" given twice, expected one port to write it "
		"(first at 2:24)");
}

static void check_port__names_are_unique(void **state)
{
	taken(AB);
	refused("ports:\n" NULLS("a", "a"), "f:3:10: ports[1].name: port \"a\" given twice, "
					    "expected a name of its own (first at "
					    "2:10)");
}

static void check_port__one_port_a_device(void **state)
{
	refused("ports:\n- {name: a, device: 0000:0a:00.0}\n- {name: b, device: '0A:00.0,x=1'}\n",
		"f:3:21: ports[1].device: device \"0A:00.0,x=1\" given twice, expected one port a "
		"device (first at 2:21)");
	taken("ports:\n- {name: a, device: 0000:0a:00.0}\n- {name: b, device: '0a:00.1'}\n"
	      "- {name: c, device: 0001:0a:00.0}\n");
	refused("ports:\n- {name: a, device: net_null0}\n- {name: b, device: 'net_null0,size=9'}\n",
		"f:3:21: ports[1].device: device \"net_null0,size=9\" given twice, expected one "
		"port a "
		"device (first at 2:21)");
	taken("ports:\n- {name: a, device: net_null1}\n- {name: b, device: net_null10}\n");
	refused("ports:\n- {name: a, tap: {interface: x}}\n- {name: b, interface: x}\n",
		"f:3:24: ports[1].interface: interface \"x\" given twice, expected one port an "
		"interface (first at 2:30)");
}

static void check_port__pass(void **state)
{
	taken("ports:\n- {name: a, device: net_null0, pass: {to: b}}\n"
	      "- {name: b, device: net_null1, pass: {to: a}}\n");
	refused("ports:\n- {name: a, device: net_null0, pass: {to: a}}\n",
		"f:2:43: ports[0].pass.to: \"a\", expected another port than this one");
	refused("ports:\n- {name: wan0, device: net_null0, pass: {to: wan1}}\n",
		"f:2:46: ports[0].pass.to: \"wan1\", expected the name of a port such as \"wan0\"");
	refused("ports:\n- {name: wan0, device: net_null0, pass: {to: host}}\n",
		"f:2:46: ports[0].pass.to: \"host\", expected the name of a port");
}

static void check_port__workers(void **state)
{
	taken("workers: 2\nports:\n- {name: a, device: net_null0, workers: [1, 0]}\n");
	refused("workers: 2\nports:\n- {name: a, device: net_null0, workers: [1, 2]}\n",
		"f:3:45: ports[0].workers[1]: worker 2, expected one from 0 to 1 (workers: 2)");
}

static void check_workers__one_a_cpu(void **state)
{
	taken("workers: [{cpu: 1}, {cpu: 2}, {}, {}]\n");
	refused("workers: [{cpu: 1}, {cpu: 2}, {cpu: 1}]\n",
		"f:1:37: workers[2].cpu: cpu 1 given twice, expected one worker a CPU (first at "
		"1:17)");
}

static void check_program__names_are_unique(void **state)
{
	taken("programs: [{name: p, object: x}, {name: q, object: x}]\n");
	refused("programs: [{name: p, object: x}, {name: p, object: y}]\n",
		"f:1:41: programs[1].name: program \"p\" given twice, expected a name of its own "
		"(first at 1:19)");
	refused("programs: [{name: p, object: x, pin: /a}, {name: q, object: y, pin: /a}]\n",
		"f:1:69: programs[1].pin: pin \"/a\" given twice, expected one program a pin "
		"(first at "
		"1:38)");
}

static void check_program__one_selector(void **state)
{
	taken(PROG "  section: xdp\n");
	taken(PROG "  program: f\n");
	refused(PROG "  program: f\n  section: xdp\n",
		"f:8:12: programs[0].section: section beside program, expected one of the two");
}

static void check_program__maps(void **state)
{
	taken(PROG "  maps: [{name: m, pin: /a}, {name: n, pin: /a}]\n");
	refused(PROG "  maps: [{name: m, pin: /a}, {name: m, pin: /b}]\n",
		"f:7:37: programs[0].maps[1].name: map \"m\" given twice, expected one entry a map "
		"(first at 7:17)");
}

static void check_attach__port(void **state)
{
	refused("programs: [{name: p, object: x, attach: [{port: a}]}]\n",
		"f:1:49: programs[0].attach[0].port: \"a\", expected the name of a port, and there "
		"is "
		"none");
	refused("ports:\n" NULLS("uplink", "host") "programs:\n- name: p\n  object: x\n"
						   "  attach: [{port: upllnk}]\n",
		"f:7:19: programs[0].attach[0].port: \"upllnk\", expected the name of a port such "
		"as "
		"\"uplink\"");
}

static void check_attach__queues(void **state)
{
	static const char ports[] =
		"ports: [{name: a, device: net_null0, rx-queues: 4}]\nprograms:\n- name: p\n"
		"  object: x\n";
	char text[512];

	sprintf(text, "%s  attach: [{port: a, queues: 0-3}]\n", ports);
	taken(text);
	sprintf(text, "%s  attach: [{port: a, queues: \"0,7\"}]\n", ports);
	refused(text, "f:5:30: programs[0].attach[0].queues: queue 7, expected from 0 to 3 (port "
		      "\"a\" has rx-queues: 4)");
	taken("ports: [{name: a, pcap: {rx: [x, y]}}]\n"
	      "programs: [{name: p, object: x, attach: [{port: a, queues: 1}]}]\n");
	refused("ports: [{name: a, pcap: {rx: [x, y]}}]\n"
		"programs: [{name: p, object: x, attach: [{port: a, queues: 2}]}]\n",
		"f:2:60: programs[0].attach[0].queues: queue 2, expected from 0 to 1 (port \"a\" "
		"has "
		"rx-queues: 2)");
}

static void check_attach__hook_and_type(void **state)
{
	static const struct {
		const char *type;
		enum weir_config_hook hook;
	} rows[] = {
		{"auto", WEIR_CONFIG_HOOK_XDP},          {"xdp", WEIR_CONFIG_HOOK_XDP},
		{"sched_cls", WEIR_CONFIG_HOOK_TC},      {"sched_act", WEIR_CONFIG_HOOK_TC},
		{"socket_filter", WEIR_CONFIG_HOOK_TAP},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct weir_config *c;
		char text[512];

		sprintf(text, PROG "  type: %s\n  attach: [{port: a}]\n", rows[i].type);
		c = take(text);
		assert_int_equal(c->programs.v[0].attach.v[0].hook, rows[i].hook);
		weir_config_free(&c);
	}
	taken(PROG "  type: socket_filter\n  attach: [{port: a, hook: tc}]\n");
	taken(PROG "  attach: [{port: a, hook: tap}]\n");
	refused(PROG "  type: xdp\n  attach: [{port: a, hook: tc}]\n",
		"f:8:28: programs[0].attach[0].hook: \"tc\", expected xdp for a program of type "
		"xdp");
	refused(PROG "  type: socket_filter\n  attach: [{port: a, hook: xdp}]\n",
		"f:8:28: programs[0].attach[0].hook: \"xdp\", expected tap or tc for a program of "
		"type "
		"socket_filter");
}

static void check_attach__one_a_place(void **state)
{
	taken(PROG "  attach: [{port: a}, {port: b}, {port: a, priority: 51}, "
		   "{port: a, hook: tc}]\n");
	refused(PROG "  attach: [{port: a}, {port: b}, {port: a, priority: 50, queues: 0}]\n",
		"f:7:34: programs[0].attach[2]: place \"a/xdp/50\" given twice, expected another "
		"priority (first at 7:12)");
	refused(PROG "  attach: [{port: b}]\n- {name: q, object: q, attach: [{port: b}]}\n",
		"f:8:33: programs[1].attach[0]: place \"b/xdp/50\" given twice, expected another "
		"priority (first at 7:12)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_port__exactly_one_device),
		cmocka_unit_test(check_port__pcap),
		cmocka_unit_test(check_port__names_are_unique),
		cmocka_unit_test(check_port__one_port_a_device),
		cmocka_unit_test(check_port__pass),
		cmocka_unit_test(check_port__workers),
		cmocka_unit_test(check_workers__one_a_cpu),
		cmocka_unit_test(check_program__names_are_unique),
		cmocka_unit_test(check_program__one_selector),
		cmocka_unit_test(check_program__maps),
		cmocka_unit_test(check_attach__port),
		cmocka_unit_test(check_attach__queues),
		cmocka_unit_test(check_attach__hook_and_type),
		cmocka_unit_test(check_attach__one_a_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
