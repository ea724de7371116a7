/*
 * What the C peers of the joinable queue share: a ring of slots in memory that the other
 * processes inherit, under one lock. Who finds nothing sleeps. Join waits until all that
 * was put is done. Who takes a message marks it as done, which is an operation of its own.
 *
 * A peer has a struct way before it includes this, and the functions that are declared here
 * behind it: how to lock, how to sleep and how to wake, and how to count what is done.
 */
#ifndef JOINABLE_H
#define JOINABLE_H

#include <stdatomic.h>

enum { BOUND = 128 };

/* What somebody waits for: a message, room for one, or that nothing is left to do. */
enum { MESSAGES, ROOM, IDLE, KINDS };

struct slot {
	uint32_t size;
	pid_t taken_by; /* 0 as long as it is on its way */
	unsigned char data[];
};

struct queue {
	struct way way;
	_Atomic uint64_t put, taken;
	int closed;
	_Alignas(64) unsigned char slots[];
};

/* In the first process, and in each process before it does anything else. */
static void way_make(struct queue *q, int memory);
static void way_open(struct queue *q);

static void lock(struct queue *q);
static void unlock(struct queue *q);
/* With the lock: somebody who sleeps there has to look again, or all. */
static void tell(struct queue *q, int what, int all);
/* Sleeps until there is news. The lock is held before and after. */
static void nap(struct queue *q, int what, int *times);
/* With the lock: before somebody puts a message, and when somebody has taken one. */
static void way_puts(struct queue *q);
static void way_taken(struct queue *q);
/* Without the lock. */
static void way_done(struct queue *q);
/* With the lock: all is done. */
static int way_is_idle(struct queue *q);

static size_t stride;
static struct queue *to_first, *to_second, *in, *out;
static pid_t own;

static struct queue *new_queue(void)
{
	size_t size = sizeof(struct queue) + BOUND * stride;
	int memory = memfd_create("queue", MFD_CLOEXEC);
	struct queue *q;

	if (memory < 0 || ftruncate(memory, (off_t)size) != 0)
		err(1, "memfd_create");
	q = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (q == MAP_FAILED)
		err(1, "mmap");
	way_make(q, memory);
	return q;
}

static struct slot *slot_of(struct queue *q, uint64_t number)
{
	return (struct slot *)(q->slots + number % BOUND * stride);
}

static void queue_put(struct queue *q, const unsigned char *message, size_t size)
{
	struct slot *slot;
	int times = 0;

	if (size > stride - sizeof(struct slot))
		errx(1, "a slot has no room for %zu bytes", size);
	lock(q);
	while (q->put - q->taken == BOUND)
		nap(q, ROOM, &times);
	way_puts(q);
	slot = slot_of(q, q->put);
	slot->size = (uint32_t)size;
	slot->taken_by = 0;
	memcpy(slot->data, message, size);
	tell(q, MESSAGES, 0);
	q->put++;
	unlock(q);
}

static ssize_t queue_take(struct queue *q, unsigned char *message, size_t max)
{
	struct slot *slot;
	size_t size;
	int times = 0;

	lock(q);
	while (q->put == q->taken) {
		if (q->closed) {
			unlock(q);
			return END_OF_FILE;
		}
		nap(q, MESSAGES, &times);
	}
	slot = slot_of(q, q->taken);
	size = slot->size;
	if (size > max)
		errx(1, "a message of %zu bytes", size);
	memcpy(message, slot->data, size);
	slot->taken_by = own;
	tell(q, ROOM, 0);
	q->taken++;
	way_taken(q);
	unlock(q);
	way_done(q);
	return (ssize_t)size;
}

static void queue_join(struct queue *q)
{
	int times = 0;

	lock(q);
	while (!way_is_idle(q))
		nap(q, IDLE, &times);
	unlock(q);
}

static void queue_finish(struct queue *q)
{
	lock(q);
	q->closed = 1;
	tell(q, MESSAGES, 1);
	unlock(q);
}

/* One to one. */

static void make(int both_ways)
{
	to_first = new_queue();
	if (both_ways)
		to_second = new_queue();
}

static void open_both(void)
{
	own = getpid();
	for (int i = 0; i < 2; i++)
		if ((i == 0 ? in : out) != NULL)
			way_open(i == 0 ? in : out);
}

static void open_second(int both_ways)
{
	(void)both_ways;
	in = to_second;
	out = to_first;
	open_both();
}

static void open_first(int both_ways)
{
	(void)both_ways;
	in = to_first;
	out = to_second;
	open_both();
	queue_watch_the_second();
}

static void send_one(const unsigned char *message, size_t size) { queue_put(out, message, size); }
static ssize_t receive(unsigned char *message, size_t max) { return queue_take(in, message, max); }
static void finish(void) { queue_finish(out); }

static const struct mechanism one_to_one = { make, open_second, open_first, send_one, receive, finish, NULL };

/* A crowd: one queue for all. */

static void crowd_make(void) { in = out = new_queue(); }

static void crowd_open(void)
{
	own = getpid();
	way_open(in);
}

static void crowd_join(void) { queue_join(out); }

static const struct crowd many = { crowd_make, crowd_open, send_one, receive, crowd_join, finish };

static int run_joinable(int argc, char **argv)
{
	stride = (sizeof(struct slot) + queue_message_size(argc, argv) + 7) & ~(size_t)7;
	if (argc > 1 && strcmp(argv[1], "crowd") == 0)
		return run_crowd(argc, argv, &many);
	return run_peer(argc, argv, &one_to_one);
}

#endif
