package check_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// A user without bytes for message queues, not even for one: chapter 4 has an error of its own for
// that, and the kernel's words are cut off behind it. (Where there is room for one, it depends on
// which steps run side by side.)
func TestNoBytesForQueuesIsNoMistake(t *testing.T) {
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_MSGQUEUE, &limit))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_MSGQUEUE, &unix.Rlimit{Cur: 100, Max: limit.Max}))
	defer unix.Setrlimit(unix.RLIMIT_MSGQUEUE, &limit)
	c, err := book.Find("mqueue")
	require.NoError(t, err)
	impl, err := overlay.Open(filepath.Join(root(t), c.Solution()))
	require.NoError(t, err)
	r, err := check.Run(t.Context(), check.Options{Root: root(t), Chapter: c, Impl: impl, Seed: 1, From: root(t)})
	require.NoError(t, err)
	some := 0
	for _, s := range r.Steps {
		if s.Verdict == verdict.Unsupported && strings.Contains(s.Message, "RLIMIT_MSGQUEUE, for all queues of a user") {
			some++
			continue
		}
		require.Contains(t, []verdict.Verdict{verdict.Pass, verdict.Unsupported}, s.Verdict, "step %d: %s", s.Number, s.Message)
	}
	require.Greater(t, some, 10)
}
