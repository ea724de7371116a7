/* Two threads count, each in a number of its own: side by side, and 64 bytes apart. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static _Alignas(128) _Atomic long numbers[32];

static void *count(void *number)
{
	for (int i = 0; i < 20000000; i++)
		atomic_fetch_add_explicit((_Atomic long *)number, 1, memory_order_relaxed);
	return NULL;
}

static double seconds(_Atomic long *first, _Atomic long *second)
{
	struct timespec begin, end;
	pthread_t other;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	pthread_create(&other, NULL, count, second);
	count(first);
	pthread_join(other, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

int main(void)
{
	printf("side by side:   %.2f s\n", seconds(&numbers[0], &numbers[1]));
	printf("64 bytes apart: %.2f s\n", seconds(&numbers[0], &numbers[8]));
	return 0;
}
