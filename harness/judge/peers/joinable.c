//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of the joinable queue, as the reference is made: the lock is the kernel's
 * (flock(2)), which gives it back when its holder has died; and who sleeps does so on an
 * eventfd, which rings until somebody has looked and found nothing.
 */
#include "peer.h"
#include "crowd.h"
#include "queue.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>

struct way {
	int memory, bells[3];
	int rings[3]; /* for certain: then no call is needed */
	int other;    /* the second queue of a ping-pong */
};

#include "joinable.h"

/* A lock belongs to what was opened: so each process opens the memory anew. */
static int own_files[2];

static void way_make(struct queue *q, int memory)
{
	q->way.memory = memory;
	for (int i = 0; i < KINDS; i++)
		if ((q->way.bells[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
			err(1, "eventfd");
	q->way.other = to_first != NULL;
}

static void way_open(struct queue *q)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", q->way.memory);
	if ((own_files[q->way.other] = open(path, O_RDWR | O_CLOEXEC)) < 0)
		err(1, "open of the memory");
}

static void lock(struct queue *q)
{
	while (flock(own_files[q->way.other], LOCK_EX) != 0)
		if (errno != EINTR)
			err(1, "flock");
}

static void unlock(struct queue *q)
{
	if (flock(own_files[q->way.other], LOCK_UN) != 0)
		err(1, "flock");
}

static void tell(struct queue *q, int what, int all)
{
	uint64_t one = 1;

	(void)all; /* a bell is heard by all */
	if (q->way.rings[what])
		return;
	if (write(q->way.bells[what], &one, sizeof one) != sizeof one)
		err(1, "write to an eventfd");
	q->way.rings[what] = 1;
}

static void nap(struct queue *q, int what)
{
	struct pollfd bell = { .fd = q->way.bells[what], .events = POLLIN };
	uint64_t n;

	q->way.rings[what] = 0;
	if (read(bell.fd, &n, sizeof n) < 0 && errno != EAGAIN)
		err(1, "read from an eventfd");
	unlock(q);
	while (poll(&bell, 1, -1) < 0)
		if (errno != EINTR)
			err(1, "poll");
	lock(q);
}

int main(int argc, char **argv)
{
	return run_joinable(argc, argv);
}
