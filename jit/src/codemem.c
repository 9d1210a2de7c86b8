/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Code memory. A bitmap of pages says what is taken; every range is followed by a page that stays
 * inaccessible, and the reservation begins with one, so no code is next to other code.
 *
 * The lock guards the bitmap only; mapping happens in a range that its taker owns.
 */
#include "codemem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "weir/base/bits.h"
#include "weir/base/cleanup.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

#define PAGE_BYTES      4096
#define DEFAULT_RESERVE (256UL << 20)
#define NEAR_BYTES      (2040UL << 20) /* a little less than what rel32 reaches */
#define SEARCH_STEP     (32UL << 20)

struct weir_codemem {
	uint8_t *start;
	size_t pages;
	pthread_mutex_t lock;
	uint64_t *taken; /* bit a page; under lock */
	size_t used_pages;
	size_t first_free; /* no free page is below it */
};

/* An executable memfd with the bytes, sealed against any change. */
static int sealed_memfd(const void *bytes, size_t size_bytes, struct weir_diag *diag)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	weir_autoclose int fd = -1;
	const uint8_t *from = bytes;
	size_t done = 0;

	fd = memfd_create("weir-code", flags | MFD_EXEC);
	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 all memfds are executable */
		fd = memfd_create("weir-code", flags);
	if (fd < 0 && errno == EACCES)
		return weir_fail(diag, -EACCES,
				 "the kernel refuses executable memory files (sysctl "
				 "vm.memfd_noexec is 2): compiled code needs it to be 0 or 1");
	if (fd < 0)
		return weir_fail(diag, -errno, "memfd_create for code: %s", strerror(errno));
	while (done < size_bytes) {
		ssize_t n = write(fd, from + done, size_bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return weir_fail(diag, n ? -errno : -ENOSPC,
					 "writing code to its memfd: %s",
					 n ? strerror(errno) : "no space");
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		return weir_fail(diag, -errno, "sealing code: %s", strerror(errno));
	return weir_take_fd(fd);
}

static void *try_reserve(uint64_t at, size_t size_bytes)
{
	void *p = mmap((void *)(uintptr_t)at, size_bytes, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	/* Kernels before 4.17 take the address as a hint. */
	if (p != MAP_FAILED && (uint64_t)(uintptr_t)p != at) {
		munmap(p, size_bytes);
		return MAP_FAILED;
	}
	return p;
}

/* Looks outwards from the text, below it first: the heap grows above. */
static void *reserve_near(uint64_t text, size_t size_bytes)
{
	for (uint64_t away = SEARCH_STEP; away < NEAR_BYTES; away += SEARCH_STEP) {
		uint64_t below = (text - away) & ~(uint64_t)(PAGE_BYTES - 1);
		uint64_t above = (text + away) & ~(uint64_t)(PAGE_BYTES - 1);
		void *p = MAP_FAILED;

		if (away >= size_bytes && text > away)
			p = try_reserve(below, size_bytes);
		if (p == MAP_FAILED && away + size_bytes < NEAR_BYTES)
			p = try_reserve(above, size_bytes);
		if (p != MAP_FAILED)
			return p;
	}
	return MAP_FAILED;
}

int weir_codemem_new(size_t reserve_bytes, struct weir_diag *diag, struct weir_codemem **out)
{
	struct weir_codemem *mem;
	size_t size_bytes =
		weir_align_up(reserve_bytes ? reserve_bytes : DEFAULT_RESERVE, PAGE_BYTES);
	int fd = sealed_memfd("", 1, diag); /* better refused now than at the first program */
	void *p;

	if (fd < 0)
		return fd;
	close(fd);
	p = size_bytes >= 2 * PAGE_BYTES && size_bytes < NEAR_BYTES
		    ? reserve_near((uint64_t)(uintptr_t)weir_codemem_new, size_bytes)
		    : MAP_FAILED;
	if (p == MAP_FAILED)
		return weir_fail(diag, -ENOMEM,
				 "no %zu KiB of address space within 2 GB of the text",
				 size_bytes >> 10);
	mem = calloc(1, sizeof(*mem));
	if (mem) {
		mem->pages = size_bytes / PAGE_BYTES;
		mem->taken = calloc((mem->pages + 63) / 64, sizeof(*mem->taken));
	}
	if (!mem || !mem->taken) {
		free(mem);
		munmap(p, size_bytes);
		return -ENOMEM;
	}
	mem->start = p;
	mem->first_free = 1;
	pthread_mutex_init(&mem->lock, NULL);
	*out = mem;
	return 0;
}

void weir_codemem_free(struct weir_codemem **mem)
{
	struct weir_codemem *m = *mem;

	if (!m)
		return;
	*mem = NULL;
	munmap(m->start, m->pages * PAGE_BYTES);
	pthread_mutex_destroy(&m->lock);
	free(m->taken);
	free(m);
}

size_t weir_codemem_used_bytes(const struct weir_codemem *mem)
{
	return __atomic_load_n(&mem->used_pages, __ATOMIC_RELAXED) * PAGE_BYTES;
}

void codemem_bounds(const struct weir_codemem *mem, uint64_t *lo, uint64_t *hi)
{
	*lo = (uint64_t)(uintptr_t)mem->start;
	*hi = *lo + mem->pages * PAGE_BYTES;
}

static bool page_taken(const struct weir_codemem *mem, size_t page)
{
	return mem->taken[page / 64] >> page % 64 & 1;
}

static void mark(struct weir_codemem *mem, size_t page, size_t count, bool taken)
{
	for (size_t i = page; i < page + count; i++) {
		if (taken)
			mem->taken[i / 64] |= 1ULL << i % 64;
		else
			mem->taken[i / 64] &= ~(1ULL << i % 64);
	}
	__atomic_store_n(&mem->used_pages, mem->used_pages + (taken ? count : -count),
			 __ATOMIC_RELAXED);
}

/* First fit; 0 (the leading guard page) if there is none. */
static size_t find_free(const struct weir_codemem *mem, size_t count)
{
	size_t run = 0;

	for (size_t page = mem->first_free; page < mem->pages; page++) {
		run = page_taken(mem, page) ? 0 : run + 1;
		if (run == count)
			return page + 1 - count;
	}
	return 0;
}

int codemem_take(struct weir_codemem *mem, size_t size_bytes, struct codemem_range *out)
{
	size_t count = weir_align_up(size_bytes, PAGE_BYTES) / PAGE_BYTES + 1; /* and a guard */
	size_t page;

	pthread_mutex_lock(&mem->lock);
	page = find_free(mem, count);
	if (page) {
		mark(mem, page, count, true);
		if (page == mem->first_free)
			mem->first_free = page + count;
	}
	pthread_mutex_unlock(&mem->lock);
	if (!page)
		return -ENOSPC;
	out->start = mem->start + page * PAGE_BYTES;
	out->size_bytes = (count - 1) * PAGE_BYTES;
	return 0;
}

int codemem_publish(struct weir_codemem *mem, const struct codemem_range *range, const void *bytes,
		    size_t size_bytes, struct weir_diag *diag)
{
	weir_autoclose int fd = sealed_memfd(bytes, size_bytes, diag);
	void *p;

	if (fd < 0)
		return fd;
	p = mmap(range->start, range->size_bytes, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd,
		 0);
	/* Before Linux 6.7 a file sealed against writing could not be mapped shared at all. */
	if (p == MAP_FAILED && errno == EPERM)
		p = mmap(range->start, range->size_bytes, PROT_READ | PROT_EXEC,
			 MAP_PRIVATE | MAP_FIXED, fd, 0);
	if (p == MAP_FAILED)
		return weir_fail(diag, -errno, "mapping code: %s", strerror(errno));
	return 0;
}

void codemem_give_back(struct weir_codemem *mem, const struct codemem_range *range)
{
	size_t page = (size_t)(range->start - mem->start) / PAGE_BYTES;

	/* Failing here (out of mappings) would leave the code mapped until the range is reused. */
	mmap(range->start, range->size_bytes, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	pthread_mutex_lock(&mem->lock);
	mark(mem, page, range->size_bytes / PAGE_BYTES + 1, false);
	mem->first_free = weir_min(mem->first_free, page);
	pthread_mutex_unlock(&mem->lock);
}
