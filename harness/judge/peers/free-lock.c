//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of a lock that nobody else wants: a mutex in shared memory, robust as the
 * chapter's lock is. An operation is to lock and to unlock it.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>

#include "operation.h"

static pthread_mutex_t *lock;

static void make(void)
{
	pthread_mutexattr_t robust;

	lock = shared(sizeof *lock);
	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	if ((errno = pthread_mutex_init(lock, &robust)) != 0)
		err(1, "pthread_mutex_init");
}

static void once(void)
{
	if ((errno = pthread_mutex_lock(lock)) != 0)
		err(1, "pthread_mutex_lock");
	if ((errno = pthread_mutex_unlock(lock)) != 0)
		err(1, "pthread_mutex_unlock");
}

int main(int argc, char **argv)
{
	return run_operation(argc, argv, make, once);
}
