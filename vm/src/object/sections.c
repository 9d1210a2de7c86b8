/* SPDX-License-Identifier: BSD-3-Clause */
/* The one table of section names: what libbpf's users write and which program it makes. */
#include <errno.h>
#include <string.h>

#include "weir/base/bits.h"
#include "weir/vm/object.h"

/* Attach types newer than the oldest headers weir builds with (Linux 6.18's user API). */
#define ATTACH_TCX_INGRESS    46
#define ATTACH_TCX_EGRESS     47
#define ATTACH_NETKIT_PRIMARY 54
#define ATTACH_NETKIT_PEER    55
#define PROG_TYPE_NETFILTER   32

enum match {
	EXACT,  /* the name itself */
	BELOW,  /* the name, or name/anything */
	PREFIX, /* anything that starts so: what loaders before libbpf 1.0 took */
};

struct section_row {
	const char *name;
	enum match match;
	uint32_t prog_type;
	uint32_t attach_type;
	uint32_t prog_flags;
};

/* The first row that fits counts, so longer names stand before their prefixes. */
static const struct section_row rows[] = {
	{"xdp.frags/devmap", EXACT, BPF_PROG_TYPE_XDP, BPF_XDP_DEVMAP, BPF_F_XDP_HAS_FRAGS},
	{"xdp/devmap", EXACT, BPF_PROG_TYPE_XDP, BPF_XDP_DEVMAP, 0},
	{"xdp_devmap/", PREFIX, BPF_PROG_TYPE_XDP, BPF_XDP_DEVMAP, 0},
	{"xdp.frags/cpumap", EXACT, BPF_PROG_TYPE_XDP, BPF_XDP_CPUMAP, BPF_F_XDP_HAS_FRAGS},
	{"xdp/cpumap", EXACT, BPF_PROG_TYPE_XDP, BPF_XDP_CPUMAP, 0},
	{"xdp_cpumap/", PREFIX, BPF_PROG_TYPE_XDP, BPF_XDP_CPUMAP, 0},
	{"xdp.frags", BELOW, BPF_PROG_TYPE_XDP, BPF_XDP, BPF_F_XDP_HAS_FRAGS},
	{"xdp", PREFIX, BPF_PROG_TYPE_XDP, BPF_XDP, 0},
	{"tc/ingress", EXACT, BPF_PROG_TYPE_SCHED_CLS, ATTACH_TCX_INGRESS, 0},
	{"tc/egress", EXACT, BPF_PROG_TYPE_SCHED_CLS, ATTACH_TCX_EGRESS, 0},
	{"tcx/ingress", EXACT, BPF_PROG_TYPE_SCHED_CLS, ATTACH_TCX_INGRESS, 0},
	{"tcx/egress", EXACT, BPF_PROG_TYPE_SCHED_CLS, ATTACH_TCX_EGRESS, 0},
	{"netkit/primary", EXACT, BPF_PROG_TYPE_SCHED_CLS, ATTACH_NETKIT_PRIMARY, 0},
	{"netkit/peer", EXACT, BPF_PROG_TYPE_SCHED_CLS, ATTACH_NETKIT_PEER, 0},
	{"tc", BELOW, BPF_PROG_TYPE_SCHED_CLS, 0, 0},
	{"classifier", PREFIX, BPF_PROG_TYPE_SCHED_CLS, 0, 0},
	{"action", PREFIX, BPF_PROG_TYPE_SCHED_ACT, 0, 0},
	{"socket", PREFIX, BPF_PROG_TYPE_SOCKET_FILTER, 0, 0},
	/* Known to libbpf, not run by weir. */
	{"sk_reuseport/migrate", EXACT, BPF_PROG_TYPE_SK_REUSEPORT, 0, 0},
	{"sk_reuseport", BELOW, BPF_PROG_TYPE_SK_REUSEPORT, 0, 0},
	{"kprobe", PREFIX, BPF_PROG_TYPE_KPROBE, 0, 0},
	{"kretprobe", PREFIX, BPF_PROG_TYPE_KPROBE, 0, 0},
	{"uprobe", PREFIX, BPF_PROG_TYPE_KPROBE, 0, 0},
	{"uretprobe", PREFIX, BPF_PROG_TYPE_KPROBE, 0, 0},
	{"ksyscall", PREFIX, BPF_PROG_TYPE_KPROBE, 0, 0},
	{"kretsyscall", PREFIX, BPF_PROG_TYPE_KPROBE, 0, 0},
	{"usdt", PREFIX, BPF_PROG_TYPE_KPROBE, 0, 0},
	{"tracepoint", PREFIX, BPF_PROG_TYPE_TRACEPOINT, 0, 0},
	{"tp_btf", PREFIX, BPF_PROG_TYPE_TRACING, 0, 0},
	{"tp", BELOW, BPF_PROG_TYPE_TRACEPOINT, 0, 0},
	{"raw_tracepoint", PREFIX, BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0},
	{"raw_tp", PREFIX, BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0},
	{"fentry", PREFIX, BPF_PROG_TYPE_TRACING, 0, 0},
	{"fexit", PREFIX, BPF_PROG_TYPE_TRACING, 0, 0},
	{"fmod_ret", PREFIX, BPF_PROG_TYPE_TRACING, 0, 0},
	{"iter", PREFIX, BPF_PROG_TYPE_TRACING, 0, 0},
	{"freplace", PREFIX, BPF_PROG_TYPE_EXT, 0, 0},
	{"lsm", PREFIX, BPF_PROG_TYPE_LSM, 0, 0},
	{"syscall", EXACT, BPF_PROG_TYPE_SYSCALL, 0, 0},
	{"perf_event", PREFIX, BPF_PROG_TYPE_PERF_EVENT, 0, 0},
	{"lwt_in", PREFIX, BPF_PROG_TYPE_LWT_IN, 0, 0},
	{"lwt_out", PREFIX, BPF_PROG_TYPE_LWT_OUT, 0, 0},
	{"lwt_xmit", PREFIX, BPF_PROG_TYPE_LWT_XMIT, 0, 0},
	{"lwt_seg6local", PREFIX, BPF_PROG_TYPE_LWT_SEG6LOCAL, 0, 0},
	{"sockops", PREFIX, BPF_PROG_TYPE_SOCK_OPS, 0, 0},
	{"sk_skb", PREFIX, BPF_PROG_TYPE_SK_SKB, 0, 0},
	{"sk_msg", PREFIX, BPF_PROG_TYPE_SK_MSG, 0, 0},
	{"sk_lookup", PREFIX, BPF_PROG_TYPE_SK_LOOKUP, 0, 0},
	{"lirc_mode2", PREFIX, BPF_PROG_TYPE_LIRC_MODE2, 0, 0},
	{"flow_dissector", PREFIX, BPF_PROG_TYPE_FLOW_DISSECTOR, 0, 0},
	{"cgroup_skb", PREFIX, BPF_PROG_TYPE_CGROUP_SKB, 0, 0},
	{"cgroup/skb", EXACT, BPF_PROG_TYPE_CGROUP_SKB, 0, 0},
	{"cgroup/dev", EXACT, BPF_PROG_TYPE_CGROUP_DEVICE, 0, 0},
	{"cgroup/sysctl", EXACT, BPF_PROG_TYPE_CGROUP_SYSCTL, 0, 0},
	{"cgroup/getsockopt", EXACT, BPF_PROG_TYPE_CGROUP_SOCKOPT, 0, 0},
	{"cgroup/setsockopt", EXACT, BPF_PROG_TYPE_CGROUP_SOCKOPT, 0, 0},
	{"cgroup/sock", EXACT, BPF_PROG_TYPE_CGROUP_SOCK, 0, 0},
	{"cgroup/sock_", PREFIX, BPF_PROG_TYPE_CGROUP_SOCK, 0, 0},
	{"cgroup/post_bind", PREFIX, BPF_PROG_TYPE_CGROUP_SOCK, 0, 0},
	{"cgroup/", PREFIX, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 0, 0},
	{"struct_ops", PREFIX, BPF_PROG_TYPE_STRUCT_OPS, 0, 0},
	{"netfilter", EXACT, PROG_TYPE_NETFILTER, 0, 0},
};

static bool row_fits(const struct section_row *row, const char *section)
{
	size_t len = strlen(row->name);

	if (strncmp(section, row->name, len))
		return false;
	switch (row->match) {
	case EXACT: return !section[len];
	case BELOW: return !section[len] || section[len] == '/';
	case PREFIX: return true;
	}
	return false;
}

int weir_section_parse(const char *section, uint32_t *prog_type, uint32_t *attach_type,
		       uint32_t *prog_flags)
{
	if (*section == '?')
		section++;
	for (size_t i = 0; i < WEIR_ARRAY_LEN(rows); i++) {
		if (!row_fits(&rows[i], section))
			continue;
		*prog_type = rows[i].prog_type;
		*attach_type = rows[i].attach_type;
		*prog_flags = rows[i].prog_flags;
		return 0;
	}
	return -EINVAL;
}
