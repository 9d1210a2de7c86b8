/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A forked client whose threads share objects: each thread's replies must be its own. The parent
 * makes three maps; the child's threads update and look up keys of their own in all of them and
 * compare every answer. argv: calls in all.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weir/api/libweir.h"

#define THREADS 8
#define MAPS    3
#define KEYS    64 /* of one thread in one map */

static int maps[MAPS];
static const uint32_t value_sizes[MAPS] = {8, 64, 256};
static uint64_t calls_per_thread;

struct thread {
	pthread_t id;
	uint32_t number;
	uint64_t wrong, calls;
};

static int elem(int cmd, int map, uint32_t key, void *value)
{
	union bpf_attr a = {
		.map_fd = (uint32_t)map, .key = (uintptr_t)&key, .value = (uintptr_t)value};

	return weir_bpf(cmd, &a, sizeof(a));
}

static void fill(uint8_t *value, uint32_t bytes, uint32_t key, uint64_t round)
{
	for (uint32_t i = 0; i < bytes; i++)
		value[i] = (uint8_t)(key * 31 + round * 7 + i);
}

static void one_round(struct thread *t, uint64_t round)
{
	uint8_t want[256], got[256];
	uint32_t m = (uint32_t)(round % MAPS);
	uint32_t key = t->number * KEYS + (uint32_t)(round / MAPS % KEYS);

	fill(want, value_sizes[m], key, round);
	memset(got, 0, sizeof(got));
	t->calls += 2;
	if (elem(BPF_MAP_UPDATE_ELEM, maps[m], key, want) ||
	    elem(BPF_MAP_LOOKUP_ELEM, maps[m], key, got) || memcmp(want, got, value_sizes[m]))
		t->wrong++;
	/* An answer that is an error, and another thread's if they were mixed up. */
	if (round % 16 == 0) {
		t->calls++;
		if (elem(BPF_MAP_LOOKUP_ELEM, maps[m], 1000000 + t->number, got) != -1 ||
		    errno != ENOENT)
			t->wrong++;
	}
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	for (uint64_t round = 0; t->calls < calls_per_thread; round++)
		one_round(t, round);
	return NULL;
}

static int child(void)
{
	struct thread threads[THREADS] = {0};
	uint64_t wrong = 0, calls = 0;

	for (uint32_t i = 0; i < THREADS; i++) {
		threads[i].number = i;
		if (pthread_create(&threads[i].id, NULL, thread_main, &threads[i]))
			return 2;
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i].id, NULL);
		wrong += threads[i].wrong;
		calls += threads[i].calls;
	}
	printf("calls %llu wrong %llu\n", (unsigned long long)calls, (unsigned long long)wrong);
	fflush(stdout);
	return wrong ? 1 : 0;
}

int main(int argc, char **argv)
{
	uint64_t calls = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
	int status;
	pid_t pid;

	calls_per_thread = calls / THREADS;
	for (int m = 0; m < MAPS; m++) {
		union bpf_attr a = {.map_type = BPF_MAP_TYPE_HASH,
				    .key_size = 4,
				    .value_size = value_sizes[m],
				    .max_entries = 4096};

		maps[m] = weir_bpf(BPF_MAP_CREATE, &a, sizeof(a));
		if (maps[m] < 0) {
			perror("map_create");
			return 2;
		}
	}
	pid = fork();
	if (!pid)
		_exit(child());
	/* The parent's own calls go on meanwhile, over its own connection. */
	for (uint32_t i = 0; i < 1000; i++) {
		uint8_t value[256] = {0};
		uint32_t key = 2000000 + i % 8;

		if (elem(BPF_MAP_UPDATE_ELEM, maps[1], key, value) ||
		    elem(BPF_MAP_LOOKUP_ELEM, maps[1], key, value))
			return 3;
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 4;
	return WEXITSTATUS(status);
}
