/* SPDX-License-Identifier: BSD-3-Clause */
/* Names the kernel would provide: weak ones are absent. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

extern int weir_test_absent(int a) __ksym __weak;
extern const int weir_test_absent_var __ksym __weak;

SEC("xdp")
int uses(struct xdp_md *ctx)
{
	if (&weir_test_absent_var)
		return weir_test_absent(1);
	return XDP_PASS;
}
