package lab

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

// A process begins with what the test asked for, in every thread, and the test's own process
// is what it was.
func TestAProcessBeginsWithItsSignals(t *testing.T) {
	l := New(t)
	before := l.Signals(myself{})
	p := l.Start(waitsForWord, Blocked(syscall.SIGUSR1, 36), Ignored(syscall.SIGHUP, syscall.SIGTSTP), OwnGroup())
	l.Until("starting it", HasBlocked(p, syscall.SIGUSR1, 36), Ignores(p, syscall.SIGHUP, syscall.SIGTSTP), InGroup(p, p.PID()))
	require.Equal(t, before, l.Signals(myself{}), "the test's own process")
	require.NoError(t, unix.Kill(p.PID(), unix.SIGUSR1))
	l.Until("sending SIGUSR1", HasPending(p, syscall.SIGUSR1))
	p.Blocks("it waits for its word", HasPending(p, syscall.SIGUSR1))
	p.Exit()

	plain := l.Start(waitsForWord)
	require.NotContains(t, l.Signals(plain).Blocked, "SIGUSR1")
	require.NotContains(t, l.Signals(plain).Ignored, "SIGHUP")
	require.Equal(t, unix.Getpgrp(), group(t, plain.PID()))
	plain.Exit()
}

// A process goes on when the thread ends on which it was started.
func TestAProcessOutlivesTheThreadThatStartsIt(t *testing.T) {
	l := New(t)
	var p *Process
	OnEndingThread(func() { p = l.Start(waitsForWord) })
	p.Exit()
}

// myself is the test's own process.
type myself struct{}

func (myself) PID() int     { return os.Getpid() }
func (myself) name() string { return "the test" }

func group(t *testing.T, pid int) int {
	t.Helper()
	n, err := unix.Getpgid(pid)
	require.NoError(t, err)
	return n
}

var waitsForWord = NewRole("waits for its word", func(c *Child) error {
	c.Wait()
	return nil
})

// What does not come is told, with what was there.
func TestEvidenceThatDoesNotComeIsTold(t *testing.T) {
	said := failing(t, func(l *Lab) {
		p := l.Start(waitsForWord)
		defer p.Exit()
		l.Until("Send(SIGUSR1): is it sent at all?", HasPending(p, syscall.SIGUSR1))
	})
	require.Contains(t, said, "waits for its word")
	require.Contains(t, said, "has pending: SIGUSR1")
	require.Contains(t, said, "got:      pending: none")
	require.Contains(t, said, "Is it sent at all?")
}

// The first process of a PID namespace has pid 1 there, another one here, sees no process of
// outside, and is who started it.
func TestAProcessIsTheFirstOfItsNamespace(t *testing.T) {
	l := New(t)
	p := l.Start(tellsWho, AsInit(), Ignored(syscall.SIGHUP))
	var who whoIsThere
	p.Report(&who)
	require.Equal(t, 1, who.PID)
	require.Equal(t, os.Getuid(), who.UID)
	require.Equal(t, []string{"1"}, who.Processes)
	require.NotEqual(t, 1, p.PID())
	require.Equal(t, os.Getuid() == 0, who.MayMount, "an ordinary user stays one")
	l.Until("starting it", Ignores(p, syscall.SIGHUP))
	p.Exit()
}

// Whoever dies takes all of the namespace along.
func TestTheFirstOfItsNamespaceIsKilled(t *testing.T) {
	l := New(t)
	p := l.Start(waitsForWord, AsInit())
	p.Kill()
	require.True(t, p.killed)
}

// Each may signal all that is its own: the first of a namespace everybody there, the leader of
// a group that group.
func TestAProcessSignalsItsOwn(t *testing.T) {
	for name, how := range map[string]struct {
		pid    int
		handed Handed
	}{"namespace": {-1, AsInit()}, "group": {0, OwnGroup()}} {
		t.Run(name, func(t *testing.T) {
			l := New(t)
			if name == "namespace" && os.Getenv(verdict.EnvAlone) == "" {
				t.Skip("no namespaces")
			}
			p := l.Start(signalsAll, how.handed, Tell("pid", strconv.Itoa(how.pid)))
			var got string
			p.Report(&got)
			require.Equal(t, "user defined signal 1", got, "its child was ended by it")
			require.NoError(t, p.Wait())
		})
	}
}

var signalsAll = NewRole("signals all", func(c *Child) error {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1)
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		return err
	}
	pid, err := strconv.Atoi(c.Text("pid"))
	if err != nil {
		return err
	}
	if err := unix.Kill(pid, unix.SIGUSR1); err != nil {
		return err
	}
	_ = cmd.Wait()
	c.Report(cmd.ProcessState.Sys().(syscall.WaitStatus).Signal().String())
	return nil
})

func TestWithoutNamespacesNobodyIsTheFirst(t *testing.T) {
	t.Setenv(verdict.EnvAlone, "")
	f := &fake{TB: t}
	l := New(f)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Start(waitsForWord, AsInit())
	}()
	<-done
	for _, end := range f.ends {
		end()
	}
	require.Contains(t, l.missing, "no namespaces")
}

// A process has settings of the machine for itself, and limits hold for it, also where the test is root's.
func TestAProcessHasSettingsOfItsOwn(t *testing.T) {
	number := func(name string) int {
		text, err := os.ReadFile("/proc/sys/" + name)
		require.NoError(t, err)
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		require.NoError(t, err)
		return n
	}
	before := []int{number("kernel/msgmax"), number("fs/mqueue/msg_max")}
	l := New(t)
	p := l.Start(tellsItsSettings, Setting("kernel/msgmax", 100), Setting("fs/mqueue/msg_max", 5), Ignored(syscall.SIGHUP))
	var told []string
	p.Report(&told)
	require.Equal(t, []string{"100", "5", "no message is too many", unix.EINVAL.Error()}, told)
	l.Until("starting it", Ignores(p, syscall.SIGHUP))
	require.Equal(t, before, []int{number("kernel/msgmax"), number("fs/mqueue/msg_max")}, "the test's own")
	p.Exit()
}

// What no machine has cannot be set: that is told as what it is.
func TestASettingThatIsNone(t *testing.T) {
	f := &fake{TB: t}
	l := New(f)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Start(waitsForWord, Setting("kernel/no-such-setting", 1))
	}()
	<-done
	for _, end := range f.ends {
		end()
	}
	require.Contains(t, l.missing, "an IPC namespace of its own, with /proc/sys/kernel/no-such-setting set to another number")
}

var tellsItsSettings = NewRole("tells its settings", func(c *Child) error {
	var told []string
	for _, name := range []string{"kernel/msgmax", "fs/mqueue/msg_max"} {
		text, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			return err
		}
		told = append(told, strings.TrimSpace(string(text)))
	}
	name, err := unix.BytePtrFromString("many")
	if err != nil {
		return err
	}
	for _, most := range []int64{5, 6} {
		attr := [8]int64{1: most, 2: 10} // struct mq_attr (mq_getattr(3))
		fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)), unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC, 0o600, uintptr(unsafe.Pointer(&attr)), 0, 0)
		if errno != 0 {
			told = append(told, errno.Error())
			continue
		}
		told = append(told, "no message is too many")
		unix.Close(int(fd))
		if _, _, errno := unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)), 0, 0); errno != 0 {
			return errno
		}
	}
	c.Report(told)
	c.Wait()
	return nil
})

type whoIsThere struct {
	PID, UID  int
	Processes []string
	MayMount  bool
}

var tellsWho = NewRole("tells who is there", func(c *Child) error {
	who := whoIsThere{PID: os.Getpid(), UID: os.Getuid()}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.Trim(e.Name(), "0123456789") == "" {
			who.Processes = append(who.Processes, e.Name())
		}
	}
	who.MayMount = unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "") == nil
	c.Report(who)
	c.Wait()
	return nil
})

// The keyboard's signals reach the foreground group of a terminal, what is written there is
// seen, and a hang-up is SIGHUP and the end of what can be read.
func TestAProcessAtATerminal(t *testing.T) {
	l := New(t)
	term := l.Terminal()
	p := l.Start(atTerminal, OnTerminal(term))
	term.Says("ready\r\n")
	require.Equal(t, p.PID(), term.Foreground())
	term.Type("\x03")
	term.Says("interrupt\r\n")
	term.Type("\x1c")
	term.Says("quit\r\n")
	term.Resize(100, 30)
	term.Says("window changed\r\n")
	term.HangUp()
	var got string
	p.Report(&got)
	require.Equal(t, "hangup", got)
	require.NoError(t, p.Wait())
}

var atTerminal = NewRole("at a terminal", func(c *Child) error {
	tty := c.File("terminal")
	came := make(chan os.Signal, 8)
	signal.Notify(came, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH, syscall.SIGHUP)
	tty.WriteString("ready\n")
	for s := range came {
		if s == syscall.SIGHUP {
			_, err := bufio.NewReader(tty).ReadString('\n')
			if err == nil {
				return errors.New("there is something to read after a hang-up")
			}
			c.Report(s.String())
			return nil
		}
		tty.WriteString(s.String() + "\n")
	}
	return nil
})

// A child of a role's, and one that nobody waits for.
func TestOthersAreWatched(t *testing.T) {
	l := New(t)
	p := l.Start(hasChildren)
	var pids []int
	p.Report(&pids)
	stays, ended := l.Other("the one that stays", pids[0]), l.Other("the one that ends", pids[1])
	p.Go()
	ended.Ends("it was killed")
	l.Until("it was killed", IsZombie(ended), HasZombies(p, 1))
	require.NoError(t, unix.Kill(stays.PID(), unix.SIGSTOP))
	l.Until("it was stopped", IsStopped(stays))
	p.Exit()
	l.Until("its parent has waited", IsGone(ended), IsGone(stays))
}

var hasChildren = NewRole("has children", func(c *Child) error {
	var all []*exec.Cmd
	var pids []int
	for range 2 {
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			return err
		}
		all, pids = append(all, cmd), append(pids, cmd.Process.Pid)
	}
	c.Report(pids)
	c.Wait()
	all[1].Process.Kill()
	c.Wait()
	all[0].Process.Kill()
	for _, cmd := range all {
		cmd.Wait()
	}
	return nil
})
