package signals

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
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

type Inbox struct{ w *waiter }

func OpenInbox(sigs ...syscall.Signal) (*Inbox, error) {
	if err := catchable(sigs); err != nil {
		return nil, err
	}
	if err := blocked(sigs); err != nil {
		return nil, err
	}
	var set unix.Sigset_t
	for _, sig := range sigs {
		set.Val[0] |= 1 << (sig - 1)
	}
	fd, err := unix.Signalfd(-1, &set, unix.SFD_CLOEXEC|unix.SFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("signalfd: %w", err)
	}
	w, err := newWaiter(fd)
	if err != nil {
		return nil, err
	}
	return &Inbox{w}, nil
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
	if err := b.w.use(); err != nil {
		return Info{}, err
	}
	defer b.w.users.Done()
	if err := b.w.wait(deadline); err != nil {
		return Info{}, err
	}
	var info unix.SignalfdSiginfo
	p := make([]byte, unsafe.Sizeof(info))
	for {
		_, err := unix.Read(b.w.fd, p)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return Info{}, fmt.Errorf("read of the signalfd: %w", err)
		}
	}
	info = *(*unix.SignalfdSiginfo)(unsafe.Pointer(&p[0]))
	return Info{
		Signal: syscall.Signal(info.Signo), Value: int(info.Int), PID: int(info.Pid),
		UID: int(info.Uid), Queued: info.Code == siQueue,
	}, nil
}

func (b *Inbox) SyscallConn() (syscall.RawConn, error) { return b.w.conn() }

func (b *Inbox) Close() error { return b.w.close() }
