/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports, their ledgers, and the ledger told as causes of loss from wire to wire. */
#include <errno.h>
#include <string.h>

#include "internal.h"

static void port_rec(const struct weir_plane_port_info *info, struct weir_buf *recs)
{
	struct weir_port_rec r = {.index = info->index,
				  .ifindex = info->ifindex,
				  .rx_queues = info->rx_queues,
				  .tx_queues = info->tx_queues,
				  .mtu = info->mtu,
				  .required = info->required};

	snprintf(r.name, sizeof(r.name), "%s", info->name);
	snprintf(r.device, sizeof(r.device), "%s", info->device);
	snprintf(r.state, sizeof(r.state), "%s", info->state);
	snprintf(r.mac, sizeof(r.mac), "%s", info->mac);
	weir_buf_append(recs, &r, sizeof(r));
}

static void stats_rec(const struct weir_plane_port_info *info, const struct weir_ledger *l,
		      struct weir_buf *recs)
{
	struct weir_port_stats_rec r = {0};

	snprintf(r.name, sizeof(r.name), "%s", info->name);
#define COPY(f) r.f = l->f
	COPY(rx), COPY(rx_bytes), COPY(injected), COPY(cloned);
	COPY(drop), COPY(aborted), COPY(pass), COPY(tx), COPY(redirect), COPY(in_flight);
	COPY(own_tx), COPY(redirected_in), COPY(from_kernel), COPY(passed_in);
	COPY(sent), COPY(sent_bytes), COPY(tx_full), COPY(tx_error), COPY(out_in_flight);
	COPY(to_kernel), COPY(kernel_full), COPY(to_port), COPY(pass_dropped);
	COPY(drop_prog), COPY(drop_guard), COPY(drop_too_long), COPY(drop_no_target);
	COPY(aborted_prog), COPY(aborted_budget), COPY(aborted_code);
	COPY(linearised), COPY(head_grown);
	COPY(nic_missed), COPY(nic_no_mbuf), COPY(nic_error);
#undef COPY
	weir_buf_append(recs, &r, sizeof(r));
}

static void drop_row(struct weir_buf *recs, const char *port, const char *where, const char *cause,
		     const char *detail, uint64_t packets)
{
	struct weir_drop_rec r = {.packets = packets};

	snprintf(r.port, sizeof(r.port), "%s", port);
	snprintf(r.where, sizeof(r.where), "%s", where);
	snprintf(r.cause, sizeof(r.cause), "%s", cause);
	snprintf(r.detail, sizeof(r.detail), "%s", detail);
	weir_buf_append(recs, &r, sizeof(r));
}

/* The programs that may have dropped at this port, for the detail of "prog". */
static void progs_text(struct weir_control *c, uint32_t port, char *to, size_t bytes)
{
	struct weir_attach_info info[16];
	uint32_t n = weir_plane_attachments(c->plane, info, WEIR_ARRAY_LEN(info));
	struct weir_diag text;

	weir_diag_init(&text, to, bytes);
	weir_diag_printf(&text, "the program's verdict");
	for (uint32_t i = 0; i < n && i < WEIR_ARRAY_LEN(info); i++)
		if (info[i].spec.port == port)
			weir_diag_printf(&text, "%s %s#%u", i ? "," : ":", info[i].prog_name,
					 info[i].prog_id);
}

static void drop_recs(struct weir_control *c, const struct weir_plane_port_info *info,
		      const struct weir_ledger *l, struct weir_buf *recs)
{
	const char *p = info->name;
	char progs[96];

	progs_text(c, info->index, progs, sizeof(progs));
	drop_row(recs, p, "wire", "nic-missed", "the NIC's ring was full", l->nic_missed);
	drop_row(recs, p, "wire", "nic-no-mbuf", "no buffer was free", l->nic_no_mbuf);
	drop_row(recs, p, "wire", "nic-error", "the NIC refused the frame", l->nic_error);
	drop_row(recs, p, "in", "too-long", "longer than the program may see", l->drop_too_long);
	drop_row(recs, p, "in", "prog", progs, l->drop_prog);
	drop_row(recs, p, "in", "guard", "no filter matched", l->drop_guard);
	drop_row(recs, p, "in", "no-target", "redirected to no port", l->drop_no_target);
	drop_row(recs, p, "in", "aborted-prog", "XDP_ABORTED or an unknown verdict",
		 l->aborted_prog);
	drop_row(recs, p, "in", "aborted-budget", "the run took too long", l->aborted_budget);
	drop_row(recs, p, "in", "aborted-code", "an invariant of weir was broken", l->aborted_code);
	drop_row(recs, p, "pass", "config", "passed packets are dropped by configuration",
		 l->pass_dropped);
	drop_row(recs, p, "pass", "kernel-full", "the kernel's queue was full", l->kernel_full);
	drop_row(recs, p, "out", "tx-full", "the TX ring was full", l->tx_full);
	drop_row(recs, p, "out", "tx-error", "the driver refused the frame", l->tx_error);
}

int weir_cmd_port_list(struct request *rq)
{
	struct weir_control *c = rq->conn->control;
	uint32_t count = c->plane ? weir_plane_port_count(c->plane) : 0;
	size_t bytes = rq->in.s[WEIR_SEC_PORT].bytes;
	struct weir_buf recs = {0};
	bool found = !bytes;

	for (uint32_t i = 0; i < count; i++) {
		struct weir_plane_port_info info;
		struct weir_ledger ledger;

		if (weir_plane_port_info(c->plane, i, &info))
			continue;
		if (bytes && (strlen(info.name) != bytes ||
			      memcmp(info.name, rq->in.s[WEIR_SEC_PORT].p, bytes)))
			continue;
		found = true;
		if (rq->command->cmd == WEIR_CMD_PORT_LIST)
			port_rec(&info, &recs);
		else if (weir_plane_ledger(c->plane, i, &ledger))
			continue;
		else if (rq->command->cmd == WEIR_CMD_PORT_STATS)
			stats_rec(&info, &ledger, &recs);
		else
			drop_recs(c, &info, &ledger, &recs);
	}
	rq->attr.list.first_id = 0;
	if (found)
		weir_buf_section(&rq->out, WEIR_SEC_RECS, recs.p, recs.len);
	else
		weir_fail(&rq->diag, -ENODEV, "port %.*s: there is none of this name",
			  (int)weir_min(bytes, (size_t)63),
			  (const char *)rq->in.s[WEIR_SEC_PORT].p);
	weir_buf_free(&recs);
	return found ? 0 : -ENODEV;
}
