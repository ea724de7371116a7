//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of the ring: one writer and one reader, in memory that the second
 * process inherits. Each side has its index on a cache line of its own, and keeps a
 * copy of the other side's, which it looks at again only when that is not enough. The
 * bytes come before the index (release), and are looked at after it (acquire). Who finds
 * nothing lets others run once, and then sleeps (futex(2)); the other side wakes it only
 * if it does.
 */
#include "peer.h"
#include "queue.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define LINE 64

struct ring {
	_Alignas(LINE) _Atomic uint64_t head; /* written so far, in all */
	_Alignas(LINE) _Atomic uint64_t tail; /* read so far, in all */
	_Alignas(LINE) _Atomic uint32_t reader_sleeps;
	_Atomic uint64_t wanted; /* how far the tail has to be for a writer that sleeps */
	_Alignas(LINE) _Atomic uint32_t writer_sleeps;
	_Alignas(LINE) unsigned char data[];
};

/* One end of a ring: what is its own, and what it has seen of the other side. */
struct end {
	struct ring *ring;
	uint64_t mine, seen;
};

static size_t capacity;
static struct ring *to_first, *to_second;
static struct end in, out;

static struct ring *new_ring(void)
{
	void *p = mmap(NULL, sizeof(struct ring) + capacity, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

static void make(int both_ways)
{
	to_first = new_ring();
	if (both_ways)
		to_second = new_ring();
}

static void open_second(int both_ways)
{
	(void)both_ways;
	in.ring = to_second;
	out.ring = to_first;
}

static void open_first(int both_ways)
{
	(void)both_ways;
	in.ring = to_first;
	out.ring = to_second;
	queue_watch_the_second();
}

static void nap(_Atomic uint32_t *sleeps)
{
	syscall(SYS_futex, sleeps, FUTEX_WAIT, 1, NULL, NULL, 0);
}

static void wake(_Atomic uint32_t *sleeps)
{
	atomic_store_explicit(sleeps, 0, memory_order_relaxed);
	syscall(SYS_futex, sleeps, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static size_t frame(size_t size) { return (size + 4 + 7) & ~(size_t)7; }

static void wait_for_room(struct ring *r, uint64_t need)
{
	out.seen = atomic_load_explicit(&r->tail, memory_order_acquire);
	if (out.mine + need - out.seen <= capacity)
		return;
	sched_yield();
	for (;;) {
		atomic_store(&r->wanted, out.mine + need - capacity);
		atomic_store(&r->writer_sleeps, 1);
		out.seen = atomic_load(&r->tail);
		if (out.mine + need - out.seen <= capacity)
			break;
		nap(&r->writer_sleeps);
	}
	atomic_store_explicit(&r->writer_sleeps, 0, memory_order_relaxed);
}

static void ring_send(const unsigned char *message, size_t size)
{
	struct ring *r = out.ring;
	uint64_t need = frame(size);
	size_t at = out.mine & (capacity - 1), first;
	uint32_t length = (uint32_t)size;

	if (out.mine + need - out.seen > capacity)
		wait_for_room(r, need);
	memcpy(r->data + at, &length, 4);
	at = (at + 4) & (capacity - 1);
	first = size < capacity - at ? size : capacity - at;
	memcpy(r->data + at, message, first);
	memcpy(r->data, message + first, size - first);
	out.mine += need;
	atomic_store_explicit(&r->head, out.mine, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst); /* the index before the look at who sleeps */
	if (atomic_load_explicit(&r->reader_sleeps, memory_order_relaxed))
		wake(&r->reader_sleeps);
}

static void wait_for_message(struct ring *r)
{
	in.seen = atomic_load_explicit(&r->head, memory_order_acquire);
	if (in.seen != in.mine)
		return;
	sched_yield();
	for (;;) {
		atomic_store(&r->reader_sleeps, 1);
		in.seen = atomic_load(&r->head);
		if (in.seen != in.mine)
			break;
		nap(&r->reader_sleeps);
	}
	atomic_store_explicit(&r->reader_sleeps, 0, memory_order_relaxed);
}

static ssize_t ring_receive(unsigned char *message, size_t max)
{
	struct ring *r = in.ring;
	size_t at, first;
	uint32_t size;

	if (in.seen == in.mine)
		wait_for_message(r);
	at = in.mine & (capacity - 1);
	memcpy(&size, r->data + at, 4);
	if (size > max)
		errx(1, "a message of %u bytes", size);
	at = (at + 4) & (capacity - 1);
	first = size < capacity - at ? size : capacity - at;
	memcpy(message, r->data + at, first);
	memcpy(message + first, r->data, size - first);
	in.mine += frame(size);
	atomic_store_explicit(&r->tail, in.mine, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&r->writer_sleeps, memory_order_relaxed) &&
	    in.mine >= atomic_load(&r->wanted))
		wake(&r->writer_sleeps);
	return size == 0 ? END_OF_FILE : (ssize_t)size;
}

static void finish(void)
{
	ring_send((const unsigned char *)"", 0);
}

static const struct mechanism ring = {
	make, open_second, open_first, ring_send, ring_receive, finish, NULL,
};

int main(int argc, char **argv)
{
	size_t size = queue_message_size(argc, argv);

	/* Room for four of the largest messages, and at least 64 KiB. */
	for (capacity = 64 << 10; capacity < 4 * size; capacity *= 2)
		;
	return run_peer(argc, argv, &ring);
}
