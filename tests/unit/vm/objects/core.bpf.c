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
	__u32 widened;
	int gone;
};

struct core_gone {
	int a;
};

struct core_flavoured___old {
	int moved;
};
#pragma clang attribute pop

struct core_flags core_flags;
struct core_flavoured___old core_flavoured;
struct core_gone core_gone;

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
	n += f->widened;
	n += core_flavoured.moved;
	n += __builtin_preserve_field_info(f->gone, 2);
	if (__builtin_preserve_type_info(*(struct core_gone *)0, 0))
		n += __builtin_preserve_field_info(core_gone.a, 0);
	n += __builtin_preserve_type_info(*(struct core_gone *)0, 1);
	return n;
}
