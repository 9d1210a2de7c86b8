/* SPDX-License-Identifier: BSD-3-Clause */
/* The other side of core.bpf.c: same names, other places. */
typedef unsigned int __u32;
typedef unsigned long long __u64;

enum core_mode { CORE_MODE_A, CORE_MODE_C, CORE_MODE_B = 11 };

struct xdp_md {
	__u32 data;
	__u32 data_end;
	__u32 data_meta;
	__u32 ingress_ifindex;
	__u32 added;
	__u32 rx_queue_index;
};

struct core_flags {
	__u32 added[3];
	__u32 between : 9;
	__u32 high : 20;
	struct {
		__u64 low : 5;
		int numbers[8];
	};
	__u64 widened;
};

struct core_flavoured {
	__u64 added;
	int moved;
};

struct core_flags core_flags;
struct core_flavoured core_flavoured;
enum core_mode core_mode;

__attribute__((section("xdp"), used)) int unused(struct xdp_md *ctx)
{
	return core_flags.widened + core_flavoured.moved + core_mode;
}
