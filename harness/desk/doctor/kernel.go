package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/verdict"
)

// kernel tries what the workbook asks of the kernel and not every kernel has.
func (m Machine) kernel() Finding {
	f := finding("kernel", "what the steps call", "all steps but those that make the call")
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		f.Found = unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
	}
	var absent, without []string
	for _, c := range []struct {
		call, without string
		missing       bool
	}{
		{"pidfd_open(2)", "nothing", !pidfds()},
		{"seccomp_unotify(2)", "all steps but those that hold a process at its system calls", !notifies()},
		{"the processor time of a thread", "all steps but those that count it", !exists(m.Proc + "/self/schedstat")},
	} {
		if c.missing {
			absent, without = append(absent, c.call), append(without, c.without)
		}
	}
	if absent != nil {
		f.but(Lacking, f.Found+", without "+strings.Join(absent, ", "),
			"Linux 5.10 or newer has all of it. In a container its profile of seccomp may forbid it: run it with --security-opt seccomp=unconfined")
		f.Without = strings.Join(without, "; ")
	}
	return f
}

func pidfds() bool {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

// notifies asks for a filter that is no filter. A kernel that knows the flags looks at
// the filter then, and says EFAULT; one that does not says EINVAL (seccomp(2)).
func notifies() bool {
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_TSYNC|unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
		uintptr(unsafe.Pointer(nil)))
	return errno == unix.EFAULT
}

// namespaces starts a program as a step is started.
func (m Machine) namespaces(ctx context.Context) Finding {
	f := finding("namespaces", "a step sees its own and no other", "everything: what a step leaves is told by name and maker")
	f.Found = "PID, IPC, mount"
	err := m.startOne(ctx)
	if why := launch.Refused(); why != "" {
		err = errors.New(why)
	}
	if err != nil {
		f.but(Less, err.Error(), m.allow())
	}
	return f
}

func (m Machine) startOne(ctx context.Context) error {
	path, err := m.Program("true")
	if err != nil {
		return err
	}
	tmp, remove, err := launch.Folder()
	if err != nil {
		return err
	}
	defer remove()
	_, err = launch.Run(ctx, verdict.Spec{
		Path: path, Dir: m.Root, Env: []string{"TMPDIR=" + tmp}, Program: true, Deadline: verdict.Deadline,
	}, io.Discard, io.Discard, nil)
	return err
}

// allow is the command that allows namespaces to an ordinary user.
func (m Machine) allow() string {
	for _, k := range []struct{ key, bad, good string }{
		{"kernel/apparmor_restrict_unprivileged_userns", "1", "0"}, // Ubuntu
		{"kernel/unprivileged_userns_clone", "0", "1"},             // Debian
		{"user/max_user_namespaces", "0", "10000"},
	} {
		if text, err := os.ReadFile(filepath.Join(m.Proc, "sys", k.key)); err == nil && strings.TrimSpace(string(text)) == k.bad {
			return "sudo sysctl " + strings.ReplaceAll(k.key, "/", ".") + "=" + k.good
		}
	}
	return "in a container: run it with --cap-add=SYS_ADMIN --security-opt seccomp=unconfined"
}

// processes looks at a process that waits in read(2), as the explanation of a hang does.
func (m Machine) processes() Finding {
	f := finding("other processes", "in which call a hanging one waits", "all verdicts; a hang is explained with less")
	f.Found = "may be looked at"
	if err := m.lookAtOne(); err != nil {
		mend := "in a container: run it with --cap-add=SYS_PTRACE"
		if text, err := os.ReadFile(filepath.Join(m.Proc, "sys/kernel/yama/ptrace_scope")); err == nil && strings.TrimSpace(string(text)) > "1" {
			mend = "sudo sysctl kernel.yama.ptrace_scope=1"
		}
		f.but(Less, err.Error(), mend)
	}
	return f
}

func (m Machine) lookAtOne() error {
	path, err := m.Program("sh")
	if err != nil {
		return err
	}
	cmd := exec.Command(path, "-c", "read line")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait()
	defer in.Close()
	_, err = os.ReadFile(filepath.Join(m.Proc, strconv.Itoa(cmd.Process.Pid), "syscall"))
	if err != nil {
		return fmt.Errorf("of a child, %w", err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
