/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting and stopping EAL, and its log on its way into weird's. Main thread; EAL's own threads
 * log as well.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "plane_int.h"
#include "weir/base/bits.h"
#include "weir/base/cleanup.h"
#include "weir/base/log.h"

static pthread_mutex_t first_lock = PTHREAD_MUTEX_INITIALIZER;
static char first_error[256]; /* first_lock */
static FILE *log_stream;

static enum weir_log_level level_of(int rte_level)
{
	/* Drivers call errors what they then do without; what really failed, weird says itself. */
	if (rte_level <= (int)RTE_LOG_CRIT)
		return WEIR_LOG_ERROR;
	if (rte_level <= (int)RTE_LOG_WARNING)
		return WEIR_LOG_WARNING;
	/* EAL's notices and information are about itself. */
	return WEIR_LOG_DEBUG;
}

static ssize_t log_write(void *cookie, const char *buf, size_t len)
{
	int rte_level = rte_log_cur_msg_loglevel();
	size_t n = len;

	while (n && buf[n - 1] == '\n')
		n--;
	if (!n)
		return (ssize_t)len;
	if (rte_level <= (int)RTE_LOG_WARNING) {
		pthread_mutex_lock(&first_lock);
		if (!first_error[0])
			snprintf(first_error, sizeof(first_error), "%.*s", (int)n, buf);
		pthread_mutex_unlock(&first_lock);
	}
	weir_log_write(level_of(rte_level), "dpdk: %.*s", (int)n, buf);
	return (ssize_t)len;
}

void weir_eal_error_clear(void)
{
	pthread_mutex_lock(&first_lock);
	first_error[0] = 0;
	pthread_mutex_unlock(&first_lock);
}

const char *weir_eal_error(void)
{
	return first_error;
}

static int log_route(void)
{
	const cookie_io_functions_t io = {.write = log_write};

	log_stream = fopencookie(NULL, "w", io);
	if (!log_stream)
		return -ENOMEM;
	setvbuf(log_stream, NULL, _IOLBF, 0);
	return rte_openlog_stream(log_stream);
}

/* "0@(0,2-3)" in EAL's words: lcore 0, the main thread, on any of these CPUs. */
static void lcores_text(uint32_t main_cpu, char *out, size_t bytes)
{
	const char *sep = "";
	cpu_set_t set;
	size_t len;

	if (main_cpu != WEIR_CONFIG_ANY_CPU) {
		snprintf(out, bytes, "0@%u", main_cpu);
		return;
	}
	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set))
		CPU_SET(0, &set);
	len = (size_t)snprintf(out, bytes, "0@(");
	for (int cpu = 0; cpu < CPU_SETSIZE && len < bytes - 16; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		len += (size_t)snprintf(out + len, bytes - len, "%s%d", sep, cpu);
		sep = ",";
	}
	snprintf(out + len, bytes - len, ")");
}

/* Decides for or against hugepages; says what going without costs. */
static int choose_hugepages(struct weir_plane *plane, const struct weir_config *config,
			    uint64_t bytes, struct weir_diag *diag)
{
	uint64_t have = weir_hugepages_free_bytes("/sys");

	plane->hugepages = have >= bytes;
	if (config->eal.hugepages == WEIR_CONFIG_HUGEPAGES_NEVER)
		plane->hugepages = false;
	if (plane->hugepages)
		return 0;
	if (config->eal.hugepages == WEIR_CONFIG_HUGEPAGES_REQUIRE)
		return weir_fail(diag, -ENOMEM, "hugepages: %llu MiB are free, %llu MiB are needed",
				 (unsigned long long)(have >> 20),
				 (unsigned long long)(bytes >> 20));
	weir_log_warning("no hugepages in use (%llu MiB free, %llu MiB needed): forwarding is 1.9 "
			 "to 2.5 times slower than with them",
			 (unsigned long long)(have >> 20), (unsigned long long)(bytes >> 20));
	if (weir_memory_available_bytes("/proc/meminfo") < bytes)
		return weir_fail(
			diag, -ENOMEM, "memory: %llu MiB are needed, %llu MiB available",
			(unsigned long long)(bytes >> 20),
			(unsigned long long)(weir_memory_available_bytes("/proc/meminfo") >> 20));
	return 0;
}

static int eal_init(struct weir_plane *plane, const struct weir_config *config, uint64_t bytes,
		    struct weir_diag *diag)
{
	char lcores[1024];
	struct weir_eal_host host = {
		.memory_bytes = bytes,
		.hugepages = plane->hugepages,
		.lcores = lcores,
		.file_prefix = plane->file_prefix,
	};
	weir_autofree struct weir_eal_args *args = calloc(1, sizeof(*args));
	char *argv[WEIR_EAL_ARGS_MAX + 1];
	int rc;

	if (!args)
		return weir_fail(diag, -ENOMEM, "no memory for EAL's arguments");
	lcores_text(config->eal.main_cpu, lcores, sizeof(lcores));
	rc = weir_eal_args_build(config, &host, args, diag);
	if (!rc) {
		/* EAL permutes its arguments: it gets the pointers, the strings stay ours. */
		memcpy(argv, args->v, sizeof(argv));
		rc = rte_eal_init(args->count, argv) < 0 ? -rte_errno : 0;
		if (rc)
			weir_fail(diag, rc, "EAL does not start: %s%s%s", rte_strerror(-rc),
				  weir_eal_error()[0] ? ": " : "", weir_eal_error());
	}
	weir_eal_args_clear(args);
	return rc ? (rc < 0 ? rc : -EIO) : 0;
}

static uint32_t rte_level_of(enum weir_log_level level)
{
	return (uint32_t)level + 1; /* RTE_LOG_ERR is 4, syslog's error 3, and so on */
}

int weir_eal_start(struct weir_plane *plane, const struct weir_config *config, uint64_t need_bytes,
		   struct weir_diag *diag)
{
	uint64_t bytes = config->eal.memory_bytes ? config->eal.memory_bytes : need_bytes;
	int rc;

	if (bytes < need_bytes)
		return weir_config_fail(config, &config->eal.memory_bytes, diag, -ENOMEM,
					"%llu MiB do not hold what the ports need, expected at "
					"least %llu MiB",
					(unsigned long long)(bytes >> 20),
					(unsigned long long)((need_bytes >> 20) + 1));
	rc = choose_hugepages(plane, config, bytes, diag);
	if (rc)
		return rc;
	if (!plane->hugepages)
		weir_plane_degrade(plane, "no hugepages: forwarding is 1.9 to 2.5 times slower");
	if (log_route())
		return weir_fail(diag, -ENOMEM, "no memory for EAL's log");
	rte_log_set_global_level(rte_level_of(config->eal.log_level));
	snprintf(plane->file_prefix, sizeof(plane->file_prefix), "weird-%d", (int)getpid());
	rc = eal_init(plane, config, bytes, diag);
	if (rc)
		return rc;
	plane->eal_running = true;
	return 0;
}

void weir_eal_stop(struct weir_plane *plane)
{
	char dir[4096];

	if (!plane->eal_running)
		return;
	snprintf(dir, sizeof(dir), "%s", rte_eal_get_runtime_dir());
	rte_eal_cleanup();
	plane->eal_running = false;
	rmdir(dir); /* EAL leaves it, empty; another user's is not ours to remove */
}
