package explain_test

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/procfs"
)

// startAndWait stands for a function of the lab: its frames are below
// ipcworkbook/harness. It starts the child that a test waits for.
func startAndWait() {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"HANG_HELPER=" + rawRecv, "IPC_ROLE=consumer", "GOTRACEBACK=all"}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.ExtraFiles = []*os.File{os.NewFile(3, "r"), os.NewFile(4, "w")}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	cmd.Wait()
}

func TestTheTestWaitsForAChild(t *testing.T) {
	r, w := pipe(t)
	parent := start(t, "the test", waitForChild, nil, r, w)
	closeNow(t, r, w)
	// The first child is not the one: os.StartProcess tries clone(2) once.
	var consumer procfs.Process
	eventually(t, "the child reads", func() bool {
		for _, pid := range procfs.Children(parent.PID()) {
			consumer, _ = procfs.Read(pid)
			if slices.ContainsFunc(consumer.Threads, func(t procfs.Thread) bool { return t.Syscall == "read" && t.State == 'S' && t.Args[0] == 3 }) {
				return true
			}
		}
		return false
	})
	hang(t, parent)
	// Now that it is at rest, all that is said of it belongs together.
	consumer, err := procfs.Read(consumer.PID)
	require.NoError(t, err)

	ps := read(t, parent)
	e := explained(explain.Case{
		Processes: append(ps, consumer),
		// The consumer gives no dump here: it would end up in the same file.
		Dumps: dumps(t, ps, false, parent),
		// Where the compiler was told so, below. It leaves such a path as it is.
		Folder: "testdata/chapter",
		After:  1500 * time.Millisecond,
		Ended:  []explain.Ended{{Role: "producer", PID: 77, How: "exit status 1"}},
	})
	golden(t, "test-waits", e.Text)
	require.Equal(t, 12, e.Line)
}

var waitForChild = helper("wait for child", testClaim)

// This function stands for a test of the chapter. The compiler is told that it
// is in another file.
//
//line testdata/chapter/chapter_test.go:10
func testClaim() {
	// the lab's
	startAndWait()
}
