package check_test

import (
	"maps"
	"path/filepath"
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
	tests["pipe_test.go"] = []byte(restless)
	r, err := check.Run(t.Context(), check.Options{Root: root(t), Chapter: c, Impl: impl, Tests: tests, Steps: []int{1}, Seed: 1, From: root(t)})
	require.NoError(t, err)
	require.Equal(t, verdict.Hung, r.Steps[0].Verdict, r.Steps[0].Message)
	require.Contains(t, r.Steps[0].Message, "It wakes up again and again")
}
