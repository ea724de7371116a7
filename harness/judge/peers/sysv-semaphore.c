//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of a semaphore of System V for which nobody waits. An operation is to post and
 * to take. The set is removed at the end: one of a process that is killed stays.
 */
#define _GNU_SOURCE
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>

#include "operation.h"

static int set = -1;

static void remove_set(void)
{
	semctl(set, 0, IPC_RMID);
}

static void make(void)
{
	set = semget(IPC_PRIVATE, 1, 0600);
	if (set < 0)
		err(1, "semget");
	atexit(remove_set);
}

static void once(void)
{
	struct sembuf post = {0, 1, 0}, take = {0, -1, 0};

	if (semop(set, &post, 1) != 0)
		err(1, "semop +1");
	if (semop(set, &take, 1) != 0)
		err(1, "semop -1");
}

int main(int argc, char **argv)
{
	return run_operation(argc, argv, make, once);
}
