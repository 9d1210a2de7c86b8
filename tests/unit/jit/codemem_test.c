/* SPDX-License-Identifier: BSD-3-Clause */
#include "codemem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../weir_test.h"

static const uint8_t return_42[] = {0xb8, 42, 0, 0, 0, 0xc3};

static struct weir_codemem *make(size_t reserve_bytes)
{
	struct weir_codemem *mem = NULL;

	WEIR_DIAG_ON_STACK(d, 256);
	if (weir_codemem_new(reserve_bytes, &d, &mem))
		fail_msg("%s", d.buf);
	return mem;
}

static struct codemem_range put(struct weir_codemem *mem, const void *code, size_t size_bytes)
{
	struct codemem_range range;

	assert_int_equal(codemem_take(mem, size_bytes, &range), 0);
	assert_int_equal(codemem_publish(mem, &range, code, size_bytes, NULL), 0);
	return range;
}

static int call(const void *code)
{
	/* Through assembly: there is no function type to check behind these bytes. */
	int ret;

	__asm__ volatile("call *%1" : "=a"(ret) : "r"(code) : "memory", "rcx", "rdx");
	return ret;
}

static void new__is_near_the_text(void **state)
{
	struct weir_codemem *mem = make(0);
	uint64_t lo, hi, text = (uint64_t)(uintptr_t)weir_codemem_new;

	codemem_bounds(mem, &lo, &hi);
	assert_int_equal(hi - lo, 256 << 20);
	assert_true(hi - text + (1ULL << 31) < 1ULL << 32);
	assert_true(lo - text + (1ULL << 31) < 1ULL << 32);
	weir_codemem_free(&mem);
	assert_null(mem);
}

static void publish__runs(void **state)
{
	struct weir_codemem *mem = make(1 << 20);
	struct codemem_range range = put(mem, return_42, sizeof(return_42));

	assert_int_equal(call(range.start), 42);
	assert_true(weir_codemem_used_bytes(mem) > 0);
	codemem_give_back(mem, &range);
	assert_int_equal(weir_codemem_used_bytes(mem), 0);
	weir_codemem_free(&mem);
}

/* What /proc says of the mapping that holds addr: "r-xs" and the like; "" if none does. */
static void permissions_at(const void *addr, char perms[5])
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	assert_non_null(maps);
	perms[0] = 0;
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from, to;
		char p[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, p) == 3 && (uintptr_t)addr >= from &&
		    (uintptr_t)addr < to)
			memcpy(perms, p, 5);
	}
	fclose(maps);
}

static void publish__never_writable(void **state)
{
	struct weir_codemem *mem = make(1 << 20);
	struct codemem_range range = put(mem, return_42, sizeof(return_42));
	char perms[5];

	permissions_at(range.start, perms);
	assert_memory_equal(perms, "r-x", 3);
	if (perms[3] == 's') /* shared: the seal holds against mprotect, too */
		assert_int_equal(mprotect(range.start, range.size_bytes, PROT_READ | PROT_WRITE),
				 -1);
	permissions_at(range.start + range.size_bytes, perms);
	assert_memory_equal(perms, "---", 3);
	permissions_at(range.start - 1, perms);
	assert_memory_equal(perms, "---", 3);
	codemem_give_back(mem, &range);
	permissions_at(range.start, perms);
	assert_memory_equal(perms, "---", 3);
	weir_codemem_free(&mem);
}

/* Ranges do not overlap, a full reservation says so, and what is given back is used again. */
static void take__until_full(void **state)
{
	struct weir_codemem *mem = make(64 << 10); /* 16 pages: 1 guard, then 7 of 2 and 1 left */
	struct codemem_range ranges[7], more, two;

	for (int i = 0; i < 7; i++) {
		ranges[i] = put(mem, return_42, sizeof(return_42));
		for (int k = 0; k < i; k++)
			assert_true(ranges[i].start >= ranges[k].start + 8192 ||
				    ranges[k].start >= ranges[i].start + 8192);
	}
	assert_int_equal(codemem_take(mem, 1, &more), -ENOSPC);
	codemem_give_back(mem, &ranges[3]);
	assert_int_equal(codemem_take(mem, 4097, &more), -ENOSPC);
	codemem_give_back(mem, &ranges[2]);
	assert_int_equal(codemem_take(mem, 4097, &two), 0); /* 3 pages of the 4 */
	assert_ptr_equal(two.start, ranges[2].start);
	codemem_give_back(mem, &two);
	for (int i = 0; i < 7; i++) {
		if (i != 2 && i != 3)
			codemem_give_back(mem, &ranges[i]);
	}
	assert_int_equal(weir_codemem_used_bytes(mem), 0);
	weir_codemem_free(&mem);
}

static void new__refuses_what_cannot_be(void **state)
{
	struct weir_codemem *mem = NULL;

	WEIR_DIAG_ON_STACK(d, 256);
	assert_int_equal(weir_codemem_new(1, &d, &mem), -ENOMEM);
	assert_int_equal(weir_codemem_new(4UL << 30, &d, &mem), -ENOMEM);
	assert_non_null(strstr(d.buf, "2 GB"));
	assert_null(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new__is_near_the_text),       cmocka_unit_test(publish__runs),
		cmocka_unit_test(publish__never_writable),     cmocka_unit_test(take__until_full),
		cmocka_unit_test(new__refuses_what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
