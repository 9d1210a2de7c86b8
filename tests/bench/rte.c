/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's rte_bpf, compiled by its JIT, from the same object's instructions. What its world has
 * otherwise is translated and nothing else: context loads become loads of whole addresses from a
 * block that it takes for an mbuf (its only way to a pointer in memory), maps become addresses, the
 * look-up helper an external function, a global variable an external variable. Where the cpu v3
 * object has instructions it does not know, the v2 object is taken.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bpf.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_mbuf.h>

#include "bench.h"
#include "refmap.h"

#define GLOBALS_MAX 64 /* bytes of a program's variables */

typedef uint64_t (*external_fn)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

struct rte {
	struct rte_bpf *bpf;
	struct rte_bpf_jit jit;
	struct refmap *map;
	uint64_t globals[GLOBALS_MAX / 8];
	uint64_t (*pass)(struct rte *rte, const struct packets *packets);
};

/* An XDP program's context, with the pointers where an mbuf has buf_addr and another word. */
struct rte_xdp_ctx {
	const uint8_t *data;
	const uint8_t *data_end;
	uint8_t rest[sizeof(struct rte_mbuf) - 16];
};

_Static_assert(offsetof(struct rte_mbuf, buf_addr) == offsetof(struct rte_xdp_ctx, data), "data");

static external_fn lookup_of_type(uint32_t type)
{
	void *(*fn)(struct refmap *, const void *) = refmap_hash_lookup;

	if (type == BPF_MAP_TYPE_ARRAY)
		fn = refmap_array_lookup;
	else if (type == BPF_MAP_TYPE_PERCPU_ARRAY)
		fn = refmap_percpu_lookup;
	/* Arguments in the same registers; the rest of the five are ignored. */
	return (external_fn)(void (*)(void))fn;
}

/* Registers that hold the context, by a walk in order: enough for programs that read it first. */
static void track_ctx(const struct bpf_insn *insn, uint32_t *ctx_regs)
{
	uint8_t class = BPF_CLASS(insn->code);
	bool is_copy = insn->code == (BPF_ALU64 | BPF_MOV | BPF_X);

	if (insn->code == (BPF_JMP | BPF_CALL))
		*ctx_regs &= ~0x3fU;
	else if (is_copy && *ctx_regs & 1U << insn->src_reg)
		*ctx_regs |= 1U << insn->dst_reg;
	else if (class == BPF_ALU || class == BPF_ALU64 || class == BPF_LDX ||
		 insn->code == (BPF_LD | BPF_DW | BPF_IMM))
		*ctx_regs &= ~(1U << insn->dst_reg);
}

static int translate_one(struct rte *rte, const struct weir_plan *plan, struct bpf_insn *insn,
			 bool is_ctx, struct weir_diag *diag)
{
	uint64_t address;

	if (is_ctx && BPF_CLASS(insn->code) == BPF_LDX) {
		if (insn->code != (BPF_LDX | BPF_MEM | BPF_W) || (insn->off != 0 && insn->off != 4))
			return weir_fail(diag, -ENOTSUP, "context field at %d", insn->off);
		insn->code = BPF_LDX | BPF_MEM | BPF_DW;
		insn->off *= 2;
	} else if (insn->code == (BPF_LD | BPF_DW | BPF_IMM) && insn->src_reg) {
		address = (uintptr_t)rte->map;
		if (insn->src_reg == BPF_PSEUDO_MAP_IDX_VALUE) {
			if (plan->maps[insn->imm].def.value_size > GLOBALS_MAX)
				return weir_fail(diag, -ENOTSUP, "too many global variables");
			address = (uintptr_t)rte->globals + (uint32_t)insn[1].imm;
		}
		insn->src_reg = 0;
		insn[0].imm = (int32_t)address;
		insn[1].imm = (int32_t)(address >> 32);
	} else if (insn->code == (BPF_JMP | BPF_CALL)) {
		if (insn->src_reg || insn->imm != BPF_FUNC_map_lookup_elem)
			return weir_fail(diag, -ENOTSUP, "helper %d", insn->imm);
		insn->imm = 0; /* of the external symbols */
	}
	return 0;
}

static int translate(struct rte *rte, const struct weir_plan *plan, struct bpf_insn *insns,
		     struct weir_diag *diag)
{
	const struct weir_prog_raw *raw = &plan->progs[0].raw;
	bool is_xdp = raw->type == BPF_PROG_TYPE_XDP;
	uint32_t ctx_regs = 1U << BPF_REG_1;

	memcpy(insns, raw->insns, raw->insn_count * sizeof(*insns));
	for (uint32_t i = 0; i < raw->insn_count; i++) {
		bool is_wide = insns[i].code == (BPF_LD | BPF_DW | BPF_IMM);
		bool is_ctx = is_xdp && ctx_regs & 1U << insns[i].src_reg;
		int err;

		track_ctx(&raw->insns[i], &ctx_regs);
		err = translate_one(rte, plan, &insns[i], is_ctx, diag);
		if (err)
			return err;
		i += is_wide;
	}
	return 0;
}

static int load(struct rte *rte, const struct weir_plan *plan, struct weir_diag *diag)
{
	const struct weir_plan_map *pm = plan_helper_map(plan);
	const struct weir_prog_raw *raw = &plan->progs[0].raw;
	struct rte_bpf_xsym xsym[2] = {
		{.name = "lookup", .type = RTE_BPF_XTYPE_FUNC},
		{.name = "globals", .type = RTE_BPF_XTYPE_VAR},
	};
	struct rte_bpf_prm prm = {
		.nb_ins = raw->insn_count,
		.xsym = xsym,
		.nb_xsym = 2,
		.prog_arg = {.type = RTE_BPF_ARG_PTR_MBUF,
			     .size = sizeof(struct rte_mbuf),
			     .buf_size = RTE_MBUF_DEFAULT_BUF_SIZE},
	};
	struct bpf_insn *insns = calloc(raw->insn_count, sizeof(*insns));
	int err;

	if (!insns)
		return -ENOMEM;
	xsym[0].func.val = lookup_of_type(pm ? pm->def.type : 0);
	xsym[0].func.nb_args = 2;
	xsym[0].func.args[0] = (struct rte_bpf_arg){.type = RTE_BPF_ARG_RAW, .size = 8};
	xsym[0].func.args[1] =
		(struct rte_bpf_arg){.type = RTE_BPF_ARG_PTR, .size = pm ? pm->def.key_size : 1};
	xsym[0].func.ret =
		(struct rte_bpf_arg){.type = RTE_BPF_ARG_PTR, .size = pm ? pm->def.value_size : 1};
	xsym[1].var.val = rte->globals;
	xsym[1].var.desc = (struct rte_bpf_arg){.type = RTE_BPF_ARG_PTR, .size = GLOBALS_MAX};
	err = translate(rte, plan, insns, diag);
	if (!err) {
		prm.ins = (const struct ebpf_insn *)insns;
		rte->bpf = rte_bpf_load(&prm);
		if (!rte->bpf)
			err = weir_fail(diag, -rte_errno, "rte_bpf_load: %s",
					rte_strerror(rte_errno));
	}
	free(insns);
	return err;
}

/* Context and call as the other contenders have them. */
static uint64_t pass_xdp(struct rte *rte, const struct packets *packets)
{
	uint64_t (*run)(void *ctx) = rte->jit.func;
	struct rte_xdp_ctx ctx = {0};
	uint64_t sum = 0;

	for (uint32_t i = 0; i < packets->count; i++) {
		ctx.data = packets->at[i].data;
		ctx.data_end = packets->at[i].data_end;
		sum += (uint64_t)(uint32_t)run(&ctx) * (i + 1);
	}
	return sum;
}

static uint64_t pass_mbuf(struct rte *rte, const struct packets *packets)
{
	uint64_t (*run)(void *ctx) = rte->jit.func;
	struct rte_mbuf mbuf = {.data_off = HEADROOM, .nb_segs = 1};
	uint64_t sum = 0;

	for (uint32_t i = 0; i < packets->count; i++) {
		const struct packet *packet = &packets->at[i];

		mbuf.buf_addr = packet->data - HEADROOM;
		mbuf.data_len = (uint16_t)(packet->data_end - packet->data);
		mbuf.pkt_len = mbuf.data_len;
		sum += (uint64_t)(uint32_t)run(&mbuf) * (i + 1);
	}
	return sum;
}

static void rte_close(void *self)
{
	struct rte *rte = self;

	if (rte->bpf)
		rte_bpf_destroy(rte->bpf);
	refmap_free(rte->map);
	free(rte);
}

static int rte_open(const struct made_from *from, struct weir_diag *diag, void **out)
{
	struct rte *rte = calloc(1, sizeof(*rte));
	int err;

	if (!rte)
		return -ENOMEM;
	rte_log_set_global_level(RTE_LOG_EMERG);
	if (plan_helper_map(from->plan))
		rte->map = refmap_of_plan(from);
	err = load(rte, from->plan, diag);
	if (err && from->plan_v2) {
		weir_diag_reset(diag);
		err = load(rte, from->plan_v2, diag);
	}
	if (!err && (rte_bpf_get_jit(rte->bpf, &rte->jit) || !rte->jit.func))
		err = weir_fail(diag, -ENOTSUP, "rte_bpf compiled no code");
	if (err) {
		rte_close(rte);
		return err;
	}
	rte->pass = from->plan->progs[0].raw.type == BPF_PROG_TYPE_XDP ? pass_xdp : pass_mbuf;
	*out = rte;
	return 0;
}

static uint64_t rte_pass(void *self, const struct packets *packets)
{
	struct rte *rte = self;

	return rte->pass(rte, packets);
}

static const void *rte_image(void *self, size_t *size_bytes)
{
	struct rte *rte = self;

	*size_bytes = rte->jit.sz;
	return (const void *)(uintptr_t)rte->jit.func;
}

const struct contender contender_rte_bpf = {
	.name = "rte_bpf",
	.open = rte_open,
	.pass = rte_pass,
	.image = rte_image,
	.close = rte_close,
};
