/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Classic filters against the kernel's own: attached to a datagram socket, where the verdict is how
 * much of a datagram arrives. That needs no privilege.
 */
#include "weir/vm/cbpf.h"

#include "../weir_test.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hand_ok.h"
#include "weir/base/bits.h"
#include "weir/jit/jit.h"
#include "weir/vm/exec.h"
#include "weir/vm/interp.h"
#include "weir/vm/pkt.h"
#include "weir/vm/rewrite.h"

#define DATA_BYTES 300

static uint8_t data[DATA_BYTES];
static uint64_t seed = 1;

static uint32_t rnd(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 32);
}

#define ST(c, value)       ((struct sock_filter){(c), 0, 0, (uint32_t)(value)})
#define JP(c, value, t, f) ((struct sock_filter){(c), (t), (f), (uint32_t)(value)})

/* What the kernel says of attaching, and if it takes it, how many bytes of data pass. */
static int kernel_filter(const struct sock_filter *filter, uint32_t count, uint32_t *passed)
{
	struct sock_fprog prog = {.len = (unsigned short)count,
				  .filter = (struct sock_filter *)(uintptr_t)filter};
	uint8_t got[DATA_BYTES];
	int fds[2], err = 0;
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	if (setsockopt(fds[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)))
		err = -errno;
	if (!err) {
		/* A datagram that the filter drops is EPERM to its sender, or lost. */
		n = send(fds[0], data, sizeof(data), MSG_DONTWAIT);
		n = recv(fds[1], got, sizeof(got), MSG_DONTWAIT);
		*passed = n < 0 ? 0 : (uint32_t)n;
	}
	close(fds[0]);
	close(fds[1]);
	return err;
}

/* Marks the reads through R6 as context accesses, as the verifier would. */
static uint32_t run_raw(const struct weir_prog_raw *raw, struct weir_skb_ctx *skb)
{
	struct weir_prog_ok *ok = hand_ok(raw->type, raw->insns, raw->insn_count, 1U << 6, NULL, 0);
	struct weir_prog_low *low;
	struct weir_exec exec;
	uint32_t r0;

	weir_exec_init(&exec, 3, 4, NULL);
	assert_int_equal(weir_rewrite(ok, NULL, NULL, NULL, &low), 0);
	r0 = (uint32_t)weir_interp_run(skb, &exec, low);
	if (weir_jit_supported()) {
		static struct weir_codemem *mem; /* lives as long as the test */
		struct weir_code *code;

		if (!mem)
			assert_int_equal(weir_codemem_new(0, NULL, &mem), 0);
		assert_int_equal(weir_jit_compile(low, mem, NULL, NULL, &code), 0);
		assert_int_equal((uint32_t)weir_code_run(code, skb, &exec), r0);
		weir_code_free(&code);
	}
	weir_prog_low_free(&low);
	weir_prog_ok_free(&ok);
	return r0;
}

static uint32_t our_filter(const struct weir_prog_raw *raw)
{
	struct weir_skb_ctx skb = {.protocol = 0x0008,
				   .vlan_proto = 0x0081,
				   .vlan_tci = 0x123,
				   .vlan_present = 1,
				   .mark = 7,
				   .hash = 8,
				   .ifindex = 9,
				   .queue_mapping = 10,
				   .pkt_type = 3};

	weir_pkt_init_flat(&skb.pkt, data, sizeof(data), 0, sizeof(data));
	return run_raw(raw, &skb);
}

/* Returns how much passed, or -1 for a filter that is refused. */
static int compare(const struct sock_filter *filter, uint32_t count)
{
	struct weir_prog_raw raw;
	uint32_t passed = 0, ours;
	WEIR_DIAG_ON_STACK(diag, 256);
	int linux_err = kernel_filter(filter, count, &passed);
	int err = weir_cbpf_convert(filter, count, "f", &diag, &raw);

	if (err != linux_err)
		fail_msg("Linux %d, weir %d: %s", linux_err, err, diag.buf);
	if (err) {
		assert_true(diag.len_bytes > 0);
		return -1;
	}
	ours = weir_min(our_filter(&raw), (uint32_t)sizeof(data));
	weir_prog_raw_clear(&raw);
	if (ours != passed) {
		for (uint32_t i = 0; i < count; i++)
			print_message("# %2u: code %02x jt %u jf %u k 0x%x\n", i, filter[i].code,
				      filter[i].jt, filter[i].jf, filter[i].k);
		fail_msg("Linux passes %u, weir %u", passed, ours);
	}
	return (int)ours;
}

static const uint16_t codes[] = {0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x80, 0x00, 0x60, 0x81,
				 0xb1, 0x01, 0x61, 0x02, 0x03, 0x84, 0x05, 0x06, 0x16, 0x07,
				 0x87, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x94,
				 0x9c, 0x54, 0x5c, 0x44, 0x4c, 0xa4, 0xac, 0x64, 0x6c, 0x74,
				 0x7c, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d};

static uint32_t rnd_k(void)
{
	switch (rnd() % 6) {
	case 0: return rnd();
	case 1: return 0x80000000U + rnd() % 3 - 1;
	case 2: return UINT32_MAX - rnd() % 3;
	case 3: return DATA_BYTES - 5 + rnd() % 6;
	default: return rnd() % 20;
	}
}

static bool is_far_load(const struct sock_filter *f)
{
	return BPF_CLASS(f->code) <= BPF_LDX && f->k > INT32_MAX &&
	       (BPF_MODE(f->code) == BPF_ABS || BPF_MODE(f->code) == BPF_IND ||
		BPF_MODE(f->code) == BPF_MSH);
}

static void data_fill(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rnd();
}

static void cbpf_random__as_the_kernel(void **state)
{
	uint32_t telling = 0;

	for (int run = 0; run < 6000; run++) {
		struct sock_filter f[24];
		uint32_t body = 1 + rnd() % 18, n = body;

		data_fill();
		for (uint32_t i = 0; i < body; i++) {
			uint32_t left = body + 1 - i;

			f[i] = JP(codes[rnd() % WEIR_ARRAY_LEN(codes)], rnd_k(), rnd() % left,
				  rnd() % left);
			if (f[i].code == 0x05)
				f[i].k %= left;
			/* Negative offsets reach headers that a datagram socket has not. */
			if (is_far_load(&f[i]))
				f[i].k = rnd() % DATA_BYTES;
			if ((f[i].code & 7) == BPF_RET)
				f[i].code = BPF_MISC | BPF_TAX;
			if (BPF_CLASS(f[i].code) == BPF_ALU && !(f[i].code & BPF_X) && rnd() % 8)
				f[i].k = 1 + f[i].k % 31;
			if (rnd() % 3 == 0)
				f[i] = ST(BPF_ST, rnd() % 4);
		}
		/* The verdict is seen up to the datagram's length: fold the result into it. */
		f[n++] = ST(BPF_MISC | BPF_TAX, 0);
		f[n++] = ST(BPF_ALU | BPF_RSH | BPF_K, 9);
		f[n++] = ST(BPF_ALU | BPF_XOR | BPF_X, 0);
		f[n++] = ST(BPF_ALU | BPF_AND | BPF_K, 0xff);
		f[n++] = ST(BPF_RET | BPF_A, 0);
		for (uint32_t r = 0; r + 6 < n && r < 4; r++)
			f[r] = r % 2 ? ST(BPF_LDX | BPF_IMM, rnd_k())
				     : JP(BPF_LD | BPF_W | BPF_ABS, rnd() % 290, 0, 0);
		telling += compare(f, n) > 0;
	}
	assert_true(telling > 1000);
}

/* Every opcode, the bad ones too, with edge operands: accept and reject as the kernel. */
static void cbpf_codes__as_the_kernel(void **state)
{
	static const uint32_t ks[] = {0, 1, 2, 15, 16, 31, 32, 4096, UINT32_MAX};

	data_fill();
	for (uint32_t code = 0; code < 0x300; code++)
		for (size_t i = 0; i < WEIR_ARRAY_LEN(ks); i++) {
			struct sock_filter f[] = {ST(BPF_LD | BPF_IMM, 5), ST(BPF_ST, 0),
						  ST(BPF_ST, 15),          ST(BPF_LDX | BPF_IMM, 3),
						  JP(code, ks[i], 1, 0),   ST(BPF_RET | BPF_K, 7),
						  ST(BPF_RET | BPF_A, 0)};

			if (!is_far_load(&f[4]))
				compare(f, WEIR_ARRAY_LEN(f));
			f[4].jt = 2;
			if (!is_far_load(&f[4]))
				compare(f, WEIR_ARRAY_LEN(f));
			compare(f, 5);
		}
}

static void cbpf_shape__as_the_kernel(void **state)
{
	static struct sock_filter f[WEIR_CBPF_MAX_INSNS + 1];
	struct weir_prog_raw raw;

	for (uint32_t i = 0; i < WEIR_ARRAY_LEN(f); i++)
		f[i] = ST(BPF_RET | BPF_K, 100);
	compare(f, 1);
	compare(f, WEIR_CBPF_MAX_INSNS);
	compare(f, WEIR_CBPF_MAX_INSNS + 1);
	assert_int_equal(weir_cbpf_convert(f, 0, "f", NULL, &raw), -EINVAL);
	f[0] = ST(BPF_JMP | BPF_JA, UINT32_MAX);
	compare(f, 10);
	f[0] = ST(BPF_JMP | BPF_JA, 8);
	compare(f, 10);
	f[0] = ST(BPF_JMP | BPF_JA, 9);
	compare(f, 10);
	/* A jump over the longest translations still reaches; on Linux, whose are longer, it does
	 * not. */
	for (uint32_t i = 0; i < WEIR_CBPF_MAX_INSNS - 1; i++)
		f[i] = JP(BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0);
	f[0] = ST(BPF_LD | BPF_IMM, 1);
	compare(f, 1000);
	f[0] = ST(BPF_JMP | BPF_JA, WEIR_CBPF_MAX_INSNS - 2);
	assert_int_equal(weir_cbpf_convert(f, WEIR_CBPF_MAX_INSNS, "f", NULL, &raw), 0);
	assert_int_equal(our_filter(&raw), 100);
	weir_prog_raw_clear(&raw);
}

static void cbpf_ancillary__values(void **state)
{
	static const struct {
		uint32_t off, want;
	} rows[] = {{SKF_AD_PROTOCOL, 0x0800},
		    {SKF_AD_PKTTYPE, 3},
		    {SKF_AD_IFINDEX, 9},
		    {SKF_AD_MARK, 7},
		    {SKF_AD_QUEUE, 10},
		    {SKF_AD_HATYPE, 1},
		    {SKF_AD_RXHASH, 8},
		    {SKF_AD_CPU, 3},
		    {SKF_AD_ALU_XOR_X, 0x55 ^ 0x0f},
		    {SKF_AD_VLAN_TAG, 0x123},
		    {SKF_AD_VLAN_TAG_PRESENT, 1},
		    {SKF_AD_VLAN_TPID, 0x8100}};

	for (size_t i = 0; i < WEIR_ARRAY_LEN(rows); i++) {
		const struct sock_filter f[] = {
			ST(BPF_LD | BPF_IMM, 0x55), ST(BPF_LDX | BPF_IMM, 0x0f),
			ST(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + rows[i].off),
			ST(BPF_RET | BPF_A, 0)};
		struct weir_prog_raw raw;

		assert_int_equal(weir_cbpf_convert(f, 4, "f", NULL, &raw), 0);
		assert_int_equal(our_filter(&raw), rows[i].want);
		weir_prog_raw_clear(&raw);
	}
}

static void cbpf_ancillary__unknown(void **state)
{
	static const uint32_t offs[] = {
		SKF_AD_NLATTR, SKF_AD_NLATTR_NEST, SKF_AD_PAY_OFFSET, 1, SKF_AD_MAX, 100};

	for (size_t i = 0; i < WEIR_ARRAY_LEN(offs); i++) {
		const struct sock_filter f[] = {ST(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + offs[i]),
						ST(BPF_RET | BPF_A, 0)};
		struct weir_prog_raw raw;
		WEIR_DIAG_ON_STACK(diag, 128);

		assert_int_equal(weir_cbpf_convert(f, 2, "f", &diag, &raw), -EINVAL);
		assert_non_null(strstr(diag.buf, "insn 0"));
	}
}

static void cbpf_name__cut(void **state)
{
	const struct sock_filter f[] = {ST(BPF_RET | BPF_K, 1)};
	struct weir_prog_raw raw;

	assert_int_equal(weir_cbpf_convert(f, 1, "a_name_longer_than_fifteen", NULL, &raw), 0);
	assert_string_equal(raw.name, "a_name_longer_t");
	assert_int_equal(raw.type, BPF_PROG_TYPE_SOCKET_FILTER);
	weir_prog_raw_clear(&raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cbpf_random__as_the_kernel),
		cmocka_unit_test(cbpf_codes__as_the_kernel),
		cmocka_unit_test(cbpf_shape__as_the_kernel),
		cmocka_unit_test(cbpf_ancillary__values),
		cmocka_unit_test(cbpf_ancillary__unknown),
		cmocka_unit_test(cbpf_name__cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
