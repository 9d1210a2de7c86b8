/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines of bpf_trace_printk, the newest TRACE_BYTES of them, for any number of readers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define TRACE_BYTES       (256U << 10)
#define TRACE_REPLY_BYTES (64U << 10)

int weir_trace_new(struct trace_ring *t)
{
	t->text = malloc(TRACE_BYTES);
	if (!t->text)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	return 0;
}

void weir_trace_free(struct trace_ring *t)
{
	free(t->text);
	t->text = NULL;
}

static void ring_put(struct trace_ring *t, char ch)
{
	/* The oldest line goes as a whole. */
	while (t->head - t->tail >= TRACE_BYTES) {
		while (t->text[t->tail++ % TRACE_BYTES] != '\n')
			;
		t->lost++;
	}
	t->text[t->head++ % TRACE_BYTES] = ch;
}

void weir_trace_add(struct trace_ring *t, const char *line, size_t len)
{
	if (len > 1024)
		len = 1024;
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < len; i++)
		ring_put(t, line[i] == '\n' ? ' ' : line[i]);
	ring_put(t, '\n');
	pthread_mutex_unlock(&t->lock);
}

int weir_cmd_trace(struct request *rq)
{
	struct trace_ring *t = &rq->conn->control->trace;
	uint64_t at = rq->attr.trace.cursor, end;
	char *room;

	pthread_mutex_lock(&t->lock);
	if (at < t->tail || at > t->head)
		at = t->tail;
	end = t->head;
	if (end - at > TRACE_REPLY_BYTES) {
		end = at + TRACE_REPLY_BYTES;
		while (t->text[(end - 1) % TRACE_BYTES] != '\n')
			end--;
	}
	room = weir_buf_section_room(&rq->out, WEIR_SEC_TEXT, (size_t)(end - at));
	for (uint64_t i = at; room && i < end; i++)
		*room++ = t->text[i % TRACE_BYTES];
	rq->attr.trace.cursor = end;
	rq->attr.trace.lost = t->lost;
	pthread_mutex_unlock(&t->lock);
	return 0;
}
