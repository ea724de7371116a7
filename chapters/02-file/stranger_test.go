package file_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	file "ipcworkbook/chapters/02-file"
	"ipcworkbook/harness/lab"
)

// Step 15: frame, end mark and lock are all that two programs need to agree on: a
// Reader follows a file that a program in Python writes.
func TestWriterInPython(t *testing.T) {
	l := lab.New(t)
	path := l.Path("records")
	require.NoError(l, os.WriteFile(path, nil, 0o600), "making an empty file")
	r := openReader(l, path)
	p := l.Start(runsPython, lab.Tell("python", l.Program("python3")), lab.Tell("path", path))
	said := func(want string) {
		l.Helper()
		var got string
		p.Report(&got)
		require.Equal(l, want, got, "what the Python program says")
	}
	said("locked")
	for _, want := range []string{"one", "", string(pattern(100_000))} {
		require.NoError(l, expect(r, want), "Recv() of a record that Python wrote")
	}
	_, err := file.OpenWriter(path, file.Never)
	require.ErrorIs(l, err, file.ErrLocked, "OpenWriter() while Python has the file, with lockf: a record lock of fcntl(2) excludes an open file description lock")

	recv := l.Call("Recv()", func() error { return expect(r, "in two pieces") })
	p.Go()
	said("half")
	recv.Blocks("Python has written half a record, and it lives: lockf is a record lock of fcntl(2), and F_OFD_GETLK shows those too. They have the owner's pid.")
	p.Go()
	said("whole")
	recv.Returns(nil)

	recv = l.Call("Recv() of a record that Python has not finished", receives(r))
	p.Go()
	said("half")
	recv.Blocks("Python has written half a record, and it lives")
	p.Go() // it is killed
	said("killed")
	recv.ReturnsSoon(io.ErrUnexpectedEOF)
	p.Exit()

	w := openWriter(l, path, file.Never)
	require.NoError(l, w.Send([]byte("Go again")), "Send() of a Writer that comes after Python")
	recv = l.Call("Recv() after a Writer has cut off what Python left", func() error {
		err := expect(r, "Go again")
		if errors.Is(err, file.ErrTruncated) { // it may have come too late to see that
			err = expect(r, "Go again")
		}
		return err
	})
	recv.Returns(nil)
}

const pythonWriter = `
import fcntl, os, struct, sys

def frame(message):
    return struct.pack(">I", len(message)) + message

def say(word):
    print(word, flush=True)
    sys.stdin.readline()

fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
for message in b"one", b"", bytes((i ^ i >> 8 ^ i >> 16) & 255 for i in range(100_000)):
    os.write(fd, frame(message))
say("locked")
record = frame(b"in two pieces")
os.write(fd, record[:7])
say("half")
os.write(fd, record[7:])
say("whole")
os.write(fd, frame(b"never finished")[:7])
say("half")
`

var runsPython = lab.NewRole("starts python3", func(c *lab.Child) error {
	cmd := exec.Command(c.Text("python"), "-c", pythonWriter, c.Text("path"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // Pdeathsig follows the thread
	if err := cmd.Start(); err != nil {
		return err
	}
	words := bufio.NewScanner(out)
	for _, then := range []func(){next(in), next(in), next(in), func() { cmd.Process.Kill() }} {
		if !words.Scan() {
			return errors.Join(errors.New("python3 has ended"), words.Err(), cmd.Wait())
		}
		c.Report(words.Text())
		c.Wait()
		then()
	}
	_ = cmd.Wait() // it was killed
	c.Report("killed")
	c.Wait()
	return nil
})

// next lets the Python program go on.
func next(in io.Writer) func() { return func() { fmt.Fprintln(in) } }
