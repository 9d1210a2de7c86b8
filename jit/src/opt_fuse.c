/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several instructions that are one in hardware. Each pattern is looked for backwards from its last
 * instruction, inside a stretch that is only entered at its top and left at its bottom (no jump
 * target, jump or call in it); the fused instruction takes the last one's place, so what it reads
 * must still be unchanged there.
 */
#include "opt.h"

#define LOOK_BACK 32 /* instructions */

struct fuser {
	struct jit_insn *insns;
	const uint16_t *live_after;
};

#define NOT_FOUND UINT32_MAX

static uint16_t bit(unsigned int r)
{
	return (uint16_t)(1U << r);
}

static bool is_barrier(const struct jit_insn *insn)
{
	return jit_insn_ends_block(insn) || insn->op == WEIR_OPI_CALL_HELPER ||
	       insn->op == WEIR_OPI_CALL_LOCAL || insn->op == WEIR_OPI_TAIL_CALL ||
	       insn->op == WEIR_OPI_BUDGET;
}

/* The last instruction before `at` that writes r, in the same stretch. */
static uint32_t def_of(const struct fuser *f, uint32_t at, unsigned int r)
{
	for (int i = 0; i < LOOK_BACK && !f->insns[at].is_target; i++) {
		const struct jit_insn *insn = &f->insns[--at];

		if (is_barrier(insn))
			break;
		if (jit_insn_writes(insn) & bit(r))
			return at;
	}
	return NOT_FOUND;
}

static bool read_between(const struct fuser *f, uint32_t from, uint32_t to, unsigned int r)
{
	for (uint32_t i = from + 1; i < to; i++) {
		if (jit_insn_reads(&f->insns[i]) & bit(r))
			return true;
	}
	return false;
}

/* In [from, to). */
static bool written_in(const struct fuser *f, uint32_t from, uint32_t to, unsigned int r)
{
	for (uint32_t i = from; i < to; i++) {
		if (jit_insn_writes(&f->insns[i]) & bit(r))
			return true;
	}
	return false;
}

static bool stores_in(const struct fuser *f, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		uint8_t op = f->insns[i].op;

		if (op < WEIR_OPI_COUNT && (BPF_CLASS(weir_op_table[op].code) == BPF_ST ||
					    BPF_CLASS(weir_op_table[op].code) == BPF_STX))
			return true;
	}
	return false;
}

static void remove_insn(struct fuser *f, uint32_t at)
{
	f->insns[at].op = JIT_NOP;
}

/* --- rotates: t = z << n | z >> (width - n) */

struct shifted {
	uint32_t shift; /* the shift instruction */
	uint32_t mov;   /* copies z to the shifted register; NOT_FOUND: z itself is shifted */
	unsigned int z;
};

/* How `r`, read at `at`, came about: z, shifted once. */
static bool find_shifted(const struct fuser *f, uint32_t at, unsigned int r, bool wide,
			 struct shifted *out)
{
	uint8_t lsh = wide ? WEIR_OPI_LSH64_K : WEIR_OPI_LSH32_K;
	uint8_t rsh = wide ? WEIR_OPI_RSH64_K : WEIR_OPI_RSH32_K;
	const struct jit_insn *mov;

	out->shift = def_of(f, at, r);
	if (out->shift == NOT_FOUND || read_between(f, out->shift, at, r) ||
	    (f->insns[out->shift].op != lsh && f->insns[out->shift].op != rsh))
		return false;
	out->z = r;
	out->mov = def_of(f, out->shift, r);
	if (out->mov == NOT_FOUND || read_between(f, out->mov, out->shift, r)) {
		out->mov = NOT_FOUND;
		return true;
	}
	mov = &f->insns[out->mov];
	if (mov->op == WEIR_OPI_MOV64_X || (!wide && mov->op == WEIR_OPI_MOV32_X))
		out->z = mov->src;
	else
		out->mov = NOT_FOUND;
	return true;
}

/*
 * Is z, as it was when the copy at `from` was made, still there at `to`, if the instruction at
 * `except` (the shift in place) goes?
 */
static bool unchanged(const struct fuser *f, uint32_t from, uint32_t to, unsigned int z,
		      uint32_t except)
{
	for (uint32_t i = from; i < to; i++) {
		if (i != except && jit_insn_writes(&f->insns[i]) & bit(z))
			return false;
	}
	return true;
}

/* a and b are two shifts of the same value of the same register. */
static bool same_origin(const struct fuser *f, uint32_t at, const struct shifted *a,
			const struct shifted *b)
{
	if (a->mov == NOT_FOUND)
		return false;
	if (b->mov == NOT_FOUND) /* z is shifted in place, after it was copied for a */
		return a->z == b->z && b->shift > a->mov &&
		       unchanged(f, a->mov, at, a->z, b->shift);
	return a->z == b->z && a->z != f->insns[a->mov].dst && a->z != f->insns[b->mov].dst &&
	       unchanged(f, a->mov < b->mov ? a->mov : b->mov, at, a->z, NOT_FOUND);
}

static bool fuse_rotate(struct fuser *f, uint32_t at)
{
	struct jit_insn *join = &f->insns[at];
	bool wide = join->op == WEIR_OPI_OR64_X || join->op == WEIR_OPI_ADD64_X ||
		    join->op == WEIR_OPI_XOR64_X;
	int64_t width = wide ? 64 : 32;
	struct shifted x, y;
	const struct jit_insn *xs, *ys;
	bool x_left;

	if (join->dst == join->src || f->live_after[at] & bit(join->src) ||
	    !find_shifted(f, at, join->dst, wide, &x) || !find_shifted(f, at, join->src, wide, &y))
		return false;
	xs = &f->insns[x.shift];
	ys = &f->insns[y.shift];
	if (xs->op == ys->op || xs->imm <= 0 || ys->imm <= 0 || xs->imm + ys->imm != width)
		return false;
	if (!same_origin(f, at, &x, &y) && !same_origin(f, at, &y, &x))
		return false;
	x_left = xs->op == WEIR_OPI_LSH64_K || xs->op == WEIR_OPI_LSH32_K;
	join->op = wide ? JIT_ROL64 : JIT_ROL32;
	join->imm = x_left ? xs->imm : ys->imm;
	join->src = (uint8_t)x.z;
	if (x.mov == NOT_FOUND)
		join->src = (uint8_t)y.z;
	remove_insn(f, x.shift);
	remove_insn(f, y.shift);
	if (x.mov != NOT_FOUND)
		remove_insn(f, x.mov);
	if (y.mov != NOT_FOUND)
		remove_insn(f, y.mov);
	return true;
}

/* --- wide loads: load[p + n] << (bits + k) | load[p] << k is a load of both, shifted by k */

struct load_pair {
	uint8_t part;
	uint8_t whole;
	uint8_t bits; /* of a part */
	bool big_endian;
};

static const struct load_pair load_pairs[] = {
	{WEIR_OPI_LDX_B, WEIR_OPI_LDX_H, 8, false},   {WEIR_OPI_LDX_H, WEIR_OPI_LDX_W, 16, false},
	{WEIR_OPI_LDX_W, WEIR_OPI_LDX_DW, 32, false}, {WEIR_OPI_LDX_B, JIT_LDX_BE16, 8, true},
	{JIT_LDX_BE16, JIT_LDX_BE32, 16, true},       {JIT_LDX_BE32, JIT_LDX_BE64, 32, true},
};

/* One operand of a join: loaded, then perhaps shifted up. */
struct part {
	uint32_t load;
	uint32_t shift; /* NOT_FOUND: not shifted */
	int64_t count;  /* bits it is shifted by */
};

static bool find_part(const struct fuser *f, uint32_t at, unsigned int r, struct part *out)
{
	uint32_t def = def_of(f, at, r);

	*out = (struct part){.load = def, .shift = NOT_FOUND};
	if (def == NOT_FOUND || read_between(f, def, at, r))
		return false;
	if (f->insns[def].op != WEIR_OPI_LSH64_K && f->insns[def].op != WEIR_OPI_LSH32_K)
		return true;
	out->shift = def;
	out->count = f->insns[def].imm;
	out->load = def_of(f, def, r);
	return out->load != NOT_FOUND && !read_between(f, out->load, def, r);
}

static const struct load_pair *find_pair(const struct jit_insn *high, const struct jit_insn *low,
					 int64_t distance)
{
	for (size_t i = 0; i < sizeof(load_pairs) / sizeof(load_pairs[0]); i++) {
		const struct load_pair *pair = &load_pairs[i];
		int32_t bytes = pair->bits / 8;

		if (high->op == pair->part && low->op == pair->part && high->src == low->src &&
		    distance == pair->bits &&
		    high->off == low->off + (pair->big_endian ? -bytes : bytes))
			return pair;
	}
	return NULL;
}

/* No bit is lost: neither by a 32-bit shift nor by a 32-bit join. */
static bool keeps_all_bits(const struct fuser *f, const struct jit_insn *join,
			   const struct part *part, int64_t bits)
{
	if (part->count < 0 || part->count + bits > 64)
		return false;
	if (part->count + bits <= 32)
		return true;
	return join->op != WEIR_OPI_OR32_X && part->shift != NOT_FOUND &&
	       f->insns[part->shift].op == WEIR_OPI_LSH64_K;
}

static uint32_t later(uint32_t a, uint32_t b)
{
	if (a == NOT_FOUND || b == NOT_FOUND)
		return a == NOT_FOUND ? b : a;
	return a > b ? a : b;
}

/*
 * Has the loads' address register the same value at both of them and at `place`, once what is
 * replaced is gone? (Compilers like to load the last part over its own address.)
 */
static bool base_unchanged(const struct fuser *f, uint32_t first, uint32_t place,
			   const struct part *high, const struct part *low)
{
	unsigned int base = f->insns[first].src;

	for (uint32_t i = first; i < place; i++) {
		bool replaced = i != first && (i == high->load || i == low->load ||
					       i == high->shift || i == low->shift);

		if (!replaced && jit_insn_writes(&f->insns[i]) & bit(base))
			return false;
	}
	return true;
}

/*
 * The wide load takes the place of the last of the instructions it replaces: from the first of them
 * on, the join's dst was theirs alone, so it may be written there.
 */
static bool fuse_loads_of(struct fuser *f, uint32_t at, const struct part *high,
			  const struct part *low)
{
	struct jit_insn *join = &f->insns[at];
	struct jit_insn *h = &f->insns[high->load], *l = &f->insns[low->load];
	const struct load_pair *pair = find_pair(h, l, high->count - low->count);
	uint32_t first = high->load < low->load ? high->load : low->load;
	uint32_t place = later(later(high->load, low->load), later(high->shift, low->shift));
	struct jit_insn wide;

	if (!pair || !keeps_all_bits(f, join, high, pair->bits) ||
	    !keeps_all_bits(f, join, low, pair->bits) || stores_in(f, first, place) ||
	    !base_unchanged(f, first, place, high, low))
		return false;
	wide = (struct jit_insn){.op = pair->whole,
				 .dst = join->dst,
				 .src = h->src,
				 .off = pair->big_endian ? h->off : l->off,
				 .is_target = f->insns[place].is_target};
	remove_insn(f, high->load);
	remove_insn(f, low->load);
	if (high->shift != NOT_FOUND)
		remove_insn(f, high->shift);
	if (low->shift != NOT_FOUND)
		remove_insn(f, low->shift);
	f->insns[place] = wide;
	join->op = low->count ? (uint8_t)WEIR_OPI_LSH64_K : (uint8_t)JIT_NOP;
	join->imm = low->count;
	join->src = 0;
	return true;
}

static bool fuse_loads(struct fuser *f, uint32_t at)
{
	const struct jit_insn *join = &f->insns[at];
	struct part x, y;

	if (join->dst == join->src || f->live_after[at] & bit(join->src) ||
	    !find_part(f, at, join->dst, &x) || !find_part(f, at, join->src, &y))
		return false;
	return x.count > y.count ? fuse_loads_of(f, at, &x, &y) : fuse_loads_of(f, at, &y, &x);
}

/* --- a load whose bytes are swapped */

static bool fuse_swapped_load(struct fuser *f, uint32_t at, uint8_t load, uint8_t swapped)
{
	struct jit_insn *swap = &f->insns[at];
	uint32_t from = def_of(f, at, swap->dst);

	if (from == NOT_FOUND || f->insns[from].op != load ||
	    read_between(f, from, at, swap->dst) || stores_in(f, from, at) ||
	    written_in(f, from, at, f->insns[from].src))
		return false;
	swap->op = swapped;
	swap->src = f->insns[from].src;
	swap->off = f->insns[from].off;
	remove_insn(f, from);
	return true;
}

/* --- dst = src + something */

static bool fuse_lea(struct fuser *f, uint32_t at)
{
	struct jit_insn *add = &f->insns[at];
	uint32_t mov = def_of(f, at, add->dst);
	uint8_t src;

	if (mov == NOT_FOUND || f->insns[mov].op != WEIR_OPI_MOV64_X ||
	    read_between(f, mov, at, add->dst) || add->imm == INT32_MIN)
		return false;
	src = f->insns[mov].src;
	if (written_in(f, mov, at, src) || (add->op == WEIR_OPI_ADD64_X && add->src == add->dst))
		return false;
	if (add->op == WEIR_OPI_ADD64_X)
		add->imm = add->src;
	else if (add->op == WEIR_OPI_SUB64_K)
		add->imm = -add->imm;
	add->op = add->op == WEIR_OPI_ADD64_X ? (uint8_t)JIT_LEA64_X : (uint8_t)JIT_LEA64;
	add->src = src;
	remove_insn(f, mov);
	return true;
}

/* --- copies: load r, [p + i]; store [p + j], r, and the same for the bytes beside them */

/* The instruction before `at`, with nothing in between and no jump to `at`. */
static uint32_t just_before(const struct fuser *f, uint32_t at)
{
	while (at && !f->insns[at].is_target) {
		if (f->insns[--at].op != JIT_NOP)
			return at;
	}
	return NOT_FOUND;
}

/*
 * Two copies within what one register addresses: the second load must not see the first store, and
 * neither may the wide one. The second load overwrites the first one's register, so only what is
 * behind the second store could need it.
 */
static bool fuse_copies(struct fuser *f, uint32_t at, uint8_t load, unsigned int bytes)
{
	struct jit_insn *store = &f->insns[at];
	uint32_t l2 = just_before(f, at), s1, l1;
	const struct jit_insn *load1, *store1;
	struct jit_insn *load2;
	int64_t from, to, step;

	s1 = l2 == NOT_FOUND ? l2 : just_before(f, l2);
	l1 = s1 == NOT_FOUND ? s1 : just_before(f, s1);
	if (l1 == NOT_FOUND)
		return false;
	load1 = &f->insns[l1];
	store1 = &f->insns[s1];
	load2 = &f->insns[l2];
	if (load1->op != load || load2->op != load || store1->op != store->op ||
	    store->src == store->dst || f->live_after[at] & bit(store->src) ||
	    store1->src != store->src || load1->dst != store->src || load2->dst != store->src ||
	    store1->dst != store->dst || load1->src != store->dst || load2->src != store->dst)
		return false;
	step = (int64_t)load2->off - load1->off;
	if ((step != bytes && step != -(int64_t)bytes) || (int64_t)store->off - store1->off != step)
		return false;
	from = step > 0 ? load1->off : load2->off;
	to = step > 0 ? store1->off : store->off;
	if (from < to + 2 * (int64_t)bytes && to < from + 2 * (int64_t)bytes)
		return false;
	load2->op++; /* the tables have the sizes in order */
	load2->off = (int32_t)from;
	store->op++;
	store->off = (int32_t)to;
	remove_insn(f, l1);
	remove_insn(f, s1);
	return true;
}

_Static_assert(WEIR_OPI_LDX_B + 3 == WEIR_OPI_LDX_DW && WEIR_OPI_LDX_B + 2 == WEIR_OPI_LDX_W &&
		       WEIR_OPI_STX_B + 3 == WEIR_OPI_STX_DW &&
		       WEIR_OPI_STX_B + 2 == WEIR_OPI_STX_W,
	       "sizes are in order");

static void fuse_all_copies(struct fuser *f, uint32_t at)
{
	unsigned int size = f->insns[at].op - (unsigned int)WEIR_OPI_STX_B;

	while (size < 3 && fuse_copies(f, at, (uint8_t)(WEIR_OPI_LDX_B + size), 1U << size))
		size++;
}

static void fuse_at(struct fuser *f, uint32_t at)
{
	switch (f->insns[at].op) {
	case WEIR_OPI_OR32_X:
	case WEIR_OPI_OR64_X:
		if (!fuse_rotate(f, at))
			fuse_loads(f, at);
		break;
	case WEIR_OPI_ADD64_X:
		if (!fuse_rotate(f, at) && !fuse_loads(f, at))
			fuse_lea(f, at);
		break;
	case WEIR_OPI_STX_B:
	case WEIR_OPI_STX_H:
	case WEIR_OPI_STX_W: fuse_all_copies(f, at); break;
	case WEIR_OPI_ADD32_X:
	case WEIR_OPI_XOR32_X:
	case WEIR_OPI_XOR64_X: fuse_rotate(f, at); break;
	case WEIR_OPI_ADD64_K:
	case WEIR_OPI_SUB64_K: fuse_lea(f, at); break;
	case WEIR_OPI_BE16:
	case WEIR_OPI_BSWAP16: fuse_swapped_load(f, at, WEIR_OPI_LDX_H, JIT_LDX_BE16); break;
	case WEIR_OPI_BE32:
	case WEIR_OPI_BSWAP32: fuse_swapped_load(f, at, WEIR_OPI_LDX_W, JIT_LDX_BE32); break;
	case WEIR_OPI_BE64:
	case WEIR_OPI_BSWAP64: fuse_swapped_load(f, at, WEIR_OPI_LDX_DW, JIT_LDX_BE64); break;
	default: break;
	}
}

void opt_fuse(struct jit_prog *prog, const uint16_t *live_after)
{
	struct fuser f = {.insns = prog->insns, .live_after = live_after};

	for (uint32_t i = 0; i < prog->insn_count; i++)
		fuse_at(&f, i);
}
