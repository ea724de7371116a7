package procfs_test

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
// Each is registered next to the test that uses it.
var helpers = map[string]func(){}

func helper(name string, f func()) string {
	if helpers[name] != nil {
		panic("helper " + name + " is there twice")
	}
	helpers[name] = f
	return name
}

func TestMain(m *testing.M) {
	name := os.Getenv("PROCFS_HELPER")
	if name == "" {
		os.Exit(m.Run())
	}
	if os.Getenv("PROCFS_DEAF") != "" {
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

// child is a process that is going to hang.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{} // closed when it was waited for
}

// start starts a helper with descriptors 3, 4, … It dies with the test.
func start(t *testing.T, role, helper string, env []string, fds ...int) *child {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	c := &child{t: t, cmd: exec.Command(exe), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), "PROCFS_HELPER="+helper, "GOTRACEBACK=all")
	if role == "the test" {
		c.cmd.Env = append(c.cmd.Env, "IPC_CONTROL=99")
	} else {
		c.cmd.Env = append(c.cmd.Env, "IPC_ROLE="+role)
	}
	c.cmd.Env = append(c.cmd.Env, env...)
	c.cmd.Stderr = &c.stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	for _, fd := range fds {
		// A copy, because the garbage collector closes an os.File.
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		require.NoError(t, err)
		f := os.NewFile(uintptr(dup), "handed over")
		defer f.Close()
		c.cmd.ExtraFiles = append(c.cmd.ExtraFiles, f)
	}
	require.NoError(t, c.cmd.Start())
	go func() {
		c.cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(c.kill)
	return c
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) kill() {
	c.cmd.Process.Kill()
	<-c.ended
}

// pipe makes a pipe with blocking ends, which the test closes at its end.
func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	return p[0], p[1]
}

// closeNow closes a descriptor before the end of the test.
//
// The number stays taken, by /dev/null: the clean-up closes it once more, and
// must not hit somebody else's.
func closeNow(t *testing.T, fds ...int) {
	t.Helper()
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(null)
	for _, fd := range fds {
		require.NoError(t, unix.Dup3(null, fd, unix.O_CLOEXEC))
	}
}

// patience is how long a test waits for what must come. It is long, because
// nothing depends on it but how late a broken test fails.
const patience = 30 * time.Second

// eventually looks until it is true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(end), "waited %v: %s", patience, what)
	}
}

// hang waits until all of them sleep and nothing moves any more.
func hang(t *testing.T, children ...*child) {
	t.Helper()
	pids := pidsOf(children)
	eventually(t, "the processes sleep", func() bool { return still(func() []int { return pids }) })
}

// still reports whether three looks see the same processes asleep.
func still(pids func() []int) bool {
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

func pidsOf(children []*child) []int {
	var pids []int
	for _, c := range children {
		pids = append(pids, c.pid())
	}
	return pids
}

func read(t *testing.T, children ...*child) []procfs.Process {
	t.Helper()
	var ps []procfs.Process
	for _, c := range children {
		p, err := procfs.Read(c.pid())
		require.NoError(t, err)
		ps = append(ps, p)
	}
	return ps
}

// held is what the processes had open whose dumps were asked for last.
var held *procfs.Held

// explained explains while that is held, as the supervisor does.
func explained(c procfs.Case) procfs.Explanation {
	c.Held = held
	return procfs.Explain(c)
}

// dumps asks all of them at once, and waits until they have ended.
func dumps(t *testing.T, ps []procfs.Process, spinning bool, children ...*child) map[int][]byte {
	t.Helper()
	held = procfs.Hold(ps)
	t.Cleanup(held.Release)
	for i, c := range children {
		require.NoError(t, unix.Tgkill(c.pid(), ps[i].DumpThread(spinning), unix.SIGQUIT))
		unix.Kill(c.pid(), unix.SIGCONT) // a stopped one cannot answer
	}
	all := map[int][]byte{}
	for _, c := range children {
		select {
		case <-c.ended:
		case <-time.After(patience):
			t.Fatalf("process %d gave no dump in %v", c.pid(), patience)
		}
		all[c.pid()] = c.stderr.Bytes()
	}
	return all
}
