// Package shm shares memory between processes, and has what that needs beside it: a
// [Semaphore], a [Lock] whose holder may die, and a ring of messages, which has a [Sender]
// and a [Receiver].
//
// Shared memory is bytes and nothing else. Nobody waits there, nobody is told of anything,
// and nobody knows who else is there. What the mechanisms of the other chapters did without
// being asked is built here, of atomic operations and of the kernel's futex(2).
//
// # A region
//
// A [Region] is a mapping of a regular file in [Folder], the file system in memory in which
// shm_open(3) keeps its objects as well. The file begins with a header of [HeaderSize] bytes.
// Numbers are in the machine's byte order, here and below:
//
//	 0   8 bytes   "ipc-shm\n"
//	 8   uint32    Version
//	12   uint32    0
//	16   uint64    the size: how many bytes come behind the header
//	24   40 bytes  0
//
// Behind it come the bytes of its users, and then the file ends. An offset counts from the
// first of these bytes.
//
// # Objects in a region
//
// Semaphores, locks and rings have a place in a region: an offset that is a multiple of 64,
// the size of a cache line. Nothing but this layout is shared, so that programs in other
// languages can take part. A pointer would mean nothing there: each process has the mapping
// at another address. Each object begins with a number that says what it is. As long as it is
// 0 or 1 no object is there, or not yet: 1 is written first, this number last.
//
// A semaphore has [SemaphoreSize] bytes:
//
//	0   uint32    0x314d4553
//	4   uint32    its value. Who waits sleeps on this word, with the value 0 (FUTEX_WAIT)
//	8   uint32    how many wait, or are about to. If it is not 0 a Post wakes one (FUTEX_WAKE).
//	              One that was killed meanwhile is still counted
//
// A lock has [LockSize] bytes:
//
//	 0   uint32    0x314b434c
//	 4   uint32    what the lock protects is 0 consistent, 1 half done, 2 not recoverable
//	 8   uint32    the lock's word: an owner's word, see below; 0 is free
//	16   uint64    the node of the owner's robust list
//
// A ring has [RingSize] bytes:
//
//	  0  uint32    0x31474e52
//	  4  uint32    the capacity in bytes, a power of two from MinRing to MaxRing
//	 64  uint64    the head: how many bytes were written so far, in all
//	 72  uint64    what the tail has to reach before a sender that sleeps can go on
//	128  uint64    the tail: how many bytes were received so far, in all
//	192  uint32    the sender's word: an owner's word; 0 while there was none yet
//	200  uint64    the node of the sender's robust list
//	256  uint32    the receiver's word: an owner's word; 0 while there was none yet
//	264  uint64    the node of the receiver's robust list
//	320            capacity bytes of frames
//
// A frame is a uint32 with the length of the message, the message, and up to 7 bytes that
// make the whole a multiple of 8. The byte that is number i of all has its place at i modulo
// the capacity, so a message may go on at the begin. Head and tail are multiples of 8. The
// sender moves the head when a frame is whole there, and the receiver moves the tail when it
// has copied the message.
//
// # An owner's word
//
// It is a robust futex, as the kernel defines it for C's robust mutexes (get_robust_list(2)):
// the number of a thread (TID) that lives as long as the owner, beside the bits FUTEX_WAITERS
// (1<<31) and FUTEX_OWNER_DIED (1<<30). That thread has the word in its robust list while the
// process owns it. The node stands 8 bytes behind the word. So when the process ends in
// whatever way, the kernel puts FUTEX_OWNER_DIED in the place of the number, and wakes one
// who waits. Who waits for the owner sets FUTEX_WAITERS first, and sleeps on the word. Who
// then gives the word back, or has news for who waits, takes the bit away and wakes, in one
// call (FUTEX_WAKE_OP): of two, a SIGKILL in between leaves who waits asleep. An end of a
// ring that was closed has 0x3fffffff in the place of the number: no such call can put it.
//
// So a receiver that finds no message sleeps on the sender's word, and a sender that finds no
// room on the receiver's. Each looks once more after it has set the bit.
//
// # All functions
//
// The mapping may go away: somebody cuts the file (truncate(2)), or another goroutine calls
// [Region.Close]. No call of this package makes a SIGBUS or a SIGSEGV of that: it returns
// ErrCut or os.ErrClosed. Who uses the memory of [Region.Bytes] or [Region.Uint64] has to take
// care himself. A fault at an address outside of the mapping, in the caller's own p perhaps, is
// something else, and stays a panic.
//
// What stands in the mapping may be anything: another process may have
// written there. No call panics because of that, or touches memory outside.
//
// A deadline is a point in time. The zero time.Time is none: the call waits as long as it
// takes. A call that need not wait does not look at its deadline, also if that has passed
// long ago. At the deadline it returns os.ErrDeadlineExceeded. A call that a signal interrupts
// goes on, and its deadline stays where it is. A call that waits sleeps, and uses no processor
// time.
//
// See shm_overview(7), shm_open(3), mmap(2), fallocate(2), open(2), linkat(2), futex(2),
// get_robust_list(2), sem_overview(7).
package shm

import (
	"errors"
	"sync/atomic"
	"time"

	"ipcworkbook/harness/todo"
)

const (
	// Folder is where the files of regions are.
	Folder = "/dev/shm"

	// MaxName is the longest name of a region in bytes, without its slash.
	MaxName = 255

	// HeaderSize is the size of a file's header in bytes.
	HeaderSize = 64

	// Version is that of the layout in the header.
	Version = 1

	// SemaphoreSize and LockSize are the sizes of these objects in bytes.
	SemaphoreSize = 64
	LockSize      = 64

	// MaxSemaphore is the highest value of a semaphore.
	MaxSemaphore = 1<<31 - 1

	// MinRing and MaxRing are the limits of a ring's capacity in bytes.
	MinRing = 64
	MaxRing = 1 << 30
)

// RingSize is how many bytes a ring of that capacity takes in a region.
func RingSize(capacity int) int { return 320 + capacity }

// Find these errors with errors.Is.
var (
	// ErrTooSmall is what Attach returns for a region that is smaller than asked for.
	ErrTooSmall = errors.New("the region is smaller than asked for")

	// ErrFormat is what Attach and the functions Open… return for something else than
	// this package makes, or for something that is not whole yet.
	ErrFormat = errors.New("not what this package makes")

	// ErrCut is what a call returns when the file was cut after it had been mapped.
	ErrCut = errors.New("the file was cut under its mapping")

	// ErrCorrupt is what a ring returns for numbers in the mapping that cannot be.
	ErrCorrupt = errors.New("what another process wrote there makes no sense")

	// ErrLocked is what TryLock returns where Lock would wait.
	ErrLocked = errors.New("somebody else holds the lock")

	// ErrZero is what TryWait returns where Wait would wait.
	ErrZero = errors.New("the semaphore is at zero")

	// ErrOwnerDied is what Lock and TryLock return with the lock, when whoever held it
	// before has died inside.
	ErrOwnerDied = errors.New("the lock's holder died: the data may be half done")

	// ErrNotRecoverable is what Lock and TryLock return without the lock, when the data
	// was half done and nobody has repaired it.
	ErrNotRecoverable = errors.New("the lock's data was left half done for good")
)

// Region is memory that processes share.
type Region struct {
	bytes []byte
}

// Semaphore is a number in a region that is never below zero.
type Semaphore struct{}

// Lock is a lock in a region. One process holds it, and in that one goroutine.
type Lock struct{}

// Sender is the end of a ring that sends. One goroutine at a time calls it; only Close may come
// beside another call.
type Sender struct{}

// Receiver is the end of a ring that receives. One goroutine at a time calls it; only Close
// may come beside another call.
type Receiver struct{}

// All of it is yours. First the region.

// Create makes a new region with that many bytes, all zero, and maps it. Before anybody else
// can find it setup may put into it what has to be there from the first moment; a nil setup
// puts nothing. The name, its permissions (0600 whatever the umask is) and the whole content
// come at once: there is no moment in which another process finds a part of it. If setup
// returns an error, that is what Create returns, and if it panics, the panic goes on. The
// space is reserved with fallocate(2): it is there when it is written to.
//
// A name is a slash and 1 to MaxName bytes, none of which is a slash or zero, and not "/."
// or "/..".
//
// Errors, with the name in their text. Nothing is made then, nothing stays mapped or open, and
// also if the process is killed in the middle nothing stays in Folder:
//   - unix.EINVAL for a name or a size that cannot be, unix.ENAMETOOLONG;
//   - unix.EEXIST when there is a file of that name, whatever it is;
//   - unix.ENOSPC when Folder has no room, with the path of Folder in the text;
//   - all others of the kernel as they are: a size may be more than a file may have
//     (unix.EFBIG, RLIMIT_FSIZE).
func Create(name string, size int, setup func(r *Region) error) (*Region, error) {
	return nil, todo.Err("Create")
}

// Attach maps a region that is there. It has at least size bytes, or else that is
// ErrTooSmall, with both numbers in the text; 0 takes it as it is. A symbolic link is never
// followed.
//
// Errors, with the name in their text: those of Create for names and for a negative size;
// unix.ENOENT when there is none; unix.ELOOP for a symbolic link; unix.EACCES;
// ErrFormat for what has not the header of a region, with another version also (then both
// versions stand in the text), and for a file that is shorter or longer than its header says.
func Attach(name string, size int) (*Region, error) {
	return nil, todo.Err("Attach")
}

// Remove takes the name away. Who has the region goes on, and a new one may have the name. The
// memory is given back when the last one has closed it or has ended. Nothing else here
// removes a name: not Close, not the end of a process, whether it made the region or not.
//
// Errors, with the name in their text: those of Create for names, unix.ENOENT;
// unix.EISDIR for a folder, which stays.
func Remove(name string) error {
	return todo.Err("Remove")
}

// Renew is Create for a name that may be there: of a run that has crashed, perhaps, with a
// semaphore that nobody will post any more. The old region loses its name, and who has it goes
// on with it. The new one is new for certain, also if another process makes or removes one
// of that name meanwhile.
//
// The errors are those of Create and Remove, without unix.EEXIST and unix.ENOENT. But an error
// of setup is returned, also if it is one of these two. After an error the old region may have
// lost its name already.
func Renew(name string, size int, setup func(r *Region) error) (*Region, error) {
	return nil, todo.Err("Renew")
}

// Bytes returns the memory: it is the mapping itself, without the header, and no copy. It is
// there until Close, also if the program keeps nothing else of the region.
func (r *Region) Bytes() []byte { return r.bytes }

// Uint64 returns the eight bytes at the offset as a number for atomic operations. They are
// atomic for all processes. The offset is a multiple of 8, and all eight bytes are in the
// region; any other one is unix.EINVAL.
func (r *Region) Uint64(offset int) (*atomic.Uint64, error) {
	return nil, todo.Err("Region.Uint64")
}

// ReadAt copies bytes out of the region, as [io.ReaderAt] says: where fewer are left than p
// has room for, the error is io.EOF. A negative offset is unix.EINVAL. It does not take
// any lock.
func (r *Region) ReadAt(p []byte, offset int64) (n int, err error) {
	return 0, todo.Err("Region.ReadAt")
}

// WriteAt copies bytes into the region. If not all of them fit it writes none, and returns
// unix.EINVAL. It does not take any lock.
func (r *Region) WriteAt(p []byte, offset int64) (n int, err error) {
	return 0, todo.Err("Region.WriteAt")
}

// Close takes the mapping away from this process. Nothing else changes: the name stays. Calls
// of this process that wait for something in the region end with os.ErrClosed, and so do all
// later calls, also a second Close. Who sleeps there while the file is cut ends with that, or
// with ErrCut. A lock of the region that this process holds looks
// afterwards as if the process had died. The ends of rings are closed, as by their Close.
func (r *Region) Close() error {
	return todo.Err("Region.Close")
}

// The semaphore.

// NewSemaphore makes a semaphore with that value at the offset. In the setup of Create nobody
// else can be faster; elsewhere one of several wins.
//
// Errors: unix.EINVAL for an offset that is no multiple of 64, is below 0, or leaves no room
// for SemaphoreSize bytes, and for a value below 0 or above MaxSemaphore; unix.EEXIST when
// something is there, also if it is not whole yet.
func NewSemaphore(r *Region, offset, value int) (*Semaphore, error) {
	return nil, todo.Err("NewSemaphore")
}

// OpenSemaphore finds a semaphore that is there. The errors are unix.EINVAL for the offset, as
// in NewSemaphore, and ErrFormat when there is no semaphore, or none that is whole.
func OpenSemaphore(r *Region, offset int) (*Semaphore, error) {
	return nil, todo.Err("OpenSemaphore")
}

// Value returns the value at this moment. It may be another one already.
func (s *Semaphore) Value() (int, error) {
	return 0, todo.Err("Semaphore.Value")
}

// Wait takes one: the value becomes one less. While it is zero it waits, up to the deadline.
//
// A process that is killed keeps what it has taken: no kernel knows who will post. One that
// is killed in the moment between being woken and taking leaves the value as it was.
func (s *Semaphore) Wait(deadline time.Time) error {
	return todo.Err("Semaphore.Wait")
}

// TryWait is Wait that does not wait: at zero it returns ErrZero.
func (s *Semaphore) TryWait() error {
	return todo.Err("Semaphore.TryWait")
}

// Post gives one: the value becomes one more, and one who waits is woken up. At MaxSemaphore it
// changes nothing and returns unix.EOVERFLOW. While nobody waits it makes no system call.
func (s *Semaphore) Post() error {
	return todo.Err("Semaphore.Post")
}

// The lock.

// NewLock makes a lock at the offset, which nobody holds. The errors are those of
// NewSemaphore, for LockSize bytes.
func NewLock(r *Region, offset int) (*Lock, error) {
	return nil, todo.Err("NewLock")
}

// OpenLock finds a lock that is there. The errors are those of OpenSemaphore.
func OpenLock(r *Region, offset int) (*Lock, error) {
	return nil, todo.Err("OpenLock")
}

// Lock takes the lock. While somebody holds it, it waits, up to the deadline. A goroutine that
// holds it already waits for itself. Where nobody holds it no system call is made, but
// perhaps by the first lock of a process.
//
// ErrOwnerDied is returned with the lock: it is held, and has to be unlocked. Who held it
// before has died inside, or has closed the region, and what the lock protects may be half
// done. The holder looks at it, repairs it, and says so with Consistent. If he dies himself
// the next one is told again.
//
// Nobody waits for ever because another one was killed, at whatever moment: inside of Lock, of
// Unlock, or just woken up; also if a third one has taken the lock by then.
//
// ErrNotRecoverable is returned without the lock, from then on and for all, when somebody has
// unlocked it after ErrOwnerDied without Consistent.
func (l *Lock) Lock(deadline time.Time) error {
	return todo.Err("Lock.Lock")
}

// TryLock is Lock that does not wait: where somebody holds it, it returns ErrLocked.
func (l *Lock) TryLock() error {
	return todo.Err("Lock.TryLock")
}

// Consistent says that what the lock protects is in order again. It is unix.EINVAL if this
// process does not hold the lock, or was not told ErrOwnerDied.
func (l *Lock) Consistent() error {
	return todo.Err("Lock.Consistent")
}

// Unlock gives the lock back, and wakes one who waits, if there is one. Without one it makes no
// system call, or one when a wait has ended early, at its deadline perhaps. It is unix.EPERM, and
// changes nothing, if this process does not hold the lock, by this Lock or another one of the
// same Region.
func (l *Lock) Unlock() error {
	return todo.Err("Lock.Unlock")
}

// The ring.

// NewRing makes a ring of that capacity at the offset, with nothing in it. It has one
// sender and one receiver in its life. The errors are those of NewSemaphore, for
// RingSize(capacity) bytes, and unix.EINVAL for a capacity that is no power of two or not
// from MinRing to MaxRing.
func NewRing(r *Region, offset, capacity int) error {
	return todo.Err("NewRing")
}

// OpenSender makes this process the sender of a ring. The errors are those of OpenSemaphore;
// ErrCorrupt when the capacity has no room in the region or is not allowed, and when head and
// tail cannot be; unix.EBUSY when the ring has a sender, or had one, also if that has closed
// or died. The receiver would not know that it is another one.
func OpenSender(r *Region, offset int) (*Sender, error) {
	return nil, todo.Err("OpenSender")
}

// Send sends a message, and waits while there is no room for it. Other processes may write to
// the ring's memory at any time: what they can break is the stream, and not this process. Send
// does not keep p. An empty message is one, too.
//
// While there is room, and no receiver sleeps, it makes no system call.
//
// Errors, after which nothing of the message was sent:
//   - unix.EMSGSIZE, with the limit in the text, for more bytes than the capacity without 4;
//   - unix.EPIPE when the receiver has closed or has died, at once, also if there is room. A
//     ring that has no receiver yet is no error;
//   - ErrCorrupt when the tail cannot be;
//   - os.ErrClosed after Close.
func (s *Sender) Send(p []byte) error {
	return todo.Err("Sender.Send")
}

// SendUntil is Send that waits up to the deadline.
func (s *Sender) SendUntil(p []byte, deadline time.Time) error {
	return todo.Err("Sender.SendUntil")
}

// Close says that no more messages come. The receiver gets those that are in the ring, and
// then io.EOF. A Send of another goroutine that waits ends with os.ErrClosed, and so do later
// calls, also a second Close.
func (s *Sender) Close() error {
	return todo.Err("Sender.Close")
}

// OpenReceiver makes this process the receiver of a ring. The errors are those of OpenSender.
func OpenReceiver(r *Region, offset int) (*Receiver, error) {
	return nil, todo.Err("OpenReceiver")
}

// Recv receives the next message, and waits while there is none, also for a sender that has
// not come yet. The slice belongs to the caller.
//
// While there is a message, and no sender sleeps that can go on now, it makes no system call.
//
// Errors:
//   - io.EOF when the sender has closed, and all that it had sent is received;
//   - io.ErrUnexpectedEOF, when all that it had sent is received, if the sender's process
//     has died without Close. Both are returned again by later calls;
//   - ErrCorrupt when the head or a length cannot be;
//   - os.ErrClosed after Close.
func (e *Receiver) Recv() ([]byte, error) {
	return nil, todo.Err("Receiver.Recv")
}

// RecvInto is Recv into memory that the caller brings. A message of up to cap(buf) bytes is
// put there, from the first byte on, and the slice that is returned is buf[:n], with all of
// buf's capacity, also for an empty message. A longer one gets new memory, as in Recv. The
// Receiver does not keep buf.
func (e *Receiver) RecvInto(buf []byte) ([]byte, error) {
	return nil, todo.Err("Receiver.RecvInto")
}

// RecvUntil is RecvInto that waits up to the deadline.
func (e *Receiver) RecvUntil(buf []byte, deadline time.Time) ([]byte, error) {
	return nil, todo.Err("Receiver.RecvUntil")
}

// Close says that nobody receives any more: the sender gets unix.EPIPE, also if it waits. A
// Recv of another goroutine that waits ends with os.ErrClosed, and so do later calls, also
// a second Close.
func (e *Receiver) Close() error {
	return todo.Err("Receiver.Close")
}
