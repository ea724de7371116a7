// Package file is chapter 2 with a goroutine for the events. It wakes up whoever
// waits in Recv through a channel, in which one word has room: whoever finds it
// there looks into the file, and that is all that any number of events can mean.
//
// The Writer has no O_APPEND: it is alone, so it asks where the end is, and writes
// there (pwrite(2)), first the header and then the message. Before each record the Reader
// looks at everything that may have happened. It asks for the lock with F_GETLK, which
// shows locks of both kinds as F_OFD_GETLK does. Of all right solutions here it makes the
// most system calls. The specification is in the stub, chapters/02-file/file.go.
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

// Writer writes behind the last whole record.
type Writer struct {
	f    *os.File
	when Durability
	at   int64
	disk error // its last word
}

func (w *Writer) SyscallConn() (syscall.RawConn, error) { return w.f.SyscallConn() }

func OpenWriter(path string, d Durability) (*Writer, error) {
	f, err := openRegular(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	w := &Writer{f: f, when: d}
	err = w.lock()
	if err == nil {
		err = w.findEnd()
	}
	if err == nil && d != Never {
		err = syncFolder(path)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

func (w *Writer) lock() error {
	err := fcntl(w.f, unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if errors.Is(err, unix.EAGAIN) {
		return ErrLocked
	}
	return err
}

// findEnd goes over the records as a Reader does, and cuts off what is no record.
func (w *Writer) findEnd() error {
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	for {
		n, err := recordAt(w.f, w.at, info.Size())
		switch {
		case err == io.EOF:
			return ErrEnded
		case err == errNotWhole && w.at < info.Size():
			return w.f.Truncate(w.at)
		case err == errNotWhole:
			return nil
		case err != nil:
			return err
		}
		w.at += HeaderSize + int64(n)
	}
}

func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

func (w *Writer) Send(p []byte) error {
	if len(p) > MaxMessage {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(p), MaxMessage)
	}
	err := w.put(binary.BigEndian.AppendUint32(nil, uint32(len(p))), p)
	if err == nil && w.when == EachRecord {
		w.disk = errors.Join(w.disk, w.f.Sync())
		err = w.disk
	}
	return err
}

// put writes the parts of a frame, one behind the other, or nothing of it.
func (w *Writer) put(parts ...[]byte) error {
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	w.at = info.Size() // somebody may have emptied the file
	end := w.at
	for _, part := range parts {
		n, err := w.f.WriteAt(part, end)
		if err != nil {
			return errors.Join(err, w.f.Truncate(w.at))
		}
		end += int64(n)
	}
	w.at = end
	return nil
}

func (w *Writer) Close() error {
	err := w.put([]byte{0xff, 0xff, 0xff, 0xff})
	if w.when != Never {
		err = errors.Join(err, w.disk, w.f.Sync())
	}
	return errors.Join(err, w.f.Close())
}

// Reader follows a file.
type Reader struct {
	f      *os.File
	path   string
	events *os.File
	wake   chan struct{} // something happened since the last look
	ended  chan struct{} // closed when the goroutine is gone

	next int64 // where the next record begins
	size int64 // of the file, when it was looked at last
	torn bool  // the caller knows that what is behind next is torn
	last error // the answer to every Recv from now on
}

func (r *Reader) SyscallConn() (syscall.RawConn, error) { return r.f.SyscallConn() }

func OpenReader(path string) (*Reader, error) {
	f, err := openRegular(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		f.Close()
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_ALL_EVENTS&^(unix.IN_ACCESS|unix.IN_OPEN|unix.IN_CLOSE_NOWRITE)); err != nil {
		events.Close()
		f.Close()
		return nil, os.NewSyscallError("inotify_add_watch", err)
	}
	r := &Reader{f: f, path: path, events: events, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go r.listen()
	return r, nil
}

// listen ends when Close closes the inotify instance.
func (r *Reader) listen() {
	defer close(r.ended)
	buf := make([]byte, 4096)
	for {
		if _, err := r.events.Read(buf); err != nil {
			return
		}
		select {
		case r.wake <- struct{}{}:
		default: // the word is there already
		}
	}
}

func (r *Reader) Close() error {
	err := r.events.Close()
	<-r.ended
	return errors.Join(err, r.f.Close())
}

func (r *Reader) Recv() ([]byte, error) { return r.RecvInto(nil) }

func (r *Reader) RecvInto(buf []byte) ([]byte, error) {
	wait := time.Duration(0)
	for r.last == nil {
		before := r.size
		writer, there, err := r.around() // before the look at the file: so it is never newer
		if err != nil {
			return nil, err
		}
		n, err := r.look()
		if err == nil {
			return r.take(buf, n)
		}
		if err != errNotWhole {
			return nil, err
		}
		switch half := r.size > r.next && !r.torn; {
		case r.size != before:
			wait = 0
			continue // it moves: ask again
		case half && !writer:
			r.torn = true
			return nil, io.ErrUnexpectedEOF
		case half:
			// The lock may be about to fall, and that is no event.
			wait = min(2*wait+time.Millisecond, 100*time.Millisecond)
			select {
			case <-r.wake:
				wait = 0
			case <-time.After(wait):
			case <-r.ended:
				return nil, os.ErrClosed
			}
		case !there:
			r.last = ErrReplaced
		default:
			select {
			case <-r.wake:
			case <-r.ended:
				return nil, os.ErrClosed
			}
		}
	}
	return nil, r.last
}

// around tells whether somebody has the lock, and whether the file is at its path.
func (r *Reader) around() (writer, there bool, err error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := fcntl(r.f, unix.F_GETLK, &lock); err != nil {
		return false, false, err
	}
	var ours, theirs unix.Stat_t
	err = control(r.f, func(fd int) error { return unix.Fstat(fd, &ours) })
	if err != nil {
		return false, false, err
	}
	err = unix.Stat(r.path, &theirs)
	if err != nil && err != unix.ENOENT && err != unix.ENOTDIR {
		return false, false, &os.PathError{Op: "stat", Path: r.path, Err: err}
	}
	// Without a link it is at no path, also in the moment before its name is gone.
	there = err == nil && ours.Nlink > 0 && ours.Dev == theirs.Dev && ours.Ino == theirs.Ino
	return lock.Type != unix.F_UNLCK, there, nil
}

// look returns the length of the next message, if the record is whole.
func (r *Reader) look() (int, error) {
	info, err := r.f.Stat()
	if err != nil {
		return 0, err
	}
	before := r.size
	if r.size = info.Size(); r.size != before {
		r.torn = false
	}
	if r.size < r.next {
		r.last = ErrTruncated
		return 0, r.last
	}
	if r.size < before {
		return 0, ErrTruncated
	}
	n, err := recordAt(r.f, r.next, r.size)
	if err == io.EOF {
		r.last = err
	}
	return n, err
}

// take reads a whole message.
func (r *Reader) take(buf []byte, n int) ([]byte, error) {
	if buf == nil || cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := r.f.ReadAt(buf, r.next+HeaderSize); err == io.EOF {
		r.last = ErrTruncated // just now
		return nil, r.last
	} else if err != nil {
		return nil, err
	}
	r.next += HeaderSize + int64(n)
	return buf, nil
}

var errNotWhole = errors.New("not whole")

// recordAt returns the length of a whole record's message, io.EOF for the end
// mark, or errNotWhole.
func recordAt(f *os.File, at, size int64) (int, error) {
	if at+HeaderSize > size {
		return 0, errNotWhole
	}
	var header [HeaderSize]byte
	if _, err := f.ReadAt(header[:], at); err == io.EOF {
		return 0, errNotWhole
	} else if err != nil {
		return 0, err
	}
	n := binary.BigEndian.Uint32(header[:])
	switch {
	case n == EndMark:
		return 0, io.EOF
	case n > MaxMessage:
		return 0, fmt.Errorf("%w: the header claims %d bytes, the limit is %d", ErrTooLarge, n, MaxMessage)
	case at+HeaderSize+int64(n) > size:
		return 0, errNotWhole
	}
	return int(n), nil
}

func openRegular(path string, flag int) (*os.File, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: only a regular file holds records, and this is %v", path, info.Mode())
	case err != nil && (flag&os.O_CREATE == 0 || !errors.Is(err, os.ErrNotExist)):
		return nil, err
	}
	f, err := os.OpenFile(path, flag|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil && info.Mode().IsRegular() {
		return f, nil
	}
	f.Close()
	return nil, errors.Join(err, fmt.Errorf("%s: another one than was looked at", path))
}

func fcntl(f *os.File, cmd int, lock *unix.Flock_t) error {
	return os.NewSyscallError("fcntl", control(f, func(fd int) error {
		return unix.FcntlFlock(uintptr(fd), cmd, lock)
	}))
}

func control(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var doErr error
	if err := conn.Control(func(fd uintptr) { doErr = do(int(fd)) }); err != nil {
		return err
	}
	return doErr
}
