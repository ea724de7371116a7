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
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// Step 1: Listen makes a socket that only its owner may use, and there is no moment
// in which others may. Close removes its own file, and never a successor's.
func TestListenMakesASocketForItsOwnerOnly(t *testing.T) {
	l := lab.New(t)
	defer unix.Umask(unix.Umask(0)) // no mistake in the mode is hidden by it
	path := l.SocketPath("s")

	attributes := watchAttributes(l, filepath.Dir(path))
	s := listen(l, path)
	changed := attributes.seen()
	l.MustBe("Listen(): the Listener", s, lab.StreamSocket)
	require.Equal(l, "close-on-exec", l.OnExec(s), "Listen(): is SOCK_CLOEXEC set when the socket is made?")
	info, err := os.Lstat(path)
	require.NoError(l, err, "Listen(): the socket's file")
	require.Equal(l, "Srw-------", info.Mode().String(), "Listen(), the mode of the socket's file: is it for its owner only?")
	mode := "as it was made"
	if slices.Contains(changed, "s") {
		mode = "changed afterwards"
	}
	require.Equal(l, "as it was made", mode, "Listen(), the mode of the socket's file: others may connect until it is changed. Can the socket have its mode before it has a name?")
	require.Zero(l, unix.Umask(0), "Listen(), the umask of the process afterwards: it belongs to the whole process, and was 0")
	require.NoError(l, answers(l, path), "connect() to the path after Listen(): was listen(2) called?")
	for i := range 4 {
		_, err := rawClient(l, path)
		require.False(l, err == unix.EAGAIN, "connect() is EAGAIN for client %d, when nobody has been accepted yet: is the backlog that listen(2) is given too short?", i+2)
		require.NoError(l, err, "connect() of client %d", i+2)
	}

	require.NoError(l, s.Close(), "Close() of the Listener")
	_, err = os.Lstat(path)
	require.ErrorIs(l, err, fs.ErrNotExist, "Close(), the socket's file afterwards: the kernel does not remove it. Does Close?")

	// Another server takes the path over, while the first one still runs.
	first := listen(l, path)
	require.NoError(l, os.Remove(path), "removing the first server's file")
	successor := listen(l, path)
	require.NoError(l, first.Close(), "Close() of the first server's Listener")
	require.NoError(l, answers(l, path), "connect() to the successor after Close() of the first server: was the successor's file removed?")
	require.Error(l, first.Close(), "Close() once more")
	require.NoError(l, answers(l, path), "connect() to the successor after Close() was called twice: was the successor's file removed?")

	require.NoError(l, l.Start(closesACopy, lab.Give("listener", successor)).Wait(), "a process that has a copy of the Listener")
	require.NoError(l, answers(l, path), "connect() after another process has closed its copy: the file belongs to who made it")

	l.RefusesCalls()
	require.NoError(l, l.Start(listensWithoutUmask, lab.Tell("path", l.SocketPath("other"))).Wait(), "Listen() in a process that may not change its umask, nor set FD_CLOEXEC by a second call")
}

var closesACopy = lab.NewRole("holder of a copy", func(c *lab.Child) error {
	return socket.NewListener(c.File("listener")).Close()
})

// Between two calls of umask every file that another goroutine makes has the wrong
// mode. That is seldom seen, so here umask does not work at all.
var listensWithoutUmask = lab.NewRole("server without umask", func(c *lab.Child) error {
	unix.Umask(0)
	if err := errors.Join(c.RefuseCall(unix.EPERM, unix.SYS_UMASK), c.RefuseCloseOnExec()); err != nil {
		return err
	}
	s, err := socket.Listen(c.Text("path"))
	if err := closeOnExec("Listen()", err, s); err != nil {
		return err
	}
	info, err := os.Lstat(c.Text("path"))
	if err != nil {
		return err
	}
	if info.Mode().Perm() != 0o600 {
		return fmt.Errorf("the mode of the socket's file is %v: is it made by the umask, which belongs to the whole process?", info.Mode())
	}
	return s.Close()
})

// Step 2: Dial waits for a server that is not up yet, without burning the
// processor, until its context ends.
func TestDialWaitsForTheServer(t *testing.T) {
	l := lab.New(t)
	late, stale, full := l.SocketPath("late"), l.SocketPath("stale"), l.SocketPath("full")
	leaveStale(l, stale)
	backlog, _ := fullServer(l, full)
	toLate := l.Start(dials, lab.Tell("path", late))
	toStale := l.Start(dials, lab.Tell("path", stale))
	toFull := l.Start(dials, lab.Tell("path", full))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	nowhere, busy := l.SocketPath("nowhere"), l.SocketPath("busy")
	fullServer(l, busy)
	toNowhere := dialCall(l, ctx, "Dial() when its context is cancelled", nowhere)
	toBusy := dialCall(l, ctx, "Dial() to a full backlog when its context is cancelled: a connect(2) that blocks knows of no context", busy)

	l.Wait("there is no server yet, or its backlog is full", toLate, toStale, toFull, toNowhere, toBusy)
	for _, waits := range []*lab.Process{toLate, toStale, toFull} {
		waits.Sleeps("Dial() while it waits: does it ask without a pause?")
	}
	s := listen(l, late)
	var connected bool
	toLate.Report(&connected)
	require.True(l, hasClient(l, s), "a client waits to be accepted when Dial() has returned")
	require.NoError(l, os.Remove(stale), "removing the stale file")
	rawServer(l, stale, unix.SOCK_STREAM, 8)
	toStale.Report(&connected)
	for range 2 {
		accepted, _, err := unix.Accept4(backlog, unix.SOCK_CLOEXEC)
		if err == nil {
			unix.Close(accepted)
		}
	}
	toFull.Report(&connected)

	cancel()
	toNowhere.Returns(context.Canceled)
	toBusy.Returns(context.Canceled)
	dialCall(l, ctx, "Dial() with a context that has ended", nowhere).ReturnsSoon(context.Canceled)
	ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	dialCall(l, ctx, "Dial() with a deadline", nowhere).Returns(context.DeadlineExceeded)

	outlivesItsContext(l)
	packets := l.SocketPath("packets")
	rawServer(l, packets, unix.SOCK_SEQPACKET, 8)
	dialCall(l, context.Background(), "Dial() to a server with a SOCK_SEQPACKET socket: that is EPROTOTYPE, and does not pass by itself.", packets).ReturnsSoon(unix.EPROTOTYPE)
	file := l.Path("file")
	require.NoError(l, os.WriteFile(file, nil, 0o600), "writing a regular file")
	dialCall(l, context.Background(), "Dial() to a path on whose way is a regular file: that is ENOTDIR, and does not pass by itself.", filepath.Join(file, "s")).ReturnsSoon(unix.ENOTDIR)
	l.RefusesCalls()
	for _, why := range []unix.Errno{unix.EACCES, unix.EPERM} {
		forbidden := l.Start(dialsWhereRefused, lab.Tell("path", late), lab.Tell("error", strconv.Itoa(int(why))))
		l.Call(fmt.Sprintf("Dial() when connect(2) says %q: that does not pass by itself", why.Error()), forbidden.Wait).ReturnsSoon(nil)
	}
	contextsOfDial(l)
}

// outlivesItsContext ends the context of a Dial that has returned.
func outlivesItsContext(l *lab.Lab) {
	path := l.SocketPath("context")
	s := listen(l, path)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c, err := socket.Dial(ctx, path)
	require.NoError(l, err, "Dial()")
	l.CloseAtEnd(c)
	other := accept(l, s)
	const watched = "the context has ended after Dial() had returned. Is it still watched, and the connection closed? It says how long Dial waits, and no more."
	recv := l.Call("Recv() on an end of Dial(): "+watched, func() error { return expect(c, "hello") })
	recv.Blocks("nothing has been sent")
	cancel()
	recv.Blocks("nothing has been sent")
	for _, message := range []string{"hello", "what comes behind it"} {
		require.NoError(l, other.Send([]byte(message)), "Send(%q) to an end of Dial(): %s", message, watched)
	}
	require.NoError(l, other.Close(), "Close() of the other end")
	recv.Returns(nil)
}

// Root may connect everywhere. So the kernel is made to refuse it.
var dialsWhereRefused = lab.NewRole("client that may not connect", func(c *lab.Child) error {
	why, err := strconv.Atoi(c.Text("error"))
	if err != nil {
		return err
	}
	if err := c.RefuseCall(unix.Errno(why), unix.SYS_CONNECT); err != nil {
		return err
	}
	if _, err = socket.Dial(context.Background(), c.Text("path")); !errors.Is(err, unix.Errno(why)) {
		return fmt.Errorf("Dial() returned %v, and not %v", err, unix.Errno(why))
	}
	return nil
})

// dialCall is a Dial in the background.
func dialCall(l *lab.Lab, ctx context.Context, what, path string) *lab.Call {
	return l.Call(what, func() error {
		c, err := socket.Dial(ctx, path)
		if err == nil {
			c.Close()
		}
		return err
	})
}

var dials = lab.NewRole("client that waits", func(c *lab.Child) error {
	conn, err := socket.Dial(context.Background(), c.Text("path"))
	if errors.Is(err, unix.EAGAIN) {
		return errors.New("Dial() returned the EAGAIN of connect(2): the server's backlog is full. That passes, but nothing waits for it, not even the runtime: only to try again later helps")
	}
	if err != nil {
		return fmt.Errorf("Dial(): %w", err)
	}
	c.Report(true)
	return conn.Close()
})

// hasClient reports whether somebody waits to be accepted.
func hasClient(l *lab.Lab, s *socket.Listener) bool {
	conn, err := s.SyscallConn()
	require.NoError(l, err, "SyscallConn() of the Listener")
	var ready int
	require.NoError(l, conn.Control(func(fd uintptr) {
		ready, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	}), "SyscallConn() of the Listener")
	require.NoError(l, err, "poll()")
	return ready == 1
}

// contextsOfDial are the end of step 2.
func contextsOfDial(l *lab.Lab) {
	path := l.SocketPath("contexts")
	listen(l, path)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dialCall(l, ctx, "Dial() to a server that lives, with a context that has ended already: is it looked at before the first try?", path).ReturnsSoon(context.Canceled)
	lacking := l.Start(dialsWithoutDescriptors, lab.Tell("path", path))
	l.Call("Dial() in a process that has no descriptor left: EMFILE does not pass by itself", lacking.Wait).ReturnsSoon(nil)
}

var dialsWithoutDescriptors = lab.NewRole("client without a descriptor", func(c *lab.Child) error {
	r, w, err := os.Pipe() // Go makes its own descriptors with the first file
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	lack, err := noDescriptorLeft()
	if err != nil {
		return err
	}
	if _, err := socket.Dial(context.Background(), c.Text("path")); !errors.Is(err, unix.EMFILE) {
		return fmt.Errorf("Dial() in a process that has no descriptor left: expected EMFILE, and got: %v", err)
	}
	return lack.end()
})
