// Package file is chapter 2 in system calls: pread(2) and writev(2) on the
// descriptor, poll(2) on the inotify descriptor, and a thread that waits there.
// With EachRecord the file is opened with O_DSYNC, so that each write waits for
// the disk by itself.
//
// The file's watch tells that it was written to, and the folder's watch that
// something else has taken its place. The specification is in the stub,
// chapters/02-file/file.go.
package file

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

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
	fd      int // of f
	durable Durability
	end     int64
}

// Reader follows a file.
type Reader struct {
	f       *os.File
	fd      int // of f
	path    string
	inotify int

	pos   int64 // of the next record
	upTo  int64 // the file's bytes were seen up to here
	state state
	fatal error // every Recv returns it
}

// state is what is known of the bytes behind pos.
type state int

const (
	open     state = iota // more may come
	checking              // nobody has the lock, but that is to be checked once more
	torn                  // the caller knows that nothing will come
)

func (r *Reader) SyscallConn() (syscall.RawConn, error) { return r.f.SyscallConn() }
func (w *Writer) SyscallConn() (syscall.RawConn, error) { return w.f.SyscallConn() }

// openFile opens a regular file and nothing else.
func openFile(path string, flag int) (*os.File, int, error) {
	var st unix.Stat_t
	err := again(func() error { return unix.Stat(path, &st) })
	if err != nil && (err != unix.ENOENT || flag&unix.O_CREAT == 0) {
		return nil, -1, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, -1, &os.PathError{Op: "open", Path: path, Err: errors.New("no regular file")}
	}
	fd := -1
	err = again(func() (err error) {
		fd, err = unix.Open(path, flag|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0o600)
		return err
	})
	if err != nil {
		return nil, -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return nil, -1, &os.PathError{Op: "open", Path: path, Err: errors.New("no regular file any more")}
	}
	return os.NewFile(uintptr(fd), path), fd, nil
}

func OpenWriter(path string, d Durability) (*Writer, error) {
	flag := unix.O_RDWR | unix.O_APPEND | unix.O_CREAT
	if d == EachRecord {
		flag |= unix.O_DSYNC
	}
	f, fd, err := openFile(path, flag)
	if err != nil {
		return nil, err
	}
	w := &Writer{f: f, fd: fd, durable: d}
	if err := w.takeOver(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if d != Never {
		if err := syncFolder(filepath.Dir(path)); err != nil {
			f.Close()
			return nil, err
		}
	}
	return w, nil
}

func (w *Writer) takeOver() error {
	switch err := unix.FcntlFlock(uintptr(w.fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err {
	case nil:
	case unix.EAGAIN, unix.EACCES:
		return ErrLocked
	default:
		return os.NewSyscallError("fcntl", err)
	}
	size, err := sizeOf(w.fd)
	if err != nil {
		return err
	}
	for w.end < size {
		var header [HeaderSize]byte
		n, err := pread(w.fd, header[:], w.end)
		if err != nil {
			return err
		}
		if n < HeaderSize {
			break
		}
		length := binary.BigEndian.Uint32(header[:])
		if length == EndMark {
			return ErrEnded
		}
		if length > MaxMessage {
			return tooLarge(length)
		}
		if w.end+HeaderSize+int64(length) > size {
			break
		}
		w.end += HeaderSize + int64(length)
	}
	if w.end == size {
		return nil
	}
	return w.cut()
}

func (w *Writer) cut() error {
	return os.NewSyscallError("ftruncate", again(func() error { return unix.Ftruncate(w.fd, w.end) }))
}

func syncFolder(dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	return os.NewSyscallError("fsync", again(func() error { return unix.Fsync(fd) }))
}

func (w *Writer) Send(p []byte) error {
	if len(p) > MaxMessage {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(p), MaxMessage)
	}
	var header [HeaderSize]byte
	binary.BigEndian.PutUint32(header[:], uint32(len(p)))
	return w.append(header[:], p)
}

// append appends a header and a message, which need not be copied together.
func (w *Writer) append(header, p []byte) error {
	size, err := sizeOf(w.fd) // somebody else may have appended, or emptied the file
	if err != nil {
		return err
	}
	w.end = size
	for left := [][]byte{header, p}; len(left[0])+len(left[1]) > 0; {
		var n int
		err := again(func() (err error) {
			n, err = unix.Writev(w.fd, left)
			return err
		})
		if err != nil {
			return errors.Join(os.NewSyscallError("writev", err), w.cut())
		}
		k := min(n, len(left[0]))
		left = [][]byte{left[0][k:], left[1][n-k:]}
	}
	return nil
}

func (w *Writer) Close() error {
	err := w.append([]byte{0xff, 0xff, 0xff, 0xff}, nil)
	if w.durable != Never {
		err = errors.Join(err, os.NewSyscallError("fdatasync", again(func() error { return unix.Fdatasync(w.fd) })))
	}
	return errors.Join(err, w.f.Close())
}

func OpenReader(path string) (*Reader, error) {
	f, fd, err := openFile(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	inotify, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		f.Close()
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	r := &Reader{f: f, fd: fd, path: path, inotify: inotify}
	for of, events := range map[string]uint32{
		fmt.Sprintf("/proc/self/fd/%d", fd): unix.IN_MODIFY | unix.IN_CLOSE_WRITE,
		filepath.Dir(path):                  unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_ONLYDIR,
	} {
		if _, err := unix.InotifyAddWatch(inotify, of, events); err != nil {
			r.Close()
			return nil, &os.PathError{Op: "inotify_add_watch", Path: of, Err: err}
		}
	}
	return r, nil
}

func (r *Reader) Close() error { return errors.Join(unix.Close(r.inotify), r.f.Close()) }

func (r *Reader) Recv() ([]byte, error) { return r.RecvInto(nil) }

func (r *Reader) RecvInto(buf []byte) ([]byte, error) {
	pause := 1 // ms
	for r.fatal == nil {
		// Asked before the look into the file, so that nothing whole is missed.
		replaced, err := r.replaced()
		if err != nil {
			return nil, err
		}
		p, err := r.next(buf)
		if err != errMissing {
			return p, err
		}
		partly := r.upTo > r.pos
		if partly && r.state != torn {
			alive, err := r.writerLives()
			switch {
			case err != nil:
				return nil, err
			case alive:
				r.state = open
				// The lock falls a moment after the last event.
				if woken, err := r.wait(pause); err != nil {
					return nil, err
				} else if woken {
					pause = 1
				} else {
					pause = min(2*pause, 100)
				}
			case r.state == open:
				r.state = checking
			default:
				r.state = torn
				return nil, io.ErrUnexpectedEOF
			}
			continue
		}
		if replaced {
			r.fatal = ErrReplaced
			break
		}
		if _, err := r.wait(-1); err != nil {
			return nil, err
		}
	}
	return nil, r.fatal
}

var errMissing = errors.New("bytes are missing")

// next reads the next record.
func (r *Reader) next(buf []byte) ([]byte, error) {
	var header [HeaderSize]byte
	have, err := pread(r.fd, header[:], r.pos)
	if err != nil {
		return nil, err
	}
	if have < HeaderSize {
		return nil, r.missing(have)
	}
	length := binary.BigEndian.Uint32(header[:])
	if length == EndMark {
		r.fatal = io.EOF
		return nil, r.fatal
	}
	if length > MaxMessage {
		return nil, tooLarge(length)
	}
	n := int(length)
	if buf == nil || n > cap(buf) {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if have, err = pread(r.fd, buf, r.pos+HeaderSize); err != nil {
		return nil, err
	}
	if have < n {
		return nil, r.missing(HeaderSize + have)
	}
	r.pos += HeaderSize + int64(n)
	r.upTo, r.state = r.pos, open
	return buf, nil
}

// missing is told how many of the record's bytes are there.
func (r *Reader) missing(have int) error {
	size, err := sizeOf(r.fd)
	if err != nil {
		return err
	}
	if size < r.pos {
		r.fatal = ErrTruncated
		return r.fatal
	}
	was := r.upTo
	r.upTo = min(r.pos+int64(have), size) // it may have been cut since it was read
	if r.upTo != was {
		r.state = open
	}
	if r.upTo < was {
		return ErrTruncated
	}
	return errMissing
}

func (r *Reader) writerLives() (bool, error) {
	lock := unix.Flock_t{Type: unix.F_RDLCK} // a write lock stands in its way
	if err := unix.FcntlFlock(uintptr(r.fd), unix.F_OFD_GETLK, &lock); err != nil {
		return false, os.NewSyscallError("fcntl", err)
	}
	return lock.Type != unix.F_UNLCK, nil
}

func (r *Reader) replaced() (bool, error) {
	var ours, theirs unix.Stat_t
	if err := unix.Fstat(r.fd, &ours); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	err := again(func() error { return unix.Stat(r.path, &theirs) })
	switch err {
	case nil:
		return ours.Dev != theirs.Dev || ours.Ino != theirs.Ino, nil
	case unix.ENOENT, unix.ENOTDIR:
		return true, nil
	}
	return false, &os.PathError{Op: "stat", Path: r.path, Err: err}
}

// wait waits for events and takes all that are there. It reports false when there
// were none for so many milliseconds.
func (r *Reader) wait(ms int) (bool, error) {
	n := 0
	err := again(func() (err error) {
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(r.inotify), Events: unix.POLLIN}}, ms)
		return err
	})
	if err != nil || n == 0 {
		return false, os.NewSyscallError("poll", err)
	}
	var events [4096]byte
	return true, os.NewSyscallError("read", again(func() error {
		_, err := unix.Read(r.inotify, events[:])
		return err
	}))
}

// pread reads len(p) bytes, or all that are there.
func pread(fd int, p []byte, at int64) (int, error) {
	have := 0
	for have < len(p) {
		var n int
		err := again(func() (err error) {
			n, err = unix.Pread(fd, p[have:], at+int64(have))
			return err
		})
		if err != nil {
			return have, os.NewSyscallError("pread64", err)
		}
		if n == 0 {
			break
		}
		have += n
	}
	return have, nil
}

func sizeOf(fd int) (int64, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return st.Size, os.NewSyscallError("fstat", err)
}

// again calls f until no signal disturbs it.
func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

func tooLarge(n uint32) error {
	return fmt.Errorf("%w: the header claims %d bytes, the limit is %d", ErrTooLarge, n, MaxMessage)
}
