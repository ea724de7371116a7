package signals

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

type Info struct {
	Signal syscall.Signal
	Value  int
	PID    int
	UID    int
	Queued bool
}

type Inbox struct {
	f      *os.File
	raw    syscall.RawConn
	closed atomic.Bool
	timed  bool // the file has a deadline
	turn   turn

	info  unix.SignalfdSiginfo
	errno syscall.Errno
	look  func(fd uintptr) (done bool)
}

func OpenInbox(sigs ...syscall.Signal) (*Inbox, error) {
	if err := catchable(sigs); err != nil {
		return nil, err
	}
	var set unix.Sigset_t
	for _, sig := range sigs {
		set.Val[(sig-1)/64] |= 1 << ((sig - 1) % 64)
	}
	if err := blocked(sigs); err != nil {
		return nil, err
	}
	fd, err := unix.Signalfd(-1, &set, unix.SFD_CLOEXEC|unix.SFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("signalfd: %w", err)
	}
	b := &Inbox{f: os.NewFile(uintptr(fd), "signalfd")}
	if b.raw, err = b.f.SyscallConn(); err != nil {
		b.f.Close()
		return nil, err
	}
	b.look = b.read
	return b, nil
}

// blocked looks at every thread. A new one has the mask of the one that has started it.
func blocked(sigs []syscall.Signal) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		status, err := os.ReadFile("/proc/self/task/" + thread.Name() + "/status")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			return err
		}
		_, rest, _ := bytes.Cut(status, []byte("\nSigBlk:\t"))
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		mask, err := strconv.ParseUint(string(line), 16, 64)
		if err != nil {
			return fmt.Errorf("the mask of thread %s: %w", thread.Name(), err)
		}
		for _, sig := range sigs {
			if mask&(1<<(sig-1)) == 0 {
				return fmt.Errorf("%s in thread %s: %w", Name(sig), thread.Name(), ErrNotBlocked)
			}
		}
	}
	return nil
}

func (b *Inbox) Recv() (Info, error) { return b.RecvUntil(time.Time{}) }

func (b *Inbox) RecvUntil(deadline time.Time) (Info, error) {
	// What is there is returned, also when the deadline has passed: so the first look is
	// before the poller is asked.
	there := false
	if err := b.raw.Control(func(fd uintptr) { there = b.read(fd) }); err != nil {
		return Info{}, b.ended(err)
	}
	if !there {
		if b.timed || !deadline.IsZero() {
			if err := b.f.SetReadDeadline(deadline); err != nil {
				return Info{}, b.ended(err)
			}
			b.timed = !deadline.IsZero()
		}
		if err := b.raw.Read(b.look); err != nil {
			return Info{}, b.ended(err)
		}
	}
	if b.errno != 0 {
		return Info{}, fmt.Errorf("read of the signalfd: %w", b.errno)
	}
	return Info{
		Signal: syscall.Signal(b.info.Signo), Value: int(b.info.Int), PID: int(b.info.Pid),
		UID: int(b.info.Uid), Queued: b.info.Code == siQueue,
	}, nil
}

// read takes one signal, without waiting. It reports whether there was one, or an error.
func (b *Inbox) read(fd uintptr) bool {
	for yielded := false; ; yielded = true {
		_, _, b.errno = syscall.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&b.info)), unsafe.Sizeof(b.info))
		if b.errno == unix.EINTR {
			continue
		}
		if b.errno != unix.EAGAIN || yielded || !b.turn.give() {
			return b.errno != unix.EAGAIN
		}
	}
}

func (b *Inbox) SyscallConn() (syscall.RawConn, error) {
	if b.closed.Load() {
		return nil, os.ErrClosed
	}
	return b.f.SyscallConn()
}

func (b *Inbox) Close() error {
	if b.closed.Swap(true) {
		return os.ErrClosed
	}
	return b.f.Close()
}

// ended makes os.ErrClosed of an error after Close: a RawConn has another one for that.
func (b *Inbox) ended(err error) error {
	if err != nil && b.closed.Load() {
		return os.ErrClosed
	}
	return err
}
