package verify

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

// machine names what a proof depends on beside files: the kernel and its limits, Go, who
// runs it, and which programs there are. What is not asked here may change unseen; that
// is what fresh=1 is for, and a clean clone.
func machine() string {
	var m strings.Builder
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		fmt.Fprintf(&m, "kernel %s %s %s\n", text(name.Release[:]), text(name.Version[:]), text(name.Machine[:]))
	}
	fmt.Fprintf(&m, "cores %d, uid %d, %s %s\n", runtime.NumCPU(), os.Getuid(), runtime.Version(), runtime.GOARCH)
	if out, err := exec.Command("go", "env", "GOVERSION", "GOFLAGS", "GOAMD64", "GOARM64", "CGO_ENABLED", "CC", "GOEXPERIMENT").Output(); err == nil {
		m.Write(out)
	}
	for _, file := range limits {
		value, err := os.ReadFile(file)
		fmt.Fprintf(&m, "%s %s %v\n", file, value, err == nil)
	}
	for _, program := range programs {
		path, err := exec.LookPath(program)
		if err != nil {
			continue
		}
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintf(&m, "%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		}
	}
	for _, entry := range slices.Sorted(slices.Values(os.Environ())) {
		name, _, _ := strings.Cut(entry, "=")
		if slices.Contains([]string{"TMPDIR", "LANG", "LANGUAGE", "GODEBUG", "GOGC", "GOMAXPROCS", "GORACE", verdict.EnvTogether}, name) || strings.HasPrefix(name, "LC_") {
			fmt.Fprintln(&m, entry)
		}
	}
	return m.String()
}

func text(b []byte) string { return unix.ByteSliceToString(b) }

// limits are settings of the kernel that steps meet.
var limits = []string{
	"/proc/sys/fs/pipe-max-size", "/proc/sys/fs/pipe-user-pages-soft", "/proc/sys/fs/pipe-user-pages-hard",
	"/proc/sys/fs/mqueue/msg_max", "/proc/sys/fs/mqueue/msgsize_max", "/proc/sys/fs/mqueue/queues_max",
	"/proc/sys/fs/inotify/max_user_instances", "/proc/sys/fs/inotify/max_user_watches",
	"/proc/sys/kernel/msgmax", "/proc/sys/kernel/msgmnb", "/proc/sys/kernel/msgmni", "/proc/sys/kernel/sem",
	"/proc/sys/kernel/shmmax", "/proc/sys/kernel/shmall", "/proc/sys/kernel/shmmni",
	"/proc/sys/kernel/unprivileged_userns_clone", "/proc/sys/kernel/yama/ptrace_scope",
	"/proc/sys/user/max_user_namespaces", "/proc/sys/net/core/wmem_default", "/proc/sys/net/core/rmem_default",
	"/proc/sys/net/core/somaxconn", "/proc/sys/net/unix/max_dgram_qlen",
}

// programs are those that tests and lessons may meet.
var programs = []string{"go", "git", "sh", "python3", "cc", "gcc", "clang", "socat", "strace", "taskset", "chromium", "chromium-browser", "google-chrome"}
