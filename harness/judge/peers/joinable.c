//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of the joinable queue, as the reference is made. The lock is the kernel's
 * (flock(2)), which gives it back when its holder has died. Who sleeps does so on an eventfd,
 * which rings until somebody has looked and found nothing. Each process counts by itself
 * what it has taken and what is done, without a lock. And who puts looks whether the process
 * that has made the queue is still there: a robust futex of it says so (get_robust_list(2)).
 */
#include "peer.h"
#include "crowd.h"
#include "queue.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/syscall.h>

struct place {
	_Alignas(64) _Atomic uint64_t taken, done;
};

struct way {
	int memory, bells[3];
	_Atomic int rings[3]; /* for certain: then no call is needed. The lock protects it */
	int other;            /* it is the second queue of a ping-pong */
	pid_t maker;
	_Atomic unsigned alive;   /* the maker's thread, until it ends */
	struct robust_list owned; /* and its node in the maker's list */
	_Atomic int places;
	struct place place[CROWD + 1];
};

#include "joinable.h"

/*
 * What this process has of the two queues. A lock belongs to what was opened: so each
 * process opens the memory anew.
 */
static struct {
	int file, maker, place;
} mine[2];

/* What the maker owns. Its only thread ends with it. */
static struct robust_list_head list;

static void owns(struct queue *q)
{
	if (list.list.next == NULL) {
		list.list.next = &list.list;
		list.futex_offset = (long)offsetof(struct way, alive) - (long)offsetof(struct way, owned);
		if (syscall(SYS_set_robust_list, &list, sizeof list) != 0)
			err(1, "set_robust_list");
	}
	q->way.owned.next = list.list.next;
	list.list.next = &q->way.owned;
	q->way.alive = (unsigned)syscall(SYS_gettid);
}

static void way_make(struct queue *q, int memory)
{
	owns(q);
	q->way.memory = memory;
	q->way.maker = getpid();
	q->way.other = to_first != NULL;
	for (int i = 0; i < KINDS; i++)
		if ((q->way.bells[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
			err(1, "eventfd");
}

static void way_open(struct queue *q)
{
	int other = q->way.other;
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", q->way.memory);
	if ((mine[other].file = open(path, O_RDWR | O_CLOEXEC)) < 0)
		err(1, "open of the memory");
	mine[other].place = atomic_fetch_add(&q->way.places, 1);
	mine[other].maker = -1;
	if (own != q->way.maker && (mine[other].maker = (int)syscall(SYS_pidfd_open, q->way.maker, 0)) < 0)
		err(1, "pidfd_open");
}

static void lock(struct queue *q)
{
	while (flock(mine[q->way.other].file, LOCK_EX) != 0)
		if (errno != EINTR)
			err(1, "flock");
}

static void unlock(struct queue *q)
{
	if (flock(mine[q->way.other].file, LOCK_UN) != 0)
		err(1, "flock");
}

static void ring(struct queue *q, int what)
{
	uint64_t one = 1;

	if (write(q->way.bells[what], &one, sizeof one) != sizeof one)
		err(1, "write to an eventfd");
}

static void tell(struct queue *q, int what, int all)
{
	(void)all; /* a bell is heard by all */
	if (q->way.rings[what])
		return;
	ring(q, what);
	q->way.rings[what] = 1;
}

static void nap(struct queue *q, int what, int *times)
{
	struct pollfd bell = { .fd = q->way.bells[what], .events = POLLIN };
	uint64_t n;

	(void)times;
	q->way.rings[what] = 0;
	if (read(bell.fd, &n, sizeof n) < 0 && errno != EAGAIN)
		err(1, "read from an eventfd");
	if (what == IDLE && way_is_idle(q))
		return; /* meanwhile: for that no lock is needed */
	unlock(q);
	while (poll(&bell, 1, -1) < 0)
		if (errno != EINTR)
			err(1, "poll");
	lock(q);
}

static struct place *my_place(struct queue *q) { return &q->way.place[mine[q->way.other].place]; }

static void way_puts(struct queue *q)
{
	struct pollfd maker = { .fd = mine[q->way.other].maker, .events = POLLIN };

	if ((q->way.alive & FUTEX_TID_MASK) != 0)
		return; /* the kernel has not taken it out */
	if (maker.fd >= 0 && poll(&maker, 1, 0) != 0)
		errx(1, "who has made the queue has ended");
}

static void way_taken(struct queue *q) { my_place(q)->taken++; }

static void way_done(struct queue *q)
{
	struct place *p = my_place(q);

	p->done++;
	if (q->put == q->taken && p->done == p->taken && !q->way.rings[IDLE])
		ring(q, IDLE);
}

static int way_is_idle(struct queue *q)
{
	uint64_t done = 0;

	for (int i = 0; i < q->way.places; i++)
		done += q->way.place[i].done;
	return done == q->put;
}

int main(int argc, char **argv)
{
	return run_joinable(argc, argv);
}
