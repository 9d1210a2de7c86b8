/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/rewrite.h"

#include "../weir_test.h"

#include "diff_run.h"
#include "weir/base/bits.h"
#include "weir/vm/isa.h"
#include "weir/vm/map.h"
#include "weir/vm/pkt.h"

#define R1_IS_CTX (1U << 1)
#define R6_IS_CTX (1U << 6)

static uint8_t frame[256] = {2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 8, 0, 0x45, 0, 0, 46, 1, 2, 3, 4};

static const uint32_t types[] = {BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SCHED_CLS,
				 BPF_PROG_TYPE_SOCKET_FILTER};

static void frame_init(void)
{
	for (size_t i = 22; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 37 + 11);
}

static uint8_t ctx_in[192];

static const struct weir_test_run_in *skb_input(void)
{
	static struct weir_test_run_in in;
	struct __sk_buff *md = (struct __sk_buff *)ctx_in;

	frame_init();
	memset(ctx_in, 0, sizeof(ctx_in));
	md->mark = 0x80f1e2d3;
	md->priority = 0xfedcba98;
	md->ingress_ifindex = 0x81828384;
	for (uint32_t i = 0; i < 5; i++)
		md->cb[i] = 0x88776655 + i * 0x01010101;
	md->tstamp = 0x8123456789abcdef;
	md->wire_len = 50000;
	md->gso_segs = 0xfffe;
	md->gso_size = 0x9abc;
	md->hwtstamp = 0xf123456789abcdef;
	in = (struct weir_test_run_in){.data = frame,
				       .data_bytes = 200,
				       .ctx = ctx_in,
				       .ctx_bytes = sizeof(ctx_in),
				       .want_data_out = true,
				       .want_ctx_out = true,
				       .ctx_out_max = sizeof(ctx_in)};
	return &in;
}

static bool is_plain(const struct weir_ctx_field *f)
{
	return f->kind == WEIR_CTX_SCALAR || f->kind == WEIR_CTX_LEN;
}

/* Every readable part of every field, sign-extended or not, into R0 or over the context pointer,
 * low and high half of the result; all other registers must keep their values. */
static void lower_ctx_load__as_the_kernel(void **state)
{
	const struct weir_test_run_in *in = skb_input();
	uint32_t compared = 0;

	SKIP_WITHOUT_KERNEL_BPF();
	for (size_t t = 1; t < WEIR_ARRAY_LEN(types); t++)
		for (int off = 0; off < 192; off++)
			for (uint32_t variant = 0; variant < 16; variant++) {
				uint32_t bytes = 1U << (variant & 3);
				bool sext = variant & 4, same = variant & 8;
				uint8_t size = bytes == 1   ? BPF_B
					       : bytes == 2 ? BPF_H
					       : bytes == 4 ? BPF_W
							    : BPF_DW;
				uint8_t dst = same ? 1 : 0;
				const struct weir_ctx_field *f =
					weir_ctx_may_access(types[t], 0, off, bytes, false);
				const struct bpf_insn insns[] = {
					MOVK(0, 100),
					MOVK(2, 200),
					MOVK(3, 300),
					I(BPF_LDX | (sext ? BPF_MEMSX : BPF_MEM) | size, dst, 1,
					  off, 0),
					MOV(6, dst),
					ALUK(BPF_RSH, 6, 29),
					ALU(BPF_XOR, 6, dst),
					same ? ALU(BPF_ADD, 6, 0) : ALUK(BPF_ADD, 6, 100),
					ALU(BPF_ADD, 6, 2),
					ALU(BPF_ADD, 6, 3),
					MOV(0, 6),
					EXIT};

				if (!f || !is_plain(f) || (sext && bytes == 8))
					continue;
				diff_once(types[t], insns, WEIR_ARRAY_LEN(insns), R1_IS_CTX, in,
					  f->name);
				compared++;
			}
	assert_true(compared > 500);
}

/* Every writable part of every field, from a register and as an immediate. */
static void lower_ctx_store__as_the_kernel(void **state)
{
	static const int32_t values[] = {0, 1, 0xfffe, 0xffff, 0x10000, 0x12345678, -1, -65536};
	const struct weir_test_run_in *in = skb_input();
	uint32_t compared = 0;

	SKIP_WITHOUT_KERNEL_BPF();
	for (size_t t = 1; t < WEIR_ARRAY_LEN(types); t++)
		for (int off = 0; off < 192; off++)
			for (uint32_t bytes = 1; bytes <= 8; bytes *= 2)
				for (size_t v = 0; v < WEIR_ARRAY_LEN(values) * 2; v++) {
					uint8_t size = bytes == 1   ? BPF_B
						       : bytes == 2 ? BPF_H
						       : bytes == 4 ? BPF_W
								    : BPF_DW;
					int32_t value = values[v / 2];
					const struct weir_ctx_field *f =
						weir_ctx_may_access(types[t], 0, off, bytes, true);
					const struct bpf_insn insns[] = {
						MOV(6, 1), MOVK(2, value),
						v % 2 ? STX(size, 1, 2, off)
						      : STK(size, 1, off, value),
						LDX(BPF_W, 0, 6, f ? f->off & ~3 : 0), EXIT};

					/* tstamp is read whole. */
					uint32_t count = f && f->bytes == 8 ? 3 : 4;
					struct bpf_insn out[6];

					if (!f)
						continue;
					memcpy(out, insns, sizeof(insns));
					out[count] = (struct bpf_insn)EXIT;
					if (count == 3) {
						out[3] = (struct bpf_insn)MOVK(0, 1);
						out[4] = (struct bpf_insn)EXIT;
						count++;
					}
					diff_once(types[t], out, count + 1, R1_IS_CTX | R6_IS_CTX,
						  in, f->name);
					compared++;
				}
	assert_true(compared > 200);
}

static void lower_ctx_len__registers_survive(void **state)
{
	const struct weir_test_run_in *in = skb_input();

	SKIP_WITHOUT_KERNEL_BPF();
	for (uint8_t dst = 0; dst < 10; dst++)
		for (uint8_t src = 1; src < 10; src++) {
			struct bpf_insn insns[40];
			uint32_t n = 0;

			insns[n++] = (struct bpf_insn)MOV(src, 1);
			for (uint8_t r = 0; r < 10; r++)
				if (r != src)
					insns[n++] = (struct bpf_insn)MOVK(r, 1 << r);
			insns[n++] = (struct bpf_insn)LDX(BPF_W, dst, src, 0);
			if (dst != src)
				insns[n++] = (struct bpf_insn)MOVK(src, 7);
			for (uint8_t r = 1; r < 10; r++)
				insns[n++] = (struct bpf_insn)ALU(BPF_ADD, 0, r);
			insns[n++] = (struct bpf_insn)EXIT;
			diff_once(BPF_PROG_TYPE_SCHED_CLS, insns, n, 1U << src, in, "len");
		}
}

/* LD_ABS and LD_IND at every kind of offset. */
static void lower_ld_pkt__as_the_kernel(void **state)
{
	static const int32_t offs[] = {0,
				       1,
				       13,
				       14,
				       182,
				       183,
				       184,
				       185,
				       186,
				       196,
				       197,
				       198,
				       199,
				       200,
				       201,
				       32767,
				       32768,
				       65536,
				       INT32_MAX - 4,
				       INT32_MAX - 3,
				       INT32_MAX,
				       -1,
				       -4,
				       -0x1000,
				       -0x1000 + 4,
				       -0x100000,
				       -0x100000 + 10,
				       -0x100000 + 184,
				       -0x100000 + 186,
				       -0x100000 + 200,
				       -0x200000,
				       -0x200000 + 12,
				       -0x200000 + 196,
				       -0x200000 + 199,
				       -0x200000 + 200,
				       -0x200001,
				       INT32_MIN};
	static const uint8_t sizes[] = {BPF_B, BPF_H, BPF_W};
	const struct weir_test_run_in *in = skb_input();

	SKIP_WITHOUT_KERNEL_BPF();
	for (size_t t = 1; t < WEIR_ARRAY_LEN(types); t++)
		for (size_t o = 0; o < WEIR_ARRAY_LEN(offs); o++)
			for (size_t s = 0; s < 3; s++)
				for (int32_t add = -9; add < 20; add += 9) {
					const struct bpf_insn abs[] = {
						MOV(6, 1), MOVK(7, 3),
						I(BPF_LD | BPF_ABS | sizes[s], 0, 0, 0, offs[o]),
						ALU(BPF_ADD, 0, 7), EXIT};
					const struct bpf_insn ind[] = {
						MOV(6, 1), MOV32K(2, offs[o]),
						I(BPF_LD | BPF_IND | sizes[s], 0, 2, 0, add),
						ALUK(BPF_ADD, 0, 3), EXIT};
					const struct bpf_insn ind_high[] = {
						MOV(6, 1), MOVK(9, offs[o]),
						I(BPF_LD | BPF_IND | sizes[s], 0, 9, 0, add),
						ALUK(BPF_ADD, 0, 3), EXIT};

					if (add == 0)
						diff_once(types[t], abs, 5, 0, in, "LD_ABS");
					diff_once(types[t], ind, 5, 0, in, "LD_IND");
					diff_once(types[t], ind_high, 5, 0, in, "LD_IND r9");
				}
}

/* ---- structure, with hand-made inputs ---- */

static struct weir_prog_low *lower_ok(struct weir_prog_ok *ok, struct weir_map *const *maps)
{
	struct weir_prog_low *low;
	WEIR_DIAG_ON_STACK(diag, 256);

	if (weir_rewrite(ok, maps, NULL, &diag, &low))
		fail_msg("%s", diag.buf);
	assert_int_equal(weir_isa_check(low->insns, low->insn_count, WEIR_ISA_LOW, NULL, NULL), 0);
	return low;
}

static uint64_t run_low(const struct weir_prog_low *low)
{
	static uint8_t buf[2048];
	struct weir_xdp_ctx xdp = {0};
	struct weir_exec exec;

	weir_pkt_init_flat(&xdp.pkt, buf, sizeof(buf), 256, 60);
	weir_exec_init(&exec, 3, 4, NULL);
	return weir_interp_run(&xdp, &exec, low);
}

static uint32_t count_code(const struct weir_prog_low *low, uint8_t code)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < low->insn_count; i++) {
		n += low->insns[i].code == code;
		i += low->insns[i].code == (BPF_LD | BPF_IMM | BPF_DW);
	}
	return n;
}

static void rewrite_dead_code__removed(void **state)
{
	const struct bpf_insn insns[] = {MOVK(0, 1), JK(BPF_JEQ, 0, 1, 2),  MOVK(0, 5),
					 EXIT,       JK(BPF_JNE, 0, 1, -3), ALUK(BPF_ADD, 0, 9),
					 EXIT};
	struct weir_prog_ok *ok = hand_ok(BPF_PROG_TYPE_XDP, insns, 7, 0, NULL, 0);
	struct weir_prog_low *low;

	ok->aux[2].seen = ok->aux[3].seen = false;
	ok->aux[1].branch = WEIR_BRANCH_ALWAYS;
	ok->aux[4].branch = WEIR_BRANCH_NEVER;
	low = lower_ok(ok, NULL);
	assert_int_equal(count_code(low, BPF_JMP | BPF_JEQ | BPF_K), 0);
	assert_int_equal(count_code(low, BPF_JMP | BPF_JNE | BPF_K), 0);
	assert_false(low->needs_run_state);
	assert_int_equal(run_low(low), 10);
	assert_int_equal(low->ok_idx[low->insn_count - 1], 6);
	weir_prog_low_free(&low);
	weir_prog_ok_free(&ok);
}

static void rewrite_jump_to_dead_code__refused(void **state)
{
	const struct bpf_insn insns[] = {MOVK(0, 1), JK(BPF_JEQ, 0, 1, 1), EXIT, EXIT};
	struct weir_prog_ok *ok = hand_ok(BPF_PROG_TYPE_XDP, insns, 4, 0, NULL, 0);
	struct weir_prog_low *low = NULL;
	WEIR_DIAG_ON_STACK(diag, 256);

	ok->aux[3].seen = false;
	assert_int_equal(weir_rewrite(ok, NULL, NULL, &diag, &low), -EINVAL);
	assert_non_null(strstr(diag.buf, "insn 1"));
	assert_null(low);
	weir_prog_ok_free(&ok);
}

static void rewrite_loop__budget_before_back_edge(void **state)
{
	const struct bpf_insn insns[] = {MOVK(0, 0), ALUK(BPF_ADD, 0, 1), JK(BPF_JLT, 0, 10, -2),
					 EXIT};
	struct weir_prog_ok *ok = hand_ok(BPF_PROG_TYPE_XDP, insns, 4, 0, NULL, 0);
	struct weir_prog_low *low;

	ok->aux[2].loop_back = false; /* a backward jump is one without being told so, too */
	low = lower_ok(ok, NULL);
	assert_true(low->needs_run_state);
	assert_int_equal(low->insns[2].code, WEIR_OP_BUDGET);
	assert_int_equal(low->insns[3].off, -3);
	assert_int_equal(run_low(low), 10);
	weir_prog_low_free(&low);
	weir_prog_ok_free(&ok);
}

/* r0 counts to n in a loop that may_goto leaves early: at 2^23 passes, or never. */
static void rewrite_may_goto__bounds_the_loop(void **state)
{
	static const int32_t counts[] = {5, 8 * 1024 * 1024 - 1, 8 * 1024 * 1024 + 100};

	for (size_t i = 0; i < WEIR_ARRAY_LEN(counts); i++) {
		const struct bpf_insn insns[] = {MOVK(0, 0),
						 ALUK(BPF_ADD, 0, 1),
						 I(BPF_JMP | BPF_JCOND, 0, 0, 2, 0),
						 JK(BPF_JGE, 0, counts[i], 1),
						 JA(-4),
						 MOVK(1, 0),
						 EXIT};
		struct weir_prog_ok *ok = hand_ok(BPF_PROG_TYPE_XDP, insns, 7, 0, NULL, 0);
		struct weir_prog_low *low = lower_ok(ok, NULL);
		uint32_t most = 8 * 1024 * 1024 + 1;

		assert_int_equal(low->subprogs[0].stack_bytes, 64 + 16);
		assert_int_equal(run_low(low), weir_min((uint32_t)counts[i], most));
		weir_prog_low_free(&low);
		weir_prog_ok_free(&ok);
	}
}

/* A program that grows so much that its jumps need the long form. */
static void rewrite_far_jump__long_form(void **state)
{
	enum { LOADS = 6000 };
	struct bpf_insn *insns = calloc(LOADS + 5, sizeof(*insns));
	struct weir_skb_ctx skb = {0};
	struct weir_prog_low *low;
	struct weir_prog_ok *ok;
	struct weir_exec exec;
	uint32_t n = 0;

	insns[n++] = (struct bpf_insn)MOV(6, 1);
	insns[n++] = (struct bpf_insn)MOVK(0, 7);
	insns[n++] = (struct bpf_insn)JK(BPF_JEQ, 0, 7, LOADS);
	for (uint32_t i = 0; i < LOADS; i++)
		insns[n++] = (struct bpf_insn)I(BPF_LD | BPF_ABS | BPF_W, 0, 0, 0, i);
	insns[n++] = (struct bpf_insn)ALUK(BPF_ADD, 0, 1);
	insns[n++] = (struct bpf_insn)EXIT;
	ok = hand_ok(BPF_PROG_TYPE_SCHED_CLS, insns, n, 0, NULL, 0);
	low = lower_ok(ok, NULL);
	assert_true(count_code(low, BPF_JMP32 | BPF_JA) > LOADS);
	weir_exec_init(&exec, 0, 1, NULL);
	weir_pkt_init_flat(&skb.pkt, frame, sizeof(frame), 0, 60);
	assert_int_equal(weir_interp_run(&skb, &exec, low), 8);
	/* The same program, not jumping: the loads run, and the one behind the packet ends it. */
	low->insns[1].imm = 6;
	assert_int_equal(weir_interp_run(&skb, &exec, low), 0);
	weir_prog_low_free(&low);
	weir_prog_ok_free(&ok);
	free(insns);
}

static void rewrite_subprogs__rebuilt_without_unreachable(void **state)
{
	const struct bpf_insn insns[] = {MOVK(1, 5), CALLSUB(3),          EXIT, MOVK(0, 99), EXIT,
					 MOV(0, 1),  ALUK(BPF_MUL, 0, 3), EXIT};
	const uint32_t starts[] = {3, 5};
	struct weir_prog_ok *ok = hand_ok(BPF_PROG_TYPE_XDP, insns, 8, 0, starts, 2);
	struct weir_prog_low *low;

	ok->subprogs[1].reachable = false;
	ok->aux[3].seen = ok->aux[4].seen = false;
	low = lower_ok(ok, NULL);
	assert_int_equal(low->subprog_count, 2);
	assert_int_equal(low->subprogs[1].start, 3);
	assert_int_equal(low->insn_count, 6);
	assert_int_equal(run_low(low), 15);
	weir_prog_low_free(&low);
	weir_prog_ok_free(&ok);
}

static uint64_t loop_result(uint32_t lo, uint32_t hi, uint32_t flags, bool known, uint32_t stop)
{
	/* main: r6..r9 = 1000..4000; r0 = loop(n, cb, ctx = 7); returns r0 + r6..r9.
	 * callback(i, ctx): returns i == stop. A second callback returns 1 at once. */
	const struct bpf_insn insns[] = {MOVK(6, 1000),
					 MOVK(7, 2000),
					 MOVK(8, 3000),
					 MOVK(9, 4000),
					 LD64(1, lo, hi),
					 I(BPF_LD | BPF_IMM | BPF_DW, 2, BPF_PSEUDO_FUNC, 0, 0),
					 I(0, 0, 0, 0, 0),
					 MOVK(3, 7),
					 MOVK(4, flags),
					 CALL(BPF_FUNC_loop),
					 ALU(BPF_ADD, 0, 6),
					 ALU(BPF_ADD, 0, 7),
					 ALU(BPF_ADD, 0, 8),
					 ALU(BPF_ADD, 0, 9),
					 EXIT,
					 MOVK(0, 1),
					 MOVK(6, 0),
					 EXIT,
					 MOVK(0, 0),
					 MOVK(9, 5),
					 JK(BPF_JNE, 1, stop, 1),
					 MOVK(0, 1),
					 JK(BPF_JEQ, 2, 7, 1),
					 MOVK(0, 1),
					 EXIT};
	const uint32_t starts[] = {16, 19};
	struct weir_prog_ok *ok =
		hand_ok(BPF_PROG_TYPE_XDP, insns, WEIR_ARRAY_LEN(insns), 0, starts, 2);
	struct weir_prog_low *low;
	uint64_t r0;

	ok->aux[6].func_subprog = 2;
	ok->aux[10].callback_subprog = known ? 2 : -1;
	ok->subprogs[1].is_callback = ok->subprogs[2].is_callback = true;
	low = lower_ok(ok, NULL);
	assert_true(low->needs_run_state);
	assert_int_equal(low->subprogs[0].stack_bytes, 64 + (known ? 24 : 32));
	r0 = run_low(low);
	weir_prog_low_free(&low);
	weir_prog_ok_free(&ok);
	return r0 - 10000;
}

static void rewrite_bpf_loop__counts(void **state)
{
	for (int known = 0; known < 2; known++) {
		assert_int_equal(loop_result(0, 0, 0, known, 5), 0);
		assert_int_equal(loop_result(1, 0, 0, known, 5), 1);
		assert_int_equal(loop_result(100, 0, 0, known, 5), 6);
		assert_int_equal(loop_result(100, 0, 0, known, 100), 100);
		assert_int_equal(loop_result(100, 0, 0, known, 0), 1);
	}
}

static void rewrite_bpf_loop__hostile_arguments(void **state)
{
	for (int known = 0; known < 2; known++) {
		assert_int_equal(loop_result(10, 0, 1, known, 5), (uint64_t)-EINVAL);
		assert_int_equal(loop_result(8 * 1024 * 1024 + 1, 0, 0, known, 5),
				 (uint64_t)-E2BIG);
		assert_int_equal(loop_result(8 * 1024 * 1024, 0, 0, known, 5), 6);
		assert_int_equal(loop_result(1, 1, 0, known, 5), (uint64_t)-E2BIG);
		assert_int_equal(loop_result(0xffffffff, 0xffffffff, 0, known, 5),
				 (uint64_t)-E2BIG);
	}
}

/* ---- maps ---- */

static uint8_t array_values[4 * 24];
static uint64_t lookups;

static void *slow_lookup(struct weir_map *map, const void *key, struct weir_exec *exec)
{
	uint32_t i = weir_load_u32(key);

	lookups++;
	return i < map->def.max_entries ? map->values + (uint64_t)i * map->stride_bytes : NULL;
}

static uint64_t direct_lookup(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
			      struct weir_exec *exec)
{
	lookups += 100;
	return (uintptr_t)slow_lookup((struct weir_map *)(uintptr_t)r1, (const void *)(uintptr_t)r2,
				      exec);
}

static const struct weir_map_ops slow_ops = {.prog_lookup = slow_lookup};
static const struct weir_map_ops direct_ops = {.prog_lookup = slow_lookup,
					       .direct_lookup = direct_lookup};

static struct weir_map array_map(uint32_t stride)
{
	return (struct weir_map){
		.ops = &slow_ops,
		.def = {.type = BPF_MAP_TYPE_ARRAY,
			.key_size = 4,
			.value_size = stride,
			.max_entries = 4},
		.values = array_values,
		.stride_bytes = stride,
	};
}

/* Looks key up and returns the distance of the value from the start, or 12345 for NULL. */
static uint64_t lookup_result(struct weir_map *map, int32_t map_idx, bool key_const, uint32_t key,
			      bool no_inline)
{
	const struct bpf_insn insns[] = {
		STK(BPF_W, 10, -4, (int32_t)key),
		MOV(2, 10),
		ALUK(BPF_ADD, 2, -4),
		LDMAP(1, 0),
		CALL(BPF_FUNC_map_lookup_elem),
		JK(BPF_JNE, 0, 0, 2),
		MOVK(0, 12345),
		EXIT,
		I(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_IDX_VALUE, 0, 0),
		I(0, 0, 0, 0, 8),
		ALU(BPF_SUB, 0, 1),
		ALUK(BPF_ADD, 0, 8),
		EXIT};
	struct weir_prog_ok *ok =
		hand_ok(BPF_PROG_TYPE_XDP, insns, WEIR_ARRAY_LEN(insns), 0, NULL, 0);
	const struct weir_rewrite_opts opts = {.no_inline = no_inline};
	struct weir_map *maps[] = {map};
	struct weir_prog_low *low;
	uint64_t r0;

	ok->raw.maps = calloc(1, sizeof(*ok->raw.maps));
	ok->raw.maps[0].def = map->def;
	ok->raw.map_count = 1;
	ok->aux[5].map_idx = map_idx;
	ok->aux[5].key_is_const = key_const;
	ok->aux[5].key_u32 = key;
	assert_int_equal(weir_rewrite(ok, maps, &opts, NULL, &low), 0);
	r0 = run_low(low);
	weir_prog_low_free(&low);
	weir_prog_ok_free(&ok);
	return r0;
}

static void rewrite_array_lookup__every_way_the_same(void **state)
{
	static const uint32_t keys[] = {0, 1, 3, 4, 5, 0x7fffffff, 0x80000000, 0xffffffff};
	static const uint32_t strides[] = {8, 24};

	for (size_t s = 0; s < 2; s++)
		for (size_t k = 0; k < WEIR_ARRAY_LEN(keys); k++) {
			struct weir_map map = array_map(strides[s]);
			uint64_t want = keys[k] < 4 ? keys[k] * strides[s] : 12345;

			lookups = 0;
			assert_int_equal(lookup_result(&map, 0, false, keys[k], false), want);
			assert_int_equal(lookup_result(&map, 0, keys[k] < 4, keys[k], false), want);
			assert_int_equal(lookups, 0);
			assert_int_equal(lookup_result(&map, 0, false, keys[k], true), want);
			assert_int_equal(lookup_result(&map, -1, false, keys[k], false), want);
			assert_int_equal(lookups, 2);
			map.ops = &direct_ops;
			assert_int_equal(lookup_result(&map, 0, false, keys[k], true), want);
			assert_int_equal(lookups, 103);
		}
}

static void rewrite__deterministic(void **state)
{
	const struct bpf_insn insns[] = {MOV(6, 1),
					 I(BPF_LD | BPF_ABS | BPF_W, 0, 0, 0, 4),
					 LDX(BPF_W, 2, 6, 0),
					 JK(BPF_JGT, 0, 7, -3),
					 CALL(BPF_FUNC_get_prandom_u32),
					 CALL(BPF_FUNC_ktime_get_ns),
					 CALL(BPF_FUNC_get_prandom_u32),
					 EXIT};
	struct weir_prog_ok *ok =
		hand_ok(BPF_PROG_TYPE_SCHED_CLS, insns, WEIR_ARRAY_LEN(insns), 1U << 6, NULL, 0);
	struct weir_prog_low *a = lower_ok(ok, NULL), *b = lower_ok(ok, NULL);

	assert_int_equal(a->insn_count, b->insn_count);
	assert_memory_equal(a->insns, b->insns, a->insn_count * sizeof(*a->insns));
	assert_memory_equal(a->ok_idx, b->ok_idx, a->insn_count * sizeof(*a->ok_idx));
	assert_int_equal(a->call_count, 3);
	assert_memory_equal(a->calls, b->calls, a->call_count * sizeof(*a->calls));
	weir_prog_low_free(&a);
	weir_prog_low_free(&b);
	weir_prog_ok_free(&ok);
}

static void rewrite_maps__definition_must_match(void **state)
{
	const struct bpf_insn insns[] = {MOVK(0, 0), EXIT};
	struct weir_prog_ok *ok = hand_ok(BPF_PROG_TYPE_XDP, insns, 2, 0, NULL, 0);
	struct weir_map map = array_map(8);
	struct weir_map *maps[] = {&map};
	struct weir_prog_low *low = NULL;
	WEIR_DIAG_ON_STACK(diag, 256);

	ok->raw.maps = calloc(1, sizeof(*ok->raw.maps));
	ok->raw.maps[0].def = map.def;
	ok->raw.map_count = 1;
	assert_int_equal(weir_rewrite(ok, maps, NULL, &diag, &low), 0);
	weir_prog_low_free(&low);
	map.def.value_size = 16;
	assert_int_equal(weir_rewrite(ok, maps, NULL, &diag, &low), -EINVAL);
	assert_non_null(strstr(diag.buf, "value 16"));
	assert_null(low);
	weir_prog_ok_free(&ok);
}

/* What only a broken verifier could pass is refused, not emitted. */
static void rewrite_broken_promises__refused(void **state)
{
	const struct bpf_insn bad[][2] = {
		{CALL(BPF_FUNC_sk_fullsock), EXIT},
		{CALL(BPF_FUNC_skb_load_bytes), EXIT},
		{I(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, 1), EXIT},
		{CALLSUB(7), EXIT},
		{I(BPF_LD | BPF_ABS | BPF_W, 0, 0, 0, 0), EXIT},
		{LDX(BPF_W, 0, 1, 24), EXIT},
		{LDX(BPF_DW, 0, 1, 0), EXIT},
		{STX(BPF_W, 1, 2, 0), EXIT},
		{I(BPF_STX | BPF_ATOMIC | BPF_W, 1, 2, 12, BPF_ADD), EXIT},
		{JK(BPF_JEQ, 0, 0, 100), EXIT},
	};

	for (size_t i = 0; i < WEIR_ARRAY_LEN(bad); i++) {
		struct weir_prog_ok *ok = hand_ok(BPF_PROG_TYPE_XDP, bad[i], 2, R1_IS_CTX, NULL, 0);
		struct weir_prog_low *low = NULL;

		assert_int_equal(weir_rewrite(ok, NULL, NULL, NULL, &low), -EINVAL);
		assert_null(low);
		weir_prog_ok_free(&ok);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lower_ctx_load__as_the_kernel),
		cmocka_unit_test(lower_ctx_store__as_the_kernel),
		cmocka_unit_test(lower_ctx_len__registers_survive),
		cmocka_unit_test(lower_ld_pkt__as_the_kernel),
		cmocka_unit_test(rewrite_dead_code__removed),
		cmocka_unit_test(rewrite_jump_to_dead_code__refused),
		cmocka_unit_test(rewrite_loop__budget_before_back_edge),
		cmocka_unit_test(rewrite_may_goto__bounds_the_loop),
		cmocka_unit_test(rewrite_far_jump__long_form),
		cmocka_unit_test(rewrite_subprogs__rebuilt_without_unreachable),
		cmocka_unit_test(rewrite_bpf_loop__counts),
		cmocka_unit_test(rewrite_bpf_loop__hostile_arguments),
		cmocka_unit_test(rewrite_array_lookup__every_way_the_same),
		cmocka_unit_test(rewrite__deterministic),
		cmocka_unit_test(rewrite_maps__definition_must_match),
		cmocka_unit_test(rewrite_broken_promises__refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
