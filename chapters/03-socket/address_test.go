package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	require.NotContains(l, changed, "s", "Listen(), files whose mode was changed after they were made: others may connect until then. Can the socket have its mode before it has a name?")
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

// Step 2: the stale file of a killed server is replaced. A live server's is never
// stolen, nor is anything removed that is no socket. Of four servers that start on
// one stale path exactly one wins.
func TestStaleFileIsReplacedAndALiveServerIsNot(t *testing.T) {
	l := lab.New(t)
	path := inFolder(l, "s")

	victim := l.Start(server, lab.Tell("path", path))
	var up bool
	victim.Report(&up)
	victim.Kill()
	_, err := os.Lstat(path)
	require.NoError(l, err, "the file of a server that was killed: it is still there")
	s, err := socket.Listen(path)
	require.NoError(l, err, "Listen() where a killed server's file is: does Listen find out that nobody listens there?")
	l.CloseAtEnd(s)
	require.NoError(l, answers(l, path), "connect() after Listen() where a killed server's file was")

	refuses := func(what, path, reason string) {
		before := identity(l, path)
		var second *socket.Listener
		call := l.Call(fmt.Sprintf("Listen() where %s is: %s", what, reason), func() (err error) {
			second, err = socket.Listen(path)
			return err
		})
		call.ReturnsSoon(unix.EADDRINUSE)
		require.Nil(l, second, "Listen() where %s is: with an error there is no Listener", what)
		_, err := os.Lstat(path)
		require.NoError(l, err, "what was at the path before Listen(), where %s is: was it removed?", what)
		require.Equal(l, before, identity(l, path), "the inode of what is at the path after Listen(), where %s is: was it replaced?", what)
	}
	refuses("a live server", path, "does a connection tell a live server from a dead one?")
	require.NoError(l, answers(l, path), "connect() to the live server after Listen() at its path")

	full := inFolder(l, "full")
	fullServer(l, full)
	refuses("a server with a full backlog", full, "EAGAIN of connect(2) means that somebody is there. Only a refusal says that nobody is.")
	packets := inFolder(l, "packets")
	rawServer(l, packets, unix.SOCK_SEQPACKET, 8)
	refuses("a server with a SOCK_SEQPACKET socket", packets, "EPROTOTYPE of connect(2) means that somebody is there.")

	regular := inFolder(l, "regular")
	require.NoError(l, os.WriteFile(regular, []byte("precious"), 0o600), "writing a regular file")
	refuses("a regular file", regular, "connect(2) to it is refused too. Does Listen look what kind of file it is?")
	content, err := os.ReadFile(regular)
	require.NoError(l, err, "reading the regular file")
	require.Equal(l, "precious", string(content), "content of the regular file after Listen() at its path")
	fifo := inFolder(l, "fifo")
	require.NoError(l, unix.Mkfifo(fifo, 0o600), "making a FIFO")
	refuses("a FIFO", fifo, "does Listen look what kind of file it is?")
	stale := inFolder(l, "stale")
	leaveStale(l, stale)
	link := inFolder(l, "link")
	require.NoError(l, os.Symlink(stale, link), "making a symbolic link")
	refuses("a symbolic link to a stale socket", link, "a link is no socket, whatever it leads to. Does Listen look at the link itself (os.Lstat)?")
	require.NoError(l, os.Remove(stale), "removing the stale socket")
	refuses("a symbolic link to nothing", link, "a link is no socket. Does Listen look at the link itself (os.Lstat)?")
	folder := inFolder(l, "folder")
	require.NoError(l, os.Mkdir(folder, 0o700), "making a folder")
	refuses("an empty folder", folder, "os.Remove removes an empty folder too. Does Listen look what kind of file it is?")

	_, err = socket.Listen(filepath.Join(l.Dir(), "missing", "s"))
	require.ErrorIs(l, err, unix.ENOENT, "Listen() in a folder that is not there")

	contested := inFolder(l, "contested")
	var servers []*lab.Process
	for range 4 {
		servers = append(servers, l.Start(startsAgainAndAgain, lab.Tell("path", contested)))
	}
	for range rounds {
		leaveStale(l, contested)
		for _, p := range servers {
			p.Go()
		}
		won := 0
		for _, p := range servers {
			var result string
			p.Report(&result)
			if result == "won" {
				won++
				continue
			}
			require.Equal(l, "address already in use", result, "Listen() of one of four servers, which did not win")
		}
		require.Equal(l, 1, won, "how many of four servers won that started on one stale path: does one of them remove what another one has bound meanwhile?")
		require.NoError(l, answers(l, contested), "connect() to the one of four servers that won: was its file removed by another one?")
		for _, p := range servers {
			p.Go()
		}
		for _, p := range servers {
			var closed bool
			p.Report(&closed)
		}
	}
	for _, p := range servers {
		p.Kill()
	}

	// They start and close as they like, and stale files come between. Each has a
	// path of its own too, in the same folder.
	witness := l.Path("witness")
	servers = nil
	for id := range 4 {
		servers = append(servers, l.Start(startsAndCloses, lab.Tell("path", contested), lab.Tell("witness", witness),
			lab.Tell("own", inFolder(l, fmt.Sprint("own", id)))))
	}
	for _, p := range servers {
		p.Go()
	}
	won := 0
	for _, p := range servers {
		var times int
		p.Report(&times)
		won += times
	}
	require.NotZero(l, won, "how often one of four servers won that start and close as they like")
	names, err := os.ReadDir(l.Dir())
	require.NoError(l, err, "the folder of the sockets")
	for _, n := range names {
		if n.Name() != "contested" { // which may be stale
			require.NotContains(l, n.Name(), "contested", "what is left in the folder when all four have closed")
		}
		require.NotContains(l, n.Name(), "own", "what is left in the folder when all four have closed")
	}
}

// rounds is how often four servers start at the same time.
const rounds = 100

// inFolder is a path in a folder whose files may stay: a server that is killed may
// leave more than its socket.
func inFolder(l *lab.Lab, name string) string {
	l.SocketPath("dir-" + name) // is that short enough for an address?
	return filepath.Join(l.Dir(), name)
}

var server = lab.NewRole("server", func(c *lab.Child) error {
	s, err := socket.Listen(c.Text("path"))
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	c.Report(true)
	c.Wait()
	return s.Close()
})

var startsAgainAndAgain = lab.NewRole("one of four servers", func(c *lab.Child) error {
	for {
		c.Wait()
		s, err := socket.Listen(c.Text("path"))
		switch {
		case err == nil:
			c.Report("won")
		case errors.Is(err, unix.EADDRINUSE):
			c.Report(unix.EADDRINUSE.Error())
		default:
			c.Report(err.Error())
		}
		c.Wait()
		if s != nil {
			s.Close()
		}
		c.Report(true)
	}
})

var startsAndCloses = lab.NewRole("one of four servers that start and close", func(c *lab.Child) error {
	path := c.Text("path")
	witness, err := os.OpenFile(c.Text("witness"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	c.Wait()
	won := 0
	for i := range 800 {
		if i%8 == 0 {
			if err := listensAlone(c.Text("own")); err != nil {
				return err
			}
		}
		if i%4 == 1 {
			if err := dieAt(path); err != nil {
				return err
			}
		}
		s, err := socket.Listen(path)
		if errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		if err != nil {
			return fmt.Errorf("Listen() of one of four servers: %w", err)
		}
		won++
		// Nobody else may be in this place at the same time.
		if unix.Flock(int(witness.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
			return errors.New("two of four servers have won at the same time: does Listen or Close look and act without a lock?")
		}
		if err := answeredByUs(path); err != nil {
			return fmt.Errorf("connect() to one of four servers, by itself: %w: does another one's Listen or Close look and act without a lock?", err)
		}
		unix.Flock(int(witness.Fd()), unix.LOCK_UN)
		if err := s.Close(); err != nil {
			return fmt.Errorf("Close() of one of four servers: %w", err)
		}
	}
	c.Report(won)
	return nil
})

// listensAlone listens at a path of its own, in a folder that others use.
func listensAlone(path string) error {
	s, err := socket.Listen(path)
	if err != nil {
		return fmt.Errorf("Listen() at a path that nobody else uses, in a folder that others use: %w", err)
	}
	if err := s.Close(); err != nil {
		return fmt.Errorf("Close() at a path that nobody else uses: %w", err)
	}
	return nil
}

// answeredByUs asks who listens at the path.
func answeredByUs(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err == unix.EAGAIN {
		return nil // others ask too
	} else if err != nil {
		return err
	}
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err == nil && int(peer.Pid) != os.Getpid() {
		err = fmt.Errorf("process %d answers, and not %d", peer.Pid, os.Getpid())
	}
	return err
}

// dieAt leaves a stale file, if nothing is at the path.
func dieAt(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != unix.EADDRINUSE {
		return err
	}
	return nil
}

// Step 3: Dial waits for a server that is not up yet, without burning the
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
	listen(l, stale)
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

	packets := l.SocketPath("packets")
	rawServer(l, packets, unix.SOCK_SEQPACKET, 8)
	dialCall(l, context.Background(), "Dial() to a server with a SOCK_SEQPACKET socket: that does not pass by itself", packets).ReturnsSoon(unix.EPROTOTYPE)
	file := l.Path("file")
	require.NoError(l, os.WriteFile(file, nil, 0o600), "writing a regular file")
	dialCall(l, context.Background(), "Dial() to a path on whose way is a regular file: that does not pass by itself", filepath.Join(file, "s")).ReturnsSoon(unix.ENOTDIR)
	l.RefusesCalls()
	for _, why := range []unix.Errno{unix.EACCES, unix.EPERM} {
		forbidden := l.Start(dialsWhereRefused, lab.Tell("path", late), lab.Tell("error", strconv.Itoa(int(why))))
		l.Call(fmt.Sprintf("Dial() when connect(2) says %q: that does not pass by itself", why.Error()), forbidden.Wait).ReturnsSoon(nil)
	}
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
