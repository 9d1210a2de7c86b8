/* SPDX-License-Identifier: BSD-3-Clause */
#include "schema.h"

#include "weir/base/bits.h"

#include <string.h>

_Static_assert(sizeof(enum weir_log_level) == sizeof(int), "a word is stored as an int");
_Static_assert(sizeof(enum weir_config_hook) == sizeof(int), "a word is stored as an int");

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"
#define HEX   "0123456789abcdefABCDEF"

static bool made_of(const char *text, const char *set, size_t max_bytes)
{
	size_t len = strlen(text);

	return len && len <= max_bytes && strspn(text, set) == len;
}

static bool is_name(const char *text, size_t max_bytes)
{
	return text[0] >= 'a' && text[0] <= 'z' && made_of(text, LOWER DIGIT "_.-", max_bytes);
}

static bool is_port_name(const char *text)
{
	return is_name(text, 31);
}

static bool is_program_name(const char *text)
{
	return is_name(text, 63);
}

static bool is_any(const char *text)
{
	return text[0];
}

static bool is_path(const char *text)
{
	return text[0] && strlen(text) < 4096;
}

/* What EAL splits its device arguments at cannot stand in one. */
static bool is_plain_path(const char *text)
{
	return is_path(text) && !strpbrk(text, ",[]");
}

/* struct sockaddr_un holds 108 bytes. */
static bool is_socket_path(const char *text)
{
	return text[0] && strlen(text) < 108;
}

static bool is_group(const char *text)
{
	return made_of(text, LOWER UPPER DIGIT "_.-", 31) && text[0] != '-';
}

/* Linux's rule for names of interfaces, less what EAL splits its arguments at. */
static bool is_interface(const char *text)
{
	return made_of(text, LOWER UPPER DIGIT "_.-+@", 15) && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0;
}

/* [DDDD:]BB:DD.F at the start of the text; its end, or NULL. */
static const char *skip_pci_address(const char *s)
{
	size_t n = strspn(s, HEX);

	if (n >= 4 && n <= 8 && s[n] == ':') {
		s += n + 1;
		n = strspn(s, HEX);
	}
	if (n != 2 || s[2] != ':')
		return NULL;
	s += 3;
	if (strspn(s, HEX) != 2 || s[2] != '.' || s[3] < '0' || s[3] > '7')
		return NULL;
	return s + 4;
}

static const char *skip_vdev_name(const char *s)
{
	size_t n = strspn(s, LOWER UPPER DIGIT "_-");

	/* "net_" starts the name of every Ethernet driver; "eth_" that of some old ones. */
	if (n > 63 || (strncmp(s, "net_", 4) != 0 && strncmp(s, "eth_", 4) != 0) || n == 4)
		return NULL;
	return s + n;
}

static bool is_device(const char *text)
{
	const char *end = skip_pci_address(text);

	if (!end)
		end = skip_vdev_name(text);
	return end && (!*end || (*end == ',' && end[1])) && !strchr(text, ' ');
}

bool weir_config_device_is_pci(const char *device, size_t *len_bytes)
{
	const char *end = skip_pci_address(device);

	*len_bytes = end ? (size_t)(end - device) : strcspn(device, ",");
	return end;
}

/* "/a/b": absolute, no empty component, neither "." nor "..". */
static bool is_pin(const char *text)
{
	if (strlen(text) > 255 || text[0] != '/')
		return false;
	while (*text == '/') {
		size_t n = strcspn(++text, "/");

		if (!n || (text[0] == '.' && (n == 1 || (n == 2 && text[1] == '.'))))
			return false;
		text += n;
	}
	return true;
}

static bool is_symbol(const char *text)
{
	return made_of(text, LOWER UPPER DIGIT "_.$", 127);
}

static bool is_section(const char *text)
{
	return text[0] && strlen(text) <= 127 && !strpbrk(text, " \"'");
}

static const struct weir_config_format format_port_name = {
	"a name: a-z, then a-z, 0-9, _ . -, at most 31 characters", is_port_name};
static const struct weir_config_format format_program_name = {
	"a name: a-z, then a-z, 0-9, _ . -, at most 63 characters", is_program_name};
static const struct weir_config_format format_port_ref = {"the name of a port", is_port_name};
static const struct weir_config_format format_path = {"a path", is_path, .is_file = true};
static const struct weir_config_format format_object = {"a path", is_path};
static const struct weir_config_format format_plain_path = {"a path without , [ ]", is_plain_path,
							    .is_file = true};
static const struct weir_config_format format_socket = {"a path of at most 107 bytes",
							is_socket_path, .is_file = true};
static const struct weir_config_format format_group = {"the name of a group", is_group};
static const struct weir_config_format format_interface = {
	"the name of an interface: at most 15 of a-z, A-Z, 0-9, _ . - + @", is_interface};
static const struct weir_config_format format_device = {
	"a PCI address such as 0000:03:00.0 or a DPDK device such as net_null0,size=64", is_device};
static const struct weir_config_format format_pin = {
	"an absolute path without . and .., at most 255 bytes", is_pin};
static const struct weir_config_format format_symbol = {"a name as in C, at most 127 characters",
							is_symbol};
static const struct weir_config_format format_section = {
	"the name of an ELF section, at most 127 characters", is_section};
static const struct weir_config_format format_arg = {"an argument of EAL", is_any};

static const struct weir_config_word level_words[] = {
	{"error", WEIR_LOG_ERROR}, {"warning", WEIR_LOG_WARNING}, {"notice", WEIR_LOG_NOTICE},
	{"info", WEIR_LOG_INFO},   {"debug", WEIR_LOG_DEBUG},     {NULL},
};

static const struct weir_config_word hugepages_words[] = {
	{"auto", WEIR_CONFIG_HUGEPAGES_AUTO},
	{"require", WEIR_CONFIG_HUGEPAGES_REQUIRE},
	{"never", WEIR_CONFIG_HUGEPAGES_NEVER},
	{NULL},
};

const struct weir_config_word weir_config_hook_words[] = {
	{"xdp", WEIR_CONFIG_HOOK_XDP},
	{"tc", WEIR_CONFIG_HOOK_TC},
	{"tap", WEIR_CONFIG_HOOK_TAP},
	{NULL},
};

const struct weir_config_word weir_config_prog_type_words[] = {
	{"auto", WEIR_CONFIG_PROG_AUTO},
	{"xdp", WEIR_CONFIG_PROG_XDP},
	{"sched_cls", WEIR_CONFIG_PROG_SCHED_CLS},
	{"sched_act", WEIR_CONFIG_PROG_SCHED_ACT},
	{"socket_filter", WEIR_CONFIG_PROG_SOCKET_FILTER},
	{NULL},
};

/* A row: KEY(struct, member, "key", TYPE, "doc", further fields…). */
#define KEY(strct, member, key, T, text, ...)                                                     \
	{                                                                                         \
		.name = key, .type = WEIR_CONFIG_T_##T, .offset = offsetof(struct strct, member), \
		.doc = text, __VA_ARGS__                                                          \
	}
#define SECTION(strct, rows, text)                                      \
	{                                                               \
		.doc = text, .keys = rows, .len = WEIR_ARRAY_LEN(rows), \
		.size_bytes = sizeof(struct strct)                      \
	}
#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_S  1000000000ULL
#define KIB       1024ULL
#define MIB       (1024 * KIB)
#define GIB       (1024 * MIB)
#define TIB       (1024 * GIB)
#define LIVE      .effect = WEIR_CONFIG_LIVE
#define PORT      .effect = WEIR_CONFIG_PORT_RESTART
#define RESTART   .effect = WEIR_CONFIG_RESTART

/* clang-format off */
static const struct weir_config_key log_keys[] = {
	KEY(weir_config_log, level, "level", ENUM,
	    "The least severe message that is written.",
	    LIVE, .words = level_words, .fallback = "info"),
};
static const struct weir_config_section log_section =
	SECTION(weir_config_log, log_keys, "What weird writes to its log.");

static const struct weir_config_key control_keys[] = {
	KEY(weir_config_control, socket, "socket", TEXT,
	    "The control socket. `$WEIR_SOCKET` goes before it.",
	    RESTART, .format = &format_socket,
	    .unset = "`/run/weir/control.sock`; not root: `$XDG_RUNTIME_DIR/weir/control.sock`"),
	KEY(weir_config_control, mode, "mode", MODE,
	    "Permission bits of the socket.",
	    RESTART, .max = 0777, .fallback = "0660"),
	KEY(weir_config_control, group, "group", TEXT,
	    "Group of the socket; its members may read what there is.",
	    RESTART, .format = &format_group, .unset = "the daemon's own"),
};
static const struct weir_config_section control_section =
	SECTION(weir_config_control, control_keys, "Where clients such as weirctl connect.");

static const struct weir_config_key eal_keys[] = {
	KEY(weir_config_eal, memory_bytes, "memory", SIZE,
	    "Memory that DPDK takes at start.",
	    RESTART, .min = 16 * MIB, .max = TIB, .word = "auto", .fallback = "auto"),
	KEY(weir_config_eal, hugepages, "hugepages", ENUM,
	    "`auto` uses hugepages where there are any and warns where not; without them a packet costs "
	    "1.9 to 2.5 times as much.",
	    RESTART, .words = hugepages_words, .fallback = "auto"),
	KEY(weir_config_eal, main_cpu, "main-cpu", UINT,
	    "The CPU of the main thread, which polls nothing.",
	    RESTART, .max = 1023, .word = "any", .word_value = WEIR_CONFIG_ANY_CPU,
	    .fallback = "any"),
	KEY(weir_config_eal, mbufs, "mbufs", UINT,
	    "Packet buffers in the pool; `auto` counts queues and descriptors.",
	    RESTART, .min = 512, .max = 16777216, .word = "auto", .fallback = "auto"),
	KEY(weir_config_eal, log_level, "log-level", ENUM,
	    "The least severe message of DPDK that is passed on to weird's log.",
	    RESTART, .words = level_words, .fallback = "warning"),
	KEY(weir_config_eal, extra_args, "extra-args", TEXTS,
	    "Further arguments for EAL, one an entry, handed on as they are.",
	    RESTART, .max = 64, .format = &format_arg),
};
static const struct weir_config_section eal_section =
	SECTION(weir_config_eal, eal_keys, "DPDK's environment: memory, CPUs, log.");

static const struct weir_config_key worker_keys[] = {
	KEY(weir_config_worker, cpu, "cpu", UINT,
	    "The CPU that the worker runs on, alone if it can be.",
	    RESTART, .max = 1023, .word = "any", .word_value = WEIR_CONFIG_ANY_CPU,
	    .fallback = "any"),
};
static const struct weir_config_section worker_section =
	SECTION(weir_config_worker, worker_keys,
		"The threads that poll ports. A number, or a list with a mapping for each.");

static const struct weir_config_key idle_keys[] = {
	KEY(weir_config_idle, sleep_after_ns, "sleep-after", DURATION,
	    "A worker without packets for this long sleeps between polls.",
	    LIVE, .min = 10 * NS_PER_US, .max = 3600 * NS_PER_S, .word = "never",
	    .word_value = WEIR_CONFIG_NEVER_NS, .fallback = "10ms"),
	KEY(weir_config_idle, sleep_ns, "sleep", DURATION,
	    "How long each sleep is. 50us costs about 28 % of a core, 250us 8 %, 1ms 2 %; packets "
	    "that come meanwhile wait in the RX queue.",
	    LIVE, .min = NS_PER_US, .max = 100 * NS_PER_MS, .fallback = "250us"),
};
static const struct weir_config_section idle_section =
	SECTION(weir_config_idle, idle_keys, "What workers do without packets.");

static const struct weir_config_key directories_keys[] = {
	KEY(weir_config_directories, state, "state", TEXT,
	    "Reserved: nothing is kept there yet.",
	    RESTART, .format = &format_path,
	    .unset = "`/var/lib/weir`; not root: `$XDG_RUNTIME_DIR/weir/state`"),
	KEY(weir_config_directories, programs, "programs", TEXTS,
	    "Searched, in this order, for objects that are not beside the config file.",
	    RESTART, .max = 64, .format = &format_path,
	    .fallback = "/etc/weir/programs:/usr/lib/weir/programs"),
};
static const struct weir_config_section directories_section =
	SECTION(weir_config_directories, directories_keys, "Where files are.");

static const struct weir_config_key limits_keys[] = {
	KEY(weir_config_limits, connections, "connections", UINT,
	    "Connections to the control socket.",
	    RESTART, .min = 1, .max = 65536, .fallback = "256"),
	KEY(weir_config_limits, objects, "objects", UINT,
	    "Open descriptors of programs, maps, BTF objects and links.",
	    RESTART, .min = 1, .max = 1048576, .fallback = "4096"),
	KEY(weir_config_limits, in_flight_bytes, "in-flight", SIZE,
	    "Requests and replies that are being read, worked on or written.",
	    RESTART, .min = 64 * KIB, .max = 16 * GIB, .fallback = "64MiB"),
	KEY(weir_config_limits, memory_bytes, "memory", SIZE,
	    "Memory of maps, programs and BTF objects.",
	    RESTART, .min = MIB, .max = 16 * TIB, .fallback = "4GiB"),
	KEY(weir_config_limits, instructions, "instructions", COUNT,
	    "Instructions of programs that wait for the verifier or are in it.",
	    RESTART, .min = 4096, .max = 1000000000, .fallback = "4000000"),
};
static const struct weir_config_section limits_section =
	SECTION(weir_config_limits, limits_keys, "What each client (a user id) may take at once.");

static const struct weir_config_key pcap_keys[] = {
	KEY(weir_config_pcap, rx, "rx", TEXTS,
	    "Captures to replay, one RX queue each. Relative to the config file.",
	    PORT, .max = WEIR_CONFIG_MAX_RX_QUEUES, .format = &format_plain_path),
	KEY(weir_config_pcap, tx, "tx", TEXT,
	    "Capture that what is sent is written to.",
	    PORT, .format = &format_plain_path, .unset = "sent packets are counted and dropped"),
	KEY(weir_config_pcap, infinite, "infinite", BOOL,
	    "Replay for ever; packets must fit one buffer.",
	    PORT, .fallback = "false"),
};
static const struct weir_config_section pcap_section =
	SECTION(weir_config_pcap, pcap_keys, "A port that replays captures. At least one of the two files.");

static const struct weir_config_key tap_keys[] = {
	KEY(weir_config_tap, interface, "interface", TEXT,
	    "Name of the kernel interface to make.",
	    PORT, .required = true, .format = &format_interface),
};
static const struct weir_config_section tap_section =
	SECTION(weir_config_tap, tap_keys, "A port whose other end is an interface of this kernel.");

static const struct weir_config_key pass_keys[] = {
	KEY(weir_config_pass, to, "to", TEXT,
	    "The port that passed packets are sent to.",
	    PORT, .required = true, .format = &format_port_ref),
};
static const struct weir_config_section pass_section =
	SECTION(weir_config_pass, pass_keys,
		"What becomes of a packet that every program let through. `pass: drop` drops and counts it.");

static const struct weir_config_key port_keys[] = {
	KEY(weir_config_port, name, "name", TEXT,
	    "What the port is called everywhere; unique.",
	    PORT, .required = true, .format = &format_port_name),
	KEY(weir_config_port, device, "device", TEXT,
	    "PCI address or DPDK virtual device, perhaps with its arguments.",
	    PORT, .format = &format_device),
	KEY(weir_config_port, pcap, "pcap", SECTION,
	    "Replay captures.", PORT, .section = &pcap_section),
	KEY(weir_config_port, tap, "tap", SECTION,
	    "Make a kernel interface.", PORT, .section = &tap_section),
	KEY(weir_config_port, interface, "interface", TEXT,
	    "A kernel interface that there is, through af_packet.",
	    PORT, .format = &format_interface),
	KEY(weir_config_port, required, "required", BOOL,
	    "Whether weird refuses to start without the port; if not, its status is then degraded.",
	    RESTART, .fallback = "true"),
	KEY(weir_config_port, take_over, "take-over", BOOL,
	    "Take the device even if it carries the default route.",
	    PORT, .fallback = "false"),
	KEY(weir_config_port, rx_queues, "rx-queues", UINT,
	    "RX queues. A pcap port has one a file.",
	    PORT, .min = 1, .max = WEIR_CONFIG_MAX_RX_QUEUES, .fallback = "1"),
	KEY(weir_config_port, tx_queues, "tx-queues", UINT,
	    "TX queues; `auto`: one for each worker that may send, as far as the device has them.",
	    PORT, .min = 1, .max = 128, .word = "auto", .fallback = "auto"),
	KEY(weir_config_port, rx_descriptors, "rx-descriptors", UINT,
	    "Descriptors of each RX queue; the driver may round.",
	    PORT, .min = 32, .max = 32768, .fallback = "1024"),
	KEY(weir_config_port, tx_descriptors, "tx-descriptors", UINT,
	    "Descriptors of each TX queue; the driver may round.",
	    PORT, .min = 32, .max = 32768, .fallback = "1024"),
	KEY(weir_config_port, mtu_bytes, "mtu", UINT,
	    "MTU in bytes; `auto` leaves the device's.",
	    PORT, .min = 68, .max = 65535, .word = "auto", .fallback = "auto"),
	KEY(weir_config_port, promiscuous, "promiscuous", BOOL,
	    "Receive frames for other stations too.",
	    PORT, .fallback = "true"),
	KEY(weir_config_port, workers, "workers", NUMBERS,
	    "RX queue q is served by entry q modulo length; `auto` spreads the queues of all ports "
	    "over all workers in turn.",
	    PORT, .max = WEIR_CONFIG_MAX_WORKERS - 1, .word = "auto", .fallback = "auto"),
	KEY(weir_config_port, pass, "pass", SECTION,
	    "Where passed packets go.",
	    PORT, .section = &pass_section, .word = "drop", .fallback = "drop"),
};
const struct weir_config_section weir_config_port_section =
	SECTION(weir_config_port, port_keys,
		"Exactly one of `device`, `pcap`, `tap` and `interface` says what the port is.");

static const struct weir_config_key attach_keys[] = {
	KEY(weir_config_attach, port, "port", TEXT,
	    "The port.",
	    RESTART, .required = true, .format = &format_port_ref),
	KEY(weir_config_attach, queues, "queues", QUEUES,
	    "The RX queues whose packets the program sees.",
	    RESTART, .word = "all", .word_value = WEIR_CONFIG_ALL_QUEUES, .fallback = "all"),
	KEY(weir_config_attach, hook, "hook", ENUM,
	    "The hook. Left out, it follows `type`: sched_cls and sched_act run at tc, socket_filter at "
	    "tap, all else at xdp.",
	    RESTART, .words = weir_config_hook_words, .fallback = "xdp"),
	KEY(weir_config_attach, priority, "priority", UINT,
	    "Programs at a hook run from the lowest to the highest.",
	    RESTART, .min = 1, .max = 65535, .fallback = "50"),
};
const struct weir_config_section weir_config_attach_section =
	SECTION(weir_config_attach, attach_keys,
		"Where the program runs. PORT/HOOK/PRIORITY is unique over all programs.");

static const struct weir_config_key map_keys[] = {
	KEY(weir_config_map, name, "name", TEXT,
	    "The map's name in the object.",
	    RESTART, .required = true, .format = &format_symbol),
	KEY(weir_config_map, pin, "pin", TEXT,
	    "Pin the map there, or use the one that is pinned there.",
	    RESTART, .required = true, .format = &format_pin),
};
static const struct weir_config_section map_section =
	SECTION(weir_config_map, map_keys, "Maps to be pinned by name, besides what the object itself asks for.");

static const struct weir_config_key program_keys[] = {
	KEY(weir_config_program, name, "name", TEXT,
	    "What this file and weird's log call the program; unique. weirctl shows the function's name.",
	    RESTART, .required = true, .format = &format_program_name),
	KEY(weir_config_program, object, "object", TEXT,
	    "BPF object file: absolute, beside the config file, or in `directories.programs`.",
	    RESTART, .required = true, .format = &format_object),
	KEY(weir_config_program, program, "program", TEXT,
	    "Name of the function in the object.",
	    RESTART, .format = &format_symbol, .unset = "the object's only program"),
	KEY(weir_config_program, section, "section", TEXT,
	    "ELF section of the program, instead of `program`.",
	    RESTART, .format = &format_section),
	KEY(weir_config_program, type, "type", ENUM,
	    "Program type; `auto` takes it from the section's name.",
	    RESTART, .words = weir_config_prog_type_words, .fallback = "auto"),
	KEY(weir_config_program, pin, "pin", TEXT,
	    "Pin the program there.",
	    RESTART, .format = &format_pin, .unset = "not pinned"),
	KEY(weir_config_program, attach, "attach", LIST,
	    "Where the program runs; none: it is only loaded.",
	    RESTART, .max = 1024, .section = &weir_config_attach_section),
	KEY(weir_config_program, maps, "maps", LIST,
	    "Maps to pin.",
	    RESTART, .max = 1024, .section = &map_section),
	KEY(weir_config_program, allow_stubs, "allow-stubs", BOOL,
	    "Attach although the program calls helpers that weir only has as stubs.",
	    RESTART, .fallback = "false"),
};
const struct weir_config_section weir_config_program_section =
	SECTION(weir_config_program, program_keys, "BPF programs to load and attach at start.");

static const struct weir_config_key root_keys[] = {
	KEY(weir_config, version, "version", UINT,
	    "Version of this format.",
	    RESTART, .min = 1, .max = 1, .fallback = "1"),
	KEY(weir_config, log, "log", SECTION,
	    "The log.", LIVE, .section = &log_section),
	KEY(weir_config, control, "control", SECTION,
	    "The control socket.", RESTART, .section = &control_section),
	KEY(weir_config, eal, "eal", SECTION,
	    "DPDK's environment.", RESTART, .section = &eal_section),
	KEY(weir_config, workers, "workers", WORKERS,
	    "How many workers, or the list of them.",
	    RESTART, .min = 1, .max = WEIR_CONFIG_MAX_WORKERS, .fallback = "1",
	    .section = &worker_section),
	KEY(weir_config, idle, "idle", SECTION,
	    "Sleep without packets.", LIVE, .section = &idle_section),
	KEY(weir_config, run_budget_ns, "run-budget", DURATION,
	    "The longest a program may work on one packet; beyond it the run is aborted, and three in "
	    "a second detach the program.",
	    LIVE, .min = 10 * NS_PER_US, .max = NS_PER_S, .fallback = "1ms"),
	KEY(weir_config, drain_ns, "drain", DURATION,
	    "How long a stop waits for packets in flight.",
	    LIVE, .min = 0, .max = 10 * NS_PER_S, .fallback = "200ms"),
	KEY(weir_config, directories, "directories", SECTION,
	    "Where files are.", RESTART, .section = &directories_section),
	KEY(weir_config, limits, "limits", SECTION,
	    "Limits of a client.", RESTART, .section = &limits_section),
	KEY(weir_config, ports, "ports", LIST,
	    "The ports; none: the control plane alone.",
	    PORT, .appends = true, .max = WEIR_CONFIG_MAX_PORTS, .section = &weir_config_port_section),
	KEY(weir_config, programs, "programs", LIST,
	    "The programs.",
	    LIVE, .appends = true, .max = WEIR_CONFIG_MAX_PROGRAMS,
	    .section = &weir_config_program_section),
};
/* clang-format on */
const struct weir_config_section weir_config_root_section =
	SECTION(weir_config, root_keys, "The file itself.");

static const char *word_name(const struct weir_config_word *words, int value)
{
	for (; words->name; words++)
		if (words->value == value)
			return words->name;
	return "?";
}

const char *weir_config_hook_name(enum weir_config_hook hook)
{
	return word_name(weir_config_hook_words, (int)hook);
}

const char *weir_config_prog_type_name(enum weir_config_prog_type type)
{
	return word_name(weir_config_prog_type_words, (int)type);
}
