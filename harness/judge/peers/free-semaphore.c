//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of a semaphore for which nobody waits: sem_t in shared memory. An operation is
 * to post and to take.
 */
#define _GNU_SOURCE
#include <semaphore.h>
#include <sys/mman.h>

#include "operation.h"

static sem_t *semaphore;

static void make(void)
{
	semaphore = shared(sizeof *semaphore);
	if (sem_init(semaphore, 1, 0) != 0)
		err(1, "sem_init");
}

static void once(void)
{
	if (sem_post(semaphore) != 0)
		err(1, "sem_post");
	if (sem_wait(semaphore) != 0)
		err(1, "sem_wait");
}

int main(int argc, char **argv)
{
	return run_operation(argc, argv, make, once);
}
