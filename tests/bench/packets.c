/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
/* Its bpf.h and Linux's name the same things. */
#define PCAP_DONT_INCLUDE_PCAP_BPF_H
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "refmap.h"
#include "weir/base/bits.h"

#define TAILROOM 64U

uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

void packets_free(struct packets *packets)
{
	free(packets->memory);
	free(packets->at);
	*packets = (struct packets){0};
}

/* Fills buffers from number `first`; how many, or -EINVAL with text. */
static int fill(pcap_t *pcap, const char *path, bool (*want)(const uint8_t *frame, uint32_t len),
		uint32_t first, struct weir_diag *diag, struct packets *p)
{
	uint32_t i = first;

	while (i < p->count) {
		struct pcap_pkthdr *header;
		const uint8_t *frame;
		int more = pcap_next_ex(pcap, &header, &frame);

		if (more == PCAP_ERROR_BREAK)
			break;
		if (more != 1)
			return weir_fail(diag, -EINVAL, "%s: %s", path, pcap_geterr(pcap));
		if (want && !want(frame, header->caplen))
			continue;
		if (header->caplen > p->stride - HEADROOM - TAILROOM)
			return weir_fail(diag, -EINVAL,
					 "%s: a frame of %u bytes, expected up to %u", path,
					 header->caplen, p->stride - HEADROOM - TAILROOM);
		p->at[i].data = p->memory + (size_t)i * p->stride + HEADROOM;
		p->at[i].data_end = p->at[i].data + header->caplen;
		memcpy(p->at[i].data, frame, header->caplen);
		i++;
	}
	return (int)(i - first);
}

int packets_load(const char *path, uint32_t count, bool (*want)(const uint8_t *frame, uint32_t len),
		 struct weir_diag *diag, struct packets *out)
{
	struct packets p = {.stride = 256 + WEIR_CACHE_LINE, .count = count};
	char text[PCAP_ERRBUF_SIZE];
	int n;

	p.memory = aligned_alloc(WEIR_CACHE_LINE, (size_t)count * p.stride);
	p.at = calloc(count, sizeof(*p.at));
	if (!p.memory || !p.at) {
		packets_free(&p);
		return -ENOMEM;
	}
	memset(p.memory, 0, (size_t)count * p.stride);
	for (uint32_t i = 0; i < count; i += (uint32_t)n) {
		pcap_t *pcap = pcap_open_offline(path, text);

		n = pcap ? fill(pcap, path, want, i, diag, &p)
			 : weir_fail(diag, -EINVAL, "%s: %s", path, text);
		if (pcap)
			pcap_close(pcap);
		if (!n)
			n = weir_fail(diag, -EINVAL, "%s: no frame that the row takes", path);
		if (n < 0) {
			packets_free(&p);
			return n;
		}
		if (!i)
			p.distinct = (uint32_t)n;
	}
	*out = p;
	return 0;
}

void flow_key(uint32_t i, uint8_t key[FLOW_KEY_BYTES])
{
	const uint8_t flow[FLOW_KEY_BYTES] = {
		10,
		0,
		(uint8_t)(i >> 8),
		(uint8_t)i, /* source address */
		198,
		51,
		100,
		7, /* destination */
		40000 >> 8,
		40000 & 0xff, /* source port */
		9999 >> 8,
		9999 & 0xff, /* destination port */
		6,           /* TCP, as a word of the host's byte order */
	};

	memcpy(key, flow, sizeof(flow));
}

const struct weir_plan_map *plan_helper_map(const struct weir_plan *plan)
{
	for (uint32_t i = 0; i < plan->map_count; i++)
		if (!plan->maps[i].is_global_data)
			return &plan->maps[i];
	return NULL;
}

struct refmap *refmap_of_plan(const struct made_from *from)
{
	const struct weir_plan_map *pm = plan_helper_map(from->plan);
	uint8_t key[FLOW_KEY_BYTES];
	struct refmap *map;

	map = refmap_new(pm->def.type, pm->def.key_size, pm->def.value_size, pm->def.max_entries);
	for (uint32_t i = 0; map && from->work->fill_flows && i < FLOW_COUNT; i++) {
		flow_key(i, key);
		if (!refmap_insert(map, key)) {
			refmap_free(map);
			return NULL;
		}
	}
	return map;
}
