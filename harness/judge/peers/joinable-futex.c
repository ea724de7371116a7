//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of the joinable queue, with what chapter 5 is about: a lock that is robust,
 * and futexes to sleep on (futex(2)). As long as nobody sleeps, no call is made.
 */
#include "peer.h"
#include "crowd.h"
#include "queue.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

struct way {
	pthread_mutex_t lock;
	_Atomic uint32_t news[3]; /* to sleep on */
	int asleep[3], woken[3];  /* the lock protects these */
	uint64_t undone;
};

#include "joinable.h"

static void way_make(struct queue *q, int memory)
{
	pthread_mutexattr_t robust;

	close(memory);
	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	if ((errno = pthread_mutex_init(&q->way.lock, &robust)) != 0)
		err(1, "pthread_mutex_init");
}

static void way_open(struct queue *q) { (void)q; }

static void lock(struct queue *q)
{
	if ((errno = pthread_mutex_lock(&q->way.lock)) != 0)
		err(1, "pthread_mutex_lock");
}

/* Those that are to be woken are woken when they can have the lock. */
static void unlock(struct queue *q)
{
	int woken[KINDS];

	memcpy(woken, q->way.woken, sizeof woken);
	memset(q->way.woken, 0, sizeof woken);
	pthread_mutex_unlock(&q->way.lock);
	for (int i = 0; i < KINDS; i++)
		if (woken[i] > 0)
			syscall(SYS_futex, &q->way.news[i], FUTEX_WAKE, woken[i], NULL, NULL, 0);
}

static void tell(struct queue *q, int what, int all)
{
	if (q->way.asleep[what] == 0)
		return;
	q->way.woken[what] = all ? q->way.asleep[what] : 1;
	q->way.asleep[what] -= q->way.woken[what];
	atomic_fetch_add(&q->way.news[what], 1);
}

/* Lets others run once, and then sleeps. */
static void nap(struct queue *q, int what, int *times)
{
	uint32_t news = atomic_load(&q->way.news[what]);

	if ((*times)++ == 0) {
		unlock(q);
		sched_yield();
		lock(q);
		return;
	}
	q->way.asleep[what]++;
	unlock(q);
	syscall(SYS_futex, &q->way.news[what], FUTEX_WAIT, news, NULL, NULL, 0);
	lock(q);
}

static void way_puts(struct queue *q) { q->way.undone++; }

static void way_taken(struct queue *q) { (void)q; }

static void way_done(struct queue *q)
{
	lock(q);
	if (--q->way.undone == 0)
		tell(q, IDLE, 1);
	unlock(q);
}

static int way_is_idle(struct queue *q) { return q->way.undone == 0; }

int main(int argc, char **argv)
{
	return run_joinable(argc, argv);
}
