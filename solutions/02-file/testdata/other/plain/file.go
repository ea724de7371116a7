// Package file is chapter 2 in the plainest way: an os.File at each end, one
// write for each message, and two reads, one for the header and one for the
// message. Nothing is read ahead, so there is nothing to forget. The
// specification is in the stub, chapters/02-file/file.go.
package file

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	HeaderSize = 4
	MaxMessage = 1 << 20
	EndMark    = 1<<32 - 1
)

var (
	ErrTooLarge  = errors.New("message too large")
	ErrLocked    = errors.New("another writer has the file")
	ErrEnded     = errors.New("the file has ended")
	ErrTruncated = errors.New("the file was truncated")
	ErrReplaced  = errors.New("the file was replaced")
)

type Durability int

const (
	Never Durability = iota
	AtClose
	EachRecord
)

// Writer appends to a file.
type Writer struct {
	f       *os.File
	durable Durability
	lost    bool // the disk has failed once, and will not say so again
}

// Reader follows a file.
type Reader struct {
	f      *os.File
	path   string
	events *os.File // the inotify instance that watches f
	pos    int64    // where the next record begins
	seen   int64    // where the bytes end that were seen
	said   bool     // that what was seen behind pos is a torn record
	end    error    // what Recv returns for good
	pause  time.Duration
}

func (r *Reader) SyscallConn() (syscall.RawConn, error) { return r.f.SyscallConn() }
func (w *Writer) SyscallConn() (syscall.RawConn, error) { return w.f.SyscallConn() }

func OpenWriter(path string, d Durability) (*Writer, error) {
	if err := regular(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	w := &Writer{f: f, durable: d}
	if err := w.begin(path); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

// begin locks the file first. Everything else may be done by one writer only.
func (w *Writer) begin(path string) error {
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	err := fcntl(w.f, unix.F_OFD_SETLK, &lock)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return ErrLocked
	}
	if err != nil {
		return err
	}
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	whole := int64(0) // where the last whole record ends
	for whole+HeaderSize <= info.Size() {
		n, err := header(w.f, whole)
		if err != nil {
			return err
		}
		if n == EndMark {
			return ErrEnded
		}
		if whole+HeaderSize+n > info.Size() {
			break
		}
		whole += HeaderSize + n
	}
	if whole < info.Size() {
		return w.f.Truncate(whole)
	}
	if info.Size() > 0 || w.durable == Never {
		return nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync() // the new file's name
}

func (w *Writer) Send(p []byte) error {
	if len(p) > MaxMessage {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(p), MaxMessage)
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, HeaderSize+len(p)), uint32(len(p)))
	if err := w.append(append(frame, p...)); err != nil {
		return err
	}
	if w.durable == EachRecord {
		err := w.f.Sync()
		w.lost = w.lost || err != nil
		return err
	}
	return nil
}

// append appends a frame, or nothing.
func (w *Writer) append(frame []byte) error {
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	if _, err := w.f.Write(frame); err != nil {
		return errors.Join(err, w.f.Truncate(info.Size()))
	}
	return nil
}

func (w *Writer) Close() error {
	err := w.append(binary.BigEndian.AppendUint32(nil, EndMark))
	if w.durable != Never {
		err = errors.Join(err, w.f.Sync())
		if err == nil && w.lost {
			err = errors.New("the disk has failed in an earlier Send")
		}
	}
	return errors.Join(err, w.f.Close())
}

func OpenReader(path string) (*Reader, error) {
	if err := regular(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a FIFO does not make us wait
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, fmt.Errorf("%s is no regular file any more", path))
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		f.Close()
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	r := &Reader{f: f, path: path, events: os.NewFile(uintptr(fd), "inotify")}
	_, err = unix.InotifyAddWatch(fd, path, unix.IN_MODIFY|unix.IN_CLOSE_WRITE|unix.IN_ATTRIB|unix.IN_MOVE_SELF)
	if err != nil {
		r.Close()
		return nil, os.NewSyscallError("inotify_add_watch", err)
	}
	// If another file took the path in between, we watch that one and read the old
	// one. The first look tells, since it is compared with what is there now.
	return r, nil
}

func (r *Reader) Close() error { return errors.Join(r.events.Close(), r.f.Close()) }

func (r *Reader) Recv() ([]byte, error) { return r.RecvInto(nil) }

// RecvInto reads, asks if that gave no record, and reads once more: so an answer
// counts only if it is older than the last look into the file.
func (r *Reader) RecvInto(buf []byte) ([]byte, error) {
	var answer error
	for r.end == nil {
		before := r.seen
		p, err := r.read(buf)
		if err != errNotYet {
			return p, err
		}
		if r.seen != before {
			answer = nil // it was about something else
		}
		switch answer {
		case io.ErrUnexpectedEOF:
			r.said = true
			return nil, answer
		case ErrReplaced:
			r.end = answer
			return nil, answer
		}
		if answer, err = r.ask(); err != nil {
			return nil, err
		}
		if answer == nil {
			if err := r.wait(); err != nil {
				return nil, err
			}
		}
	}
	return nil, r.end
}

var errNotYet = errors.New("the next record is not whole yet")

// read reads the next record if it is whole.
func (r *Reader) read(buf []byte) ([]byte, error) {
	n, err := header(r.f, r.pos)
	if err == io.EOF {
		return nil, r.notYet()
	}
	if err != nil {
		return nil, err
	}
	if n == EndMark {
		r.end = io.EOF
		return nil, r.end
	}
	if buf == nil || int(n) > cap(buf) {
		buf = make([]byte, n)
	}
	p := buf[:n]
	if _, err := r.f.ReadAt(p, r.pos+HeaderSize); err == io.EOF {
		return nil, r.notYet()
	} else if err != nil {
		return nil, err
	}
	r.pos += HeaderSize + n
	r.seen, r.said = r.pos, false
	return p, nil
}

// notYet compares the file's size with what was seen of it.
func (r *Reader) notYet() error {
	info, err := r.f.Stat()
	if err != nil {
		return err
	}
	size, seen := info.Size(), r.seen
	switch {
	case size < r.pos:
		r.end = ErrTruncated
		return r.end
	case size == seen:
		return errNotYet
	}
	r.seen, r.said, r.pause = size, false, 0
	if size < seen {
		return ErrTruncated
	}
	return errNotYet
}

// ask asks whether more can come: of a torn record from its writer, and otherwise
// into the file that is at the path.
func (r *Reader) ask() (answer, err error) {
	if r.seen > r.pos && !r.said {
		lock := unix.Flock_t{Type: unix.F_WRLCK}
		if err := fcntl(r.f, unix.F_OFD_GETLK, &lock); err != nil {
			return nil, err
		}
		if lock.Type == unix.F_UNLCK {
			return io.ErrUnexpectedEOF, nil
		}
		return nil, nil
	}
	ours, err := r.f.Stat()
	if err != nil {
		return nil, err
	}
	if ours.Sys().(*syscall.Stat_t).Nlink == 0 {
		return ErrReplaced, nil // its name may be there for a moment yet
	}
	there, err := os.Stat(r.path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || err == nil && !os.SameFile(ours, there) {
		return ErrReplaced, nil
	}
	return nil, err
}

// wait waits for an event. A lock goes away without one, a moment after
// IN_CLOSE_WRITE: so a torn record is looked at again after a while.
func (r *Reader) wait() error {
	var until time.Time
	if r.seen > r.pos && !r.said {
		r.pause = min(max(2*r.pause, time.Millisecond), 100*time.Millisecond)
		until = time.Now().Add(r.pause)
	}
	if err := r.events.SetReadDeadline(until); err != nil {
		return err
	}
	var buf [16 * unix.SizeofInotifyEvent]byte
	_, err := r.events.Read(buf[:])
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	r.pause = 0
	return err
}

// header reads the length at an offset. It returns EndMark too, which is no length.
func header(f *os.File, at int64) (int64, error) {
	var h [HeaderSize]byte
	if _, err := f.ReadAt(h[:], at); err != nil {
		return 0, err
	}
	n := binary.BigEndian.Uint32(h[:])
	if n > MaxMessage && n != EndMark {
		return 0, fmt.Errorf("%w: the header claims %d bytes, the limit is %d", ErrTooLarge, n, MaxMessage)
	}
	return int64(n), nil
}

func regular(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", path)
	}
	return err
}

func fcntl(f *os.File, cmd int, lock *unix.Flock_t) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = conn.Control(func(fd uintptr) { lockErr = unix.FcntlFlock(fd, cmd, lock) })
	return errors.Join(err, os.NewSyscallError("fcntl", lockErr))
}
