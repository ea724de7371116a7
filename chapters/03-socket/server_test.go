package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// Step 12: a path that is longer than the kernel's address is ENAMETOOLONG, in
// words, and never cut. An abstract name works without a file. An address without a
// name is an error.
func TestAddressesThatAreNoShortPaths(t *testing.T) {
	l := lab.New(t)

	longest := longPath(l, socket.MaxPath)
	s := listen(l, longest)
	client := dial(l, longest)
	require.NoError(l, client.Send([]byte("hello")), "Send() to a server at a path of %d bytes", len(longest))
	require.NoError(l, expect(accept(l, s), "hello"), "Recv() at a path of %d bytes: that is still short enough", len(longest))
	require.NoError(l, s.Close(), "Close() of a Listener at a path of %d bytes", len(longest))

	for _, length := range []int{socket.MaxPath + 1, socket.MaxPath + 2, 2 * socket.MaxPath} {
		path := longPath(l, length)
		s, err := socket.Listen(path)
		if err == nil { // there are ways: then they have to work
			c := dial(l, path)
			require.NoError(l, c.Send([]byte("hello")), "Send() to a server at a path of %d bytes", length)
			require.NoError(l, expect(accept(l, s), "hello"), "Recv() at a path of %d bytes", length)
			require.NoError(l, s.Close(), "Close() of a Listener at a path of %d bytes", length)
		} else {
			require.ErrorIs(l, err, unix.ENAMETOOLONG, "Listen() at a path of %d bytes: is the length checked before the kernel says no more than \"invalid argument\"?", length)
			require.ErrorContains(l, err, strconv.Itoa(socket.MaxPath), "Listen() at a path of %d bytes: the text names the limit", length)
			call := l.Call(fmt.Sprintf("Dial() to a path of %d bytes: that is ENAMETOOLONG, and does not pass by itself.", length), func() error {
				_, err := socket.Dial(context.Background(), path)
				return err
			})
			call.ReturnsSoon(unix.ENAMETOOLONG)
		}
		names, err := os.ReadDir(filepath.Dir(path))
		require.NoError(l, err, "the folder of a long path")
		require.Empty(l, names, "what is left in the folder of a path of %d bytes: was a part of the path taken for the whole?", length)
	}

	for _, nameless := range []string{"", "@", "@with\x00NUL", l.SocketPath("cut") + "\x00here"} {
		s, err := socket.Listen(nameless)
		if s != nil {
			s.Close()
		}
		require.ErrorIs(l, err, unix.EINVAL, "Listen(%q): for an address without a name the kernel chooses an abstract one, and it ends a path at a NUL", nameless)
		call := l.Call(fmt.Sprintf("Dial() to %q: that is no address (EINVAL), and does not pass by itself.", nameless), func() error {
			_, err := socket.Dial(context.Background(), nameless)
			return err
		})
		call.ReturnsSoon(unix.EINVAL)
	}

	deep := filepath.Join(l.Dir(), strings.Repeat("x", socket.MaxPath), strings.Repeat("y", socket.MaxPath))
	require.NoError(l, os.MkdirAll(deep, 0o700), "making a folder")
	require.NoError(l, l.Start(worksInADeepFolder, lab.Tell("folder", deep)).Wait(), "a server at relative paths")

	// The kernel counts each byte of an abstract name, and ends it at no NUL.
	name := "@" + l.Name("abstract")
	s = listen(l, name)
	_, err := os.Lstat(name)
	require.ErrorIs(l, err, fs.ErrNotExist, "a file of an abstract name: is the '@' taken for a part of a path?")
	raw, err := rawClient(l, name)
	require.NoError(l, err, "connect() to the abstract name, a NUL and then what follows the '@': is it longer in the kernel, by NUL bytes at its end?")
	write(l, raw, frame("hello"))
	require.NoError(l, expect(accept(l, s), "hello"), "Recv() at an abstract name")
	_, err = socket.Listen(name)
	require.ErrorIs(l, err, unix.EADDRINUSE, "Listen() at an abstract name that a live server has")
	peer := l.Start(asks, lab.Tell("path", name))
	c := accept(l, s)
	require.NoError(l, answer(c), "Recv() and Send() to a client at an abstract name")
	var got string
	peer.Report(&got)
	require.Equal(l, "HELLO", got, "Recv() in a client at an abstract name")
	require.NoError(l, c.Close(), "Close()")
	peer.Exit()
	require.NoError(l, s.Close(), "Close() of a Listener at an abstract name")
	victim := l.Start(server, lab.Tell("path", name))
	var up bool
	victim.Report(&up)
	victim.Kill()
	s = listen(l, name)
	require.NoError(l, s.Close(), "Close() of a Listener at the abstract name of a killed server: it left nothing behind")

	long := "@" + strings.Repeat("x", socket.MaxPath+1) // one more than there is room for in the kernel
	_, err = socket.Listen(long)
	require.ErrorIs(l, err, unix.ENAMETOOLONG, "Listen() at an abstract name of %d bytes, with its '@'", len(long))
	whole := ("@" + l.Name("longest") + strings.Repeat("x", socket.MaxPath))[:socket.MaxPath]
	s = listen(l, whole)
	_, err = rawClient(l, whole)
	require.NoError(l, err, "connect() to an abstract name of %d bytes, with its '@'", socket.MaxPath)
	require.NoError(l, s.Close(), "Close()")
	bytesAreCounted(l)
}

// longPath is a path of so many bytes in an empty folder.
func longPath(l *lab.Lab, length int) string {
	dir := filepath.Join(l.Dir(), strconv.Itoa(length))
	require.NoError(l, os.MkdirAll(dir, 0o700), "making a folder")
	room := length - len(dir) - 1
	if room < 1 {
		l.Unsupported("The address of a socket has at most %d bytes (unix(7)), and the folder %s leaves no room for a name.\n"+
			"TMPDIR=/tmp in the environment makes it shorter.", socket.MaxPath, dir)
	}
	return filepath.Join(dir, strings.Repeat("x", room))
}

// Step 13: many clients at once, each served whole. A client that stalls stops no
// other, and neither do clients that come and go, nor a lack of descriptors. Close
// ends it all, and needs no descriptor for that.
func TestStalledClientStopsNoOther(t *testing.T) {
	l := lab.New(t)
	path := l.SocketPath("s")
	server := l.Start(serves, lab.Tell("path", path))
	var up bool
	server.Report(&up)

	l.Wait("it serves until Close() is called", server)
	// One has sent half a header, one takes no answers, one has only come.
	half, deaf, silent := connect(l, path), connect(l, path), connect(l, path)
	write(l, half, frame("hello")[:2])
	fills := l.Call("write() of a client that takes no answers", func() error {
		_, err := deaf.Write(frame(string(pattern(400_001))))
		return err
	})
	fills.Returns(nil)

	// There is no number of clients that stall at which the next one has to wait.
	var stall []*os.File
	for range 80 {
		c := connect(l, path)
		write(l, c, frame("hello")[:1])
		stall = append(stall, c)
	}
	l.Wait("it serves until Close() is called", server)
	next := l.Start(asksOften, lab.Tell("path", path), lab.Tell("id", "next"))
	l.Call(fmt.Sprintf("one more client, while %d others stall: does it wait until one of them leaves? Or is the connection never closed when the client has left?", len(stall)), next.Wait).ReturnsSoon(nil)
	for _, c := range stall {
		require.NoError(l, c.Close(), "close() of a client")
	}

	var clients []*lab.Process
	for id := range 6 {
		clients = append(clients, l.Start(asksOften, lab.Tell("path", path), lab.Tell("id", strconv.Itoa(id))))
	}
	for _, c := range clients {
		require.NoError(l, c.Wait(), "one of several clients, while others stall")
	}
	write(l, half, frame("hello")[2:])
	got := make([]byte, len(frame("hello")))
	_, err := io.ReadFull(half, got)
	require.NoError(l, err, "the answer to a client that stalled inside a header")
	require.Equal(l, frame("hello"), got, "the answer to a client that stalled inside a header")

	// The connection is closed when the client's function has returned.
	leaver := dial(l, path)
	require.NoError(l, leaver.Send([]byte("leave me")), "Send()")
	_, err = leaver.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() when the server's function for this client has returned: does Serve close the connection?")

	// A thousand come and go. The server has room for far fewer at once.
	for i := range 1000 {
		c := connect(l, path)
		if i%2 == 1 {
			_, err := c.Write(frame("gone")[:i%5])
			require.NoError(l, err, "writing raw bytes into the socket")
		}
		require.NoError(l, c.Close(), "close() of a client")
	}
	require.NoError(l, l.Start(asksOften, lab.Tell("path", path), lab.Tell("id", "7")).Wait(), "a client after a thousand others: does the server close their connections?")

	// More clients at once than the server has descriptors.
	var crowd []*os.File
	for len(crowd) < 2*roomForDescriptors {
		c, err := rawClient(l, path)
		if err == unix.EAGAIN { // a short backlog
			l.Wait("it has more clients than descriptors", server)
			c, err = rawClient(l, path)
		}
		if err == unix.EAGAIN {
			break
		}
		require.NoError(l, err, "connect()")
		crowd = append(crowd, c)
	}
	l.Wait("it has more clients than descriptors", server)
	server.Sleeps("Serve() while it has no descriptor left for a client: does it accept again without a pause (EMFILE)?")
	last := l.Start(asksOften, lab.Tell("path", path), lab.Tell("id", "8"))
	for _, c := range crowd {
		require.NoError(l, c.Close(), "close() of a client")
	}
	require.NoError(l, last.Wait(), "a client that came when the server had no descriptor left: does Serve go on after EMFILE?")

	// Close ends it, with two clients that stall.
	server.Go()
	l.Call("read() of a client that stalls, when Close() of the Listener was called: does Serve close the connections that are still open? A function that nobody wakes never returns.", func() error {
		_, err := silent.Read(make([]byte, 1))
		return err
	}).ReturnsSoon(io.EOF)
	left := -1
	server.Report(&left)
	require.Zero(l, left, "descriptors in the server that were not there before Listen(), when Serve() has returned: does it close the connections that are still open, and wait for their functions?")
	server.Exit()
	_, err = os.Lstat(path)
	require.ErrorIs(l, err, fs.ErrNotExist, "the socket's file after Close()")

	closesWhoHasJustCome(l)
	for _, s := range listenersOfAllKinds(l) {
		closedByAClient(l, s)
	}
	servesUntilTheLastHasReturned(l)
	forgetsWhoHasLeft(l)
	_, f := rawSocket(l, unix.SOCK_STREAM)
	idle := socket.NewListener(f)
	l.CloseAtEnd(idle)
	l.Call("Serve() of a socket that does not listen: is nil returned only when Close was called?", func() error { return idle.Serve(func(*socket.Conn) {}) }).ReturnsSoon(unix.EINVAL)
	lackOfDescriptors(l)
	copiesLiveOn(l)
	require.NoError(l, l.Start(readsAheadWithoutDescriptors).Wait(), "RecvFile() in a process that has no descriptor left, of messages that were read at once")
}

// closesWhoHasJustCome closes the Listener when clients have been accepted, and none of
// their functions has begun yet, or some.
func closesWhoHasJustCome(l *lab.Lab) {
	path := l.SocketPath("just come")
	for range 3 {
		server := l.Start(closesAtOnce, lab.Tell("path", path))
		var up bool
		server.Report(&up)
		for range 20 {
			connect(l, path)
		}
		server.Go()
		l.Call("Serve() when Close() comes just after clients were accepted: is a client on the list before the next one is accepted? A function that nobody wakes never returns.", server.Wait).ReturnsSoon(nil)
	}
}

// One goroutine at a time: those of the clients begin when Serve waits, and Close is
// before most of them in the queue.
var closesAtOnce = lab.NewRole("server that is closed at once", func(c *lab.Child) error {
	runtime.GOMAXPROCS(1)
	s, err := socket.Listen(c.Text("path"))
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	c.Report(true)
	c.Wait()
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	if err := s.Serve(func(conn *socket.Conn) { conn.Recv() }); err != nil {
		return fmt.Errorf("Serve(): %w", err)
	}
	return <-closed
})

// connect is a client without the package. Its reads and writes wait.
func connect(l *lab.Lab, path string) *os.File {
	for {
		f, err := rawClient(l, path)
		if err == nil {
			return f
		}
		f.Close()
		require.ErrorIs(l, err, unix.EAGAIN, "connect()") // its backlog is full
	}
}

// roomForDescriptors is how many descriptors the server may have.
const roomForDescriptors = 220

var serves = lab.NewRole("server of many", func(c *lab.Child) error {
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: roomForDescriptors, Max: roomForDescriptors}); err != nil {
		return err
	}
	// What is made once and kept is made now: by the runtime, and perhaps by the package.
	if err := servesOne(c.Text("path")); err != nil {
		return err
	}
	before, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	s, err := socket.Listen(c.Text("path"))
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	c.Report(true)
	var told atomic.Bool
	closed := make(chan error, 1)
	go func() {
		c.Wait()
		told.Store(true)
		closed <- s.Close()
	}()
	if err := s.Serve(sendsBack); err != nil {
		return fmt.Errorf("Serve(): %w", err)
	}
	if !told.Load() {
		return errors.New("Serve() returned before Close() was called")
	}
	if err := <-closed; err != nil {
		return fmt.Errorf("Close(): %w", err)
	}
	after, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	c.Report(len(after) - len(before))
	c.Wait()
	return nil
})

// servesOne is the whole life of a server with one client.
func servesOne(path string) error {
	s, err := socket.Listen(path)
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(sendsBack) }()
	c, err := socket.Dial(context.Background(), path)
	if err != nil {
		return fmt.Errorf("Dial(): %w", err)
	}
	err = errors.Join(c.Send([]byte("hello")), expect(c, "hello"), c.Close(), s.Close())
	return errors.Join(err, <-served)
}

// sendsBack is what a server does for one client.
func sendsBack(c *socket.Conn) {
	var buf []byte
	for {
		message, err := c.RecvInto(buf)
		if err != nil || string(message) == "leave me" {
			return
		}
		if c.Send(message) != nil {
			return
		}
		buf = message
	}
}

var asksOften = lab.NewRole("one of several clients", func(c *lab.Child) error {
	conn, err := socket.Dial(context.Background(), c.Text("path"))
	if err != nil {
		return fmt.Errorf("Dial(): %w", err)
	}
	for i := range 30 {
		message := fmt.Sprintf("%s of client %s %s", strconv.Itoa(i), c.Text("id"), pattern(i*i*10))
		if err := conn.Send([]byte(message)); err != nil {
			return fmt.Errorf("Send(): %w", err)
		}
		if err := expect(conn, message); err != nil {
			return fmt.Errorf("Recv(): %w", err)
		}
	}
	if err := conn.CloseWrite(); err != nil {
		return fmt.Errorf("CloseWrite(): %w", err)
	}
	if _, err := conn.Recv(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("Recv() after CloseWrite(): %v, and not io.EOF", err)
	}
	return conn.Close()
})

// bytesAreCounted is the end of step 12: a letter may have more than one byte, and both sides name the limit.
func bytesAreCounted(l *lab.Lab) {
	folder := l.Dir()
	room := socket.MaxPath + 1 - len(folder)
	long := folder + "/" + strings.Repeat("é", room/2+1)
	s, err := socket.Listen(long)
	if err == nil { // there are ways, as above
		require.NoError(l, s.Close(), "Close()")
		return
	}
	require.ErrorIs(l, err, unix.ENAMETOOLONG, "Listen() at a path of %d letters and %d bytes: the kernel counts bytes", len([]rune(long)), len(long))
	_, err = socket.Dial(context.Background(), long)
	require.ErrorIs(l, err, unix.ENAMETOOLONG, "Dial() to a path of %d letters and %d bytes", len([]rune(long)), len(long))
	require.ErrorContains(l, err, fmt.Sprint(socket.MaxPath), "Dial() to a path of %d bytes: the text names the limit, as in Listen()", len(long))
}
