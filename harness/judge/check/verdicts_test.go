package check_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/verdict"
)

// lacks is a chapter's tests on a machine that lacks something, and with a
// workbook that has an error of its own.
const lacks = `package pipe_test

import (
	"testing"

	"ipcworkbook/harness/lab"
)

func TestLacks(t *testing.T) {
	l := lab.New(t)
	l.Unsupported("The file system shows no dirty pages (%s).", "tmpfs")
}

func TestFaults(t *testing.T) {
	l := lab.New(t)
	l.Fault("starting %s", "consumer")
}

func TestPasses(t *testing.T) { lab.New(t) }

func TestSeeded(t *testing.T) {
	l := lab.New(t)
	l.Rand("sizes")
	select {}
}
`

// What no learner can mend is not called a learner's mistake; and what depended
// on the seed says which it was, also when it hangs.
func TestVerdictsThatAreNoMistake(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	c := chapter(t)
	c.Steps = nil
	for i, test := range []string{"TestPasses", "TestLacks", "TestFaults", "TestSeeded"} {
		c.Steps = append(c.Steps, book.Step{Number: i + 1, Test: test, Title: test, Edit: "New"})
	}
	tests := map[string][]byte{"main_test.go": c.Tests()["main_test.go"], "lacks_test.go": []byte(lacks)}
	run := func(steps ...int) check.Result {
		r, err := check.Run(context.Background(), check.Options{
			Root: root(t), Chapter: c, Impl: reference(t), Tests: tests, Steps: steps, Seed: 42, From: root(t)})
		require.NoError(t, err)
		return r
	}
	r := run(1, 2)
	require.Equal(t, verdict.Unsupported, r.Verdict, "all that could run passed")
	require.Equal(t, "The file system shows no dirty pages (tmpfs).", r.Steps[1].Message)

	r = run(1, 2, 3, 4)
	require.Equal(t, verdict.Fault, r.Verdict)
	require.Equal(t, verdict.Fault, r.Steps[2].Verdict)
	require.Contains(t, r.Steps[2].Message, "starting consumer")
	require.Zero(t, r.Steps[2].Seed, "nothing depended on it")
	require.Equal(t, verdict.Hung, r.Steps[3].Verdict)
	require.Equal(t, uint64(42), r.Steps[3].Seed)
}
