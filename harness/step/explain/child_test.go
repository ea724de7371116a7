package explain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/internal/hangtest"
	"ipcworkbook/harness/step/procfs"
)

func TestMain(m *testing.M) { hangtest.Main(m) }

// The words of hangtest that the tests here are full of.
type child = hangtest.Child

var (
	helper     = hangtest.Helper
	start      = hangtest.Start
	pipe       = hangtest.Pipe
	closeNow   = hangtest.CloseNow
	eventually = hangtest.Eventually
	hang       = hangtest.Hang
	read       = hangtest.Read
)

// held is what the processes had open whose dumps were asked for last.
var held *procfs.Held

// explained explains while that is held, as the supervisor does.
func explained(c explain.Case) explain.Explanation {
	c.Held = held
	return explain.Explain(c)
}

// dumps asks all of them at once, and waits until they have ended.
func dumps(t *testing.T, ps []procfs.Process, spinning bool, children ...*child) map[int][]byte {
	t.Helper()
	held = procfs.Hold(ps)
	t.Cleanup(held.Release)
	for i, c := range children {
		require.NoError(t, unix.Tgkill(c.PID(), ps[i].DumpThread(spinning), unix.SIGQUIT))
		unix.Kill(c.PID(), unix.SIGCONT) // a stopped one cannot answer
	}
	return dumpsOf(t, children...)
}

// dumpsOf waits for their ends and returns what they have dumped.
func dumpsOf(t *testing.T, children ...*child) map[int][]byte {
	t.Helper()
	all := map[int][]byte{}
	for _, c := range children {
		select {
		case <-c.Ended:
		case <-time.After(hangtest.Patience):
			t.Fatalf("process %d gave no dump in %v", c.PID(), hangtest.Patience)
		}
		all[c.PID()] = c.Stderr.Bytes()
	}
	return all
}
