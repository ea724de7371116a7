// Package replace writes files as a whole or not at all.
package replace

import (
	"errors"
	"os"
	"path/filepath"
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
