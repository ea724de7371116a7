package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"weak"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// worksInADeepFolder is a part of step 12: the address counts, and not the way to it. And
// "./@name" is a path.
var worksInADeepFolder = lab.NewRole("server at relative paths", func(c *lab.Child) error {
	if err := os.Chdir(c.Text("folder")); err != nil {
		return err
	}
	for _, at := range [][2]string{
		{"s", "is the address made longer first (filepath.Abs)? The path of the folder has too many bytes for an address"},
		{"./@name", "is the address made shorter first (filepath.Clean)? Without \"./\" it is an abstract name"},
	} {
		address, reason := at[0], at[1]
		s, err := socket.Listen(address)
		if err != nil {
			return fmt.Errorf("Listen(%q): %w: %s", address, err, reason)
		}
		file := "./" + strings.TrimPrefix(address, "./")
		if _, err := os.Lstat(file); err != nil {
			return fmt.Errorf("the file of Listen(%q): %w: %s", address, err, reason)
		}
		client, err := socket.Dial(context.Background(), address)
		if err != nil {
			return fmt.Errorf("Dial(%q): %w", address, err)
		}
		accepted, err := s.Accept()
		if err != nil {
			return fmt.Errorf("Accept(): %w", err)
		}
		err = errors.Join(client.Send([]byte("hello")), expect(accepted, "hello"), client.Close(), accepted.Close(), s.Close())
		if err != nil {
			return fmt.Errorf("a message to a server at %q: %w", address, err)
		}
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the file of Listen(%q) is still there after Close()", address)
		}
	}
	return nil
})

// A kind is a way to get a Listener.
type kind struct {
	name, address string
	listener      *socket.Listener
}

// listenersOfAllKinds are at a path, at an abstract name, and made by somebody else.
func listenersOfAllKinds(l *lab.Lab) []kind {
	path, name, theirs := l.SocketPath("path"), "@"+l.Name("closed-by-a-client"), l.SocketPath("theirs")
	_, f := rawServer(l, theirs, unix.SOCK_STREAM, 8)
	handed := socket.NewListener(f)
	l.CloseAtEnd(handed)
	return []kind{
		{"at a path", path, listen(l, path)},
		{"at an abstract name", name, listen(l, name)},
		{"that was handed over", theirs, handed},
	}
}

// closedByAClient closes the Listener, and the connection, in a client's function.
func closedByAClient(l *lab.Lab, k kind) {
	serving := l.Call("Serve() of a Listener "+k.name+", when a client's function calls Close() of it: does Close wait for that function? Does every Listener remember that Close was called?", func() error {
		return k.listener.Serve(func(c *socket.Conn) {
			c.Recv()
			c.Close()
			k.listener.Close()
		})
	})
	c := dial(l, k.address)
	require.NoError(l, c.Send(nil), "Send()")
	serving.ReturnsSoon(nil)
}

// servesUntilTheLastHasReturned closes the Listener while a client's function has still
// something to do.
func servesUntilTheLastHasReturned(l *lab.Lab) {
	path := l.SocketPath("goes on")
	s := listen(l, path)
	mayEnd := make(chan struct{})
	serving := l.Call("Serve(), when Close() was called and a client's function goes on: does Serve wait until the last of them has returned?", func() error {
		return s.Serve(func(c *socket.Conn) {
			c.Send([]byte("begun"))
			<-mayEnd
		})
	})
	require.NoError(l, expect(dial(l, path), "begun"), "Recv() from a client's function in Serve()")
	require.NoError(l, s.Close(), "Close() of the Listener")
	serving.Blocks("a client's function has not returned")
	close(mayEnd)
	serving.Returns(nil)
}

// forgetsWhoHasLeft serves clients one after the other, and looks what is left of them.
func forgetsWhoHasLeft(l *lab.Lab) {
	path := l.SocketPath("forgets")
	s := listen(l, path)
	const many = 100
	var mu sync.Mutex
	served := map[weak.Pointer[socket.Conn]]bool{}
	serving := l.Call("Serve()", func() error {
		return s.Serve(func(c *socket.Conn) {
			mu.Lock()
			served[weak.Make(c)] = true
			mu.Unlock()
			sendsBack(c)
		})
	})
	for range many {
		c := connect(l, path)
		write(l, c, frame("hello"))
		_, err := io.ReadFull(c, make([]byte, len(frame("hello"))))
		require.NoError(l, err, "the answer to one of %d clients", many)
		require.NoError(l, c.Close(), "close() of a client")
	}
	serving.Blocks("all clients have left, and Close() was not called")
	lab.CollectGarbage()
	left := 0
	mu.Lock()
	for c := range served {
		if c.Value() != nil {
			left++
		}
	}
	mu.Unlock()
	require.Less(l, left, many/2, "how many connections are still in memory, when all of %d clients have left: does Serve keep a list of them from which nobody is removed?", many)
	require.NoError(l, s.Close(), "Close() of the Listener")
	serving.Returns(nil)
}

// copiesLiveOn ends Serve while somebody else has a copy of a client's connection.
func copiesLiveOn(l *lab.Lab) {
	path := l.SocketPath("copies")
	s := listen(l, path)
	served := make(chan *socket.Conn, 1)
	serving := l.Call("Serve()", func() error {
		return s.Serve(func(c *socket.Conn) {
			served <- c
			c.Recv()
		})
	})
	c := dial(l, path)
	theirs := l.File(<-served)
	require.NoError(l, s.Close(), "Close() of the Listener")
	serving.Returns(nil)
	_, err := theirs.Write(frame("still here"))
	require.NoError(l, err, "write() to a copy of a connection, when Serve() has closed its own: the connection ends when the last copy is closed. Was it shut down for all of them (shutdown(2))?")
	require.NoError(l, expect(c, "still here"), "Recv() of what was written to the copy")
}
