package console

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The keys raise their signals, in the group of the job that is in the foreground, and a shell
// with job control lets a stopped job go on.
func TestJobControl(t *testing.T) {
	c := Start(t, exec.Command("sh", "-i", "-m"))
	c.SendLine("PS1='r''eady> '; PS2=")
	c.Expect(`ready> `)
	c.SendLine(`sh -c 'echo b''egun $$; exec cat'`)
	pid := c.Expect(`begun (\d+)\n`)[1]
	job := Watch(t, pid)
	c.Suspend()
	c.Expect(`ready> `)
	require.Equal(t, "T", state(t, pid))
	c.SendLine("fg")
	// The shell shows the job's name before it hands the terminal over: what is typed in between
	// raises a signal in the shell's group. Only the job answers a line.
	c.SendLine("again")
	c.Expect(`(?s)again.*\nagain\n`)
	c.Interrupt()
	c.Expect(`ready> `)
	job.Ends()
	c.SendLine("exit 3")
	require.Equal(t, 3, c.Wait())
}

// state is that of a process (proc_pid_stat(5)).
func state(t *testing.T, pid string) string {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	require.NoError(t, err)
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))[0]
}

func TestQuitAndResize(t *testing.T) {
	c := Start(t, exec.Command("sh", "-c", `trap 'echo s''ize' WINCH; trap 'echo q''uit; exit 4' QUIT; echo b''egun; while :; do sleep 0.01; done`))
	c.Expect(`begun\n`)
	c.Resize(100, 30)
	c.Expect(`size\n`)
	c.Quit()
	c.Expect(`quit\n`)
	require.Equal(t, 4, c.Wait())
}

func TestHangUp(t *testing.T) {
	c := Start(t, exec.Command("sh", "-c", `echo b''egun; exec sleep 1000`))
	c.Expect(`begun\n`)
	c.HangUp()
	require.Equal(t, 128+int(unix.SIGHUP), c.Wait())
}
