// Package pipe is chapter 1 on raw system calls: an end is the number of a
// descriptor, and every answer that read(2) and write(2) may give is handled
// here. The specification is in the stub, chapters/01-pipe/pipe.go.
package pipe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	HeaderSize = 4
	MaxMessage = 1 << 20
	PipeBuf    = 4096
)

var ErrTooLarge = errors.New("message too large")

// end is one descriptor, which belongs to nobody else.
type end struct {
	fd  int
	err error // why there is none; every call returns it
}

// own takes a descriptor over. A file closes its descriptor when it is collected
// as garbage, so its number alone is of no use: we take a copy, and close the
// file.
func own(f *os.File) end {
	conn, err := f.SyscallConn()
	if err != nil {
		return end{fd: -1, err: err}
	}
	e := end{fd: -1}
	err = conn.Control(func(fd uintptr) {
		e.fd, e.err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err = errors.Join(err, os.NewSyscallError("fcntl", e.err)); err != nil {
		e = end{fd: -1, err: err}
	}
	f.Close()
	return e
}

// Close forgets the number first: closed twice, it could be somebody else's. It
// does not try again after EINTR, since Linux has closed the descriptor by then.
func (e *end) Close() error {
	if e.err != nil {
		return e.err
	}
	fd := e.fd
	e.fd, e.err = -1, os.ErrClosed
	return os.NewSyscallError("close", unix.Close(fd))
}

// wait waits until the descriptor is ready. A descriptor that was handed over
// may be non-blocking: whoever shares it decides that.
func (e *end) wait(events int16) error {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(e.fd), Events: events}}, -1)
		if err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
	}
}

// read fills p. It returns io.EOF when the stream ends before the first byte,
// and io.ErrUnexpectedEOF when it ends later.
func (e *end) read(p []byte) error {
	if e.err != nil {
		return e.err
	}
	for got := 0; got < len(p); {
		n, err := unix.Read(e.fd, p[got:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if err := e.wait(unix.POLLIN); err != nil {
				return err
			}
		case err != nil:
			return os.NewSyscallError("read", err)
		case n == 0 && got == 0:
			return io.EOF
		case n == 0:
			return io.ErrUnexpectedEOF
		default:
			got += n
		}
	}
	return nil
}

// write writes all of p. A blocking write is short when a signal arrives, a
// non-blocking one when the pipe is full.
func (e *end) write(p []byte) error {
	if e.err != nil {
		return e.err
	}
	for len(p) > 0 {
		n, err := unix.Write(e.fd, p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if err := e.wait(unix.POLLOUT); err != nil {
				return err
			}
		case err != nil:
			return os.NewSyscallError("write", err)
		default:
			p = p[n:]
		}
	}
	return nil
}

// rawConn lends the descriptor, as os.File's own syscall.RawConn does.
type rawConn struct{ e *end }

func (e *end) SyscallConn() (syscall.RawConn, error) {
	if e.err != nil {
		return nil, e.err
	}
	return rawConn{e}, nil
}

func (c rawConn) Control(f func(fd uintptr)) error {
	if c.e.err != nil {
		return c.e.err
	}
	f(uintptr(c.e.fd))
	return nil
}

func (c rawConn) Read(f func(fd uintptr) bool) error  { return c.until(f, unix.POLLIN) }
func (c rawConn) Write(f func(fd uintptr) bool) error { return c.until(f, unix.POLLOUT) }

func (c rawConn) until(done func(fd uintptr) bool, events int16) error {
	for c.e.err == nil {
		if done(uintptr(c.e.fd)) {
			return nil
		}
		if err := c.e.wait(events); err != nil {
			return err
		}
	}
	return c.e.err
}

// Reader is the read end of a pipe or of a FIFO.
type Reader struct{ end }

// Writer is the write end of a pipe or of a FIFO.
type Writer struct {
	end
	limit int
}

func NewReader(f *os.File) *Reader       { return &Reader{own(f)} }
func NewWriter(f *os.File) *Writer       { return &Writer{own(f), MaxMessage} }
func NewSharedWriter(f *os.File) *Writer { return &Writer{own(f), PipeBuf - HeaderSize} }

// New makes a blocking pipe: a Recv that waits holds a thread of its own, and
// needs no poller.
func New() (*Reader, *Writer, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	return &Reader{end{fd: fds[0]}}, &Writer{end{fd: fds[1]}, MaxMessage}, nil
}

func (w *Writer) Send(p []byte) error {
	if len(p) > w.limit {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(p), w.limit)
	}
	// One piece of memory, so that a small frame goes out in one write(2).
	frame := make([]byte, HeaderSize+len(p))
	binary.BigEndian.PutUint32(frame, uint32(len(p)))
	copy(frame[HeaderSize:], p)
	return w.write(frame)
}
func (r *Reader) Recv() ([]byte, error) { return r.RecvInto(nil) }

func (r *Reader) RecvInto(buf []byte) ([]byte, error) {
	header := make([]byte, HeaderSize)
	if err := r.read(header); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(header)
	if n > MaxMessage {
		return nil, fmt.Errorf("%w: a header of %d bytes, and no message is larger than %d", ErrTooLarge, n, MaxMessage)
	}
	if int(n) > cap(buf) {
		buf = make([]byte, n)
	}
	p := buf[:n]
	err := r.read(p)
	if err == io.EOF {
		return nil, io.ErrUnexpectedEOF // after a header this is no clean end
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

func OpenReader(path string) (*Reader, error) {
	fd, err := openFIFO(path, unix.O_RDONLY)
	if err != nil {
		return nil, &os.PathError{Op: "open FIFO", Path: path, Err: err}
	}
	return &Reader{end{fd: fd}}, nil
}

func OpenWriter(path string) (*Writer, error) {
	fd, err := openFIFO(path, unix.O_WRONLY)
	if err != nil {
		return nil, &os.PathError{Op: "open FIFO", Path: path, Err: err}
	}
	return &Writer{end{fd: fd}, MaxMessage}, nil
}

// openFIFO looks at what is there through a descriptor with O_PATH, which opens
// nothing yet, and then opens what it has looked at: no other file can come
// between.
func openFIFO(path string, flag int) (int, error) {
	if err := unix.Mkfifo(path, 0o600); err != nil && err != unix.EEXIST {
		return -1, err
	}
	place, err := open(path, unix.O_PATH)
	if err != nil {
		return -1, err
	}
	defer unix.Close(place)
	var st unix.Stat_t
	if err := unix.Fstat(place, &st); err != nil {
		return -1, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return -1, fmt.Errorf("what is there is no FIFO: %w", unix.EEXIST)
	}
	return open(fmt.Sprintf("/proc/self/fd/%d", place), flag)
}

// open tries again when a signal ends the wait for the other side.
func open(path string, flag int) (int, error) {
	for {
		fd, err := unix.Open(path, flag|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func (w *Writer) Capacity() (int, error)         { return w.fcntl(unix.F_GETPIPE_SZ, 0) }
func (w *Writer) SetCapacity(n int) (int, error) { return w.fcntl(unix.F_SETPIPE_SZ, n) }

func (w *Writer) fcntl(cmd, arg int) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := unix.FcntlInt(uintptr(w.fd), cmd, arg)
	if err != nil {
		return 0, os.NewSyscallError("fcntl", err)
	}
	return n, nil
}
