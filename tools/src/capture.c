/* SPDX-License-Identifier: BSD-3-Clause */
#include "capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int capture_open(const char *path, struct weir_diag *diag, struct capture *out)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap =
		pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, text);
	int link;

	if (!pcap) {
		/* libpcap names the file in some messages only */
		bool named = strstr(text, path);

		return weir_fail(diag, -EINVAL, "%s%s%s", named ? "" : path, named ? "" : ": ",
				 text);
	}
	link = pcap_datalink(pcap);
	if (link != DLT_EN10MB) {
		const char *name = pcap_datalink_val_to_name(link);

		weir_diag_printf(diag, "%s: link type %s, expected Ethernet", path,
				 name ? name : "unknown");
		pcap_close(pcap);
		return -EINVAL;
	}
	*out = (struct capture){.pcap = pcap, .path = path};
	return 0;
}

void capture_close(struct capture *capture)
{
	if (capture->pcap)
		pcap_close(capture->pcap);
	capture->pcap = NULL;
}

int capture_next(struct capture *c, struct weir_diag *diag, struct frame *out)
{
	struct pcap_pkthdr *h;
	const u_char *bytes;
	uint64_t ns;
	int r = pcap_next_ex(c->pcap, &h, &bytes);

	if (r == PCAP_ERROR_BREAK)
		return 0;
	if (r != 1)
		return weir_fail(diag, -EINVAL, "%s: packet %llu: %s", c->path,
				 (unsigned long long)c->number + 1, pcap_geterr(c->pcap));
	if (h->caplen > CAPTURE_MAX_FRAME)
		return weir_fail(diag, -EINVAL, "%s: packet %llu: %u bytes, expected at most %u",
				 c->path, (unsigned long long)c->number + 1, h->caplen,
				 CAPTURE_MAX_FRAME);
	ns = (uint64_t)h->ts.tv_sec * 1000000000U + (uint64_t)h->ts.tv_usec;
	if (!c->number++)
		c->first_ns = ns;
	if (ns > c->first_ns && ns - c->first_ns > c->last_ns)
		c->last_ns = ns - c->first_ns;
	*out = (struct frame){
		.bytes = bytes,
		.len = h->caplen,
		.wire_len = h->len,
		.abs_ns = ns,
		.rel_ns = c->last_ns,
	};
	return 1;
}

int capture_out_open(const char *path, struct weir_diag *diag, struct capture_out *out)
{
	pcap_t *pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, CAPTURE_MAX_FRAME,
							    PCAP_TSTAMP_PRECISION_NANO);
	pcap_dumper_t *dumper;

	if (!pcap)
		return weir_fail(diag, -ENOMEM, "%s: %s", path, strerror(ENOMEM));
	dumper = pcap_dump_open(pcap, path);
	if (!dumper) {
		weir_diag_printf(diag, "%s", pcap_geterr(pcap));
		pcap_close(pcap);
		return -EIO;
	}
	*out = (struct capture_out){.pcap = pcap, .dumper = dumper, .path = path};
	return 0;
}

void capture_out_write(struct capture_out *out, uint64_t abs_ns, const uint8_t *bytes, uint32_t len)
{
	/* with nanosecond precision tv_usec carries nanoseconds */
	struct pcap_pkthdr h = {
		.ts = {(time_t)(abs_ns / 1000000000U), (suseconds_t)(abs_ns % 1000000000U)},
		.caplen = len,
		.len = len,
	};

	pcap_dump((u_char *)out->dumper, &h, bytes);
}

int capture_out_finish(struct capture_out *out, struct weir_diag *diag)
{
	if (pcap_dump_flush(out->dumper) || ferror(pcap_dump_file(out->dumper)))
		return weir_fail(diag, -EIO, "%s: writing failed: %s", out->path, strerror(errno));
	return 0;
}

void capture_out_close(struct capture_out *out)
{
	if (out->dumper)
		pcap_dump_close(out->dumper);
	if (out->pcap)
		pcap_close(out->pcap);
	*out = (struct capture_out){0};
}

int capture_filter_compile(const char *expression, struct weir_diag *diag, void **insns,
			   uint32_t *count)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, CAPTURE_MAX_FRAME);
	struct bpf_program program = {0};
	int err = 0;
	void *copy;

	if (!pcap)
		return weir_fail(diag, -ENOMEM, "%s", strerror(ENOMEM));
	if (pcap_compile(pcap, &program, expression, 1, PCAP_NETMASK_UNKNOWN)) {
		err = weir_fail(diag, -EINVAL, "filter '%s': %s", expression, pcap_geterr(pcap));
		pcap_close(pcap);
		return err;
	}
	copy = malloc(program.bf_len * sizeof(*program.bf_insns) + 1);
	if (copy) {
		memcpy(copy, program.bf_insns, program.bf_len * sizeof(*program.bf_insns));
		*insns = copy;
		*count = program.bf_len;
	} else {
		err = weir_fail(diag, -ENOMEM, "%s", strerror(ENOMEM));
	}
	pcap_freecode(&program);
	pcap_close(pcap);
	return err;
}
