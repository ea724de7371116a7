// Package joinable is a bounded queue of many processes that put items and many that take
// them. A process that has put items can wait until all are done: that is to join the queue.
//
// A process makes the queue with [Create], and is its maker. It starts others, hands the
// [Queue.Files] to them, and they take part with [Attach]. A process that takes items calls
// [Queue.TaskDone] when it is done with one. The maker waits for that with [Queue.Join], and
// ends the queue with [Queue.Close].
//
// # What it is made of
//
// No mechanism here is new; each has a chapter of its own. Items and numbers are in memory
// that the processes share. A lock lets one process at a time change them. A process that
// cannot go on sleeps, until another one wakes it. All of it is reached by descriptors, and
// nothing has a name. So nothing is left behind, however a run ends.
//
// The first of the Files is the memory: a file of memfd_create(2) whose size is sealed
// (F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_SEAL, fcntl(2)). It begins with a header of
// [HeaderSize] bytes. Numbers are in the machine's byte order:
//
//	 0   8 bytes   "ipc-join"
//	 8   uint32    Version
//	12   uint32    the bound
//	16   uint64    the largest size of an item
//	24   uint64    the size of the file
//	32   32 bytes  0, and Attach does not look at them
//
// What comes behind it is yours: so is the size, which is always the same for the same bound and
// the same size of items. The other files are yours, too, if there are any.
//
// # Who may die, and when
//
// Any process may be killed (SIGKILL) at any moment: while it waits, while it copies an item,
// while it holds the lock. No other process waits for ever because of that, and each item is
// taken once, by one process, or is told as lost:
//
//   - a process that is killed in Put has put the whole item, or nothing;
//   - a process that is killed in Get has taken the item, or has not, and then another one gets it;
//   - an item that was taken, and whose taker has ended without TaskDone, is lost. Join tells
//     it: see [LostError].
//
// A process that is stopped (SIGSTOP) is not dead: while it holds the lock the others wait for that.
// Neither a context nor Close has to end a wait for the lock.
//
// All processes are in one PID namespace (pid_namespaces(7)), and /proc is mounted there.
//
// # The end
//
// A queue ends when its maker closes it. Then nothing can be put any more. What was put can
// still be taken, and after it comes io.EOF. A maker that ends without Close ends the queue as
// well: after the items comes io.ErrUnexpectedEOF.
//
// # All functions
//
// A call that waits sleeps until something wakes it, and uses no processor time: it does not look
// again after some time. A signal that interrupts it changes nothing. When it has returned, it has
// left no descriptor open and no goroutine running. If its context ends later, nothing happens.
//
// A call that waits ends with its context. Then, and also if the context had ended before the call
// began, the call has done nothing, and its error is found by errors.Is in two ways: as ErrEmpty
// (Get), ErrFull (Put) or ErrUnfinished (Join), and as the context's cause ([context.Cause]).
//
// Errors of the kernel are returned as they are: EMFILE, where a process may open no more
// descriptors. Then, too, the call has done nothing and has left nothing open.
//
// After Close every call of this Queue returns os.ErrClosed, also a second Close; this comes
// before all other errors. All functions may be called by several goroutines at once.
//
// Every descriptor that a Queue opens is close-on-exec from its first moment: the call that opens it
// asks for that. (Attach makes close-on-exec what it was handed.)
//
// What is attached may be anything, and others may have written into the memory: numbers that cannot
// be are ErrCorrupt or ErrFormat, and never a panic, an access outside of the memory, or a loop
// without an end. Close gives all back then, too, whatever it returns.
package joinable

import (
	"context"
	"errors"
	"fmt"
	"os"

	"ipcworkbook/harness/todo"
)

const (
	// HeaderSize is the size of the memory's header in bytes.
	HeaderSize = 64

	// Version is that of the header and of what comes behind it.
	Version = 1

	// MaxBound is the highest bound of a queue.
	MaxBound = 1 << 15

	// MaxItem is the highest limit of an item's size in bytes.
	MaxItem = 1 << 24

	// MaxMemory is how much the items of a full queue may take: bound times the limit of
	// their size, in bytes.
	MaxMemory = 1 << 29

	// MaxUndone is how many items one Queue may have taken and not marked as done.
	MaxUndone = 1000

	// MaxProcesses is how many Queues may be attached at one time. One of them is the maker's,
	// also after that has closed.
	MaxProcesses = 64
)

// Find these errors with errors.Is.
var (
	// ErrEmpty is the error of TryGet where Get would wait, and of Get when its context ends.
	ErrEmpty = errors.New("no item came")

	// ErrFull is the error of TryPut where Put would wait, and of Put when its context ends.
	ErrFull = errors.New("no room for an item")

	// ErrUnfinished is the error of Join when its context ends.
	ErrUnfinished = errors.New("not all items are done")

	// ErrNotTaken is the error of TaskDone when it is called more often than items were taken.
	ErrNotTaken = errors.New("no item that was taken here is still to be done")

	// ErrFormat is the error of Attach for something else than a queue.
	ErrFormat = errors.New("not what this package makes")

	// ErrCorrupt is returned for numbers in the memory that cannot be.
	ErrCorrupt = errors.New("what another process wrote there makes no sense")
)

// LostError is the error of Join for items that were taken with one Queue, and whose process has ended,
// or has closed that Queue, before it called TaskDone for them. Find it with errors.As.
type LostError struct {
	PID   int      // the process that had them
	Items []uint64 // their numbers, in order. The first item that was put into a queue is number 1
}

func (e *LostError) Error() string {
	return fmt.Sprintf("process %d has ended without TaskDone for what it had taken: lost are items number %v", e.PID, e.Items)
}

// Queue is one process's side of a queue.
type Queue struct{}

// Create makes a queue for up to bound items that wait to be taken, of up to maxItem bytes
// each. This process is the maker. The memory is not taken from the machine before it is used.
//
// Errors: unix.EINVAL for a bound that is not from 1 to MaxBound, for a maxItem that is not from 1
// to MaxItem, and where the product is above MaxMemory, with the number and the limit in the
// text.
func Create(bound, maxItem int) (*Queue, error) {
	return nil, todo.Err("Create")
}

// Files returns what another process needs to attach, for [os/exec.Cmd.ExtraFiles]: the memory
// is the first one. It can be called in each process that is attached. The files belong to the
// Queue, which closes them; all calls return the same ones, in a slice of the caller's own. After
// Close it returns nil.
//
// ExtraFiles calls [os.File.Fd], which may take O_NONBLOCK away from what a descriptor stands for,
// for all processes. The queue works all the same.
func (q *Queue) Files() []*os.File {
	return nil
}

// Attach takes part in a queue, whose Files these are, in their order. Bound and maxItem are
// what this program expects; 0 takes any. The Queue takes the files over, makes them
// close-on-exec, and closes them in Close; the slice stays the caller's. After an error they are as
// they were.
//
// A queue that has ended can be attached to: what is in it can be taken. One process may attach
// several times; each Queue is a participant of its own.
//
// Errors:
//   - ErrFormat when the number of the files is another one, and when the first one is no
//     queue: it is no memfd or not sealed, the magic or the version is another one (both versions
//     stand in the text then), a number is not one that Create allows, or the size is not what the
//     numbers say. ErrFormat also for another bound or maxItem than expected, with both numbers
//     in the text;
//   - unix.EINVAL for a bound or maxItem below 0;
//   - unix.EUSERS when MaxProcesses are attached. Those that have ended or closed count no more:
//     at once if they had nothing to be done, and else once Join has told of what they had;
//   - some error for a file that is nil or closed. What a file behind the first one is does not have
//     to be looked at.
func Attach(files []*os.File, bound, maxItem int) (*Queue, error) {
	return nil, todo.Err("Attach")
}

// Put puts an item at the queue's end. While the queue is full it waits. It copies the item, so
// the caller may use the memory again. An empty item is one, too.
//
// Errors, after which nothing was put, and the queue is as before; they come in this order:
//   - unix.EINVAL for a nil item, and unix.EMSGSIZE for more than maxItem bytes, with both sizes in
//     the text;
//   - ErrFull when the context ends, or has ended;
//   - unix.EPIPE when the queue has ended, at once, also if there is room, and also while it
//     waits.
func (q *Queue) Put(ctx context.Context, item []byte) error {
	return todo.Err("Queue.Put")
}

// TryPut is Put that does not wait: where the queue is full it returns ErrFull.
func (q *Queue) TryPut(item []byte) error {
	return todo.Err("Queue.TryPut")
}

// Get takes the item that has been in the queue for the longest time. While there is none it
// waits. The slice belongs to the caller; it is never nil without an error. The item is to be done
// from then on, by this Queue: see TaskDone.
//
// Errors, after which nothing was taken; they come in this order:
//   - ErrEmpty when the context ends, or has ended, also if there is an item;
//   - unix.ENOBUFS when this Queue has MaxUndone items to be done, also if there is no item;
//   - io.EOF when the queue is empty and its maker has closed it;
//   - io.ErrUnexpectedEOF when the queue is empty and its maker has ended without Close.
//
// All but ErrEmpty are returned again by later calls, as long as nothing changes.
func (q *Queue) Get(ctx context.Context) ([]byte, error) {
	return nil, todo.Err("Queue.Get")
}

// GetInto is Get into memory that the caller brings. An item of up to cap(buf) bytes is put
// there, from the first byte on, and the slice that is returned is buf[:n], with all of buf's
// capacity, also for an empty item. A longer one gets new memory, as in Get; with a nil buf it is
// Get. The Queue does not keep buf.
func (q *Queue) GetInto(ctx context.Context, buf []byte) ([]byte, error) {
	return nil, todo.Err("Queue.GetInto")
}

// TryGet is Get that does not wait: where the queue is empty, and has not ended, it returns
// ErrEmpty.
func (q *Queue) TryGet() ([]byte, error) {
	return nil, todo.Err("Queue.TryGet")
}

// TaskDone says that an item is done that this Queue has taken: the one that it took first of
// those that are still to be done. It works after the end of the queue, too.
//
// If this Queue has none to be done the error is ErrNotTaken, and nothing changes: neither
// what others have to do, nor what waits in the queue.
func (q *Queue) TaskDone() error {
	return todo.Err("Queue.TaskDone")
}

// Join waits until every item that was put so far, and that is put meanwhile, is done. If
// there is none, it returns at once. The queue goes on to be used.
//
// Errors; they come in this order:
//   - ErrUnfinished when the context ends, or has ended, also if all is done. How many items are
//     not done stands in the text;
//   - a *LostError when a process that had taken items has ended, or has closed its Queue, and has
//     not marked them as done. Join does not wait for others then. It tells of one Queue: if
//     a process had several, each is told by a Join of its own. These items count as done from then on, so each is told once, and to one Join;
//   - io.ErrUnexpectedEOF when some are not done, none of them is told as lost, and the maker
//     has ended without Close.
func (q *Queue) Join(ctx context.Context) error {
	return todo.Err("Queue.Join")
}

// Len returns how many items wait to be taken. It may be another number already. It has no errors
// but those of all functions.
func (q *Queue) Len() (int, error) {
	return 0, todo.Err("Queue.Len")
}

// Daemon makes this process a daemon of the maker: when the maker's process has ended, however it
// ended and whether it had closed the queue, this process ends too, at once, whatever it is just
// doing, with exit status 1. Close does not change that. To call it several times is as once.
//
// In the maker's own process it is unix.EINVAL, which comes first, at least for a Queue that was made or
// attached before the maker's closed. If the maker's process has ended
// already, or has closed the queue, it is unix.ESRCH, and nothing will end this process.
func (q *Queue) Daemon() error {
	return todo.Err("Queue.Daemon")
}

// Close gives back what this process has of the queue: the mapping, the descriptors, and the
// goroutines, other than what Daemon has opened or started. Calls of this Queue that wait end with
// os.ErrClosed. What it has taken and not marked as done is lost: see Join. If it is the maker's
// the queue has ended: see Put, Get and Join.
func (q *Queue) Close() error {
	return todo.Err("Queue.Close")
}
