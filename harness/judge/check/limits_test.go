package check_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// Where other programs have taken all that there is of something, a right solution fails.
// That is told, with the limit and who has it, and nobody is blamed. It is tried in a user
// namespace, which has limits of its own: nobody else runs short.
func TestWhatOthersHaveUsedUpIsNoMistake(t *testing.T) {
	const inside = "WORKBOOK_SHORT"
	if os.Getenv(inside) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Skip("needs a user namespace: ", err)
		}
		require.NoError(t, err, "%s", out)
		return
	}
	// That of this namespace (namespaces(7)); fs.inotify is everybody's.
	require.NoError(t, os.WriteFile("/proc/sys/user/max_inotify_instances", []byte("4"), 0))
	c, err := book.Find("file")
	require.NoError(t, err)
	impl, err := overlay.Open(filepath.Join(root(t), c.Solution()))
	require.NoError(t, err)
	step := func() check.Step {
		r, err := check.Run(t.Context(), check.Options{Root: root(t), Chapter: c, Impl: impl, Steps: []int{2}, Seed: 1, From: root(t)})
		require.NoError(t, err)
		return r.Steps[0]
	}
	var taken []int
	for range 4 {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		require.NoError(t, err)
		taken = append(taken, fd)
	}
	s := step()
	require.Equal(t, verdict.Unsupported, s.Verdict, s.Message)
	for _, word := range []string{"nothing left", "inotify instances, of which there are 4 (fs.inotify.max_user_instances", fmt.Sprintf("(pid %d) 4", os.Getpid()), "sudo sysctl", "The step itself said:\n", "inotify_init1"} {
		require.Contains(t, s.Message, word)
	}
	for _, fd := range taken {
		require.NoError(t, unix.Close(fd))
	}
	s = step()
	require.Equal(t, verdict.Pass, s.Verdict, s.Message)
}
