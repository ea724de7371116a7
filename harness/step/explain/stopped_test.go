package explain_test

import (
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/explain/testdata/chapter"
	"ipcworkbook/harness/step/procfs"
)

var (
	stopItself   = helper("stop itself", func() { chapter.Stop() })
	inBackground = helper("in the background", func() { chapter.InBackground(3) })
)

func stopNow(t *testing.T, c *child) {
	t.Helper()
	require.NoError(t, unix.Kill(c.PID(), unix.SIGSTOP))
	eventually(t, "it is stopped", func() bool { return read(t, c)[0].State == 'T' })
}

func TestReaderThatStoppedItself(t *testing.T) {
	r, w := pipe(t)
	producer := start(t, "producer", send, nil, w)
	consumer := start(t, "consumer", stopItself, nil, r)
	closeNow(t, r, w)
	eventually(t, "it is stopped", func() bool { return read(t, consumer)[0].State == 'T' })
	pointsTo(t, explains(t, "stopped-itself", producer, consumer), "signal.go", "SIGSTOP")
}

func TestNoRingWithAStoppedProcess(t *testing.T) {
	r1, w1 := pipe(t)
	r2, w2 := pipe(t)
	left := start(t, "left", recv, nil, r1, w2)
	right := start(t, "right", rawRecv, nil, r2, w1)
	closeNow(t, r1, w1, r2, w2)
	hang(t, left, right)
	stopNow(t, right)
	e := explains(t, "stopped-ring", left, right)
	assert.NotContains(t, e.Text, "each other")
}

func TestStoppedWithoutADump(t *testing.T) {
	r, w := pipe(t)
	deaf := start(t, "consumer", rawRecv, []string{"HANG_DEAF=1"}, r, w)
	closeNow(t, w)
	hang(t, deaf)
	stopNow(t, deaf)
	e := explained(explain.Case{Processes: read(t, deaf), Folder: chapterFolder, After: time.Second})
	golden(t, "stopped-no-dump", e.Text)
}

func TestStoppedWhileItWaitsForTheTestsWord(t *testing.T) {
	r, w := pipe(t)
	consumer := start(t, "consumer", recv, nil, r)
	producer := start(t, "producer", waitWord, []string{"IPC_CONTROL=3"}, control(t), w)
	closeNow(t, r, w)
	hang(t, consumer, producer)
	stopNow(t, producer)
	explains(t, "stopped-role", consumer, producer)
}

func TestStoppedInTheBackgroundOfItsTerminal(t *testing.T) {
	master, tty, err := pty.Open()
	require.NoError(t, err)
	defer master.Close()
	defer tty.Close()
	parent := start(t, "consumer", inBackground, nil, int(tty.Fd()))
	pids := []int{parent.PID()}
	eventually(t, "its child is stopped", func() bool {
		pids = append(pids[:1], procfs.Descendants(parent.PID())...)
		return len(pids) == 2 && stoppedNow(pids[1])
	})
	explainFamily(t, "stopped-background", parent, readFamily(t, pids))
}

func stoppedNow(pid int) bool {
	p, err := procfs.Who(pid)
	return err == nil && p.Stopped()
}
