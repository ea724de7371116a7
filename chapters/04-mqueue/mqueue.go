// Package mqueue sends messages from one process to another through message queues of
// the kernel: those of POSIX, a [Queue], and those of System V, a [SysV].
//
// A queue keeps the boundaries of messages: one Send is one Recv, and there is no frame.
// It also keeps the messages, whether a process is there or not, until somebody has
// received them or has removed the queue. So a queue has no end: a Recv waits although
// nobody has the queue open for sending any more.
//
// Neither package os nor golang.org/x/sys/unix has functions for queues. Both have the
// numbers of the system calls (unix.SYS_MQ_OPEN, unix.SYS_MSGGET) and ways to make them
// (unix.Syscall6). The functions here are what they would have.
//
// A Queue or a SysV sends for one goroutine at a time, and receives for one at a time.
// Both at once is allowed. Close, Attr and Stat come whenever they like. What two
// goroutines do with two of them does not meet.
//
// A deadline is a point in time. The zero time.Time is none: the call waits as long as it
// takes. A call that need not wait does not look at its deadline, also if that has passed
// long ago. A call that a signal interrupts goes on, and its deadline stays where it is.
// A call that waits sleeps until there is something for it to do, in queues of both kinds:
// it does not look again and again.
//
// See mq_overview(7), mq_open(3), mq_send(3), mq_receive(3), mq_getattr(3), mq_unlink(3);
// sysvipc(7), msgget(2), msgop(2), msgctl(2).
package mqueue

import (
	"errors"
	"os"
	"syscall"
	"time"

	"ipcworkbook/harness/todo"
)

const (
	// MaxPriority is the highest priority of a message in a POSIX queue.
	MaxPriority = 32767

	// MaxName is the longest name of a POSIX queue in bytes, without its slash.
	MaxName = 255
)

// Find these errors with errors.Is.
var (
	// ErrFull is what TrySend returns where Send would wait.
	ErrFull = errors.New("message queue full")

	// ErrEmpty is what TryRecv returns where Recv would wait.
	ErrEmpty = errors.New("message queue empty")

	// ErrAttr is what Open returns for a queue that is there with other attributes.
	ErrAttr = errors.New("the queue exists with other attributes")

	// ErrLimit is what Open and Renew return when the queues of this user, in all
	// processes together, may not have so many bytes (RLIMIT_MSGQUEUE).
	ErrLimit = errors.New("the user's bytes for message queues are used up")
)

// Attr is what a POSIX queue is like. The first two are decided when it is made, and
// never change.
type Attr struct {
	MaxMessages int // so many messages may wait in it
	MaxSize     int // the size of the largest message, in bytes
	Messages    int // so many wait in it now; Open and Renew do not look at it
}

// Queue is a descriptor of a POSIX queue.
type Queue struct {
	f *os.File
}

// SysV is a System V queue. It has an id, which is the same in all processes, and no
// descriptor.
type SysV struct {
	id int
}

// Stat is what a System V queue is like at the moment (msgctl(2), IPC_STAT).
type Stat struct {
	Messages int    // so many messages wait in it
	Bytes    int    // they have so many bytes together, without their types
	MaxBytes int    // a message for which there is no room below that has to wait
	Sender   int    // the process that was the last to send, 0 if there was none
	Receiver int    // the last to receive: a process, or a thread of it that had waited; 0 if there was none
	UID      int    // the owner
	Mode     uint32 // the permissions: 0600
}

// The first functions are given. The tests use them to hand your queues to other
// processes. Change them if your Queue and SysV look different.

// NewQueue makes a Queue of a file that is a descriptor of a POSIX queue, usually one
// that another process handed over. The Queue owns the file from then on. No function
// here changes the flags of such a file, as O_NONBLOCK, not even for a moment: they belong
// to all that share it. Somebody else may change them between two calls, also where Open
// has made the descriptor: what waits and what does not stays the same.
func NewQueue(f *os.File) *Queue { return &Queue{f: f} }

// SyscallConn gives access to the descriptor. It implements [syscall.Conn].
func (q *Queue) SyscallConn() (syscall.RawConn, error) { return q.f.SyscallConn() }

// Close closes the descriptor. The queue stays, with its name and its messages. Calls
// that wait on a Queue that Open or Renew returned end with os.ErrClosed, and so do later
// ones. The number of the descriptor may be somebody else's afterwards: no call uses it any
// more, also not a second Close.
func (q *Queue) Close() error { return q.f.Close() }

// NewSysV makes a SysV of the id of a queue, which another process may have told.
func NewSysV(id int) *SysV { return &SysV{id: id} }

// ID returns the id of the queue, as ipcs(1) shows it ("msqid").
func (s *SysV) ID() int { return s.id }

// QueueBytes is how many bytes of RLIMIT_MSGQUEUE a POSIX queue takes, from when it is
// made and whether there are messages in it or not (getrlimit(2)).
func QueueBytes(attr Attr) int {
	const structMsgMsg, structTreeNode = 48, 48
	return attr.MaxMessages*(attr.MaxSize+structMsgMsg) + min(attr.MaxMessages, MaxPriority+1)*structTreeNode
}

// The rest is yours. First the queues of POSIX.

// Open opens the POSIX queue of that name. The flag is unix.O_RDONLY, unix.O_WRONLY or
// unix.O_RDWR. With unix.O_CREAT the queue is made if it is not there, with the
// permissions perm (without those of the umask), and with the attributes attr; nil leaves
// them to the kernel. With unix.O_EXCL too it has to be new. The descriptor is
// close-on-exec, from its first moment.
//
// A name is a slash and 1 to MaxName bytes, none of which is a slash or zero. C's library
// checks that, and gives the kernel the name without its slash. Here there is no library
// in between.
//
// Errors, with the name in their text. Nothing stays open then, and no queue is made:
//   - unix.EINVAL for a name that does not begin with a slash or has a zero byte,
//     unix.ENOENT for the slash alone, unix.EACCES for more than one slash,
//     unix.ENAMETOOLONG;
//   - unix.ENOENT without unix.O_CREAT when there is no such queue, unix.EEXIST with
//     unix.O_EXCL when there is one, unix.EACCES when its permissions do not allow it;
//   - unix.EINVAL for attributes that are not above 0, or above the machine's limits
//     (/proc/sys/fs/mqueue);
//   - ErrAttr with unix.O_CREAT when the queue is there and MaxMessages or MaxSize are
//     not those of attr. The kernel does not look, and opens it. The text has both;
//   - ErrLimit, which is also unix.EMFILE, when RLIMIT_MSGQUEUE is the reason. The text
//     has that limit and what this queue needs (see QueueBytes), both as numbers of bytes,
//     and says how much must be used already. When no descriptor is free the kernel's error
//     is the same, unix.EMFILE, but it is not ErrLimit;
//   - all others of the kernel as they are.
func Open(name string, flag int, perm uint32, attr *Attr) (*Queue, error) {
	return nil, todo.Err("Open")
}

// Renew makes a new, empty queue of that name and opens it for sending and receiving. A
// queue that was there, perhaps of a run that has crashed, loses its name. Whoever has
// it open goes on with the old one, and no message of it comes out of the new one. The
// queue is new for certain, also if another process makes or removes one of that name
// meanwhile.
//
// The errors are those of Open, and unix.EPERM when the old one belongs to somebody else.
// After an error the old one may have lost its name already.
func Renew(name string, perm uint32, attr Attr) (*Queue, error) {
	return nil, todo.Err("Renew")
}

// Unlink takes the name away (mq_unlink(3)). The queue goes with its last descriptor:
// until then all who have it open go on, and a new queue may have the name. The errors
// are those of Open, unix.ENOENT when there is no such queue, and unix.EPERM when it
// belongs to somebody else.
func Unlink(name string) error {
	return todo.Err("Unlink")
}

// Attr returns what the queue is like now (mq_getattr(3)).
func (q *Queue) Attr() (Attr, error) {
	return Attr{}, todo.Err("Queue.Attr")
}

// Send sends a message with priority 0, and waits while the queue is full. It does not
// change p, and the caller may do so afterwards. An empty message is one, too.
//
// It returns unix.EMSGSIZE, with the limit in the text, and sends nothing, for a message
// of more bytes than the queue's MaxSize.
func (q *Queue) Send(p []byte) error {
	return todo.Err("Queue.Send")
}

// SendPriority is Send with a priority from 0 to MaxPriority: a message overtakes those
// of lower priority that wait in the queue, and none of its own. It waits until the
// deadline, and returns os.ErrDeadlineExceeded then.
//
// Any other priority is unix.EINVAL, and nothing is sent.
func (q *Queue) SendPriority(p []byte, priority int, deadline time.Time) error {
	return todo.Err("Queue.SendPriority")
}

// TrySend is SendPriority that does not wait: while the queue is full it returns ErrFull.
func (q *Queue) TrySend(p []byte, priority int) error {
	return todo.Err("Queue.TrySend")
}

// Recv receives the message of the highest priority, of several the oldest one. It waits
// while the queue is empty. The slice belongs to the caller, and is as long as the
// message; its memory follows the message too, and not the queue's MaxSize.
func (q *Queue) Recv() ([]byte, error) {
	return nil, todo.Err("Queue.Recv")
}

// RecvInto is Recv into memory that the caller brings. A message of up to cap(buf) bytes
// is put there, from the first byte on, and the slice that is returned is buf[:n], with
// all of buf's capacity, also for an empty message. A longer one gets new memory, as in
// Recv. So buf may be nil. The Queue does not keep buf.
//
// The kernel takes no memory that is smaller than the queue's MaxSize, however small the
// message is (unix.EMSGSIZE, mq_receive(3)). That is not the caller's concern. Where he
// brings as much, no new memory is taken.
func (q *Queue) RecvInto(buf []byte) ([]byte, error) {
	return nil, todo.Err("Queue.RecvInto")
}

// RecvPriority is RecvInto that also returns the message's priority. It waits until the
// deadline, and returns os.ErrDeadlineExceeded then.
func (q *Queue) RecvPriority(buf []byte, deadline time.Time) (p []byte, priority int, err error) {
	return nil, 0, todo.Err("Queue.RecvPriority")
}

// TryRecv is RecvPriority that does not wait: while the queue is empty it returns
// ErrEmpty.
func (q *Queue) TryRecv(buf []byte) (p []byte, priority int, err error) {
	return nil, 0, todo.Err("Queue.TryRecv")
}

// Ready waits until there is a message in the queue, and takes none. Somebody else may
// take it first, so after Ready comes TryRecv. Several processes may wait at once. It
// sleeps: meanwhile it uses no processor time. At the deadline it returns
// os.ErrDeadlineExceeded.
//
// mq_notify(3) would tell one process, once. On Linux the descriptor of a queue can be
// polled, too (poll(2), epoll(7), and so the poller of Go's runtime); POSIX does not say
// that.
func (q *Queue) Ready(deadline time.Time) error {
	return todo.Err("Queue.Ready")
}

// Now the queues of System V.

// Get opens the System V queue of that key. The flag is 0, or the permissions and
// unix.IPC_CREAT to make the queue if it is not there; with unix.IPC_EXCL too it has to be
// new. The key unix.IPC_PRIVATE makes a new queue each time, which has no key.
//
// A key is a number of 32 bits, with a sign or without: 0xdeadbeef and -0x21524111 are
// one key. Any other number is unix.EINVAL.
//
// Errors, with the key in their text: unix.ENOENT without unix.IPC_CREAT when there is no
// such queue, unix.EEXIST with unix.IPC_EXCL when there is one, unix.EACCES when its
// permissions do not allow what the flag asks for, and all others of the kernel.
func Get(key, flag int) (*SysV, error) {
	return nil, todo.Err("Get")
}

// Stat returns what the queue is like now (msgctl(2), IPC_STAT). The errors are unix.EIDRM
// when the queue has been removed and os.ErrClosed after Close, as in Send, and unix.EACCES.
func (s *SysV) Stat() (Stat, error) {
	return Stat{}, todo.Err("SysV.Stat")
}

// Send sends a message of type 1, and waits while the queue is full. It does not
// change p, and the caller may do so afterwards. An empty message is one, too.
//
// Errors of all functions that send:
//   - unix.EMSGSIZE, with the limit in the text, and nothing is sent, for a message of
//     more bytes than the machine allows (/proc/sys/kernel/msgmax). It is refused before
//     it is copied, however large it is. The kernel itself says EINVAL;
//   - unix.EIDRM when the queue has been removed, before the call or while it waits. The
//     kernel tells that only those who wait, and answers EINVAL to later calls;
//   - os.ErrClosed after Close of this SysV, and when that comes while it waits.
func (s *SysV) Send(p []byte) error {
	return todo.Err("SysV.Send")
}

// SendType is Send with a type, which has to be above 0: any other one is unix.EINVAL, and
// nothing is sent. It waits until the deadline, and returns os.ErrDeadlineExceeded then.
//
// The kernel's call has no deadline, and waits without a descriptor that could be polled.
// But a signal ends it (EINTR), and any thread can be sent one.
func (s *SysV) SendType(p []byte, typ int, deadline time.Time) error {
	return todo.Err("SysV.SendType")
}

// TrySend is SendType that does not wait: while the queue is full it returns ErrFull.
func (s *SysV) TrySend(p []byte, typ int) error {
	return todo.Err("SysV.TrySend")
}

// Recv receives the oldest message, whatever its type is, and waits while the queue is
// empty. The slice belongs to the caller, and its memory follows the message.
//
// The errors are unix.EIDRM and os.ErrClosed, as in Send.
func (s *SysV) Recv() ([]byte, error) {
	return nil, todo.Err("SysV.Recv")
}

// RecvInto is Recv into memory that the caller brings, as Queue.RecvInto.
func (s *SysV) RecvInto(buf []byte) ([]byte, error) {
	return nil, todo.Err("SysV.RecvInto")
}

// RecvType is RecvInto that chooses by type, and also returns the message's type. It
// passes over the others, which stay where they are:
//   - typ = 0: the oldest message;
//   - typ > 0: the oldest one of that type;
//   - typ < 0: of those whose type is not above -typ, the oldest one of the lowest type.
//
// It waits until the deadline, and returns os.ErrDeadlineExceeded then.
func (s *SysV) RecvType(buf []byte, typ int, deadline time.Time) (p []byte, got int, err error) {
	return nil, 0, todo.Err("SysV.RecvType")
}

// TryRecv is RecvType that does not wait: while there is no such message it returns
// ErrEmpty.
func (s *SysV) TryRecv(buf []byte, typ int) (p []byte, got int, err error) {
	return nil, 0, todo.Err("SysV.TryRecv")
}

// Remove removes the queue with its messages, at once and for everybody (msgctl(2),
// IPC_RMID). Who waits gets unix.EIDRM. The errors are those of Stat, and unix.EPERM for
// a queue of somebody else.
func (s *SysV) Remove() error {
	return todo.Err("SysV.Remove")
}

// Close ends the use of this SysV. The queue stays, with its messages. Calls that wait
// end with os.ErrClosed, and so do later ones, also a second Close.
func (s *SysV) Close() error {
	return todo.Err("SysV.Close")
}
