// Package kept writes what the workbook keeps for another day: as a whole or not at
// all, and under a lock where several runs may write at once.
package kept

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// File writes a file as a whole or not at all: what was there stays until the new one
// is complete. Its folder has to be there.
func File(path string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it is gone if all went well
	err = write(f)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Lock waits until this process alone may change what is in a folder, which it makes
// where it is missing. The lock is flock(2) on a file there: it is gone with unlock, and
// with the process, however that ends.
func Lock(folder string) (unlock func(), err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func flock(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = conn.Control(func(fd uintptr) {
		for {
			if lockErr = unix.Flock(int(fd), unix.LOCK_EX); lockErr != unix.EINTR {
				return
			}
		}
	})
	return errors.Join(err, os.NewSyscallError("flock", lockErr))
}
