package residue_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/residue"
)

// things are one object of each kind, to be made. A key of 0 makes System V
// objects that nobody else can find by a key (IPC_PRIVATE).
type things struct {
	Name   string // of the POSIX objects
	Key    int
	Folder string // for files
	Ledger string // the folder of the ledger in which name and key are noted, or ""
	Quiet  bool   // make the System V objects, but send nothing and change nothing
}

// newThings invents names. The test removes what bears them, however it ends.
func newThings(t *testing.T) things {
	t.Helper()
	name := fmt.Sprintf("/ipc-%d-%08x-own-test", os.Getpid(), rand.Uint32())
	key := int(rand.Int32N(1<<30)) + 1
	folder, err := os.MkdirTemp("", "residue")
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, residue.Note(folder, residue.Name, name))
		require.NoError(t, residue.Note(folder, residue.Key, fmt.Sprint(key)))
		require.NoError(t, residue.CleanUp(folder))
		require.NoError(t, os.RemoveAll(folder))
	})
	return things{Name: name, Key: key, Folder: folder}
}

// made are the ids of what was made.
type made struct {
	PID, Queue, Set, Segment int
}

func (m things) make() (made, error) {
	out := made{PID: os.Getpid()}
	if m.Ledger != "" {
		if err := residue.Note(m.Ledger, residue.Name, m.Name); err != nil {
			return out, err
		}
		if err := residue.Note(m.Ledger, residue.Key, fmt.Sprint(m.Key)); err != nil {
			return out, err
		}
	}
	var err error
	try := func(what string, f func() error) {
		if err == nil {
			if err = f(); err != nil {
				err = fmt.Errorf("%s: %w", what, err)
			}
		}
	}
	try("msgget", func() (err error) { out.Queue, err = call(unix.SYS_MSGGET, m.Key, unix.IPC_CREAT|0o600); return })
	try("semget", func() (err error) { out.Set, err = call(unix.SYS_SEMGET, m.Key, 2, unix.IPC_CREAT|0o600); return })
	try("shmget", func() (err error) {
		out.Segment, err = unix.SysvShmGet(m.Key, 4096, unix.IPC_CREAT|0o600)
		return
	})
	if !m.Quiet {
		try("msgsnd", func() error { return send(out.Queue) })
		// SETVAL of the second semaphore.
		try("semctl", func() error { _, err := call(unix.SYS_SEMCTL, out.Set, 1, 16, 1); return err })
	}
	if m.Name != "" {
		try("mq_open", func() error { return makeQueue(m.Name, 0o600) })
		try("shared memory", func() error { return os.WriteFile("/dev/shm"+m.Name, []byte("hello"), 0o600) })
		try("semaphore", func() error { return os.WriteFile("/dev/shm/sem."+m.Name[1:], make([]byte, 32), 0o600) })
	}
	if m.Folder != "" {
		try("socket", func() error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(m.Folder, "a.sock")})
		})
		try("FIFO", func() error { return unix.Mkfifo(filepath.Join(m.Folder, "fifo"), 0o600) })
		try("file", func() error { return os.WriteFile(filepath.Join(m.Folder, "a.lock"), []byte("x"), 0o600) })
		try("folder", func() error { return os.Mkdir(filepath.Join(m.Folder, "spool"), 0o700) })
	}
	return out, err
}

func call(number uintptr, args ...int) (int, error) {
	var a [6]uintptr
	for i, arg := range args {
		a[i] = uintptr(arg)
	}
	n, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// send sends a message of five bytes.
func send(queue int) error {
	message := struct {
		kind int
		text [8]byte
	}{kind: 1}
	_, _, errno := unix.Syscall6(unix.SYS_MSGSND, uintptr(queue), uintptr(unsafe.Pointer(&message)), 5, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func makeQueue(name string, mode uintptr) error {
	text, err := unix.BytePtrFromString(name[1:])
	if err != nil {
		return err
	}
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(text)), unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, mode, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return unix.Close(int(fd))
}

// TestMain lets the test binary be its own child: it makes things, says so, and
// waits until its standard input ends.
func TestMain(m *testing.M) {
	order := os.Getenv("RESIDUE_MAKE")
	if order == "" {
		os.Exit(m.Run())
	}
	var t things
	err := json.Unmarshal([]byte(order), &t)
	var out made
	if err == nil {
		out, err = t.make()
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// child makes things in another process, which stays until it is killed or the
// test ends.
func child(t *testing.T, m things) (*exec.Cmd, made) {
	t.Helper()
	text, err := json.Marshal(m)
	require.NoError(t, err)
	cmd := exec.Command("/proc/self/exe")
	// The race detector would sleep for a second at the end of each child.
	cmd.Env = append(os.Environ(), "RESIDUE_MAKE="+string(text), "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs strings.Builder
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var got made
	err = json.NewDecoder(out).Decode(&got)
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait() // killed by the test, or ended
	})
	if err != nil {
		in.Close()
		_ = cmd.Wait()
		require.NoError(t, err, errs.String())
	}
	return cmd, got
}
