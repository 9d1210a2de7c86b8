/* SPDX-License-Identifier: BSD-3-Clause */
/* CO-RE relocations as vmlinux.h makes them. */
typedef unsigned int __u32;
typedef unsigned long long __u64;

enum core_mode { CORE_MODE_A, CORE_MODE_B = 7 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct xdp_md {
	__u32 data;
	__u32 data_end;
	__u32 data_meta;
	__u32 ingress_ifindex;
	__u32 rx_queue_index;
};

struct core_flags {
	__u64 low : 5;
	__u64 high : 20;
	int numbers[4];
};
#pragma clang attribute pop

struct core_flags core_flags;

__attribute__((section("xdp"), used)) int reads(struct xdp_md *ctx)
{
	struct core_flags *f = &core_flags;
	__u32 n = ctx->rx_queue_index;

	n += f->numbers[2];
	n += __builtin_preserve_field_info(f->high, 0);
	n += __builtin_preserve_field_info(f->high, 1);
	n += __builtin_preserve_field_info(f->high, 2);
	n += __builtin_preserve_field_info(f->high, 3);
	n += __builtin_preserve_field_info(f->high, 4);
	n += __builtin_preserve_field_info(f->high, 5);
	n += __builtin_btf_type_id(*f, 0);
	n += __builtin_btf_type_id(*f, 1);
	n += __builtin_preserve_type_info(*f, 0);
	n += __builtin_preserve_type_info(*f, 1);
	n += __builtin_preserve_enum_value(*(typeof(enum core_mode) *)CORE_MODE_B, 0);
	n += __builtin_preserve_enum_value(*(typeof(enum core_mode) *)CORE_MODE_B, 1);
	return n;
}
