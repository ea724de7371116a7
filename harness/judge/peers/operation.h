/*
 * What the C peers share that send nothing: one process does something again and again,
 * while nobody else wants the same. A peer has functions that make it and do it once, and
 * a main that calls run_operation.
 */
#ifndef OPERATION_H
#define OPERATION_H

#include "peer.h"

static double operations(void (*once)(void), uint64_t count)
{
	double go = now();

	for (uint64_t i = 0; i < count; i++)
		once();
	return now() - go;
}

static int run_operation(int argc, char **argv, void (*make)(void), void (*once)(void))
{
	double begin, started, seconds;
	uint64_t count;

	if (argc != 4 || strcmp(argv[1], "operation") != 0) {
		fprintf(stderr, "usage: %s operation SIZE COUNT\n", program_invocation_short_name);
		exit(2);
	}
	number(argv[2], INT32_MAX);
	count = number(argv[3], INT64_MAX);
	begin = now();
	make();
	started = now() - begin;
	operations(once, count); /* warms up */
	seconds = operations(once, count);
	print_line(count, seconds, started + seconds);
	return 0;
}

/* Memory that other processes may share. */
static void *shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "mmap");
	return memory;
}

#endif
