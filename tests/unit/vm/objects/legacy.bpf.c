/* SPDX-License-Identifier: BSD-3-Clause */
/* As loaders before libbpf 1.0 took it: SEC("maps"), no debug information, loose section names. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct old_map_def {
	unsigned int type, key_size, value_size, max_entries, map_flags;
};

struct old_map_def SEC("maps") first = {BPF_MAP_TYPE_HASH, 4, 8, 16, BPF_F_NO_PREALLOC};
struct old_map_def SEC("maps") second = {BPF_MAP_TYPE_ARRAY, 4, 12, 3, 0};

SEC("classifier/ingress")
int ingress(struct __sk_buff *skb)
{
	__u32 key = 1;

	return bpf_map_lookup_elem(&second, &key) || bpf_map_lookup_elem(&first, &key);
}

SEC("kprobe/some_function")
int probe(void *ctx)
{
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
