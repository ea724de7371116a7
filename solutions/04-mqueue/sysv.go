package mqueue

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SysV is a System V queue. It has an id and no descriptor.
type SysV struct {
	id      int
	in, out transfer

	mu     sync.Mutex
	closed bool
}

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
	if key < math.MinInt32 || key > math.MaxUint32 {
		return nil, fmt.Errorf("msgget: key %#x has more than 32 bits: %w", key, unix.EINVAL)
	}
	id, _, errno := unix.Syscall(unix.SYS_MSGGET, uintptr(key), uintptr(flag), 0)
	if errno != 0 {
		return nil, fmt.Errorf("msgget: key %#x: %w", key, errno)
	}
	return NewSysV(int(id)), nil
}

func NewSysV(id int) *SysV { return &SysV{id: id} }

func (s *SysV) ID() int { return s.id }

// msqidDS is struct msqid64_ds, the same on amd64 and arm64.
type msqidDS struct {
	perm                struct{ key, uid, gid, cuid, cgid, mode, seq, _ uint32 }
	_, _                uint64
	stime, rtime, ctime int64
	cbytes, qnum        uint64
	qbytes              uint64
	lspid, lrpid        int32
	_, _                uint64
}

func (s *SysV) Stat() (Stat, error) {
	var d msqidDS
	if err := s.control(unix.IPC_STAT, unsafe.Pointer(&d)); err != nil {
		return Stat{}, err
	}
	return Stat{
		Messages: int(d.qnum), Bytes: int(d.cbytes), MaxBytes: int(d.qbytes),
		Sender: int(d.lspid), Receiver: int(d.lrpid), UID: int(d.perm.uid), Mode: d.perm.mode & 0o777,
	}, nil
}

func (s *SysV) Remove() error { return s.control(unix.IPC_RMID, nil) }

func (s *SysV) control(command uintptr, p unsafe.Pointer) error {
	if s.isClosed() {
		return os.ErrClosed
	}
	_, _, errno := unix.Syscall(unix.SYS_MSGCTL, uintptr(s.id), command, uintptr(p))
	return named("msgctl", gone(errno))
}

// gone names the error of a queue that was removed: the kernel says EIDRM to who waits,
// and EINVAL to who comes later.
func gone(errno syscall.Errno) error {
	switch errno {
	case 0:
		return nil
	case unix.EINVAL:
		return unix.EIDRM
	}
	return errno
}

// Close wakes whoever waits: see transfer.
func (s *SysV) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return os.ErrClosed
	}
	s.closed = true
	s.mu.Unlock()
	s.in.wake(s.in.current())
	s.out.wake(s.out.current())
	return nil
}

func (s *SysV) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *SysV) Send(p []byte) error { return s.send(p, 1, time.Time{}, false) }

func (s *SysV) SendType(p []byte, typ int, deadline time.Time) error {
	return s.send(p, typ, deadline, false)
}

func (s *SysV) TrySend(p []byte, typ int) error { return s.send(p, typ, time.Time{}, true) }

// headSize is the size of a long of C, in front of each message.
const headSize = 8

// send puts the type in front of the message, since the kernel takes both in one piece.
func (s *SysV) send(p []byte, typ int, deadline time.Time, try bool) error {
	if typ < 1 {
		return fmt.Errorf("msgsnd: type %d is not above 0: %w", typ, unix.EINVAL)
	}
	if len(p) > usualSize && len(p) > largest() {
		return tooLarge(p)
	}
	t := &s.out
	t.memory = binary.NativeEndian.AppendUint64(t.memory[:0], uint64(typ))
	t.memory = append(t.memory, p...)
	t.args = [3]uintptr{uintptr(len(p))}
	_, err := s.run(t, unix.SYS_MSGSND, deadline, try)
	switch err {
	case unix.EAGAIN:
		return ErrFull
	case unix.EINVAL: // the queue is gone, or the limit is lower than the usual one
		if _, err := s.Stat(); err != nil {
			return err
		}
		return tooLarge(p)
	}
	return named("msgsnd", err)
}

func tooLarge(p []byte) error {
	return fmt.Errorf("msgsnd: %d bytes, and a message has %d at most (kernel.msgmax): %w", len(p), largest(), unix.EMSGSIZE)
}

// usualSize is the kernel's limit of a message, where nobody has changed it.
const usualSize = 8192

// largest is the size of the largest message.
func largest() int {
	n := usualSize
	if text, err := os.ReadFile("/proc/sys/kernel/msgmax"); err == nil {
		fmt.Sscan(string(text), &n)
	}
	return n
}

func (s *SysV) Recv() ([]byte, error) { return s.RecvInto(nil) }

func (s *SysV) RecvInto(buf []byte) ([]byte, error) {
	p, _, err := s.receive(buf, 0, time.Time{}, false)
	return p, err
}

func (s *SysV) RecvType(buf []byte, typ int, deadline time.Time) ([]byte, int, error) {
	return s.receive(buf, typ, deadline, false)
}

func (s *SysV) TryRecv(buf []byte, typ int) ([]byte, int, error) {
	return s.receive(buf, typ, time.Time{}, true)
}

// receive makes its memory larger when a message does not fit: the kernel says E2BIG and
// leaves the message where it is.
func (s *SysV) receive(buf []byte, typ int, deadline time.Time, try bool) ([]byte, int, error) {
	t := &s.in
	if t.memory == nil {
		t.memory = make([]byte, headSize+usualSize)
	}
	for {
		t.args = [3]uintptr{uintptr(len(t.memory) - headSize), uintptr(typ)}
		n, err := s.run(t, unix.SYS_MSGRCV, deadline, try)
		switch {
		case err == nil:
			got := int(int64(binary.NativeEndian.Uint64(t.memory)))
			return fitted(t.memory[headSize:headSize+n], buf), got, nil
		case err == unix.E2BIG:
			t.memory = make([]byte, headSize+2*(len(t.memory)-headSize))
			continue
		case err == unix.ENOMSG:
			return nil, 0, ErrEmpty
		case err == unix.EINVAL:
			err = unix.EIDRM
		}
		return nil, 0, named("msgrcv", err)
	}
}

// run makes a call: first a raw one that cannot wait, then one that may. Its error is
// the kernel's number, os.ErrClosed or os.ErrDeadlineExceeded.
func (s *SysV) run(t *transfer, number uintptr, deadline time.Time, try bool) (int, error) {
	if s.isClosed() {
		return 0, os.ErrClosed
	}
	n, errno := t.raw(number, s.id, try)
	if wouldWait(errno) && !try {
		return t.wait(s, number, deadline)
	}
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}
