package file_test

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	file "ipcworkbook/chapters/02-file"
	"ipcworkbook/harness/lab"
)

// BenchmarkTransfer measures records from a producer process to this one, which
// follows the file meanwhile. Nobody waits for the disk. The start of the process is
// outside the measurement. Every message is checked.
func BenchmarkTransfer(b *testing.B) {
	for _, size := range lab.Sizes {
		b.Run(lab.SizeName(size), func(b *testing.B) { transfer(b, size, file.Never) })
	}
}

// BenchmarkEach measures the same when the disk has each record before the next one
// is sent.
func BenchmarkEach(b *testing.B) {
	b.Run("1KiB", func(b *testing.B) { transfer(b, 1<<10, file.EachRecord) })
}

// BenchmarkPipe is what BenchmarkTransfer measures too. The programs in C and Python
// that stand beside it use a pipe.
func BenchmarkPipe(b *testing.B) {
	b.Run("1KiB", func(b *testing.B) { transfer(b, 1<<10, file.Never) })
}

// BenchmarkArticle measures records that are received into new memory each. The
// programs that stand beside it follow a file in the way of the articles.
func BenchmarkArticle(b *testing.B) {
	b.Run("1KiB", func(b *testing.B) {
		l := lab.NewBench(b, 1<<10)
		path, _ := l.DirtyPath("records")
		r := emptyFile(l.Lab, path)
		p := l.Start(benchmarkProducer, lab.Tell("path", path), lab.Tell("durability", strconv.Itoa(int(file.Never))))
		l.Transfer(p, lab.Fresh{From: r})
	})
}

func transfer(b *testing.B, size int, d file.Durability) {
	l := lab.NewBench(b, size)
	path, _ := l.DirtyPath("records")
	r := emptyFile(l.Lab, path)
	p := l.Start(benchmarkProducer, lab.Tell("path", path), lab.Tell("durability", strconv.Itoa(int(d))))
	l.Transfer(p, r)
}

// emptyFile makes the file, and follows it.
func emptyFile(l *lab.Lab, path string) *file.Reader {
	l.Helper()
	require.NoError(l, os.WriteFile(path, nil, 0o600), "making an empty file")
	return openReader(l, path)
}

var benchmarkProducer = lab.NewRole("benchmark producer", func(c *lab.Child) error {
	d, err := strconv.Atoi(c.Text("durability"))
	if err != nil {
		return err
	}
	w, err := file.OpenWriter(c.Text("path"), file.Durability(d))
	if err != nil {
		return err
	}
	return c.Produce(w)
})

// BenchmarkClose measures until the disk has all records: with the Close of a Writer
// with AtClose. Each turn has a file of its own.
func BenchmarkClose(b *testing.B) {
	b.Run("1KiB", func(b *testing.B) {
		l := lab.NewBench(b, 1<<10)
		first, _ := l.DirtyPath("first")
		second, _ := l.DirtyPath("second")
		closed, theirs, err := os.Pipe()
		require.NoError(l, err, "making a pipe")
		l.CloseAtEnd(closed)
		p := l.Start(benchmarkCloser, lab.Tell("first", first), lab.Tell("second", second), lab.HandOver("closed", theirs))
		l.Transfer(p, &turnReader{paths: [2]string{first, second}, count: b.N, closed: closed})
	})
}

var benchmarkCloser = lab.NewRole("benchmark producer that closes", func(c *lab.Child) error {
	count, err := strconv.Atoi(c.Text("count"))
	if err != nil {
		return err
	}
	turns := &turnWriter{count: count, closed: c.File("closed")}
	for i, turn := range []string{"first", "second"} {
		if turns.files[i], err = file.OpenWriter(c.Text(turn), file.AtClose); err != nil {
			return err
		}
	}
	return c.Produce(turns)
})

// turnWriter closes a file after each turn, and then says so.
type turnWriter struct {
	count, sent int
	files       [2]*file.Writer
	closed      *os.File
}

func (t *turnWriter) Send(p []byte) error {
	w := t.files[t.sent/t.count]
	if err := w.Send(p); err != nil {
		return err
	}
	t.sent++
	if t.sent%t.count != 0 {
		return nil
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("Close(): %w", err)
	}
	_, err := t.closed.Write([]byte{0})
	return err
}

func (t *turnWriter) Close() error { return t.closed.Close() }

// turnReader gives a turn's last message out when its file was closed.
type turnReader struct {
	paths           [2]string
	count, received int
	r               *file.Reader
	closed          *os.File
}

func (t *turnReader) RecvInto(buf []byte) ([]byte, error) {
	if t.received == 2*t.count {
		return nil, io.EOF
	}
	var err error
	if t.received%t.count == 0 {
		if t.r, err = file.OpenReader(t.paths[t.received/t.count]); err != nil {
			return nil, err
		}
	}
	message, err := t.r.RecvInto(buf)
	if err != nil {
		return nil, err
	}
	t.received++
	if t.received%t.count != 0 {
		return message, nil
	}
	if _, err := t.r.RecvInto(nil); err != io.EOF {
		return nil, fmt.Errorf("RecvInto() after a turn's last message: %w instead of io.EOF", err)
	}
	if _, err := io.ReadFull(t.closed, make([]byte, 1)); err != nil {
		return nil, err
	}
	return message, t.r.Close()
}

// BenchmarkPingPong measures a record of one byte to another process and back, through
// two files.
func BenchmarkPingPong(b *testing.B) {
	l := lab.NewBench(b, 1)
	there, _ := l.DirtyPath("there")
	back, _ := l.DirtyPath("back")
	r := emptyFile(l.Lab, back)
	w := openWriter(l.Lab, there, file.Never)
	p := l.Start(benchmarkEcho, lab.Tell("there", there), lab.Tell("back", back))
	l.PingPong(p, w, r)
}

var benchmarkEcho = lab.NewRole("benchmark echo", func(c *lab.Child) error {
	r, err := file.OpenReader(c.Text("there"))
	if err != nil {
		return err
	}
	w, err := file.OpenWriter(c.Text("back"), file.Never)
	if err != nil {
		return err
	}
	return c.Echo(r, w)
})
