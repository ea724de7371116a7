//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of the joinable queue: a ring of slots in memory that the other processes
 * inherit, under one lock that is robust. Who finds nothing lets others run once, and
 * then sleeps (futex(2)); the other side wakes one only if one sleeps. What was put and is
 * not done yet is counted, and join waits for zero. Who takes a message marks it as done,
 * which is an operation of its own.
 */
#include "peer.h"
#include "crowd.h"
#include "queue.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

enum { BOUND = 128 };

/* A word to sleep on, and how many do. The lock protects the number. */
struct sleepers {
	_Atomic uint32_t news;
	uint32_t asleep;
};

struct slot {
	uint32_t size;
	pid_t taken_by; /* 0 as long as it is on its way */
	unsigned char data[];
};

struct queue {
	pthread_mutex_t lock;
	uint64_t put, taken, undone;
	int closed;
	struct sleepers takers, putters, joiners;
	_Alignas(64) unsigned char slots[];
};

static size_t stride;
static struct queue *to_first, *to_second, *in, *out;
static pid_t own; /* the number of this process, when it has been asked for */

static struct queue *new_queue(void)
{
	pthread_mutexattr_t robust;
	struct queue *q = mmap(NULL, sizeof(struct queue) + BOUND * stride, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (q == MAP_FAILED)
		err(1, "mmap");
	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	if ((errno = pthread_mutex_init(&q->lock, &robust)) != 0)
		err(1, "pthread_mutex_init");
	return q;
}

static void lock(struct queue *q)
{
	if ((errno = pthread_mutex_lock(&q->lock)) != 0)
		err(1, "pthread_mutex_lock");
}

/* Sleeps until there is news. The lock is held before and after. */
static void nap(struct queue *q, struct sleepers *s, int *yielded)
{
	uint32_t news;

	if (!*yielded) {
		*yielded = 1;
		pthread_mutex_unlock(&q->lock);
		sched_yield();
		lock(q);
		return;
	}
	news = atomic_load(&s->news);
	s->asleep++;
	pthread_mutex_unlock(&q->lock);
	syscall(SYS_futex, &s->news, FUTEX_WAIT, news, NULL, NULL, 0);
	lock(q);
}

/* Gives the lock back, and wakes as many as sleep there, up to this number. */
static void unlock_and_wake(struct queue *q, struct sleepers *s, uint32_t many)
{
	uint32_t n = s->asleep < many ? s->asleep : many;

	s->asleep -= n;
	if (n > 0)
		atomic_fetch_add(&s->news, 1);
	pthread_mutex_unlock(&q->lock);
	if (n > 0)
		syscall(SYS_futex, &s->news, FUTEX_WAKE, n, NULL, NULL, 0);
}

static struct slot *slot_of(struct queue *q, uint64_t number)
{
	return (struct slot *)(q->slots + number % BOUND * stride);
}

static void queue_put(struct queue *q, const unsigned char *message, size_t size)
{
	struct slot *slot;
	int yielded = 0;

	if (size > stride - sizeof(struct slot))
		errx(1, "a slot has no room for %zu bytes", size);
	lock(q);
	while (q->put - q->taken == BOUND)
		nap(q, &q->putters, &yielded);
	slot = slot_of(q, q->put++);
	slot->size = (uint32_t)size;
	slot->taken_by = 0;
	memcpy(slot->data, message, size);
	q->undone++;
	unlock_and_wake(q, &q->takers, 1);
}

static void queue_done(struct queue *q)
{
	lock(q);
	q->undone--;
	unlock_and_wake(q, &q->joiners, q->undone == 0 ? INT_MAX : 0);
}

static ssize_t queue_take(struct queue *q, unsigned char *message, size_t max)
{
	struct slot *slot;
	size_t size;
	int yielded = 0;

	lock(q);
	while (q->put == q->taken) {
		if (q->closed) {
			pthread_mutex_unlock(&q->lock);
			return END_OF_FILE;
		}
		nap(q, &q->takers, &yielded);
	}
	slot = slot_of(q, q->taken++);
	size = slot->size;
	if (size > max)
		errx(1, "a message of %zu bytes", size);
	memcpy(message, slot->data, size);
	if (own == 0)
		own = getpid();
	slot->taken_by = own;
	unlock_and_wake(q, &q->putters, 1);
	queue_done(q);
	return (ssize_t)size;
}

static void queue_join(struct queue *q)
{
	int yielded = 0;

	lock(q);
	while (q->undone > 0)
		nap(q, &q->joiners, &yielded);
	pthread_mutex_unlock(&q->lock);
}

static void queue_finish(struct queue *q)
{
	lock(q);
	q->closed = 1;
	unlock_and_wake(q, &q->takers, INT_MAX);
}

/* One to one. */

static void make(int both_ways)
{
	to_first = new_queue();
	if (both_ways)
		to_second = new_queue();
}

static void open_second(int both_ways)
{
	(void)both_ways;
	in = to_second;
	out = to_first;
}

static void open_first(int both_ways)
{
	(void)both_ways;
	in = to_first;
	out = to_second;
	queue_watch_the_second();
}

static void send_one(const unsigned char *message, size_t size) { queue_put(out, message, size); }
static ssize_t receive(unsigned char *message, size_t max) { return queue_take(in, message, max); }
static void finish(void) { queue_finish(out); }

static const struct mechanism one_to_one = { make, open_second, open_first, send_one, receive, finish, NULL };

/* A crowd: one queue for all. */

static void crowd_make(void) { in = out = new_queue(); }
static void crowd_join(void) { queue_join(out); }

static const struct crowd many = { crowd_make, send_one, receive, crowd_join, finish };

int main(int argc, char **argv)
{
	stride = (sizeof(struct slot) + queue_message_size(argc, argv) + 7) & ~(size_t)7;
	if (argc > 1 && strcmp(argv[1], "crowd") == 0)
		return run_crowd(argc, argv, &many);
	return run_peer(argc, argv, &one_to_one);
}
