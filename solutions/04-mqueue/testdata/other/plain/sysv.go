package mqueue

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

type SysV struct {
	id int

	mu      sync.Mutex
	closed  bool
	threads map[*waiter]bool // those that wait in the kernel
}

// waiter is a thread in a call.
type waiter struct{ tid int }

type Stat struct {
	Messages int
	Bytes    int
	MaxBytes int
	Sender   int
	Receiver int
	UID      int
	Mode     uint32
}

func Get(key, flag int) (*SysV, error) {
	if int(int32(key)) != key && int(uint32(key)) != key {
		return nil, fmt.Errorf("msgget of key %#x, which is no number of 32 bits: %w", key, unix.EINVAL)
	}
	id, _, errno := unix.Syscall(unix.SYS_MSGGET, uintptr(key), uintptr(flag), 0)
	if errno != 0 {
		return nil, fmt.Errorf("msgget of key %#x: %w", key, errno)
	}
	return NewSysV(int(id)), nil
}

func NewSysV(id int) *SysV { return &SysV{id: id, threads: map[*waiter]bool{}} }

func (s *SysV) ID() int { return s.id }

func (s *SysV) Stat() (Stat, error) {
	var d struct {
		key, uid, gid, cuid, cgid, mode, seq, _ uint32
		_, _                                    uint64
		_, _, _                                 int64 // times
		bytes, messages, maxBytes               uint64
		sender, receiver                        int32
		_, _                                    uint64
	}
	err := s.msgctl(unix.IPC_STAT, unsafe.Pointer(&d))
	return Stat{int(d.messages), int(d.bytes), int(d.maxBytes), int(d.sender), int(d.receiver), int(d.uid), d.mode & 0o777}, err
}

func (s *SysV) Remove() error { return s.msgctl(unix.IPC_RMID, nil) }

func (s *SysV) msgctl(what uintptr, p unsafe.Pointer) error {
	if s.isClosed() {
		return os.ErrClosed
	}
	_, _, errno := unix.Syscall(unix.SYS_MSGCTL, uintptr(s.id), what, uintptr(p))
	if errno == unix.EINVAL {
		errno = unix.EIDRM
	}
	if errno != 0 {
		return os.NewSyscallError("msgctl", errno)
	}
	return nil
}

func (s *SysV) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return os.ErrClosed
	}
	s.closed = true
	for w := range s.threads {
		go s.interrupt(w)
	}
	return nil
}

func (s *SysV) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// interrupt sends signals until the thread has left its call.
func (s *SysV) interrupt(w *waiter) {
	for {
		s.mu.Lock()
		waits := s.threads[w]
		if waits {
			unix.Tgkill(os.Getpid(), w.tid, unix.SIGURG)
		}
		s.mu.Unlock()
		if !waits {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// call makes a call until it is not interrupted any more.
func (s *SysV) call(w wait, f func(flag uintptr) syscall.Errno) error {
	if s.isClosed() {
		return os.ErrClosed
	}
	errno := f(unix.IPC_NOWAIT)
	if w.never || errno != unix.EAGAIN && errno != unix.ENOMSG {
		return asError(errno)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	me := &waiter{unix.Gettid()}
	s.mu.Lock()
	s.threads[me] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.threads, me)
		s.mu.Unlock()
	}()
	if !w.until.IsZero() {
		timer := time.AfterFunc(time.Until(w.until), func() { s.interrupt(me) })
		defer timer.Stop()
	}
	for {
		if s.isClosed() {
			return os.ErrClosed
		}
		if !w.until.IsZero() && !time.Now().Before(w.until) {
			return os.ErrDeadlineExceeded
		}
		if errno = f(0); errno != unix.EINTR {
			return asError(errno)
		}
	}
}

func asError(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

func (s *SysV) Send(p []byte) error { return s.send(p, 1, wait{}) }

func (s *SysV) SendType(p []byte, typ int, deadline time.Time) error {
	return s.send(p, typ, wait{until: deadline})
}

func (s *SysV) TrySend(p []byte, typ int) error { return s.send(p, typ, wait{never: true}) }

func (s *SysV) send(p []byte, typ int, w wait) error {
	if typ < 1 {
		return fmt.Errorf("type %d: %w", typ, unix.EINVAL)
	}
	if most := messageLimit(); len(p) > most {
		return fmt.Errorf("%d bytes where %d are allowed: %w", len(p), most, unix.EMSGSIZE)
	}
	m := append(binary.NativeEndian.AppendUint64(nil, uint64(typ)), p...)
	err := s.call(w, func(flag uintptr) syscall.Errno {
		_, _, errno := unix.Syscall6(unix.SYS_MSGSND, uintptr(s.id), uintptr(unsafe.Pointer(&m[0])), uintptr(len(p)), flag, 0, 0)
		return errno
	})
	switch err {
	case unix.EAGAIN:
		return ErrFull
	case unix.EINVAL:
		return unix.EIDRM
	}
	return err
}

var messageLimit = sync.OnceValue(func() (n int) {
	text, _ := os.ReadFile("/proc/sys/kernel/msgmax")
	fmt.Sscan(string(text), &n)
	return n
})

func (s *SysV) Recv() ([]byte, error) {
	p, _, err := s.receive(nil, 0, wait{})
	return p, err
}

func (s *SysV) RecvInto(buf []byte) ([]byte, error) {
	p, _, err := s.receive(buf, 0, wait{})
	return p, err
}

func (s *SysV) RecvType(buf []byte, typ int, deadline time.Time) ([]byte, int, error) {
	return s.receive(buf, typ, wait{until: deadline})
}

func (s *SysV) TryRecv(buf []byte, typ int) ([]byte, int, error) {
	return s.receive(buf, typ, wait{never: true})
}

func (s *SysV) receive(buf []byte, typ int, w wait) ([]byte, int, error) {
	for size := 8192; ; size *= 2 {
		m := make([]byte, 8+size)
		var n uintptr
		err := s.call(w, func(flag uintptr) (errno syscall.Errno) {
			n, _, errno = unix.Syscall6(unix.SYS_MSGRCV, uintptr(s.id), uintptr(unsafe.Pointer(&m[0])), uintptr(size), uintptr(typ), flag, 0)
			return errno
		})
		switch err {
		case nil:
			return into(buf, m[8:8+n]), int(binary.NativeEndian.Uint64(m)), nil
		case unix.E2BIG:
			continue
		case unix.ENOMSG:
			err = ErrEmpty
		case unix.EINVAL:
			err = unix.EIDRM
		}
		return nil, 0, err
	}
}
