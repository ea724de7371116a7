package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/supervisor"
)

// This binary is its own supervisor, and its own patient.
func TestMain(m *testing.M) {
	supervisor.Enter()
	if denied := os.Getenv("DOCTOR_DENIED"); denied != "" {
		os.Unsetenv("DOCTOR_DENIED")
		patient(denied)
	}
	os.Exit(m.Run())
}

func here(t *testing.T) Machine {
	t.Helper()
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	return Here(root, os.Stdout, map[string][]string{"python3": {"3.14"}, "socat": {"3.15"}})
}

// Of this machine everything is told, and nothing is left behind.
func TestThisMachine(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	m := here(t)
	for _, f := range m.Look(t.Context()) {
		require.NotEmpty(t, f.Found, f.Name)
		require.NotEmpty(t, f.For, f.Name)
		require.Equal(t, f.State == Good, f.Mend == "", "%s: a command mends what is not good, and only that", f.Name)
		require.NotEmpty(t, f.Without, f.Name)
	}
	require.Empty(t, entries(t, m.Temp))
}

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// What is not there is found, each thing by its own look.
func TestWhatIsNotThere(t *testing.T) {
	proc := func(files map[string]string) string {
		dir := t.TempDir()
		for name, text := range files {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600))
		}
		return dir
	}
	limit := func(resource int, n uint64) func(int) (uint64, error) {
		return func(r int) (uint64, error) {
			if r == resource {
				return n, nil
			}
			return 1 << 30, nil
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(*testing.T, *Machine)
		found string // in what is found
		state State
		mend  string // in what mends it
	}{
		{"Go", func(t *testing.T, m *Machine) { m.Program = none }, "no go command", Lacking, "install Go 1.26"},
		{"Go", func(t *testing.T, m *Machine) { m.Root = proc(map[string]string{"go.mod": "module x\ngo 9.99.0"}) }, "9.99", Lacking, "9.99.0"},
		{"modules", func(t *testing.T, m *Machine) {
			t.Setenv("GOMODCACHE", t.TempDir())
		}, "not here", Less, "go mod download"},
		{"other processes", func(t *testing.T, m *Machine) { m.Proc = proc(nil) }, "no such file", Less, "SYS_PTRACE"},
		{"other processes", func(t *testing.T, m *Machine) { m.Proc = proc(map[string]string{"sys/kernel/yama/ptrace_scope": "2"}) }, "", Less, "kernel.yama.ptrace_scope=1"},
		{"kernel", func(t *testing.T, m *Machine) { m.Proc = proc(nil) }, "processor time", Lacking, ""},
		{"temporary files", func(t *testing.T, m *Machine) { m.Temp = "/nowhere" }, "no such file", Lacking, "TMPDIR"},
		{"temporary files", func(t *testing.T, m *Machine) {
			m.Temp = filepath.Join(t.TempDir(), strings.Repeat("x", 60))
			require.NoError(t, os.Mkdir(m.Temp, 0o700))
		}, "too long", Lacking, "short path"},
		{"inotify", func(t *testing.T, m *Machine) {
			m.Root = proc(nil)
			require.NoError(t, os.WriteFile(filepath.Join(m.Root, ".workbook"), nil, 0o600))
		}, "not a directory", Lacking, "sysctl"},
		{"/dev/shm", func(t *testing.T, m *Machine) { m.Shm = "/nowhere" }, "no such file", Lacking, "mount -t tmpfs"},
		{"/dev/shm", func(t *testing.T, m *Machine) { m.Shm = "/proc" }, "no tmpfs", Lacking, "mount -t tmpfs"},
		{"POSIX queues", func(t *testing.T, m *Machine) { m.Proc = proc(nil) }, "no fs.mqueue.msg_max", Lacking, "sysctl fs.mqueue.msg_max=10"},
		{"POSIX queues", func(t *testing.T, m *Machine) {
			m.Proc = proc(map[string]string{"sys/fs/mqueue/msg_max": "3", "sys/fs/mqueue/msgsize_max": "8192", "sys/fs/mqueue/queues_max": "256"})
		}, "fs.mqueue.msg_max=3", Lacking, "sudo sysctl fs.mqueue.msg_max=10"},
		{"POSIX queues", func(t *testing.T, m *Machine) { m.Limit = limit(unix.RLIMIT_MSGQUEUE, 100) }, "100 bytes", Lacking, "ulimit -q"},
		{"System V IPC", func(t *testing.T, m *Machine) { m.Proc = proc(nil) }, "no kernel.msgmni", Lacking, "kernel.shmmax"},
		{"pipes", func(t *testing.T, m *Machine) { m.Proc = proc(map[string]string{"sys/fs/pipe-max-size": "4096"}) }, "fs.pipe-max-size=4096", Less, "fs.pipe-max-size=1048576"},
		{"open files", func(t *testing.T, m *Machine) { m.Limit = limit(unix.RLIMIT_NOFILE, 100) }, "100", Lacking, "ulimit -Hn 1024"},
		{"memory", func(t *testing.T, m *Machine) { m.Proc = proc(map[string]string{"meminfo": "MemAvailable: 1024 kB"}) }, "1 MiB", Less, "end other"},
		{"python3", func(t *testing.T, m *Machine) { m.Program = none }, "not installed", Lacking, "apt install python3"},
		{"git", func(t *testing.T, m *Machine) { m.Program = none }, "not installed", Less, "apt install git"},
		{"ipcs", func(t *testing.T, m *Machine) { m.Program = none }, "not installed", Less, "apt install util-linux"},
		{"socat", func(t *testing.T, m *Machine) { m.Program = none }, "not installed", Lacking, "apt install socat"},
	} {
		t.Run(c.name+": "+c.found, func(t *testing.T) {
			m := here(t)
			c.spoil(t, &m)
			f := named(t, m.Look(t.Context()), c.name)
			require.Equal(t, c.state, f.State, "%+v", f)
			require.Contains(t, f.Found, c.found)
			require.Contains(t, f.Mend, c.mend)
		})
	}
}

func none(string) (string, error) { return "", fs.ErrNotExist }

func named(t *testing.T, all []Finding, name string) Finding {
	t.Helper()
	for _, f := range all {
		if f.Name == name {
			return f
		}
	}
	require.Fail(t, "nothing is named "+name)
	return Finding{}
}

// A kernel that refuses calls, as an old one does, or a container.
func TestKernelThatRefuses(t *testing.T) {
	for _, c := range []struct {
		denied string
		name   string
		state  State
		found  string
	}{
		{"seccomp", "kernel", Lacking, "seccomp_unotify(2)"},
		{"seccomp's flag of 5.19", "kernel", Good, ""},
		{"pidfd_open", "kernel", Lacking, "pidfd_open(2)"},
		{"cachestat", "dirty pages", Lacking, "Linux 6.5"},
		{"clone", "namespaces", Less, ""},
		{"inotify", "inotify", Lacking, ""},
	} {
		t.Run(c.denied, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), "DOCTOR_DENIED="+c.denied)
			out, err := cmd.Output()
			require.NoError(t, err, "%s", out)
			var all []Finding
			require.NoError(t, json.Unmarshal(out, &all), "%s", out)
			f := named(t, all, c.name)
			require.Equal(t, c.state, f.State, "%+v", f)
			require.Contains(t, f.Found, c.found)
			require.NotContains(t, f.Found, "; ", "one reason is told once")
			if c.state != Good {
				require.NotEmpty(t, f.Mend)
			}
		})
	}
}

var calls = map[string]struct {
	number uintptr
	errno  unix.Errno
	flags  uint32 // refused only with one of these
	at     uint32 // in this argument
}{
	"seccomp":                {unix.SYS_SECCOMP, unix.EINVAL, 0, 0},
	"seccomp's flag of 5.19": {unix.SYS_SECCOMP, unix.EINVAL, unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 1},
	"pidfd_open":             {unix.SYS_PIDFD_OPEN, unix.ENOSYS, 0, 0},
	"cachestat":              {unix.SYS_CACHESTAT, unix.ENOSYS, 0, 0},
	"clone":                  {unix.SYS_CLONE, unix.EPERM, unix.CLONE_NEWPID, 0},
	"inotify":                {unix.SYS_INOTIFY_INIT1, unix.EMFILE, 0, 0},
}

// patient is a program that some system call is denied to.
func patient(denied string) {
	c := calls[denied]
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(c.number), Jt: 0, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 16 + 8*c.at},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: c.flags, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(c.errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if c.flags == 0 {
		program[3] = unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: 0}
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if _, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter))); errno != 0 {
		fmt.Println("seccomp:", errno)
		os.Exit(1)
	}
	root, _ := filepath.Abs("../../..")
	_ = json.NewEncoder(os.Stdout).Encode(Here(root, os.Stdout, nil).Look(context.Background()))
	os.Exit(0)
}

// The terminal's size and kind.
func TestTerminals(t *testing.T) {
	ours, theirs, err := pty.Open()
	require.NoError(t, err)
	defer ours.Close()
	defer theirs.Close()
	m := here(t)
	m.Out = theirs
	for _, c := range []struct {
		kind  string
		wide  uint16
		state State
		found string
	}{
		{"xterm", 80, Good, "80 × 24"},
		{"xterm", 40, Less, "40 × 24"},
		{"dumb", 80, Less, "TERM=dumb"},
	} {
		t.Setenv("TERM", c.kind)
		require.NoError(t, pty.Setsize(ours, &pty.Winsize{Cols: c.wide, Rows: 24}))
		f := m.terminal()
		require.Equal(t, c.state, f.State, "%+v", f)
		require.Contains(t, f.Found, c.found)
	}
}
