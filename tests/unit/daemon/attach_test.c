/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "attach.h"
#include "weir_test.h"

#define SLOTS 3

struct fixture {
	struct weir_rcu *rcu;
	struct weir_attach *attach;
	struct weir_plane_prog progs[4];
	struct weir_code code;
};

static int held[8]; /* by program id */

static void prog_hold(struct weir_plane_prog *prog)
{
	held[prog->id]++;
}

static void prog_release(struct weir_plane_prog *prog)
{
	held[prog->id]--;
}

static uint64_t entry(void *ctx, struct weir_exec *exec, const struct weir_prog_low *low)
{
	return XDP_PASS;
}

static int setup(void **state)
{
	static const uint32_t types[4] = {BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_XDP,
					  BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_SOCKET_FILTER};
	const struct weir_attach_port_desc ports[3] = {{.name = "wan", .rx_queues = 4},
						       {.name = "lan", .rx_queues = 1},
						       {.name = "lost", .absent = true}};
	struct fixture *f = calloc(1, sizeof(*f));

	memset(held, 0, sizeof(held));
	f->code.entry = entry;
	for (uint32_t i = 0; i < 4; i++) {
		f->progs[i] = (struct weir_plane_prog){
			.id = i + 1,
			.type = types[i],
			.code = &f->code,
			.slots = SLOTS,
			.hold = prog_hold,
			.release = prog_release,
		};
		f->progs[i].stats = aligned_alloc(64, SLOTS * sizeof(*f->progs[i].stats));
	}
	assert_int_equal(weir_rcu_single_new(&f->rcu), 0);
	assert_int_equal(weir_attach_new(3, ports, SLOTS, f->rcu, &f->attach), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	weir_attach_free(&f->attach);
	weir_rcu_single_free(&f->rcu);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(held[i + 1], 0);
		free(f->progs[i].stats);
	}
	free(f);
	return 0;
}

static void grace(struct fixture *f)
{
	f->rcu->ops->quiescent(f->rcu, 0);
}

static const struct weir_attach_queue *queue_of(struct fixture *f, uint32_t port, uint32_t queue)
{
	return &weir_attach_head(f->attach, port)->set->queues[queue];
}

static struct weir_attach_spec xdp(uint32_t priority)
{
	return (struct weir_attach_spec){
		.hook = WEIR_HOOK_XDP, .priority = priority, .queues = UINT64_MAX};
}

static void attach__publishes_for_the_queues_named(void **state)
{
	struct fixture *f = *state;
	struct weir_attach_spec spec = xdp(50);

	assert_int_equal(queue_of(f, 0, 0)->kind, WEIR_ATTACH_NONE);
	spec.queues = 0x5;
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[0], NULL), 0);
	assert_int_equal(queue_of(f, 0, 0)->kind, WEIR_ATTACH_XDP_ONE);
	assert_int_equal(queue_of(f, 0, 1)->kind, WEIR_ATTACH_NONE);
	assert_int_equal(queue_of(f, 0, 2)->kind, WEIR_ATTACH_XDP_ONE);
	assert_int_equal(queue_of(f, 1, 0)->kind, WEIR_ATTACH_NONE);
	assert_ptr_equal(queue_of(f, 0, 0)->chain[WEIR_HOOK_XDP][0].stats, f->progs[0].stats);
	assert_int_equal(held[1], 1);
}

static void attach__chain_by_priority(void **state)
{
	struct fixture *f = *state;
	struct weir_attach_spec first = xdp(10), second = xdp(20);
	const struct weir_attach_entry *chain;

	assert_int_equal(weir_attach_change(f->attach, &second, 0, &f->progs[0], NULL), 0);
	assert_int_equal(weir_attach_change(f->attach, &first, 0, &f->progs[1], NULL), 0);
	assert_int_equal(queue_of(f, 0, 3)->kind, WEIR_ATTACH_CHAIN);
	assert_int_equal(queue_of(f, 0, 3)->count[WEIR_HOOK_XDP], 2);
	chain = queue_of(f, 0, 3)->chain[WEIR_HOOK_XDP];
	assert_ptr_equal(chain[0].stats, f->progs[1].stats);
	assert_ptr_equal(chain[1].stats, f->progs[0].stats);
}

static void attach__compare_and_swap(void **state)
{
	struct fixture *f = *state;
	struct weir_attach_spec spec = xdp(50);

	assert_int_equal(weir_attach_change(f->attach, &spec, 1, &f->progs[1], NULL), -ENOENT);
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[0], NULL), 0);
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[1], NULL), -EEXIST);
	assert_int_equal(weir_attach_change(f->attach, &spec, 2, &f->progs[1], NULL), -ENOENT);
	assert_int_equal(held[2], 0);
	assert_int_equal(weir_attach_change(f->attach, &spec, 1, &f->progs[1], NULL), 0);
	assert_int_equal(weir_attach_change(f->attach, &spec, 1, NULL, NULL), -ENOENT);
	assert_int_equal(weir_attach_change(f->attach, &spec, 2, NULL, NULL), 0);
	assert_int_equal(queue_of(f, 0, 0)->kind, WEIR_ATTACH_NONE);
	assert_int_equal(weir_attach_change(f->attach, &spec, WEIR_ATTACH_ANY, NULL, NULL),
			 -ENOENT);
}

/* Nothing is released before the grace period; the replaced program stays as the fallback. */
static void attach__releases_after_grace(void **state)
{
	struct fixture *f = *state;
	struct weir_attach_spec spec = xdp(50);

	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[0], NULL), 0);
	assert_int_equal(weir_attach_change(f->attach, &spec, 1, &f->progs[1], NULL), 0);
	assert_int_equal(held[1], 2);
	grace(f);
	assert_int_equal(held[1], 1);
	assert_int_equal(weir_attach_change(f->attach, &spec, 2, NULL, NULL), 0);
	assert_int_equal(held[1] + held[2], 2);
	grace(f);
	assert_int_equal(held[1] + held[2], 0);
}

static void attach__refuses_what_does_not_fit(void **state)
{
	struct fixture *f = *state;
	struct weir_attach_spec spec = xdp(50);
	WEIR_DIAG_ON_STACK(diag, 256);

	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[2], &diag), -EINVAL);
	assert_non_null(strstr(diag.buf, "expected an XDP program"));
	spec.hook = WEIR_HOOK_TC;
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[3], NULL), -EINVAL);
	spec.guard = true;
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[2], NULL), -EINVAL);
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[3], NULL), 0);
	assert_true(queue_of(f, 0, 0)->chain[WEIR_HOOK_TC][0].guard);
	spec = xdp(50);
	spec.queues = 0x10;
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[0], NULL), -EINVAL);
	spec.queues = 0;
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[0], NULL), -EINVAL);
	spec.queues = 0x8;
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[0], NULL), 0);
	spec = xdp(50);
	spec.port = 2;
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[0], NULL), -ENODEV);
	spec.port = 3;
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[0], NULL), -ENODEV);
}

/* Programs for the entries of device and CPU maps have no place at a port, as on Linux. */
static void attach__refuses_programs_for_maps(void **state)
{
	static const uint32_t refused[] = {BPF_XDP_DEVMAP, BPF_XDP_CPUMAP};
	struct fixture *f = *state;
	struct weir_attach_spec spec = xdp(50);

	for (size_t i = 0; i < 2; i++) {
		WEIR_DIAG_ON_STACK(diag, 256);

		f->progs[0].expected_attach_type = refused[i];
		assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[0], &diag),
				 -EINVAL);
		assert_non_null(strstr(diag.buf, i ? "a CPU map" : "a device map"));
	}
	f->progs[0].expected_attach_type = BPF_XDP;
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[0], NULL), 0);
	/* Not every loader says what the program is for. */
	f->progs[1].expected_attach_type = 0;
	assert_int_equal(weir_attach_change(f->attach, &spec, 1, &f->progs[1], NULL), 0);
}

/* Ports, hooks and types by name, as the configuration has them. */
static void attach__errors_say_names(void **state)
{
	struct fixture *f = *state;
	struct weir_attach_spec spec = xdp(50);
	WEIR_DIAG_ON_STACK(diag, 512);

	spec.port = 2;
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[0], &diag), -ENODEV);
	assert_non_null(strstr(diag.buf, "port lost is absent"));
	spec.port = 1;
	spec.queues = 2;
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[0], &diag), -EINVAL);
	assert_non_null(strstr(diag.buf, "port lan has 1 RX queue"));
	assert_int_equal(weir_attach_change(f->attach, &spec, 0, &f->progs[2], &diag), -EINVAL);
	assert_non_null(strstr(diag.buf, "tc classifier"));
	assert_non_null(strstr(diag.buf, "does not fit hook xdp"));
}

static void attach__lists_in_order(void **state)
{
	struct fixture *f = *state;
	struct weir_attach_spec a = xdp(20), b = xdp(10),
				c = {.port = 1, .hook = WEIR_HOOK_TC, .queues = 1};
	struct weir_attach_info info[3];

	weir_attach_change(f->attach, &c, 0, &f->progs[2], NULL);
	weir_attach_change(f->attach, &a, 0, &f->progs[0], NULL);
	weir_attach_change(f->attach, &b, 0, &f->progs[1], NULL);
	assert_int_equal(weir_attach_list(f->attach, info, 1), 3);
	assert_int_equal(weir_attach_list(f->attach, info, 3), 3);
	assert_int_equal(info[0].prog_id, 2);
	assert_int_equal(info[1].prog_id, 1);
	assert_int_equal(info[2].prog_id, 3);
	assert_true(info[2].since_ns > 0);
}

static struct {
	int calls;
	uint32_t prog, restored;
} detached;

static void on_detach(void *arg, uint32_t port, enum weir_hook hook, uint32_t priority,
		      struct weir_plane_prog *prog, struct weir_plane_prog *restored)
{
	detached.calls++;
	detached.prog = prog->id;
	detached.restored = restored ? restored->id : 0;
}

static void overrun(struct fixture *f, uint32_t slot, uint64_t n)
{
	queue_of(f, 0, 0)->chain[WEIR_HOOK_XDP][0].overruns[slot] += n;
}

static void budget__three_in_a_second_restore_the_previous(void **state)
{
	struct fixture *f = *state;
	struct weir_attach_spec spec = xdp(50);
	uint64_t t = 5000000000ULL;

	memset(&detached, 0, sizeof(detached));
	weir_attach_change(f->attach, &spec, 0, &f->progs[0], NULL);
	weir_attach_change(f->attach, &spec, 1, &f->progs[1], NULL);
	overrun(f, 0, 1);
	weir_attach_budget_scan(f->attach, t, on_detach, NULL);
	overrun(f, 2, 1);
	weir_attach_budget_scan(f->attach, t + 400000000, on_detach, NULL);
	assert_int_equal(detached.calls, 0);
	overrun(f, 0, 1);
	weir_attach_budget_scan(f->attach, t + 900000000, on_detach, NULL);
	assert_int_equal(detached.calls, 1);
	assert_int_equal(detached.prog, 2);
	assert_int_equal(detached.restored, 1);
	assert_ptr_equal(queue_of(f, 0, 0)->chain[WEIR_HOOK_XDP][0].stats, f->progs[0].stats);
	grace(f);
	assert_int_equal(held[2], 0);
	/* The restored one has nothing behind it. */
	overrun(f, 1, 7);
	weir_attach_budget_scan(f->attach, t + 1000000000, on_detach, NULL);
	assert_int_equal(detached.calls, 2);
	assert_int_equal(detached.restored, 0);
	assert_int_equal(queue_of(f, 0, 0)->kind, WEIR_ATTACH_NONE);
}

static void budget__slow_overruns_stay(void **state)
{
	struct fixture *f = *state;
	struct weir_attach_spec spec = xdp(50);

	memset(&detached, 0, sizeof(detached));
	weir_attach_change(f->attach, &spec, 0, &f->progs[0], NULL);
	for (uint64_t i = 1; i < 20; i++) {
		overrun(f, 0, 1);
		weir_attach_budget_scan(f->attach, i * 600000000ULL, on_detach, NULL);
	}
	assert_int_equal(detached.calls, 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(attach__publishes_for_the_queues_named),
		CASE(attach__chain_by_priority),
		CASE(attach__compare_and_swap),
		CASE(attach__releases_after_grace),
		CASE(attach__refuses_what_does_not_fit),
		CASE(attach__refuses_programs_for_maps),
		CASE(attach__errors_say_names),
		CASE(attach__lists_in_order),
		CASE(budget__three_in_a_second_restore_the_previous),
		CASE(budget__slow_overruns_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
