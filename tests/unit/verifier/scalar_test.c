/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scalars against concrete execution. Windows of a few values around the edges of both widths are
 * taken in all combinations with all their members; random scalars of every kind with sampled ones.
 * The concrete semantics here is written from RFC 9669, apart from the code under test.
 */
#include "scalar.h"

#include <stdbool.h>

#include "../weir_test.h"
#include "weir/vm/bpf.h"

static uint64_t concrete32(uint8_t op, bool is_signed, uint32_t a, uint32_t b)
{
	int32_t sa = (int32_t)a, sb = (int32_t)b;

	switch (op) {
	case BPF_ADD: return (uint32_t)(a + b);
	case BPF_SUB: return (uint32_t)(a - b);
	case BPF_MUL: return (uint32_t)(a * b);
	case BPF_AND: return a & b;
	case BPF_OR: return a | b;
	case BPF_XOR: return a ^ b;
	case BPF_NEG: return (uint32_t)-a;
	case BPF_LSH: return (uint32_t)(a << (b & 31));
	case BPF_RSH: return a >> (b & 31);
	case BPF_ARSH: return (uint32_t)(sa >> (b & 31));
	case BPF_DIV:
		if (!is_signed)
			return b ? a / b : 0;
		return !b ? 0 : sb == -1 ? (uint32_t)-a : (uint32_t)(sa / sb);
	case BPF_MOD:
		if (!is_signed)
			return b ? a % b : a;
		return !b ? a : sb == -1 ? 0 : (uint32_t)(sa % sb);
	default: return b; /* MOV */
	}
}

static uint64_t concrete64(uint8_t op, bool is_signed, uint64_t a, uint64_t b)
{
	int64_t sa = (int64_t)a, sb = (int64_t)b;

	switch (op) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_AND: return a & b;
	case BPF_OR: return a | b;
	case BPF_XOR: return a ^ b;
	case BPF_NEG: return -a;
	case BPF_LSH: return a << (b & 63);
	case BPF_RSH: return a >> (b & 63);
	case BPF_ARSH: return (uint64_t)(sa >> (b & 63));
	case BPF_DIV:
		if (!is_signed)
			return b ? a / b : 0;
		return !b ? 0 : sb == -1 ? -a : (uint64_t)(sa / sb);
	case BPF_MOD:
		if (!is_signed)
			return b ? a % b : a;
		return !b ? a : sb == -1 ? 0 : (uint64_t)(sa % sb);
	default: return b;
	}
}

static bool concrete_jump(uint8_t op, bool is32, uint64_t a, uint64_t b)
{
	int64_t sa = is32 ? (int32_t)a : (int64_t)a, sb = is32 ? (int32_t)b : (int64_t)b;

	if (is32) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	switch (op) {
	case BPF_JEQ: return a == b;
	case BPF_JNE: return a != b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	case BPF_JLT: return a < b;
	case BPF_JLE: return a <= b;
	case BPF_JSGT: return sa > sb;
	case BPF_JSGE: return sa >= sb;
	case BPF_JSLT: return sa < sb;
	case BPF_JSLE: return sa <= sb;
	default: return a & b;
	}
}

static const struct {
	uint8_t op;
	bool is_signed;
} alu_ops[] = {
	{BPF_ADD, false}, {BPF_SUB, false}, {BPF_MUL, false}, {BPF_AND, false}, {BPF_OR, false},
	{BPF_XOR, false}, {BPF_NEG, false}, {BPF_LSH, false}, {BPF_RSH, false}, {BPF_ARSH, false},
	{BPF_DIV, false}, {BPF_MOD, false}, {BPF_DIV, true},  {BPF_MOD, true},  {BPF_MOV, false},
};
static const uint8_t jump_ops[] = {BPF_JEQ,  BPF_JNE,  BPF_JGT,  BPF_JGE,  BPF_JLT, BPF_JLE,
				   BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE, BPF_JSET};

/* Edges of both widths, signed and unsigned; a window is [edge + i, edge + j], wrapping windows
 * are built signed. */
static const uint64_t edges[] = {
	0,    3,      31, 33, 1ULL << 31, 1ULL << 32, 3ULL << 32, 1ULL << 63, 0xffffffff80000000ULL,
	0x7f, 0x8000,
};
#define REACH 2

struct window {
	struct weir_scalar s;
	uint64_t members[2 * REACH + 1];
	int count;
};

static int make_windows(struct window *w)
{
	int n = 0;

	for (size_t e = 0; e < sizeof(edges) / sizeof(edges[0]); e++)
		for (int i = -REACH; i <= REACH; i++)
			for (int j = i; j <= REACH; j++) {
				uint64_t lo = edges[e] + (uint64_t)(int64_t)i;
				uint64_t hi = edges[e] + (uint64_t)(int64_t)j;

				w[n].s = lo <= hi ? weir_scalar_urange(lo, hi)
						  : weir_scalar_srange((int64_t)lo, (int64_t)hi);
				w[n].count = j - i + 1;
				for (int k = 0; k < w[n].count; k++)
					w[n].members[k] = lo + (uint64_t)k;
				n++;
			}
	return n;
}

static struct window windows[sizeof(edges) / sizeof(edges[0]) * 15];

static void show(const char *what, uint8_t op, bool is_signed, bool is32, uint64_t a, uint64_t b,
		 uint64_t c, const struct weir_scalar *r)
{
	fail_msg("%s op %#x%s%s: %#lx, %#lx -> %#lx not in var (%#lx; %#lx) u [%#lx, %#lx] s [%ld, "
		 "%ld] u32 [%#x, %#x] s32 [%d, %d]",
		 what, op, is_signed ? " signed" : "", is32 ? " 32" : "", a, b, c, r->var.value,
		 r->var.mask, r->umin, r->umax, r->smin, r->smax, r->u32_min, r->u32_max,
		 r->s32_min, r->s32_max);
}

static void check_alu(size_t o, bool is32, const struct window *a, const struct window *b)
{
	struct weir_scalar r = a->s;

	weir_scalar_alu(&r, &b->s, alu_ops[o].op, alu_ops[o].is_signed, is32);
	for (int i = 0; i < a->count; i++)
		for (int k = 0; k < b->count; k++) {
			uint64_t x = a->members[i], y = b->members[k];
			uint64_t c = is32 ? concrete32(alu_ops[o].op, alu_ops[o].is_signed,
						       (uint32_t)x, (uint32_t)y)
					  : concrete64(alu_ops[o].op, alu_ops[o].is_signed, x, y);

			if (!weir_scalar_contains(&r, c))
				show("alu", alu_ops[o].op, alu_ops[o].is_signed, is32, x, y, c, &r);
		}
	if (a->count == 1 && b->count == 1 && !weir_scalar_is_const(&r))
		fail_msg("alu op %#x%s of constants %#lx %#lx is no constant", alu_ops[o].op,
			 is32 ? " 32" : "", a->members[0], b->members[0]);
}

static void check_jump(uint8_t op, bool is32, const struct window *a, const struct window *b)
{
	enum weir_decision d = weir_scalar_branch(op, is32, &a->s, &b->s);
	struct weir_scalar ra[2] = {a->s, a->s}, rb[2] = {b->s, b->s};
	bool can[2];

	for (int taken = 0; taken < 2; taken++)
		can[taken] = weir_scalar_refine(op, is32, taken, &ra[taken], &rb[taken]);
	for (int i = 0; i < a->count; i++)
		for (int k = 0; k < b->count; k++) {
			uint64_t x = a->members[i], y = b->members[k];
			bool t = concrete_jump(op, is32, x, y);

			if (d != WEIR_DECISION_UNKNOWN && (bool)d != t)
				show("decision", op, false, is32, x, y, t, &a->s);
			if (!can[t] || !weir_scalar_contains(&ra[t], x))
				show("refined a", op, t, is32, x, y, x, &ra[t]);
			if (!weir_scalar_contains(&rb[t], y))
				show("refined b", op, t, is32, x, y, y, &rb[t]);
		}
}

static void scalar_alu__holds_every_result_around_the_edges(void **state)
{
	int n = make_windows(windows);

	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++)
			for (size_t o = 0; o < sizeof(alu_ops) / sizeof(alu_ops[0]); o++) {
				check_alu(o, false, &windows[i], &windows[k]);
				check_alu(o, true, &windows[i], &windows[k]);
			}
}

static void scalar_refine__keeps_every_pair_around_the_edges(void **state)
{
	int n = make_windows(windows);

	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++)
			for (size_t o = 0; o < sizeof(jump_ops); o++) {
				check_jump(jump_ops[o], false, &windows[i], &windows[k]);
				check_jump(jump_ops[o], true, &windows[i], &windows[k]);
			}
}

static uint64_t rng_state = 0x9e3779b97f4a7c15ULL;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

/* A number of random size, sign and alignment to edges. */
static uint64_t rnum(void)
{
	uint64_t v = rng() >> (rng() & 63);

	switch (rng() & 7) {
	case 0: return -v;
	case 1: return edges[rng() % (sizeof(edges) / sizeof(edges[0]))] + (rng() & 7) - 4;
	case 2: return v << 32;
	default: return v;
	}
}

/* A random scalar around a member that is known to be in it. */
static struct weir_scalar rscalar(uint64_t v)
{
	struct weir_scalar s = weir_scalar_unknown();
	uint64_t d = rnum() & INT64_MAX, e = rnum() & INT64_MAX;
	int64_t sv = (int64_t)v;

	if (rng() & 1) {
		s.umin = v < d ? 0 : v - d;
		s.umax = v + e < v ? UINT64_MAX : v + e;
	}
	if (rng() & 1) {
		s.smin = __builtin_sub_overflow(sv, (int64_t)d, &s.smin) ? INT64_MIN : s.smin;
		s.smax = __builtin_add_overflow(sv, (int64_t)e, &s.smax) ? INT64_MAX : s.smax;
	}
	if (!(rng() & 3)) {
		s.u32_min = (uint32_t)v - (uint32_t)(rng() % ((uint64_t)(uint32_t)v + 1));
		s.u32_max =
			(uint32_t)v + (uint32_t)(rng() % (UINT32_MAX - (uint64_t)(uint32_t)v + 1));
	}
	if (!(rng() & 3)) {
		uint64_t mask = rng() & rng();

		s.var = (struct weir_tnum){v & ~mask, mask};
	}
	assert_true(weir_scalar_sync(&s));
	assert_true(weir_scalar_contains(&s, v));
	return s;
}

static void scalar_alu__holds_random_results(void **state)
{
	for (int i = 0; i < 1500000; i++) {
		uint64_t x = rnum(), y = rng() & 1 ? rnum() : rng() & 63, c;
		struct weir_scalar a = rscalar(x), b = rscalar(y), r = a;
		size_t o = rng() % (sizeof(alu_ops) / sizeof(alu_ops[0]));
		bool is32 = rng() & 1;

		weir_scalar_alu(&r, &b, alu_ops[o].op, alu_ops[o].is_signed, is32);
		c = is32 ? concrete32(alu_ops[o].op, alu_ops[o].is_signed, (uint32_t)x, (uint32_t)y)
			 : concrete64(alu_ops[o].op, alu_ops[o].is_signed, x, y);
		if (!weir_scalar_contains(&r, c))
			show("alu", alu_ops[o].op, alu_ops[o].is_signed, is32, x, y, c, &r);
	}
}

static void scalar_refine__keeps_random_pairs(void **state)
{
	for (int i = 0; i < 1500000; i++) {
		uint64_t x = rnum(), y = rng() & 3 ? rnum() : x;
		struct weir_scalar a = rscalar(x), b = rscalar(y);
		uint8_t op = jump_ops[rng() % sizeof(jump_ops)];
		bool is32 = rng() & 1, t = concrete_jump(op, is32, x, y);
		enum weir_decision d = weir_scalar_branch(op, is32, &a, &b);

		if (d != WEIR_DECISION_UNKNOWN && (bool)d != t)
			show("decision", op, false, is32, x, y, t, &a);
		if (!weir_scalar_refine(op, is32, t, &a, &b) || !weir_scalar_contains(&a, x))
			show("refined a", op, t, is32, x, y, x, &a);
		if (!weir_scalar_contains(&b, y))
			show("refined b", op, t, is32, x, y, y, &b);
	}
}

static void scalar_convert__holds_random_results(void **state)
{
	for (int i = 0; i < 500000; i++) {
		uint64_t x = rnum();
		struct weir_scalar s = rscalar(x), r;

		r = s, weir_scalar_trunc(&r, 1), assert_true(weir_scalar_contains(&r, (uint8_t)x));
		r = s, weir_scalar_trunc(&r, 2), assert_true(weir_scalar_contains(&r, (uint16_t)x));
		r = s, weir_scalar_trunc(&r, 4), assert_true(weir_scalar_contains(&r, (uint32_t)x));
		for (int is32 = 0; is32 < 2; is32++) {
			uint64_t keep = is32 ? UINT32_MAX : UINT64_MAX;

			r = s, weir_scalar_sext(&r, 1, is32);
			assert_true(weir_scalar_contains(&r, (uint64_t)(int64_t)(int8_t)x & keep));
			r = s, weir_scalar_sext(&r, 2, is32);
			assert_true(weir_scalar_contains(&r, (uint64_t)(int64_t)(int16_t)x & keep));
			r = s, weir_scalar_sext(&r, 4, is32);
			assert_true(weir_scalar_contains(&r, (uint64_t)(int64_t)(int32_t)x & keep));
		}
		r = s, weir_scalar_bswap(&r, 2);
		assert_true(weir_scalar_contains(&r, __builtin_bswap16((uint16_t)x)));
		r = s, weir_scalar_bswap(&r, 4);
		assert_true(weir_scalar_contains(&r, __builtin_bswap32((uint32_t)x)));
		r = s, weir_scalar_bswap(&r, 8);
		assert_true(weir_scalar_contains(&r, __builtin_bswap64(x)));
	}
}

/* Precision that real programs need: a domain that knew nothing would be sound, too. */
static void scalar_precision__what_programs_rely_on(void **state)
{
	struct weir_scalar a = weir_scalar_unknown(), b = weir_scalar_const(0x3c), c;

	weir_scalar_alu(&a, &b, BPF_AND, false, false);
	assert_int_equal(a.umax, 0x3c);
	assert_int_equal(a.smin, 0);
	assert_true(weir_tnum_is_aligned(a.var, 4));

	a = weir_scalar_unknown();
	b = weir_scalar_const(100);
	assert_true(weir_scalar_refine(BPF_JLT, true, true, &a, &b));
	assert_int_equal(a.u32_max, 99);
	c = weir_scalar_const(32);
	weir_scalar_alu(&a, &c, BPF_LSH, false, false);
	weir_scalar_alu(&a, &c, BPF_RSH, false, false);
	weir_scalar_trunc(&a, 4);

	a = weir_scalar_unknown();
	weir_scalar_trunc(&a, 4);
	b = weir_scalar_const(100);
	assert_true(weir_scalar_refine(BPF_JSLT, true, true, &a, &b));
	b = weir_scalar_const(0);
	assert_true(weir_scalar_refine(BPF_JSGE, true, true, &a, &b));
	assert_int_equal(a.umax, 99);

	a = weir_scalar_urange(0, 14);
	b = weir_scalar_const(14);
	assert_int_equal(weir_scalar_branch(BPF_JGT, false, &a, &b), WEIR_DECISION_NO);
	assert_true(weir_scalar_refine(BPF_JNE, false, true, &a, &b));
	assert_int_equal(a.umax, 13);

	a = weir_scalar_srange(-5, 7);
	weir_scalar_sext(&a, 4, false);
	assert_int_equal(a.smin, -5);
	assert_int_equal(a.smax, 7);
}

static void scalar_sync__finds_contradictions(void **state)
{
	struct weir_scalar a = weir_scalar_unknown();

	a.umin = 5;
	a.umax = 7;
	a.var = (struct weir_tnum){8, 0};
	assert_false(weir_scalar_sync(&a));
	a = weir_scalar_unknown();
	a.umin = 1ULL << 63;
	a.smin = 0;
	assert_false(weir_scalar_sync(&a));
	a = weir_scalar_unknown();
	a.umin = 5;
	a.umax = 7;
	a.var = (struct weir_tnum){4, 3};
	assert_true(weir_scalar_sync(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalar_alu__holds_every_result_around_the_edges),
		cmocka_unit_test(scalar_refine__keeps_every_pair_around_the_edges),
		cmocka_unit_test(scalar_alu__holds_random_results),
		cmocka_unit_test(scalar_refine__keeps_random_pairs),
		cmocka_unit_test(scalar_convert__holds_random_results),
		cmocka_unit_test(scalar_precision__what_programs_rely_on),
		cmocka_unit_test(scalar_sync__finds_contradictions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
