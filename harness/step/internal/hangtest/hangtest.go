// Package hangtest starts processes that are going to hang, for the tests of what is
// read of them and of what is said about them. Each is the test binary itself, which is
// started again: TestMain calls [Main], and the environment has the name of the helper
// in HANG_HELPER. One that has HANG_DEAF too gives no dump.
package hangtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// helpers are what the test binary does when it is started as its own child.
var helpers = map[string]func(){}

// Helper registers a helper, next to the test that uses it.
func Helper(name string, f func()) string {
	if helpers[name] != nil {
		panic("helper " + name + " is there twice")
	}
	helpers[name] = f
	return name
}

// Main runs the helper that the environment names, or else the tests.
func Main(m *testing.M) {
	name := os.Getenv("HANG_HELPER")
	if name == "" {
		os.Exit(m.Run())
	}
	if os.Getenv("HANG_DEAF") != "" {
		signal.Notify(make(chan os.Signal, 1), unix.SIGQUIT)
	}
	if helpers[name] == nil {
		fmt.Fprintln(os.Stderr, "no helper", name)
		os.Exit(2)
	}
	takeLowNumbers()
	helpers[name]()
	os.Exit(0)
}

// takeLowNumbers makes 20 the first descriptor that a helper opens. How many the
// runtime has open before depends on the machine: it keeps files of the cgroup.
func takeLowNumbers() {
	for {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			panic(err)
		}
		if fd >= 20 {
			unix.Close(fd)
			return
		}
	}
}

// Child is a process that is going to hang.
type Child struct {
	Cmd    *exec.Cmd
	Stderr bytes.Buffer
	Ended  chan struct{} // closed when it was waited for
}

// Start starts a helper with descriptors 3, 4, … It dies with the test.
func Start(t *testing.T, role, helper string, env []string, fds ...int) *Child {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	c := &Child{Cmd: exec.Command(exe), Ended: make(chan struct{})}
	c.Cmd.Env = append(os.Environ(), "HANG_HELPER="+helper, "GOTRACEBACK=all")
	if role == "the test" {
		c.Cmd.Env = append(c.Cmd.Env, "IPC_CONTROL=99")
	} else {
		c.Cmd.Env = append(c.Cmd.Env, "IPC_ROLE="+role)
	}
	c.Cmd.Env = append(c.Cmd.Env, env...)
	c.Cmd.Stderr = &c.Stderr
	c.Cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	for _, fd := range fds {
		// A copy, because the garbage collector closes an os.File.
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		require.NoError(t, err)
		f := os.NewFile(uintptr(dup), "handed over")
		defer f.Close()
		c.Cmd.ExtraFiles = append(c.Cmd.ExtraFiles, f)
	}
	require.NoError(t, c.Cmd.Start())
	go func() {
		c.Cmd.Wait()
		close(c.Ended)
	}()
	t.Cleanup(c.kill)
	return c
}

// PID is the number of the process.
func (c *Child) PID() int { return c.Cmd.Process.Pid }

func (c *Child) kill() {
	c.Cmd.Process.Kill()
	<-c.Ended
}

// Pipe makes a pipe with blocking ends, which the test closes at its end.
func Pipe(t *testing.T) (r, w int) {
	t.Helper()
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	return p[0], p[1]
}

// CloseNow closes a descriptor before the end of the test.
//
// The number stays taken, by /dev/null: the clean-up closes it once more, and
// must not hit somebody else's.
func CloseNow(t *testing.T, fds ...int) {
	t.Helper()
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(null)
	for _, fd := range fds {
		require.NoError(t, unix.Dup3(null, fd, unix.O_CLOEXEC))
	}
}

// Patience is how long a test waits for what must come. It is long, because
// nothing depends on it but how late a broken test fails.
const Patience = 30 * time.Second

// Eventually looks until it is true.
func Eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !is(); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(end), "waited %v: %s", Patience, what)
	}
}

// Hang waits until all of them sleep and nothing moves any more.
func Hang(t *testing.T, children ...*Child) {
	t.Helper()
	var pids []int
	for _, c := range children {
		pids = append(pids, c.PID())
	}
	Eventually(t, "the processes sleep", func() bool { return Still(func() []int { return pids }) })
}

// Still reports whether three looks see the same processes asleep.
func Still(pids func() []int) bool {
	before := procfs.Look(pids())
	for range 2 {
		procfs.Pause(20 * time.Millisecond)
		now := procfs.Look(pids())
		if !before.Asleep() || !now.Asleep() || !before.SameAs(now) {
			return false
		}
		before = now
	}
	return true
}

// Read reads the processes.
func Read(t *testing.T, children ...*Child) []procfs.Process {
	t.Helper()
	var ps []procfs.Process
	for _, c := range children {
		p, err := procfs.Read(c.PID())
		require.NoError(t, err)
		ps = append(ps, p)
	}
	return ps
}
