//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of a buffer in shared memory with semaphores of System V: a set of three for
 * each direction, one of which is the lock. The kernel gives the lock back if its holder
 * dies (SEM_UNDO).
 */
#include "peer.h"
#include "queue.h"

#include <sys/ipc.h>
#include <sys/sem.h>

#define SLOTS_OWN_SEMAPHORES
struct semaphores {
	int set;
};

static void semaphores_make(struct semaphores *s);
static void semaphores_take(struct semaphores *s, int which);
static void semaphores_give(struct semaphores *s, int which);

#include "slots.h"

static int sets[2], made;
static pid_t maker;

static void remove_sets(void)
{
	if (getpid() != maker)
		return; /* the second process has inherited this */
	for (int i = 0; i < made; i++)
		semctl(sets[i], 0, IPC_RMID);
}

/* The keys are such that whoever has killed this process finds what it left. */
static void semaphores_make(struct semaphores *s)
{
	if (made == 0) {
		maker = getpid();
		queue_remove = remove_sets;
		atexit(remove_sets);
	}
	s->set = semget(0x40000000 | getpid() << 1 | made, 3, IPC_CREAT | IPC_EXCL | 0600);
	if (s->set < 0)
		err(1, "semget");
	sets[made++] = s->set;
	if (semctl(s->set, SLOTS_FREE, SETVAL, (int)slot_count) != 0 ||
	    semctl(s->set, SLOTS_FULL, SETVAL, 0) != 0 || semctl(s->set, SLOTS_LOCK, SETVAL, 1) != 0)
		err(1, "semctl");
}

static void semaphores_add(struct semaphores *s, int which, short n)
{
	struct sembuf operation = {(unsigned short)which, n, which == SLOTS_LOCK ? SEM_UNDO : 0};

	while (semop(s->set, &operation, 1) != 0)
		if (errno != EINTR)
			err(1, "semop");
}

static void semaphores_take(struct semaphores *s, int which)
{
	semaphores_add(s, which, -1);
}

static void semaphores_give(struct semaphores *s, int which)
{
	semaphores_add(s, which, 1);
}

int main(int argc, char **argv)
{
	slot_size = queue_message_size(argc, argv);
	slot_count = (64 << 10) / (slot_size + 1);
	if (slot_count < 4)
		slot_count = 4;
	if (slot_count > 32767)
		slot_count = 32767; /* SEMVMX */
	slots_locked = 1;
	return run_peer(argc, argv, &slots);
}
