/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_test.h"

#define BASE                                                                                  \
	"log: {level: info}\nworkers: 2\n"                                                    \
	"ports:\n- {name: a, device: net_null0}\n- {name: b, device: net_null1, mtu: 1500}\n" \
	"programs:\n- {name: p, object: p.o, attach: [{port: a}, {port: b, hook: tc}]}\n"

/* The changes as lines, `+-~ SUBJECT EFFECT path: from -> to`. */
static void differs(const char *old_text, const char *new_text, enum weir_config_effect effect,
		    const char *expected)
{
	static const char kinds[] = {[WEIR_CONFIG_ADDED] = '+',
				     [WEIR_CONFIG_REMOVED] = '-',
				     [WEIR_CONFIG_CHANGED] = '~'};
	static const char *const subjects[] = {"setting", "port", "program", "attachment"};
	static const char *const effects[] = {"live", "port-restart", "restart"};
	struct weir_config *old = take(old_text), *new = take(new_text);
	struct weir_config_diff *diff = NULL;
	static char buf[8192];
	struct weir_diag text;

	weir_diag_init(&text, buf, sizeof(buf));
	assert_int_equal(weir_config_diff(old, new, &diff), 0);
	for (size_t i = 0; i < diff->len; i++) {
		const struct weir_config_change *c = &diff->v[i];

		weir_diag_printf(&text, "%c %s %s %s", kinds[c->kind], subjects[c->subject],
				 effects[c->effect], c->path);
		if (c->kind == WEIR_CONFIG_CHANGED)
			weir_diag_printf(&text, ": %s -> %s", c->from ? c->from : "(none)",
					 c->to ? c->to : "(none)");
		else
			assert_true(!c->from && !c->to);
		weir_diag_printf(&text, "\n");
	}
	assert_string_equal(buf, expected);
	assert_int_equal(diff->effect, effect);
	weir_config_diff_free(&diff);
	assert_null(diff);
	weir_config_free(&old);
	weir_config_free(&new);
}

static void diff__nothing(void **state)
{
	differs(BASE, BASE, WEIR_CONFIG_LIVE, "");
	differs("", "version: 1\nlog: {level: info}\nworkers: 1\nports: []\n", WEIR_CONFIG_LIVE,
		"");
	differs("run-budget: 1ms", "run-budget: 1000us", WEIR_CONFIG_LIVE, "");
}

static void diff__settings(void **state)
{
	differs("", "log: {level: debug}\nidle: {sleep-after: never}\n", WEIR_CONFIG_LIVE,
		"~ setting live log.level: info -> debug\n"
		"~ setting live idle.sleep-after: 10ms -> never\n");
	differs("control: {group: a}\neal: {memory: 1GiB}\n", "control: {mode: 0600}\nworkers: 3\n",
		WEIR_CONFIG_RESTART,
		"~ setting restart control.mode: 0660 -> 0600\n"
		"~ setting restart control.group: a -> (none)\n"
		"~ setting restart eal.memory: 1GiB -> auto\n"
		"~ setting restart workers: 1 -> 3\n");
	differs("workers: 2\n", "workers: [{cpu: 4}, {}]\n", WEIR_CONFIG_RESTART,
		"~ setting restart workers: 2 -> 2 on cpu 4,any\n");
	differs("drain: 0s\n", "directories: {programs: [/a, /b]}\n", WEIR_CONFIG_RESTART,
		"~ setting live drain: 0ns -> 200ms\n"
		"~ setting restart directories.programs: [/etc/weir/programs, "
		"/usr/lib/weir/programs] "
		"-> "
		"[/a, /b]\n");
}

static void diff__ports(void **state)
{
	differs("ports:\n- {name: a, device: net_null0}\n- {name: b, device: net_null1}\n",
		"ports:\n- {name: c, device: net_null1}\n"
		"- {name: a, device: net_null0, required: false, mtu: 9000, pass: {to: c}}\n",
		WEIR_CONFIG_RESTART,
		"~ port restart ports.a.required: true -> false\n"
		"~ port port-restart ports.a.mtu: auto -> 9000\n"
		"~ port port-restart ports.a.pass.to: (none) -> c\n"
		"- port port-restart ports.b\n"
		"+ port port-restart ports.c\n");
	differs("ports: [{name: a, pcap: {rx: [x, y]}}]\n", "ports: [{name: a, pcap: {rx: x}}]\n",
		WEIR_CONFIG_PORT_RESTART,
		"~ port port-restart ports.a.pcap.rx: [x, y] -> [x]\n"
		"~ port port-restart ports.a.rx-queues: 2 -> 1\n");
}

static void diff__programs(void **state)
{
	static const char ports[] = "ports: [{name: a, device: net_null0, rx-queues: 4}, {name: b, "
				    "device: net_null1}]\n";
	char old[1024], new[1024];

	sprintf(old,
		"%sprograms:\n"
		"- {name: p, object: p.o, attach: [{port: a}, {port: b, hook: tc}]}\n"
		"- {name: q, object: q.o, attach: [{port: b}]}\n",
		ports);
	sprintf(new,
		"%sprograms:\n"
		"- {name: r, object: q.o, attach: [{port: b}]}\n"
		"- {name: p, object: p2.o, maps: [{name: m, pin: /m}], "
		"attach: [{port: a, queues: 1-3}, {port: b, hook: tc, priority: 9}]}\n",
		ports);
	differs(old, new, WEIR_CONFIG_RESTART,
		"~ program restart programs.p.object: p.o -> p2.o\n"
		"~ program restart programs.p.maps: [] -> [{name: m, pin: /m}]\n"
		"~ attachment restart programs.p.attach.a/xdp/50.queues: all -> 1-3\n"
		"- attachment restart programs.p.attach.b/tc/50\n"
		"+ attachment restart programs.p.attach.b/tc/9\n"
		"- program restart programs.q\n"
		"- attachment restart programs.q.attach.b/xdp/50\n"
		"+ program restart programs.r\n"
		"+ attachment restart programs.r.attach.b/xdp/50\n");
}

static void diff__elements(void **state)
{
	struct weir_config *old = take(BASE),
			   *new = take("ports: [{name: c, device: net_null0}]\n");
	struct weir_config_diff *diff = NULL;
	size_t seen = 0;

	assert_int_equal(weir_config_diff(old, new, &diff), 0);
	for (size_t i = 0; i < diff->len; i++) {
		const struct weir_config_change *c = &diff->v[i];

		if (c->subject != WEIR_CONFIG_PORT)
			continue;
		seen++;
		if (c->kind == WEIR_CONFIG_ADDED)
			assert_ptr_equal(c->new_elem, &new->ports.v[0]);
		else
			assert_true(c->old_elem == &old->ports.v[0] ||
				    c->old_elem == &old->ports.v[1]);
	}
	assert_int_equal(seen, 3);
	weir_config_diff_free(&diff);
	weir_config_free(&old);
	weir_config_free(&new);
}

/* Longer than the buffer that values are made text in. */
static void diff__long_values(void **state)
{
	char text[4096] = "eal: {extra-args: [", *at = text + strlen(text);
	struct weir_config *old = take(""), *new;
	struct weir_config_diff *diff = NULL;

	memset(at, 'x', 3000);
	strcpy(at + 3000, "]}\n");
	new = take(text);
	assert_int_equal(weir_config_diff(old, new, &diff), 0);
	assert_int_equal(diff->len, 1);
	assert_int_equal(strlen(diff->v[0].to), 3002);
	weir_config_diff_free(&diff);
	weir_config_free(&old);
	weir_config_free(&new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(diff__nothing),  cmocka_unit_test(diff__settings),
		cmocka_unit_test(diff__ports),    cmocka_unit_test(diff__programs),
		cmocka_unit_test(diff__elements), cmocka_unit_test(diff__long_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
