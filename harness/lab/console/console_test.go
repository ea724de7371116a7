package console_test

import (
	"fmt"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/lab/console"
)

func sh(script string) *exec.Cmd { return exec.Command("sh", "-c", script) }

func TestTheTalkOfAPersonWithCat(t *testing.T) {
	c := console.Start(t, exec.Command("cat"))
	c.SendLine("hello")
	c.Expect(`hello\nhello\n`) // the echo, then cat's own line
	c.EndOfFile()
	assert.Equal(t, 0, c.Wait())
	assert.Equal(t, "hello\nhello\n", c.Transcript())
}

func TestOutputOfAProgramThatExitsAtOnceIsNeverLost(t *testing.T) {
	for i := range 500 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			c := console.Start(t, exec.Command("echo", "last words"))
			if i%2 == 0 {
				c.Wait() // so that the end is there before Expect looks
			}
			c.Expect(`last words\n`)
			assert.Equal(t, 0, c.Wait())
			assert.Equal(t, "last words\n", c.Transcript())
		})
	}
}

func TestMatchesFollowOneAnother(t *testing.T) {
	c := console.Start(t, sh(`echo one 1; echo two 2; echo one 3`))
	c.Wait()
	assert.Equal(t, []string{"one 1\n", "1"}, c.Expect(`one (\d)\n`))
	assert.Equal(t, []string{"one 3\n", "3"}, c.Expect(`one (\d)\n`), "what came before the match is gone, what comes after it is not")
}

func TestExpectEndsAtItsDeadlineWithTheTranscript(t *testing.T) {
	start := time.Now()
	f := inFake(func(t testing.TB) {
		c := console.Start(t, sh(`echo I am here; exec sleep 60`), console.Timeout(300*time.Millisecond))
		c.Expect(`never comes`)
	})
	assert.Less(t, time.Since(start), 5*time.Second)
	assert.True(t, f.fatal)
	assert.Contains(t, f.log, "Expect(`never comes`): did not come within 300ms")
	assert.Contains(t, f.log, "sleep 60, is still there (pid ")
	assert.Contains(t, f.log, "    | I am here")
}

func TestExpectEndsAtItsDeadlineWhileOutputComesWithoutEnd(t *testing.T) {
	start := time.Now()
	f := inFake(func(t testing.TB) {
		c := console.Start(t, sh(`while sleep 0.01; do echo tick; done`), console.Timeout(300*time.Millisecond))
		c.Expect(`never comes`)
	})
	assert.Less(t, time.Since(start), 5*time.Second)
	assert.Contains(t, f.log, "did not come within 300ms")
	assert.Contains(t, f.log, "    | tick")
}

func TestExpectEndsAtOnceWhenTheProgramHasEnded(t *testing.T) {
	start := time.Now()
	f := inFake(func(t testing.TB) {
		c := console.Start(t, sh(`echo I fail; exit 3`))
		c.Expect(`never comes`)
	})
	assert.Less(t, time.Since(start), 5*time.Second)
	assert.Contains(t, f.log, "did not come, and nothing more will")
	assert.Contains(t, f.log, "has ended with exit status 3.")
	assert.Contains(t, f.log, "    | I fail")
	assert.Equal(t, 1, strings.Count(f.log, "| I fail"), "clean-up need not say it again")
}

func TestCleanUpShowsTheTranscriptWhenTheTestFailsElsewhere(t *testing.T) {
	f := inFake(func(t testing.TB) {
		console.Start(t, sh(`echo I was there; kill -TERM $$`)).Wait()
		t.Fatalf("something else")
	})
	assert.Contains(t, f.log, "was ended by SIGTERM (terminated).")
	assert.Contains(t, f.log, "    | I was there")
}

func TestAProgramThatPrintsTooMuchIsStopped(t *testing.T) {
	f := inFake(func(t testing.TB) {
		console.Start(t, exec.Command("yes")).Expect(`never comes`)
	})
	assert.Contains(t, f.log, "did not come in the first 1048576 bytes")
}

func TestSendDoesNotBlockForEver(t *testing.T) {
	start := time.Now()
	f := inFake(func(t testing.TB) {
		c := console.Start(t, sh(`stty raw -echo; echo ready; exec sleep 60`), console.Timeout(300*time.Millisecond))
		c.Expect(`ready`)
		c.Send(strings.Repeat("x", 1<<20))
	})
	assert.Less(t, time.Since(start), 5*time.Second)
	assert.Contains(t, f.log, "the program does not read")
}

func TestACommandThatDoesNotExist(t *testing.T) {
	f := inFake(func(t testing.TB) { console.Start(t, exec.Command("./no-such-program")) })
	assert.Contains(t, f.log, "no such file or directory")
}

func TestWaitGivesStatusAndSignal(t *testing.T) {
	assert.Equal(t, 0, console.Start(t, exec.Command("true")).Wait())
	assert.Equal(t, 42, console.Start(t, sh(`exit 42`)).Wait())
	assert.Equal(t, 128+9, console.Start(t, sh(`kill -KILL $$`)).Wait())
}

func TestWaitReaps(t *testing.T) {
	c := console.Start(t, exec.Command("true"))
	c.Wait()
	assert.NoDirExists(t, fmt.Sprintf("/proc/%d", c.Pid()))
}

func TestWaitDoesNotWaitForWhatIsLeftBehind(t *testing.T) {
	c := console.Start(t, sh(`trap "" HUP; sleep 60 & echo done`))
	assert.Equal(t, 0, c.Wait())
	assert.Equal(t, "done\n", c.Transcript())
}

// The shell and the child that it waits for are in the terminal's foreground
// group. SIGINT goes to both: it ends the child, and the shell's trap follows.
func TestInterruptReachesAChildInTheForegroundGroup(t *testing.T) {
	c := console.Start(t, sh(`trap 'echo shell: interrupted' INT; sh -c 'echo "child $$ "; exec sleep 60'; echo "status $?"`))
	child := watch(t, c.Expect(`child (\d+) `)[1])
	c.Interrupt()
	child.ends(t)
	c.Expect(`shell: interrupted\nstatus 130\n`)
	assert.Equal(t, 0, c.Wait())
}

func TestInterruptEndsAProgramThatDoesNotCatchIt(t *testing.T) {
	c := console.Start(t, exec.Command("cat"))
	c.SendLine("ready")
	c.Expect(`ready\nready\n`)
	c.Interrupt()
	assert.Equal(t, 128+2, c.Wait())
}

// In the background of a script a test ignores SIGINT. Its children would too.
func TestInterruptWorksInATestThatIgnoresIt(t *testing.T) {
	signal.Ignore(syscall.SIGINT)
	defer signal.Reset(syscall.SIGINT)
	c := console.Start(t, exec.Command("cat"))
	c.SendLine("ready")
	c.Expect(`ready\nready\n`)
	c.Interrupt()
	assert.Equal(t, 128+2, c.Wait())
	assert.True(t, signal.Ignored(syscall.SIGINT), "the test itself ignores it as before")
}

func TestCleanUpLeavesNoProcess(t *testing.T) {
	for name, script := range map[string]string{
		"ignores SIGHUP":      `trap "" HUP TERM INT; sleep 60 & echo "pids $$ $! "; while :; do sleep 60; done`,
		"has ended itself":    `trap "" HUP TERM INT; sleep 60 & echo "pids $$ $! "`,
		"has a job's group":   `set -m; trap "" HUP TERM INT; sleep 60 & echo "pids $$ $! "; wait`,
		"is stopped":          `sleep 60 & echo "pids $$ $! "; kill -STOP $! $$`,
		"starts more for fun": `trap "" HUP; (while :; do sleep 0.001; done) & echo "pids $$ $! "; while :; do sleep 0.001; done`,
	} {
		t.Run(name, func(t *testing.T) {
			var program, background *process
			var pid int
			f := inFake(func(ft testing.TB) {
				c := console.Start(ft, sh(script))
				m := c.Expect(`pids (\d+) (\d+) `)
				pid = c.Pid()
				if name != "has ended itself" {
					program = watch(t, m[1])
				}
				background = watch(t, m[2])
			})
			require.False(t, f.Failed(), f.log)
			assert.NoDirExists(t, fmt.Sprintf("/proc/%d", pid), "the program itself is reaped")
			if program != nil {
				assert.False(t, program.alive(), "the program")
			}
			assert.False(t, background.alive(), "its background child")
		})
	}
}

func TestCleanUpLeavesNoDescriptorAndNoGoroutine(t *testing.T) {
	run := func() {
		f := inFake(func(t testing.TB) { console.Start(t, exec.Command("echo", "x")).Expect(`x\n`) })
		require.False(t, f.Failed(), f.log)
		f = inFake(func(t testing.TB) { console.Start(t, exec.Command("true")).Expect(`x\n`) })
		require.True(t, f.Failed())
	}
	run()
	descriptors, goroutines := openFiles(t), runtime.NumGoroutine()
	for range 20 {
		run()
	}
	assert.LessOrEqual(t, openFiles(t), descriptors)
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+1 }, 5*time.Second, time.Millisecond)
}

func TestTheTerminalHas80ColumnsAnd24Rows(t *testing.T) {
	c := console.Start(t, exec.Command("stty", "size"))
	c.Expect(`24 80\n`)
}

func TestTheTerminalIsTheControllingOne(t *testing.T) {
	c := console.Start(t, sh(`echo "to the terminal itself" >/dev/tty`))
	c.Expect(`to the terminal itself\n`)
	assert.Equal(t, 0, c.Wait())
}

// process is a process that may be anybody's child. A pidfd means the same
// process for ever, and becomes readable when that process ends.
type process struct{ pidfd int }

func watch(t *testing.T, pid string) *process {
	t.Helper()
	n, err := strconv.Atoi(pid)
	require.NoError(t, err)
	fd, err := unix.PidfdOpen(n, 0)
	require.NoError(t, err, "process %d", n)
	t.Cleanup(func() { unix.Close(fd) })
	return &process{fd}
}

func (p *process) endsWithin(d time.Duration) bool {
	for deadline := time.Now().Add(d); ; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.pidfd), Events: unix.POLLIN}}, int(d.Milliseconds()))
		if err == nil || time.Now().After(deadline) {
			return n == 1
		}
	}
}

func (p *process) alive() bool { return !p.endsWithin(0) }

func (p *process) ends(t *testing.T) {
	t.Helper()
	require.True(t, p.endsWithin(10*time.Second), "the process goes on")
}

func openFiles(t *testing.T) int {
	names, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	return len(names)
}

// fake is a test inside a test, to look at how it fails.
type fake struct {
	testing.TB
	log      string
	failed   bool
	fatal    bool
	cleanUps []func()
}

// inFake runs f and then its clean-up, as testing does.
func inFake(f func(testing.TB)) *fake {
	t := &fake{}
	run := func(f func()) {
		done := make(chan struct{})
		go func() { defer close(done); f() }()
		<-done
	}
	run(func() { f(t) })
	for i := range t.cleanUps {
		run(t.cleanUps[len(t.cleanUps)-1-i])
	}
	return t
}

func (t *fake) Helper()                   {}
func (t *fake) Cleanup(f func())          { t.cleanUps = append(t.cleanUps, f) }
func (t *fake) Failed() bool              { return t.failed }
func (t *fake) Logf(f string, a ...any)   { t.log += fmt.Sprintf(f, a...) + "\n" }
func (t *fake) Errorf(f string, a ...any) { t.failed = true; t.Logf(f, a...) }
func (t *fake) Fatalf(f string, a ...any) {
	t.fatal = true
	t.Errorf(f, a...)
	runtime.Goexit()
}
