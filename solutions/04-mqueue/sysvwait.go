package mqueue

import (
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// transfer is one direction of a System V queue: the memory of the message under way,
// and the thread that waits.
//
// A System V queue has no descriptor. So no poller can wait for it, and nothing that is
// closed wakes who waits: msgrcv(2) and msgsnd(2) know no deadline either. What wakes a
// thread there is a signal, since the kernel never restarts these calls (signal(7)). SIGURG
// is the one that Go's runtime sends to its own threads, and does no harm.
type transfer struct {
	memory []byte // the type and then the text, as the kernel wants it
	args   [3]uintptr
	turn   turn

	mu     sync.Mutex
	thread int // that waits in the kernel, or 0
	waits  int // how many calls have waited: this is the number of the one that does
}

// raw makes the call so that it does not wait. See call about raw calls.
func (t *transfer) raw(number uintptr, id int, try bool) (int, syscall.Errno) {
	n, errno := t.now(number, id)
	if wouldWait(errno) && !try && t.turn.give() {
		n, errno = t.now(number, id)
	}
	return n, errno
}

func wouldWait(errno syscall.Errno) bool { return errno == unix.EAGAIN || errno == unix.ENOMSG }

func (t *transfer) now(number uintptr, id int) (int, syscall.Errno) {
	for {
		var n uintptr
		var errno syscall.Errno
		if number == unix.SYS_MSGSND {
			n, _, errno = unix.RawSyscall6(unix.SYS_MSGSND, uintptr(id), uintptr(unsafe.Pointer(&t.memory[0])), t.args[0], unix.IPC_NOWAIT, 0, 0)
		} else {
			n, _, errno = unix.RawSyscall6(unix.SYS_MSGRCV, uintptr(id), uintptr(unsafe.Pointer(&t.memory[0])), t.args[0], t.args[1], unix.IPC_NOWAIT, 0)
		}
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// wait makes the call so that it waits in the kernel, again after each signal, until it
// has an answer, the queue is closed here, or the deadline has passed.
func (t *transfer) wait(s *SysV, number uintptr, deadline time.Time) (int, error) {
	// A signal is for a thread: this goroutine keeps its own.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	call := t.begin(unix.Gettid())
	defer t.end()
	if !deadline.IsZero() {
		timer := time.AfterFunc(time.Until(deadline), func() { t.wake(call) })
		defer timer.Stop()
	}
	for {
		switch {
		case s.isClosed():
			return 0, os.ErrClosed
		case !deadline.IsZero() && !time.Now().Before(deadline):
			return 0, os.ErrDeadlineExceeded
		}
		var n uintptr
		var errno syscall.Errno
		if number == unix.SYS_MSGSND {
			n, _, errno = unix.Syscall6(unix.SYS_MSGSND, uintptr(s.id), uintptr(unsafe.Pointer(&t.memory[0])), t.args[0], 0, 0, 0)
		} else {
			n, _, errno = unix.Syscall6(unix.SYS_MSGRCV, uintptr(s.id), uintptr(unsafe.Pointer(&t.memory[0])), t.args[0], t.args[1], 0, 0)
		}
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

func (t *transfer) begin(thread int) (call int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.thread = thread
	t.waits++
	return t.waits
}

func (t *transfer) end() {
	t.mu.Lock()
	t.thread = 0
	t.mu.Unlock()
}

// current is the number of the call that waits, or of the last one that did.
func (t *transfer) current() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waits
}

// wake interrupts a call until it is left: a signal that comes before the thread is in
// the kernel is no help.
func (t *transfer) wake(call int) {
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		t.mu.Lock()
		waits := t.thread != 0 && t.waits == call
		if waits {
			_ = unix.Tgkill(os.Getpid(), t.thread, unix.SIGURG)
		}
		t.mu.Unlock()
		if !waits {
			return
		}
		time.Sleep(pause)
	}
}
