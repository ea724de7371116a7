package lab

import (
	"bytes"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A foreign process is waited for or killed, and what it prints is kept.
func TestForeignProcesses(t *testing.T) {
	var left *Foreign
	t.Run("the step", func(t *testing.T) {
		l := New(t)
		sh := l.Program("sh")
		require.Equal(l, "hello\n", l.Run(exec.Command(sh, "-c", "echo hello")).Says("sh"))
		var out bytes.Buffer
		cmd := exec.Command(sh, "-c", "echo there")
		cmd.Stdout = &out
		require.Empty(l, l.Run(cmd).Says("sh"))
		require.Equal(l, "there\n", out.String())
		require.EqualError(l, l.Run(exec.Command(sh, "-c", "exit 3")).Wait(), "exit status 3")
		left = l.Run(exec.Command(sh, "-c", "exec sleep 1000"))
	})
	require.Equal(t, syscall.SIGKILL, left.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
}
