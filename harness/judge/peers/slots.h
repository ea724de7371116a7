/*
 * What the C peers with slots share: memory that the second process inherits, with room
 * for some messages, a semaphore that counts the free ones, one that counts the full
 * ones, and perhaps a lock around each copy. That lock is robust, and so the next one
 * would be told if its holder had died.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>

struct slots {
	sem_t free, full;
	pthread_mutex_t lock;
	unsigned char data[];
};

/* One end: its slots, and the next one of them. */
struct slots_end {
	struct slots *slots;
	size_t next;
};

static size_t slot_size, slot_count;
static int slots_locked;
static struct slots *to_first, *to_second;
static struct slots_end in, out;

static struct slots *new_slots(void)
{
	pthread_mutexattr_t robust;
	struct slots *s = mmap(NULL, sizeof(struct slots) + slot_count * (4 + slot_size),
			       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		err(1, "mmap");
	if (sem_init(&s->free, 1, slot_count) != 0 || sem_init(&s->full, 1, 0) != 0)
		err(1, "sem_init");
	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	if ((errno = pthread_mutex_init(&s->lock, &robust)) != 0)
		err(1, "pthread_mutex_init");
	return s;
}

static void slots_make(int both_ways)
{
	to_first = new_slots();
	if (both_ways)
		to_second = new_slots();
}

static void slots_open_second(int both_ways)
{
	(void)both_ways;
	in.slots = to_second;
	out.slots = to_first;
}

static void slots_open_first(int both_ways)
{
	(void)both_ways;
	in.slots = to_first;
	out.slots = to_second;
	queue_watch_the_second();
}

static void slots_wait(sem_t *s)
{
	while (sem_wait(s) != 0)
		if (errno != EINTR)
			err(1, "sem_wait");
}

static unsigned char *slots_begin(struct slots_end *e)
{
	if (slots_locked && (errno = pthread_mutex_lock(&e->slots->lock)) != 0)
		err(1, "pthread_mutex_lock");
	return e->slots->data + (e->next++ % slot_count) * (4 + slot_size);
}

static void slots_done(struct slots_end *e, sem_t *s)
{
	if (slots_locked)
		pthread_mutex_unlock(&e->slots->lock);
	if (sem_post(s) != 0)
		err(1, "sem_post");
}

static void slots_send(const unsigned char *message, size_t size)
{
	uint32_t length = (uint32_t)size;
	unsigned char *slot;

	if (size > slot_size)
		errx(1, "a slot has no room for %zu bytes", size);
	slots_wait(&out.slots->free);
	slot = slots_begin(&out);
	memcpy(slot, &length, 4);
	memcpy(slot + 4, message, size);
	slots_done(&out, &out.slots->full);
}

static ssize_t slots_receive(unsigned char *message, size_t max)
{
	uint32_t size;
	unsigned char *slot;

	slots_wait(&in.slots->full);
	slot = slots_begin(&in);
	memcpy(&size, slot, 4);
	if (size > max)
		errx(1, "a message of %u bytes", size);
	memcpy(message, slot + 4, size);
	slots_done(&in, &in.slots->free);
	return size == 0 ? END_OF_FILE : (ssize_t)size;
}

static void slots_finish(void)
{
	slots_send((const unsigned char *)"", 0);
}

static const struct mechanism slots = {
	slots_make, slots_open_second, slots_open_first, slots_send, slots_receive, slots_finish, NULL,
};

#endif
