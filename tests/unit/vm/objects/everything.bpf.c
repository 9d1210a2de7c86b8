/* SPDX-License-Identifier: BSD-3-Clause */
/* Every feature of libbpf's conventions that the reader knows, in one object. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct flow {
	__u32 addr;
	__u16 port;
	__u16 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__type(key, struct flow);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} flows_with_a_rather_long_name SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 16);
	__uint(max_entries, 8);
	__uint(map_flags, BPF_F_RDONLY);
} counters SEC(".maps");

int xdp_second(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__array(values, int(void *));
} jumps SEC(".maps") = {
	.values = {[1] = (void *)&xdp_second, [3] = (void *)&xdp_second},
};

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} inner_a SEC(".maps"), inner_b SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = {[0] = &inner_b, [2] = &inner_a},
};

const volatile __u32 limit = 7;
const volatile __u32 table[4] SEC(".rodata.table") = {1, 2, 3, 4};
__u32 step = 3;
__u64 more SEC(".data.more") = 0x1122334455667788;
__u64 total;
__u32 seen SEC(".bss.seen");
static volatile __u32 hidden_count;

static __noinline int in_text(__u32 a)
{
	return a * limit + hidden_count;
}

__noinline int global_in_text(__u32 a)
{
	return in_text(a) + 1;
}

__attribute__((visibility("hidden"))) __noinline int hidden_in_text(__u32 a)
{
	hidden_count += a;
	return in_text(hidden_count);
}

static long each(__u32 i, void *arg)
{
	*(__u64 *)arg += table[i & 3];
	return 0;
}

SEC("xdp")
int xdp_first(struct xdp_md *ctx)
{
	struct flow key = {.addr = ctx->ingress_ifindex};
	__u64 *v = bpf_map_lookup_elem(&flows_with_a_rather_long_name, &key);
	__u64 sum = 0;
	__u32 zero = 0;

	bpf_loop(4, each, &sum, 0);
	total += sum + global_in_text(step);
	more++;
	seen++;
	if (v)
		__sync_fetch_and_add(v, 1);
	bpf_map_lookup_elem(&counters, &zero);
	bpf_tail_call(ctx, &jumps, 1);
	return XDP_PASS;
}

SEC("xdp")
int xdp_second(struct xdp_md *ctx)
{
	__u32 zero = 0;

	bpf_map_lookup_elem(&outer, &zero);
	return hidden_in_text(ctx->rx_queue_index) > 100 ? XDP_DROP : XDP_TX;
}

SEC("xdp.frags")
int xdp_frags(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("?tc")
int tc_not_loaded(struct __sk_buff *skb)
{
	return in_text(skb->mark);
}

SEC("socket")
int filter(struct __sk_buff *skb)
{
	return skb->len + global_in_text(1);
}

char _license[] SEC("license") = "GPL";
