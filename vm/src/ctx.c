/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The contexts of Linux, field by field, and who may touch them how. The rules are Linux 6.18's;
 * the test asks the running kernel about every offset, size and direction.
 *
 * Fields that Linux keeps in fewer bits (queue_mapping, tc_index, tc_classid, …) have a run_bytes
 * to match: a store keeps the low half, as there.
 */
#include "weir/base/bits.h"
#include "weir/vm/bpf.h"
#include "weir/vm/pkt.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "half-word run-time fields lie at the word's start");
_Static_assert(offsetof(struct weir_xdp_ctx, pkt) == 0 && offsetof(struct weir_skb_ctx, pkt) == 0 &&
		       offsetof(struct weir_pkt, data) == 0 &&
		       offsetof(struct weir_pkt, data_end) == 8 &&
		       offsetof(struct weir_pkt, data_meta) == 16,
	       "lowered programs read the bounds at offsets 0, 8 and 16");

#define FIELD(ctx, run, nm, run_field, size, k, wr, nrw)                         \
	{                                                                        \
		.name = #nm, .off = offsetof(struct ctx, nm),                    \
		.bytes = sizeof(((struct ctx *)0)->nm),                          \
		.run_off = offsetof(struct run, run_field), .run_bytes = (size), \
		.kind = WEIR_CTX_##k, .writable = (wr), .narrow = (nrw),         \
	}
#define XDP(nm, run_field, size, k) \
	FIELD(xdp_md, weir_xdp_ctx, nm, run_field, size, k, false, false)
#define SKB(nm, size, wr, nrw) FIELD(__sk_buff, weir_skb_ctx, nm, nm, size, SCALAR, wr, nrw)
#define SKB_PKT(nm, run_field, k) \
	FIELD(__sk_buff, weir_skb_ctx, nm, pkt.run_field, 8, k, false, false)

static const struct weir_ctx_field xdp_fields[] = {
	XDP(data, pkt.data, 8, DATA),
	XDP(data_end, pkt.data_end, 8, DATA_END),
	XDP(data_meta, pkt.data_meta, 8, DATA_META),
	XDP(ingress_ifindex, ingress_ifindex, 4, SCALAR),
	XDP(rx_queue_index, rx_queue_index, 4, SCALAR),
	XDP(egress_ifindex, egress_ifindex, 4, SCALAR),
};

static const struct weir_ctx_field skb_fields[] = {
	FIELD(__sk_buff, weir_skb_ctx, len, pkt, 4, LEN, false, true),
	SKB(pkt_type, 1, false, true),
	SKB(mark, 4, true, true),
	SKB(queue_mapping, 2, true, true),
	SKB(protocol, 2, false, true),
	SKB(vlan_present, 4, false, true),
	SKB(vlan_tci, 2, false, true),
	SKB(vlan_proto, 2, false, true),
	SKB(priority, 4, true, true),
	SKB(ingress_ifindex, 4, false, true),
	SKB(ifindex, 4, false, true),
	SKB(tc_index, 2, true, true),
	SKB(cb, 20, true, true),
	SKB(hash, 4, false, true),
	SKB(tc_classid, 2, true, true),
	SKB_PKT(data, data, DATA),
	SKB_PKT(data_end, data_end, DATA_END),
	SKB(napi_id, 4, false, true),
	SKB(family, 4, false, false),
	SKB(remote_ip4, 4, false, false),
	SKB(local_ip4, 4, false, false),
	SKB(remote_ip6, 16, false, false),
	SKB(local_ip6, 16, false, false),
	SKB(remote_port, 4, false, false),
	SKB(local_port, 4, false, false),
	SKB_PKT(data_meta, data_meta, DATA_META),
	SKB(tstamp, 8, true, false),
	SKB(wire_len, 4, false, true),
	SKB(gso_segs, 2, false, true),
	FIELD(__sk_buff, weir_skb_ctx, sk, pkt, 8, PTR, false, false),
	SKB(gso_size, 2, false, true),
	SKB(tstamp_type, 1, false, false),
	SKB(hwtstamp, 8, false, false),
};

#define OFF(nm) offsetof(struct __sk_buff, nm)

const struct weir_ctx_field *weir_ctx_fields(uint32_t prog_type, size_t *count)
{
	switch (prog_type) {
	case BPF_PROG_TYPE_XDP: *count = WEIR_ARRAY_LEN(xdp_fields); return xdp_fields;
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
	case BPF_PROG_TYPE_SOCKET_FILTER: *count = WEIR_ARRAY_LEN(skb_fields); return skb_fields;
	default: return NULL;
	}
}

static const struct weir_ctx_field *field_at(uint32_t prog_type, uint32_t off)
{
	size_t count = 0;
	const struct weir_ctx_field *f = weir_ctx_fields(prog_type, &count);

	for (size_t i = 0; i < count; i++)
		if (off >= f[i].off && off < (uint32_t)f[i].off + f[i].bytes)
			return &f[i];
	return NULL;
}

static bool xdp_access_ok(const struct weir_ctx_field *f, uint32_t attach_type, uint32_t bytes,
			  bool write)
{
	if (f->off == offsetof(struct xdp_md, egress_ifindex) && attach_type != BPF_XDP_DEVMAP)
		return false;
	return bytes == 4 && !write;
}

/* What all programs on a __sk_buff have in common: which sizes a field takes. */
static bool skb_size_ok(const struct weir_ctx_field *f, uint32_t off, uint32_t bytes, bool write)
{
	switch (f->kind) {
	case WEIR_CTX_DATA:
	case WEIR_CTX_DATA_END:
	case WEIR_CTX_DATA_META: return bytes == 4;
	case WEIR_CTX_PTR: return bytes == 8;
	default: break;
	}
	switch (f->off) {
	case OFF(cb): return off + bytes <= OFF(cb) + f->bytes;
	case OFF(tstamp):
	case OFF(hwtstamp): return bytes == 8;
	case OFF(tstamp_type): return bytes == 1;
	default: return write ? bytes == 4 : bytes <= 4;
	}
}

static bool is_sock_field(const struct weir_ctx_field *f)
{
	return f->off >= OFF(family) && f->off <= OFF(local_port);
}

static bool cls_access_ok(const struct weir_ctx_field *f, bool write)
{
	return !is_sock_field(f) && (!write || f->writable);
}

static bool filter_access_ok(const struct weir_ctx_field *f, bool write)
{
	if (is_sock_field(f) || f->kind == WEIR_CTX_DATA || f->kind == WEIR_CTX_DATA_END ||
	    f->kind == WEIR_CTX_DATA_META)
		return false;
	switch (f->off) {
	case OFF(tc_classid):
	case OFF(tstamp):
	case OFF(wire_len):
	case OFF(tstamp_type):
	case OFF(hwtstamp): return false;
	default: return !write || f->off == OFF(cb);
	}
}

const struct weir_ctx_field *weir_ctx_may_access(uint32_t prog_type, uint32_t attach_type, int off,
						 uint32_t bytes, bool write)
{
	const struct weir_ctx_field *f;
	bool ok;

	if (off < 0 || !weir_is_pow2(bytes) || bytes > 8 || (uint32_t)off % bytes)
		return NULL;
	f = field_at(prog_type, (uint32_t)off);
	if (!f)
		return NULL;
	switch (prog_type) {
	case BPF_PROG_TYPE_XDP: ok = xdp_access_ok(f, attach_type, bytes, write); break;
	case BPF_PROG_TYPE_SOCKET_FILTER:
		ok = filter_access_ok(f, write) && skb_size_ok(f, (uint32_t)off, bytes, write);
		break;
	default: ok = cls_access_ok(f, write) && skb_size_ok(f, (uint32_t)off, bytes, write); break;
	}
	return ok ? f : NULL;
}
