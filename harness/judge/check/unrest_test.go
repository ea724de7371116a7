package check_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// restless is a chapter's first step which asks for rest again and again, while a process never
// rests.
const restless = `package pipe_test

import (
	"testing"
	"time"

	"ipcworkbook/harness/lab"
)

func TestBothEndsAreCloseOnExec(t *testing.T) {
	l := lab.New(t)
	l.Start(neverRests)
	for !l.Rests() {
	}
}

var neverRests = lab.NewRole("never rests", func(c *lab.Child) error {
	for {
		time.Sleep(time.Millisecond)
	}
})
`

// While a step asks whether anything moves it is not late. All the same it ends.
func TestAStepThatAsksWithoutEndIsStopped(t *testing.T) {
	r := firstStep(t, restless)
	require.Equal(t, verdict.Hung, r.Verdict, r.Message)
	require.Contains(t, r.Message, "It wakes up again and again")
}

// sleeper is a chapter's first step that is late, and sleeps: at each look nothing moves.
const sleeper = `package pipe_test

import (
	"testing"
	"time"

	"ipcworkbook/harness/lab"
)

func TestBothEndsAreCloseOnExec(t *testing.T) {
	lab.New(t)
	for range 3 {
		time.Sleep(900 * time.Millisecond)
	}
	time.Sleep(AFTERWARDS)
}
`

// Who has set a clock for soon does not hang while it has not gone off. Who has set one for
// much later does.
func TestAStepThatWakesUpByItselfDoesNotHang(t *testing.T) {
	r := firstStep(t, strings.Replace(sleeper, "AFTERWARDS", "time.Second", 1))
	require.Equal(t, verdict.Pass, r.Verdict, r.Message)
	r = firstStep(t, strings.Replace(sleeper, "AFTERWARDS", "time.Hour", 1))
	require.Equal(t, verdict.Hung, r.Verdict, r.Message)
}

// closer is a chapter's first step that closes what is not its own, and goes on.
const closer = `package pipe_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/lab"
)

func TestBothEndsAreCloseOnExec(t *testing.T) {
	lab.New(t)
	unix.Close(3)
	time.Sleep(time.Hour)
}
`

// Who lives on without its line to the supervisor has closed it. Who ends closes it, too: that is no news.
func TestAStepThatClosesTheLabsLineIsTold(t *testing.T) {
	r := firstStep(t, closer)
	require.Equal(t, verdict.Crashed, r.Verdict, r.Message)
	require.Contains(t, r.Message, "The test lost its line to the supervisor")
	r = firstStep(t, strings.Replace(closer, "time.Sleep(time.Hour)", "panic(time.Hour)", 1))
	require.Equal(t, verdict.Crashed, r.Verdict, r.Message)
	require.NotContains(t, r.Message, "lost its line")
}

// firstStep runs a text as the first step's test.
func firstStep(t *testing.T, test string) check.Step {
	t.Helper()
	c, err := book.Find("pipe")
	require.NoError(t, err)
	impl, err := overlay.Open(filepath.Join(root(t), c.Solution()))
	require.NoError(t, err)
	tests := maps.Clone(c.Tests())
	for name := range tests {
		if name != "main_test.go" {
			delete(tests, name)
		}
	}
	tests["pipe_test.go"] = []byte(test)
	r, err := check.Run(t.Context(), check.Options{Root: root(t), Chapter: c, Impl: impl, Tests: tests, Steps: []int{1}, Seed: 1, From: root(t)})
	require.NoError(t, err)
	return r.Steps[0]
}
