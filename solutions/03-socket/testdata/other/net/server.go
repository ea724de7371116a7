package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Listener waits for clients at an address.
type Listener struct {
	l    *net.UnixListener
	err  error // why there is none
	path string
	file fs.FileInfo

	spare *os.File // closed by Close: its lock needs a descriptor
	once  sync.Once
}

func NewListener(f *os.File) *Listener {
	l, err := net.FileListener(f)
	if err != nil {
		return &Listener{err: err}
	}
	f.Close()
	at, ok := l.(*net.UnixListener)
	if !ok {
		l.Close()
		return &Listener{err: errors.ErrUnsupported}
	}
	at.SetUnlinkOnClose(false)
	return &Listener{l: at}
}

func (l *Listener) SyscallConn() (syscall.RawConn, error) {
	if l.err != nil {
		return nil, l.err
	}
	return l.l.SyscallConn()
}

func check(address string) error {
	if address == "" || address == "@" || strings.Contains(address, "\x00") {
		return unix.EINVAL
	}
	if len(address) > MaxPath {
		return fmt.Errorf("%w: %d bytes are more than %d", unix.ENAMETOOLONG, len(address), MaxPath)
	}
	return nil
}

func Listen(address string) (*Listener, error) {
	if err := check(address); err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var chmodErr error
		err := raw.Control(func(fd uintptr) { chmodErr = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(err, chmodErr)
	}}
	l := &Listener{}
	if !strings.HasPrefix(address, "@") {
		var err error
		if l.path, err = filepath.Abs(address); err != nil {
			return nil, err
		}
		unlock, err := lock(address)
		if err != nil {
			return nil, err
		}
		defer unlock()
		if isStale(address) {
			if err := os.Remove(address); err != nil {
				return nil, err
			}
		}
	}
	made, err := config.Listen(context.Background(), "unix", address)
	if err != nil {
		var call *os.SyscallError
		if l.path != "" && errors.As(err, &call) && call.Syscall == "listen" {
			os.Remove(address) // bind(2) has made it
		}
		return nil, err
	}
	l.l = made.(*net.UnixListener)
	l.l.SetUnlinkOnClose(false)
	if l.path != "" {
		l.file, err = os.Lstat(l.path)
		if err == nil {
			l.spare, err = os.Open(os.DevNull)
		}
		if err != nil {
			os.Remove(l.path)
			l.l.Close()
			return nil, err
		}
	}
	return l, nil
}

// isStale asks by a connection, which does not wait: in package net every socket is
// non-blocking.
func isStale(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
	}
	return errors.Is(err, unix.ECONNREFUSED)
}

// lock takes a lock on a file beside the socket, and removes the file in the end. Who
// has waited for the lock may have that of a file that is not there any more.
func lock(path string) (unlock func(), err error) {
	name := path + ".lock"
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		for err = unix.EINTR; err == unix.EINTR; {
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		ours, err := f.Stat()
		if err == nil {
			var there fs.FileInfo
			if there, err = os.Stat(name); err == nil && os.SameFile(ours, there) {
				return func() { os.Remove(name); f.Close() }, nil
			}
		}
		f.Close()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

func (l *Listener) Close() error {
	if l.err != nil {
		return l.err
	}
	err := os.ErrClosed
	l.once.Do(func() { err = l.close() })
	return err
}

func (l *Listener) close() error {
	var err error
	if l.path != "" {
		l.spare.Close()
		var unlock func()
		if unlock, err = lock(l.path); err == nil {
			defer unlock()
			if there, statErr := os.Lstat(l.path); statErr == nil && os.SameFile(there, l.file) {
				err = os.Remove(l.path)
			}
		}
	}
	return errors.Join(err, l.l.Close())
}

func (l *Listener) Accept() (*Conn, error) {
	if l.err != nil {
		return nil, l.err
	}
	c, err := l.l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	return &Conn{c}, nil
}

func (l *Listener) AcceptFrom(uids []int) (*Conn, error) {
	for {
		c, err := l.Accept()
		if err != nil {
			return nil, err
		}
		peer, err := c.Peer()
		for _, uid := range uids {
			if err == nil && uid == peer.UID {
				return c, nil
			}
		}
		c.Close()
	}
}

func (l *Listener) Serve(handle func(*Conn)) error {
	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if err != nil {
			return err
		}
		clients.Go(func() {
			defer c.Close()
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			handle(c)
		})
	}
}

func Dial(ctx context.Context, address string) (*Conn, error) {
	if err := check(address); err != nil {
		return nil, err
	}
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for {
		var d net.Dialer
		c, err := d.DialContext(ctx, "unix", address)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil, ctx.Err()
		case err == nil:
			return &Conn{c.(*net.UnixConn)}, nil
		case !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.EAGAIN):
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-pause.C:
		}
	}
}
