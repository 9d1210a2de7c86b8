/* SPDX-License-Identifier: BSD-3-Clause */
/* Types of many shapes, for printing and parsing values. */
#include <linux/bpf.h>
#include <linux/in6.h>

#include <bpf/bpf_helpers.h>

enum mode { MODE_OFF, MODE_ON = 5 };
enum signed_mode { MODE_NEG = -2, MODE_POS = 2 };

struct shapes {
	__u8 u8;
	__s16 s16;
	_Bool flag;
	enum mode mode;
	enum signed_mode signed_mode;
	char name[8];
	__u32 numbers[3];
	__be32 ip;
	struct in6_addr ip6;
	__u8 mac[6];
	__u32 low : 3;
	__s32 high : 5;
	union {
		__u32 word;
		__u16 halves[2];
	};
	struct {
		__u64 x;
		void *p;
	} in;
};

struct shapes shapes;

SEC("xdp")
int touch(struct xdp_md *ctx)
{
	shapes.u8++;
	return XDP_PASS;
}
