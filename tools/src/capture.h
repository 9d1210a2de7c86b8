/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything of libpcap: reading and writing captures, compiling filter expressions. One thread.
 * libpcap's headers and the kernel's both define struct bpf_insn, so no other file may include
 * them.
 */
#ifndef WEIRCTL_CAPTURE_H
#define WEIRCTL_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#include "weir/base/diag.h"

#define CAPTURE_MAX_FRAME (256 * 1024)

struct pcap;
struct pcap_dumper;

struct capture {
	struct pcap *pcap; /* libpcap's pcap_t */
	const char *path;
	uint64_t number;   /* packets read so far */
	uint64_t first_ns; /* time of the first packet */
	uint64_t last_ns;  /* the latest time handed out: time never goes back */
};

struct frame {
	const uint8_t *bytes;
	uint32_t len;      /* captured */
	uint32_t wire_len; /* on the wire */
	uint64_t abs_ns;   /* as the capture has it */
	uint64_t rel_ns;   /* since the first packet, never going back */
};

/* Ethernet captures only, pcap or pcapng. 0 or -errno with text. */
int capture_open(const char *path, struct weir_diag *diag, struct capture *out);
void capture_close(struct capture *capture);
/* 1: *out is the next packet (valid until the next call); 0: the end; -EINVAL: a broken file. */
int capture_next(struct capture *capture, struct weir_diag *diag, struct frame *out);

/* A capture being written, with nanoseconds. */
struct capture_out {
	struct pcap *pcap;
	struct pcap_dumper *dumper;
	const char *path;
};

/* 0 or -errno with text. */
int capture_out_open(const char *path, struct weir_diag *diag, struct capture_out *out);
void capture_out_write(struct capture_out *out, uint64_t abs_ns, const uint8_t *bytes,
		       uint32_t len);
/* Everything is written, or -EIO with text. Closing follows. */
int capture_out_finish(struct capture_out *out, struct weir_diag *diag);
void capture_out_close(struct capture_out *out);

/*
 * Compiles a filter expression for Ethernet frames to classic BPF: count instructions in the
 * layout of struct sock_filter, malloc'ed. -EINVAL with libpcap's text.
 */
int capture_filter_compile(const char *expression, struct weir_diag *diag, void **insns,
			   uint32_t *count);

#endif
