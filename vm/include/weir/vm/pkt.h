/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet under a program, and the run-time contexts programs see it through.
 *
 * struct weir_pkt describes a packet without knowing where it lives: the first segment's bounds
 * and head and tail room, and a backend with four operations for what goes beyond it. Packet
 * helpers are written once against it. The daemon backs it by mbufs, TEST_RUN and offline tools by
 * a flat buffer.
 *
 *   hard_start <= data_meta <= data <= data_end <= hard_end
 *
 * [data_meta, data) is metadata, [data, data_end) the first segment's bytes (for programs without
 * frags: the whole packet), the rest is room. Owned by the thread that runs the program.
 */
#ifndef WEIR_VM_PKT_H
#define WEIR_VM_PKT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_pkt;

struct weir_pkt_ops {
	/* Makes at least `bytes` of head room: 0, or -ENOMEM/-EINVAL with the packet as it was. */
	int (*grow_head)(struct weir_pkt *pkt, uint32_t bytes);
	int (*add_segment)(struct weir_pkt *pkt, uint32_t bytes);
	int (*free_segment)(struct weir_pkt *pkt);
	/* Makes the packet one segment: data..data_end is then all of it. 0 or -ENOMEM. */
	int (*linearise)(struct weir_pkt *pkt);
	/* Copies [off, off + len) of the whole packet out of / into its segments. 0 or -EFAULT. */
	int (*load)(const struct weir_pkt *pkt, uint32_t off, void *to, uint32_t len);
	int (*store)(struct weir_pkt *pkt, uint32_t off, const void *from, uint32_t len);
	/* Moves the end of a packet of several segments (rest_len > 0) by delta bytes; new ones are
	 * zero. 0 or -EINVAL with the packet as it was. NULL: such packets are linearised first. */
	int (*adjust_tail)(struct weir_pkt *pkt, int32_t delta);
};

struct weir_pkt {
	uint8_t *data; /* offsets 0, 8, 16 are read by lowered programs */
	uint8_t *data_end;
	uint8_t *data_meta;
	uint8_t *hard_start;
	uint8_t *hard_end;
	uint32_t rest_len;              /* bytes in the segments behind the first */
	uint32_t has_frags;             /* the program may see a first segment only */
	const struct weir_pkt_ops *ops; /* NULL: flat, one segment, nothing can grow */
	void *backend;
};

static inline uint32_t weir_pkt_len(const struct weir_pkt *pkt)
{
	return (uint32_t)(pkt->data_end - pkt->data) + pkt->rest_len;
}

/* Flat packets: `len` bytes at buf + headroom; buf_bytes in all. The buffer is borrowed. */
void weir_pkt_init_flat(struct weir_pkt *pkt, uint8_t *buf, uint32_t buf_bytes, uint32_t headroom,
			uint32_t len);

#define WEIR_PKT_MIN_BYTES 14  /* an Ethernet header: adjustments leave at least that */
#define WEIR_PKT_META_MAX  252 /* bytes of metadata, a multiple of 4 */

/*
 * Move an edge of the packet by delta bytes, with the limits of Linux's bpf_xdp_adjust_head, _meta
 * and _tail. Head: negative grows; metadata moves along. Meta: negative grows. Tail: positive
 * grows, new bytes are zero; a packet of several segments is linearised first. 0; -EINVAL (out of
 * room, too short); -EACCES (metadata size). The packet is as before on failure.
 */
int weir_pkt_adjust_head(struct weir_pkt *pkt, int32_t delta);
int weir_pkt_adjust_meta(struct weir_pkt *pkt, int32_t delta);
int weir_pkt_adjust_tail(struct weir_pkt *pkt, int32_t delta);
/* Copy [off, off + len) of the whole packet out or in. 0, or -EFAULT with nothing copied. */
int weir_pkt_load(const struct weir_pkt *pkt, uint32_t off, void *to, uint32_t len);
int weir_pkt_store(struct weir_pkt *pkt, uint32_t off, const void *from, uint32_t len);

/* What R1 points to in an XDP program. xdp_md's fields are lowered to these. */
struct weir_xdp_ctx {
	struct weir_pkt pkt;
	uint32_t ingress_ifindex;
	uint32_t rx_queue_index;
	uint32_t egress_ifindex;
};

/*
 * What R1 points to in a tc or socket program: __sk_buff's fields, values as the program sees
 * them. pkt.data is what LD_ABS counts from; mac_off/net_off place the headers relative to it.
 */
struct weir_skb_ctx {
	struct weir_pkt pkt;
	int32_t mac_off; /* L2 header, relative to pkt.data (0 at tc, -14 for TEST_RUN's filters) */
	int32_t net_off; /* L3 header, relative to pkt.data */
	uint32_t pkt_type;
	uint32_t mark;
	uint32_t queue_mapping;
	uint32_t protocol; /* big endian in the low 16 bits, as Linux */
	uint32_t vlan_present;
	uint32_t vlan_tci;
	uint32_t vlan_proto; /* big endian in the low 16 bits */
	uint32_t priority;
	uint32_t ingress_ifindex;
	uint32_t ifindex;
	uint32_t tc_index;
	uint32_t cb[5];
	uint32_t hash;
	uint32_t tc_classid;
	uint32_t napi_id;
	uint32_t family;
	uint32_t remote_ip4;
	uint32_t local_ip4;
	uint32_t remote_ip6[4];
	uint32_t local_ip6[4];
	uint32_t remote_port;
	uint32_t local_port;
	uint64_t tstamp;
	uint32_t wire_len;
	uint32_t gso_segs;
	uint32_t gso_size;
	uint32_t tstamp_type;
	uint64_t hwtstamp;
};

/*
 * Copies len bytes at off, relative to pkt.data, out of the packet; off may be negative and reach
 * back to the start of the L2 header. 0, or -EFAULT with nothing copied.
 */
int weir_skb_load(const struct weir_skb_ctx *skb, int64_t off, void *to, uint32_t len);

/* One row a context field: which bytes of Linux's context it is and where the run time has it. */
enum weir_ctx_field_kind {
	WEIR_CTX_SCALAR,
	WEIR_CTX_DATA, /* 32-bit field, loads as a packet pointer */
	WEIR_CTX_DATA_END,
	WEIR_CTX_DATA_META,
	WEIR_CTX_LEN, /* computed: data_end - data + rest_len */
	WEIR_CTX_PTR, /* a socket or similar: loads as NULL; programs must check it */
};

struct weir_ctx_field {
	const char *name;
	uint16_t off;     /* in struct xdp_md / __sk_buff, bytes */
	uint16_t bytes;   /* of the field there */
	uint16_t run_off; /* in the run-time context */
	uint16_t run_bytes;
	uint8_t kind;  /* enum weir_ctx_field_kind */
	bool writable; /* for some type of the table's programs; see weir_ctx_may_access */
	bool narrow;   /* loads narrower than the field are allowed */
};

/* The table of a program type's context; *count rows sorted by off. NULL: no such type. */
const struct weir_ctx_field *weir_ctx_fields(uint32_t prog_type, size_t *count);
/*
 * May a program of this type access [off, off + bytes) so? Linux's rules (alignment, narrow loads,
 * which fields which type may read or write). Returns the row, or NULL.
 */
const struct weir_ctx_field *weir_ctx_may_access(uint32_t prog_type, uint32_t attach_type, int off,
						 uint32_t bytes, bool write);

#endif
