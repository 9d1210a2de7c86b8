/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 9669's arithmetic, for the interpreter and for folding constants. Any thread. */
#ifndef WEIR_VM_ALU_H
#define WEIR_VM_ALU_H

#include <stdint.h>

/* Division by zero gives 0, modulo by zero the dividend; the smallest number by -1 wraps. */
#define WEIR_DEFINE_ALU(bits)                                                                \
	static inline uint##bits##_t weir_alu_add##bits(uint##bits##_t a, uint##bits##_t b)  \
	{                                                                                    \
		return a + b;                                                                \
	}                                                                                    \
	static inline uint##bits##_t weir_alu_sub##bits(uint##bits##_t a, uint##bits##_t b)  \
	{                                                                                    \
		return a - b;                                                                \
	}                                                                                    \
	static inline uint##bits##_t weir_alu_mul##bits(uint##bits##_t a, uint##bits##_t b)  \
	{                                                                                    \
		return a * b;                                                                \
	}                                                                                    \
	static inline uint##bits##_t weir_alu_or##bits(uint##bits##_t a, uint##bits##_t b)   \
	{                                                                                    \
		return a | b;                                                                \
	}                                                                                    \
	static inline uint##bits##_t weir_alu_and##bits(uint##bits##_t a, uint##bits##_t b)  \
	{                                                                                    \
		return a & b;                                                                \
	}                                                                                    \
	static inline uint##bits##_t weir_alu_xor##bits(uint##bits##_t a, uint##bits##_t b)  \
	{                                                                                    \
		return a ^ b;                                                                \
	}                                                                                    \
	static inline uint##bits##_t weir_alu_lsh##bits(uint##bits##_t a, uint##bits##_t b)  \
	{                                                                                    \
		return a << (b & (bits - 1));                                                \
	}                                                                                    \
	static inline uint##bits##_t weir_alu_rsh##bits(uint##bits##_t a, uint##bits##_t b)  \
	{                                                                                    \
		return a >> (b & (bits - 1));                                                \
	}                                                                                    \
	static inline uint##bits##_t weir_alu_arsh##bits(uint##bits##_t a, uint##bits##_t b) \
	{                                                                                    \
		return (uint##bits##_t)((int##bits##_t)a >> (b & (bits - 1)));               \
	}                                                                                    \
	static inline uint##bits##_t weir_alu_div##bits(uint##bits##_t a, uint##bits##_t b)  \
	{                                                                                    \
		return b ? a / b : 0;                                                        \
	}                                                                                    \
	static inline uint##bits##_t weir_alu_mod##bits(uint##bits##_t a, uint##bits##_t b)  \
	{                                                                                    \
		return b ? a % b : a;                                                        \
	}                                                                                    \
	static inline uint##bits##_t weir_alu_sdiv##bits(uint##bits##_t a, uint##bits##_t b) \
	{                                                                                    \
		if (b == (uint##bits##_t) - 1)                                               \
			return -a;                                                           \
		return b ? (uint##bits##_t)((int##bits##_t)a / (int##bits##_t)b) : 0;        \
	}                                                                                    \
	static inline uint##bits##_t weir_alu_smod##bits(uint##bits##_t a, uint##bits##_t b) \
	{                                                                                    \
		if (b == (uint##bits##_t) - 1)                                               \
			return 0;                                                            \
		return b ? (uint##bits##_t)((int##bits##_t)a % (int##bits##_t)b) : a;        \
	}
WEIR_DEFINE_ALU(32)
WEIR_DEFINE_ALU(64)
#undef WEIR_DEFINE_ALU

#endif
