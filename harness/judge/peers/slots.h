/*
 * What the C peers with slots share: memory that the second process inherits, with room
 * for some messages, a semaphore that counts the free ones, one that counts the full
 * ones, and perhaps a lock around each copy.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include <sys/mman.h>

enum { SLOTS_FREE, SLOTS_FULL, SLOTS_LOCK };

static size_t slot_size, slot_count;

#ifndef SLOTS_OWN_SEMAPHORES
#include <pthread.h>
#include <semaphore.h>

/*
 * POSIX semaphores, and a lock that is robust: the next one would be told if its holder had
 * died.
 */
struct semaphores {
	sem_t counts[2];
	pthread_mutex_t lock;
};

static void semaphores_make(struct semaphores *s)
{
	pthread_mutexattr_t robust;

	if (sem_init(&s->counts[SLOTS_FREE], 1, slot_count) != 0 || sem_init(&s->counts[SLOTS_FULL], 1, 0) != 0)
		err(1, "sem_init");
	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	if ((errno = pthread_mutex_init(&s->lock, &robust)) != 0)
		err(1, "pthread_mutex_init");
}

static void semaphores_take(struct semaphores *s, int which)
{
	if (which == SLOTS_LOCK) {
		if ((errno = pthread_mutex_lock(&s->lock)) != 0)
			err(1, "pthread_mutex_lock");
		return;
	}
	while (sem_wait(&s->counts[which]) != 0)
		if (errno != EINTR)
			err(1, "sem_wait");
}

static void semaphores_give(struct semaphores *s, int which)
{
	if (which == SLOTS_LOCK)
		pthread_mutex_unlock(&s->lock);
	else if (sem_post(&s->counts[which]) != 0)
		err(1, "sem_post");
}
#endif

struct slots {
	struct semaphores semaphores;
	unsigned char data[];
};

/* One end: its slots, and the next one of them. */
struct slots_end {
	struct slots *slots;
	size_t next;
};

static int slots_locked;
static struct slots *to_first, *to_second;
static struct slots_end in, out;

static struct slots *new_slots(void)
{
	struct slots *s = mmap(NULL, sizeof(struct slots) + slot_count * (4 + slot_size),
			       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		err(1, "mmap");
	semaphores_make(&s->semaphores);
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

/* Waits for a slot of the kind that `which` counts, and locks. */
static unsigned char *slots_begin(struct slots_end *e, int which)
{
	semaphores_take(&e->slots->semaphores, which);
	if (slots_locked)
		semaphores_take(&e->slots->semaphores, SLOTS_LOCK);
	return e->slots->data + (e->next++ % slot_count) * (4 + slot_size);
}

static void slots_done(struct slots_end *e, int which)
{
	if (slots_locked)
		semaphores_give(&e->slots->semaphores, SLOTS_LOCK);
	semaphores_give(&e->slots->semaphores, which);
}

static void slots_send(const unsigned char *message, size_t size)
{
	uint32_t length = (uint32_t)size;
	unsigned char *slot;

	if (size > slot_size)
		errx(1, "a slot has no room for %zu bytes", size);
	slot = slots_begin(&out, SLOTS_FREE);
	memcpy(slot, &length, 4);
	memcpy(slot + 4, message, size);
	slots_done(&out, SLOTS_FULL);
}

static ssize_t slots_receive(unsigned char *message, size_t max)
{
	uint32_t size;
	unsigned char *slot;

	slot = slots_begin(&in, SLOTS_FULL);
	memcpy(&size, slot, 4);
	if (size > max)
		errx(1, "a message of %u bytes", size);
	memcpy(message, slot + 4, size);
	slots_done(&in, SLOTS_FREE);
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
