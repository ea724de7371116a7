// Package pipe is chapter 1 as it looks when it has just become green: an os.File, and
// a call for each part of a frame. Only a shared Writer puts header and message
// together, since only there a step asks for it. Nothing is kept from one call to the
// next. It stands for all who stop here: it has to pass every gate.
// The specification is in the stub, chapters/01-pipe/pipe.go.
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

// Reader is the read end of a pipe or of a FIFO.
type Reader struct {
	f *os.File
}

// Writer is the write end of a pipe or of a FIFO.
type Writer struct {
	f      *os.File
	shared bool
}

func NewReader(f *os.File) *Reader       { return &Reader{f: f} }
func NewWriter(f *os.File) *Writer       { return &Writer{f: f} }
func NewSharedWriter(f *os.File) *Writer { return &Writer{f: f, shared: true} }

func (r *Reader) SyscallConn() (syscall.RawConn, error) { return r.f.SyscallConn() }
func (w *Writer) SyscallConn() (syscall.RawConn, error) { return w.f.SyscallConn() }

func (r *Reader) Close() error { return r.f.Close() }
func (w *Writer) Close() error { return w.f.Close() }

// New leaves the close-on-exec flag to os.Pipe, which asks for it in the same
// call that makes the pipe. Setting it in a second call would leave a moment in
// which another goroutine starts a program that inherits both ends.
func New() (*Reader, *Writer, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	return NewReader(r), NewWriter(w), nil
}

// Send writes the header, and then the message. One write of both would do for every
// Writer; a shared one needs it, since only a single write of up to PIPE_BUF bytes is
// atomic. For a large message os.File.Write goes on after a short write.
func (w *Writer) Send(p []byte) error {
	limit := MaxMessage
	if w.shared {
		limit = PipeBuf - HeaderSize
	}
	if len(p) > limit {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(p), limit)
	}
	header := make([]byte, HeaderSize)
	binary.BigEndian.PutUint32(header, uint32(len(p)))
	if w.shared {
		_, err := w.f.Write(append(header, p...))
		return err
	}
	if _, err := w.f.Write(header); err != nil {
		return err
	}
	if len(p) == 0 {
		return nil
	}
	_, err := w.f.Write(p)
	return err
}

func (r *Reader) Recv() ([]byte, error) { return r.RecvInto(nil) }

// RecvInto reads until the frame is whole: one read returns what is there, which
// may be less than a frame.
func (r *Reader) RecvInto(buf []byte) ([]byte, error) {
	header := make([]byte, HeaderSize)
	// io.EOF here means that the stream ended between two messages.
	if _, err := io.ReadFull(r.f, header); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(header)
	if n > MaxMessage {
		return nil, fmt.Errorf("%w: the header claims %d bytes, the limit is %d", ErrTooLarge, n, MaxMessage)
	}
	if int(n) > cap(buf) {
		buf = make([]byte, n)
	}
	p := buf[:n]
	_, err := io.ReadFull(r.f, p)
	if errors.Is(err, io.EOF) {
		// A header without its message: io.ReadFull calls that a clean end.
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

func OpenReader(path string) (*Reader, error) {
	f, err := openFIFO(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return NewReader(f), nil
}

func OpenWriter(path string) (*Writer, error) {
	f, err := openFIFO(path, os.O_WRONLY)
	if err != nil {
		return nil, err
	}
	return NewWriter(f), nil
}

// openFIFO looks before it opens, since to open something else can do harm,
// and once more afterwards, since the name may have changed hands in between.
func openFIFO(path string, flag int) (*os.File, error) {
	err := unix.Mkfifo(path, 0o600)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, &os.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	info, err := os.Stat(path)
	if err == nil {
		err = mustBeFIFO(path, info)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return nil, err
	}
	info, err = f.Stat()
	if err == nil {
		err = mustBeFIFO(path, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func mustBeFIFO(path string, info os.FileInfo) error {
	if info.Mode()&os.ModeNamedPipe == 0 {
		return fmt.Errorf("%s is there already and is no FIFO: %w", path, os.ErrExist)
	}
	return nil
}

func (w *Writer) Capacity() (int, error) {
	return w.fcntl(unix.F_GETPIPE_SZ, 0)
}

func (w *Writer) SetCapacity(n int) (int, error) {
	return w.fcntl(unix.F_SETPIPE_SZ, n)
}

// fcntl borrows the descriptor from its file. File.Fd would give the number for
// good, and make the pipe blocking for every process that shares it.
func (w *Writer) fcntl(cmd, arg int) (int, error) {
	conn, err := w.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var fcntlErr error
	err = conn.Control(func(fd uintptr) { n, fcntlErr = unix.FcntlInt(fd, cmd, arg) })
	if err != nil {
		return 0, err
	}
	return n, os.NewSyscallError("fcntl", fcntlErr)
}
