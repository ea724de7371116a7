package shm_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// Step 21: a program in C shares region, semaphore, lock and ring, and one in Python the region.
func TestSharesWithCAndPython(t *testing.T) {
	l := lab.New(t)
	cc, python := l.Program("cc"), l.Program("python3")
	r, name := region(l, 512, nil)
	copy(r.Bytes()[100:], "hello")
	l.Run(exec.Command(python, "-c", pythonProgram, pathOf(name))).Says("a program in Python")
	require.Equal(l, "hello, Python", string(r.Bytes()[100:113]), "the region, after a program in Python has written to it")
	require.True(l, exists(name), "the name, after a program in Python has used the region")

	source, binaryFile := filepath.Join(l.Dir(), "peer.c"), filepath.Join(l.Dir(), "peer")
	require.NoError(l, os.WriteFile(source, []byte(cProgram), 0o600), "writing the program in C")
	l.Run(exec.Command(cc, "-O1", "-Wall", "-o", binaryFile, source)).Says("cc")
	peer := func(work, name string) *lab.Foreign { return l.Run(exec.Command(binaryFile, work, pathOf(name))) }

	// Both increment a number under the lock.
	const times = 20_000
	r, lock, name := locked(l)
	p := peer("count", name)
	for range times {
		require.NoError(l, lock.Lock(never), "Lock(), while a program in C uses the lock, too")
		number := r.Bytes()[:8]
		binary.NativeEndian.PutUint64(number, binary.NativeEndian.Uint64(number)+1)
		require.NoError(l, lock.Unlock(), "Unlock()")
	}
	p.Says("a program in C that counts under the lock")
	require.Equal(l, uint64(2*times), binary.NativeEndian.Uint64(r.Bytes()), "what this process and a program in C have counted, each %d times, under the lock", times)

	// A C program dies with the lock, and one of ours.
	require.Error(l, peer("die", name).Wait(), "a program in C that kills itself with the lock")
	require.ErrorIs(l, lock.Lock(never), shm.ErrOwnerDied, "Lock() after a program in C has died with the lock")
	require.NoError(l, errors.Join(lock.Consistent(), lock.Unlock()), "Consistent() and Unlock()")
	require.Error(l, l.Start(holds, lab.Tell("name", name), lab.Tell("end", "dies")).Wait(), "a process that kills itself with the lock")
	peer("repair", name).Says("a program in C that takes the lock of a killed process, and repairs what it protects")
	require.NoError(l, lock.Lock(never), "Lock() after a program in C has repaired what it protects")
	require.NoError(l, lock.Unlock(), "Unlock()")

	// It answers each post with one of its own.
	r, name = region(l, 256, func(r *shm.Region) error {
		_, there := shm.NewSemaphore(r, 64, 0)
		_, back := shm.NewSemaphore(r, 128, 0)
		return errors.Join(there, back)
	})
	there, thereErr := shm.OpenSemaphore(r, 64)
	back, backErr := shm.OpenSemaphore(r, 128)
	require.NoError(l, errors.Join(thereErr, backErr), "OpenSemaphore()")
	p = peer("answer", name)
	for range 1000 {
		require.NoError(l, there.Post(), "Post() for a program in C")
		require.NoError(l, back.Wait(never), "Wait() for a program in C that answers each Post()")
	}
	p.Says("a program in C that answers each Post()")

	// It sends every message back, through another ring.
	const capacity = 512
	const backAt = ringAt + 1024
	r, name = region(l, 4096, func(r *shm.Region) error {
		return errors.Join(shm.NewRing(r, ringAt, capacity), shm.NewRing(r, backAt, capacity))
	})
	p = peer("echo", name)
	s := sender(l, r)
	e, err := shm.OpenReceiver(r, backAt)
	require.NoError(l, err, "OpenReceiver()")
	sent := messages(9, capacity)
	result := make(chan error, 1)
	go func() {
		for i, m := range sent {
			if err := s.Send(m); err != nil {
				result <- fmt.Errorf("Send() of message %d: %w", i+1, err)
				return
			}
		}
		result <- s.Close()
	}()
	for i, m := range sent {
		got, err := e.Recv()
		require.NoError(l, err, "Recv() of message %d from a program in C, which sends back what it receives", i+1)
		l.SameBytes(m, got, "message %d, which a program in C has received and sent back", i+1)
	}
	require.NoError(l, <-result, "sending to a program in C")
	require.ErrorIs(l, expect(e, ""), io.EOF, "Recv() after a program in C has closed its end")
	p.Says("a program in C that sends back what it receives")
}

const pythonProgram = `
import mmap, struct, sys

with open(sys.argv[1], "r+b") as file:
    memory = mmap.mmap(file.fileno(), 0)
magic, version, _, size = struct.unpack_from("=8sIIQ", memory)
if magic != b"ipc-shm\n" or version != 1 or size != 512 or len(memory) != 64 + size:
    sys.exit("the header is %r, version %d, size %d of %d bytes" % (magic, version, size, len(memory)))
if memory[64 + 100 : 64 + 105] != b"hello":
    sys.exit("found %r where hello was written" % memory[164:169])
memory[64 + 105 : 64 + 113] = b", Python"
`

const cProgram = `
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef _Atomic uint32_t word;

/* An owner's word, and its node. */
struct owned {
	word word;
	uint32_t none;
	struct robust_list node;
};
struct semaphore { word kind, value, waiting; };
struct lock { word kind, state; struct owned owned; };
struct ring {
	word kind, capacity;
	_Alignas(64) _Atomic uint64_t head;
	_Atomic uint64_t wanted;
	_Alignas(64) _Atomic uint64_t tail;
	_Alignas(64) struct owned sender;
	_Alignas(64) struct owned receiver;
	_Alignas(64) char data[];
};

static struct robust_list_head list = {{&list.list}, -8, NULL};
static uint32_t self;

static void futex(word *w, int operation, uint32_t value)
{
	syscall(SYS_futex, w, operation, value, NULL, NULL, 0);
}

static int take(struct owned *o, uint32_t not, uint32_t also, uint32_t *before)
{
	int taken;

	list.list_op_pending = &o->node;
	*before = atomic_load(&o->word);
	taken = !(*before & not) && atomic_compare_exchange_strong(&o->word, before, self | (*before & FUTEX_WAITERS) | also);
	if (taken) {
		o->node.next = list.list.next;
		list.list.next = &o->node;
	}
	list.list_op_pending = NULL;
	return taken;
}

static void give(struct owned *o, uint32_t after)
{
	struct robust_list *p = &list.list;

	list.list_op_pending = &o->node;
	while (p->next != &o->node)
		p = p->next;
	p->next = o->node.next;
	if (atomic_exchange(&o->word, after) & FUTEX_WAITERS)
		futex(&o->word, FUTEX_WAKE, INT32_MAX);
	list.list_op_pending = NULL;
}

/* lock returns whether the last holder has died. */
static int lock(struct lock *l)
{
	uint32_t v, also = 0;

	while (!take(&l->owned, FUTEX_TID_MASK, also, &v)) {
		if (!(v & FUTEX_TID_MASK))
			continue;
		if (!(v & FUTEX_WAITERS) && !atomic_compare_exchange_strong(&l->owned.word, &v, v | FUTEX_WAITERS))
			continue;
		futex(&l->owned.word, FUTEX_WAIT, v | FUTEX_WAITERS);
		also = FUTEX_WAITERS;
	}
	return (v & FUTEX_OWNER_DIED) != 0;
}

static int gone(uint32_t v) { return v & FUTEX_OWNER_DIED || (v & FUTEX_TID_MASK) == FUTEX_TID_MASK; }

/* news wakes who sleeps on the word. */
static void news(struct owned *o)
{
	if (atomic_load(&o->word) & FUTEX_WAITERS) {
		atomic_fetch_and(&o->word, ~FUTEX_WAITERS);
		futex(&o->word, FUTEX_WAKE, INT32_MAX);
	}
}

static long receive(struct ring *r, char *text)
{
	uint64_t tail = atomic_load(&r->tail), mask = r->capacity - 1;
	uint32_t v, n, i;

	while (v = atomic_fetch_or(&r->sender.word, gone(r->sender.word) ? 0 : FUTEX_WAITERS), atomic_load(&r->head) == tail) {
		if (gone(v))
			return v & FUTEX_OWNER_DIED ? -2 : -1;
		futex(&r->sender.word, FUTEX_WAIT, v | FUTEX_WAITERS);
	}
	memcpy(&n, r->data + (tail & mask), 4);
	for (i = 0; i < n; i++)
		text[i] = r->data[(tail + 4 + i) & mask];
	atomic_store(&r->tail, tail + ((n + 4 + 7) & ~7));
	if (atomic_load(&r->tail) >= atomic_load(&r->wanted))
		news(&r->receiver);
	return n;
}

static void send(struct ring *r, const char *text, uint32_t n)
{
	uint64_t head = atomic_load(&r->head), mask = r->capacity - 1, frame = (n + 4 + 7) & ~7;
	uint32_t v, i;

	atomic_store(&r->wanted, head + frame - r->capacity);
	while (v = atomic_fetch_or(&r->receiver.word, FUTEX_WAITERS), head + frame - atomic_load(&r->tail) > r->capacity)
		futex(&r->receiver.word, FUTEX_WAIT, v | FUTEX_WAITERS);
	memcpy(r->data + (head & mask), &n, 4);
	for (i = 0; i < n; i++)
		r->data[(head + 4 + i) & mask] = text[i];
	atomic_store(&r->head, head + frame);
	news(&r->sender);
}

int main(int argc, char **argv)
{
	const char *work = argv[1];
	int fd = argc == 3 ? open(argv[2], O_RDWR) : -1;
	struct stat s;
	char *memory, text[1024];
	uint32_t version, v;
	long n;

	if (fd < 0 || fstat(fd, &s) != 0)
		err(1, "open");
	memory = mmap(NULL, s.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	memcpy(&version, memory + 8, 4);
	if (memcmp(memory, "ipc-shm\n", 8) != 0 || version != 1)
		errx(1, "the header is another one");
	memory += 64;
	self = syscall(SYS_gettid);
	if (syscall(SYS_set_robust_list, &list, sizeof list) != 0)
		err(1, "set_robust_list");
	if (strcmp(work, "count") == 0) {
		volatile uint64_t *number = (void *)memory;
		struct lock *l = (void *)(memory + 64);

		for (int i = 0; i < 20000; i++) {
			lock(l);
			*number = *number + 1;
			give(&l->owned, 0);
		}
	} else if (strcmp(work, "die") == 0) {
		lock((void *)(memory + 64));
		raise(SIGKILL);
	} else if (strcmp(work, "repair") == 0) {
		struct lock *l = (void *)(memory + 64);

		if (!lock(l))
			errx(1, "the lock does not say that its holder died");
		l->state = 0;
		give(&l->owned, 0);
	} else if (strcmp(work, "answer") == 0) {
		struct semaphore *in = (void *)(memory + 64), *out = (void *)(memory + 128);

		for (int i = 0; i < 1000; i++) {
			atomic_fetch_add(&in->waiting, 1);
			while (v = atomic_load(&in->value), v == 0 || !atomic_compare_exchange_strong(&in->value, &v, v - 1))
				if (v == 0)
					futex(&in->value, FUTEX_WAIT, 0);
			atomic_fetch_sub(&in->waiting, 1);
			atomic_fetch_add(&out->value, 1);
			if (atomic_load(&out->waiting))
				futex(&out->value, FUTEX_WAKE, 1);
		}
	} else {
		struct ring *from = (void *)(memory + 128), *to = (void *)(memory + 128 + 1024);

		if (!take(&from->receiver, ~FUTEX_WAITERS, 0, &v) || !take(&to->sender, ~FUTEX_WAITERS, 0, &v))
			errx(1, "the ring has another word for its end: %#x", v);
		while ((n = receive(from, text)) >= 0)
			send(to, text, n);
		if (n != -1)
			errx(1, "the sender has died");
		give(&from->receiver, FUTEX_TID_MASK);
		give(&to->sender, FUTEX_TID_MASK);
	}
	return 0;
}
`
