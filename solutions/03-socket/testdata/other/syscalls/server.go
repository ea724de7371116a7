package socket

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Listener waits for clients at an address.
type Listener struct {
	e    *end
	path string
	file os.FileInfo

	spare *os.File // closed by Close: its lock needs a descriptor
}

// NewListener makes the socket one that does not block: between poll and accept
// another process may take the client.
func NewListener(f *os.File) *Listener {
	l := &Listener{e: own(f)}
	if l.e.err == nil {
		l.e.err = unix.SetNonblock(l.e.fd, true)
	}
	return l
}

func (l *Listener) SyscallConn() (syscall.RawConn, error) { return l.e.SyscallConn() }

func isAbstract(address string) bool { return address[0] == '@' }

func check(address string) error {
	switch {
	case address == "" || address == "@" || slices.Contains([]byte(address), 0):
		return fmt.Errorf("%q is no address: %w", address, unix.EINVAL)
	case isAbstract(address) && len(address) > MaxPath:
		return fmt.Errorf("%d bytes are more than %d: %w", len(address), MaxPath, unix.ENAMETOOLONG)
	}
	return nil
}

func Listen(address string) (*Listener, error) {
	if err := check(address); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	e, err := newEnd(fd)
	if err != nil {
		return nil, err
	}
	l := &Listener{e: e}
	if isAbstract(address) {
		err = bindAndListen(fd, address)
	} else {
		l.path, err = filepath.Abs(address)
		if err == nil {
			l.spare, err = os.Open(os.DevNull)
		}
		if err == nil {
			l.file, err = listenAt(fd, address)
		}
	}
	if err != nil {
		l.spare.Close()
		e.Close()
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return l, nil
}

func bindAndListen(fd int, name string) error {
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		return err
	}
	return unix.Listen(fd, 128)
}

// listenAt makes the socket in a folder that nobody else may enter, and gives it its
// name when it is ready. A folder is reached through its descriptor, so its path may
// be long.
func listenAt(fd int, path string) (os.FileInfo, error) {
	private, err := os.MkdirTemp(filepath.Dir(path), ".new")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	folder, err := unix.Open(private, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(folder)
	if err := bindAndListen(fd, fmt.Sprintf("/proc/self/fd/%d/s", folder)); err != nil {
		return nil, err
	}
	made := filepath.Join(private, "s")
	if err := os.Chmod(made, 0o600); err != nil {
		return nil, err
	}
	unlock, err := lock(path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err = unix.Link(made, path); err == unix.EEXIST && isStale(path) {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		err = unix.Link(made, path)
	}
	if err == unix.EEXIST {
		err = unix.EADDRINUSE
	}
	if err != nil {
		return nil, err
	}
	return os.Lstat(path)
}

// lock takes an abstract name that stands for the path. It is free again when its
// holder has closed it, or is dead.
func lock(path string) (unlock func(), err error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	sum := fnv.New128a()
	sum.Write([]byte(whole))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("@lock-%x", sum.Sum(nil))})
		if err == nil {
			return func() { unix.Close(fd) }, nil
		}
		if err != unix.EADDRINUSE {
			unix.Close(fd)
			return nil, err
		}
		time.Sleep(200 * time.Microsecond)
	}
}

func isStale(path string) bool {
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSocket {
		return false // a link, for instance
	}
	fd, err := connect(path)
	if err == nil {
		unix.Close(fd)
	}
	return err == unix.ECONNREFUSED
}

// errNoSocket is what stands at a path where there is no socket.
var errNoSocket = errors.New("there is no socket")

// connect reaches a socket through a descriptor for its file, so its path may be long.
func connect(address string) (int, error) {
	name := address
	if !isAbstract(address) {
		file, err := unix.Open(address, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, err
		}
		defer unix.Close(file)
		var st unix.Stat_t
		if err := unix.Fstat(file, &st); err != nil {
			return -1, err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
			return -1, errNoSocket
		}
		name = fmt.Sprintf("/proc/self/fd/%d", file)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: name})
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func Dial(ctx context.Context, address string) (*Conn, error) {
	if err := check(address); err != nil {
		return nil, err
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		fd, err := connect(address)
		switch err {
		case nil:
			e, err := newEnd(fd)
			if err != nil {
				return nil, err
			}
			return &Conn{e}, nil
		case unix.ENOENT, unix.ECONNREFUSED, unix.EAGAIN:
			wait, cancel := context.WithTimeout(ctx, pause)
			<-wait.Done()
			cancel()
		default:
			return nil, fmt.Errorf("%s: %w", address, err)
		}
	}
}

func (l *Listener) Close() error {
	if l.path == "" || l.e.closed.Load() {
		return l.e.Close()
	}
	l.spare.Close()
	unlock, err := lock(l.path)
	if err == nil {
		if there, statErr := os.Lstat(l.path); statErr == nil && os.SameFile(there, l.file) {
			err = os.Remove(l.path)
		}
		unlock()
	}
	return errors.Join(err, l.e.Close())
}

// Accept has the eventfd before the client: a client that it has taken cannot be put
// back.
func (l *Listener) Accept() (*Conn, error) {
	e, err := newEnd(-1)
	if err != nil {
		return nil, err
	}
	err = l.e.do("accept4", unix.POLLIN, func() (err error) {
		e.fd, _, err = unix.Accept4(l.e.fd, unix.SOCK_CLOEXEC)
		return err
	})
	if err != nil {
		unix.Close(e.wake)
		return nil, err
	}
	return &Conn{e}, nil
}

func (l *Listener) AcceptFrom(uids []int) (*Conn, error) {
	for {
		c, err := l.Accept()
		if err != nil {
			return nil, err
		}
		if peer, err := c.Peer(); err == nil && slices.Contains(uids, peer.UID) {
			return c, nil
		}
		c.Close()
	}
}

func (l *Listener) Serve(handle func(*Conn)) error {
	var clients sync.WaitGroup
	var open sync.Map
	defer clients.Wait()
	defer open.Range(func(c, _ any) bool { c.(*Conn).Close(); return true })
	for {
		c, err := l.Accept()
		switch {
		case err == errClosed:
			return nil
		case errors.Is(err, unix.EMFILE):
			time.Sleep(10 * time.Millisecond)
			continue
		case err != nil:
			return err
		}
		open.Store(c, true)
		clients.Go(func() {
			defer open.Delete(c)
			defer c.Close()
			handle(c)
		})
	}
}
