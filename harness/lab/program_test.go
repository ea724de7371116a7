package lab

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/step/procfs"
)

var tells = NewProgram("tells", func() int {
	fmt.Println(strings.Join(os.Args[2:], " "))
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 1
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(target, "socket:") {
			fmt.Println(e.Name(), target)
		}
	}
	var x string
	fmt.Scan(&x)
	return 7
})

// A program has what it was started with, and nothing of the lab; also with an empty environment.
func TestAProgramIsAProcessOfItsOwn(t *testing.T) {
	l := New(t)
	for _, env := range [][]string{nil, {}} {
		command := tells.Command("a", "b")
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = env
		in, err := cmd.StdinPipe()
		require.NoError(l, err)
		out, err := cmd.StdoutPipe()
		require.NoError(l, err)
		require.NoError(l, cmd.Start())
		var line string
		_, err = fmt.Fscanln(out, &line, new(string))
		require.NoError(l, err)
		assert.Equal(l, "a", line)
		p, err := procfs.Who(cmd.Process.Pid)
		require.NoError(l, err)
		assert.Equal(l, "tells", p.Role, "what a hang calls it")
		in.Close()
		rest, err := io.ReadAll(out)
		require.NoError(l, err)
		assert.Empty(l, string(rest), "sockets that it has: the lines of the lab are sockets")
		var exit *exec.ExitError
		require.ErrorAs(l, cmd.Wait(), &exit)
		assert.Equal(l, 7, exit.ExitCode())
	}
	unknown := exec.Command("/proc/self/exe", "ipc-program=nothing")
	text, err := unknown.CombinedOutput()
	require.Error(l, err)
	assert.Contains(l, string(text), `no program "nothing"`)
}
