package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/residue"
	"ipcworkbook/harness/verdict"
)

// What is given out here is random and noted first. So two runs at the same time
// never meet, and what bears such a name is removed even after a SIGKILL.

// Name returns a new name for a POSIX queue, shared memory object or semaphore.
// It begins with a slash and has no other one, as mq_open(3), shm_open(3) and
// sem_open(3) ask for. What is for the reader of a message: "jobs".
func (l *Lab) Name(what string) string {
	name := fmt.Sprintf("/ipc-%d-%08x-%s", os.Getppid(), rand.Uint32(), what)
	if !residue.NamePattern.MatchString(name) {
		l.Fault("a name is made of small letters, digits and hyphens: %q", what)
	}
	l.note(residue.Name, name)
	return name
}

// Key returns a new key for a System V queue, semaphore set or shared memory
// segment. It is never IPC_PRIVATE, and no object has it yet.
func (l *Lab) Key() int {
	for {
		key := int(rand.Int32())
		if key != unix.IPC_PRIVATE && !residue.KeyInUse(key) {
			l.note(residue.Key, strconv.Itoa(key))
			return key
		}
	}
}

// Path returns the path of a file in a folder of this test's own. The same what
// gives the same path.
//
// The file itself may stay when the step ends. All else that stays in that folder
// is residue: a lock beside the file, or a temporary one that was to be renamed.
func (l *Lab) Path(what string) string {
	if what == "" || what == "." || what == ".." || strings.ContainsAny(what, "/\n") {
		l.Fault("not the name of a file: %q", what)
	}
	if l.files == "" {
		dir, err := os.MkdirTemp(l.stepsFolder(), "t")
		if err != nil {
			l.Fault("making a folder: %v", err)
		}
		l.files = dir
	}
	path := filepath.Join(l.files, what)
	l.note(residue.Path, path)
	return path
}

// SocketPath is Path for the file of a socket. The address of a socket is short:
// where TMPDIR is a long path the step is unsupported.
func (l *Lab) SocketPath(what string) string {
	path := l.Path(what)
	// A byte of the address is for the NUL at its end (unix(7)).
	if longest := len(unix.RawSockaddrUnix{}.Path) - 1; len(path) > longest {
		l.Unsupported("The address of a socket has at most %d bytes (unix(7)), and %s has %d.\n"+
			"TMPDIR=/tmp in the environment makes it shorter.", longest, path, len(path))
	}
	return path
}

// Dir returns a folder of this test's own, for a test that has business of its
// own there: what lies in it may stay.
func (l *Lab) Dir() string {
	dir := l.Path("dir")
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		l.Fault("making a folder: %v", err)
	}
	return dir
}

// note notes what is given out before anybody can use it.
func (l *Lab) note(about, what string) {
	if err := residue.Note(l.stepsFolder(), about, what); err != nil {
		l.Fault("noting a name: %v", err)
	}
}

// stepsFolder is the step's own folder, which the supervisor removes.
func (l *Lab) stepsFolder() string {
	folder := os.Getenv(verdict.EnvDir)
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		l.Fault("making a folder: %v", err)
	}
	return folder
}
