/* SPDX-License-Identifier: BSD-3-Clause */
#include "x86_emit.h"

#include <errno.h>
#include <string.h>

#include "weir/base/bits.h"

void x86_buf_clear(struct x86_buf *b)
{
	weir_vec_free(&b->code);
	weir_vec_free(&b->fixes);
	weir_vec_free(&b->labels);
}

uint32_t x86_label_new(struct x86_buf *b, uint32_t count)
{
	uint32_t first = (uint32_t)b->labels.len;

	if (weir_vec_reserve(&b->labels, count)) {
		b->err = -ENOMEM;
		return 0;
	}
	for (uint32_t i = 0; i < count; i++)
		b->labels.v[b->labels.len++] = UINT32_MAX;
	return first;
}

void x86_label_place(struct x86_buf *b, uint32_t label)
{
	if (!b->err)
		b->labels.v[label] = (uint32_t)b->code.len;
}

void x86_byte(struct x86_buf *b, uint8_t byte)
{
	if (!b->err)
		b->err = weir_vec_push(&b->code, byte);
}

void x86_u32(struct x86_buf *b, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		x86_byte(b, (uint8_t)(v >> 8 * i));
}

static void put_u64(struct x86_buf *b, uint64_t v)
{
	x86_u32(b, (uint32_t)v);
	x86_u32(b, (uint32_t)(v >> 32));
}

/* Prefixes and opcode; index is 0 where there is none. */
static void put_opcode(struct x86_buf *b, unsigned int flags, uint32_t opcode, unsigned int reg,
		       unsigned int index, unsigned int rm, bool byte_rm)
{
	uint8_t rex = (uint8_t)((flags & X86_W ? 8 : 0) | (reg & 8 ? 4 : 0) | (index & 8 ? 2 : 0) |
				(rm & 8 ? 1 : 0));

	if (flags & X86_LOCK)
		x86_byte(b, 0xf0);
	if (flags & X86_H)
		x86_byte(b, 0x66);
	/* Without REX the byte registers 4 to 7 are ah, ch, dh, bh. */
	if (rex || ((flags & X86_B) && (reg >= 4 || (byte_rm && rm >= 4))))
		x86_byte(b, 0x40 | rex);
	if (opcode > 0xffff)
		x86_byte(b, (uint8_t)(opcode >> 16));
	if (opcode > 0xff)
		x86_byte(b, (uint8_t)(opcode >> 8));
	x86_byte(b, (uint8_t)opcode);
}

void x86_rr(struct x86_buf *b, unsigned int flags, uint32_t opcode, unsigned int reg,
	    unsigned int rm)
{
	put_opcode(b, flags, opcode, reg, 0, rm, true);
	x86_byte(b, (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7)));
}

/* ModRM's mod and the displacement. [rbp] and [r13] exist only with one. */
static uint8_t mod_of(unsigned int base, int32_t disp)
{
	if (!disp && (base & 7) != RBP)
		return 0x00;
	return disp >= INT8_MIN && disp <= INT8_MAX ? 0x40 : 0x80;
}

static void put_disp(struct x86_buf *b, uint8_t mod, int32_t disp)
{
	if (mod == 0x40)
		x86_byte(b, (uint8_t)disp);
	else if (mod == 0x80)
		x86_u32(b, (uint32_t)disp);
}

void x86_rm(struct x86_buf *b, unsigned int flags, uint32_t opcode, unsigned int reg,
	    unsigned int base, int32_t disp)
{
	uint8_t mod = mod_of(base, disp);

	put_opcode(b, flags, opcode, reg, 0, base, false);
	x86_byte(b, (uint8_t)(mod | (reg & 7) << 3 | (base & 7)));
	if ((base & 7) == RSP)
		x86_byte(b, 0x24); /* the SIB byte for "base alone" */
	put_disp(b, mod, disp);
}

void x86_rmx(struct x86_buf *b, unsigned int flags, uint32_t opcode, unsigned int reg,
	     unsigned int base, unsigned int index, unsigned int scale, int32_t disp)
{
	uint8_t mod = mod_of(base, disp);
	uint8_t log2 = (uint8_t)__builtin_ctz(scale);

	put_opcode(b, flags, opcode, reg, index, base, false);
	x86_byte(b, (uint8_t)(mod | (reg & 7) << 3 | 4));
	x86_byte(b, (uint8_t)(log2 << 6 | (index & 7) << 3 | (base & 7)));
	put_disp(b, mod, disp);
}

void x86_shiftx(struct x86_buf *b, bool wide, unsigned int pp, unsigned int dst, unsigned int src,
		unsigned int count)
{
	x86_byte(b, 0xc4);
	/* R and B inverted; the 0f 38 map. */
	x86_byte(b, (uint8_t)((dst & 8 ? 0 : 0x80) | 0x40 | (src & 8 ? 0 : 0x20) | 0x02));
	x86_byte(b, (uint8_t)((wide ? 0x80 : 0) | (~count & 15) << 3 | pp));
	x86_byte(b, 0xf7);
	x86_byte(b, (uint8_t)(0xc0 | (dst & 7) << 3 | (src & 7)));
}

void x86_alu_imm(struct x86_buf *b, unsigned int flags, unsigned int n, unsigned int reg,
		 int32_t imm)
{
	if (imm >= INT8_MIN && imm <= INT8_MAX) {
		x86_r(b, flags, 0x83, n, reg);
		x86_byte(b, (uint8_t)imm);
		return;
	}
	if (reg == RAX) {
		if (flags & X86_W)
			x86_byte(b, 0x48);
		x86_byte(b, (uint8_t)(n << 3 | 5));
	} else {
		x86_r(b, flags, 0x81, n, reg);
	}
	x86_u32(b, (uint32_t)imm);
}

void x86_mov(struct x86_buf *b, unsigned int dst, unsigned int src)
{
	if (dst != src)
		x86_rr(b, X86_W, 0x89, src, dst);
}

void x86_mov32(struct x86_buf *b, unsigned int dst, unsigned int src)
{
	x86_rr(b, 0, 0x89, src, dst);
}

void x86_mov_imm(struct x86_buf *b, unsigned int dst, uint64_t imm)
{
	if (!imm) {
		x86_rr(b, 0, 0x31, dst, dst);
	} else if (imm <= UINT32_MAX) {
		if (dst & 8)
			x86_byte(b, 0x41);
		x86_byte(b, (uint8_t)(0xb8 | (dst & 7)));
		x86_u32(b, (uint32_t)imm);
	} else if ((uint64_t)(int64_t)(int32_t)imm == imm) {
		x86_r(b, X86_W, 0xc7, 0, dst);
		x86_u32(b, (uint32_t)imm);
	} else {
		x86_byte(b, dst & 8 ? 0x49 : 0x48);
		x86_byte(b, (uint8_t)(0xb8 | (dst & 7)));
		put_u64(b, imm);
	}
}

void x86_push(struct x86_buf *b, unsigned int reg)
{
	if (reg & 8)
		x86_byte(b, 0x41);
	x86_byte(b, (uint8_t)(0x50 | (reg & 7)));
}

void x86_pop(struct x86_buf *b, unsigned int reg)
{
	if (reg & 8)
		x86_byte(b, 0x41);
	x86_byte(b, (uint8_t)(0x58 | (reg & 7)));
}

void x86_bswap(struct x86_buf *b, unsigned int flags, unsigned int reg)
{
	/* The register is in the opcode byte. */
	if (flags & X86_W || reg & 8)
		x86_byte(b, (uint8_t)(0x40 | (flags & X86_W ? 8 : 0) | (reg & 8 ? 1 : 0)));
	x86_byte(b, 0x0f);
	x86_byte(b, (uint8_t)(0xc8 | (reg & 7)));
}

static void add_fix(struct x86_buf *b, struct x86_fix fix)
{
	fix.pos = (uint32_t)b->code.len;
	if (!b->err)
		b->err = weir_vec_push(&b->fixes, fix);
}

void x86_jmp(struct x86_buf *b, uint32_t label)
{
	add_fix(b, (struct x86_fix){.kind = X86_FIX_JMP, .label = label, .long_bytes = 5});
	x86_byte(b, 0xe9);
	x86_u32(b, 0);
}

void x86_jcc(struct x86_buf *b, enum x86_cond cond, uint32_t label)
{
	add_fix(b, (struct x86_fix){.kind = X86_FIX_JCC,
				    .cond = (uint8_t)cond,
				    .label = label,
				    .long_bytes = 6});
	x86_byte(b, 0x0f);
	x86_byte(b, (uint8_t)(0x80 | cond));
	x86_u32(b, 0);
}

void x86_call(struct x86_buf *b, uint32_t label)
{
	add_fix(b, (struct x86_fix){.kind = X86_FIX_CALL, .label = label, .long_bytes = 5});
	x86_byte(b, 0xe8);
	x86_u32(b, 0);
}

void x86_call_abs(struct x86_buf *b, uint64_t address)
{
	add_fix(b, (struct x86_fix){.kind = X86_FIX_CALL_ABS, .address = address, .long_bytes = 5});
	x86_byte(b, 0xe8);
	x86_u32(b, 0);
}

void x86_lea_label(struct x86_buf *b, unsigned int reg, uint32_t label)
{
	add_fix(b, (struct x86_fix){.kind = X86_FIX_LEA, .label = label, .long_bytes = 7});
	x86_byte(b, reg & 8 ? 0x4c : 0x48);
	x86_byte(b, 0x8d);
	x86_byte(b, (uint8_t)((reg & 7) << 3 | 5));
	x86_u32(b, 0);
}

size_t x86_skip_start(struct x86_buf *b, int cond)
{
	x86_byte(b, cond < 0 ? 0xeb : (uint8_t)(0x70 | cond));
	x86_byte(b, 0);
	return b->code.len;
}

void x86_skip_end(struct x86_buf *b, size_t at)
{
	if (!b->err)
		b->code.v[at - 1] = (uint8_t)(b->code.len - at);
}
