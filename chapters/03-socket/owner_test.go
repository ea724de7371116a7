package socket_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// Step 8: the stale file of a killed server is replaced. A live server's is never
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
	twoAtOnce(l, contested)
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

	failed := inFolder(l, "failed")
	l.RefusesCalls()
	require.NoError(l, l.Start(failsToListen, lab.Tell("path", failed)).Wait(), "Listen() when listen(2) says %q", unix.ENOBUFS.Error())
	_, err = os.Lstat(failed)
	require.ErrorIs(l, err, unix.ENOENT, "the socket's file after a Listen() whose listen(2) has failed: bind(2) has made it. Who removes it?")
	folderOfTheSocket(l)
}

// folderOfTheSocket looks at the folder in which the socket is: it may be none, or be locked.
func folderOfTheSocket(l *lab.Lab) {
	at := func(parts ...string) string { return filepath.Join(append([]string{l.Dir(), "way"}, parts...)...) }
	require.NoError(l, os.Mkdir(at(), 0o700), "making a folder")
	require.NoError(l, unix.Mkfifo(at("fifo"), 0o600), "making a FIFO")
	l.Call("Listen() at a path on whose way is a FIFO: that is no folder. To open it would wait (O_DIRECTORY)", func() error {
		s, err := socket.Listen(at("fifo", "s"))
		if err == nil {
			s.Close()
		}
		return err
	}).ReturnsSoon(unix.ENOTDIR)

	// The file gets another name.
	s, err := socket.Listen(at("s"))
	require.NoError(l, err, "Listen()")
	l.CloseAtEnd(s)
	require.NoError(l, os.Rename(at("s"), at("t")), "giving the socket another name")
	require.NoError(l, os.Symlink(at("t"), at("s")), "making a symbolic link to it")
	require.NoError(l, s.Close(), "Close()")
	_, err = os.Lstat(at("s"))
	require.NoError(l, err, "a symbolic link at the Listener's path after Close(): it is not the socket's file, whatever it leads to")

	// Whoever is second does nothing, also while the first one waits for the folder.
	s, err = socket.Listen(at("waits"))
	require.NoError(l, err, "Listen()")
	l.CloseAtEnd(s)
	folder, err := os.Open(at())
	require.NoError(l, err, "opening the folder")
	l.CloseAtEnd(folder)
	require.NoError(l, unix.Flock(descriptor(l, folder), unix.LOCK_EX), "flock() of the folder")
	var closed atomic.Bool
	first := l.Call("Close() of a Listener, while others have a lock on the folder", func() error {
		defer closed.Store(true)
		return s.Close()
	})
	first.SleepsOrReturns("the folder is locked")
	var second *lab.Call
	if !closed.Load() {
		second = l.Call("a second Close(), while the first one waits", s.Close)
		second.SleepsOrReturns("the first one waits")
		require.NoError(l, answers(l, at("waits")), "connect() to a server whose first Close() waits, after a second one: that one does nothing")
	}
	require.NoError(l, folder.Close(), "giving the lock back")
	first.Returns(nil)
	if second != nil {
		second.FailsSoon()
	}
}

var failsToListen = lab.NewRole("server that may not listen", func(c *lab.Child) error {
	if err := c.RefuseCall(unix.ENOBUFS, unix.SYS_LISTEN); err != nil {
		return err
	}
	if _, err := socket.Listen(c.Text("path")); !errors.Is(err, unix.ENOBUFS) {
		return fmt.Errorf("Listen() returned %v, and not %w", err, unix.ENOBUFS)
	}
	return nil
})

// rounds is how often four servers start at the same time.
const rounds = 20

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

// twoAtOnce lets two servers start on one stale path, and one start while the other one
// closes. One of them is held before each of its calls, until the other has won or waits.
func twoAtOnce(l *lab.Lab, path string) {
	calls := l.Calls()
	held := l.Start(listensAndCloses, lab.Tell("path", path), calls.HandOver())
	calls.Of(held)
	meanwhile := func(what string) (second *socket.Listener, result string) {
		call := l.Call("Listen() while another server "+what, func() error {
			var err error
			second, err = socket.Listen(path)
			result = listened(err)
			return nil
		})
		call.Rests()
		calls.Go()
		call.ReturnsSoon(nil)
		return second, result
	}
	var first string
	var closed bool
	for call, isHeld := 0, true; isHeld && call < mostCalls; call++ {
		leaveStale(l, path)
		isHeld = calls.Hold(call)
		second, result := meanwhile("is inside of Listen")
		held.Report(&first)
		results := []string{first, result}
		slices.Sort(results)
		require.Equal(l, unix.EADDRINUSE.Error()+", and won", strings.Join(results, ", and "), "Listen() of two servers on one stale path, one of them %s: is looking, removing, binding and listening kept together?", calls)
		require.NoError(l, answers(l, path), "connect() to the one of two servers that won, one of them %s: was its file removed by the other one?", calls)
		if second != nil {
			require.NoError(l, second.Close(), "Close() of the server that won")
		}
		held.Go()
		held.Report(&closed)
	}
	for call, isHeld := 0, true; isHeld && call < mostCalls; call++ {
		held.Go()
		held.Report(&first)
		require.Equal(l, "won", first, "Listen() where nobody is")
		isHeld = calls.Hold(call)
		second, result := meanwhile("is inside of Close")
		held.Report(&closed)
		require.Contains(l, []string{unix.EADDRINUSE.Error(), "won"}, result, "Listen() during Close() of another server, which was %s", calls)
		if second != nil {
			require.NoError(l, answers(l, path), "connect() to a server that started during Close() of another one, which was %s: has Close removed its successor's file? A number of an inode that is free is used again: is the own file removed before the socket is closed, under the same lock?", calls)
			require.NoError(l, second.Close(), "Close() of the successor")
		}
		_, err := os.Lstat(path)
		require.ErrorIs(l, err, unix.ENOENT, "the file when all servers have closed")
	}
	held.Kill()
}

// mostCalls are more calls than a Listen or a Close makes.
const mostCalls = 100

var listensAndCloses = lab.NewRole("server that is held", func(c *lab.Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	return listensWhenTold(c)
})

// listened says how a Listen ended.
func listened(err error) string {
	switch {
	case err == nil:
		return "won"
	case errors.Is(err, unix.EADDRINUSE):
		return unix.EADDRINUSE.Error()
	}
	return err.Error()
}

var startsAgainAndAgain = lab.NewRole("one of four servers", listensWhenTold)

// listensWhenTold listens and closes, each when the test says so.
func listensWhenTold(c *lab.Child) error {
	for {
		c.Wait()
		s, err := socket.Listen(c.Text("path"))
		c.Report(listened(err))
		c.Wait()
		if s != nil {
			s.Close()
		}
		c.Report(true)
	}
}

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
