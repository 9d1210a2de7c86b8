/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The running kernel, through bpf(2). Its test run has one packet and wall time, which an update of
 * the XDP dispatcher pollutes: a few packets are run many times, and CPU time of the thread counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "kernel_oracle.h"
#include "weir/base/cleanup.h"

#define TIMED_PACKETS 4

struct kernel {
	int prog_fd, trivial_fd;
	int *map_fds;
	uint32_t map_count;
};

static void kernel_close(void *self)
{
	struct kernel *k = self;

	if (k->prog_fd >= 0)
		close(k->prog_fd);
	if (k->trivial_fd >= 0)
		close(k->trivial_fd);
	for (uint32_t i = 0; i < k->map_count; i++)
		if (k->map_fds[i] >= 0)
			close(k->map_fds[i]);
	free(k->map_fds);
	free(k);
}

static int make_map(const struct made_from *from, const struct weir_plan_map *pm)
{
	const struct kernel_oracle_map_def def = {
		.name = pm->def.name,
		.type = pm->def.type,
		.key_bytes = pm->def.key_size,
		.value_bytes = pm->def.value_size,
		.max_entries = pm->def.max_entries,
		.flags = pm->def.flags & ~BPF_F_MMAPABLE,
	};
	const uint32_t first = 0;
	const uint64_t zero = 0;
	int fd = kernel_oracle_map_create(&def), err = 0;

	if (fd < 0)
		return fd;
	if (pm->is_global_data && pm->data)
		err = kernel_oracle_map_update(fd, &first, pm->data, BPF_ANY);
	if (!pm->is_global_data && from->work->fill_flows)
		for (uint32_t i = 0; !err && i < FLOW_COUNT; i++) {
			uint8_t key[FLOW_KEY_BYTES];

			flow_key(i, key);
			err = kernel_oracle_map_update(fd, key, &zero, BPF_ANY);
		}
	if (err)
		close(fd);
	return err ? err : fd;
}

/* The program's descriptor; map references of the plan become the kernel's. */
static int load(const struct weir_prog_raw *raw, const int *map_fds)
{
	weir_autofree struct kernel_oracle_fixup *fixups = calloc(raw->insn_count, sizeof(*fixups));
	struct kernel_oracle_prog_def def = {
		.name = "bench",
		.type = raw->type,
		.insns = raw->insns,
		.insn_count = raw->insn_count,
		.fixups = fixups,
	};

	if (!fixups)
		return -ENOMEM;
	for (uint32_t i = 0; i < raw->insn_count; i++) {
		const struct bpf_insn *insn = &raw->insns[i];

		if (insn->code != (BPF_LD | BPF_DW | BPF_IMM))
			continue;
		if (insn->src_reg)
			fixups[def.fixup_count++] = (struct kernel_oracle_fixup){
				.insn_idx = i,
				.map_fd = map_fds[insn->imm],
				.is_value = insn->src_reg == BPF_PSEUDO_MAP_IDX_VALUE,
				.value_off = (uint32_t)insn[1].imm,
			};
		i++;
	}
	return kernel_oracle_prog_load(&def);
}

static int load_trivial(uint32_t type)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	const struct kernel_oracle_prog_def def = {
		.name = "trivial",
		.type = type,
		.insns = insns,
		.insn_count = 2,
	};

	return kernel_oracle_prog_load(&def);
}

static int kernel_open(const struct made_from *from, struct weir_diag *diag, void **out)
{
	const struct weir_plan *plan = from->plan;
	const char *reason;
	struct kernel *k;
	int err = 0;

	if (!kernel_oracle_usable(&reason))
		return weir_fail(diag, -EPERM, "%s", reason);
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->prog_fd = k->trivial_fd = -1;
	k->map_fds = calloc(plan->map_count + 1, sizeof(*k->map_fds));
	if (!k->map_fds)
		err = -ENOMEM;
	for (; !err && k->map_count < plan->map_count; k->map_count++) {
		k->map_fds[k->map_count] = make_map(from, &plan->maps[k->map_count]);
		if (k->map_fds[k->map_count] < 0)
			err = k->map_fds[k->map_count];
	}
	if (!err) {
		k->prog_fd = load(&plan->progs[0].raw, k->map_fds);
		k->trivial_fd = load_trivial(plan->progs[0].raw.type);
		err = k->prog_fd < 0 ? k->prog_fd : k->trivial_fd < 0 ? k->trivial_fd : 0;
	}
	if (err) {
		kernel_close(k);
		return weir_fail(diag, err, "%s", strerror(-err));
	}
	*out = k;
	return 0;
}

static int test_run(int fd, const struct packet *packet, uint32_t repeat, uint32_t *verdict)
{
	union bpf_attr attr = {.test = {
				       .prog_fd = (uint32_t)fd,
				       .data_in = (uintptr_t)packet->data,
				       .data_size_in = (uint32_t)(packet->data_end - packet->data),
				       .repeat = repeat,
			       }};

	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)))
		return -errno;
	*verdict = attr.test.retval;
	return 0;
}

static uint32_t kernel_judge(void *self, const struct packet *packet)
{
	uint32_t verdict = UINT32_MAX;

	test_run(((struct kernel *)self)->prog_fd, packet, 1, &verdict);
	return verdict;
}

static int time_one(int fd, const struct packets *packets, uint32_t repeat, double *ns)
{
	uint64_t start = cpu_ns();
	uint32_t verdict;

	for (uint32_t i = 0; i < TIMED_PACKETS; i++) {
		const struct packet *packet =
			&packets->at[(uint64_t)i * packets->count / TIMED_PACKETS];
		int err = test_run(fd, packet, repeat, &verdict);

		if (err)
			return err;
	}
	*ns = (double)(cpu_ns() - start) / TIMED_PACKETS / repeat;
	return 0;
}

int kernel_time(void *self, const struct packets *packets, uint32_t repeat, double *program_ns,
		double *trivial_ns)
{
	const struct kernel *k = self;
	double ns;
	int err = time_one(k->prog_fd, packets, repeat, &ns);

	if (!err)
		err = time_one(k->trivial_fd, packets, repeat, trivial_ns);
	if (!err)
		*program_ns = ns;
	return err;
}

const struct contender contender_kernel = {
	.name = "kernel",
	.is_kernel = true,
	.open = kernel_open,
	.judge = kernel_judge,
	.close = kernel_close,
};
