/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/testrun.h"

#include "../weir_test.h"

#include "diff_run.h"
#include "weir/base/bits.h"

#define R1_IS_CTX (1U << 1)

static uint8_t frame[DIFF_DATA_MAX];

/* A frame of pseudo-random bytes with a given destination and type. */
static void frame_fill(uint8_t dst, uint16_t ethertype)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < sizeof(frame); i++) {
		x = x * 1664525 + 1013904223;
		frame[i] = (uint8_t)(x >> 24);
	}
	memset(frame, dst, 6);
	frame[12] = (uint8_t)(ethertype >> 8);
	frame[13] = (uint8_t)ethertype;
}

static const struct bpf_insn ret2[] = {MOVK(0, 2), EXIT};
/* Returns 0, but writes all over the packet's ends first. */
static const struct bpf_insn xdp_moves[] = {MOV(6, 1),
					    MOVK(2, -8),
					    CALL(BPF_FUNC_xdp_adjust_meta),
					    MOV(1, 6),
					    MOVK(2, -20),
					    CALL(BPF_FUNC_xdp_adjust_head),
					    MOV(7, 0),
					    MOV(1, 6),
					    MOVK(2, 30),
					    CALL(BPF_FUNC_xdp_adjust_tail),
					    ALUK(BPF_LSH, 7, 8),
					    ALU(BPF_ADD, 7, 0),
					    MOV(1, 6),
					    CALL(BPF_FUNC_xdp_get_buff_len),
					    ALU(BPF_ADD, 7, 0),
					    MOV(0, 7),
					    EXIT};

static void test_run_xdp__sizes_and_contexts(void **state)
{
	static const uint32_t sizes[] = {0,    1,    13,   14,   15,   60,    1514,  3519,
					 3520, 3521, 4096, 7616, 7617, 65535, 73152, 73153};
	static const uint32_t datas[] = {0, 3, 4, 8, 44, 46, 48, 108, 216, 220, 252, 256, 4000};
	struct diff_prog p[2];

	SKIP_WITHOUT_KERNEL_BPF();
	frame_fill(2, 0x0800);
	diff_prog_new(&p[0], BPF_PROG_TYPE_XDP, ret2, WEIR_ARRAY_LEN(ret2), 0);
	diff_prog_new(&p[1], BPF_PROG_TYPE_XDP, xdp_moves, WEIR_ARRAY_LEN(xdp_moves), 0);
	for (size_t s = 0; s < WEIR_ARRAY_LEN(sizes) * 2; s++) {
		struct weir_test_run_in in = {.data = sizes[s / 2] ? frame : NULL,
					      .data_bytes = sizes[s / 2],
					      .want_data_out = true};

		diff_run(&p[s % 2], &in, NULL, "no context");
		in.want_ctx_out = true;
		in.ctx_out_max = sizeof(struct xdp_md);
		diff_run(&p[s % 2], &in, NULL, "context out only");
		for (size_t d = 0; d < WEIR_ARRAY_LEN(datas); d++)
			for (int off = -60; off <= 1; off += off < -1 ? 29 : 1) {
				struct xdp_md md = {.data = datas[d],
						    .data_end = sizes[s / 2] + (uint32_t)off};

				in.ctx = &md;
				in.ctx_bytes = sizeof(md);
				diff_run(&p[s % 2], &in, NULL, "context");
			}
	}
	diff_prog_free(&p[0]);
	diff_prog_free(&p[1]);
}

static void test_run_xdp__context_fields(void **state)
{
	static const struct xdp_md mds[] = {
		{.data_end = 60, .ingress_ifindex = 1},
		{.data_end = 60, .ingress_ifindex = 1, .rx_queue_index = 1},
		{.data_end = 60, .rx_queue_index = 1},
		{.data_end = 60, .ingress_ifindex = 77777},
		{.data_end = 60, .egress_ifindex = 1},
		{.data_end = 60, .data_meta = 4},
		{.data = 61, .data_end = 60},
	};
	const struct bpf_insn reads[] = {LDX(BPF_W, 0, 1, 12), LDX(BPF_W, 2, 1, 16),
					 ALUK(BPF_LSH, 0, 8), ALU(BPF_ADD, 0, 2), EXIT};
	struct diff_prog p;
	uint8_t longer[64];

	SKIP_WITHOUT_KERNEL_BPF();
	frame_fill(2, 0x0800);
	diff_prog_new(&p, BPF_PROG_TYPE_XDP, reads, WEIR_ARRAY_LEN(reads), R1_IS_CTX);
	for (size_t i = 0; i < WEIR_ARRAY_LEN(mds); i++) {
		const struct weir_test_run_in in = {.data = frame,
						    .data_bytes = 60,
						    .want_data_out = true,
						    .want_ctx_out = true,
						    .ctx_out_max = 24,
						    .ctx = &mds[i],
						    .ctx_bytes = sizeof(mds[i])};

		diff_run(&p, &in, NULL, "xdp_md");
	}
	memset(longer, 0, sizeof(longer));
	for (uint32_t n = 1; n <= sizeof(longer); n++) {
		struct weir_test_run_in in = {
			.data = frame, .data_bytes = 60, .ctx = longer, .ctx_bytes = n};

		diff_run(&p, &in, NULL, "context size");
		longer[n - 1] = n > 24;
		diff_run(&p, &in, NULL, "context size, last byte set");
		longer[n - 1] = 0;
	}
	diff_prog_free(&p);
}

static void test_run__output_limits(void **state)
{
	static const uint32_t types[] = {BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SCHED_CLS,
					 BPF_PROG_TYPE_SOCKET_FILTER};
	static const uint32_t sizes[] = {60, 3520, 3521, 5100};
	static const uint32_t limits[] = {0, 1, 59, 60, 61, 1000, 3519, 3520, 3521, 5000, 5100};

	SKIP_WITHOUT_KERNEL_BPF();
	frame_fill(2, 0x0800);
	for (size_t t = 0; t < WEIR_ARRAY_LEN(types); t++) {
		struct diff_prog p;

		diff_prog_new(&p, types[t], ret2, WEIR_ARRAY_LEN(ret2), 0);
		for (size_t s = 0; s < WEIR_ARRAY_LEN(sizes); s++)
			for (size_t i = 0; i < WEIR_ARRAY_LEN(limits) * 2; i++) {
				struct weir_test_run_in in = {.data = frame,
							      .data_bytes = sizes[s],
							      .want_data_out = i % 2,
							      .data_out_max = limits[i / 2],
							      /* More than one costs XDP 20 ms. */
							      .repeat = t ? 3 : 1};

				diff_run(&p, &in, NULL, "output limit");
				in.want_ctx_out = true;
				for (in.ctx_out_max = 1; in.ctx_out_max < 250; in.ctx_out_max += 23)
					diff_run(&p, &in, NULL, "context limit");
			}
		diff_prog_free(&p);
	}
}

static void test_run__attributes(void **state)
{
	static const uint32_t types[] = {BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SCHED_CLS,
					 BPF_PROG_TYPE_SOCKET_FILTER};

	SKIP_WITHOUT_KERNEL_BPF();
	frame_fill(2, 0x0806);
	for (size_t t = 0; t < WEIR_ARRAY_LEN(types); t++) {
		const struct weir_test_run_in base = {.data = frame, .data_bytes = 60};
		struct weir_test_run_in in;
		struct diff_prog p;

		diff_prog_new(&p, types[t], ret2, WEIR_ARRAY_LEN(ret2), 0);
		in = base, in.cpu = 1, diff_run(&p, &in, NULL, "cpu");
		in = base, in.batch_size = 1, diff_run(&p, &in, NULL, "batch size");
		in = base, in.flags = 1, diff_run(&p, &in, NULL, "flags 1");
		in = base, in.flags = 8, diff_run(&p, &in, NULL, "flags 8");
		in = base, in.ctx = frame, diff_run(&p, &in, NULL, "context without size");
		in = base, in.ctx_bytes = 8, diff_run(&p, &in, NULL, "size without context");
		in = base, in.want_ctx_out = true,
		diff_run(&p, &in, NULL, "context out without size");
		in = base, in.ctx_out_max = 8, diff_run(&p, &in, NULL, "size without context out");
		diff_prog_free(&p);
	}
}

/* Returns a mix of what an incoming packet's type, protocol and length look like. */
static const struct bpf_insn skb_looks[] = {LDX(BPF_W, 0, 1, 0),
					    LDX(BPF_W, 2, 1, 4),
					    ALUK(BPF_LSH, 2, 28),
					    ALU(BPF_XOR, 0, 2),
					    LDX(BPF_W, 2, 1, 16),
					    ALUK(BPF_LSH, 2, 12),
					    ALU(BPF_XOR, 0, 2),
					    LDX(BPF_W, 2, 1, 40),
					    ALUK(BPF_LSH, 2, 4),
					    ALU(BPF_XOR, 0, 2),
					    EXIT};

static void test_run_skb__sizes_and_frames(void **state)
{
	static const uint32_t types[] = {BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_SCHED_ACT,
					 BPF_PROG_TYPE_SOCKET_FILTER};
	static const uint32_t sizes[] = {0,  1,    13,   14,   15,   16,   33,   34,  53,
					 54, 3520, 3521, 3711, 3712, 3713, 4096, 5000};
	static const uint16_t ethertypes[] = {0x0800, 0x86dd, 0x0806, 0x8100,
					      0x0010, 0x05ff, 0x0600, 0xffff};

	SKIP_WITHOUT_KERNEL_BPF();
	for (size_t t = 0; t < WEIR_ARRAY_LEN(types); t++) {
		struct diff_prog p;

		diff_prog_new(&p, types[t], skb_looks, WEIR_ARRAY_LEN(skb_looks), R1_IS_CTX);
		for (size_t e = 0; e < WEIR_ARRAY_LEN(ethertypes); e++)
			for (uint32_t dst = 0; dst < 4; dst++)
				for (size_t s = 0; s < WEIR_ARRAY_LEN(sizes); s++) {
					struct weir_test_run_in in = {.data = sizes[s] ? frame
										       : NULL,
								      .data_bytes = sizes[s],
								      .want_data_out = true,
								      .want_ctx_out = true,
								      .ctx_out_max = 192};

					frame_fill(dst == 3 ? 0xff : (uint8_t)dst, ethertypes[e]);
					if (s % 3 == 0)
						memset(frame + 14, 0xff, 2);
					diff_run(&p, &in, NULL, "frame");
				}
		diff_prog_free(&p);
	}
}

static void test_run_skb__every_context_byte(void **state)
{
	static const uint32_t types[] = {BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_SOCKET_FILTER};

	SKIP_WITHOUT_KERNEL_BPF();
	frame_fill(2, 0x0800);
	for (size_t t = 0; t < WEIR_ARRAY_LEN(types); t++) {
		struct diff_prog p;

		diff_prog_new(&p, types[t], skb_looks, WEIR_ARRAY_LEN(skb_looks), R1_IS_CTX);
		for (uint32_t off = 0; off <= 193; off++)
			for (int v = 1; v < 256; v += 84) {
				uint8_t ctx[200] = {0};
				const struct weir_test_run_in in = {.data = frame,
								    .data_bytes = 60,
								    .ctx = ctx,
								    .ctx_bytes = sizeof(ctx),
								    .want_data_out = true,
								    .want_ctx_out = true,
								    .ctx_out_max = 192};

				/* The host's own interfaces are not the test's business. */
				if (off >= offsetof(struct __sk_buff, ifindex) &&
				    off < offsetof(struct __sk_buff, ifindex) + 1)
					continue;
				ctx[off] = (uint8_t)v;
				diff_run(&p, &in, NULL, "context byte");
			}
		diff_prog_free(&p);
	}
}

static void test_run_skb__wire_len_and_gso(void **state)
{
	static const uint32_t values[] = {1,     45,    46,    59,    60,        61,
					  65535, 65536, 65537, 70000, UINT32_MAX};
	static const uint16_t offs[] = {offsetof(struct __sk_buff, wire_len),
					offsetof(struct __sk_buff, gso_segs),
					offsetof(struct __sk_buff, gso_size)};
	const struct bpf_insn reads[] = {LDX(BPF_W, 0, 1, 160), LDX(BPF_W, 2, 1, 164),
					 ALUK(BPF_LSH, 2, 5),   ALU(BPF_XOR, 0, 2),
					 LDX(BPF_W, 2, 1, 176), ALUK(BPF_LSH, 2, 9),
					 ALU(BPF_XOR, 0, 2),    EXIT};
	struct diff_prog p;

	SKIP_WITHOUT_KERNEL_BPF();
	frame_fill(2, 0x0800);
	diff_prog_new(&p, BPF_PROG_TYPE_SCHED_CLS, reads, WEIR_ARRAY_LEN(reads), R1_IS_CTX);
	for (size_t o = 0; o < WEIR_ARRAY_LEN(offs); o++)
		for (size_t v = 0; v < WEIR_ARRAY_LEN(values); v++) {
			uint8_t ctx[192] = {0};
			const struct weir_test_run_in in = {.data = frame,
							    .data_bytes = 60,
							    .ctx = ctx,
							    .ctx_bytes = 192,
							    .want_ctx_out = true,
							    .ctx_out_max = 192};

			memcpy(ctx + offs[o], &values[v], 4);
			diff_run(&p, &in, NULL, "wire_len and GSO");
		}
	diff_prog_free(&p);
}

static void test_run__cancelled(void **state)
{
	const bool cancel = true;
	const struct weir_test_run_in in = {.prog_type = BPF_PROG_TYPE_XDP,
					    .data = frame,
					    .data_bytes = 60,
					    .repeat = 1000000,
					    .cancel = &cancel};
	struct weir_test_run_out out = {.retval = 77};
	struct weir_prog_ok *ok = hand_ok(BPF_PROG_TYPE_XDP, ret2, 2, 0, NULL, 0);
	struct weir_prog_low *low;
	struct weir_code *code;
	struct weir_exec exec;

	weir_exec_init(&exec, 0, 1, NULL);
	assert_int_equal(weir_rewrite(ok, NULL, NULL, NULL, &low), 0);
	assert_int_equal(weir_interp_bind(low, &code), 0);
	assert_int_equal(weir_test_run(code, &exec, &in, &out, NULL), -EINTR);
	assert_int_equal(out.retval, 77);
	weir_code_free(&code);
	weir_prog_low_free(&low);
	weir_prog_ok_free(&ok);
}

static void test_run__other_types(void **state)
{
	struct weir_test_run_in in = {
		.prog_type = BPF_PROG_TYPE_KPROBE, .data = frame, .data_bytes = 60};
	struct weir_test_run_out out;
	struct weir_exec exec;
	WEIR_DIAG_ON_STACK(diag, 128);

	weir_exec_init(&exec, 0, 1, NULL);
	assert_int_equal(weir_test_run(NULL, &exec, &in, &out, &diag), -EINVAL);
	assert_non_null(strstr(diag.buf, "type 2"));
	in.prog_type = BPF_PROG_TYPE_XDP;
	in.attach_type = BPF_XDP_DEVMAP;
	assert_int_equal(weir_test_run(NULL, &exec, &in, &out, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run_xdp__sizes_and_contexts),
		cmocka_unit_test(test_run_xdp__context_fields),
		cmocka_unit_test(test_run__output_limits),
		cmocka_unit_test(test_run__attributes),
		cmocka_unit_test(test_run_skb__sizes_and_frames),
		cmocka_unit_test(test_run_skb__every_context_byte),
		cmocka_unit_test(test_run_skb__wire_len_and_gso),
		cmocka_unit_test(test_run__cancelled),
		cmocka_unit_test(test_run__other_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
