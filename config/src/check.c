/* SPDX-License-Identifier: BSD-3-Clause */
/* What holds between elements: references, uniqueness, ranges that depend on other values. */
#include "schema.h"

#include <errno.h>
#include <string.h>

struct check {
	struct weir_config_load *load;
	struct weir_config *config;
};

/* The search for words is slow beside counting; a hostile file may have an error a line. */
static bool is_worth_words(const struct check *c)
{
	struct weir_config_report *report = &c->load->report;

	if (report->errors < report->max_errors)
		return true;
	report->errors++;
	return false;
}

static void fault(const struct check *c, const void *field, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void fault(const struct check *c, const void *field, const char *fmt, ...)
{
	const struct weir_config_node *node;
	va_list ap;

	if (!is_worth_words(c))
		return;
	node = weir_config_place_find(&c->load->places, field);
	va_start(ap, fmt);
	weir_config_error_vat(&c->load->report, node, node->file, node->line, node->column, fmt,
			      ap);
	va_end(ap);
}

static bool is_given(const struct check *c, const void *field, size_t size_bytes)
{
	return weir_config_place_exact(&c->load->places, field, size_bytes);
}

/* " (first at FILE:LINE:COLUMN)", the file only where it is another. */
static void print_first(const struct check *c, struct weir_diag *diag, const void *first,
			const void *second)
{
	const struct weir_config_node *a = weir_config_place_find(&c->load->places, first);
	const struct weir_config_node *b = weir_config_place_find(&c->load->places, second);

	weir_diag_printf(diag, " (first at ");
	if (strcmp(a->file, b->file) != 0)
		weir_diag_printf(diag, "%s:", a->file);
	weir_diag_printf(diag, "%u:%u)", a->line, a->column);
}

static void fault_twin(const struct check *c, const void *first, const void *second,
		       const char *what, const char *text, const char *expected)
{
	WEIR_DIAG_ON_STACK(message, 1024);

	if (!is_worth_words(c))
		return;
	weir_diag_printf(&message, "%s", what);
	weir_config_quote(&message, text);
	weir_diag_printf(&message, " given twice, expected %s", expected);
	print_first(c, &message, first, second);
	fault(c, second, "%s", message.buf);
}

/* The four ways to say what a port is. */
static void check_port_kind(const struct check *c, struct weir_config_port *port)
{
	static const char *const names[] = {"device", "pcap", "tap", "interface"};
	const bool given[] = {port->device, port->pcap.loc.line, port->tap.loc.line,
			      port->interface};
	WEIR_DIAG_ON_STACK(found, 64);
	unsigned int n = 0;
	size_t len;

	for (size_t i = 0; i < 4; i++)
		if (given[i])
			weir_diag_printf(&found, "%s%s", n++ ? " and " : "", names[i]);
	if (n != 1) {
		fault(c, port, "%s, expected exactly one of device, pcap, tap, interface",
		      n ? found.buf : "no device");
		return;
	}
	if (port->device)
		port->kind = weir_config_device_is_pci(port->device, &len) ? WEIR_CONFIG_PORT_PCI
									   : WEIR_CONFIG_PORT_VDEV;
	else if (given[1])
		port->kind = WEIR_CONFIG_PORT_PCAP;
	else
		port->kind = given[2] ? WEIR_CONFIG_PORT_TAP : WEIR_CONFIG_PORT_INTERFACE;
}

static void check_pcap(const struct check *c, struct weir_config_port *port)
{
	const struct weir_config_pcap *pcap = &port->pcap;

	if (!pcap->rx.len && !pcap->tx) {
		fault(c, pcap, "neither rx nor tx, expected at least one");
		return;
	}
	if (!pcap->rx.len)
		return;
	if (is_given(c, &port->rx_queues, sizeof(port->rx_queues)) &&
	    port->rx_queues != pcap->rx.len)
		fault(c, &port->rx_queues, "%u, expected %zu, the number of files in pcap.rx",
		      port->rx_queues, pcap->rx.len);
	else
		port->rx_queues = (uint32_t)pcap->rx.len;
}

static const char *next_port_name(void *arg)
{
	const struct weir_config *config = ((const void **)arg)[0];
	size_t *at = ((void **)arg)[1];

	return *at < config->ports.len ? config->ports.v[(*at)++].name : NULL;
}

static void fault_no_port(const struct check *c, const char *const *name)
{
	size_t at = 0;
	const void *arg[] = {c->config, &at};
	const char *nearest;
	WEIR_DIAG_ON_STACK(message, 512);

	if (!is_worth_words(c))
		return;
	nearest = weir_config_nearest(*name, next_port_name, (void *)arg);
	weir_config_quote(&message, *name);
	if (!c->config->ports.len)
		weir_diag_printf(&message, ", expected the name of a port, and there is none");
	else if (nearest)
		weir_diag_printf(&message, ", expected the name of a port such as \"%s\"", nearest);
	else
		weir_diag_printf(&message, ", expected the name of a port");
	fault(c, name, "%s", message.buf);
}

static bool port_idx(const struct check *c, const char *name, uint32_t *out)
{
	for (size_t i = 0; i < c->config->ports.len; i++) {
		if (!strcmp(c->config->ports.v[i].name, name)) {
			*out = (uint32_t)i;
			return true;
		}
	}
	return false;
}

static void check_pass(const struct check *c, struct weir_config_port *port)
{
	struct weir_config_pass *pass = &port->pass;

	if (!pass->to)
		return;
	if (!port_idx(c, pass->to, &pass->port_idx))
		fault_no_port(c, &pass->to);
	else if (&c->config->ports.v[pass->port_idx] == port)
		fault(c, &pass->to, "\"%s\", expected another port than this one", pass->to);
}

static void check_port(const struct check *c, struct weir_config_port *port)
{
	const size_t n_workers = c->config->workers.len;

	check_port_kind(c, port);
	if (port->kind == WEIR_CONFIG_PORT_PCAP && port->pcap.loc.line)
		check_pcap(c, port);
	check_pass(c, port);
	for (size_t i = 0; i < port->workers.len; i++)
		if (port->workers.v[i] >= n_workers)
			fault(c, &port->workers.v[i],
			      "worker %u, expected one from 0 to %zu (workers: %zu)",
			      port->workers.v[i], n_workers - 1, n_workers);
}

/* A kernel interface belongs to one port, be it made (tap) or found. */
static const char *const *kernel_interface(const struct weir_config_port *port)
{
	if (port->tap.interface)
		return &port->tap.interface;
	return port->interface ? &port->interface : NULL;
}

/* The domain may be left out where it is 0, and hex has two cases: compare the numbers. */
static uint64_t pci_number(const char *address)
{
	unsigned int domain = 0, bus = 0, device = 0, function = 0;

	if (sscanf(address, "%8x:%2x:%2x.%1x", &domain, &bus, &device, &function) != 4) {
		domain = 0;
		sscanf(address, "%2x:%2x.%1x", &bus, &device, &function);
	}
	return (uint64_t)domain << 32 | bus << 16 | device << 8 | function;
}

static bool same_device(const char *a, const char *b)
{
	size_t a_len, b_len;
	bool a_pci = weir_config_device_is_pci(a, &a_len);
	bool b_pci = weir_config_device_is_pci(b, &b_len);

	if (a_pci != b_pci)
		return false;
	if (a_pci)
		return pci_number(a) == pci_number(b);
	return a_len == b_len && !memcmp(a, b, a_len);
}

/* What two ports cannot both have. */
static void check_port_twins(const struct check *c, const struct weir_config_port *a,
			     const struct weir_config_port *b)
{
	const char *const *a_if = kernel_interface(a), *const *b_if = kernel_interface(b);

	if (!strcmp(a->name, b->name))
		fault_twin(c, &a->name, &b->name, "port ", b->name, "a name of its own");
	if (a->device && b->device && same_device(a->device, b->device))
		fault_twin(c, &a->device, &b->device, "device ", b->device, "one port a device");
	if (a_if && b_if && !strcmp(*a_if, *b_if))
		fault_twin(c, a_if, b_if, "interface ", *b_if, "one port an interface");
	if (a->pcap.tx && b->pcap.tx && !strcmp(a->pcap.tx, b->pcap.tx))
		fault_twin(c, &a->pcap.tx, &b->pcap.tx, "file ", b->pcap.tx,
			   "one port to write it");
}

/* Opening for TX empties the file: a capture must not be lost to its own replay. */
static void check_overwrites(const struct check *c, const struct weir_config_port *writer)
{
	for (size_t p = 0; writer->pcap.tx && p < c->config->ports.len; p++) {
		const struct weir_config_strings *rx = &c->config->ports.v[p].pcap.rx;

		for (size_t i = 0; i < rx->len; i++) {
			if (!strcmp(rx->v[i], writer->pcap.tx)) {
				fault_twin(c, &rx->v[i], &writer->pcap.tx, "file ", writer->pcap.tx,
					   "another than the one replayed");
				return;
			}
		}
	}
}

static void check_workers(const struct check *c)
{
	const struct weir_config_workers *workers = &c->config->workers;

	for (size_t i = 0; i < workers->len; i++) {
		for (size_t j = 0; j < i; j++) {
			WEIR_DIAG_ON_STACK(message, 128);

			if (workers->v[i].cpu == WEIR_CONFIG_ANY_CPU ||
			    workers->v[i].cpu != workers->v[j].cpu)
				continue;
			weir_diag_printf(&message, "cpu %u given twice, expected one worker a CPU",
					 workers->v[i].cpu);
			print_first(c, &message, &workers->v[j].cpu, &workers->v[i].cpu);
			fault(c, &workers->v[i].cpu, "%s", message.buf);
			break;
		}
	}
}

static enum weir_config_hook default_hook(enum weir_config_prog_type type)
{
	switch (type) {
	case WEIR_CONFIG_PROG_SCHED_CLS:
	case WEIR_CONFIG_PROG_SCHED_ACT: return WEIR_CONFIG_HOOK_TC;
	case WEIR_CONFIG_PROG_SOCKET_FILTER: return WEIR_CONFIG_HOOK_TAP;
	default: return WEIR_CONFIG_HOOK_XDP;
	}
}

/* A socket filter at tc is a guard. */
static bool hook_fits(enum weir_config_prog_type type, enum weir_config_hook hook)
{
	return type == WEIR_CONFIG_PROG_AUTO || hook == default_hook(type) ||
	       (type == WEIR_CONFIG_PROG_SOCKET_FILTER && hook == WEIR_CONFIG_HOOK_TC);
}

static void check_attach(const struct check *c, const struct weir_config_program *program,
			 struct weir_config_attach *attach)
{
	const struct weir_config_port *port;

	if (!is_given(c, &attach->hook, sizeof(attach->hook)))
		attach->hook = default_hook(program->type);
	else if (!hook_fits(program->type, attach->hook))
		fault(c, &attach->hook, "\"%s\", expected %s%s for a program of type %s",
		      weir_config_hook_name(attach->hook),
		      weir_config_hook_name(default_hook(program->type)),
		      program->type == WEIR_CONFIG_PROG_SOCKET_FILTER ? " or tc" : "",
		      weir_config_prog_type_name(program->type));
	if (!port_idx(c, attach->port, &attach->port_idx)) {
		fault_no_port(c, &attach->port);
		return;
	}
	port = &c->config->ports.v[attach->port_idx];
	if (attach->queues != WEIR_CONFIG_ALL_QUEUES && port->rx_queues < 64 &&
	    attach->queues >> port->rx_queues)
		fault(c, &attach->queues,
		      "queue %d, expected from 0 to %u (port \"%s\" has rx-queues: %u)",
		      63 - __builtin_clzll(attach->queues), port->rx_queues - 1, port->name,
		      port->rx_queues);
}

static void check_program(const struct check *c, struct weir_config_program *program)
{
	const struct weir_config_maps *maps = &program->maps;

	if (program->program && program->section)
		fault(c, &program->section, "section beside program, expected one of the two");
	for (size_t i = 0; i < program->attach.len; i++)
		check_attach(c, program, (struct weir_config_attach *)&program->attach.v[i]);
	for (size_t i = 0; i < maps->len; i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(maps->v[i].name, maps->v[j].name)) {
				fault_twin(c, &maps->v[j].name, &maps->v[i].name, "map ",
					   maps->v[i].name, "one entry a map");
				break;
			}
}

static void check_program_twins(const struct check *c, const struct weir_config_program *a,
				const struct weir_config_program *b)
{
	if (!strcmp(a->name, b->name))
		fault_twin(c, &a->name, &b->name, "program ", b->name, "a name of its own");
	if (a->pin && b->pin && !strcmp(a->pin, b->pin))
		fault_twin(c, &a->pin, &b->pin, "pin ", b->pin, "one program a pin");
}

/* Order of the text for equal places, so that the second is the one at fault. */
static int compare_attaches(const void *a, const void *b)
{
	const struct weir_config_attach *x = *(const struct weir_config_attach *const *)a;
	const struct weir_config_attach *y = *(const struct weir_config_attach *const *)b;

	if (x->port_idx != y->port_idx)
		return x->port_idx < y->port_idx ? -1 : 1;
	if (x->hook != y->hook)
		return x->hook < y->hook ? -1 : 1;
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void check_attach_twins(const struct check *c)
{
	const struct weir_config_programs *programs = &c->config->programs;
	const struct weir_config_attach **v;
	size_t n = 0;

	for (size_t i = 0; i < programs->len; i++)
		n += programs->v[i].attach.len;
	v = weir_arena_calloc(c->load->arena, n, sizeof(*v));
	if (!v) {
		c->load->report.fatal = -ENOMEM;
		return;
	}
	n = 0;
	for (size_t i = 0; i < programs->len; i++)
		for (size_t j = 0; j < programs->v[i].attach.len; j++)
			v[n++] = &programs->v[i].attach.v[j];
	for (size_t i = 0; i < n; i++)
		((struct weir_config_attach *)v[i])->order = (uint32_t)i;
	qsort(v, n, sizeof(*v), compare_attaches);
	for (size_t i = 1; i < n; i++) {
		WEIR_DIAG_ON_STACK(name, 128);

		if (v[i]->port_idx != v[i - 1]->port_idx || v[i]->hook != v[i - 1]->hook ||
		    v[i]->priority != v[i - 1]->priority)
			continue;
		weir_diag_printf(&name, "%s/%s/%u", v[i]->port, weir_config_hook_name(v[i]->hook),
				 v[i]->priority);
		fault_twin(c, v[i - 1], v[i], "place ", name.buf, "another priority");
	}
}

void weir_config_check(struct weir_config_load *load, struct weir_config *config)
{
	const struct check c = {load, config};
	struct weir_config_report *report = &load->report;
	uint32_t before = report->errors;

	weir_config_places_sort(&load->places);
	check_workers(&c);
	for (size_t i = 0; i < config->ports.len; i++) {
		check_port(&c, (struct weir_config_port *)&config->ports.v[i]);
		check_overwrites(&c, &config->ports.v[i]);
		for (size_t j = 0; j < i; j++)
			check_port_twins(&c, &config->ports.v[j], &config->ports.v[i]);
	}
	for (size_t i = 0; i < config->programs.len; i++) {
		check_program(&c, (struct weir_config_program *)&config->programs.v[i]);
		for (size_t j = 0; j < i; j++)
			check_program_twins(&c, &config->programs.v[j], &config->programs.v[i]);
	}
	/* Needs the ports that the attachments name. */
	if (report->errors == before)
		check_attach_twins(&c);
}
