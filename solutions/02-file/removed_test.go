package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// unlink(2) says that the last link is gone (IN_ATTRIB) a moment before the name is. The
// reference has to tell by the number of links. Here the moment lasts: the path leads on,
// through a descriptor. No step asks for it, since no program can bring that moment about
// at a file's own name.
func TestARemovedFileWhoseNameIsStillThere(t *testing.T) {
	dir := t.TempDir()
	path, name := filepath.Join(dir, "records"), filepath.Join(dir, "name")
	holds, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer holds.Close()
	if err := os.Symlink(fmt.Sprintf("/proc/self/fd/%d", holds.Fd()), name); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make(chan error, 1)
	go func() { _, err := r.Recv(); got <- err }()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-got:
		if !errors.Is(err, ErrReplaced) {
			t.Fatalf("Recv() of a removed file: %v", err)
		}
	case <-time.After(10 * time.Second): // only where it waits for ever
		t.Fatal("Recv() of a removed file waits: its name is still there, but no link")
	}
}
