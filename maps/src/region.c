/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maps_internal.h"
#include "weir/base/cleanup.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static int open_memfd(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

/*
 * May this much be taken? fallocate on a memfd knows no limit but the machine's: what does not fit
 * would not fail but wake the OOM killer. A quarter of what is available stays for others.
 */
static bool fits_in_memory(size_t bytes)
{
	weir_autofclose FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			return bytes / 1024 <= kib / 4 * 3;
	return bytes <= (size_t)1 << 30; /* no /proc: be modest */
}

int weir_region_new(const char *name, size_t bytes, struct weir_diag *diag, struct weir_region *out)
{
	weir_autoclose int fd = -1;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = weir_align_up(bytes, page);
	void *base;

	if (!size || size < bytes)
		return weir_fail(diag, -ENOMEM, "map region of %zu bytes: too large", bytes);
	if (!fits_in_memory(size))
		return weir_fail(diag, -ENOMEM,
				 "map %s: %zu bytes: more than the machine has to spare", name,
				 size);
	fd = open_memfd(name);
	if (fd < 0)
		return weir_fail(diag, -errno, "memfd_create: %m");
	/* Without this anybody who gets a read-only descriptor may reopen it writable. */
	if (fchmod(fd, 0600))
		return weir_fail(diag, -errno, "map memory: fchmod: %m");
	/* Every page now: a full disk of memory is an error here, never a SIGBUS on a worker. */
	if (ftruncate(fd, (off_t)size) || fallocate(fd, 0, 0, (off_t)size))
		return weir_fail(diag, -ENOMEM, "map memory: %zu bytes: %m", size);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK))
		return weir_fail(diag, -errno, "map memory: sealing: %m");
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return weir_fail(diag, -ENOMEM, "map memory: mmap of %zu bytes: %m", size);
	out->memfd = weir_take_fd(fd);
	out->base = base;
	out->bytes = size;
	return 0;
}

void weir_region_free(struct weir_region *region)
{
	if (!region->base)
		return;
	munmap(region->base, region->bytes);
	close(region->memfd);
	region->base = NULL;
	region->memfd = -1;
}

int weir_region_freeze(struct weir_region *region)
{
	weir_autoclose int ro = -1;
	char path[64];

	/* A mapping made through a writable descriptor may become writable and stands in the way
	 * of the seal: it is replaced by one made through a read-only descriptor. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", region->memfd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	if (ro < 0)
		return -errno;
	if (mmap(region->base, region->bytes, PROT_READ, MAP_SHARED | MAP_FIXED, ro, 0) ==
	    MAP_FAILED)
		return -errno;
	if (!fcntl(region->memfd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL))
		return 0;
	/* Somebody maps it writable: ours must work as before. */
	if (mmap(region->base, region->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 region->memfd, 0) == MAP_FAILED)
		return -errno;
	return -EBUSY;
}

void weir_region_header_set(struct weir_region *region, const struct weir_map_def *def,
			    uint32_t slots)
{
	struct weir_region_header *h = (void *)region->base;

	*h = (struct weir_region_header){
		.magic = WEIR_REGION_MAGIC,
		.version = WEIR_REGION_VERSION,
		.type = def->type,
		.key_size = def->key_size,
		.value_size = def->value_size,
		.max_entries = def->max_entries,
		.slots = slots,
		.generation = 1,
	};
}
