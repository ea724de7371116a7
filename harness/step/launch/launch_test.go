package launch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/step/supervisor"
	"ipcworkbook/harness/verdict"
)

// The test binary is the program that judges, the supervisor, and the step.
func TestMain(m *testing.M) {
	supervisor.Enter()
	if os.Getenv("LAUNCH_STEP") != "" {
		tell()
	}
	os.Exit(m.Run())
}

// told is what a step says of its surroundings.
type told struct {
	PID, Supervisor int
	UID             int
	MayMount        bool
	Processes       []int // that /proc shows
	Namespaces      map[string]string
	Shm             []string // what is in /dev/shm
	Queues          string   // where the queues can be listed
	Segment         int      // a System V segment that it made and left
	Queue           string   // a POSIX queue that it made and left
	Listed          []string // what is in Queues then
	Temp            string
}

func tell() {
	t := told{PID: os.Getpid(), Supervisor: os.Getppid(), UID: os.Getuid(), Temp: os.Getenv("TMPDIR"),
		Queues: os.Getenv(verdict.EnvQueues), Namespaces: namespaces(), Queue: os.Getenv("LAUNCH_STEP")}
	t.MayMount = t.UID != 0 && unix.Mount("tmpfs", t.Temp, "tmpfs", 0, "") == nil
	for _, name := range names("/proc") {
		if pid, err := strconv.Atoi(name); err == nil {
			t.Processes = append(t.Processes, pid)
		}
	}
	t.Shm = names("/dev/shm")
	var err error
	t.Segment, err = unix.SysvShmGet(unix.IPC_PRIVATE, 1, 0o600|unix.IPC_CREAT)
	must(err)
	must(os.WriteFile("/dev/shm/"+t.Queue, nil, 0o600))
	name, err := unix.BytePtrFromString(t.Queue)
	must(err)
	must(openQueue(name, unix.O_CREAT|unix.O_RDWR))
	t.Listed = names(t.Queues)
	must(json.NewEncoder(os.Stdout).Encode(t))
	os.Exit(0)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func names(dir string) []string {
	all := []string{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func namespaces() map[string]string {
	all := map[string]string{}
	for _, name := range []string{"pid", "ipc", "mnt", "user"} {
		all[name], _ = os.Readlink("/proc/self/ns/" + name)
	}
	return all
}

// run runs one step, which tells what it sees.
func run(t *testing.T, queue string) (told, verdict.Report) {
	t.Helper()
	report, err := launch.Run(context.Background(), verdict.Spec{
		Path: "/proc/self/exe", Dir: t.TempDir(), Deadline: time.Minute,
		Env: []string{"LAUNCH_STEP=" + queue, "TMPDIR=" + t.TempDir()},
	}, nil, nil, nil)
	require.NoError(t, err)
	var said told
	require.NoError(t, json.Unmarshal(report.Stdout, &said), "%s%s%+v", report.Stdout, report.Stderr, report.Finding)
	return said, report
}

func TestAStepHasNamespacesOfItsOwn(t *testing.T) {
	queue := fmt.Sprintf("launch-test-%d", os.Getpid())
	said, _ := run(t, queue)
	if why := launch.Refused(); why != "" {
		t.Skip("the kernel refuses namespaces here: ", why)
	}
	require.Equal(t, 1, said.Supervisor, "the supervisor is the first process, never the test")
	require.Equal(t, []int{1, said.PID}, said.Processes, "what /proc shows")
	mine := namespaces()
	for _, name := range []string{"pid", "ipc", "mnt"} {
		require.NotEqual(t, mine[name], said.Namespaces[name], name)
	}
	require.Equal(t, os.Getuid(), said.UID, "the step runs as who the learner is")
	require.Empty(t, said.Shm, "/dev/shm is new")
	require.Equal(t, []string{queue}, said.Listed, "its own queue and no other")
	require.False(t, said.MayMount, "the supervisor's right to mount does not reach an ordinary user's step")

	// What it left in the kernel went with the namespaces.
	require.NoFileExists(t, "/dev/shm/"+queue)
	name, err := unix.BytePtrFromString(queue)
	require.NoError(t, err)
	require.ErrorIs(t, openQueue(name, unix.O_RDWR), unix.ENOENT)
	require.NoDirExists(t, said.Temp)
}

func TestWithoutNamespacesAStepRunsToo(t *testing.T) {
	t.Setenv(verdict.EnvTogether, "1")
	require.Contains(t, launch.Refused(), verdict.EnvTogether)
	queue := fmt.Sprintf("launch-test-%d", os.Getpid())
	said, _ := run(t, queue)
	t.Cleanup(func() { os.Remove("/dev/shm/" + queue) })
	t.Cleanup(func() { unlinkQueue(queue) })
	t.Cleanup(func() { unix.SysvShmCtl(said.Segment, unix.IPC_RMID, nil) })
	require.Equal(t, namespaces(), said.Namespaces)
	require.Contains(t, said.Processes, os.Getpid())
	require.NoDirExists(t, said.Temp)
}

func TestAFolderIsGoneWhenItIsRemoved(t *testing.T) {
	dir, remove, err := launch.Folder()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), nil, 0o600))
	remove()
	require.NoDirExists(t, dir)
}

func TestTheEndOfTheContextEndsTheStep(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := launch.Run(ctx, verdict.Spec{Path: "/bin/sleep", Args: []string{"1000"}, Dir: "/", Deadline: time.Hour,
		Env: []string{"TMPDIR=" + t.TempDir()}}, nil, nil, nil)
	require.ErrorIs(t, err, context.Canceled)
}
