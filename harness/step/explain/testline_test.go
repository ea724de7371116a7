package explain_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/step/explain"
)

const waits = `package x_test

func TestOne(t *testing.T) {
	l := lab.New(t)
	recv := l.Call("Recv() of a torn record: is it seen?", receives(r))
	recv.ReturnsSoon(
		io.EOF)
	_, err := r.Recv()
	require.NoError(l, err)
	again := l.Call("Recv() on an end that is closed meanwhile", receives(r))
	again.Returns(os.ErrClosed)
}
`

// The first thing that a hang says is what the test was doing, and what it claims.
func TestTheTestsLineComesFirst(t *testing.T) {
	const hang = "2 s passed and the test was still waiting.\n\n  the test (pid 9) is blocked in read(2) at raw.go:7, (*end).Read"
	at := func(text, part string) string {
		t.Helper()
		line := strings.Count(waits[:strings.Index(waits, part)], "\n") + 1
		return explain.AtLine(text, "x_test.go:7", []byte(waits), line)
	}
	const first = "2 s passed and the test was still waiting at x_test.go:7:\n"
	require.Equal(t, first+"    recv.ReturnsSoon( io.EOF)\n    recv is \"Recv() of a torn record: is it seen?\"\n\n"+
		"  the test (pid 9) is blocked in read(2) at raw.go:7, (*end).Read", at(hang, "io.EOF)"))
	require.Contains(t, at(hang, "_, err :="), first+"    _, err := r.Recv()\n\n")

	// A call in the kernel that Close should have ended.
	const close = "Is the descriptor non-blocking (O_NONBLOCK)?"
	require.Contains(t, at(hang, "again.Returns"), close)
	require.NotContains(t, at(hang, "recv.Returns"), close)
	require.NotContains(t, at(strings.Replace(hang, "blocked in read(2)", "waiting in Read", 1), "again.Returns"), close)

	// What is not known is left out.
	require.Equal(t, hang, explain.AtLine(hang, "x_test.go:1", []byte(waits), 1))
	require.Equal(t, hang, explain.AtLine(hang, "x_test.go:1", []byte("no Go"), 1))
}
