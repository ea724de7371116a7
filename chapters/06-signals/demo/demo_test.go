// These tests sit at the program's terminal. On the stub they fail with the
// words "is not written yet". To run them on the reference:
//
//	./task verify chapter=6
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/lab/console"
)

func TestMain(m *testing.M) { console.Main(m, main) }

// begun waits until both workers say that they work: before that SIGTERM kills them. It returns the pid of a.
func begun(t *testing.T, c *console.Console) int {
	text := c.Expect(`(?s)Worker [ab] works: process \d+\..*Worker [ab] works: process \d+\.\n`)[0]
	_, rest, _ := strings.Cut(text, "Worker a works: process ")
	number, _, _ := strings.Cut(rest, ".")
	return pid(t, number)
}

func pid(t *testing.T, text string) int {
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

func kill(t *testing.T, pid int, sig syscall.Signal) {
	require.NoError(t, syscall.Kill(pid, sig))
}

func TestAPersonAndTheSupervisor(t *testing.T) {
	c := console.Start(t, console.Program())
	require.Equal(t, strconv.Itoa(c.Pid()), c.Expect(`The supervisor is process (\d+)\.\n`)[1])
	a := begun(t, c)
	for n, pause := range []string{"200ms", "400ms", "800ms"} {
		kill(t, a, syscall.SIGKILL)
		c.Expect(fmt.Sprintf(`Worker a \(%d\) has ended: killed by SIGKILL\. It is started again in %s\.\n`, a, pause))
		a = pid(t, c.Expect(`Worker a works: process (\d+)\.\n`)[1])
		kill(t, c.Pid(), syscall.SIGUSR1)
		c.Expect(fmt.Sprintf(`State: worker a, process %d, started again %d times\.\nState: worker b, process \d+, started again 0 times\.\n`, a, n+1))
	}
	kill(t, c.Pid(), syscall.SIGHUP)
	c.Expect(`(?s)Worker [ab] reads its settings again\.\n.*Worker [ab] reads its settings again\.\n`)
	kill(t, c.Pid(), syscall.SIGTERM)
	ended(c, "SIGTERM")
	assert.Equal(t, 0, c.Wait())
}

// ended expects the end in order, after this signal.
func ended(c *console.Console, sig string) {
	c.Expect(sig + `: the workers are to end, the last one first\.\n`)
	for _, worker := range []string{"b", "a"} {
		c.Expect(fmt.Sprintf(`Worker %s got SIGTERM, has finished \d+ jobs, and ends\.\n`, worker))
		c.Expect(fmt.Sprintf(`Worker %s \(\d+\) has ended: exit status 0\.\n`, worker))
	}
	c.Expect(`All have ended\.\n`)
}

func TestCtrlCIsToldToTheSupervisorAlone(t *testing.T) {
	c := console.Start(t, console.Program())
	begun(t, c)
	c.Interrupt()
	ended(c, "SIGINT")
	assert.Equal(t, 0, c.Wait())
}

func TestASecondCtrlCEndsItAtOnce(t *testing.T) {
	c := console.Start(t, console.Program("-job", "1h"))
	a := console.Watch(t, strconv.Itoa(begun(t, c)))
	c.Interrupt()
	c.Expect(`SIGINT: the workers are to end`)
	c.Interrupt()
	assert.Equal(t, 128+int(syscall.SIGINT), c.Wait())
	a.Ends()
}

// The supervisor is stopped by Ctrl-Z and goes on with fg. Its workers have groups of their own, and work on.
func TestCtrlZAndFg(t *testing.T) {
	shell := console.Program()
	shell.Path, shell.Args = "/bin/sh", []string{"sh", "-i"}
	shell.Env = append(shell.Env, "ENV=", "PS1=> ")
	c := console.Start(t, shell)
	c.Expect(`> `)
	c.SendLine("set -m; " + os.Args[0])
	supervisor := pid(t, c.Expect(`The supervisor is process (\d+)\.\n`)[1])
	begun(t, c)
	c.Suspend()
	c.Expect(`Stopped|Suspended`)
	c.Expect(`> `)
	kill(t, supervisor, syscall.SIGUSR1) // it waits until the supervisor goes on
	c.SendLine("fg")
	c.Expect(`State: worker b`)
	c.Interrupt()
	ended(c, "SIGINT")
	c.SendLine("exit")
	assert.Equal(t, 0, c.Wait())
}

// At Ctrl-\ a Go program tells where all its goroutines are. Nobody has asked for SIGQUIT here.
func TestCtrlBackslash(t *testing.T) {
	c := console.Start(t, console.Program())
	begun(t, c)
	c.Quit()
	c.Expect(`SIGQUIT: quit`)
	c.Expect(`goroutine \d+`)
	assert.Equal(t, 2, c.Wait())
}

func TestAClosedTerminal(t *testing.T) {
	// nohup(1): what is ignored at the start stays ignored, also in the workers.
	nohup, err := exec.LookPath("nohup")
	if err != nil {
		t.Log("there is no nohup(1) on this machine")
		return
	}
	cmd := console.Program()
	cmd.Args = append([]string{nohup}, os.Args[0])
	cmd.Path = nohup
	cmd.Dir = t.TempDir()
	c := console.Start(t, cmd)
	c.Expect(`(?s)nohup.*\n`)
	status := func() string {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Pid()))
		return string(text)
	}
	require.Eventually(t, func() bool {
		out, _ := os.ReadFile(cmd.Dir + "/nohup.out")
		return strings.Count(string(out), "works: process") == 2
	}, 10*time.Second, 5*time.Millisecond)
	_, ignored, _ := strings.Cut(status(), "SigIgn:\t")
	assert.Equal(t, byte('1'), strings.TrimSpace(ignored)[15], "SIGHUP is bit 0 of what is ignored: "+ignored)
	kill(t, c.Pid(), syscall.SIGTERM)
	assert.Equal(t, 0, c.Wait())
}

// TestAsProcessOne runs it as the first process of a PID namespace.
func TestAsProcessOne(t *testing.T) {
	if err := exec.Command("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "true").Run(); err != nil {
		t.Logf("no PID namespace on this machine: unshare: %v", err)
		return
	}
	cmd := console.Program()
	unshare, err := exec.LookPath("unshare")
	require.NoError(t, err)
	cmd.Path, cmd.Args = unshare, []string{"unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc", os.Args[0]}
	c := console.Start(t, cmd)
	c.Expect(`The supervisor is process 1\.\n`)
	begun(t, c)
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", c.Pid(), c.Pid()))
	require.NoError(t, err)
	kill(t, pid(t, strings.TrimSpace(string(children))), syscall.SIGTERM)
	ended(c, "SIGTERM")
	assert.Equal(t, 0, c.Wait())
}

func TestWrongArgumentsGiveTheUsage(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"nonsense"}, {"work"}, {"-job"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			c := console.Start(t, console.Program(args...))
			c.Expect(`Usage:\n  demo  `)
			assert.Equal(t, 2, c.Wait())
		})
	}
}
