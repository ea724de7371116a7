// Package shm does what its specification says, and nothing to be fast: each call holds a lock
// of its own process, so that Close knows when the mapping may go; indices are read each time;
// and who gives something back wakes all who wait for it.
package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	Folder     = "/dev/shm"
	MaxName    = 255
	HeaderSize = 64
	Version    = 1
)

// magic is in front of each region.
const magic = "ipc-shm\n"

var (
	ErrTooSmall       = errors.New("the region is smaller than asked for")
	ErrFormat         = errors.New("not what this package makes")
	ErrCut            = errors.New("the file was cut under its mapping")
	ErrCorrupt        = errors.New("what another process wrote there makes no sense")
	ErrLocked         = errors.New("somebody else holds the lock")
	ErrZero           = errors.New("the semaphore is at zero")
	ErrOwnerDied      = errors.New("the lock's holder died: the data may be half done")
	ErrNotRecoverable = errors.New("the lock's data was left half done for good")
)

// Create makes a file that has no name until all of it is there (O_TMPFILE), so nobody
// finds it half made, and nothing stays of one whose maker dies before.
func Create(name string, size int, setup func(r *Region) error) (*Region, error) {
	path, err := pathOf("create", name)
	if err != nil {
		return nil, err
	}
	if size < 1 || size > math.MaxInt-HeaderSize {
		return nil, &os.PathError{Op: "create", Path: name, Err: fmt.Errorf("a size of %d bytes: %w", size, unix.EINVAL)}
	}
	r, fd, err := makeNameless(name, size)
	if err != nil {
		return nil, &os.PathError{Op: "create", Path: name, Err: err}
	}
	defer func() {
		if p := recover(); p != nil { // of setup
			r.Close()
			panic(p)
		}
	}()
	defer unix.Close(fd)
	if setup != nil {
		if err := setup(r); err != nil {
			r.Close()
			return nil, err
		}
	}
	// By its number, since AT_EMPTY_PATH needs a capability.
	err = again(func() error {
		return unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	})
	if err != nil {
		r.Close()
		return nil, &os.PathError{Op: "create", Path: name, Err: err}
	}
	return r, nil
}

// makeNameless makes a region that no other process can find. The space is reserved: a
// page that is missing later is SIGBUS, for whoever touches it.
func makeNameless(name string, size int) (*Region, int, error) {
	fd, err := openAgain(Folder, unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, -1, err
	}
	// The umask may have taken away some of them.
	err = again(func() error { return unix.Fchmod(fd, 0o600) })
	if err == nil {
		err = again(func() error { return unix.Fallocate(fd, 0, 0, int64(HeaderSize+size)) })
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOMEM) {
			err = fmt.Errorf("%d bytes in %s, which is full (df %s): %w", size, Folder, Folder, err)
		}
	}
	if err == nil {
		_, err = unix.Pwrite(fd, header(size), 0)
	}
	var r *Region
	if err == nil {
		r, err = mapped(name, fd, size)
	}
	if err != nil {
		unix.Close(fd)
		return nil, -1, err
	}
	return r, fd, nil
}

func header(size int) []byte {
	h := make([]byte, HeaderSize)
	copy(h, magic)
	binary.NativeEndian.PutUint32(h[8:], Version)
	binary.NativeEndian.PutUint64(h[16:], uint64(size))
	return h
}

// Attach reads the header with pread(2): the mapping of a file that is too short would be
// SIGBUS.
func Attach(name string, size int) (*Region, error) {
	path, err := pathOf("attach", name)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*Region, error) { return nil, &os.PathError{Op: "attach", Path: name, Err: err} }
	if size < 0 {
		return fail(fmt.Errorf("a size of %d bytes: %w", size, unix.EINVAL))
	}
	fd, err := openAgain(path, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fail(err)
	}
	defer unix.Close(fd)
	has, err := sizeOf(fd)
	if err != nil {
		return fail(err)
	}
	if size > has {
		return fail(fmt.Errorf("%w: it has %d bytes, not %d", ErrTooSmall, has, size))
	}
	r, err := mapped(name, fd, has)
	if err != nil {
		return fail(err)
	}
	return r, nil
}

// sizeOf checks what lies there, and returns how many bytes it has for its users.
func sizeOf(fd int) (int, error) {
	var s unix.Stat_t
	if err := unix.Fstat(fd, &s); err != nil {
		return 0, err
	}
	if s.Mode&unix.S_IFMT != unix.S_IFREG {
		return 0, fmt.Errorf("%w: no regular file", ErrFormat)
	}
	h := make([]byte, HeaderSize)
	n, err := unix.Pread(fd, h, 0)
	switch {
	case err != nil:
		return 0, err
	case n < HeaderSize:
		return 0, fmt.Errorf("%w: %d bytes are less than a header", ErrFormat, s.Size)
	case string(h[:8]) != magic:
		return 0, fmt.Errorf("%w: it does not begin with %q", ErrFormat, magic)
	}
	if v := binary.NativeEndian.Uint32(h[8:]); v != Version {
		return 0, fmt.Errorf("%w: it is of version %d, and this is version %d", ErrFormat, v, Version)
	}
	size := binary.NativeEndian.Uint64(h[16:])
	if size < 1 || size > math.MaxInt-HeaderSize || s.Size != int64(HeaderSize+size) {
		return 0, fmt.Errorf("%w: its header says %d bytes, and the file has %d with its header", ErrFormat, size, s.Size)
	}
	return int(size), nil
}

// Renew makes the name free and takes it, until both succeed: another process may take
// it in between. EEXIST of setup is no other process: it would come again and again.
func Renew(name string, size int, setup func(r *Region) error) (*Region, error) {
	var failed error
	noted := func(r *Region) error {
		if setup != nil {
			failed = setup(r)
		}
		return failed
	}
	for {
		if err := Remove(name); err != nil && !errors.Is(err, unix.ENOENT) {
			return nil, err
		}
		r, err := Create(name, size, noted)
		if failed != nil || !errors.Is(err, unix.EEXIST) {
			return r, err
		}
	}
}

func Remove(name string) error {
	path, err := pathOf("remove", name)
	if err != nil {
		return err
	}
	if err := again(func() error { return unix.Unlink(path) }); err != nil {
		return &os.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

// pathOf checks a name and returns its file.
func pathOf(op, name string) (string, error) {
	rest, ok := strings.CutPrefix(name, "/")
	var errno unix.Errno
	switch {
	case !ok || rest == "" || rest == "." || rest == ".." || strings.ContainsAny(rest, "/\x00"):
		errno = unix.EINVAL
	case len(rest) > MaxName:
		errno = unix.ENAMETOOLONG
	default:
		return filepath.Join(Folder, rest), nil
	}
	return "", &os.PathError{Op: op, Path: name, Err: errno}
}

func openAgain(path string, flag int, perm uint32) (fd int, err error) {
	err = again(func() (err error) { fd, err = unix.Open(path, flag, perm); return err })
	return fd, err
}

// again makes a call once more when a signal has interrupted it, as package os does.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
