package verify

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/verdict"
)

// A step may be unsupported only where the machine lacks what the step declares.
func TestUnsupportedIsAllowedWhereTheMachineLacksAProgram(t *testing.T) {
	v := &verifier{chapter: book.Chapter{Number: 1, Name: "x", Steps: []book.Step{
		{Number: 1, Test: "TestNothing"},
		{Number: 2, Test: "TestShell", Needs: []string{"sh"}},
		{Number: 3, Test: "TestMore", Needs: []string{"sh", "no-such-program"}},
	}}}
	require.Empty(t, v.lacks(1))
	require.Empty(t, v.lacks(2))
	require.Contains(t, v.lacks(3), "no-such-program")
	require.Empty(t, v.lacks(4), "there is no such step")
	for n, allowed := range map[int]bool{1: false, 2: false, 3: true} {
		r := check.Result{Steps: []check.Step{{Number: n, Verdict: verdict.Unsupported}}}
		require.Equal(t, allowed, v.expect(r, everywhere(verdict.Pass)) == "", "step %d", n)
	}
}
