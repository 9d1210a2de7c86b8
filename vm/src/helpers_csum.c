/* SPDX-License-Identifier: BSD-3-Clause */
/* Checksum helpers. Offsets and flags are the program's; results are Linux 6.18's bit for bit. */
#include <errno.h>

#include "csum.h"
#include "helpers.h"
#include "weir/vm/pkt.h"

#ifndef BPF_F_IPV6
#define BPF_F_IPV6 (1ULL << 7)
#endif
#define CSUM_MANGLED_0 0xffff
#define LINUX_ENOTSUPP 524 /* what Linux returns; not in errno.h */

WEIR_HELPER_FUNC(weir_hf_csum_diff)
{
	const void *from = (const void *)(uintptr_t)r1, *to = (const void *)(uintptr_t)r3;
	uint32_t from_bytes = (uint32_t)r2, to_bytes = (uint32_t)r4, sum = (uint32_t)r5;

	if (from_bytes && to_bytes)
		sum = csum_sub(csum_bytes(to, to_bytes, sum), csum_bytes(from, from_bytes, 0));
	else if (to_bytes)
		sum = csum_bytes(to, to_bytes, sum);
	else if (from_bytes)
		sum = ~csum_bytes(from, from_bytes, ~sum);
	return csum_to_16(sum);
}

/* The checksum field at off, if it is one: even, within 64 KiB, inside the packet. */
static int field_load(struct weir_skb_ctx *skb, uint32_t off, uint16_t *field)
{
	if (off > 0xffff || off & 1)
		return -EFAULT;
	return weir_pkt_load(&skb->pkt, off, field, sizeof(*field));
}

WEIR_HELPER_FUNC(weir_hf_l3_csum_replace)
{
	struct weir_skb_ctx *skb = (struct weir_skb_ctx *)(uintptr_t)r1;
	uint16_t field;
	int err;

	if (r5 & ~(uint64_t)BPF_F_HDR_FIELD_MASK)
		return (uint64_t)-EINVAL;
	err = field_load(skb, (uint32_t)r2, &field);
	if (err)
		return (uint64_t)err;
	switch (r5) {
	case 0:
		if (r3)
			return (uint64_t)-EINVAL;
		field = csum_field_diff(field, (uint32_t)r4);
		break;
	case 2: field = csum_field_replace16(field, (uint16_t)r3, (uint16_t)r4); break;
	case 4: field = csum_field_replace(field, (uint32_t)r3, (uint32_t)r4); break;
	default: return (uint64_t)-EINVAL;
	}
	return (uint64_t)(int64_t)weir_pkt_store(&skb->pkt, (uint32_t)r2, &field, sizeof(field));
}

WEIR_HELPER_FUNC(weir_hf_l4_csum_replace)
{
	const uint64_t known = BPF_F_MARK_MANGLED_0 | BPF_F_MARK_ENFORCE | BPF_F_PSEUDO_HDR |
			       BPF_F_HDR_FIELD_MASK | BPF_F_IPV6;
	struct weir_skb_ctx *skb = (struct weir_skb_ctx *)(uintptr_t)r1;
	uint16_t field;
	int err;

	if (r5 & ~known)
		return (uint64_t)-EINVAL;
	err = field_load(skb, (uint32_t)r2, &field);
	if (err)
		return (uint64_t)err;
	/* A UDP field of zero says "no checksum": it stays, unless enforced. */
	if ((r5 & BPF_F_MARK_MANGLED_0) && !(r5 & BPF_F_MARK_ENFORCE) && !field)
		return 0;
	switch (r5 & BPF_F_HDR_FIELD_MASK) {
	case 0:
		if (r3)
			return (uint64_t)-EINVAL;
		field = csum_field_diff(field, (uint32_t)r4);
		break;
	case 2: field = csum_field_replace(field, (uint16_t)r3, (uint16_t)r4); break;
	case 4: field = csum_field_replace(field, (uint32_t)r3, (uint32_t)r4); break;
	default: return (uint64_t)-EINVAL;
	}
	if ((r5 & BPF_F_MARK_MANGLED_0) && !field)
		field = CSUM_MANGLED_0;
	return (uint64_t)(int64_t)weir_pkt_store(&skb->pkt, (uint32_t)r2, &field, sizeof(field));
}

/* weir's packets carry no sum of the whole packet (Linux's CHECKSUM_COMPLETE) to update. */
WEIR_HELPER_FUNC(weir_hf_csum_update)
{
	return (uint64_t)-LINUX_ENOTSUPP;
}
