/* SPDX-License-Identifier: BSD-3-Clause */
/* Helpers with hostile and honest arguments, result and packet compared with the running kernel. */
#include "../weir_test.h"

#include <linux/pkt_cls.h>

#include "diff_run.h"
#include "weir/base/bits.h"
#include "weir/vm/helper.h"
#include "weir/vm/map.h"
#include "weir/vm/pkt.h"

#define R1_IS_CTX (1U << 1)
#define RUNS      400

static uint8_t frame[8192];
static uint64_t seed;

static uint32_t rnd(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33);
}

/* Mostly near an interesting edge, sometimes anything. */
static int32_t rnd_around(int32_t edge)
{
	switch (rnd() % 8) {
	case 0: return (int32_t)(rnd() << 1 ^ rnd());
	case 1: return 0;
	case 2: return (int32_t)(rnd() % 64) - 32;
	default: return edge + (int32_t)(rnd() % 9) - 4;
	}
}

static struct weir_test_run_in packet(uint32_t bytes)
{
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)rnd();
	frame[12] = 8;
	frame[13] = 6;
	return (struct weir_test_run_in){.data = frame, .data_bytes = bytes, .want_data_out = true};
}

#define ONCE(type, insns, in, what) \
	diff_once(type, insns, WEIR_ARRAY_LEN(insns), R1_IS_CTX, in, what)

static void xdp_adjust__edges(void **state)
{
	static const uint32_t helpers[] = {BPF_FUNC_xdp_adjust_head, BPF_FUNC_xdp_adjust_meta,
					   BPF_FUNC_xdp_adjust_tail};
	static const uint32_t sizes[] = {14, 15, 60, 100, 3520, 3521, 3600, 7616, 7700};
	static const int32_t edges[] = {-216, -214, -100, -46,  -86,   -13, 46,   86,  216,
					252,  3460, 3420, 4015, -3506, -80, 3916, -252};

	SKIP_WITHOUT_KERNEL_BPF();
	seed = 1;
	for (int i = 0; i < RUNS * 4; i++) {
		struct weir_test_run_in in = packet(sizes[rnd() % WEIR_ARRAY_LEN(sizes)]);
		struct xdp_md md = {.data_end = in.data_bytes};
		struct bpf_insn insns[24];
		uint32_t n = 0;

		insns[n++] = (struct bpf_insn)MOV(6, 1);
		insns[n++] = (struct bpf_insn)MOVK(7, 0);
		for (uint32_t call = rnd() % 3; call < 4; call++) {
			int32_t delta = rnd_around(edges[rnd() % WEIR_ARRAY_LEN(edges)]);

			if (rnd() % 2)
				delta &= ~3;
			insns[n++] = (struct bpf_insn)MOV(1, 6);
			insns[n++] = (struct bpf_insn)MOVK(2, delta);
			insns[n++] = (struct bpf_insn)CALL((int32_t)helpers[rnd() % 3]);
			insns[n++] = (struct bpf_insn)ALUK(BPF_MUL, 7, 31);
			insns[n++] = (struct bpf_insn)ALU(BPF_ADD, 7, 0);
		}
		insns[n++] = (struct bpf_insn)MOV(0, 7);
		insns[n++] = (struct bpf_insn)EXIT;
		in.ctx = &md;
		in.ctx_bytes = sizeof(md);
		in.want_ctx_out = true;
		in.ctx_out_max = sizeof(md);
		if (rnd() % 3 == 0)
			md.data = 4 * (rnd() % 12);
		if (rnd() % 3 == 0)
			md.data_end = weir_min(md.data_end, 64U);
		diff_once(BPF_PROG_TYPE_XDP, insns, n, 0, &in, "adjust");
	}
}

static void xdp_bytes__edges(void **state)
{
	static const uint32_t sizes[] = {14, 60, 3520, 3530, 7616, 7650};

	SKIP_WITHOUT_KERNEL_BPF();
	seed = 2;
	for (int i = 0; i < RUNS; i++) {
		const struct weir_test_run_in in = packet(sizes[rnd() % WEIR_ARRAY_LEN(sizes)]);
		int32_t off = rnd_around(rnd() % 2 ? (int32_t)in.data_bytes - 10 : 3518);
		int32_t len = 1 + (int32_t)(rnd() % 32);
		const struct bpf_insn load[] = {STK(BPF_DW, 10, -32, 0),
						STK(BPF_DW, 10, -24, 0),
						STK(BPF_DW, 10, -16, 0),
						STK(BPF_DW, 10, -8, 0),
						MOVK(2, off),
						MOV(3, 10),
						ALUK(BPF_ADD, 3, -32),
						MOVK(4, len),
						CALL(BPF_FUNC_xdp_load_bytes),
						LDX(BPF_DW, 1, 10, -32),
						ALU(BPF_XOR, 0, 1),
						LDX(BPF_DW, 1, 10, -8),
						ALU(BPF_XOR, 0, 1),
						MOV(1, 0),
						ALUK(BPF_RSH, 1, 32),
						ALU(BPF_XOR, 0, 1),
						EXIT};
		const struct bpf_insn store[] = {STK(BPF_DW, 10, -32, 0x01020304),
						 STK(BPF_DW, 10, -24, 0x05060708),
						 STK(BPF_DW, 10, -16, 0x11121314),
						 STK(BPF_DW, 10, -8, 0x21222324),
						 MOVK(2, off),
						 MOV(3, 10),
						 ALUK(BPF_ADD, 3, -32),
						 MOVK(4, len),
						 CALL(BPF_FUNC_xdp_store_bytes),
						 EXIT};
		const struct bpf_insn length[] = {CALL(BPF_FUNC_xdp_get_buff_len), EXIT};

		ONCE(BPF_PROG_TYPE_XDP, load, &in, "xdp_load_bytes");
		ONCE(BPF_PROG_TYPE_XDP, store, &in, "xdp_store_bytes");
		ONCE(BPF_PROG_TYPE_XDP, length, &in, "xdp_get_buff_len");
	}
}

static void redirect__flags(void **state)
{
	static const int32_t flags[] = {0, 1, 2, 3, 4, 8, -1};
	const struct weir_test_run_in in = packet(60);

	SKIP_WITHOUT_KERNEL_BPF();
	for (size_t i = 0; i < WEIR_ARRAY_LEN(flags); i++) {
		const struct bpf_insn insns[] = {MOVK(1, 1), MOVK(2, flags[i]),
						 CALL(BPF_FUNC_redirect), EXIT};

		ONCE(BPF_PROG_TYPE_XDP, insns, &in, "redirect, XDP");
		ONCE(BPF_PROG_TYPE_SCHED_CLS, insns, &in, "redirect, tc");
	}
}

static void redirect__notes_the_target(void **state)
{
	const struct bpf_insn insns[] = {MOVK(1, 42), MOVK(2, 1), CALL(BPF_FUNC_redirect), EXIT};
	const uint32_t types[] = {BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SCHED_CLS};

	for (uint32_t i = 0; i < 2; i++) {
		struct weir_prog_ok *ok = hand_ok(types[i], insns, 4, 0, NULL, 0);
		struct weir_prog_low *low;
		struct weir_exec exec;

		weir_exec_init(&exec, 0, 1, NULL);
		assert_int_equal(weir_rewrite(ok, NULL, NULL, NULL, &low), 0);
		assert_int_equal(weir_interp_run(NULL, &exec, low),
				 i ? TC_ACT_REDIRECT : XDP_ABORTED);
		assert_int_equal(exec.redirect.target_ifindex, i ? 42 : 0);
		assert_int_equal(exec.redirect.flags, i ? BPF_F_INGRESS : 0);
		weir_prog_low_free(&low);
		weir_prog_ok_free(&ok);
	}
}

/* csum_diff over two pieces of stack, with sizes that are 0, wrong, or fine; NULL where 0. */
static void csum_diff__as_the_kernel(void **state)
{
	const struct weir_test_run_in in = packet(60);
	static const int32_t words[] = {0, -1, 1, 0x0000ffff, -65536, 0x7fffffff};
	static const uint32_t types[] = {BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SCHED_CLS};

	SKIP_WITHOUT_KERNEL_BPF();
	seed = 3;
	for (int i = 0; i < RUNS * 2; i++) {
		int32_t from =
			(int32_t)(rnd() % 9) * 4 + (rnd() % 4 == 0 ? (int32_t)(rnd() % 4) : 0);
		int32_t to = (int32_t)(rnd() % 9) * 4 + (rnd() % 4 == 0 ? (int32_t)(rnd() % 4) : 0);
		bool simple = rnd() % 2;
		struct bpf_insn insns[40];
		uint32_t n = 0;

		from = weir_min(from, 32);
		to = weir_min(to, 32);
		for (int16_t off = -64; off < 0; off += 4) {
			int32_t word = simple ? words[rnd() % 2 ? 0 : rnd() % 6]
					      : (int32_t)(rnd() * 2 + rnd() % 2);

			insns[n++] = (struct bpf_insn)STK(BPF_W, 10, off, word);
		}
		insns[n++] = (struct bpf_insn)MOVK(1, 0);
		insns[n++] = (struct bpf_insn)MOVK(3, 0);
		if (from || rnd() % 2) {
			insns[n++] = (struct bpf_insn)MOV(1, 10);
			insns[n++] = (struct bpf_insn)ALUK(BPF_ADD, 1, -64);
		}
		if (to || rnd() % 2) {
			insns[n++] = (struct bpf_insn)MOV(3, 10);
			insns[n++] = (struct bpf_insn)ALUK(BPF_ADD, 3, -32);
		}
		insns[n++] = (struct bpf_insn)MOVK(2, from);
		insns[n++] = (struct bpf_insn)MOVK(4, to);
		insns[n++] =
			(struct bpf_insn)MOVK(5, simple ? words[rnd() % 6] : (int32_t)(rnd() * 2));
		insns[n++] = (struct bpf_insn)CALL(BPF_FUNC_csum_diff);
		insns[n++] = (struct bpf_insn)EXIT;
		diff_once(types[i % 2], insns, n, 0, &in, "csum_diff");
	}
}

static void csum_replace__as_the_kernel(void **state)
{
	static const int32_t helpers[] = {BPF_FUNC_l3_csum_replace, BPF_FUNC_l4_csum_replace};
	static const int32_t fields[] = {0, -1, 1, 0xffff, 0x10000, -65536, 0x12345678};

	SKIP_WITHOUT_KERNEL_BPF();
	seed = 4;
	for (int i = 0; i < RUNS * 4; i++) {
		struct weir_test_run_in in = packet(60);
		int32_t off = rnd() % 3 ? (int32_t)(rnd() % 30) * 2 : rnd_around(58);
		int32_t flags = (int32_t)(rnd() % 3 * 2);
		int32_t from = rnd() % 2 ? fields[rnd() % 7] : (int32_t)rnd();
		int32_t to = rnd() % 2 ? fields[rnd() % 7] : (int32_t)rnd();
		struct bpf_insn insns[] = {MOVK(2, off), MOVK(3, from),        MOVK(4, to),
					   MOVK(5, 0),   CALL(helpers[i % 2]), EXIT};

		if (rnd() % 2)
			flags |= (int32_t)(rnd() % 256);
		if (flags % 16 == 0 && rnd() % 4)
			insns[1].imm = 0;
		insns[3].imm = flags;
		if (rnd() % 3 == 0 && off >= 0 && off < 58)
			memset(frame + off, rnd() % 2 ? 0xff : 0, 2);
		ONCE(BPF_PROG_TYPE_SCHED_CLS, insns, &in, "csum_replace");
	}
}

static void skb_bytes__edges(void **state)
{
	static const uint32_t types[] = {BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_SOCKET_FILTER};

	SKIP_WITHOUT_KERNEL_BPF();
	seed = 5;
	for (int i = 0; i < RUNS * 2; i++) {
		const struct weir_test_run_in in = packet(60);
		int32_t off = rnd_around(i % 3 ? 50 : 36), len = 1 + (int32_t)(rnd() % 32);
		bool relative = rnd() % 2;
		const struct bpf_insn load[] = {
			STK(BPF_DW, 10, -32, -1),
			STK(BPF_DW, 10, -24, -1),
			STK(BPF_DW, 10, -16, -1),
			STK(BPF_DW, 10, -8, -1),
			MOVK(2, off),
			MOV(3, 10),
			ALUK(BPF_ADD, 3, -32),
			MOVK(4, len),
			MOVK(5, rnd() % 4),
			CALL(relative ? BPF_FUNC_skb_load_bytes_relative : BPF_FUNC_skb_load_bytes),
			LDX(BPF_DW, 1, 10, -32),
			ALU(BPF_XOR, 0, 1),
			LDX(BPF_DW, 1, 10, -16),
			ALU(BPF_XOR, 0, 1),
			MOV(1, 0),
			ALUK(BPF_RSH, 1, 32),
			ALU(BPF_XOR, 0, 1),
			EXIT};
		const struct bpf_insn store[] = {STK(BPF_DW, 10, -32, 0x01020304),
						 STK(BPF_DW, 10, -24, 0x05060708),
						 STK(BPF_DW, 10, -16, 0x11121314),
						 STK(BPF_DW, 10, -8, 0x21222324),
						 MOVK(2, off),
						 MOV(3, 10),
						 ALUK(BPF_ADD, 3, -32),
						 MOVK(4, len),
						 MOVK(5, rnd() % 6),
						 CALL(BPF_FUNC_skb_store_bytes),
						 EXIT};

		ONCE(types[i % 2], load, &in, "skb_load_bytes");
		ONCE(BPF_PROG_TYPE_SCHED_CLS, store, &in, "skb_store_bytes");
	}
}

static void skb_pull_and_update(void **state)
{
	const struct weir_test_run_in in = packet(60);
	static const int32_t lens[] = {0, 1, 59, 60, 61, 4096, -1};

	SKIP_WITHOUT_KERNEL_BPF();
	for (size_t i = 0; i < WEIR_ARRAY_LEN(lens); i++) {
		const struct bpf_insn pull[] = {MOVK(2, lens[i]), CALL(BPF_FUNC_skb_pull_data),
						EXIT};
		const struct bpf_insn update[] = {MOVK(2, lens[i]), CALL(BPF_FUNC_csum_update),
						  EXIT};

		ONCE(BPF_PROG_TYPE_SCHED_CLS, pull, &in, "skb_pull_data");
		ONCE(BPF_PROG_TYPE_SCHED_CLS, update, &in, "csum_update");
	}
}

/* Puts fmt on the stack and prints it; the result is the line's length. */
static uint32_t printk(const char *fmt, uint32_t bytes, const struct weir_test_run_in *in)
{
	struct bpf_insn insns[32];
	uint8_t text[64] = {0};
	uint32_t n = 0;

	memcpy(text, fmt, bytes);
	for (uint32_t i = 0; i < 64; i += 4)
		insns[n++] = (struct bpf_insn)STK(BPF_W, 10, (int16_t)i - 64,
						  (int32_t)weir_load_u32(text + i));
	insns[n++] = (struct bpf_insn)MOV(1, 10);
	insns[n++] = (struct bpf_insn)ALUK(BPF_ADD, 1, -64);
	insns[n++] = (struct bpf_insn)MOVK(2, (int32_t)bytes);
	insns[n++] = (struct bpf_insn)MOVK(3, -5);
	insns[n++] = (struct bpf_insn)MOVK(4, 1234567);
	insns[n++] = (struct bpf_insn)MOVK(5, 65);
	insns[n++] = (struct bpf_insn)CALL(BPF_FUNC_trace_printk);
	insns[n++] = (struct bpf_insn)EXIT;
	return diff_once(BPF_PROG_TYPE_XDP, insns, n, 0, in, fmt);
}

static void trace_printk__lengths_as_the_kernel(void **state)
{
	static const char *const formats[] = {"",
					      "x",
					      "plain text\n",
					      "%d",
					      "%i %u %x\n",
					      "%ld %lu %lx",
					      "%lld %llu %llx",
					      "%X",
					      "%p",
					      "%p %d",
					      "%px",
					      "%%",
					      "100%%d",
					      "%5d|%-5d|%05d",
					      "%+d % d",
					      "%20lld",
					      "%c%c%c",
					      "%-3c|",
					      "%d %d %d %d",
					      "%",
					      "%l",
					      "%lll",
					      "%h",
					      "%hd",
					      "%s8",
					      "%f",
					      "%n",
					      "%*d",
					      "%.3d",
					      "%#x",
					      "%pk",
					      "%pX",
					      "%pi5",
					      "\001",
					      "\x7f",
					      "\xff",
					      "%llp",
					      "%zu",
					      "%00d",
					      "%99d",
					      "a%db%uc%xd",
					      "%d%%%d",
					      "%pK",
					      "%1p",
					      "%0-+ 7d",
					      "%o",
					      "% 3x"};
	const struct weir_test_run_in in = packet(60);

	SKIP_WITHOUT_KERNEL_BPF();
	for (size_t i = 0; i < WEIR_ARRAY_LEN(formats); i++) {
		uint32_t len = (uint32_t)strlen(formats[i]);

		printk(formats[i], len + 1, &in);
		if (len)
			printk(formats[i], len, &in); /* not terminated */
	}
}

/* ---- what the kernel's TEST_RUN cannot show ---- */

static uint64_t call(uint32_t id, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
		     struct weir_exec *exec)
{
	return weir_helper_find(id)->fn(r1, r2, r3, r4, r5, exec);
}

static char traced[2048];
static size_t traced_len;

static void trace(void *host, struct weir_exec *exec, const char *line, size_t len)
{
	assert_int_equal(strlen(line), len);
	traced_len = len;
	memcpy(traced, line, len + 1);
}

static const struct weir_host_ops host_ops = {.trace = trace};

static uint64_t printed(const char *fmt, uint64_t a, uint64_t b, uint64_t c)
{
	struct weir_exec exec;

	weir_exec_init(&exec, 0, 1, NULL);
	exec.host_ops = &host_ops;
	return call(BPF_FUNC_trace_printk, (uintptr_t)fmt, strlen(fmt) + 1, a, b, c, &exec);
}

static void trace_printk__text(void **state)
{
	assert_int_equal(printed("n=%d u=%u x=%x\n", (uint64_t)-5, UINT32_MAX + 8ULL, 255), 14);
	assert_string_equal(traced, "n=-5 u=7 x=ff");
	printed("%lld|%lx|%c", (uint64_t)INT64_MIN, UINT64_MAX, 'A');
	assert_string_equal(traced, "-9223372036854775808|ffffffffffffffff|A");
	printed("%5d|%-5d|%05d", 1, 2, 3);
	assert_string_equal(traced, "    1|2    |00003");
	printed("%s %pI4 %%", 0x1234, 0x5678, 0);
	assert_string_equal(traced, "0000000000001234 0000000000005678 %");
	assert_int_equal(printed("%2000d%2000d", 1, 2, 0), 4000);
	assert_int_equal(traced_len, 1023);
}

static void clocks__are_the_owners(void **state)
{
	struct weir_exec exec;
	uint64_t now;

	weir_exec_init(&exec, 2, 4, NULL);
	now = exec.clock_ns(&exec);
	assert_true(call(BPF_FUNC_ktime_get_ns, 0, 0, 0, 0, 0, &exec) >= now);
	assert_true(call(BPF_FUNC_ktime_get_boot_ns, 0, 0, 0, 0, 0, &exec) >= now);
	assert_true(call(BPF_FUNC_ktime_get_coarse_ns, 0, 0, 0, 0, 0, &exec) + 100000000 >= now);
	exec.clock_ns = weir_exec_clock_fixed;
	exec.fixed_ns = 8000000;
	assert_int_equal(call(BPF_FUNC_ktime_get_ns, 0, 0, 0, 0, 0, &exec), 8000000);
	assert_int_equal(call(BPF_FUNC_ktime_get_boot_ns, 0, 0, 0, 0, 0, &exec), 8000000);
	assert_int_equal(call(BPF_FUNC_ktime_get_coarse_ns, 0, 0, 0, 0, 0, &exec), 8000000);
	assert_int_equal(call(BPF_FUNC_jiffies64, 0, 0, 0, 0, 0, &exec), 2);
	assert_int_equal(call(BPF_FUNC_get_smp_processor_id, 0, 0, 0, 0, 0, &exec), 2);
}

static void prandom__seeded_and_spread(void **state)
{
	struct weir_exec a, b;
	uint32_t ones = 0, zeros = 0;

	weir_exec_init(&a, 0, 1, NULL);
	b = a;
	for (int i = 0; i < 1000; i++) {
		uint64_t v = call(BPF_FUNC_get_prandom_u32, 0, 0, 0, 0, 0, &a);

		assert_int_equal(v, call(BPF_FUNC_get_prandom_u32, 0, 0, 0, 0, 0, &b));
		assert_true(v <= UINT32_MAX);
		ones += (uint32_t)__builtin_popcountll(v);
		zeros += 32 - (uint32_t)__builtin_popcountll(v);
	}
	assert_true(ones > 15000 && zeros > 15000);
}

static void strncmp__kernel_results(void **state)
{
	const char *s = "abc";

	assert_int_equal(call(BPF_FUNC_strncmp, (uintptr_t)s, 4, (uintptr_t) "abc", 0, 0, NULL), 0);
	assert_int_equal(call(BPF_FUNC_strncmp, (uintptr_t)s, 4, (uintptr_t) "abd", 0, 0, NULL),
			 (uint64_t)-1);
	assert_int_equal(call(BPF_FUNC_strncmp, (uintptr_t)s, 4, (uintptr_t) "ab", 0, 0, NULL), 1);
	assert_int_equal(call(BPF_FUNC_strncmp, (uintptr_t)s, 2, (uintptr_t) "abX", 0, 0, NULL), 0);
	assert_int_equal(call(BPF_FUNC_strncmp, (uintptr_t) "\xff", 2, (uintptr_t) "a", 0, 0, NULL),
			 1);
}

static uint32_t ports[4] = {0, 11, 0, 13};

static void *ports_lookup(struct weir_map *map, const void *key, struct weir_exec *exec)
{
	uint32_t i = weir_load_u32(key);

	return i < 4 ? &ports[i] : NULL;
}

static void redirect_map__target_miss_flags(void **state)
{
	static const struct weir_map_ops ops = {.prog_lookup = ports_lookup};
	struct weir_map map = {.ops = &ops, .id = 5, .def.type = BPF_MAP_TYPE_DEVMAP};
	struct weir_exec exec;

	weir_exec_init(&exec, 0, 1, NULL);
#define REDIRECT_MAP(key, flags) \
	call(BPF_FUNC_redirect_map, (uintptr_t)&map, key, flags, 0, 0, &exec)
	assert_int_equal(REDIRECT_MAP(1, 0), XDP_REDIRECT);
	assert_int_equal(exec.redirect.target_ifindex, 11);
	assert_int_equal(exec.redirect.map_id, 5);
	assert_int_equal(exec.redirect.map_key, 1);
	assert_int_equal(REDIRECT_MAP((1ULL << 32) + 3, 0), XDP_REDIRECT);
	assert_int_equal(exec.redirect.target_ifindex, 13);
	assert_int_equal(REDIRECT_MAP(0, XDP_PASS), XDP_PASS);
	assert_int_equal(exec.redirect.target_ifindex, 0);
	assert_int_equal(REDIRECT_MAP(4, XDP_TX), XDP_TX);
	assert_int_equal(REDIRECT_MAP(UINT32_MAX, 0), XDP_ABORTED);
	REDIRECT_MAP(1, 0);
	assert_int_equal(REDIRECT_MAP(1, 4), XDP_ABORTED);
	assert_int_equal(REDIRECT_MAP(1, UINT64_MAX), XDP_ABORTED);
	/* Linux copies the packet to every port of a device map; weir refuses to seem to. */
	assert_int_equal(REDIRECT_MAP(1, BPF_F_BROADCAST), XDP_ABORTED);
	assert_int_equal(REDIRECT_MAP(1, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS), XDP_ABORTED);
	assert_int_equal(REDIRECT_MAP(1, BPF_F_EXCLUDE_INGRESS | XDP_PASS), XDP_ABORTED);
	map.def.type = BPF_MAP_TYPE_CPUMAP;
	assert_int_equal(REDIRECT_MAP(1, BPF_F_BROADCAST), XDP_ABORTED);
}

static void failed_loads__leak_nothing(void **state)
{
	uint8_t buf[64], to[16];
	struct weir_xdp_ctx xdp = {0};
	struct weir_skb_ctx skb = {0};

	weir_pkt_init_flat(&xdp.pkt, buf, sizeof(buf), 0, 20);
	weir_pkt_init_flat(&skb.pkt, buf, sizeof(buf), 0, 20);
	memset(to, 0xaa, sizeof(to));
	assert_int_equal(
		call(BPF_FUNC_xdp_load_bytes, (uintptr_t)&xdp, 5, (uintptr_t)to, 16, 0, NULL),
		(uint64_t)-EINVAL);
	for (size_t i = 0; i < sizeof(to); i++)
		assert_int_equal(to[i], 0);
	memset(to, 0xaa, sizeof(to));
	assert_int_equal(call(BPF_FUNC_skb_load_bytes, (uintptr_t)&skb, UINT32_MAX - 3,
			      (uintptr_t)to, 16, 0, NULL),
			 (uint64_t)-EFAULT);
	for (size_t i = 0; i < sizeof(to); i++)
		assert_int_equal(to[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xdp_adjust__edges),
		cmocka_unit_test(xdp_bytes__edges),
		cmocka_unit_test(redirect__flags),
		cmocka_unit_test(redirect__notes_the_target),
		cmocka_unit_test(csum_diff__as_the_kernel),
		cmocka_unit_test(csum_replace__as_the_kernel),
		cmocka_unit_test(skb_bytes__edges),
		cmocka_unit_test(skb_pull_and_update),
		cmocka_unit_test(trace_printk__lengths_as_the_kernel),
		cmocka_unit_test(trace_printk__text),
		cmocka_unit_test(clocks__are_the_owners),
		cmocka_unit_test(prandom__seeded_and_spread),
		cmocka_unit_test(strncmp__kernel_results),
		cmocka_unit_test(redirect_map__target_miss_flags),
		cmocka_unit_test(failed_loads__leak_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
