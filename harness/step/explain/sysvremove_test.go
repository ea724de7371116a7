package explain_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// remover starts a process that removes a System V object when the test ends,
// however it ends: the kernel keeps such objects for ever. It is started before
// the object is made, and told then.
func remover(t *testing.T) (remove func(kind string, id int)) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"HANG_HELPER=" + removeLater}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C is not for it
	line, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		line.Close()
		cmd.Wait()
	})
	return func(kind string, id int) { fmt.Fprintln(line, kind, id) }
}

var removeLater = helper("remove later", func() {
	var kind string
	var id int
	fmt.Sscan(readAll(), &kind, &id)
	switch kind {
	case "msg":
		unix.Syscall(unix.SYS_MSGCTL, uintptr(id), unix.IPC_RMID, 0)
	case "sem":
		unix.Syscall6(unix.SYS_SEMCTL, uintptr(id), 0, unix.IPC_RMID, 0, 0, 0)
	case "shm":
		unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	}
})

func readAll() string {
	b, _ := io.ReadAll(os.Stdin) // until the test has ended
	return string(b)
}
