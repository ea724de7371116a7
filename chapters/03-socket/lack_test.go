package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// lackOfDescriptors is a part of step 13: what else has to go well in a server that has
// no descriptor left, or that works in another folder by now.
func lackOfDescriptors(l *lab.Lab) {
	for _, where := range []string{noDescriptor, otherFolder} {
		closes := l.Start(closesElsewhere, lab.Tell("folder", l.Dir()), lab.Tell("where", where))
		require.NoError(l, closes.Wait(), "Close() of a Listener %s", where)
	}
	require.NoError(l, l.Start(receivesWithoutDescriptors).Wait(), "RecvFile() in a process that has no descriptor left")
	for _, what := range []string{"Accept()", "AcceptFrom()"} {
		accepts := l.Start(acceptsWithoutDescriptors, lab.Tell("path", l.SocketPath("for "+what)), lab.Tell("what", what))
		l.Call(what+" in a process that has few descriptors left: is EMFILE returned, and not tried again and again?", accepts.Wait).ReturnsSoon(nil)
	}

	server := l.Start(servesWithoutDescriptors, lab.Tell("path", l.SocketPath("taken")))
	var up bool
	server.Report(&up)
	l.Wait("it has no descriptor for its first client", server)
	server.Go()
	l.Call("Serve(), when there are descriptors again and none of its clients has left: does it wait for one of its own? Others take descriptors too, and give them back.", server.Wait).ReturnsSoon(nil)
}

const (
	noDescriptor = "when the process has no descriptor left"
	otherFolder  = "at a relative path, when the process works in another folder"
)

var closesElsewhere = lab.NewRole("server that closes", func(c *lab.Child) error {
	if err := os.Chdir(c.Text("folder")); err != nil {
		return err
	}
	s, err := socket.Listen("closed")
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	reason := "does Close look for it from the folder in which the process works now?"
	if c.Text("where") == otherFolder {
		if err := os.Chdir("/"); err != nil {
			return err
		}
	} else {
		reason = "does Close need a descriptor for that, which it could have kept since Listen?"
		lack, err := noDescriptorLeft()
		if err != nil {
			return err
		}
		defer lack.end()
	}
	closeErr := s.Close()
	if _, err := os.Lstat(filepath.Join(c.Text("folder"), "closed")); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the socket's file is still there (Close returned: %v): %s", closeErr, reason)
	}
	return closeErr
})

// pairAndFile are two connected sockets, and a file to send.
func pairAndFile() (a, b *socket.Conn, f *os.File, err error) {
	if a, b, err = socket.Pair(); err != nil {
		return nil, nil, nil, fmt.Errorf("Pair(): %w", err)
	}
	f, _, err = os.Pipe()
	return a, b, f, err
}

// receivesWithoutDescriptors gets a file when it has no descriptor for it, and one when
// it has.
var receivesWithoutDescriptors = lab.NewRole("receiver without a descriptor", func(c *lab.Child) error {
	a, b, r, err := pairAndFile()
	if err != nil {
		return err
	}
	for _, message := range []string{"asked for", "not asked for", "after it"} {
		if err := a.SendFile([]byte(message), r); err != nil {
			return fmt.Errorf("SendFile(): %w", err)
		}
	}
	lack, err := noDescriptorLeft()
	if err != nil {
		return err
	}
	p, f, err := b.RecvFile()
	switch {
	case err == nil && f == nil:
		return fmt.Errorf("RecvFile() returned %q, no file and no error: the kernel had no descriptor for the file, and says so in a flag only (MSG_CTRUNC)", p)
	case !errors.Is(err, unix.EMFILE) || f != nil:
		return fmt.Errorf("RecvFile() returned %q, the file %v and the error %v, where EMFILE is expected", p, f, err)
	}
	if err := expect(b, "not asked for"); err != nil {
		return fmt.Errorf("Recv(), which asks for no file, of a message for whose file there is no descriptor: %w", err)
	}
	if err := lack.end(); err != nil {
		return err
	}
	p, f, err = b.RecvFile()
	if err != nil || f == nil || string(p) != "after it" {
		return fmt.Errorf("RecvFile() of the next message, when there are descriptors again, returned %q, the file %v and the error %v", p, f, err)
	}
	return nil
})

// servesItself is a server and its first client in one process. Nobody has accepted that yet.
func servesItself(c *lab.Child) (*socket.Listener, *socket.Conn, error) {
	s, err := socket.Listen(c.Text("path"))
	if err != nil {
		return nil, nil, fmt.Errorf("Listen(): %w", err)
	}
	client, err := socket.Dial(context.Background(), c.Text("path"))
	if err != nil {
		return nil, nil, fmt.Errorf("Dial(): %w", err)
	}
	return s, client, nil
}

// acceptsWithoutDescriptors has a client in the backlog, and first no descriptor, then
// one, then two, until there are enough for the client.
var acceptsWithoutDescriptors = lab.NewRole("server without a descriptor", func(c *lab.Child) error {
	s, client, err := servesItself(c)
	if err != nil {
		return err
	}
	if err := client.Send([]byte("before it is accepted")); err != nil {
		return fmt.Errorf("Send(): %w", err)
	}
	lack, err := noDescriptorLeft()
	if err != nil {
		return err
	}
	what, accept := c.Text("what"), s.Accept
	if what == "AcceptFrom()" {
		accept = func() (*socket.Conn, error) { return s.AcceptFrom([]int{os.Geteuid()}) }
	}
	free := 0
	accepted, err := accept()
	for errors.Is(err, unix.EMFILE) && free < enoughForAClient {
		if err := client.Send([]byte("still there")); err != nil {
			return fmt.Errorf("Send() of a client after %s has returned EMFILE (descriptors left: %d): %w: does the client stay in the backlog until there is a descriptor for all that it needs?", what, free, err)
		}
		if err := lack.giveOneBack(); err != nil {
			return err
		}
		free++
		accepted, err = accept()
	}
	if err != nil {
		return fmt.Errorf("%s (descriptors left: %d): %w: does the error wrap EMFILE, so that errors.Is finds it?", what, free, err)
	}
	if err := lack.end(); err != nil {
		return err
	}
	if err := expect(accepted, "before it is accepted"); err != nil {
		return fmt.Errorf("Recv() from a client that %s has returned (descriptors left: %d): %w", what, free, err)
	}
	return errors.Join(accepted.Close(), client.Close(), s.Close())
})

// servesWithoutDescriptors serves its first client when others give descriptors back.
var servesWithoutDescriptors = lab.NewRole("server whose descriptors others have", func(c *lab.Child) error {
	s, client, err := servesItself(c)
	if err != nil {
		return err
	}
	if err := client.Send([]byte("hello")); err != nil {
		return fmt.Errorf("Send(): %w", err)
	}
	lack, err := noDescriptorLeft()
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(sendsBack) }()
	c.Report(true)
	c.Wait()
	if err := lack.end(); err != nil {
		return err
	}
	if err := expect(client, "hello"); err != nil {
		return fmt.Errorf("Recv(): %w", err)
	}
	return errors.Join(client.Close(), s.Close(), <-served)
})

// enoughForAClient is more descriptors than a connection needs.
const enoughForAClient = 8

// A lack is that every call fails that wants a descriptor in this process (EMFILE).
type lack struct {
	taken  []*os.File
	before unix.Rlimit
}

// noDescriptorLeft takes every number up to the highest one that is used, and sets the
// limit there.
func noDescriptorLeft() (*lack, error) {
	l := &lack{}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l.before); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	for {
		n, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, errors.Join(err, l.end())
		}
		l.taken = append(l.taken, os.NewFile(uintptr(n), "taken"))
		if len(l.taken) >= enoughForAClient && !slices.ContainsFunc(entries, func(e os.DirEntry) bool { used, _ := strconv.Atoi(e.Name()); return used > n }) {
			return l, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(n) + 1, Max: l.before.Max})
		}
	}
}

// giveOneBack leaves room for one descriptor more.
func (l *lack) giveOneBack() error {
	last := l.taken[len(l.taken)-1]
	l.taken = l.taken[:len(l.taken)-1]
	return last.Close()
}

// end gives all of them back.
func (l *lack) end() error {
	var err error
	for _, f := range l.taken {
		err = errors.Join(err, f.Close())
	}
	return errors.Join(err, unix.Setrlimit(unix.RLIMIT_NOFILE, &l.before))
}

// readsAheadWithoutDescriptors has no descriptor for the second of two messages, and none for a
// message that needs several reads.
var readsAheadWithoutDescriptors = lab.NewRole("receiver without a descriptor, which reads ahead", func(c *lab.Child) error {
	a, b, r, err := pairAndFile()
	if err != nil {
		return err
	}
	large := pattern(600_000)
	sent := make(chan error, 1)
	if err := errors.Join(a.Send([]byte("plain")), a.SendFile([]byte("with a file"), r)); err != nil {
		return fmt.Errorf("Send() and SendFile(): %w", err)
	}
	lack, err := noDescriptorLeft()
	if err != nil {
		return err
	}
	p, f, err := b.RecvFile()
	if err != nil || f != nil || string(p) != "plain" {
		return fmt.Errorf("RecvFile() of a message without a file returned %q, the file %v and the error %v: the next message's file found no descriptor. Is that taken for this one's?", p, f, err)
	}
	if _, _, err = b.RecvFile(); !errors.Is(err, unix.EMFILE) {
		return fmt.Errorf("RecvFile() of the message whose file found no descriptor: expected EMFILE, and got: %v", err)
	}
	go func() { sent <- a.SendFile(large, r) }()
	p, f, err = b.RecvFile()
	if !errors.Is(err, unix.EMFILE) {
		return fmt.Errorf("RecvFile() of a message of %d bytes, whose file found no descriptor, returned %d bytes, the file %v and the error %v, where EMFILE is expected. The kernel says it with the first bytes only (MSG_CTRUNC): is that remembered until the message is whole?", len(large), len(p), f, err)
	}
	if err := <-sent; err != nil {
		return fmt.Errorf("SendFile(): %w", err)
	}
	return errors.Join(lack.end(), a.Close(), b.Close())
})
